//! Under which names a plan is kept.

use hardmatch_store::{NoteList, folders};

use crate::error::MatchError;
use crate::ports::MatchPorts;

/// The blob of a slice's rows.
pub(super) fn blob(run: &str, slice: &str) -> String {
    format!("{}plan/{slice}.json", folders::of_run(run))
}

/// Names of a plan's slices, in order.
pub(crate) async fn slice_names(ports: &MatchPorts, run: &str) -> Result<Vec<String>, MatchError> {
    Ok(ports.store.notes(&NoteList::plan(run)).await?)
}

pub(super) fn broken(run: &str, slice: &str, error: &serde_json::Error) -> MatchError {
    let cause = hardmatch_store::unreadable(error);
    MatchError::Broken(format!("slice {slice} of the plan of run {run} cannot be read: {cause}. Make a new plan"))
}
