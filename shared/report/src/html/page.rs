//! What the page shows, from a builder that has seen all its rows. Only texts and numbers; the template has the shape.

use std::io::Write;

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hardmatch_domain::change::Action;
use hardmatch_domain::reason::Code;
use hardmatch_ports::run::{CollectionState, Run, Seats};
use sha2::{Digest, Sha256};

use super::{ReportBuilder, Section};
use crate::bill::{Bill, Forecast};
use crate::pages::{markup, page};
use crate::row_status::{RowStatus, Tally};
use crate::visible::visible;
use crate::words;

const STYLE: &str = include_str!("../../templates/report.css");
const SCRIPT: &str = include_str!("../../templates/report.js");

#[derive(Template)]
#[template(path = "report.html")]
pub(super) struct PageView<'a> {
    style: &'static str,
    script: &'static str,
    style_hash: String,
    script_hash: String,
    connection: String,
    id: &'a str,
    status: &'static str,
    status_word: &'static str,
    facts: Vec<Pair>,
    tiles: Vec<Tile>,
    stop: &'static str,
    plan: String,
    waiting: String,
    disagreement: String,
    guard: Option<GuardView>,
    seats: Option<SeatsView>,
    problems: Vec<String>,
    charts: Vec<Bars>,
    collections: Vec<CollectionView>,
    refused_entries: Vec<EntryView>,
    numbers: Vec<Pair>,
    forecast: String,
    bill: String,
    costs: Vec<Pair>,
    sections: Vec<SectionView<'a>>,
    filter_actions: Vec<(&'static str, &'static str)>,
    filter_outcomes: Vec<(&'static str, &'static str)>,
    filter_reasons: Vec<&'static str>,
    reasons: Vec<ReasonView>,
    csv: String,
    jsonl: String,
}

struct Pair {
    name: &'static str,
    value: String,
}

struct Tile {
    label: &'static str,
    value: String,
    note: &'static str,
    class: &'static str,
}

struct GuardView {
    released: bool,
    sentence: String,
    numbers: String,
}

/// Seats of licences that the plan takes.
struct SeatsView {
    /// What is lacking; empty when nothing is.
    short: String,
    /// What is enough, in one line.
    enough: String,
    rows: Vec<SeatsRow>,
}

struct SeatsRow {
    part_number: String,
    needed: String,
    free: String,
    short: String,
}

/// A chart and the table that repeats it.
struct Bars {
    heading: &'static str,
    column: &'static str,
    label: String,
    rows: Vec<Bar>,
}

struct Bar {
    name: &'static str,
    label: &'static str,
    count: u64,
    shown: String,
    share: String,
    /// Thousandths of the longest bar, at least one when there is anything.
    length: u64,
    /// Where the bar begins in the chart of shares, in thousandths of all.
    start: u64,
    /// How much of that chart it takes.
    width: u64,
}

struct CollectionView {
    name: String,
    state: &'static str,
    class: &'static str,
    seen: String,
    changed: String,
    doubts: Vec<String>,
}

struct EntryView {
    line: u64,
    key: String,
    column: String,
    problem: String,
    cure: String,
}

struct SectionView<'a> {
    id: &'static str,
    title: &'static str,
    lead: &'static str,
    tables: &'a [String],
    shown: String,
    total: String,
    cut: bool,
}

