//! Whether the table was lost: what is kept outside it says that plans of the connection were accepted, and the table
//! knows of none. Then this is a first run again, and says so: links are made anew from immutable IDs, nothing is ours.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::run::{Run, Stop};
use hardmatch_store::connection::Meta;

use crate::{MatchError, MatchPorts};

/// Where it is kept that a plan of the connection was accepted.
fn marker(connection: &ConnectionId) -> String {
    format!("connections/{connection}/accepted.json")
}

/// What is found outside the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Outside {
    /// Plans of the connection were accepted.
    accepted: bool,
    /// Accounts that had temporary sign-in names when this table saw the tenant for the first time.
    half_repaired: u64,
}

/// Why a run stops at its plan, once both sides are read. Only a run that would be the first can be one after a loss.
fn stop(before: Option<Stop>, meta: &Meta, outside: Outside) -> Option<Stop> {
    let lost = outside.accepted || outside.half_repaired > 0;
    match before {
        Some(Stop::Asked | Stop::FirstRun) if lost && meta.first_accepted.is_none() => Some(Stop::StateLost),
        other => other,
    }
}

/// Looks outside the table, and has the run stop for what it finds: the run as it is then.
pub(crate) async fn look(ports: &MatchPorts, run: &Run, meta: &Meta) -> Result<Run, MatchError> {
    if meta.first_accepted.is_some() {
        return Ok(run.clone());
    }
    let tenant = ports.store.tenant(&ports.scope).await?;
    let outside = Outside {
        accepted: ports.blobs.get(&marker(&run.connection)).await?.is_some(),
        half_repaired: tenant.map_or(0, |tenant| tenant.value.half_repaired),
    };
    let stop = stop(run.stop, meta, outside);
    if stop != run.stop {
        let told = |run: &mut Run| {
            run.stop = stop;
            true
        };
        ports.store.update_run(&run.connection, &run.id, told).await?;
    }
    Ok(Run { stop, ..run.clone() })
}

/// Keeps outside the table that a plan of the connection was accepted. Nothing else is in it.
pub(crate) async fn keep(ports: &MatchPorts, run: &Run) -> Result<(), MatchError> {
    Ok(ports.blobs.put(&marker(&run.connection), br#"{"v":1}"#.to_vec()).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_first_run_is_one_after_a_loss() {
        let nothing = Outside { accepted: false, half_repaired: 0 };
        let accepted = Outside { accepted: true, ..nothing };
        let repairs = Outside { half_repaired: 1, ..nothing };
        let first = Meta::default();
        for before in [Some(Stop::FirstRun), Some(Stop::Asked)] {
            assert_eq!(stop(before, &first, nothing), before);
            assert_eq!(stop(before, &first, accepted), Some(Stop::StateLost));
            assert_eq!(stop(before, &first, repairs), Some(Stop::StateLost));
        }
        let later = Meta { first_accepted: Some(5), ..Meta::default() };
        assert_eq!(stop(Some(Stop::Asked), &later, accepted), Some(Stop::Asked));
        assert_eq!(stop(None, &later, accepted), None);
        assert_eq!(stop(Some(Stop::Quarantined), &first, accepted), Some(Stop::Quarantined));
    }
}
