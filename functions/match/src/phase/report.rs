//! Ending: the report, the status, and what the connection remembers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufWriter;

use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use hardmatch_domain::ids::PersonKey;
use hardmatch_domain::reason::{Code, Weight};
use hardmatch_ports::run::{Outcome, OutcomeKind, Phase, PlanHead, PlanRow, Run, Status};
use hardmatch_report::{FileNames, ReportBuilder, RowStatus};
use hardmatch_store::PersonHash;
use hardmatch_store::connection::Meta;

use crate::acknowledged::{acknowledged, needs_somebody};
use crate::driver::Step;
use crate::plan::AHEAD;
use crate::{MatchError, MatchPorts, credential_expiry, driver, plan};

/// What a run comes to.
#[derive(Default)]
struct RunTotals {
    outcomes: BTreeMap<String, u64>,
    changes: BTreeMap<String, u64>,
    refusals: BTreeMap<String, u64>,
    attention: bool,
    /// Changes that failed for a cause that is the connection's: an answer that did not come, a permission that is missing.
    failing: u64,
    /// People whose account is there now, live and not blocked by us.
    active: u64,
    /// Of these, those who were not counted before.
    came: u64,
    /// People who were counted before and are not now.
    progress: u64,
}

/// Writes the report of a finished run and closes it.
///
/// The rows are read once, whether they are added up or shown. Half a million people are 8,192 slices, each a blob of 40 ms
/// and a call of 20 ms to the table, sixteen at a time: half a minute; and see the README for what a function works on them.
pub(crate) async fn report(ports: &MatchPorts, run: &Run) -> Result<Step, MatchError> {
    let now_ms = ports.clock.now().as_millisecond();
    let spent = ports.metrics.read(&run.id).await?;
    let rows = Rows::of_run(ports, run).await?;
    let sum = &rows.sum;
    let unread = !run.refused_entries.is_empty() || !run.left_out.is_empty() || !run.absence().is_empty();
    let attention = sum.attention || unread;
    let mut closed = Run {
        phase: Phase::Closed,
        status: Some(if attention { Status::Attention } else { Status::Converged }),
        closed_ms: Some(now_ms),
        stalled: None,
        outcomes: sum.outcomes.clone(),
        changes: sum.changes.clone(),
        refusals: sum.refusals.clone(),
        tenant_calls: spent.calls,
        units: spent.units,
        compute: spent.compute,
        problems: problems(ports, run).await?,
        ..run.clone()
    };
    let everybody = run.everybody && run.only.is_none();
    let (failing, active, came, progress) = (sum.is_failing(), sum.active, sum.came, sum.progress);
    rows.render(ports, &mut closed).await?;
    if failing {
        ports.store.quarantine(&run.connection, &run.id, FAILING, now_ms / 1000).await?;
    }
    ports
        .store
        .update_meta(&run.connection, |meta| {
            // A run that was turned away, or that failed in most of what it tried, is no success.
            let quarantined_by_this_run = meta.quarantine.as_ref().is_some_and(|quarantine| quarantine.run == run.id);
            if !failing && !quarantined_by_this_run {
                meta.quarantine = None;
                meta.last_success = Some(now_ms / 1000);
                if run.only.is_none() {
                    meta.last_run = Some(now_ms / 1000);
                }
            }
            if run.only.is_none() {
                // Timers up to the beginning of this run were taken by it.
                meta.timers_seen = Some(run.started_ms / 1000);
            }
            meta.links = if everybody { active } else { (meta.links + came).saturating_sub(progress) };
        })
        .await?;
    driver::enter(ports, run, Phase::Closed, |run| run.clone_from(&closed)).await?;
    ports.store.clear_run(&run.id).await?;
    ports.store.free_place(run).await?;
    Ok(Step::rests())
}

/// What a run has met, and that the application's proof ends soon: nobody else tells.
async fn problems(ports: &MatchPorts, run: &Run) -> Result<Vec<String>, MatchError> {
    let mut problems = run.problems.clone();
    let meta = ports.store.meta(&run.connection).await?.value;
    let warning = credential_expiry::warning(&meta, ports.clock.now_seconds());
    problems.extend(warning.filter(|warning| !problems.contains(warning)));
    Ok(problems)
}

/// Why a connection is quarantined after a run that failed in most of what it tried.
const FAILING: &str = "40 % or more of a run's changes failed for want of an answer or of a permission";

/// Writes the report of a plan that waits.
pub(crate) async fn plan_report(ports: &MatchPorts, run: &Run, head: &PlanHead) -> Result<(), MatchError> {
    let spent = ports.metrics.read(&run.id).await?;
    let mut shown = Run {
        phase: Phase::Planned,
        plan: Some(head.clone()),
        status: Some(Status::Planned),
        tenant_calls: spent.calls,
        units: spent.units,
        compute: spent.compute,
        problems: problems(ports, run).await?,
        ..run.clone()
    };
    Rows::of_plan(ports, &run.id).await?.render(ports, &mut shown).await?;
    ports
        .store
        .update_run(&run.connection, &run.id, |run| {
            run.report.clone_from(&shown.report);
            run.problems.clone_from(&shown.problems);
            run.tenant_calls = spent.calls;
            run.units = spent.units;
            run.compute = spent.compute;
            true
        })
        .await?;
    Ok(())
}