struct ReasonView {
    code: &'static str,
    title: &'static str,
    given: String,
    parts: Vec<(&'static str, String)>,
}

impl<'a> PageView<'a> {
    pub(super) fn of<C: Write, J: Write>(builder: &'a ReportBuilder<'_, C, J>, run: &'a Run) -> Self {
        let tally = &builder.tally;
        let bill = Bill::of(run);
        Self {
            style: STYLE,
            script: SCRIPT,
            style_hash: hash(STYLE),
            script_hash: hash(SCRIPT),
            connection: visible(run.connection.as_str()).into_owned(),
            id: &run.id,
            status: words::status(run),
            status_word: words::status_word(run),
            facts: facts(run),
            tiles: tiles(tally),
            stop: run.stop.filter(|_| run.accepted.is_none()).map_or("", words::stop),
            plan: run.plan.as_ref().map(|plan| plan.hash.clone()).unwrap_or_default(),
            waiting: waiting(run, tally),
            disagreement: disagreement(run, tally),
            guard: run.guard.as_ref().map(|guard| GuardView {
                released: guard.released,
                sentence: visible(&guard.sentence).into_owned(),
                numbers: format!(
                    "{} removals in this run, {} let through in the 24 hours before, {} links at the start of that time.",
                    words::number(guard.removals),
                    words::number(guard.before),
                    words::number(guard.links)
                ),
            }),
            seats: run.plan.as_ref().and_then(|plan| SeatsView::of(&plan.seats)),
            problems: run.problems.iter().map(|problem| visible(problem).into_owned()).collect(),
            charts: charts(tally),
            collections: collections(run),
            refused_entries: refused_entries(run),
            numbers: numbers(run),
            forecast: Forecast::of_waiting(run).map(|forecast| forecast.sentence()).unwrap_or_default(),
            bill: bill.sentence(),
            costs: bill.items().map(|(name, value)| Pair { name, value }).collect(),
            sections: sections(builder),
            filter_actions: tally.by_action.keys().map(|&action| (action.name(), words::action(action))).collect(),
            filter_outcomes: RowStatus::ALL
                .iter()
                .filter(|&&at| tally.standing(at) > 0)
                .map(|at| (at.name(), at.words()))
                .collect(),
            filter_reasons: builder.used.iter().map(|code| code.as_str()).collect(),
            reasons: builder.used.iter().map(|&code| ReasonView::of(code, tally)).collect(),
            csv: builder.names.csv.to_owned(),
            jsonl: builder.names.jsonl.to_owned(),
        }
    }
}

impl SeatsView {
    /// `None` when the plan gives no licence.
    fn of(all: &[Seats]) -> Option<Self> {
        let (short, enough): (Vec<&Seats>, Vec<&Seats>) = all.iter().partition(|seats| seats.short() > 0);
        let missing: u64 = short.iter().map(|seats| seats.short()).sum();
        let sentence = |seats: &&Seats| visible(&words::seats(seats)).into_owned();
        let rows = all.iter().map(|seats| SeatsRow {
            part_number: visible(&seats.part_number).into_owned(),
            needed: words::number(seats.needed),
            free: words::number(seats.free),
            short: words::number(seats.short()),
        });
        (!all.is_empty()).then(|| Self {
            short: match missing {
                0 => String::new(),
                1 => "This plan gives one licence more than there are free seats.".to_owned(),
                many => format!("This plan gives {} licences more than there are free seats.", words::number(many)),
            },
            enough: enough.iter().map(sentence).collect::<Vec<_>>().join(" "),
            rows: if short.is_empty() { Vec::new() } else { rows.collect() },
        })
    }
}

/// A hash source of a content security policy. <https://www.w3.org/TR/CSP3/#grammardef-hash-source>
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

fn facts(run: &Run) -> Vec<Pair> {
    let mut facts = vec![
        Pair { name: "Run", value: run.id.clone() },
        Pair { name: "Started", value: words::moment(run.started_ms) },
        Pair { name: "Took", value: words::run_ms(run).map_or_else(|| "not closed yet".to_owned(), words::duration) },
        Pair { name: "Kind", value: words::intent(run.intent).to_owned() },
        Pair { name: "Policy", value: format!("revision {}", run.policy_revision) },
    ];
    if let Some(accepted) = &run.accepted {
        let how = if accepted.by_hash { "by the plan's hash" } else { "the stop only" };
        let by = visible(&accepted.by);
        facts.push(Pair { name: "Accepted", value: format!("{}, {how}, by {by}", words::moment(accepted.at_ms)) });
    }
    if run.only.is_some() {
        facts.push(Pair { name: "Only", value: "one person".to_owned() });
    }
    facts
}

fn tiles(tally: &Tally) -> Vec<Tile> {
    let changes = tally.standing(RowStatus::Done) + tally.standing(RowStatus::Planned);
    let waiting = tally.standing(RowStatus::Held)
        + tally.standing(RowStatus::FactsMoved)
        + tally.standing(RowStatus::Unavailable);
    let tile = |label, count, note, class| Tile { label, value: words::number(count), note, class };
    vec![
        tile("People", tally.people, "looked at", "plain"),
        tile("Changes", changes, "written or planned", "good"),
        tile("Removals", tally.removals, "take something away", "wait"),
        tile("Refused", tally.standing(RowStatus::Refused), "somebody must look", "bad"),
        tile("Waiting", waiting, "held or to be tried again", "wait"),
        tile("Unchanged", tally.standing(RowStatus::Unchanged), "nothing to do", "plain"),
    ]
}

/// Who waits for an approval of what a run held; empty while its plan is still to be accepted as a whole.
fn waiting(run: &Run, tally: &Tally) -> String {
    match (run.closed_ms, tally.waiting) {
        (None, _) | (Some(_), 0) => String::new(),
        (Some(_), 1) => "1 person waits for an approval.".to_owned(),
        (Some(_), many) => format!("{} wait for an approval.", words::people(many)),
    }
}

/// A plan that does not add up to its rows must not look as if it did.
fn disagreement(run: &Run, tally: &Tally) -> String {
    match &run.plan {
        Some(plan) if plan.people != tally.people => format!(
            "The plan is about {} and this report has rows of {}. Do not rely on it.",
            words::people(plan.people),
            words::people(tally.people)
        ),
        Some(_) | None => String::new(),
    }
}

fn charts(tally: &Tally) -> Vec<Bars> {
    let outcomes = RowStatus::ALL.iter().map(|&at| (at.name(), at.words(), tally.standing(at)));
    let actions = tally
        .by_action
        .iter()
        .filter(|(action, _)| **action != Action::None)
        .map(|(&action, &count)| (action.name(), words::action(action), count));
    vec![Bars::of("By outcome", "Outcome", outcomes), Bars::of("By action", "Action", actions)]
}

fn collections(run: &Run) -> Vec<CollectionView> {
    run.collections
        .iter()
        .map(|(name, collection)| CollectionView {
            name: visible(words::collection(name)).into_owned(),
            state: words::collection_state(collection.state),
            class: match collection.state {
                CollectionState::Reading => "reading",
                CollectionState::Complete => "complete",
                CollectionState::Unknown => "unknown",
            },
            seen: words::number(collection.seen),
            changed: words::number(collection.changed),
            doubts: collection
                .doubts
                .iter()
                .chain(&collection.absence)
                .chain(&collection.notes)
                .map(|doubt| visible(doubt).into_owned())
                .collect(),
        })
        .collect()
}

fn refused_entries(run: &Run) -> Vec<EntryView> {
    let left_out = run.left_out.iter().map(|entry| (entry, "Left out: "));
    run.refused_entries
        .iter()
        .map(|entry| (entry, ""))
        .chain(left_out)
        .map(|(entry, how)| EntryView {
            line: entry.line,
            key: entry.key.as_ref().map(|key| visible(key.as_str()).into_owned()).unwrap_or_default(),
            column: entry.column.as_deref().map(|column| visible(column).into_owned()).unwrap_or_default(),
            problem: format!("{how}{}", visible(&entry.problem)),
            cure: visible(&entry.cure).into_owned(),
        })
        .collect()
}

fn numbers(run: &Run) -> Vec<Pair> {
    let pair = |name, value| Pair { name, value: words::number(value) };
    let mut numbers = vec![
        pair("Requests to the tenant", run.tenant_calls.requests),
        pair("Writes", run.tenant_calls.writes),
        pair("Throttled", run.tenant_calls.throttles),
        pair("Batches", run.tenant_calls.batches),
        pair("Read units of the table", run.units.read),
        pair("Write units of the table", run.units.write),
    ];
    if let Some(compute) = run.compute {
        let worked = words::duration(i64::try_from(compute.worked_ms).unwrap_or(i64::MAX));
        numbers.extend([pair("Messages", compute.messages), Pair { name: "Functions worked", value: worked }]);
    }
    numbers
}

fn sections<'a, C: Write, J: Write>(builder: &'a ReportBuilder<'_, C, J>) -> Vec<SectionView<'a>> {
    let section = |id, title, lead, section: &'a Section| SectionView {
        id,
        title,
        lead,
        tables: &section.tables,
        shown: words::number(section.shown as u64),
        total: words::number(section.total),
        cut: section.total > section.shown as u64,
    };
    vec![
        section("refused", "Refused", "Nothing is written for these people until somebody looks.", &builder.refused),
        section(
            "removals",
            "Removals",
            "These changes take something away: an account, the right to sign in, a value.",
            &builder.removals,
        ),
        section(
            "people",
            "Everybody else",
            "People who are created, joined, updated, wait, or need nothing.",
            &builder.others,
        ),
    ]
}

