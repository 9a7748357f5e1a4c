//! Ending: the report, the status, and what the connection remembers.

use std::collections::BTreeMap;
use std::io::BufWriter;

use hardmatch_domain::change::Join;
use hardmatch_domain::reason::{Code, Weight};
use hardmatch_ports::run::{Outcome, OutcomeKind, Phase, PlanHead, PlanRow, Run, Status};
use hardmatch_report::{FileNames, ReportBuilder, Standing};
use hardmatch_store::Pid;
use hardmatch_store::connection::Meta;

use crate::plan::Slices;
use crate::{MatchError, MatchPorts, phases, watch};

/// What a run comes to.
#[derive(Default)]
struct Sum {
    outcomes: BTreeMap<String, u64>,
    changes: BTreeMap<String, u64>,
    refusals: BTreeMap<String, u64>,
    attention: bool,
    /// People who have an account of theirs now.
    joined: u64,
    /// Of these, those who had none before.
    fresh: u64,
}

/// Writes the report of a finished run and closes it.
pub(crate) async fn report(ports: &MatchPorts, run: &Run) -> Result<bool, MatchError> {
    let now_ms = ports.clock.now().as_millisecond();
    let (tenant_calls, units) = ports.meter.read();
    // The page says at its top how the run ended, so the rows are added up before they are shown.
    let sum = add_up(ports, run).await?;
    let attention = sum.attention || !run.refused_entries.is_empty();
    let mut closed = Run {
        phase: Phase::Closed,
        status: Some(if attention { Status::Attention } else { Status::Converged }),
        closed_ms: Some(now_ms),
        outcomes: sum.outcomes.clone(),
        changes: sum.changes.clone(),
        refusals: sum.refusals.clone(),
        tenant_calls,
        units,
        effort: ports.meter.effort(),
        problems: problems(ports, run).await?,
        ..run.clone()
    };
    render(ports, &mut closed).await?;
    let everybody = run.everybody && run.only.is_none();
    let failing = sum.is_failing();
    if failing {
        ports.store.quarantine(&run.connection, &run.id, FAILING, now_ms / 1000).await?;
    }
    ports
        .store
        .update_meta(&run.connection, |meta| {
            // A run that was turned away, or that failed in most of what it tried, is no success.
            let turned_away = meta.quarantine.as_ref().is_some_and(|quarantine| quarantine.run == run.id);
            if !failing && !turned_away {
                meta.quarantine = None;
                meta.last_success = Some(now_ms / 1000);
            }
            if run.only.is_none() {
                // Timers up to the beginning of this run were taken by it.
                meta.timers_seen = Some(run.started_ms / 1000);
            }
            meta.links = if everybody { sum.joined } else { meta.links + sum.fresh };
        })
        .await?;
    phases::enter(ports, run, Phase::Closed, |run| run.clone_from(&closed)).await?;
    ports.store.clear_run(&run.id).await?;
    ports.store.free_place(run).await?;
    Ok(false)
}

/// What a run has met, and that the application's proof ends soon: nobody else tells.
async fn problems(ports: &MatchPorts, run: &Run) -> Result<Vec<String>, MatchError> {
    let mut problems = run.problems.clone();
    let meta = ports.store.meta(&run.connection).await?.value;
    let warning = watch::warning(&meta, ports.clock.now_seconds());
    problems.extend(warning.filter(|warning| !problems.contains(warning)));
    Ok(problems)
}

/// Why a connection is quarantined after a run that failed in most of what it tried.
const FAILING: &str = "40 % or more of a run's changes failed";

/// Writes the report of a plan that waits.
pub(crate) async fn plan_report(ports: &MatchPorts, run: &Run, head: &PlanHead) -> Result<(), MatchError> {
    let (tenant_calls, units) = ports.meter.read();
    let mut shown = Run {
        phase: Phase::Planned,
        plan: Some(head.clone()),
        status: Some(Status::Planned),
        tenant_calls,
        units,
        effort: ports.meter.effort(),
        problems: problems(ports, run).await?,
        ..run.clone()
    };
    render(ports, &mut shown).await?;
    ports
        .store
        .update_run(&run.connection, &run.id, |run| {
            run.report.clone_from(&shown.report);
            run.problems.clone_from(&shown.problems);
            run.tenant_calls = tenant_calls;
            run.units = units;
            run.effort = shown.effort;
            true
        })
        .await?;
    Ok(())
}

