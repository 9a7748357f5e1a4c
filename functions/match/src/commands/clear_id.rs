//! `repair clear`: an account that stays loses its immutable ID. The journal is stored here, with what was before; the writer
//! carries it out, forward or back.

use std::time::Duration;

use hardmatch_domain::account::{Account, AccountKind, Authority, Tenant};
use hardmatch_domain::facts::By;
use hardmatch_domain::ids::{ImmutableId, ObjectId, PersonRef};
use hardmatch_domain::policy::OnConflict;
use hardmatch_domain::reason::{Code, Reason};
use hardmatch_domain::repair::holds::RepairHold;
use hardmatch_domain::repair::journal::{Journal, Whose};
use hardmatch_domain::repair::{RepairKind, RepairPlan, RepairWrite, sequences};
use hardmatch_ports::command::Reply;
use hardmatch_ports::doorbell::{Message, MessageKind};
use hardmatch_store::repairs::BeginRepair;

use super::request::{Request, done, refused};
use crate::error::MatchError;
use crate::policies::policy;
use crate::ports::MatchPorts;

/// Begins the repair that takes an account's immutable ID. `leftover` refuses where the account or its ID is somebody's.
pub(super) async fn clear(
    ports: &MatchPorts,
    request: &Request<'_>,
    account: &str,
    leftover: bool,
) -> Result<Reply, MatchError> {
    let (store, scope) = (&ports.store, &ports.scope);
    let id = ObjectId::new(account.to_lowercase());
    let read = (store.account(scope, &id).await?, store.tenant(scope).await?);
    let (Some(item), Some(tenant)) = read else {
        return Ok(refused(format!("no account {id} was read. Make a plan first: `hardmatch plan`")));
    };
    let (account, tenant) = (item.account, tenant.value.tenant);
    let Some(anchor) = account.immutable_id.clone() else { return Ok(done(None)) };
    if let Some(why) = never(&account, &tenant) {
        return Ok(refused(why));
    }
    let federated = account.upn().and_then(|upn| tenant.verified_domain_of(upn)).is_some_and(|found| found.federated);
    let linked = store.link_to(scope, &id).await?.map(|link| link.value.person);
    if let Some(who) = &linked {
        if leftover || who.connection != *request.connection {
            return Ok(refused(format!(
                "the account {id} is linked to {} of connection {}. Ask for it by name, in that connection: `hardmatch repair clear {id}`",
                who.key.as_str(),
                who.connection
            )));
        }
        if federated {
            return Ok(refused(format!(
                "the account {id} is linked to {}, who signs in by a federated domain: without an immutable ID nobody does. Let the domain be managed first, or correct the anchor at the source and replace the ID with `hardmatch repair start`",
                who.key.as_str()
            )));
        }
        let revision = store.meta(request.connection).await?.policy.revision;
        if policy(ports, request.connection, revision).await?.on_conflict == OnConflict::SourceWins {
            return Ok(refused(format!(
                "the account {id} is linked to {}, and with [anchor] on_conflict = \"source-wins\" the next run would set the ID again. Set it to \"stop\" first",
                who.key.as_str()
            )));
        }
    }
    let owners = owners(ports, &anchor).await?;
    if let (true, Some(owner)) = (leftover, owners.first()) {
        return Ok(refused(format!(
            "the account {id} carries the immutable ID of {} of connection {}: it is no leftover. `hardmatch plan` shows what joins them",
            owner.key.as_str(),
            owner.connection
        )));
    }
    let calls = match sequences::clear_id(&tenant, &account) {
        Ok(calls) => calls,
        Err(reason) => return Ok(refused(said(&reason))),
    };
    for call in &calls {
        let RepairWrite::Upn { after, .. } = &call.write else { continue };
        if !store.accounts_by(scope, By::Upn, after).await?.is_empty() {
            return Ok(refused(format!(
                "another account has the sign-in name {after}, which the account {id} would get in the initial domain. Rename one of the two first"
            )));
        }
    }
    let plan = RepairPlan {
        kind: RepairKind::ClearId,
        calls,
        people: Vec::new(),
        addresses: account.addresses().map(Into::into).collect(),
    };
    let here = owners.iter().find(|owner| owner.connection == *request.connection).cloned();
    let whose = Whose { connection: request.connection.clone(), person: linked.or(here) };
    let others = owners.into_iter().filter(|owner| Some(owner) != whose.person.as_ref());
    let plan = RepairPlan { people: others.collect(), ..plan };
    let reasons = vec![Reason::with(Code::AskedFor, format!("by {}", request.by))];
    let now_ms = ports.clock.now().as_millisecond();
    let journal = Journal::asked_for(whose, &plan, request.run, &account, reasons, now_ms);
    if let BeginRepair::HeldByOther = store.begin_repair(scope, &journal).await? {
        // Handed over again: the first delivery began it.
        if store.open_repair(scope, &journal.id).await?.is_none() {
            let wanted = [RepairHold::Account(id.clone()), RepairHold::Id(anchor)];
            let holder = store.repair_that_holds(scope, &wanted).await?.unwrap_or_default();
            return Ok(refused(format!(
                "the repair {holder} holds the account {id}, its ID, or a name of it. Wait until it ends, or take it back first"
            )));
        }
    }
    write_soon(ports, request).await;
    Ok(done(None))
}

/// Has the writer go on with the connection's repairs. A message that is lost is no loss: the next run that writes goes on
/// with them first.
pub(super) async fn write_soon(ports: &MatchPorts, request: &Request<'_>) {
    let message = Message::new(request.connection.clone(), "", MessageKind::Write);
    if let Err(error) = ports.doorbell.notify(message, Duration::ZERO).await {
        tracing::warn!(connection.id = %request.connection, error = %error, "the message could not be sent");
    }
}

/// Why the ID of an account is never written; `None`: it may be.
fn never(account: &Account, tenant: &Tenant) -> Option<String> {
    let id = &account.id;
    if account.is_deleted() {
        return Some(format!(
            "the account {id} is in the recycle bin, and keeps its ID until it is purged. Restore it first, or let `[match] soft_deleted` decide"
        ));
    }
    if account.kind == AccountKind::Guest {
        return Some(format!("the account {id} is a guest's. Guests are nobody's account here"));
    }
    if account.authority == Authority::Synced {
        return Some(format!(
            "Entra Connect masters the account {id}, and writes its ID again. Take it out of the scope of Entra Connect first"
        ));
    }
    let (Some(roles), Some(eligible)) = (&tenant.roles, &tenant.eligible) else {
        return Some(
            "who holds a directory role could not be read, and no immutable ID is written of an account that may hold one. Grant RoleManagement.Read.Directory, and plan again".to_owned(),
        );
    };
    let held = roles.get(id).or_else(|| eligible.get(id))?;
    Some(format!(
        "the account {id} holds or may activate a directory role ({}), and the immutable ID of such an account is never written. Take the role away first",
        held.join(", ")
    ))
}

/// The people of any connection whose anchor an ID is.
async fn owners(ports: &MatchPorts, anchor: &ImmutableId) -> Result<Vec<PersonRef>, MatchError> {
    let mut owners = Vec::new();
    for who in ports.store.people_by(&ports.scope, By::ImmutableId, anchor.as_str()).await? {
        let record = ports.store.person(&who).await?;
        owners.extend(record.filter(|record| record.person.knows_anchor(anchor)).map(|_| who));
    }
    Ok(owners)
}

fn said(reason: &Reason) -> String {
    let detail = reason.detail.as_deref().unwrap_or_else(|| reason.code.sentence());
    format!("{detail}. {}", reason.code.remedy())
}
