//! Look-ups under the policy that a run pinned. What the policy adds is entered for everybody before anybody is decided
//! by it.

use hardmatch_domain::facts::Lookups;
use hardmatch_ports::run::Run;
use hardmatch_store::PersonHash;
use hardmatch_store::fingerprints::Series;
use hardmatch_store::lookups::PeopleLookups;

use super::progress::{CHUNK, SourceCheckpoint, SourceStop};
use crate::ports::SourcePorts;
use crate::run::policy;

/// Enters people who are entered under another policy's look-ups under those of this store.
pub(super) async fn enter_everybody(
    ports: &SourcePorts,
    run: &Run,
    series: &Series,
    progress: &mut SourceCheckpoint,
) -> Result<(), SourceStop> {
    let (store, connection) = (&ports.store, &run.connection);
    let signature = store.lookups().signature();
    let known = store.people_lookups(connection).await?;
    let entered = PeopleLookups { v: 1, signature: signature.clone(), policy: run.policy_revision };
    if known.signature == signature {
        // The text of an older policy ends some day.
        if known.policy < run.policy_revision {
            store.put_people_lookups(connection, &entered).await?;
        }
        return Ok(());
    }
    // A policy that cannot be read any more leaves look-ups behind. They mislead nobody: a reader of a look-up compares
    // the person's value itself.
    let before = policy(store, &*ports.policies, connection, known.policy).await?.ok();
    let before = before.map_or_else(Lookups::default, |policy| Lookups::of(&policy));
    let mut pids: Vec<PersonHash> = store.all_names(series).await?.into_iter().map(PersonHash::from_bytes).collect();
    pids.extend(store.gone_people(connection).await?);
    pids.sort_unstable();
    if let Some(to) = progress.entered(&signature) {
        pids.retain(|pid| *pid > to);
    }
    for chunk in pids.chunks(CHUNK) {
        let mut writes = Vec::new();
        for (_, record) in store.people(connection, chunk).await? {
            store.reenter_person(&ports.scope, &before, &record, &mut writes);
        }
        store.write_all(writes).await?;
        if let Some(to) = chunk.last().filter(|_| pids.len() > CHUNK) {
            progress.enter(ports, &signature, *to).await?;
        }
    }
    store.put_people_lookups(connection, &entered).await?;
    Ok(())
}
