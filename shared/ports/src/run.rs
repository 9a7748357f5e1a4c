//! What a run is and leaves behind: its phases, its plan, its outcomes. Stored as JSON and read by people's scripts, so
//! every type here is versioned by `v` and only grows.

use std::collections::BTreeMap;

use hardmatch_domain::change::{Action, ChangeId, Decision, Step};
use hardmatch_domain::guard;
use hardmatch_domain::ids::{ConnectionId, ObjectId, PersonKey};
use hardmatch_domain::link::JoinRule;
use hardmatch_domain::reason::Reason;
use hardmatch_domain::write_back::PlannedWriteBack;
use serde::{Deserialize, Serialize};

use crate::doorbell::{Message, MessageKind, Urgency};
pub use crate::intent::Intent;
use crate::source::RefusedEntry;
use crate::table::Units;
use crate::tenant::{Counters, Refusal};
pub use crate::undo::Undo;

/// One pass over a source and a tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate word of the command that opened the run")]
pub struct Run {
    /// Version of this shape.
    pub v: u32,
    /// ULID: sorts by start.
    pub id: String,
    /// The connection whose run it is.
    pub connection: ConnectionId,
    /// Whether it may write.
    pub intent: Intent,
    /// What it undoes, when it was opened for that: it decides nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
    /// Where it is.
    pub phase: Phase,
    /// How it ended; set when closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// The policy it pinned.
    pub policy_revision: u64,
    /// The policy under which everybody was decided before, where that was another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_before: Option<u64>,
    /// What the policy says otherwise than that one, and whom it concerns; in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy_changes: Vec<String>,
    /// When the run was opened (Unix milliseconds).
    pub started_ms: i64,
    /// Unix milliseconds; set when closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_ms: Option<i64>,
    /// Whether it decides everybody again, not only those whose facts changed.
    pub everybody: bool,
    /// An operator asked for it: the tenant's users are read whole, whatever changes could be followed from.
    #[serde(default)]
    pub full: bool,
    /// One person only, when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<PersonKey>,
    /// About people who are wanted now: pushed, named by a hook, or asked for. The store's sync requests named them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub requests: bool,
    /// The source's columns and keys are taken as they are now, whatever they were before.
    #[serde(default)]
    pub accept_source: bool,
    /// What the tenant refused lately is sent again now, whatever was to be waited for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retry: bool,
    /// What was read, by name: `people`, `users`, `deleted_users`, `domains`, `roles`, `groups`, `contacts`.
    pub collections: BTreeMap<String, Collection>,
    /// Entries of the source that were refused; the first thousand.
    #[serde(default)]
    pub refused_entries: Vec<RefusedEntry>,
    /// Values of the source that could not be read and were left out of people who were read; the first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<RefusedEntry>,
    /// The plan, once everybody was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanHead>,
    /// Why the run stopped at its plan, when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// Who accepted the plan, and how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Accepted>,
    /// Outcomes of changes, counted by their name.
    #[serde(default)]
    pub outcomes: BTreeMap<String, u64>,
    /// People whose change was written, counted by its action's name; set when closed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub changes: BTreeMap<String, u64>,
    /// People for whom nothing is written until somebody looks, counted by the code of their first refusal; set when
    /// closed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refusals: BTreeMap<String, u64>,
    /// People who need somebody: in a plan, those whom applying it leaves so.
    #[serde(default)]
    pub attention: u64,
    /// People who would need somebody, and of whom an operator said that nobody need be told.
    #[serde(default)]
    pub acknowledged: u64,
    /// What the guard said, when it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<GuardNote>,
    /// Limits that hold changes of the run, those of removals left out: the guard's note speaks of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<LimitNote>,
    /// People by the list of the report that they stand in; set with the report.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lists: BTreeMap<String, u64>,
    /// What went wrong, for people. No personal data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// Calls to the tenant.
    #[serde(default)]
    pub tenant_calls: Counters,
    /// Units of the table.
    #[serde(default)]
    pub units: Units,
    /// What functions did for it, where each message is counted: on AWS. `None` where one process did it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute: Option<Compute>,
    /// What the source was given, when it was to be given something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_back: Option<WriteBackNote>,
    /// Where the report lies, once written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// The scheduled time it was begun for, when a schedule began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// Messages that found its work where the message before them had left it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stalled: Option<Stalled>,
}

