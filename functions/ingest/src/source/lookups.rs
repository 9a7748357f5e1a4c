//! Look-ups under the policy that a run pinned: what it adds is entered for everybody before anybody is decided by it.

use std::sync::Arc;

use hardmatch_domain::facts::Lookups;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_domain::policy::Policy;
use hardmatch_ports::Policies;
use hardmatch_ports::run::Run;
use hardmatch_store::fingerprints::Series;
use hardmatch_store::lookups::PeopleLookups;
use hardmatch_store::{PersonHash, Store, StoreError};

use crate::source::progress::SourceProgress;
use crate::source::reading::{CHUNK, Stopped};
use crate::{Observed, SourcePorts, unknown};

/// The policy of a revision; an error is for people.
pub(crate) async fn policy(
    store: &Store,
    policies: &dyn Policies,
    connection: &ConnectionId,
    revision: u64,
) -> Result<Result<Arc<Policy>, String>, StoreError> {
    let Some(text) = store.policy(connection, revision).await? else {
        return Ok(Err(format!("policy {revision} of {connection} is not stored")));
    };
    Ok(policies.compile(&text, revision))
}

/// A collection that was not read, since nobody knows under what to enter it.
pub(crate) fn unreadable(name: &'static str, problem: String) -> Observed {
    Observed { collections: vec![(name, unknown(problem.clone()))], problems: vec![problem], ..Observed::default() }
}

/// Enters everybody under this store's look-ups who is still entered under another policy's.
pub(crate) async fn enter_everybody(
    ports: &SourcePorts,
    run: &Run,
    series: &Series,
    marker: &mut SourceProgress,
) -> Result<(), Stopped> {
    let (store, connection) = (&ports.store, &run.connection);
    let signature = store.lookups().signature();
    let known = store.people_lookups(connection).await?;
    if known.signature == signature {
        return Ok(());
    }
    // A policy that cannot be read any more leaves look-ups behind: whoever uses one compares the value itself.
    let before = policy(store, &*ports.policies, connection, known.policy).await?.ok();
    let before = before.map_or_else(Lookups::default, |policy| Lookups::of(&policy));
    let mut pids: Vec<PersonHash> = store.all_names(series).await?.into_iter().map(PersonHash::from_bytes).collect();
    pids.extend(store.gone_people(connection).await?);
    pids.sort_unstable();
    if let Some(to) = marker.entered(&signature) {
        pids.retain(|pid| *pid > to);
    }
    for chunk in pids.chunks(CHUNK) {
        let mut writes = Vec::new();
        for (_, record) in store.people(connection, chunk).await? {
            store.enter_person(&ports.scope, &before, &record, &mut writes);
        }
        if !writes.is_empty() {
            store.table().batch_write(writes).await?;
        }
        if let Some(to) = chunk.last().filter(|_| pids.len() > CHUNK) {
            marker.enter(ports, &signature, *to).await?;
        }
    }
    store.put_people_lookups(connection, &PeopleLookups { v: 1, signature, policy: run.policy_revision }).await?;
    Ok(())
}
