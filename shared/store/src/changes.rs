//! Open changes, the lanes that point at them, held ones, and the history of what became of them.

use std::collections::BTreeMap;

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::change::{Change, Step};
use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::run::{Outcome, Run, WrittenChange};
use hardmatch_ports::tenant::Refusal;
use hardmatch_ports::{Condition, Item, Key, Write};
use serde::{Deserialize, Serialize};

use crate::hashes::{PersonHash, pack, unpack};
pub use crate::keys::LanePhase;
use crate::{Result, Store, Stored, json, keys, parse};

/// The one open change of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the change, stored by name")]
pub struct OpenChange {
    /// Version of this shape.
    pub v: u32,
    /// The change, as it was decided.
    pub change: Change,
    /// Which run decided it.
    pub run: String,
    /// Where it is.
    pub state: ChangeState,
    /// Steps done so far.
    #[serde(default)]
    pub done: usize,
    /// Attempts of the present step that did not end it.
    #[serde(default)]
    pub attempts: u32,
    /// Not to be tried before (Unix milliseconds).
    #[serde(default)]
    pub not_before_ms: i64,
    /// The manager whom the tenant did not take inline at the creation, to be set by a call of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager_pending: Option<hardmatch_domain::ids::ObjectId>,
    /// The first refusal of a step; later steps that do not rest on it went on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// Values, licences and other steps that were refused by themselves while the rest went on, each with its refusal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_parts: Vec<(Step, Refusal)>,
    /// The steps among those done that the tenant did not take, by their index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unwritten: Vec<usize>,
    /// The account was created, and nobody knows its initial password.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub password_unknown: bool,
    /// When it was decided (Unix milliseconds).
    #[serde(default)]
    pub decided_ms: i64,
    /// The revision of the account's mirror after the steps of this change that are done; `None` before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_revision: Option<u64>,
    /// Something besides this change needs attention: the person stays marked when it is done.
    #[serde(default)]
    pub keep_open: bool,
    /// The account, once a step made or found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<hardmatch_domain::ids::ObjectId>,
    /// An answer to the creation was lost: what is in its way later may be the account it made, which replicas that lag
    /// do not show yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
    /// An accepted plan showed this very change.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accepted: bool,
    /// The revision of the person's own mark that the decision answers: when the change is done, that mark goes, and a
    /// later one stays. `None`: they are marked with others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<u64>,
}

impl OpenChange {
    /// What was written of it so far; `None` when nothing was. Of the attributes of a new account the sign-in name alone is
    /// kept, so that what became of a creation stays within one unit of the table.
    pub fn written(&self) -> Option<WrittenChange> {
        let taken = self.change.steps.iter().take(self.done).enumerate();
        let taken = taken.filter(|(at, _)| !self.unwritten.contains(at)).map(|(_, step)| kept(step));
        let steps: Vec<Step> = taken.collect();
        (!steps.is_empty()).then(|| WrittenChange {
            action: self.change.action,
            steps,
            why: self.change.reasons.clone(),
        })
    }
}

fn kept(step: &Step) -> Step {
    let mut step = step.clone();
    if let Step::Create { attributes, .. } = &mut step {
        *attributes = attributes.iter().filter(|(attr, _)| *attr == Attr::UserPrincipalName).collect();
    }
    step
}

/// What lies in the place of a person's change once it has ended: what became of it, until the next is decided. So a change
/// that ends is one write.
#[derive(Serialize, Deserialize)]
struct Ended {
    v: u32,
    ended: Outcome,
}

/// Whether that is what lies there.
#[derive(Deserialize)]
struct Glance {
    #[serde(default)]
    ended: Option<serde::de::IgnoredAny>,
}

/// A person's last change, open or ended, as it was read.
#[derive(Clone, Debug)]
pub struct LastChange {
    /// The change that is not done yet.
    pub open: Option<OpenChange>,
    /// What became of the last one.
    ended: Option<Outcome>,
    /// What lies there is not what this version writes. Nobody knows whether anything of it was sent: the next decision
    /// takes its place, and the writer looks at the tenant before it sends anything.
    pub unreadable: bool,
    /// The table's revision.
    pub revision: u64,
}