impl Bars {
    fn of(
        heading: &'static str,
        column: &'static str,
        counts: impl Iterator<Item = (&'static str, &'static str, u64)>,
    ) -> Self {
        let counts: Vec<_> = counts.filter(|(.., count)| *count > 0).collect();
        let total: u64 = counts.iter().map(|(.., count)| count).sum();
        let most = counts.iter().map(|(.., count)| *count).max().unwrap_or(1);
        let mut before = 0;
        let rows: Vec<Bar> = counts
            .into_iter()
            .map(|(name, label, count)| {
                let start = before * 1000 / total;
                before += count;
                Bar {
                    name,
                    label,
                    count,
                    shown: words::number(count),
                    share: share(count, total),
                    length: (count * 1000 / most).max(1),
                    start,
                    width: before * 1000 / total - start,
                }
            })
            .collect();
        let parts: Vec<String> = rows.iter().map(|row| format!("{} {}", row.shown, row.label)).collect();
        Self { heading, column, label: format!("People {}: {}", heading.to_lowercase(), parts.join(", ")), rows }
    }
}

/// Percent with one decimal where it says something: `12.5 %`, `50 %`, `< 0.1 %`.
fn share(count: u64, total: u64) -> String {
    let tenths = (count * 1000 + total / 2) / total;
    match (tenths / 10, tenths % 10) {
        (0, 0) => "< 0.1 %".to_owned(),
        (whole, 0) => format!("{whole} %"),
        (whole, tenth) => format!("{whole}.{tenth} %"),
    }
}

impl ReasonView {
    fn of(code: Code, tally: &Tally) -> Self {
        let page = page(code);
        Self {
            code: code.as_str(),
            title: page.title,
            given: words::people(tally.by_reason.get(&code).copied().unwrap_or_default()),
            parts: page.parts().into_iter().map(|(heading, markdown)| (heading, markup(markdown))).collect(),
        }
    }
}