/// An observation was incomplete: nothing is decided on half a listing. A plan that was being applied waits again.
pub(crate) async fn incomplete(ports: &MatchPorts, run: &Run) -> Result<Step, MatchError> {
    let now_ms = ports.clock.now().as_millisecond();
    if run.plan.is_some() {
        // Accepted again it is another attempt, which counts by itself.
        let lies = |meta: &mut Meta| {
            if let Some(held) = meta.quarantine.as_mut().filter(|held| held.run == run.id) {
                held.run.clear();
            }
        };
        ports.store.update_meta(&run.connection, lies).await?;
        driver::enter(ports, run, Phase::Planned, |run| {
            run.accepted = None;
            run.status = Some(Status::Incomplete);
        })
        .await?;
        return Ok(Step::rests());
    }
    let spent = ports.metrics.read(&run.id).await?;
    let mut shown = Run {
        phase: Phase::Closed,
        closed_ms: Some(now_ms),
        status: Some(Status::Incomplete),
        tenant_calls: spent.calls,
        units: spent.units,
        compute: spent.compute,
        problems: problems(ports, run).await?,
        ..run.clone()
    };
    Rows::of_plan(ports, &run.id).await?.render(ports, &mut shown).await?;
    driver::enter(ports, run, Phase::Closed, |run| {
        run.status = Some(Status::Incomplete);
        run.problems.clone_from(&shown.problems);
        run.closed_ms = Some(now_ms);
        run.tenant_calls = spent.calls;
        run.units = spent.units;
        run.compute = spent.compute;
        run.report.clone_from(&shown.report);
    })
    .await?;
    ports.store.free_place(run).await?;
    Ok(Step::rests())
}

/// All rows of a plan, as they go into its report. They pass through one by one; only the page is held in memory.
struct Rows {
    report: ReportBuilder<'static, Beside, Beside>,
    sum: RunTotals,
}

/// A file beside the page.
type Beside = BufWriter<File>;

fn unwritten(error: &dyn std::fmt::Display) -> MatchError {
    MatchError::Broken(format!("the report cannot be written: {error}"))
}

impl Rows {
    /// Of a plan that nothing was written of.
    async fn of_plan(ports: &MatchPorts, run: &str) -> Result<Self, MatchError> {
        let names = plan::slices(ports, run).await?;
        let read = |name: String| async move {
            Ok((plan::read_named(ports, run, &name).await?, BTreeMap::new(), BTreeSet::new()))
        };
        Self::all(stream::iter(names).map(read).buffered(AHEAD)).await
    }

    /// Of a run, each with what became of its change.
    async fn of_run(ports: &MatchPorts, run: &Run) -> Result<Self, MatchError> {
        let names = plan::slices(ports, &run.id).await?;
        let read = |name: String| async move {
            let rows = plan::read_named(ports, &run.id, &name).await?;
            let pids: Vec<PersonHash> = plan::changes(&rows).map(|change| ports.store.pid(&change.person)).collect();
            let outcomes = ports.store.outcomes_of(run, &pids).await?.into_iter();
            let outcomes = outcomes.map(|(_, outcome)| (outcome.key.clone(), outcome)).collect();
            let known = acknowledged(ports, &run.connection, &rows, &outcomes).await?;
            Ok((rows, outcomes, known))
        };
        Self::all(stream::iter(names).map(read).buffered(AHEAD)).await
    }

    async fn all(
        slices: impl Stream<Item = Result<(Vec<PlanRow>, BTreeMap<PersonKey, Outcome>, BTreeSet<PersonKey>), MatchError>>,
    ) -> Result<Self, MatchError> {
        let beside = || tempfile::tempfile().map(BufWriter::new).map_err(|error| unwritten(&error));
        let names = FileNames { csv: "report.csv", jsonl: "report.jsonl" };
        let mut all = Self { report: ReportBuilder::new(names, beside()?, beside()?), sum: RunTotals::default() };
        let mut slices = std::pin::pin!(slices);
        while let Some((rows, outcomes, known)) = slices.try_next().await? {
            for row in &rows {
                let outcome = outcomes.get(&row.decision.key);
                all.sum.add(row, outcome, known.contains(&row.decision.key));
                all.report.row(row, outcome).map_err(|error| unwritten(&error))?;
            }
        }
        Ok(all)
    }

    /// Page, CSV and JSON Lines; the run is told where they lie.
    async fn render(self, ports: &MatchPorts, run: &mut Run) -> Result<(), MatchError> {
        let base = format!("runs/{}", run.id);
        let page = format!("{base}/report.html");
        run.report = Some(ports.blobs.location(&page));
        let report = self.report.finish(run).map_err(|error| unwritten(&error))?;
        ports.blobs.put(&page, report.html.into_bytes()).await?;
        for (name, file) in [("report.csv", report.csv), ("report.jsonl", report.jsonl)] {
            let file = file.into_inner().map_err(|error| unwritten(&error))?;
            ports.blobs.put_file(&format!("{base}/{name}"), file).await?;
        }
        Ok(())
    }
}

