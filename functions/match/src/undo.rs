//! A run that undoes: whom it is about, and the decisions that undo what was written of them. Everything else of such a run is
//! as of any other: it is planned, shown, accepted by its hash, guarded, and written step by step.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::account::Account;
use hardmatch_domain::change::Decision;
use hardmatch_domain::decide::Context;
use hardmatch_domain::ids::ObjectId;
use hardmatch_domain::link::Link;
use hardmatch_domain::person::PersonRecord;
use hardmatch_domain::undo::{PastChange, UNDONE_WITHIN, UndoFacts, undo};
use hardmatch_ports::run::{Outcome, Run, Undo};
use hardmatch_store::PersonHash;

use crate::error::MatchError;
use crate::plan::{changes, read_plan};
use crate::ports::MatchPorts;

/// Changes of one person that are looked back at.
const MOST: usize = 1_000;

/// The people of whom something is to be undone.
pub(crate) async fn people(ports: &MatchPorts, run: &Run, what: &Undo) -> Result<Vec<PersonHash>, MatchError> {
    if let Some(person) = &what.person {
        return Ok(PersonHash::parse(person).into_iter().collect());
    }
    let Some(id) = &what.run else { return Ok(Vec::new()) };
    let Some(written) = ports.store.run(&run.connection, id).await?.map(|stored| stored.value) else {
        return Ok(Vec::new());
    };
    let mut found = BTreeSet::new();
    let mut slices = read_plan(ports, id).await?;
    while let Some((_, rows)) = slices.next().await? {
        let pids: Vec<PersonHash> = changes(&rows).map(|change| ports.store.pid(&change.person)).collect();
        let outcomes = ports.store.outcomes_of(&written, &pids).await?;
        found.extend(outcomes.into_iter().filter(|(_, outcome)| outcome.written.is_some()).map(|(pid, _)| pid));
    }
    Ok(found.into_iter().collect())
}

/// Decides people by what was written of them.
pub(crate) async fn decide(
    ports: &MatchPorts,
    run: &Run,
    what: &Undo,
    people: &[PersonRecord],
    context: &Context<'_>,
) -> Result<Vec<Decision>, MatchError> {
    let mut pasts = Vec::with_capacity(people.len());
    for record in people {
        pasts.push(past(ports, run, what, ports.store.secret().pid(&record.person.key)).await?);
    }
    let ids: BTreeSet<ObjectId> = pasts.iter().flatten().filter_map(|outcome| outcome.account.clone()).collect();
    let ids: Vec<ObjectId> = ids.into_iter().collect();
    let accounts: BTreeMap<ObjectId, Account> = ports
        .store
        .accounts(&ports.scope, &ids)
        .await?
        .into_iter()
        .map(|item| (item.account.id.clone(), item.account))
        .collect();
    let links: BTreeMap<ObjectId, Link> = ports
        .store
        .links_to(&ports.scope, &ids)
        .await?
        .into_iter()
        .map(|stored| (stored.value.account.clone(), stored.value))
        .collect();
    let decided = people.iter().zip(&pasts).map(|(record, past)| {
        let account = past.iter().find_map(|outcome| outcome.account.as_ref());
        let facts = UndoFacts {
            record,
            account: account.and_then(|id| accounts.get(id)),
            link: account.and_then(|id| links.get(id)),
            tenant: context.tenant,
            policy: context.policy.revision,
            by: &what.by,
            now: context.now,
        };
        // Changes of another account, from before the last join, are left alone.
        let changes: Vec<PastChange<'_>> = past
            .iter()
            .filter(|outcome| outcome.account.as_ref() == account)
            .filter_map(|outcome| {
                let written = outcome.written.as_deref()?;
                let at = outcome.at_ms / 1000;
                Some(PastChange { change: &outcome.change, run: &outcome.run, at, steps: &written.steps })
            })
            .collect();
        undo(&changes, &facts)
    });
    Ok(decided.collect())
}

/// What was written of a person and is to be undone, newest first.
async fn past(ports: &MatchPorts, run: &Run, what: &Undo, pid: PersonHash) -> Result<Vec<Outcome>, MatchError> {
    let connection = &run.connection;
    let written = match &what.run {
        Some(id) => ports.store.run(connection, id).await?,
        None => None,
    };
    let all: Vec<Outcome> = if let Some(written) = written {
        let outcomes = ports.store.outcomes_of(&written.value, &[pid]).await?;
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    } else {
        // What an operator asked for by name stands in the person's history under a name that no run has.
        let since_ms = run.started_ms - UNDONE_WITHIN * 1000;
        let mut all = ports.store.history(connection, pid, MOST).await?;
        all.retain(|outcome| outcome.at_ms >= since_ms && what.run.as_ref().is_none_or(|id| *id == outcome.run));
        all
    };
    Ok(all.into_iter().filter(|outcome| outcome.written.is_some()).collect())
}
