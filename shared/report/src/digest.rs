//! A plan or a run for a terminal: the summary first, with counts that add up to everybody, then what matters, the
//! riskiest first. Rows come one after the other; only those that are shown are kept.

mod entry;
mod page;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use hardmatch_domain::change::Action;
use hardmatch_domain::guard;
use hardmatch_domain::ids::PersonKey;
use hardmatch_domain::reason::Code;
use hardmatch_ports::run::{Outcome, OutcomeKind, PlanRow, Run};

use self::entry::Entry;
use self::page::Page;
use crate::attention::{Acknowledged, RowStage, needs_attention};
use crate::kind::{Kind, main_code};
use crate::row_status;
use crate::tables::{Style, person};
use crate::words;

/// People of each kind that are shown on a terminal; in a pipe, and with `--all`, everybody is.
pub const SHOWN: usize = 12;

/// People with one reason.
#[derive(Default)]
struct Group {
    people: u64,
    entries: Vec<Entry>,
}

/// What is shown of a plan, or of a run.
pub struct Digest {
    limit: Option<usize>,
    counts: BTreeMap<Kind, u64>,
    known: BTreeMap<PersonKey, Acknowledged>,
    stage: RowStage,
    /// People whose change is made, and who need somebody all the same.
    beside: u64,
    rows: BTreeMap<Kind, Vec<Entry>>,
    groups: BTreeMap<Kind, BTreeMap<Code, Group>>,
    /// How many people go by each name: who shares one is told apart by the sign-in name.
    names: HashMap<String, u32>,
    people: u64,
    absent: u64,
    /// Changes of each kind that has a limit; what an accepted plan showed is left out.
    limited: BTreeMap<guard::Kind, u64>,
    created_with_unknown_password: u64,
}

/// How many changes of a kind go through in 24 hours without an approval.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// So many do.
    pub allowed: u64,
    /// So many did in the last 24 hours, of other runs.
    pub before: u64,
}

/// What a digest needs beside its rows and the run.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// How many of each kind of change go through in 24 hours without an approval; a kind that is not limited is left out.
    pub limits: BTreeMap<guard::Kind, Limit>,
    /// New accounts' passwords are delivered to nobody.
    pub passwords_discarded: bool,
    /// The options that name the connection in another command, with a blank before them; may be empty.
    pub options: String,
}

impl Around {
    /// The command that applies the run's plan, in full.
    pub fn apply(&self, run: &Run) -> Option<String> {
        run.plan.as_ref().map(|plan| format!("hardmatch apply {}{}", plan.short(), self.options))
    }
}

impl Digest {
    /// Nothing yet. `limit`: people shown of each kind; `None`: all.
    pub fn new(limit: Option<usize>) -> Self {
        Self {
            limit,
            counts: BTreeMap::new(),
            known: BTreeMap::new(),
            stage: RowStage::Planned,
            beside: 0,
            rows: BTreeMap::new(),
            groups: BTreeMap::new(),
            names: HashMap::new(),
            people: 0,
            absent: 0,
            limited: BTreeMap::new(),
            created_with_unknown_password: 0,
        }
    }

    /// The rows are of a run that has written.
    #[must_use]
    pub fn written(mut self) -> Self {
        self.stage = RowStage::Written;
        self
    }

    /// What operators said of people among the rows that come; in place of what was given before.
    pub fn acknowledge(&mut self, known: BTreeMap<PersonKey, Acknowledged>) {
        self.known = known;
    }

