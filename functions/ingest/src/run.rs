//! The run that a message names: whether it still waits for this side, and what the reading found, entered into it.

use std::sync::Arc;
use std::time::Duration;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_domain::policy::Policy;
use hardmatch_ports::doorbell::{After, MessageKind};
use hardmatch_ports::run::{CollectionState, Phase, Run};
use hardmatch_ports::{Clock, Doorbell, Policies};
use hardmatch_store::connection::ConnectionState;
use hardmatch_store::requeue::Requeue;
use hardmatch_store::{Store, StoreError};

use crate::observed::{NEEDED, Observed, PEOPLE};
use crate::ports::ObserveError;

/// The run, when it observes and the collection is not read yet. The side of a disconnected connection is not read: its
/// credentials were given up.
pub(crate) async fn observing(
    store: &Store,
    connection: &ConnectionId,
    run: &str,
    collection: &str,
) -> Result<Option<Run>, StoreError> {
    let open = store.run(connection, run).await?.map(|stored| stored.value);
    let open = open.filter(|open| {
        open.phase == Phase::Observing
            && open.collections.get(collection).is_none_or(|known| known.state == CollectionState::Reading)
    });
    let connected = open.is_some() && is_connected(store, connection).await?;
    Ok(open.filter(|_| connected))
}

pub(crate) async fn is_connected(store: &Store, connection: &ConnectionId) -> Result<bool, StoreError> {
    Ok(store.meta(connection).await?.status.state != ConnectionState::Disconnected)
}

/// The policy of a revision. The inner error is a sentence for operators.
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

/// Enters into the run what was found, or leaves the rest of the reading to another message.
pub(crate) async fn finish(
    store: &Store,
    clock: &dyn Clock,
    doorbell: &dyn Doorbell,
    open: &Run,
    observed: Observed,
) -> Result<After, ObserveError> {
    let (connection, run) = (&open.connection, &open.id);
    if let Some(delay) = observed.again {
        if !delay.is_zero() {
            return Ok(After::Again(delay));
        }
        let units = i64::try_from(observed.units).unwrap_or(i64::MAX);
        return Ok(match store.note_progress(connection, run, units, clock.now().as_millisecond()).await? {
            Requeue::Continue => After::Again(Duration::ZERO),
            Requeue::GiveUp => After::Done,
        });
    }
    let entered = store
        .update_run(connection, run, |open| {
            for (name, collection) in &observed.collections {
                open.collections.insert((*name).to_owned(), collection.clone());
            }
            if !observed.refused.is_empty() {
                open.refused_entries.clone_from(&observed.refused);
            }
            if !observed.left_out.is_empty() {
                open.left_out.clone_from(&observed.left_out);
            }
            for problem in &observed.problems {
                if !open.problems.contains(problem) {
                    open.problems.push(problem.clone());
                }
            }
            open.everybody |= observed.everybody;
            true
        })
        .await?;
    // Of two sides that end at the same moment, the side that is entered last finds the other one entered. A lost message
    // is no loss: the tick notifies a run whose two sides are read.
    // Of a run about some people the driver sends for the other side when these people are read: it has the right to.
    if entered.is_some_and(|run| is_observed(&run) || (run.is_partial() && run.has_read(PEOPLE)))
        && let Err(error) = doorbell.notify(open.message(MessageKind::Advance), Duration::ZERO).await
    {
        tracing::warn!(run.id = run, error = %error, "the message could not be sent");
    }
    Ok(After::Done)
}

/// Whether the run waits for no reading any more: everything that is needed was read, or some of it cannot be.
fn is_observed(run: &Run) -> bool {
    let state = |name: &&str| run.collections.get(*name).map(|known| known.state);
    NEEDED.iter().any(|name| state(name) == Some(CollectionState::Unknown))
        || NEEDED.iter().all(|name| state(name) == Some(CollectionState::Complete))
}
