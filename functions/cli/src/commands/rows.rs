//! The rows of a run: read back from where the plan lies, and printed as a table.

use std::collections::BTreeMap;

use hardmatch_domain::ids::{PersonKey, PersonRef};
use hardmatch_match::MatchPorts;
use hardmatch_ports::run::{Outcome, PlanRow, Run};
use hardmatch_report::{outcome_table, plan_table};

use crate::fail::Failure;
use crate::output;

/// Rows of a plan shown on a terminal.
const SHOWN: usize = 200;

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

/// The plan as a table.
pub(crate) async fn print_plan(ports: &MatchPorts, run: &Run) -> Result<(), Failure> {
    let rows = read(ports, run, SHOWN).await?;
    if !rows.is_empty() {
        output::line(plan_table(&rows, output::style()));
    }
    more(run, rows.len());
    Ok(())
}

/// The plan and what became of each row as a table.
pub(crate) async fn print_outcomes(ports: &MatchPorts, run: &Run) -> Result<(), Failure> {
    let rows = read(ports, run, SHOWN).await?;
    let outcomes = outcomes(ports, run, &rows).await?;
    if !rows.is_empty() {
        let pairs = rows.iter().map(|row| (row, outcomes.get(&row.decision.key)));
        output::line(outcome_table(pairs, output::style()));
    }
    more(run, rows.len());
    Ok(())
}

fn more(run: &Run, shown: usize) {
    let all = run.plan.as_ref().map_or(0, |plan| plan.people);
    if all > shown as u64
        && let Some(report) = &run.report
    {
        output::note(format!("{} more people are in {report}", all - shown as u64));
    }
}
