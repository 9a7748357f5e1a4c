//! A plan or a run for a terminal: the summary first, with counts that add up to everybody, then what matters, the
//! riskiest first. Rows come one after the other; only those that are shown are kept.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use hardmatch_domain::change::{Action, EvidenceRule, Hold, Join, Step};
use hardmatch_domain::ids::ObjectId;
use hardmatch_domain::link::LeavingCause;
use hardmatch_domain::reason::{Code, Weight};
use hardmatch_ports::run::{Outcome, OutcomeKind, PlanRow, Run};

use crate::documents::{account, reasons};
use crate::pages::wrapped;
use crate::row_status::RowStatus;
use crate::steps;
use crate::tables::{Style, person};
use crate::visible::visible;
use crate::words;

/// People of each kind that are shown on a terminal; in a pipe, and with `--all`, everybody is.
pub const SHOWN: usize = 12;

/// What a person's row is about: every person is of one kind. The order is that of the page, the riskiest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Kind {
    Do(Rank),
    Approval,
    Attention,
    Later,
    Skipped,
    AsTheyShouldBe,
}

/// Actions by what they can break.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Rank {
    Purge,
    Delete,
    Suspend,
    Merge,
    Repair,
    Takeover,
    Rename,
    Restore,
    Enable,
    License,
    Membership,
    Update,
    Create,
    Link,
}

impl Rank {
    fn of(action: Action) -> Option<Self> {
        Some(match action {
            Action::None => return None,
            Action::Purge => Rank::Purge,
            Action::Delete => Rank::Delete,
            Action::Suspend => Rank::Suspend,
            Action::Merge => Rank::Merge,
            Action::Repair => Rank::Repair,
            Action::Takeover => Rank::Takeover,
            Action::Rename => Rank::Rename,
            Action::Restore => Rank::Restore,
            Action::Enable => Rank::Enable,
            Action::License => Rank::License,
            Action::Membership => Rank::Membership,
            Action::Update => Rank::Update,
            Action::Create => Rank::Create,
            Action::Link => Rank::Link,
        })
    }

    /// Said of what is planned, and of what was done.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Rank::Purge => ("delete for good", "deleted for good"),
            Rank::Delete => ("delete (recycle bin)", "deleted (recycle bin)"),
            Rank::Suspend => ("block sign-in", "sign-in blocked"),
            Rank::Merge => ("merge two accounts", "merged"),
            Rank::Repair => ("repair the immutable ID", "immutable ID repaired"),
            Rank::Takeover => ("take over an existing account", "account taken over"),
            Rank::Rename => ("rename (new sign-in name)", "renamed (new sign-in name)"),
            Rank::Restore => ("restore from the recycle bin", "restored from the recycle bin"),
            Rank::Enable => ("allow sign-in", "sign-in allowed"),
            Rank::License => ("change licences", "licences changed"),
            Rank::Membership => ("change memberships", "memberships changed"),
            Rank::Update => ("update", "updated"),
            Rank::Create => ("create", "created"),
            Rank::Link => ("link (writes nothing)", "linked (wrote nothing)"),
        }
    }
}

impl Kind {
    fn of(row: &PlanRow, outcome: Option<&Outcome>) -> Self {
        let decision = &row.decision;
        let action = Rank::of(decision.action).map_or(Kind::Skipped, Kind::Do);
        if let Some(outcome) = outcome {
            return match outcome.result {
                OutcomeKind::Done => action,
                OutcomeKind::Refused => Kind::Attention,
                OutcomeKind::Held => Kind::Approval,
                OutcomeKind::FactsMoved | OutcomeKind::Unavailable => Kind::Later,
            };
        }
        if let Some(change) = &decision.change {
            return match change.hold {
                Some(Hold::Approval | Hold::Repair) => Kind::Approval,
                Some(Hold::Removal) | None => action,
            };
        }
        match RowStatus::of(row, None) {
            RowStatus::Refused => Kind::Attention,
            RowStatus::Held => Kind::Later,
            _ => match decision.reasons.first() {
                None => Kind::AsTheyShouldBe,
                Some(reason) if reason.code == Code::Converged => Kind::AsTheyShouldBe,
                Some(_) => Kind::Skipped,
            },
        }
    }