/// What became of the values that the source was to be given in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteBackNote {
    /// Values that were written.
    pub written: u64,
    /// Values that were there already.
    pub already_there: u64,
    /// Attributes that hold another value, which stays.
    pub kept: u64,
    /// Values that the source refused, or was not asked to take after an error.
    pub refused: u64,
    /// Why values were refused, with what to do; each once. No personal data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
    /// The last of the run's lists of people that is counted here: it is not counted again.
    #[serde(default)]
    pub after: String,
}

/// What functions did for a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compute {
    /// How many messages were answered for the run.
    pub messages: u64,
    /// Milliseconds that functions worked or waited.
    pub worked_ms: u64,
}

/// Work that does not move. Forgotten as soon as it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stalled {
    /// Where the work was, as a digest.
    pub at: String,
    /// Messages in a row that found it there.
    pub messages: u32,
    /// Since when (Unix milliseconds).
    pub since_ms: i64,
}

impl Stalled {
    /// So many messages in a row may find a run where it was; then the message is left to the tick.
    pub const MOST: u32 = 3;
}

impl Run {
    /// Why nobody may be taken for absent in it.
    pub fn absence(&self) -> &[String] {
        self.collections.get("people").map_or(&[], |people| &people.absence)
    }

    /// Whether somebody must look: at people, or at rows and values of the source that could not be read.
    pub fn needs_attention(&self) -> bool {
        self.attention > 0
            || !self.refused_entries.is_empty()
            || !self.left_out.is_empty()
            || !self.absence().is_empty()
            || self.write_back.as_ref().is_some_and(|note| note.refused > 0)
    }

    /// Whether it is about some people, wanted now, and not about everybody.
    pub fn is_partial(&self) -> bool {
        self.only.is_some() || self.requests
    }

    /// Whose turn it is with its messages.
    pub fn urgency(&self) -> Urgency {
        if self.is_partial() { Urgency::Now } else { Urgency::Scheduled }
    }

    /// Whether a collection was read to its end.
    pub fn has_read(&self, collection: &str) -> bool {
        self.collections.get(collection).is_some_and(|known| known.state == CollectionState::Complete)
    }

    /// Whether its changes are held instead of written: people wanted now do not pass a stop at which everybody's plan
    /// waits for an operator.
    pub fn is_held_at_stop(&self) -> bool {
        self.requests && self.stop.is_some() && self.accepted.is_none()
    }

    /// A message about it.
    pub fn message(&self, kind: MessageKind) -> Message {
        Message::new(self.connection.clone(), self.id.clone(), kind).with_urgency(self.urgency())
    }

    /// Whether its messages have given up: it goes on at the pace of the tick, and somebody should look why.
    pub fn is_stuck(&self) -> bool {
        self.phase != Phase::Closed && self.stalled.as_ref().is_some_and(|stalled| stalled.messages >= Stalled::MOST)
    }
}

/// Where a run is. Each is entered once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Reading both sides.
    Observing,
    /// Slices of people are decided.
    Deciding,
    /// Everybody is decided; the plan waits for somebody to accept it.
    Planned,
    /// Draining the lane.
    Writing,
    /// The guard judges the removals of all people together.
    Gate,
    /// Draining released removals.
    Removing,
    /// The source is given what its people lack.
    WritingBack,
    /// Writing the report.
    Reporting,
    /// The run has ended; its report is written.
    Closed,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nobody needs attention.
    Converged,
    /// Finished; some people need attention or approval.
    Attention,
    /// The plan is there and waits to be accepted.
    Planned,
    /// An observation was incomplete; nothing was removed, and perhaps nothing decided.
    Incomplete,
    /// Given up for a newer run.
    Abandoned,
    /// Could not go on.
    Failed,
}