    /// One more row, with what became of it.
    pub fn add(&mut self, row: &PlanRow, outcome: Option<&Outcome>) {
        let known = self.known.get(&row.decision.key);
        let kind = Kind::of(row, outcome).known(known);
        let beside = matches!(kind, Kind::Do(_)) && known.is_none() && needs_attention(row, outcome, self.stage);
        self.beside += u64::from(beside);
        let decision = &row.decision;
        self.people += 1;
        self.absent += u64::from(row_status::is_absent(row));
        *self.counts.entry(kind).or_default() += 1;
        *self.names.entry(person(row).to_lowercase()).or_default() += 1;
        for kind in guard::Kind::ALL {
            // What an accepted plan showed before is not counted again, removals excepted: they are judged as a whole.
            let change = decision.change.as_deref().filter(|_| !row.accepted || *kind == guard::Kind::Removals);
            let count = change.map_or(0, |change| kind.count(change));
            if count > 0 {
                *self.limited.entry(*kind).or_default() += count;
            }
        }
        let done = outcome.is_some_and(|outcome| outcome.result == OutcomeKind::Done);
        self.created_with_unknown_password += u64::from(done && decision.action == Action::Create);
        match kind {
            Kind::AsTheyShouldBe => {}
            Kind::Do(_) | Kind::Approval => {
                let entries = self.rows.entry(kind).or_default();
                if self.limit.is_none_or(|limit| entries.len() < limit) {
                    entries.push(Entry::of(row, outcome, kind, known));
                }
            }
            Kind::Attention | Kind::Acknowledged | Kind::Later | Kind::Skipped => {
                let code = match kind {
                    Kind::Skipped => decision.reasons.first().map_or(Code::Converged, |reason| reason.code),
                    _ => main_code(row, outcome),
                };
                let group = self.groups.entry(kind).or_default().entry(code).or_default();
                group.people += 1;
                let each = self.limit.map(|limit| if kind == Kind::Skipped { 0 } else { limit.div_ceil(2) });
                if each.is_none_or(|each| group.entries.len() < each) {
                    group.entries.push(Entry::of(row, outcome, kind, known));
                }
            }
        }
    }

    fn count(&self, kind: Kind) -> u64 {
        self.counts.get(&kind).copied().unwrap_or_default()
    }

    fn changes(&self) -> u64 {
        self.counts
            .iter()
            .filter(|(kind, _)| matches!(kind, Kind::Do(_) | Kind::Approval))
            .map(|(_, count)| count)
            .sum()
    }

    /// The text. `done`: the run has written; otherwise it is a plan.
    pub fn text(&self, run: &Run, around: &Around, style: Style, done: bool) -> String {
        let width = match style {
            Style::Piped => None,
            Style::Terminal { width, .. } => Some(usize::from(width).max(40)),
        };
        let mut page = Page { text: String::new(), width };
        self.summary(&mut page, run, around, done);
        for (kind, entries) in &self.rows {
            page.heading(&format!("{} ({})", capital(kind.words(done)), words::number(self.count(*kind))));
            self.entries(&mut page, around, entries, self.count(*kind));
        }
        for (kind, groups) in &self.groups {
            page.heading(&format!("{} ({})", capital(kind.words(done)), words::number(self.count(*kind))));
            let mut groups: Vec<_> = groups.iter().collect();
            groups.sort_by(|one, other| other.1.people.cmp(&one.1.people).then(one.0.cmp(other.0)));
            for (code, group) in groups {
                page.line(2, &format!("{} × {code}: {}", words::number(group.people), code.sentence()));
                if !code.remedy().is_empty() && !matches!(kind, Kind::Skipped | Kind::Acknowledged) {
                    page.line(4, &format!("What to do: {}", code.remedy()));
                }
                self.entries(&mut page, around, &group.entries, group.people);
            }
        }
        page.text
    }

    fn summary(&self, page: &mut Page, run: &Run, around: &Around, done: bool) {
        let undecided = row_status::undecided(run, self.people, self.absent);
        let total = self.people + undecided;
        let fine = self.count(Kind::AsTheyShouldBe) + undecided;
        let quiet = fine + self.count(Kind::Skipped) == total;
        // Where rows cannot be read nobody says that everybody is as they should be.
        if self.changes() == 0 && quiet && run.refused_entries.is_empty() {
            let skipped = self.count(Kind::Skipped);
            let all = if skipped == 0 {
                "all as they should be".to_owned()
            } else {
                format!("{} as they should be, {} skipped", words::number(fine), words::number(skipped))
            };
            page.line(0, &format!("No changes. {}, {all}.", words::people(total)));
            return;
        }
        let head = match (&run.plan, done) {
            (Some(plan), false) => format!("Plan {} of {}", plan.short(), run.connection),
            (Some(_) | None, _) => format!("Run {} of {}", run.id, run.connection),
        };
        page.line(0, &head);
        page.text.push('\n');
        let count =
            |page: &mut Page, count: u64, what: &str| page.line(0, &format!("{:>9}  {what}", words::number(count)));
        for (kind, number) in &self.counts {
            if matches!(kind, Kind::AsTheyShouldBe) {
                continue;
            }
            count(page, *number, kind.words(done));
        }
        if fine > undecided {
            count(page, fine - undecided, Kind::AsTheyShouldBe.words(done));
        }
        if undecided > 0 {
            count(page, undecided, "unchanged since they were decided last");
        }
        count(page, total, if total == 1 { "person in all" } else { "people in all" });
        let mut notes = Vec::new();
        match self.beside {
            0 => {}
            1 => notes.push("1 person among the changes needs attention as well; the reason stands below.".to_owned()),
            many => notes.push(format!(
                "{} among the changes need attention as well; the reason stands below each.",
                words::people(many)
            )),
        }
        if !done {
            notes.extend(self.limited.iter().filter_map(|(kind, count)| limit_note(*kind, *count, around)));
        }
        if !run.refused_entries.is_empty() {
            let first = &run.refused_entries[0];
            let rows = run.refused_entries.len() as u64;
            let rows = if rows == 1 { "1 row".to_owned() } else { format!("{} rows", words::number(rows)) };
            notes.push(format!(
                "{rows} of the source cannot be read, the first in line {}: {}. {}",
                first.line,
                first.problem.trim_end_matches('.'),
                first.cure
            ));
        }
        if done && around.passwords_discarded && self.created_with_unknown_password > 0 {
            let people = self.created_with_unknown_password;
            notes.push(format!(
                "{} {} a password that nobody knows: set passwords.deliver_to before the next are created, and give these a Temporary Access Pass or a new password in the Entra admin center.",
                words::people(people),
                if people == 1 { "has" } else { "have" }
            ));
        }
        if !notes.is_empty() {
            page.text.push('\n');
        }
        for note in notes {
            page.line(0, &note);
        }
        let waiting = self.count(Kind::Approval);
        if let Some(command) = around.apply(run).filter(|_| done && waiting > 0) {
            let (people, these) = match waiting {
                1 => ("1 person waits".to_owned(), "this change"),
                many => (format!("{} wait", words::people(many)), "these changes"),
            };
            page.text.push('\n');
            page.line(0, &format!("{people} for an approval. Look at them below; this allows exactly {these}:"));
            page.command(&command);
        }
    }