    fn words(self, done: bool) -> &'static str {
        match self {
            Kind::Do(rank) if done => rank.words().1,
            Kind::Do(rank) => rank.words().0,
            Kind::Approval => "waiting for approval",
            Kind::Attention => "need attention",
            Kind::Later => "wait for a date or for another change",
            Kind::Skipped => "skipped",
            Kind::AsTheyShouldBe => "as they should be",
        }
    }
}

/// A row reduced to what is shown of it.
struct Entry {
    name: String,
    upn: String,
    /// The account's own name and sign-in name, of a takeover.
    takes: Option<String>,
    why: String,
    /// `why` is what waits for an approval.
    waits: bool,
    /// The reason, where it says more than what is done.
    reason: Option<String>,
    lines: Vec<String>,
}

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
    rows: BTreeMap<Kind, Vec<Entry>>,
    groups: BTreeMap<Kind, BTreeMap<Code, Group>>,
    /// How many people go by each name: who shares one is told apart by the sign-in name.
    names: HashMap<String, u32>,
    people: u64,
    absent: u64,
    removals: u64,
    created_with_unknown_password: u64,
}

/// What a digest needs beside its rows and the run.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// How many removals go through in 24 hours without an approval.
    pub removal_limit: Option<u64>,
    /// New accounts' passwords are delivered to nobody.
    pub passwords_discarded: bool,
    /// The options that name the connection in another command, with a blank before them; may be empty.
    pub options: String,
}

impl Digest {
    /// Nothing yet. `limit`: people shown of each kind; `None`: all.
    pub fn new(limit: Option<usize>) -> Self {
        Self {
            limit,
            counts: BTreeMap::new(),
            rows: BTreeMap::new(),
            groups: BTreeMap::new(),
            names: HashMap::new(),
            people: 0,
            absent: 0,
            removals: 0,
            created_with_unknown_password: 0,
        }
    }