/// What is known of one collection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// How far the collection was read.
    pub state: CollectionState,
    /// Items seen this time.
    pub seen: u64,
    /// Items that differ from before.
    pub changed: u64,
    /// How it was read, where there are two ways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<ReadMode>,
    /// Why it is not complete. No personal data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
    /// Why nobody may be taken for absent, although everybody who was read is decided. No personal data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absence: Vec<String>,
    /// Since when nobody could be taken for absent (Unix milliseconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absence_since_ms: Option<i64>,
    /// What was passed over, counted. No personal data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Collection {
    /// Whether nobody could be taken for absent for three nights: people who left since keep their access.
    pub fn is_absence_overdue(&self, now_ms: i64) -> bool {
        // The third night's run may begin a little earlier than the first one's did.
        const THREE_NIGHTS_MS: i64 = (2 * 24 + 12) * 60 * 60 * 1000;
        !self.absence.is_empty() && self.absence_since_ms.is_some_and(|since| now_ms - since >= THREE_NIGHTS_MS)
    }
}

/// How much of a collection was read to know all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadMode {
    /// All of it.
    Whole,
    /// What changed since the last reading.
    Changes,
    /// What concerns the people whom the run is about: each was asked for.
    Asked,
}

/// Every collection is complete or unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CollectionState {
    /// It is being read.
    #[default]
    Reading,
    /// Everything was read.
    Complete,
    /// Not, or not all: nothing may be concluded from silence.
    Unknown,
}

/// Why a run stops at its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// Only a plan was asked for.
    Asked,
    /// The connection's first run.
    FirstRun,
    /// The first run after the policy was widened.
    PolicyWidened,
    /// The first run after state was lost.
    StateLost,
    /// Too much of the last runs failed; nothing is written before the next attempt is due, or by hand.
    Quarantined,
}

/// How a plan was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// By hash: removals and approvals that the plan shows are included. Otherwise only the stop was.
    pub by_hash: bool,
    /// When it happened (Unix milliseconds).
    pub at_ms: i64,
    /// Who, as far as the system knows.
    pub by: String,
}

/// A plan in short; its slices lie in blobs `runs/<run>/plan/<slice>.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanHead {
    /// SHA-256 over the slices' hashes, hex.
    pub hash: String,
    /// How many of its slices have a change, or a value for the source. Their hashes lie beside the plan: of half a million people they would be
    /// more than an item of the table may hold.
    #[serde(default)]
    pub changed_slices: u64,
    /// People in it.
    pub people: u64,
    /// Calls that its changes are expected to write with, those included that wait for an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes: Option<u64>,
    /// How many are decided to have which action.
    pub by_action: BTreeMap<String, u64>,
    /// How often each reason is given (all reasons of a person count).
    pub by_reason: BTreeMap<String, u64>,
    /// Seats that its changes take, by licence; licences that none of them gives are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seats: Vec<Seats>,
    /// How many values the source is to be given, by its attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub write_back: BTreeMap<String, u64>,
}

impl PlanHead {
    /// The hash as people type it: a beginning that tells plans apart.
    pub fn short(&self) -> &str {
        self.hash.get(..12).unwrap_or(&self.hash)
    }
}

/// Seats of one licence that a plan takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seats {
    /// `SPE_E3` and the like.
    pub part_number: String,
    /// How many people the plan gives it.
    pub needed: u64,
    /// How many more could be given it when the tenant was read.
    pub free: u64,
}

impl Seats {
    /// How many people will go without.
    pub fn short(&self) -> u64 {
        self.needed.saturating_sub(self.free)
    }
}

/// One row of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanRow {
    /// Display name, for operators. Personal data.
    pub name: Box<str>,
    /// Sign-in name at the source. Personal data.
    pub upn: Box<str>,
    /// What was decided for the person, and why.
    pub decision: Decision,
    /// An accepted plan showed this very change: the guard does not count it again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accepted: bool,
}

