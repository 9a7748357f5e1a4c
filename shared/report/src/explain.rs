//! One person or one run in plain sentences, for terminals.

use hardmatch_ports::run::{CollectionState, PlanRow, Run, SourceWrite, SourceWriteResult, SourceWrites, Stop};

use crate::bill::{Bill, Forecast};
use crate::lines::Lines;
use crate::past::Past;
use crate::row::{account, reasons};
use crate::tables::person;
use crate::visible::visible;
use crate::words;

/// A run in a few lines: how it ended, its numbers, what needs somebody, and where to go on.
pub fn summary_lines(run: &Run) -> Vec<String> {
    let mut lines = vec![format!("{}, run {}: {}", run.connection, run.id, words::status(run))];
    if let Some(plan) = &run.plan {
        lines.push(format!("Plan: {}{}.", words::people(plan.people), counted(": ", &plan.by_action)));
    }
    if !run.outcomes.is_empty() {
        lines.push(format!("Outcomes{}.", counted(": ", &run.outcomes)));
    }
    match run.refused_entries.len() {
        0 => {}
        1 => lines.push("1 entry of the source was refused.".to_owned()),
        refused => lines.push(format!("{refused} entries of the source were refused.")),
    }
    lines.extend(closing_lines(run));
    if let Some(plan) = run.plan.as_ref().filter(|_| run.stop.is_some() && run.accepted.is_none())
        && plan.changed_slices > 0
    {
        lines.push(format!("To accept exactly this plan: hardmatch apply {}", plan.hash));
    }
    lines.iter().map(|line| visible(line).into_owned()).collect()
}

/// What is to be said of a run below its people: seats, limits, what could not be read, and where to go on. What it costs
/// is said of runs on AWS alone.
pub fn closing_lines(run: &Run) -> Vec<String> {
    let mut lines = Vec::new();
    let seats = run.plan.iter().flat_map(|plan| &plan.seats);
    lines.extend(seats.filter(|seats| seats.short() > 0).map(|seats| format!("Seats: {}", words::seats(seats))));
    if let Some(guard) = run.guard.as_ref().filter(|guard| guard.removals > 0) {
        lines.push(format!("Guard: {}", guard.sentence));
    }
    lines.extend(run.limits.iter().map(|limit| format!("Guard: {}", words::limit(limit))));
    lines.extend(source_lines(run));
    for (name, collection) in &run.collections {
        match collection.state {
            CollectionState::Complete => {
                if let Some(mode) = collection.read {
                    let seen = words::number(collection.seen);
                    lines.push(format!("{}: {} ({seen} seen).", words::collection(name), words::read_mode(mode)));
                }
            }
            CollectionState::Reading | CollectionState::Unknown => {
                let doubts = if collection.doubts.is_empty() { String::new() } else { collection.doubts.join("; ") };
                let state = words::collection_state(collection.state);
                lines.push(format!("{}: {state}. {doubts}", words::collection(name)).trim_end().to_owned());
            }
        }
    }
    for (name, collection) in &run.collections {
        if !collection.absence.is_empty() {
            let name = words::collection(name);
            lines.push(format!("{name}: nobody was taken for absent. {}", collection.absence.join("; ")));
        }
        lines.extend(collection.notes.iter().map(|note| format!("{}: {note}.", words::collection(name))));
    }
    if let Some(first) = run.left_out.first() {
        let values = match run.left_out.len() {
            1 => "1 value of the source could not be read and was left out".to_owned(),
            values => format!("{values} values of the source could not be read and were left out, the first"),
        };
        let column = first.column.as_deref().map(|column| format!(", {column}")).unwrap_or_default();
        let (problem, cure) = (first.problem.trim_end_matches('.'), first.cure.trim_end_matches('.'));
        lines.push(format!("{values} in line {}{column}: {problem}. {cure}.", first.line));
    }
    if !run.policy_changes.is_empty() {
        lines.push(format!("The configuration changed since the last run. {}", run.policy_changes.join("; ")));
    }
    lines.extend(run.problems.iter().map(|problem| format!("Problem: {problem}")));
    // Who asked for a plan knows that nothing was written.
    if let Some(stop) = run.stop.filter(|stop| run.accepted.is_none() && *stop != Stop::Asked) {
        lines.push(words::stop(stop).to_owned());
    }
    if let Some(forecast) = Forecast::of_waiting(run) {
        lines.push(forecast.sentence(run));
    }
    if run.compute.is_some() && run.closed_ms.is_some() {
        lines.push(Bill::of(run).sentence());
    }
    if let Some(report) = &run.report {
        lines.push(format!("Report: {report}"));
    }
    lines.iter().map(|line| visible(line).into_owned()).collect()
}