    /// One more row, with what became of it.
    pub fn add(&mut self, row: &PlanRow, outcome: Option<&Outcome>) {
        let kind = Kind::of(row, outcome);
        let decision = &row.decision;
        self.people += 1;
        let absent = |(cause, _): (LeavingCause, i64)| cause == LeavingCause::Absent;
        self.absent += u64::from(
            decision.leaving.is_some_and(absent)
                || decision.reasons.iter().any(|r| matches!(r.code, Code::SourceAbsent | Code::LeftSettled)),
        );
        *self.counts.entry(kind).or_default() += 1;
        *self.names.entry(person(row).to_lowercase()).or_default() += 1;
        if let Some(change) = &decision.change {
            let lost = change.removals;
            let all = [lost.deletes, lost.suspends, lost.blanks, lost.licenses, lost.memberships];
            self.removals += all.iter().map(|count| u64::from(*count)).sum::<u64>();
        }
        let done = outcome.is_some_and(|outcome| outcome.result == OutcomeKind::Done);
        self.created_with_unknown_password += u64::from(done && decision.action == Action::Create);
        match kind {
            Kind::AsTheyShouldBe => {}
            Kind::Do(_) | Kind::Approval => {
                let entries = self.rows.entry(kind).or_default();
                if self.limit.is_none_or(|limit| entries.len() < limit) {
                    entries.push(Entry::of(row, outcome, kind));
                }
            }
            Kind::Attention | Kind::Later | Kind::Skipped => {
                let code = match kind {
                    Kind::Skipped => decision.reasons.first().map_or(Code::Converged, |reason| reason.code),
                    _ => main_code(row, outcome),
                };
                let group = self.groups.entry(kind).or_default().entry(code).or_default();
                group.people += 1;
                let each = self.limit.map(|limit| if kind == Kind::Skipped { 0 } else { limit.div_ceil(2) });
                if each.is_none_or(|each| group.entries.len() < each) {
                    group.entries.push(Entry::of(row, outcome, kind));
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

    /// People whom nobody decided again because nothing about them changed.
    fn undecided(&self, run: &Run) -> u64 {
        if run.everybody || run.only.is_some() {
            return 0;
        }
        let seen = run.collections.get("people").map_or(0, |people| people.seen);
        let keyless = run.refused_entries.iter().filter(|entry| entry.key.is_none()).count() as u64;
        seen.saturating_sub(keyless).saturating_sub(self.people - self.absent)
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
            self.entries(&mut page, entries, self.count(*kind));
        }
        for (kind, groups) in &self.groups {
            page.heading(&format!("{} ({})", capital(kind.words(done)), words::number(self.count(*kind))));
            let mut groups: Vec<_> = groups.iter().collect();
            groups.sort_by(|one, other| other.1.people.cmp(&one.1.people).then(one.0.cmp(other.0)));
            for (code, group) in groups {
                page.line(2, &format!("{} × {code}: {}", words::number(group.people), code.sentence()));
                if !code.remedy().is_empty() && *kind != Kind::Skipped {
                    page.line(4, &format!("What to do: {}", code.remedy()));
                }
                self.entries(&mut page, &group.entries, group.people);
            }
        }
        page.text
    }

    fn summary(&self, page: &mut Page, run: &Run, around: &Around, done: bool) {
        let undecided = self.undecided(run);
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
            (Some(plan), false) => format!("Plan {} of {}", &plan.hash[..plan.hash.len().min(12)], run.connection),
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
        if fine > 0 {
            count(page, fine, Kind::AsTheyShouldBe.words(done));
        }
        count(page, total, if total == 1 { "person in all" } else { "people in all" });
        let mut notes = Vec::new();
        if self.removals > 0 && !done {
            notes.push(match around.removal_limit {
                Some(limit) => format!(
                    "Removals: {}. Accidental-removal limit: {} in 24 hours; more than that wait for an approval.",
                    words::number(self.removals),
                    words::number(limit)
                ),
                None => format!("Removals: {}.", words::number(self.removals)),
            });
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
        if done && self.count(Kind::Approval) > 0 {
            notes.push(format!(
                "{} for an approval. `hardmatch plan{}` shows them in a plan of their own, and `hardmatch apply HASH{}` with its hash allows them.",
                if self.count(Kind::Approval) == 1 { "1 person waits".to_owned() } else { format!("{} wait", words::people(self.count(Kind::Approval))) },
                around.options,
                around.options
            ));
        }
        if !notes.is_empty() {
            page.text.push('\n');
        }
        for note in notes {
            page.line(0, &note);
        }
    }

    fn entries(&self, page: &mut Page, entries: &[Entry], people: u64) {
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
        }
        let more = people - entries.len() as u64;
        if more > 0 && !entries.is_empty() {
            page.line(4, &format!("… and {} more (--all shows everybody)", words::number(more)));
        }
    }
}

impl Entry {
    fn of(row: &PlanRow, outcome: Option<&Outcome>, kind: Kind) -> Self {
        let decision = &row.decision;
        let refused = decision.change.is_none() || outcome.is_some_and(|outcome| outcome.result != OutcomeKind::Done);
        let detail = reasons(row, outcome).next().and_then(|reason| reason.detail.clone());
        let mut why = if refused { detail.map(|detail| readable(&detail)).unwrap_or_default() } else { String::new() };
        let mut lines = Vec::new();
        if let Some(refusal) = outcome.and_then(|outcome| outcome.refusal.as_ref()) {
            why = format!("Graph says {} {}: {}", refusal.status, refusal.code, refusal.message);
        }
        let waits = kind == Kind::Approval;
        if waits && let Some(rank) = Rank::of(decision.action) {
            rank.words().0.clone_into(&mut why);
        }
        if let Some(change) = decision.change.as_ref().filter(|_| waits || !refused) {
            for step in steps::of(change) {
                let create = decision.action == Action::Create;
                for line in step.lines.iter().filter(|line| !create && line.what != "accountEnabled") {
                    lines.push(format!("{}: {} → {}", line.what, line.before.text(), line.after.text()));
                }
                if step.lines.is_empty() && step.title.starts_with(['J', 'L', 'E']) {
                    lines.push(step.title);
                }
            }
        }
        let mut telling = None;
        // People of one reason stand below it.
        if matches!(kind, Kind::Do(_) | Kind::Approval)
            && let Some(reason) = reasons(row, outcome).find(|reason| tells(reason.code))
        {
            telling = Some(format!("{}: {}", reason.code, reason.code.sentence()));
        }
        Self {
            name: visible(person(row)).into_owned(),
            upn: if person(row) == &*row.upn { String::new() } else { visible(&row.upn).into_owned() },
            takes: (decision.action == Action::Takeover).then(|| theirs(row, account(row, outcome))),
            why: visible(&why).into_owned(),
            waits,
            reason: telling,
            lines: lines.iter().map(|line| visible(line).into_owned()).collect(),
        }
    }
}

/// Reasons that say more than the action's own name.
fn tells(code: Code) -> bool {
    !matches!(
        code,
        Code::Provision
            | Code::HardMatched
            | Code::Takeover
            | Code::AttributesDiffer
            | Code::Rename
            | Code::ManagerDiffers
    )
}

/// Whose account it is by the tenant: its name and sign-in name as they are there.
fn theirs(row: &PlanRow, account: Option<&ObjectId>) -> String {
    use hardmatch_domain::attribute::Attr;
    let decision = &row.decision;
    let upn = decision
        .evidence
        .iter()
        .find(|evidence| evidence.rule == EvidenceRule::Upn && evidence.theirs.is_some())
        .or_else(|| decision.evidence.iter().find(|e| e.rule == EvidenceRule::PrimarySmtp && e.theirs.is_some()))
        .and_then(|evidence| evidence.theirs.as_deref());
    let steps = decision.change.iter().flat_map(|change| &change.steps);
    let renamed = steps.filter_map(|step| match step {
        Step::Update { before, .. } => before.filled(Attr::DisplayName),
        _ => None,
    });
    let name = renamed.into_iter().next().unwrap_or(person(row));
    let joined = match &decision.join {
        Join::Joined { account, .. } => Some(account),
        Join::None | Join::Refused { .. } | Join::NotLooked => account,
    };
    match (upn, joined) {
        (Some(upn), _) => format!("{} <{upn}>", visible(name)),
        (None, Some(account)) => format!("{} (account {account})", visible(name)),
        (None, None) => visible(name).into_owned(),
    }
}

/// The reason that a row is grouped by: the heaviest, and of equals the first.
fn main_code(row: &PlanRow, outcome: Option<&Outcome>) -> Code {
    let mut best: Option<(Weight, Code)> = None;
    for reason in reasons(row, outcome) {
        let weight = reason.code.weight();
        if best.is_none_or(|(have, _)| weight > have) {
            best = Some((weight, reason.code));
        }
    }
    best.map_or(Code::Unknown, |(_, code)| code)
}

/// A detail with moments as days: `until 1796083200` is for machines.
fn readable(detail: &str) -> String {
    match detail.strip_prefix("until ").and_then(|at| at.parse::<i64>().ok()) {
        Some(at) => format!("until {}", words::moment(at.saturating_mul(1000))),
        None => detail.to_owned(),
    }
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

struct Page {
    text: String,
    width: Option<usize>,
}

impl Page {
    fn heading(&mut self, text: &str) {
        self.text.push('\n');
        self.line(0, text);
    }

    fn line(&mut self, indent: usize, text: &str) {
        // Counts are set in columns of their own.
        if text.starts_with(' ') {
            self.text.push_str(text);
        } else {
            let (first, rest) = (" ".repeat(indent), " ".repeat(indent + 2));
            self.text.push_str(&wrapped(text, &first, &rest, self.width));
        }
        self.text.push('\n');
    }
}