/// What the guard said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardNote {
    /// Whether removals went through.
    pub released: bool,
    /// Removals of this run.
    pub removals: u64,
    /// Let through in the 24 hours before.
    pub before: u64,
    /// Links at the start of that window.
    pub links: u64,
    /// The reason, in one sentence.
    pub sentence: String,
    /// Removals that were let through because they are approved one by one; not among `removals`.
    #[serde(default, skip_serializing_if = "is_none")]
    pub approved: u64,
}

/// A limit of the guard that holds changes of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitNote {
    /// What is limited.
    pub kind: guard::Kind,
    /// How many the run wants, without those that an accepted plan showed.
    pub wanted: u64,
    /// How many went in the 24 hours before.
    pub before: u64,
    /// How many may go in 24 hours without an approval.
    pub allowed: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// What became of one person's change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Version of this shape.
    pub v: u32,
    /// The run in which the change ended.
    pub run: String,
    /// The person the change was for.
    pub key: PersonKey,
    /// The change that ended.
    pub change: ChangeId,
    /// How the change ended.
    pub result: OutcomeKind,
    /// The account it ended on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<ObjectId>,
    /// Why it was refused or waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What else somebody must know of it: every other value or licence that was refused, a password that nobody knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Reason>,
    /// Graph's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// When it happened (Unix milliseconds).
    pub at_ms: i64,
    /// What was written of it; `None` when nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Box<WrittenChange>>,
}

/// What was written of a change: the part of a person's history that undoing it needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenChange {
    /// The action, as an operator names it.
    pub action: Action,
    /// The steps that the tenant took, in order, with what was before and what is after. Groups, managers and licences are
    /// named as they were found. Of the attributes of a new account the sign-in name alone: the plan's row has the others.
    pub steps: Vec<Step>,
    /// Why the change was decided.
    pub why: Vec<Reason>,
}

impl Outcome {
    /// Everything that is said of it, the main reason first.
    pub fn said(&self) -> Vec<&Reason> {
        self.reason.iter().chain(&self.also).collect()
    }
}

/// A value that the source was given, or was to be given: the journal of a person's entry. `was` is missing, because nothing
/// is written where there was a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceWrite {
    /// What was planned, with the values.
    #[serde(flatten)]
    pub value: PlannedWriteBack,
    /// What became of it; `None` from before it is sent until the answer is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<SourceWriteResult>,
    /// Why it was refused, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What the source was given of a person in one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceWrites {
    /// Version of this shape.
    pub v: u32,
    /// The run.
    pub run: String,
    /// The person whose entry was written to.
    pub key: PersonKey,
    /// The account that the values are of.
    pub account: ObjectId,
    /// By which rule the person was joined to it.
    pub joined_by: JoinRule,
    /// When it happened (Unix milliseconds).
    pub at_ms: i64,
    /// The values, by attribute.
    pub values: Vec<SourceWrite>,
}

/// What became of a value for the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceWriteResult {
    /// It was written, where there was nothing.
    Written,
    /// The source has this very value already.
    AlreadyThere,
    /// The source has another value, which stays.
    Kept,
    /// The source refused it.
    Refused,
}

/// Kinds of outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// Everything of the change was written.
    Done,
    /// Refused by the tenant.
    Refused,
    /// Waits (approval, guard, another person's change).
    Held,
    /// Facts changed; decided again.
    FactsMoved,
    /// The tenant was not available for long enough; stays for the next run.
    Unavailable,
}

impl OutcomeKind {
    /// The name in `--json` documents and reports.
    pub fn name(self) -> &'static str {
        match self {
            OutcomeKind::Done => "done",
            OutcomeKind::Refused => "refused",
            OutcomeKind::Held => "held",
            OutcomeKind::FactsMoved => "facts_moved",
            OutcomeKind::Unavailable => "unavailable",
        }
    }
}