/// An observation was incomplete: nothing is decided on half a listing. A plan that was being applied waits again.
pub(crate) async fn incomplete(ports: &MatchPorts, run: &Run) -> Result<bool, MatchError> {
    let now_ms = ports.clock.now().as_millisecond();
    if run.plan.is_some() {
        // Accepted again it is another attempt, which counts by itself.
        let lies = |meta: &mut Meta| {
            if let Some(held) = meta.quarantine.as_mut().filter(|held| held.run == run.id) {
                held.run.clear();
            }
        };
        ports.store.update_meta(&run.connection, lies).await?;
        phases::enter(ports, run, Phase::Planned, |run| {
            run.accepted = None;
            run.status = Some(Status::Incomplete);
        })
        .await?;
        return Ok(false);
    }
    let (tenant_calls, units) = ports.meter.read();
    let mut shown = Run {
        phase: Phase::Closed,
        closed_ms: Some(now_ms),
        status: Some(Status::Incomplete),
        tenant_calls,
        units,
        effort: ports.meter.effort(),
        problems: problems(ports, run).await?,
        ..run.clone()
    };
    render(ports, &mut shown).await?;
    phases::enter(ports, run, Phase::Closed, |run| {
        run.status = Some(Status::Incomplete);
        run.problems.clone_from(&shown.problems);
        run.closed_ms = Some(now_ms);
        run.tenant_calls = tenant_calls;
        run.units = units;
        run.effort = shown.effort;
        run.report.clone_from(&shown.report);
    })
    .await?;
    ports.store.free_place(run).await?;
    Ok(false)
}

/// Renders page, CSV and JSON Lines. Rows pass through one by one; only the page is held in memory.
async fn render(ports: &MatchPorts, run: &mut Run) -> Result<(), MatchError> {
    let base = format!("runs/{}", run.id);
    let page = format!("{base}/report.html");
    run.report = Some(ports.blobs.location(&page));
    let broken = |error: &dyn std::fmt::Display| MatchError::Broken(format!("the report cannot be written: {error}"));
    let csv = BufWriter::new(tempfile::tempfile().map_err(|error| broken(&error))?);
    let jsonl = BufWriter::new(tempfile::tempfile().map_err(|error| broken(&error))?);
    let names = FileNames { csv: "report.csv", jsonl: "report.jsonl" };
    let snapshot = run.clone();
    let mut builder = ReportBuilder::new(&snapshot, names, csv, jsonl);
    let mut slices = Slices::of(ports, &snapshot.id).await?;
    while let Some(rows) = slices.next().await? {
        for (row, outcome) in with_outcomes(ports, &snapshot.id, &rows).await? {
            builder.row(row, outcome.as_ref()).map_err(|error| broken(&error))?;
        }
    }
    let report = builder.finish().map_err(|error| broken(&error))?;
    ports.blobs.put(&page, report.html.into_bytes()).await?;
    for (name, file) in [("report.csv", report.csv), ("report.jsonl", report.jsonl)] {
        let file = file.into_inner().map_err(|error| broken(&error))?;
        ports.blobs.put_file(&format!("{base}/{name}"), file).await?;
    }
    Ok(())
}

/// What all rows of a run come to.
async fn add_up(ports: &MatchPorts, run: &Run) -> Result<Sum, MatchError> {
    let mut sum = Sum::default();
    let mut slices = Slices::of(ports, &run.id).await?;
    while let Some(rows) = slices.next().await? {
        for (row, outcome) in with_outcomes(ports, &run.id, &rows).await? {
            sum.add(row, outcome.as_ref());
        }
    }
    Ok(sum)
}

