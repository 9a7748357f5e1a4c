//! What a run holds for an approval, and whether it is planned still.

use std::collections::BTreeSet;

use hardmatch_domain::change::{ChangeId, Hold};
use hardmatch_match::MatchPorts;
use hardmatch_ports::run::{OutcomeKind, PlanRow, Run};

use crate::commands::rows;
use crate::fail::Failure;

/// The changes that a closed run held and that somebody's word lets through. What takes a repair sequence is not among
/// them.
pub(crate) async fn changes(ports: &MatchPorts, run: &Run) -> Result<BTreeSet<ChangeId>, Failure> {
    if !run.outcomes.contains_key(OutcomeKind::Held.name()) {
        return Ok(BTreeSet::new());
    }
    let mut held = BTreeSet::new();
    let mut slices = hardmatch_match::read_plan(ports, &run.id).await?;
    while let Some((_, rows)) = slices.next().await? {
        let outcomes = rows::outcomes(ports, run, &rows).await?;
        let is_held =
            |row: &&PlanRow| outcomes.get(&row.decision.key).is_some_and(|outcome| outcome.result == OutcomeKind::Held);
        held.extend(rows.iter().filter(is_held).filter_map(carried_out));
    }
    Ok(held)
}

/// The changes of a plan that are carried out once it is accepted.
pub(crate) async fn planned(ports: &MatchPorts, run: &Run) -> Result<BTreeSet<ChangeId>, Failure> {
    let mut planned = BTreeSet::new();
    let mut slices = hardmatch_match::read_plan(ports, &run.id).await?;
    while let Some((_, rows)) = slices.next().await? {
        planned.extend(rows.iter().filter_map(carried_out));
    }
    Ok(planned)
}

fn carried_out(row: &PlanRow) -> Option<ChangeId> {
    let change = row.decision.change.as_deref().filter(|change| change.hold != Some(Hold::Repair))?;
    Some(change.id.clone())
}
