//! People who are wanted now, looked up in the tenant: who holds what each of them would hold. A few people are asked for
//! in one batch; for more of them, following what changed in the tenant is cheaper.
//!
//! A look-up takes no lease: it does not wait behind a reading of the whole tenant, and no such reading waits for it. What
//! a look-up stored may be overwritten by a page that such a reading had fetched before, or overwrite one fetched after;
//! so each account that differed is noted, and the next round asks for it by its id.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hardmatch_domain::account::{Account, AddressHolder, HolderKind};
use hardmatch_domain::facts::knowledge::{Question, questions};
use hardmatch_domain::facts::{By, Lookups};
use hardmatch_domain::ids::ObjectId;
use hardmatch_domain::person::PersonRecord;
use hardmatch_ports::run::{Collection, ReadMode, Run};
use hardmatch_ports::tenant::{CandidateRoles, Candidates, Retry};
use hardmatch_store::accounts::TenantItem;
use hardmatch_store::asked::AskedPerson;
use hardmatch_store::{PersonHash, Stored};

use super::accounts::{known_accounts, store_accounts};
use super::dirty::{DirtyMarks, mark_role_changes};
use super::notes::{SeenSinceFullListing, stale};
use super::recheck::left_bin;
use super::stop::{TenantStop, describe};
use crate::observed::{DELETED, DOMAINS, Observed, Patience, USERS, begun_ms, complete, patience, unknown};
use crate::ports::{ObserveError, TenantPorts};

/// Above so many people, changes of the whole tenant are followed instead.
pub(super) const MOST_LOOKED_UP: usize = 20;

/// Looks up everybody whom a run is about. `ports` enters accounts under what the connections' policies ask for.
pub(super) async fn look_up(
    ports: &TenantPorts,
    run: &Run,
    lookups: &Lookups,
    asked: Vec<(PersonHash, AskedPerson)>,
    had: &Stored<TenantItem>,
) -> Result<Observed, ObserveError> {
    let error = match look_up_all(ports, run, lookups, asked, had).await {
        Ok(observed) => return Ok(observed),
        Err(TenantStop::Failed(error)) => return Err(error),
        Err(TenantStop::Deadline) => return Ok(Observed::later(Duration::ZERO, 0)),
        Err(TenantStop::Tenant(error)) => error,
    };
    if let Retry::After(delay) = error.retry
        && patience(begun_ms(run), ports.clock.now().as_millisecond()) == Patience::Left
    {
        let delay = delay.max(Duration::from_secs(1));
        tracing::warn!(run.id = run.id, error = describe(&error), delay.s = delay.as_secs(), "asked again");
        return Ok(Observed::later(delay, 0));
    }
    if error.is_credentials() {
        ports.store.quarantine(&run.connection, &run.id, &describe(&error), ports.clock.now_seconds()).await?;
    }
    Ok(Observed {
        collections: vec![(USERS, unknown(describe(&error)))],
        problems: vec![describe(&error)],
        ..Observed::default()
    })
}

