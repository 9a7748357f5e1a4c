//! What accepting a plan means: which plan a hash names, whether it may still be applied, and what the connection
//! remembers of it.
//!
//! A plan is accepted by its hash, which approves what it shows, removals and approvals included; or its stop alone is
//! passed beforehand (`--yes`), which approves nothing else.

use hardmatch_domain::guard::FirstPlan;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::run::{Accepted, Intent, Phase, Run, Status, Stop};
use hardmatch_store::connection::{ActivePolicy, Meta};

use crate::error::MatchError;
use crate::opening::notify_observers;
use crate::ports::MatchPorts;
use crate::table_loss;

/// What became of an acceptance.
#[derive(Clone, Debug, PartialEq)]
pub enum Acceptance {
    /// The run goes on; both sides are looked at once more before anything is written.
    GoesOn(Box<Run>),
    /// It was accepted before and is not finished: the run goes on where it was.
    Resumes(Box<Run>),
    /// Its run is closed: the plan was applied before.
    Applied(Box<Run>),
    /// The plan was made too long ago, or applying it was begun too long ago: the facts it rests on are old, and a new
    /// plan is needed.
    Expired(Box<Run>),
    /// No plan of this connection has the hash.
    Unknown {
        /// The hash of the newest plan that waits, if any.
        waiting: Option<String>,
    },
}

/// A plan can be applied for so long (milliseconds): its acceptance approves what was true when it was made.
const PLAN_LASTS_MS: i64 = 7 * DAY_MS;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Whether a run was begun, or its plan accepted, more than a day ago: it is not resumed by an operator's word.
fn is_left_behind(run: &Run, now_ms: i64) -> bool {
    let begun = run.accepted.as_ref().map_or(run.started_ms, |accepted| accepted.at_ms.max(run.started_ms));
    now_ms - begun > DAY_MS
}

/// Accepts the plan with this hash: what it shows, removals and approvals included. `by` names who accepts, for the run's
/// record.
pub async fn accept(
    ports: &MatchPorts,
    connection: &ConnectionId,
    hash: &str,
    by: &str,
) -> Result<Acceptance, MatchError> {
    let now_ms = ports.clock.now().as_millisecond();
    let mut waiting = None;
    for id in ports.store.run_ids(connection, 100).await? {
        let Some(stored) = ports.store.run(connection, &id).await? else { continue };
        let run = stored.value;
        let Some(plan) = &run.plan else { continue };
        // Before the first plan is applied, people who are wanted are decided and held. What their run would have done may
        // be word for word what the plan of everybody does; nobody has applied it.
        if run.requests {
            continue;
        }
        if run.phase == Phase::Planned {
            waiting.get_or_insert_with(|| plan.hash.clone());
        }
        if !is_hash(&plan.hash, hash) {
            continue;
        }
        return Ok(match (run.phase, run.status) {
            (Phase::Closed, Some(Status::Abandoned)) => continue,
            (Phase::Planned, _) if now_ms - run.started_ms > PLAN_LASTS_MS => Acceptance::Expired(Box::new(run)),
            (Phase::Closed, _) => Acceptance::Applied(Box::new(run)),
            (Phase::Planned, _) => {
                let accepted = Accepted { by_hash: true, at_ms: now_ms, by: by.to_owned() };
                let run = ports
                    .store
                    .update_run(connection, &id, |run| {
                        run.accepted = Some(accepted.clone());
                        run.intent = Intent::Sync;
                        run.phase = Phase::Observing;
                        run.collections.clear();
                        run.problems.clear();
                        true
                    })
                    .await?
                    .ok_or_else(|| MatchError::Broken(format!("run {id} is gone")))?;
                notify_observers(&*ports.doorbell, &run).await;
                Acceptance::GoesOn(Box::new(run))
            }
            (
                Phase::Observing
                | Phase::Deciding
                | Phase::Writing
                | Phase::Gate
                | Phase::Removing
                | Phase::WritingBack
                | Phase::Reporting,
                _,
            ) => {
                if is_left_behind(&run, now_ms) {
                    Acceptance::Expired(Box::new(run))
                } else {
                    Acceptance::Resumes(Box::new(run))
                }
            }
        });
    }
    Ok(Acceptance::Unknown { waiting })
}