/// A slice's rows, each with what became of its change.
async fn with_outcomes<'r>(
    ports: &MatchPorts,
    run: &str,
    rows: &'r [PlanRow],
) -> Result<Vec<(&'r PlanRow, Option<Outcome>)>, MatchError> {
    let pids: Vec<Pid> = rows.iter().map(|row| ports.store.secret().pid(&row.decision.key)).collect();
    let mut outcomes: BTreeMap<Pid, Outcome> = ports.store.outcomes_of(run, &pids).await?.into_iter().collect();
    Ok(rows.iter().zip(&pids).map(|(row, pid)| (row, outcomes.remove(pid))).collect())
}

/// Below so many failures a run is having a bad day, not a bad connection.
const FAILURES_MIN: u64 = 20;

impl Sum {
    /// Whether 40 % or more of what was tried failed.
    fn is_failing(&self) -> bool {
        let count = |kind: OutcomeKind| self.outcomes.get(kind.name()).copied().unwrap_or(0);
        let failed = count(OutcomeKind::Refused) + count(OutcomeKind::Unavailable);
        failed >= FAILURES_MIN && failed * 5 >= (failed + count(OutcomeKind::Done)) * 2
    }

    fn add(&mut self, row: &PlanRow, outcome: Option<&Outcome>) {
        let decision = &row.decision;
        let done = match (&decision.change, outcome) {
            (None, _) => true,
            (Some(_), Some(outcome)) => {
                *self.outcomes.entry(outcome.result.name().to_owned()).or_default() += 1;
                outcome.result == OutcomeKind::Done
            }
            (Some(_), None) => false,
        };
        if let (Some(change), true) = (&decision.change, done) {
            *self.changes.entry(change.action.name().to_owned()).or_default() += 1;
        }
        if Standing::of(row, outcome) == Standing::Refused {
            *self.refusals.entry(refusal(row, outcome).as_str().to_owned()).or_default() += 1;
        }
        self.attention |= !done || needs_somebody(decision);
        let joined = matches!(decision.join, Join::Joined { .. });
        let made = done && decision.change.as_deref().is_some_and(makes_link);
        self.joined += u64::from(joined || made);
        self.fresh += u64::from(made);
    }
}

/// Why somebody is refused: the tenant's word where there is one, else the first refusal of the decision.
fn refusal(row: &PlanRow, outcome: Option<&Outcome>) -> Code {
    let told = outcome.and_then(|outcome| outcome.reason.as_ref());
    let refused = row.decision.reasons.iter().filter(|reason| reason.code.weight() == Weight::Refused);
    told.into_iter().chain(refused).next().map_or(Code::TenantRefused, |reason| reason.code)
}

fn makes_link(change: &hardmatch_domain::change::Change) -> bool {
    use hardmatch_domain::change::Step;
    change.steps.iter().any(|step| matches!(step, Step::Create { .. } | Step::Link))
}

/// Whether a person must look although everything that was planned is done.
fn needs_somebody(decision: &hardmatch_domain::change::Decision) -> bool {
    decision.reasons.iter().any(|reason| match reason.code.weight() {
        Weight::Note | Weight::Reported => false,
        Weight::Refused => true,
        Weight::Held => match reason.code {
            // Time brings these back by itself.
            Code::InGrace | Code::WaitForPurge | Code::WaitsForManager | Code::WaitsForRelease => false,
            // Approved with the plan, when the change is done.
            Code::AwaitingApproval | Code::AnchorWrong | Code::Rehire | Code::MaybeShared => decision.change.is_none(),
            _ => true,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(done: u64, refused: u64) -> Sum {
        let outcomes = [("done".to_owned(), done), ("refused".to_owned(), refused)].into();
        Sum { outcomes, ..Sum::default() }
    }

    #[test]
    fn forty_percent_failing_is_a_quarantine_and_a_bad_day_is_not() {
        assert!(sum(30, 20).is_failing());
        assert!(!sum(31, 20).is_failing());
        assert!(!sum(0, 19).is_failing());
    }
}
