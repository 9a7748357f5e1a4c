//! The rows of a plan or run, read once for the totals and the report.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;

use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::run::{Outcome, PlanRow, Run};
use hardmatch_report::{Acknowledged, FileNames, ReportBuilder, RowNotes, RowStage, Surroundings};
use hardmatch_store::{PersonHash, folders};

use super::attention::Attention;
use super::totals::RunTotals;
use crate::acknowledged::acknowledged;
use crate::error::MatchError;
use crate::plan::{self, AHEAD};
use crate::ports::MatchPorts;

/// All rows of a plan, added up and on their way into the report. They pass through one by one; only the page is held in
/// memory.
pub(super) struct Rows {
    report: ReportBuilder<'static, Beside, Beside>,
    pub(super) totals: RunTotals,
    /// Who needs attention or an approval now, and who did when the last run ended.
    attention: Attention,
    last: Option<Attention>,
}

/// A file beside the page.
type Beside = BufWriter<File>;

/// Rows of a slice, what became of their changes, and the people whose state an operator acknowledged.
type SliceRows = (Vec<PlanRow>, BTreeMap<PersonKey, Outcome>, BTreeMap<PersonKey, Acknowledged>);

fn unwritten(error: &dyn std::fmt::Display) -> MatchError {
    MatchError::Broken(format!("the report cannot be written: {error}"))
}

impl Rows {
    /// The rows of a plan of which nothing was written.
    pub(super) async fn of_plan(ports: &MatchPorts, run: &Run) -> Result<Self, MatchError> {
        let names = plan::slice_names(ports, &run.id).await?;
        let read = |name: String| async move {
            let rows = plan::read_named(ports, &run.id, &name).await?;
            let known = acknowledged(ports, &run.connection, &rows, &BTreeMap::new(), RowStage::Planned).await?;
            Ok((rows, BTreeMap::new(), known))
        };
        let last = Attention::load(ports, &run.connection).await?;
        Self::all(RowStage::Planned, last, stream::iter(names).map(read).buffered(AHEAD)).await
    }

    /// The rows of a run, each with what became of its change.
    pub(super) async fn of_run(ports: &MatchPorts, run: &Run) -> Result<Self, MatchError> {
        let names = plan::slice_names(ports, &run.id).await?;
        let read = |name: String| async move {
            let rows = plan::read_named(ports, &run.id, &name).await?;
            let pids: Vec<PersonHash> = plan::changes(&rows).map(|change| ports.store.pid(&change.person)).collect();
            let outcomes = ports.store.outcomes_of(run, &pids).await?.into_iter();
            let outcomes = outcomes.map(|(_, outcome)| (outcome.key.clone(), outcome)).collect();
            let known = acknowledged(ports, &run.connection, &rows, &outcomes, RowStage::Written).await?;
            Ok((rows, outcomes, known))
        };
        let last = Attention::load(ports, &run.connection).await?;
        Self::all(RowStage::Written, last, stream::iter(names).map(read).buffered(AHEAD)).await
    }

    async fn all(
        stage: RowStage,
        last: Option<Attention>,
        slices: impl Stream<Item = Result<SliceRows, MatchError>>,
    ) -> Result<Self, MatchError> {
        let beside = || tempfile::tempfile().map(BufWriter::new).map_err(|error| unwritten(&error));
        let names = FileNames { csv: "report.csv", jsonl: "report.jsonl" };
        let mut all = Self {
            report: ReportBuilder::new(names, beside()?, beside()?),
            totals: RunTotals::default(),
            attention: Attention::default(),
            last,
        };
        let mut slices = std::pin::pin!(slices);
        while let Some((rows, outcomes, acknowledged)) = slices.try_next().await? {
            for row in &rows {
                let outcome = outcomes.get(&row.decision.key);
                let acknowledged = acknowledged.get(&row.decision.key);
                let notes =
                    RowNotes { acknowledged, new: all.last.as_ref().is_some_and(|last| last.is_new(row, outcome)) };
                all.attention.note(row, outcome);
                all.totals.add(row, outcome, stage, acknowledged.is_some());
                all.report.row(row, outcome, notes).map_err(|error| unwritten(&error))?;
            }
        }
        Ok(all)
    }

    /// Stores page, CSV and JSON Lines of a run that has ended, and who needs attention for the next one.
    pub(super) async fn close(mut self, ports: &MatchPorts, run: &mut Run) -> Result<(), MatchError> {
        let (attention, last) = (std::mem::take(&mut self.attention), self.last.take());
        self.render(ports, run).await?;
        attention.keep(ports, run, last.as_ref()).await
    }

    /// Stores page, CSV and JSON Lines, and enters into the run where they lie.
    pub(super) async fn render(self, ports: &MatchPorts, run: &mut Run) -> Result<(), MatchError> {
        (run.attention, run.acknowledged) = (self.totals.attention, self.totals.acknowledged);
        run.lists = self.report.tally().lists();
        let policy = ports.store.policy(&run.connection, run.policy_revision).await?;
        if let (Some(before), Some(new)) = (run.policy_before, &policy) {
            let old = ports.store.policy(&run.connection, before).await?;
            run.policy_changes = old.map(|old| ports.policies.changes(&old, new)).unwrap_or_default();
            if !run.policy_changes.is_empty() {
                let (all, concerned) = (self.totals.people, self.totals.concerned);
                run.policy_changes.push(format!(
                    "Everybody was decided again under it: of {all} people it leaves {} as they are, and for {concerned} something is done or somebody must look.",
                    all - concerned
                ));
            }
        }
        let portal = policy.and_then(|text| ports.policies.portal(&text));
        let base = folders::of_run(&run.id);
        let page = format!("{base}report.html");
        run.report = Some(ports.blobs.location(&page));
        let report = self.report.finish(run, &Surroundings { portal }).map_err(|error| unwritten(&error))?;
        ports.blobs.put(&page, report.html.into_bytes()).await?;
        for (name, file) in [("report.csv", report.csv), ("report.jsonl", report.jsonl)] {
            let file = file.into_inner().map_err(|error| unwritten(&error))?;
            ports.blobs.put_file(&format!("{base}{name}"), file).await?;
        }
        Ok(())
    }
}
