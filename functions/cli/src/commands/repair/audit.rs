//! `repair audit`: every broken or suspicious join in tenant and directory. Both sides are read, and nothing is written to
//! the tenant.

use std::collections::BTreeMap;

use hardmatch_domain::account::Account;
use hardmatch_domain::change::{Join, RepairCall, RepairKind, RepairPlan, Step};
use hardmatch_domain::facts::By;
use hardmatch_domain::ids::{ImmutableId, ObjectId, PersonKey};
use hardmatch_domain::reason::{Code, Weight};
use hardmatch_domain::repair::RepairWrite;
use hardmatch_match::{MatchPorts, NewRun};
use hardmatch_ports::TenantRead as _;
use hardmatch_ports::run::{Intent, PlanRow, Run};
use hardmatch_store::PersonHash;
use serde_json::json;

use super::calls::words;
use super::clinic::{self, Asserted, LEFTOVER, Tenant};
use super::finding::Finding;
use super::sign_ins;
use crate::args::Common;
use crate::commands::run::{drive, engine, new_run};
use crate::commands::shown::read_whole;
use crate::engine::Engine;
use crate::fail::{Exit, Failure};
use crate::output;

/// Reads both sides in this process, and shows what is broken.
pub(crate) async fn audit_here(common: &Common) -> Result<Exit, Failure> {
    let (engine, meta) = engine(common).await?;
    let result = Box::pin(read(&engine, &meta)).await;
    let shown = match result {
        Ok((run, mut tenant)) => show(&engine.deciding, &run, &mut tenant, common).await,
        Err(failure) => Err(failure),
    };
    engine.stop().await;
    shown
}

async fn read(engine: &Engine, meta: &hardmatch_store::connection::Meta) -> Result<(Run, Tenant), Failure> {
    let new = NewRun { everybody: true, retry: true, ..new_run(engine, Intent::Plan) };
    let run = read_whole(drive(engine, meta, new).await?)?;
    let tenant = Tenant::read(engine, accounts(engine).await?).await?;
    Ok((run, tenant))
}

/// Shows what a plan of everybody finds broken, and what the tenant shows by itself.
pub(crate) async fn show(ports: &MatchPorts, run: &Run, tenant: &mut Tenant, common: &Common) -> Result<Exit, Failure> {
    let mut findings = find(ports, run, tenant).await?;
    sign_ins::add(tenant, &mut findings).await?;
    if common.json {
        let connection = run.connection.as_str();
        output::document(
            &json!({ "v": 1, "connection": connection, "run": run.id, "findings": findings, "unread": tenant.unread }),
        );
    } else {
        for finding in &findings {
            print(finding);
        }
        for what in &tenant.unread {
            output::note(format!("Not looked at, since {}: {what}.", tenant.withheld));
        }
        output::note(format!("{} findings. Nothing was written to the tenant.", findings.len()));
    }
    Ok(if findings.is_empty() { Exit::Converged } else { Exit::Attention })
}

fn print(finding: &Finding) {
    let who = finding.upn.as_deref().or(finding.person.as_ref().map(PersonKey::as_str)).unwrap_or_default();
    let accounts: Vec<&str> = finding.accounts.iter().map(ObjectId::as_str).collect();
    output::line(format!("{} {who} {}", finding.class, accounts.join(" ")));
    for seen in &finding.evidence {
        output::line(format!("  seen: {seen}"));
    }
    if let Some(plan) = &finding.repair {
        output::line(format!("  repair: {}", plan.kind.name()));
        for call in &plan.calls {
            output::line(format!("    {}", words(call)));
        }
    }
    if !finding.cure.is_empty() {
        output::line(format!("  cure: {}", finding.cure));
    }
}

async fn find(ports: &MatchPorts, run: &Run, tenant: &Tenant) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    let mut joined = BTreeMap::new();
    let mut slices = hardmatch_match::read_plan(ports, &run.id).await?;
    while let Some((_, rows)) = slices.next().await? {
        let mut ids = known_ids(ports, run, &rows).await?;
        for row in rows {
            if let Join::Joined { account, .. } = &row.decision.join {
                let person = row.decision.key.clone();
                let immutable_id = ids.remove(&person);
                joined.insert(account.clone(), Asserted { person, upn: row.upn.to_string(), immutable_id });
            }
            findings.extend(of_person(&row));
        }
    }
    clinic::look(tenant, &joined, &mut findings);
    for finding in findings.iter_mut().filter(|finding| finding.class == LEFTOVER) {
        finding.repair = clear_of_nobody(ports, tenant, finding).await?;
    }
    findings
        .sort_by(|one, other| (one.class, &one.upn, &one.accounts).cmp(&(other.class, &other.upn, &other.accounts)));
    Ok(findings)
}