/// Below so many failures a run is having a bad day, not a bad connection.
const FAILURES_MIN: u64 = 20;

impl RunTotals {
    /// Whether 40 % or more of what was tried failed for a cause that is the connection's. What the tenant refuses a person
    /// (a value, a conflict, a seat) says nothing of the connection.
    fn is_failing(&self) -> bool {
        let count = |kind: OutcomeKind| self.outcomes.get(kind.name()).copied().unwrap_or(0);
        let tried = count(OutcomeKind::Refused) + count(OutcomeKind::Unavailable) + count(OutcomeKind::Done);
        self.failing >= FAILURES_MIN && self.failing * 5 >= tried * 2
    }

    /// Counts a row. Whose state an operator acknowledged needs nobody; everything else is counted as it is.
    fn add(&mut self, row: &PlanRow, outcome: Option<&Outcome>, acknowledged: bool) {
        let decision = &row.decision;
        let done = match (&decision.change, outcome) {
            (None, _) => true,
            (Some(_), Some(outcome)) => {
                *self.outcomes.entry(outcome.result.name().to_owned()).or_default() += 1;
                self.failing += u64::from(is_connections(outcome));
                outcome.result == OutcomeKind::Done
            }
            (Some(_), None) => false,
        };
        if let (Some(change), true) = (&decision.change, done) {
            *self.changes.entry(change.action.name().to_owned()).or_default() += 1;
        }
        if RowStatus::of(row, outcome) == RowStatus::Refused {
            *self.refusals.entry(refusal(row, outcome).as_str().to_owned()).or_default() += 1;
        }
        let said = outcome.is_some_and(|outcome| !outcome.said().is_empty());
        self.attention |= !acknowledged && (!done || said || needs_somebody(decision));
        // An account that was created with less than it should have is there all the same.
        let is_there = outcome.is_some_and(|outcome| outcome.account.is_some());
        let planned = decision.change.as_deref();
        let change = planned.filter(|change| done || (change.account.is_none() && is_there));
        // A link that is new was not counted; one that moves was, with the person whose it was.
        let new = change.is_some_and(|change| makes_link(change) && change.link_from.is_none());
        // Somebody deleted the account since it was counted: told once.
        let deleted = decision.reasons.iter().any(|reason| reason.code == Code::AccountDeleted);
        let before = (decision.active || deleted) && !new;
        let after = change.map_or(decision.active, |change| stays_active(change, decision.active));
        self.active += u64::from(after);
        self.came += u64::from(after && !before);
        self.progress += u64::from(before && !after);
    }
}

/// Whether a failure says something of the connection and not of the person.
fn is_connections(outcome: &Outcome) -> bool {
    let withheld = outcome.reason.as_ref().is_some_and(|reason| reason.code == Code::PermissionMissing);
    outcome.result == OutcomeKind::Unavailable || (outcome.result == OutcomeKind::Refused && withheld)
}

/// Whether an account is there, live and not blocked by us, when a change is done.
fn stays_active(change: &hardmatch_domain::change::Change, before: bool) -> bool {
    use hardmatch_domain::change::Step;
    change.steps.iter().fold(before, |active, step| match step {
        Step::Create { enabled, .. } => *enabled,
        Step::SetEnabled { after, .. } => *after,
        Step::Restore => true,
        Step::Delete { .. } => false,
        _ => active,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(done: u64, refused: u64, failing: u64) -> RunTotals {
        let outcomes = [("done".to_owned(), done), ("refused".to_owned(), refused)].into();
        RunTotals { outcomes, failing, ..RunTotals::default() }
    }

    #[test]
    fn forty_percent_failing_is_a_quarantine_and_a_bad_day_is_not() {
        assert!(sum(30, 20, 20).is_failing());
        assert!(!sum(31, 20, 20).is_failing());
        assert!(!sum(0, 19, 19).is_failing());
    }

    #[test]
    fn what_is_refused_to_people_quarantines_no_connection() {
        assert!(!sum(0, 500, 0).is_failing());
        assert!(!sum(0, 500, 19).is_failing());
        let told = |code| Outcome {
            v: 1,
            run: "r".to_owned(),
            key: "p".into(),
            change: hardmatch_domain::change::ChangeId::of(
                &hardmatch_domain::ids::PersonRef { connection: "c".into(), key: "p".into() },
                None,
                &[],
            ),
            result: OutcomeKind::Refused,
            account: None,
            reason: Some(hardmatch_domain::reason::Reason::plain(code)),
            also: Vec::new(),
            refusal: None,
            at_ms: 0,
        };
        for personal in [Code::NoSeats, Code::TenantRefused, Code::AddressInUse, Code::InvalidValue] {
            assert!(!is_connections(&told(personal)), "{personal}");
        }
        assert!(is_connections(&told(Code::PermissionMissing)));
        assert!(is_connections(&Outcome { result: OutcomeKind::Unavailable, ..told(Code::Unavailable) }));
    }
}