impl LastChange {
    /// One item that cannot be read is one person's misfortune: it is said, and everybody else goes on.
    pub(crate) fn of(item: &Item) -> Self {
        let read = match is_ended(item) {
            Ok(true) => parse::<Ended>(item, "change").map(|stored| (None, Some(stored.value.ended))),
            Ok(false) => parse(item, "change").map(|stored| (Some(stored.value), None)),
            Err(error) => Err(error),
        };
        let unreadable = read.is_err();
        let (open, ended) = read.unwrap_or_else(|error| {
            let person = keys::pid_of(&item.key).map(|pid| pid.hex());
            tracing::error!(person.hash = person, %error, "a stored change cannot be read; the person is decided again");
            (None, None)
        });
        Self { open, ended, unreadable, revision: item.revision }
    }
}

fn is_ended(item: &Item) -> Result<bool> {
    Ok(parse::<Glance>(item, "change")?.value.ended.is_some())
}

/// The state of an open change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeState {
    /// The next step may be sent.
    Ready,
    /// The next step was handed to the tenant under this fence. Under an older fence its result is unknown: read
    /// before repeating.
    Sending(u64),
    /// Waits at the gate, for an approval or for a repair.
    Held,
}

/// A pointer of a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// Its key, to delete it by once all of them are settled.
    pub key: Key,
    /// The people whose changes the pointer leads to.
    pub pids: Vec<PersonHash>,
}

/// People of one pointer: so many places fit into one unit of the table.
pub const POINTED: usize = 50;

impl Store {
    /// The open changes of people; those without one are left out.
    pub async fn changes(
        &self,
        c: &ConnectionId,
        pids: &[PersonHash],
    ) -> Result<Vec<(PersonHash, Stored<OpenChange>)>> {
        let lasts = self.last_changes(c, pids).await?.into_iter();
        let open = lasts.filter_map(|(pid, last)| Some((pid, Stored { value: last.open?, revision: last.revision })));
        Ok(open.collect())
    }

    /// People's last changes, open or ended; those who never had one are left out.
    pub async fn last_changes(
        &self,
        c: &ConnectionId,
        pids: &[PersonHash],
    ) -> Result<BTreeMap<PersonHash, LastChange>> {
        let mut found = BTreeMap::new();
        for item in self.last_items(c, pids).await? {
            if let Some(pid) = keys::pid_of(&item.key) {
                found.insert(pid, LastChange::of(&item));
            }
        }
        Ok(found)
    }

    async fn last_items(&self, c: &ConnectionId, pids: &[PersonHash]) -> Result<Vec<Item>> {
        let wanted: Vec<Key> = pids.iter().map(|pid| keys::change(c, *pid)).collect();
        Ok(self.table.batch_get(&wanted).await?)
    }

    /// The table's revisions of people's open changes; those without one are left out.
    pub async fn change_revisions(&self, c: &ConnectionId, pids: &[PersonHash]) -> Result<BTreeMap<PersonHash, u64>> {
        let mut found = BTreeMap::new();
        for item in self.last_items(c, pids).await? {
            if let Some(pid) = keys::pid_of(&item.key)
                && is_ended(&item).is_ok_and(|ended| !ended)
            {
                found.insert(pid, item.revision);
            }
        }
        Ok(found)
    }

    /// The write that stores an open change over the one that was read under this revision.
    pub fn put_change(&self, c: &ConnectionId, pid: PersonHash, had: u64, change: &OpenChange) -> Write {
        Write::put_if(keys::change(c, pid), json(change), Condition::Revision(had))
    }

    /// The writes that store a newly decided change in the place that was read (`None`: nothing lay there). What became of
    /// the last one goes into the history.
    pub fn put_decided(
        &self,
        c: &ConnectionId,
        pid: PersonHash,
        had: Option<&LastChange>,
        change: &OpenChange,
        writes: &mut Vec<Write>,
    ) {
        if let Some(ended) = had.and_then(|had| had.ended.as_ref()) {
            self.put_outcome(c, pid, ended, writes);
        }
        let condition = had.map_or(Condition::Absent, |had| Condition::Revision(had.revision));
        writes.push(Write::put_if(keys::change(c, pid), json(change), condition));
    }

    /// The write that ends a change with what became of it, unless a newer decision replaced it.
    pub fn end_change(&self, c: &ConnectionId, pid: PersonHash, revision: u64, ended: &Outcome) -> Write {
        let body = Ended { v: 1, ended: ended.clone() };
        Write::put_if(keys::change(c, pid), json(&body), Condition::Revision(revision))
    }

