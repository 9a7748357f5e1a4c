//! What a run holds for an approval, and whether it is planned still.

use std::collections::BTreeSet;

use hardmatch_domain::change::ChangeId;
use hardmatch_match::MatchPorts;
use hardmatch_ports::run::{OutcomeKind, PlanRow, Run, Status};

use crate::commands::rows;
use crate::commands::shown::incomplete;
use crate::fail::Failure;
use crate::output;

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
async fn planned(ports: &MatchPorts, run: &Run) -> Result<BTreeSet<ChangeId>, Failure> {
    let mut planned = BTreeSet::new();
    let mut slices = hardmatch_match::read_plan(ports, &run.id).await?;
    while let Some((_, rows)) = slices.next().await? {
        planned.extend(rows.iter().filter_map(carried_out));
    }
    Ok(planned)
}

fn carried_out(row: &PlanRow) -> Option<ChangeId> {
    let change = row.decision.change.as_deref()?;
    Some(change.id.clone())
}

/// The hash under which what a run held is planned now: unchanged, and with nothing beside it that the run did not show.
pub(crate) async fn still_planned(
    ports: &MatchPorts,
    run: &Run,
    held: &BTreeSet<ChangeId>,
    newer: &Run,
) -> Result<String, Failure> {
    if newer.status == Some(Status::Incomplete) {
        return Err(Failure::run(incomplete(newer)));
    }
    let now = planned(ports, newer).await?;
    let hash = newer.plan.as_ref().map(|plan| plan.hash.clone()).unwrap_or_default();
    let new = now.difference(held).count();
    if new > 0 {
        let more = if new == 1 { "1 change is".to_owned() } else { format!("{new} changes are") };
        return Err(Failure::usage(format!(
            "{more} planned now that run {} did not show. Look at the plan of now with `hardmatch runs show`; it is applied with: hardmatch apply {hash}",
            run.id
        )));
    }
    output::note(match now.len() {
        0 => format!("What run {} held is not planned any more; nothing is left to do.", run.id),
        _ => format!("What run {} held is planned unchanged, and is applied.", run.id),
    });
    Ok(hash)
}

/// What a run held is applied by its hash for so long, as a plan is.
pub(crate) fn is_too_old(run: &Run, now_ms: i64) -> bool {
    now_ms - run.started_ms > HELD_LASTS_MS
}

/// Milliseconds.
const HELD_LASTS_MS: i64 = 7 * 24 * 60 * 60 * 1000;
