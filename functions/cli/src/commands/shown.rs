//! A plan or a run at its end, shown: as text or as a document, and the exit status that comes of it.

use std::fmt::Write as _;

use hardmatch_match::MatchPorts;
use hardmatch_ports::run::{Run, Status};
use hardmatch_report::{closing_lines, plan_document, run_document};
use serde_json::{Value, json};

use crate::args::Common;
use crate::commands::place::place;
use crate::commands::rows;
use crate::commands::rows::Printed;
use crate::fail::{Exit, Failure};
use crate::output;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    Shown,
    Left,
}

/// What the exit status of `plan` says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitBy {
    /// 3 when people need attention.
    People,
    /// 4 when there are changes.
    Changes,
}

/// What is wanted of a plan beside its text.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) rows: Rows,
    pub(crate) exit: ExitBy,
}

pub(crate) async fn show_plan(
    deciding: &MatchPorts,
    run: &Run,
    common: &Common,
    printed: &Printed,
    wanted: Wanted,
) -> Result<Exit, Failure> {
    if run.status == Some(Status::Incomplete) {
        return show_incomplete(run, common);
    }
    if common.json {
        let listed = match wanted.rows {
            Rows::Shown => Some(rows::noted(deciding, run).await?),
            Rows::Left => None,
        };
        output::document(&with_report(plan_document(run, listed.as_deref()), run));
    } else {
        rows::print_plan(deciding, run, printed).await?;
        close(run);
        if let Some(plan) = run.plan.as_ref().filter(|plan| plan.changed_slices > 0) {
            output::line(format!("\nApply it with: hardmatch apply {}{}", plan.short(), common.options()));
        }
    }
    if wanted.exit == ExitBy::Changes && run.plan.as_ref().is_some_and(|plan| plan.changed_slices > 0) {
        return Ok(Exit::Changes);
    }
    Ok(exit_of_plan(run))
}

/// The run stopped at its plan: shown, and how to go on.
pub(crate) async fn show_stop(
    deciding: &MatchPorts,
    run: &Run,
    common: &Common,
    printed: &Printed,
) -> Result<Exit, Failure> {
    if common.json {
        output::document(&with_report(run_document(run), run));
    } else {
        rows::print_plan(deciding, run, printed).await?;
        close(run);
        if let Some(plan) = run.plan.as_ref().filter(|plan| plan.changed_slices > 0) {
            output::line(format!(
                "\nNothing is written yet. Apply this plan with: hardmatch apply {}{}",
                plan.short(),
                common.options()
            ));
        }
    }
    Ok(Exit::Attention)
}

pub(crate) async fn show_run(
    deciding: &MatchPorts,
    run: &Run,
    common: &Common,
    printed: &Printed,
) -> Result<Exit, Failure> {
    if run.status == Some(Status::Incomplete) {
        return show_incomplete(run, common);
    }
    if common.json {
        output::document(&run_document(run));
    } else {
        rows::print_outcomes(deciding, run, printed).await?;
        close(run);
    }
    Ok(if run.status == Some(Status::Converged) { Exit::Converged } else { Exit::Attention })
}

/// What is said below the people.
fn close(run: &Run) {
    let lines = closing_lines(run);
    if !lines.is_empty() {
        output::line("");
    }
    for line in lines {
        // A path is one piece, to be opened.
        if line.starts_with("Report: ") {
            output::line(hardmatch_report::visible(&line));
        } else {
            output::prose(hardmatch_report::visible(&line));
        }
    }
}

fn show_incomplete(run: &Run, common: &Common) -> Result<Exit, Failure> {
    if common.json {
        output::document(&run_document(run));
    }
    Err(Failure::run(incomplete(run)))
}

/// The run, or an error where it could not read everything: such a run has decided nobody.
pub(crate) fn read_whole(run: Run) -> Result<Run, Failure> {
    if run.status == Some(Status::Incomplete) { Err(Failure::run(incomplete(&run))) } else { Ok(run) }
}

/// Why nobody was decided.
pub(crate) fn incomplete(run: &Run) -> String {
    let mut text = "nobody was decided and nothing was written, because not everything could be read:".to_owned();
    for (name, collection) in &run.collections {
        for doubt in &collection.doubts {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n  {name}: {doubt}");
        }
    }
    for refused in run.refused_entries.iter().filter(|refused| refused.key.is_none()).take(20) {
        let _ = write!(text, "\n  {}", place(refused));
    }
    text
}

fn with_report(mut document: Value, run: &Run) -> Value {
    if let Some(fields) = document.as_object_mut() {
        fields.insert("report".to_owned(), json!(run.report));
    }
    document
}

/// A plan asks for attention when somebody needs it once the plan is applied, not because it has something to do.
fn exit_of_plan(run: &Run) -> Exit {
    if run.needs_attention() { Exit::Attention } else { Exit::Converged }
}