async fn look_up_all(
    ports: &TenantPorts,
    run: &Run,
    lookups: &Lookups,
    asked: Vec<(PersonHash, AskedPerson)>,
    had: &Stored<TenantItem>,
) -> Result<Observed, TenantStop> {
    let mut marks = DirtyMarks::new(ports, run, false);
    let (mut seen, mut changed, mut notes) = (0, 0, Vec::new());
    for some in asked.chunks(MOST_LOOKED_UP) {
        let pids: Vec<PersonHash> = some.iter().map(|(pid, _)| *pid).collect();
        let people = ports.store.people(&run.connection, &pids).await?;
        let mut wanted = Vec::with_capacity(people.len());
        for (pid, record) in &people {
            wanted.push((*pid, questions_about(ports, lookups, record).await?));
        }
        let at = ports.clock.now();
        let all: Vec<Question> = wanted.iter().flat_map(|(_, questions)| questions.iter().cloned()).collect();
        let found = ports.tenant.candidates(&all).await?;
        let unanswered = found.unanswered.clone();
        notes.push(said(&all, &found, at));
        seen += found.accounts.iter().map(|account| &account.id).collect::<BTreeSet<_>>().len() as u64;
        changed += take(ports, &all, found, &mut marks, had).await?;
        let mut writes = Vec::new();
        for (pid, asked) in some {
            let Some((_, questions)) = wanted.iter().find(|(wanted, _)| wanted == pid) else { continue };
            let mut asked = asked.clone();
            let answers = asked.answers.get_or_insert_default();
            for question in questions.iter().filter(|question| !unanswered.contains(question)) {
                answers.note(question, at.as_second());
            }
            writes.push(ports.store.put_asked(&run.id, &asked));
        }
        ports.store.write_all(writes).await?;
    }
    let read = Some(ReadMode::Asked);
    let users = Collection { read, notes, ..complete(seen, changed) };
    let deleted = Collection { read, ..complete(0, 0) };
    let domains = Collection { read, ..complete(had.value.tenant.domains.len() as u64, 0) };
    Ok(Observed { collections: vec![(USERS, users), (DELETED, deleted), (DOMAINS, domains)], ..Observed::default() })
}

/// What is asked about one person: the values that they would hold, their account, and the accounts that hold one of the
/// values as far as the mirror knows.
async fn questions_about(
    ports: &TenantPorts,
    lookups: &Lookups,
    record: &PersonRecord,
) -> Result<Vec<Question>, TenantStop> {
    let linked = ports.store.link_of(&ports.scope, &record.reference()).await?.map(|link| link.value.account);
    let mut all = questions(lookups, record, linked.as_ref());
    let mut known: BTreeSet<ObjectId> = BTreeSet::new();
    for question in &all {
        let by: &[(By, &str)] = match question {
            Question::ImmutableId(value) => &[(By::ImmutableId, value)],
            Question::Name(value) => &[(By::Upn, value), (By::Address, value)],
            Question::EmployeeId(value) => &[(By::EmployeeId, value)],
            Question::Account(_) => &[],
        };
        for (by, value) in by {
            known.extend(ports.store.accounts_by(&ports.scope, *by, value).await?);
        }
    }
    let more = known.into_iter().filter(|id| linked.as_ref() != Some(id)).map(Question::Account);
    all.extend(more.take(MOST_KNOWN));
    Ok(all)
}

/// A value that more accounts hold proves nothing; they are not asked for one by one.
const MOST_KNOWN: usize = 10;

/// Takes what the tenant showed into the mirror. Gives how many accounts differed.
async fn take(
    ports: &TenantPorts,
    questions: &[Question],
    found: Candidates,
    marks: &mut DirtyMarks<'_>,
    had: &Stored<TenantItem>,
) -> Result<u64, TenantStop> {
    let ids: Vec<ObjectId> = found.accounts.iter().map(|account| account.id.clone()).collect();
    let known = known_accounts(ports, &ids).await?;
    let accounts: Vec<Account> = found
        .accounts
        .into_iter()
        .map(|mut account| {
            // The recycle bin says nothing of the manager.
            if let Some(old) = known.get(&account.id).filter(|_| account.is_deleted()) {
                account.manager.clone_from(&old.account.manager);
            }
            account
        })
        .collect();
    let news = SeenSinceFullListing::of(ports);
    let mut writes = Vec::new();
    for account in &accounts {
        match known.get(&account.id) {
            None => writes.extend([news.note(ports, &account.id), stale(ports, &account.id)]),
            Some(old) if differs(&old.account, account) => writes.push(stale(ports, &account.id)),
            Some(_) => {}
        }
    }
    ports.store.write_all(writes).await?;
    let changed = store_accounts(ports, accounts, marks, &[]).await?.changed;
    if !found.missing.is_empty() {
        let gone = known_accounts(ports, &found.missing).await?.into_values().collect();
        left_bin(ports, gone, marks).await?;
    }
    take_holders(ports, questions, &found.holders, &found.withheld).await?;
    if let Some(roles) = found.roles {
        take_roles(ports, roles, had).await?;
    }
    Ok(changed)
}