/// The closed run whose plan has this hash, when there is one: what the plan shows was applied, or held.
pub async fn applied(ports: &MatchPorts, connection: &ConnectionId, hash: &str) -> Result<Option<Run>, MatchError> {
    for id in ports.store.run_ids(connection, 100).await? {
        let Some(stored) = ports.store.run(connection, &id).await? else { continue };
        let run = stored.value;
        let named = run.plan.as_ref().is_some_and(|plan| is_hash(&plan.hash, hash));
        if named && run.status != Some(Status::Abandoned) {
            return Ok((run.phase == Phase::Closed).then_some(run));
        }
    }
    Ok(None)
}

/// A hash may be shortened to eight digits or more.
fn is_hash(whole: &str, given: &str) -> bool {
    given.len() >= 8 && whole.starts_with(&given.to_ascii_lowercase())
}

/// Whether the plan was applied by its hash: what it shows is approved, removals included.
pub(crate) fn is_by_hash(run: &Run) -> bool {
    run.accepted.as_ref().is_some_and(|accepted| accepted.by_hash)
}

/// Whether an operator saw and accepted a run's plan: by its hash, or by passing the stop of a first run.
pub(crate) fn was_accepted(run: &Run) -> bool {
    let first = matches!(run.stop, Some(Stop::FirstRun | Stop::StateLost));
    run.accepted.as_ref().is_some_and(|accepted| accepted.by_hash || first)
}

/// Whether a plan of the connection was accepted before this run began.
pub(crate) fn first_plan(meta: &Meta, run: &Run) -> FirstPlan {
    match meta.history.first_accepted {
        Some(at) if at * 1000 < run.started_ms => FirstPlan::Applied,
        Some(_) | None => FirstPlan::Pending,
    }
}

/// Whether the connection already remembers the policy under which a run decided.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PolicyOfDecisions {
    /// [`remember_policy`] has stored it.
    Remembered,
    /// It is stored together with the acceptance.
    RememberNow,
}

/// Whether a run decides everybody who is to be decided: it is neither about one person nor about what is undone.
fn is_about_everybody(run: &Run) -> bool {
    !run.is_partial() && run.undo.is_none()
}

/// Remembers the policy under which everybody was decided. A run about one person says nothing of the others.
pub(crate) async fn remember_policy(ports: &MatchPorts, run: &Run) -> Result<(), MatchError> {
    if is_about_everybody(run) {
        let revision = run.policy_revision;
        ports.store.update(&run.connection, |policy: &mut ActivePolicy| policy.decided = revision).await?;
    }
    Ok(())
}

/// What the connection remembers of a plan that is written, in its state and outside the table.
pub(crate) async fn remember(ports: &MatchPorts, run: &Run, policy: PolicyOfDecisions) -> Result<Meta, MatchError> {
    let now = ports.clock.now_seconds();
    let (accepted, by_hash) = (run.accepted.is_some(), is_by_hash(run));
    let meta = ports
        .store
        .update_together(&run.connection, |meta| {
            if is_about_everybody(run) && policy == PolicyOfDecisions::RememberNow {
                meta.policy.decided = run.policy_revision;
            }
            if is_about_everybody(run) {
                // Everybody was decided again, and an operator saw the plan or there was nothing to see.
                meta.status.reconnected = false;
            }
            if accepted && run.undo.is_none() {
                meta.policy.widened = false;
                meta.history.first_accepted.get_or_insert(now);
                if by_hash {
                    meta.history.first_by_hash.get_or_insert(now);
                }
            }
        })
        .await?;
    if meta.history.first_accepted.is_some() {
        table_loss::keep(ports, run).await?;
    }
    Ok(meta)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_digits_of_a_hash_name_a_plan_and_seven_do_not() {
        let whole = "0123abcd4567ef89";
        for (given, named) in
            [("0123abcd", true), ("0123ABCD45", true), (whole, true), ("0123abc", false), ("123abcd4", false)]
        {
            assert_eq!(is_hash(whole, given), named, "{given}");
        }
    }
}