/// The immutable IDs that the source says of people.
async fn known_ids(
    ports: &MatchPorts,
    run: &Run,
    rows: &[PlanRow],
) -> Result<BTreeMap<PersonKey, ImmutableId>, Failure> {
    let pids: Vec<PersonHash> = rows.iter().map(|row| ports.store.secret().pid(&row.decision.key)).collect();
    let people = ports.store.people(&run.connection, &pids).await?;
    let known = people.into_iter().filter_map(|(_, record)| {
        let id = record.person.immutable_id().cloned()?;
        Some((record.person.key, id))
    });
    Ok(known.collect())
}

/// The repair that clears the immutable ID of a leftover, where account and ID are nobody's, nobody signs in by it, and no
/// role forbids the write.
async fn clear_of_nobody(
    ports: &MatchPorts,
    tenant: &Tenant,
    finding: &Finding,
) -> Result<Option<RepairPlan>, Failure> {
    let (store, scope) = (&ports.store, &ports.scope);
    let Some((account, anchor)) = finding.accounts.first().and_then(|id| tenant.clearable(id)) else { return Ok(None) };
    let linked = store.link_to(scope, &account.id).await?.is_some();
    if linked || !store.people_by(scope, By::ImmutableId, anchor.as_str()).await?.is_empty() {
        return Ok(None);
    }
    let write = RepairWrite::Id { before: Some(anchor.clone()), after: None };
    Ok(Some(RepairPlan {
        kind: RepairKind::ClearId,
        calls: vec![RepairCall { account: account.id.clone(), write }],
        people: Vec::new(),
        addresses: account.addresses().map(Into::into).collect(),
    }))
}

/// What the decision about a person finds broken.
fn of_person(row: &PlanRow) -> Option<Finding> {
    let decision = &row.decision;
    let plan = decision.change.iter().flat_map(|change| &change.steps).find_map(|step| match step {
        Step::Repair(plan) => Some((**plan).clone()),
        _ => None,
    });
    let reason = decision.reasons.iter().find(|reason| is_broken(reason.code));
    let code = match (reason, &plan) {
        (Some(reason), _) => reason.code,
        (None, Some(_)) => decision.reasons.first()?.code,
        (None, None) => return None,
    };
    let mut accounts: Vec<ObjectId> = match &decision.join {
        Join::Joined { account, .. } => vec![account.clone()],
        Join::Refused { account } => account.iter().cloned().collect(),
        Join::None | Join::NotLooked => Vec::new(),
    };
    accounts.extend(plan.iter().flat_map(RepairPlan::accounts).cloned());
    accounts.sort_unstable();
    accounts.dedup();
    let mut evidence: Vec<String> = Vec::new();
    for seen in &decision.evidence {
        let account = seen.account.as_deref().map(|id| format!(" at {id}")).unwrap_or_default();
        let values = [("ours", &seen.ours), ("theirs", &seen.theirs)];
        let values: Vec<String> =
            values.iter().filter_map(|(name, value)| Some(format!("{name} {}", value.as_deref()?))).collect();
        if !account.is_empty() || !values.is_empty() {
            evidence.push(format!("{:?} {:?}{account} {}", seen.rule, seen.found, values.join(", ")).to_lowercase());
        }
    }
    Some(Finding {
        class: code.as_str(),
        person: Some(decision.key.clone()),
        upn: Some(row.upn.to_string()),
        accounts,
        evidence,
        repair: plan,
        cure: code.remedy().to_owned(),
    })
}

/// Whether a reason says that a join is broken or suspicious.
fn is_broken(code: Code) -> bool {
    matches!(
        code,
        Code::LinkConflict
            | Code::AnchorDrift
            | Code::AnchorConflict
            | Code::AnchorWrong
            | Code::AnchorMissing
            | Code::AddressTaken
            | Code::Ambiguous
            | Code::Contested
            | Code::SplitIdentity
            | Code::ClaimedByConnection
            | Code::AddressHeldByGuest
            | Code::AddressHeldByGroup
            | Code::AddressHeldByContact
            | Code::Privileged
            | Code::MasteredElsewhere
            | Code::AddressInUse
            | Code::RecycledIdentity
            | Code::PossibleDuplicate
            | Code::DuplicatePair
            | Code::DuplicateHasData
            | Code::MaybeShared
            | Code::Rehire
            | Code::MaybeRekeyed
            | Code::RekeyOverdue
            | Code::DeletedHolder
            | Code::WaitForPurge
            | Code::AccountUnseen
            | Code::AccountDeleted
            | Code::FederatedWithoutId
            | Code::HeldByRepair
            | Code::RollbackBlocked
            | Code::RepairNeeded
    ) && code.weight() >= Weight::Reported
}

/// The tenant's live accounts, as it lists them now.
async fn accounts(engine: &Engine) -> Result<Vec<Account>, Failure> {
    let mut found = Vec::new();
    let mut page = None;
    loop {
        let list = engine.side.client.users(page.as_ref()).await;
        let list = list.map_err(|error| Failure::run(engine.side.said(&error)))?;
        found.extend(list.items);
        match list.next {
            Some(next) => page = Some(next),
            None => return Ok(found),
        }
    }
}