/// Whether a sighting differs from the mirror in what a sighting shows.
fn differs(old: &Account, seen: &Account) -> bool {
    *old != Account { revision: old.revision, memberships: old.memberships.clone(), ..seen.clone() }
}

/// Stores which groups and contacts hold the names that were asked for.
async fn take_holders(
    ports: &TenantPorts,
    questions: &[Question],
    holders: &[(String, AddressHolder)],
    withheld: &[HolderKind],
) -> Result<(), TenantStop> {
    let mut writes = Vec::new();
    for question in questions {
        let Question::Name(name) = question else { continue };
        let had: BTreeSet<AddressHolder> = ports.store.address_holders(&ports.scope, name).await?.into_iter().collect();
        let now: BTreeSet<AddressHolder> = holders
            .iter()
            .filter(|(address, _)| *address == name.to_lowercase())
            .map(|(_, holder)| holder.clone())
            .collect();
        let gone = had.difference(&now).filter(|holder| !withheld.contains(&holder.kind));
        writes.extend(gone.map(|holder| ports.store.delete_holder(&ports.scope, name, holder)));
        writes.extend(now.difference(&had).map(|holder| ports.store.put_holder(&ports.scope, name, holder)));
    }
    if !writes.is_empty() {
        ports.store.write_all(writes).await?;
    }
    Ok(())
}

/// Stores who holds roles. What another reading stored meanwhile is newer, and stays.
async fn take_roles(ports: &TenantPorts, roles: CandidateRoles, had: &Stored<TenantItem>) -> Result<(), TenantStop> {
    let before = &had.value.tenant;
    // Where no product of the tenant brings eligible roles, the last round knew that nobody is eligible.
    let eligible = roles.eligible.or_else(|| before.eligible.clone().filter(BTreeMap::is_empty));
    if before.roles == roles.holders && before.eligible == eligible {
        return Ok(());
    }
    mark_role_changes(ports, before.roles.as_ref(), roles.holders.as_ref()).await?;
    mark_role_changes(ports, before.eligible.as_ref(), eligible.as_ref()).await?;
    let mut next = had.value.clone();
    (next.tenant.roles, next.tenant.eligible) = (roles.holders, eligible);
    ports.store.replace_tenant(&ports.scope, had.revision, &next).await?;
    Ok(())
}

/// What was asked and found, for the run's record. Names no value.
fn said(questions: &[Question], found: &Candidates, at: jiff::Timestamp) -> String {
    let ids = questions.iter().filter(|question| matches!(question, Question::ImmutableId(_))).count();
    let names = questions.iter().filter(|question| matches!(question, Question::Name(_))).count();
    let holds = |account: &&Account, question: &Question| match question {
        Question::ImmutableId(id) => account.immutable_id.as_ref().is_some_and(|held| held.as_str() == id),
        Question::Name(name) => {
            let is = |held: &str| held.to_lowercase() == name.to_lowercase();
            account.upn().is_some_and(is) || account.addresses().any(is)
        }
        Question::EmployeeId(_) | Question::Account(_) => false,
    };
    let held: BTreeSet<&ObjectId> = found
        .accounts
        .iter()
        .filter(|account| questions.iter().any(|question| holds(account, question)))
        .map(|account| &account.id)
        .collect();
    let others: BTreeSet<&ObjectId> = found.holders.iter().map(|(_, holder)| &holder.id).collect();
    let who = match (held.len(), others.len()) {
        (0, 0) => "nobody has them".to_owned(),
        (accounts, 0) => format!("{accounts} accounts have one"),
        (accounts, others) => format!("{accounts} accounts and {others} groups or contacts have one"),
    };
    format!("asked at {at:.0} for {ids} immutable IDs and {names} names: {who}")
}
