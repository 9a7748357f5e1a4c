//! The rows of a run: read back from where the plan lies, and printed as a table.

use std::collections::BTreeMap;

use hardmatch_domain::guard::{Kind, allowed};
use hardmatch_domain::ids::{PersonKey, PersonRef};
use hardmatch_match::MatchPorts;
use hardmatch_policy::{Config, Passwords};
use hardmatch_ports::run::{Outcome, PlanRow, Run};
use hardmatch_report::{Acknowledged, Around, Digest, Limit, RowStage, SHOWN, Style};
use hardmatch_store::connection::Meta;

use crate::args::Common;
use crate::fail::Failure;
use crate::output;

/// People of whom the acknowledgments are read together.
const TOGETHER: usize = 100;

/// The rows of a run's plan by name, at most so many.
pub(crate) async fn read(ports: &MatchPorts, run: &Run, most: usize) -> Result<Vec<PlanRow>, Failure> {
    let mut rows = Vec::new();
    let mut slices = hardmatch_match::read_plan(ports, &run.id).await?;
    while let Some((_, more)) = slices.next().await? {
        rows.extend(more);
        if rows.len() >= most {
            break;
        }
    }
    rows.truncate(most);
    rows.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(rows)
}

/// All rows of the run's plan by name, each with what an operator said of it.
pub(crate) async fn noted(ports: &MatchPorts, run: &Run) -> Result<Vec<(PlanRow, Option<Acknowledged>)>, Failure> {
    let rows = read(ports, run, usize::MAX).await?;
    let mut noted = Vec::with_capacity(rows.len());
    for rows in rows.chunks(TOGETHER) {
        let none = BTreeMap::new();
        let known = hardmatch_match::acknowledged(ports, &run.connection, rows, &none, RowStage::Planned).await?;
        noted.extend(rows.iter().map(|row| (row.clone(), known.get(&row.decision.key).cloned())));
    }
    Ok(noted)
}

/// What became of these rows in the run.
pub(crate) async fn outcomes(
    ports: &MatchPorts,
    run: &Run,
    rows: &[PlanRow],
) -> Result<BTreeMap<PersonKey, Outcome>, Failure> {
    let mut found = BTreeMap::new();
    for row in rows {
        let who = PersonRef { connection: run.connection.clone(), key: row.decision.key.clone() };
        let pid = ports.store.pid(&who);
        for (_, outcome) in ports.store.outcomes_of(run, &[pid]).await? {
            found.insert(row.decision.key.clone(), outcome);
        }
    }
    Ok(found)
}

/// How much of a plan is printed, and what is said around it.
pub(crate) struct Printed {
    /// Everybody, however many.
    pub(crate) all: bool,
    pub(crate) around: Around,
}

impl Printed {
    /// By what the connection's configuration says.
    pub(crate) fn of(config: &Config, meta: &Meta, common: &Common, all: bool, now: i64) -> Self {
        let limit = |kind: Kind| {
            let allowed = allowed(kind, meta.history.links, config.guard);
            (kind, Limit { allowed, before: meta.guard.spent_since("", kind, now) })
        };
        // Before the first plan was applied everything that it shows waits for it, and nothing else is counted.
        let first = meta.history.first_accepted.is_none();
        let counted = Kind::ALL.iter().filter(|kind| **kind == Kind::Removals || !first);
        let around = Around {
            limits: counted.map(|kind| limit(*kind)).collect(),
            passwords_discarded: matches!(config.passwords, Passwords::Discard),
            options: common.options(),
        };
        Self { all, around }
    }
}

/// The plan: summary, then people by what is done.
pub(crate) async fn print_plan(ports: &MatchPorts, run: &Run, printed: &Printed) -> Result<(), Failure> {
    print(ports, run, printed, false).await
}

/// The plan and what became of each row.
pub(crate) async fn print_outcomes(ports: &MatchPorts, run: &Run, printed: &Printed) -> Result<(), Failure> {
    print(ports, run, printed, true).await
}

async fn print(ports: &MatchPorts, run: &Run, printed: &Printed, done: bool) -> Result<(), Failure> {
    let style = output::style();
    // In a pipe nothing is cut: somebody saves it, or looks for a name in it.
    let limit = (!printed.all && style != Style::Piped).then_some(SHOWN);
    let stage = if done { RowStage::Written } else { RowStage::Planned };
    let digest = Digest::new(limit);
    let mut digest = if done { digest.written() } else { digest };
    let mut slices = hardmatch_match::read_plan(ports, &run.id).await?;
    while let Some((_, mut rows)) = slices.next().await? {
        rows.sort_by(|one, other| one.name.cmp(&other.name));
        let outcomes = if done { outcomes(ports, run, &rows).await? } else { BTreeMap::new() };
        digest.acknowledge(hardmatch_match::acknowledged(ports, &run.connection, &rows, &outcomes, stage).await?);
        for row in &rows {
            digest.add(row, outcomes.get(&row.decision.key));
        }
    }
    output::table(digest.text(run, &printed.around, style, done));
    Ok(())
}