    /// The write that takes back a change of which nothing came, unless a newer decision replaced it.
    pub fn delete_change(&self, c: &ConnectionId, pid: PersonHash, revision: u64) -> Write {
        Write::Delete { key: keys::change(c, pid), condition: Condition::Revision(revision) }
    }

    /// The writes that put people's changes of one depth into a run's lane, fifty to an item. `first` numbers the
    /// items of the depth, and lower depths go first: the same people at the same number are the same item, so this may
    /// be repeated.
    pub fn put_pointers(
        &self,
        run: &str,
        phase: LanePhase,
        depth: u32,
        first: usize,
        pids: &[PersonHash],
    ) -> Vec<Write> {
        let items = pids
            .chunks(POINTED)
            .enumerate()
            .map(|(number, chunk)| Write::put(keys::pointer(run, phase, depth, first + number), pack(chunk)));
        items.collect()
    }

    /// The next pointers of a lane in order, after a sort key.
    pub async fn pointers(
        &self,
        run: &str,
        phase: LanePhase,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Pointer>> {
        let mut query = keys::pointers(run, phase).limit(limit);
        if let Some(after) = after {
            query = query.after(after);
        }
        let mut found = Vec::new();
        self.each(query, |item| {
            found.push(Pointer { pids: unpack(&item.body), key: item.key });
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// The write that holds a person's removals until the gate.
    pub fn put_held(&self, run: &str, pid: PersonHash) -> Write {
        Write::put(keys::held(run, pid), Vec::new())
    }

    /// The write that takes them out again.
    pub fn delete_held(&self, run: &str, pid: PersonHash) -> Write {
        Write::delete(keys::held(run, pid))
    }

    /// Everybody whose removals wait at a run's gate.
    pub async fn held(&self, run: &str) -> Result<Vec<PersonHash>> {
        let mut found = Vec::new();
        self.each(keys::all_held(run), |item| {
            found.extend(PersonHash::parse(&item.key.sk));
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// The write that records what became of a change in a run, beside the change: one entry of the person's history for
    /// each run. Repeated, it is the same entry.
    pub fn put_outcome(&self, c: &ConnectionId, pid: PersonHash, outcome: &Outcome, writes: &mut Vec<Write>) {
        writes.push(Write::Put {
            key: keys::history(c, pid, &outcome.run),
            body: json(outcome),
            expires: Some(self.end_of(outcome.at_ms / 1000)),
            condition: Condition::None,
        });
    }

    /// What became of people in a run, in the order of their places.
    pub async fn outcomes_of(&self, run: &Run, pids: &[PersonHash]) -> Result<Vec<(PersonHash, Outcome)>> {
        let lasts = self.last_changes(&run.connection, pids).await?.into_iter();
        // A change that ended says more than what was said of it while it waited.
        let ended = lasts.filter_map(|(pid, last)| Some((pid, last.ended.filter(|ended| ended.run == run.id)?)));
        let mut found: BTreeMap<PersonHash, Outcome> = ended.collect();
        let others = pids.iter().filter(|pid| !found.contains_key(*pid));
        let wanted: Vec<Key> = others.map(|pid| keys::history(&run.connection, *pid, &run.id)).collect();
        for item in self.table.batch_get(&wanted).await? {
            if let Some(pid) = keys::pid_of(&item.key) {
                found.insert(pid, parse::<Outcome>(&item, "outcome")?.value);
            }
        }
        Ok(found.into_iter().collect())
    }

    /// A person's history, newest first, at most so many.
    pub async fn history(&self, c: &ConnectionId, pid: PersonHash, limit: usize) -> Result<Vec<Outcome>> {
        let last = self.last_changes(c, &[pid]).await?.remove(&pid);
        let query = keys::histories(c, pid).descending().limit(limit);
        let before = self.read_all::<Outcome>(query, "history").await?.into_iter().map(|(_, stored)| stored.value);
        let mut by_run: BTreeMap<String, Outcome> = before.map(|outcome| (outcome.run.clone(), outcome)).collect();
        by_run.extend(last.and_then(|last| last.ended).map(|ended| (ended.run.clone(), ended)));
        Ok(by_run.into_values().rev().take(limit).collect())
    }
}
