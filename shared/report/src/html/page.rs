//! What the page shows, from a builder that has seen all its rows. Only texts and numbers; the template has the shape.

use std::fmt::Write as _;
use std::io::Write;

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hardmatch_domain::change::Action;
use hardmatch_domain::reason::Code;
use hardmatch_ports::run::{CollectionState, ReadMode, Run, Seats};
use sha2::{Digest, Sha256};

use super::lists::{Group, Listed, Lists};
use super::texts::quoted;
use super::verdict::Verdict;
use super::{ReportBuilder, Surroundings};
use crate::bill::{Bill, Forecast};
use crate::list::List;
use crate::pages::{markup, page};
use crate::row_status::RowStatus;
use crate::tally::Tally;
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
    status_word: &'static str,
    verdict: Verdict,
    facts: Vec<Pair>,
    cards: Vec<Card>,
    stop: &'static str,
    forecast: String,
    disagreement: String,
    guard: Option<GuardView>,
    /// Limits that hold other changes than removals.
    limits: Vec<String>,
    seats: Option<SeatsView>,
    policy_changes: Vec<String>,
    problems: Vec<String>,
    charts: Vec<Bars>,
    collections: Vec<CollectionView>,
    /// Whether a collection is not complete, which a reader must see without opening anything.
    unread: bool,
    refused_entries: Vec<EntryView>,
    numbers: Vec<Pair>,
    bill: String,
    costs: Vec<Pair>,
    sections: Vec<SectionView>,
    filter_actions: Vec<(&'static str, &'static str)>,
    filter_statuses: Vec<(&'static str, &'static str)>,
    filter_reasons: Vec<&'static str>,
    /// Whether anything is new since the run before.
    new: bool,
    reasons: Vec<ReasonView>,
    data: String,
    csv: String,
    jsonl: String,
}

struct Pair {
    name: &'static str,
    value: String,
}