    fn entries(&self, page: &mut Page, around: &Around, entries: &[Entry], people: u64) {
        let mut entries: Vec<&Entry> = entries.iter().collect();
        entries.sort_by(|one, other| one.name.cmp(&other.name).then_with(|| one.upn.cmp(&other.upn)));
        // One reason of all of them is said once.
        let first = entries.first().and_then(|entry| entry.reason.as_ref());
        let common =
            first.filter(|first| entries.len() > 1 && entries.iter().all(|e| e.reason.as_ref() == Some(*first)));
        if let Some(reason) = common {
            page.line(2, reason);
        }
        for entry in &entries {
            let shared = self.names.get(&entry.name.to_lowercase()).is_some_and(|count| *count > 1);
            // Writing to a String cannot fail; the results are let go of.
            let mut line = entry.name.clone();
            if !entry.upn.is_empty() && (shared || entry.takes.is_some() || entry.why.is_empty() || entry.waits) {
                let _ = write!(line, " <{}>", entry.upn);
            }
            if let Some(takes) = &entry.takes {
                let _ = write!(line, " takes the account of {takes}");
            }
            if !entry.why.is_empty() {
                let _ = write!(line, ": {}", entry.why);
            }
            page.line(4, &line);
            if let Some(reason) = entry.reason.as_ref().filter(|_| common.is_none()) {
                page.line(6, reason);
            }
            for line in &entry.lines {
                page.line(6, line);
            }
            if let Some(change) = &entry.change {
                page.line(6, &format!("This one alone: hardmatch approvals approve {change}{}", around.options));
            }
        }
        let more = people - entries.len() as u64;
        if more > 0 && !entries.is_empty() {
            page.line(4, &format!("… and {} more (--all shows everybody)", words::number(more)));
        }
    }
}

/// How many changes of a kind the plan holds, beside what goes through without an approval. Removals are always told, the
/// other kinds when they are too many.
fn limit_note(kind: guard::Kind, count: u64, around: &Around) -> Option<String> {
    let said = format!("{}: {}.", capital(kind.nouns().1), words::number(count));
    let Some(limit) = around.limits.get(&kind) else { return (kind == guard::Kind::Removals).then_some(said) };
    let name = if kind == guard::Kind::Removals { "Accidental-removal limit" } else { "Limit" };
    let before = match limit.before {
        0 => String::new(),
        before => format!(", {} of them used", words::number(before)),
    };
    let limit_words = format!("{name}: {} in 24 hours{before}", words::number(limit.allowed));
    if count.saturating_add(limit.before) > limit.allowed {
        Some(format!("{said} {limit_words}: `sync` holds them for an approval, applying this plan by its hash is one."))
    } else {
        (kind == guard::Kind::Removals).then(|| format!("{said} {limit_words}."))
    }
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}
