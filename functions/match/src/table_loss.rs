//! Whether the table was lost, or restored from before: what is kept outside it says that plans of the connection were
//! accepted, and which run was the last to go on. A table that knows of no accepted plan was lost: this is a first run
//! again, and says so; links are made anew from immutable IDs, nothing is ours. A table that does not know the last run
//! is older than the truth: the run stops at its plan.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::run::{Run, Stop};
use hardmatch_store::connection::Meta;
use hardmatch_store::folders;
use serde::{Deserialize, Serialize};

use crate::error::MatchError;
use crate::ports::MatchPorts;

/// The blob that says that a plan of the connection was accepted.
fn marker(connection: &ConnectionId) -> String {
    format!("{}accepted.json", folders::of_connection(connection))
}

/// What the marker holds: the newest run that wrote or found nothing to write.
#[derive(Default, Serialize, Deserialize)]
struct TenantMarker {
    v: u32,
    /// Its id. Older markers have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<String>,
}

/// What is found outside the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Outside {
    /// Plans of the connection were accepted.
    accepted: bool,
    /// A run of the connection went on that the table knows nothing of: it was restored from before.
    newer: bool,
    /// Accounts that had temporary sign-in names when this table saw the tenant for the first time.
    half_repaired: u64,
}

/// Why a run stops at its plan, once both sides are read: the table is empty where plans were accepted, or older than
/// what was done.
fn stop(before: Option<Stop>, meta: &Meta, outside: Outside) -> Option<Stop> {
    let lost = outside.accepted || outside.half_repaired > 0;
    match before {
        Some(Stop::Asked | Stop::FirstRun) if lost && meta.history.first_accepted.is_none() => Some(Stop::StateLost),
        None | Some(Stop::Asked | Stop::FirstRun | Stop::PolicyWidened) if outside.newer => Some(Stop::StateLost),
        other => other,
    }
}

/// Looks outside the table and has the run stop for what is found there. Returns the run as it is then. An older table is
/// never accepted beforehand: what is ours and what was decided since is not in it.
pub(crate) async fn look(ports: &MatchPorts, run: &Run, meta: &Meta) -> Result<Run, MatchError> {
    let marker = read(ports, &run.connection).await?;
    let outside = Outside {
        accepted: marker.is_some(),
        newer: is_newer(ports, &run.connection, marker.as_ref()).await?,
        half_repaired: match meta.history.first_accepted {
            Some(_) => 0,
            None => ports.store.tenant(&ports.scope).await?.map_or(0, |tenant| tenant.value.half_repaired),
        },
    };
    let stop = stop(run.stop, meta, outside);
    if stop == run.stop {
        return Ok(run.clone());
    }
    let restored = outside.newer && meta.history.first_accepted.is_some();
    let accepted = run.accepted.clone().filter(|accepted| accepted.by_hash || !restored);
    let told = |run: &mut Run| {
        run.stop = stop;
        run.accepted.clone_from(&accepted);
        true
    };
    ports.store.update_run(&run.connection, &run.id, told).await?;
    Ok(Run { stop, accepted: accepted.clone(), ..run.clone() })
}

/// Whether the table was restored from before something was done: what lies outside it knows of a later run.
pub(crate) async fn is_restored(ports: &MatchPorts, connection: &ConnectionId) -> Result<bool, MatchError> {
    let marker = read(ports, connection).await?;
    is_newer(ports, connection, marker.as_ref()).await
}

async fn read(ports: &MatchPorts, connection: &ConnectionId) -> Result<Option<TenantMarker>, MatchError> {
    let body = ports.blobs.get(&marker(connection)).await?;
    // A marker that cannot be read says by its presence that a plan was accepted.
    Ok(body.map(|body| serde_json::from_slice(&body).unwrap_or_default()))
}

async fn is_newer(
    ports: &MatchPorts,
    connection: &ConnectionId,
    marker: Option<&TenantMarker>,
) -> Result<bool, MatchError> {
    match marker.and_then(|marker| marker.run.as_deref()) {
        Some(run) => Ok(ports.store.run(connection, run).await?.is_none()),
        None => Ok(false),
    }
}

/// Keeps outside the table that plans of the connection were accepted, and which run was the last to go on.
pub(crate) async fn keep(ports: &MatchPorts, run: &Run) -> Result<(), MatchError> {
    let marker_of = TenantMarker { v: 1, run: Some(run.id.clone()) };
    let body = serde_json::to_vec(&marker_of).map_err(|error| MatchError::Broken(error.to_string()))?;
    Ok(ports.blobs.put(&marker(&run.connection), body).await?)
}

#[cfg(test)]
mod tests {
    use hardmatch_store::connection::RunHistory;

    use super::*;

    #[test]
    fn only_a_first_run_is_one_after_a_loss() {
        let nothing = Outside { accepted: false, newer: false, half_repaired: 0 };
        let accepted = Outside { accepted: true, ..nothing };
        let repairs = Outside { half_repaired: 1, ..nothing };
        let first = Meta::default();
        for before in [Some(Stop::FirstRun), Some(Stop::Asked)] {
            assert_eq!(stop(before, &first, nothing), before);
            assert_eq!(stop(before, &first, accepted), Some(Stop::StateLost));
            assert_eq!(stop(before, &first, repairs), Some(Stop::StateLost));
        }
        let later =
            Meta { history: RunHistory { first_accepted: Some(5), ..RunHistory::default() }, ..Meta::default() };
        assert_eq!(stop(Some(Stop::Asked), &later, accepted), Some(Stop::Asked));
        assert_eq!(stop(None, &later, accepted), None);
        assert_eq!(stop(Some(Stop::Quarantined), &first, accepted), Some(Stop::Quarantined));
    }

    #[test]
    fn an_older_table_stops_every_run_at_its_plan() {
        let newer = Outside { accepted: true, newer: true, half_repaired: 0 };
        let later =
            Meta { history: RunHistory { first_accepted: Some(5), ..RunHistory::default() }, ..Meta::default() };
        for before in [None, Some(Stop::Asked), Some(Stop::PolicyWidened)] {
            assert_eq!(stop(before, &later, newer), Some(Stop::StateLost));
        }
        assert_eq!(stop(Some(Stop::Quarantined), &later, newer), Some(Stop::Quarantined));
    }
}