/// A number at the top of the page; a click shows the people behind it.
struct Card {
    list: &'static str,
    label: &'static str,
    value: String,
    note: String,
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

/// Counts as a table with bars; each row is a filter.
struct Bars {
    heading: &'static str,
    column: &'static str,
    /// Which filter a row sets.
    filter: &'static str,
    /// What the words below mean.
    hint: String,
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

struct SectionView {
    id: &'static str,
    title: &'static str,
    lead: &'static str,
    /// Whether the list is closed until a reader opens it.
    folded: bool,
    total: String,
    /// Of how many people these are some; empty where nobody asks.
    of: String,
    shown: String,
    cut: bool,
    groups: Vec<GroupView>,
    /// What is to be typed for the list.
    command: String,
}

struct GroupView {
    name: &'static str,
    heading: String,
    is_reason: bool,
    title: &'static str,
    cure: &'static str,
    people: String,
}

struct ReasonView {
    code: &'static str,
    title: &'static str,
    given: String,
    parts: Vec<(&'static str, String)>,
}

impl<'a> PageView<'a> {
    pub(super) fn of<C: Write, J: Write>(
        builder: &'a ReportBuilder<'_, C, J>,
        run: &'a Run,
        around: &Surroundings,
    ) -> Self {
        let tally = &builder.tally;
        let lists = &builder.lists;
        let bill = Bill::of(run);
        let collections = collections(run);
        let waiting = lists.get(List::Waiting).people;
        Self {
            style: STYLE,
            script: SCRIPT,
            style_hash: hash(STYLE),
            script_hash: hash(SCRIPT),
            connection: visible(run.connection.as_str()).into_owned(),
            id: &run.id,
            status_word: words::status_word(run),
            verdict: Verdict::of(run, lists.get(List::Needs).people, waiting),
            facts: facts(run),
            cards: cards(lists, tally.undecided(run)),
            stop: run.stop.filter(|_| run.accepted.is_none()).map_or("", words::stop),
            forecast: Forecast::of_waiting(run).map(|forecast| forecast.sentence(run)).unwrap_or_default(),
            disagreement: disagreement(run, tally),
            // Of a run without removals there is nothing to say.
            guard: run.guard.as_ref().filter(|guard| guard.removals > 0 || !guard.released).map(|guard| GuardView {
                released: guard.released,
                // The heading says that they went, and the numbers how many.
                sentence: if guard.released && guard.approved == 0 {
                    String::new()
                } else {
                    visible(&guard.sentence).into_owned()
                },
                numbers: format!(
                    "{} in this run, {} let through in the 24 hours before, {} links at the start of that time.",
                    counted(guard.removals, "removal", "removals"),
                    words::number(guard.before),
                    words::number(guard.links)
                ),
            }),
            limits: run.limits.iter().map(words::limit).collect(),
            seats: run.plan.as_ref().and_then(|plan| SeatsView::of(&plan.seats)),
            policy_changes: run.policy_changes.iter().map(|change| visible(change).into_owned()).collect(),
            problems: run.problems.iter().map(|problem| visible(problem).into_owned()).collect(),
            charts: charts(tally),
            unread: collections
                .iter()
                .any(|collection| collection.class != "complete" || !collection.doubts.is_empty()),
            collections,
            refused_entries: refused_entries(run),
            numbers: numbers(run),
            bill: bill.sentence(),
            costs: bill.items().map(|(name, value)| Pair { name, value }).collect(),
            sections: List::ALL.iter().map(|&list| section(list, lists.get(list), run)).collect(),
            filter_actions: tally.by_action.keys().map(|&action| (action.name(), words::action(action))).collect(),
            filter_statuses: RowStatus::ALL
                .iter()
                .filter(|&&at| tally.standing(at) > 0)
                .map(|at| (at.name(), at.words()))
                .collect(),
            filter_reasons: builder.used.iter().map(|code| code.as_str()).collect(),
            new: List::ALL.iter().any(|&list| lists.get(list).new > 0),
            reasons: builder.used.iter().map(|&code| ReasonView::of(code, tally)).collect(),
            data: data(builder, run, around),
            csv: builder.names.csv.to_owned(),
            jsonl: builder.names.jsonl.to_owned(),
        }
    }
}

impl PageView<'_> {
    /// Bytes of the rows.
    pub(super) fn data_bytes(&self) -> usize {
        self.data.len()
    }
}

/// What the script draws rows from. Its texts were made harmless one by one.
fn data<C: Write, J: Write>(builder: &ReportBuilder<'_, C, J>, run: &Run, around: &Surroundings) -> String {
    let lists = &builder.lists;
    let mut data = String::with_capacity(lists.texts.bytes() + 4096);
    let named = |pairs: &mut dyn Iterator<Item = (&'static str, &'static str)>| {
        let pairs: Vec<String> = pairs.map(|(name, words)| format!("{}:{}", quoted(name), quoted(words))).collect();
        format!("{{{}}}", pairs.join(","))
    };
    let actions = named(&mut builder.tally.by_action.keys().map(|&action| (action.name(), words::action(action))));
    let statuses = named(&mut RowStatus::ALL.iter().map(|status| (status.name(), status.words())));
    let sentences = named(&mut builder.used.iter().map(|code| (code.as_str(), code.sentence())));
    let portal = around.portal.map_or_else(|| "null".to_owned(), quoted);
    // Writing to a String cannot fail; the results are let go of.
    let _ = write!(
        data,
        "{{\"run\":{},\"portal\":{portal},\"actions\":{actions},\"statuses\":{statuses},\"reasons\":{sentences},\"lists\":{{",
        quoted(&run.id)
    );
    for (at, list) in List::ALL.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let _ = write!(data, "{comma}\"{}\":[{}]", list.name(), lists.get(*list).json());
    }
    data.push_str("},\"texts\":[");
    data.push_str(lists.texts.json());
    data.push_str("]}");
    data
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
    if run.is_partial() {
        let people = if run.requests { "people wanted at once" } else { "one person" };
        facts.push(Pair { name: "Only", value: people.to_owned() });
    }
    facts
}

/// The numbers at the top. They count everybody, so they add up to the people of the run.
fn cards(lists: &Lists, undecided: u64) -> Vec<Card> {
    let card = |list: List, label, note: &str, class| {
        let listed = lists.get(list);
        let new = listed.new;
        let note = match (listed.people, new) {
            (0, _) => "nobody".to_owned(),
            (_, 0) => note.to_owned(),
            (_, new) => format!("{} new since the last run", words::number(new)),
        };
        Card { list: list.name(), label, value: words::number(listed.people), note, class }
    };
    let mut cards = vec![
        card(List::Needs, "Need attention", "nothing happens before somebody looks", "bad"),
        card(List::Waiting, "Waiting for approval", "one command allows them", "wait"),
        card(List::Changes, "Changes", "planned or written", "good"),
    ];
    for (list, label, note) in [
        (List::Later, "Later", "wait for a date or for another change"),
        (List::Acknowledged, "Acknowledged", "known, and not counted as attention"),
    ] {
        if lists.get(list).people > 0 {
            cards.push(card(list, label, note, "plain"));
        }
    }
    let rest = lists.get(List::Rest).people + undecided;
    cards.push(Card {
        list: List::Rest.name(),
        label: "Nothing to do",
        value: words::number(rest),
        note: "as they should be, or left out on purpose".to_owned(),
        class: "plain",
    });
    cards
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
    let meanings = [
        (RowStatus::Held, "held: waits for an approval, a limit, a date or another change"),
        (RowStatus::Refused, "refused: a rule or the tenant says no, at least to a part"),
    ];
    let met: Vec<&str> = meanings.iter().filter(|(at, _)| tally.standing(*at) > 0).map(|(_, said)| *said).collect();
    let actions = tally
        .by_action
        .iter()
        .filter(|(action, _)| **action != Action::None)
        .map(|(&action, &count)| (action.name(), words::action(action), count));
    let statuses = Bars { hint: met.join("; "), ..Bars::of("By status", "Status", "status", outcomes) };
    vec![statuses, Bars::of("By action", "Action", "action", actions)]
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
            // Changes alone were asked for: the number of all others is not "seen 0".
            seen: match collection.read {
                Some(ReadMode::Changes) => "changes only".to_owned(),
                Some(ReadMode::Asked) => "those concerned".to_owned(),
                Some(ReadMode::Whole) | None => words::number(collection.seen),
            },
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

fn section(list: List, listed: &Listed, run: &Run) -> SectionView {
    let (title, lead) = match list {
        List::Needs => ("Needs attention", "Nothing is written for these people until somebody looks."),
        List::Waiting => ("Waiting for approval", "These changes are held until somebody allows them."),
        List::Changes => ("Changes", "Values are shown as old → new."),
        List::Later => ("Later", "These people wait for a date or for another change; nobody has to do anything."),
        List::Acknowledged => ("Acknowledged", "An operator knows of these people and need not be told every night."),
        List::Rest => ("Nothing to do", "These people are as they should be, or left out on purpose."),
    };
    let mut groups: Vec<(&&'static str, &Group)> = listed.groups.iter().collect();
    match list {
        // The riskiest action first, as on a terminal.
        List::Waiting | List::Changes => groups.sort_by_key(|(name, group)| (group.kind, **name)),
        // The reason that most people share first.
        _ => groups.sort_by_key(|(name, group)| (std::cmp::Reverse(group.people), **name)),
    }
    let plan = run.plan.as_ref();
    let command = plan.filter(|_| list == List::Waiting && listed.people > 0 && run.closed_ms.is_some());
    SectionView {
        id: list.name(),
        title,
        lead,
        folded: matches!(list, List::Later | List::Acknowledged | List::Rest),
        total: words::number(listed.people),
        shown: words::number(listed.held),
        cut: listed.people > listed.held,
        groups: groups.into_iter().map(|(name, group)| GroupView::of(name, group)).collect(),
        of: plan.filter(|_| list == List::Waiting).map(|plan| words::people(plan.people)).unwrap_or_default(),
        command: command.map(|plan| format!("hardmatch apply {}", plan.short())).unwrap_or_default(),
    }
}

impl GroupView {
    fn of(name: &'static str, group: &Group) -> Self {
        Self {
            name,
            heading: group.code.map_or(words::action(group.action), |code| code.as_str()).to_owned(),
            is_reason: group.code.is_some(),
            title: group.code.map_or("", |code| code.sentence()),
            cure: group.code.map_or("", |code| code.remedy()),
            people: words::people(group.people),
        }
    }
}

impl Bars {
    fn of(
        heading: &'static str,
        column: &'static str,
        filter: &'static str,
        counts: impl Iterator<Item = (&'static str, &'static str, u64)>,
    ) -> Self {
        let counts: Vec<_> = counts.filter(|(.., count)| *count > 0).collect();
        let total: u64 = counts.iter().map(|(.., count)| count).sum();
        let most = counts.iter().map(|(.., count)| *count).max().unwrap_or(1);
        let rows = counts.into_iter().map(|(name, label, count)| Bar {
            name,
            label,
            count,
            shown: words::number(count),
            share: share(count, total),
            length: (count * 1000 / most).max(1),
        });
        Self { heading, column, filter, hint: String::new(), rows: rows.collect() }
    }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", words::number(count), if count == 1 { one } else { many })
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