/// What the source is to be given, or what became of it.
fn source_lines(run: &Run) -> Vec<String> {
    let Some(note) = &run.write_back else {
        let planned = run.plan.iter().flat_map(|plan| &plan.write_back);
        let of = |(attribute, count): (&String, &u64)| format!("{attribute} of {}", words::people(*count));
        let planned: Vec<String> = planned.map(of).collect();
        let given =
            format!("The source lacks values and is given them when the plan is applied: {}.", planned.join(", "));
        return if planned.is_empty() { Vec::new() } else { vec![given] };
    };
    let mut parts = vec![format!("{} written", words::number(note.written))];
    let more = [(note.already_there, "there already"), (note.kept, "kept as they are"), (note.refused, "refused")];
    parts.extend(
        more.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{} {what}", words::number(*count))),
    );
    let mut lines = vec![format!("Values for the source: {}.", parts.join(", "))];
    lines.extend(note.why.iter().map(|why| format!("The source refused: {}.", why.trim_end_matches('.'))));
    lines
}

fn counted(before: &str, counts: &std::collections::BTreeMap<String, u64>) -> String {
    let parts: Vec<String> =
        counts.iter().map(|(name, count)| format!("{} {}", words::number(*count), words::counted(name))).collect();
    if parts.is_empty() { String::new() } else { format!("{before}{}", parts.join(", ")) }
}

/// Everything that is known of one person's decision: what each rule found, what would be written, why, and what
/// became of earlier changes (newest first, as given).
pub fn explain_text(row: &PlanRow, history: &[Past]) -> String {
    let decision = &row.decision;
    let mut text = Lines::default();
    text.line(0, person(row));
    if !row.upn.is_empty() && person(row) != &*row.upn {
        text.line(0, &row.upn);
    }
    text.line(0, &format!("Key: {}", decision.key.as_str()));
    let account = account(row, None).map(|account| format!(", account {account}")).unwrap_or_default();
    text.line(0, &format!("Join: {}{account}", words::join(&decision.join)));
    text.line(0, &format!("Action: {}", words::action(decision.action)));

    text.heading("Why");
    for reason in reasons(row, None) {
        text.line(1, &format!("{}: {}", reason.code, reason.code.sentence()));
        text.detail(2, reason.detail.as_deref());
        if !reason.code.remedy().is_empty() {
            text.line(2, &format!("What to do: {}", reason.code.remedy()));
        }
        text.line(2, &format!("More: hardmatch explain --reason {}", reason.code));
    }

    text.heading("What the rules found");
    for evidence in &decision.evidence {
        text.evidence(1, evidence);
    }
    if decision.evidence.is_empty() {
        text.line(1, "No rule looked.");
    }

    text.heading("What changes");
    match &decision.change {
        None => text.line(1, "Nothing."),
        Some(change) => {
            text.steps(1, &change.steps);
            if let Some(hold) = &change.hold {
                text.line(1, words::hold(hold));
            }
            if !change.after.is_empty() {
                text.line(1, &format!("Waits for the changes of {}.", words::people(change.after.len() as u64)));
            }
            text.line(1, &format!("Change: {}", change.id.as_str()));
        }
    }
    for planned in &decision.write_back {
        let values = if planned.values.is_empty() { "as it will be".to_owned() } else { planned.values.join(", ") };
        text.line(1, &format!("The source's {}: nothing → {} ({values})", planned.attribute, planned.from.name()));
    }
    if let Some(again) = decision.look_again_at {
        text.line(1, &format!("Decided again at {}.", words::moment(again.saturating_mul(1000))));
    }

    if !history.is_empty() {
        text.heading("Before");
        for past in history {
            past.tell(&mut text);
        }
    }
    text.0
}

/// What the source was given of a person, newest first, in words for terminals; empty where it was given nothing.
pub fn source_writes_text(all: &[SourceWrites]) -> String {
    let mut text = Lines::default();
    if all.is_empty() {
        return text.0;
    }
    text.heading("What the source was given");
    for writes in all {
        text.line(1, &format!("{}: run {}", words::moment(writes.at_ms), writes.run));
        text.line(2, &format!("From account {}, joined by {}", writes.account, words::join_rule(writes.joined_by)));
        for SourceWrite { value, result, problem } in &writes.values {
            let became = match result {
                Some(SourceWriteResult::Written) => "written",
                Some(SourceWriteResult::AlreadyThere) => "was there already",
                Some(SourceWriteResult::Kept) => "not written: it has another value, which stays",
                Some(SourceWriteResult::Refused) => "refused",
                None => "sent, and the answer was lost: the next reading shows it",
            };
            let values = value.values.join(", ");
            text.line(2, &format!("{}: nothing → {} ({values}): {became}", value.attribute, value.from.name()));
            text.detail(3, problem.as_deref());
        }
    }
    text.0
}
