//! A connection's own items: its state, its policies, its runs in short.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use hardmatch_domain::change::Action;
use hardmatch_domain::disconnected_period::DisconnectedPeriod;
use hardmatch_domain::guard::Kind;
use hardmatch_domain::ids::{ConnectionId, ObjectId};
use hardmatch_ports::{Condition, Key, Query, TableError, Write};
use serde::{Deserialize, Serialize};

use crate::timers::Timer;
use crate::{Result, Store, Stored, json, keys};

/// What a connection may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// Schedules begin its runs.
    #[default]
    Active,
    /// Schedules pass it by, and nothing is written for it: what was decided waits. An operator may still plan.
    Paused,
    /// Its credentials were given up: schedules pass it by, timers are not taken, clocks of leaving stand still, and its
    /// links wait, disconnected, until it is connected again.
    Disconnected,
}

/// `CONN#C / META`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Version of this shape.
    pub v: u32,
    /// The tenant's directory id, learnt in the first run and never allowed to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// What it may do.
    #[serde(default)]
    pub standing: ConnectionState,
    /// Who paused it, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// Actions that an operator switched off: changes already decided stay where they are.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub off: BTreeSet<Action>,
    /// The active policy.
    pub policy_revision: u64,
    /// Its hash.
    pub policy_hash: String,
    /// The policy under which everybody was decided last; a newer active one means: decide everybody again.
    #[serde(default)]
    pub decided_policy: u64,
    /// The policy widened since the last accepted plan.
    #[serde(default)]
    pub widened: bool,
    /// The run that is open, or was last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The newest scheduled time that was taken, and for which run: each is taken once, so that a schedule that fires
    /// twice begins one run. Entered with the run, under the revision that was read before it was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Slot>,
    /// Columns that the next listing must have, lower case.
    #[serde(default)]
    pub columns: Vec<String>,
    /// When a plan was first accepted (Unix seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_accepted: Option<i64>,
    /// When a plan was first applied by its hash (Unix seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_by_hash: Option<i64>,
    /// Last run that converged or needed attention only (Unix seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success: Option<i64>,
    /// When a run over everybody last ended well (Unix seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<i64>,
    /// Nothing is written until then (Unix seconds), and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Quarantine>,
    /// People in the last complete listing.
    #[serde(default)]
    pub people: u64,
    /// Links, as the last run left them.
    #[serde(default)]
    pub links: u64,
    /// What the guard let through lately.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spent: Vec<Spent>,
    /// Members whom the guard let be taken out of groups lately.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members_spent: Vec<MembersSpent>,
    /// Timers up to here were taken (Unix seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timers_seen: Option<i64>,
    /// When it was disconnected, in order; the last one is open while it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disconnected: Vec<DisconnectedPeriod>,
    /// It was connected again and no plan was accepted since: the next run decides everybody and stops at its plan.
    #[serde(default, skip_serializing_if = "is_false")]
    pub reconnected: bool,
    /// When the application's proof ends (Unix seconds), where that is known: noted by whoever has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_ends: Option<i64>,
    /// When whoever has it was last asked to note it (Unix seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_asked: Option<i64>,
    /// How often its tokens were forgotten: a process that keeps one in memory asks anew when this has grown.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub forgotten: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape of serde")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape of serde")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// A scheduled time that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The time; sorts: RFC 3339 in UTC, to the second.
    pub at: String,
    /// The run that was begun for it.
    pub run: String,
}

/// A connection paused by hand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// By whom, as the platform knows them.
    pub by: String,
    /// Since (Unix seconds).
    pub at: i64,
}

/// What the guard let through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// In which run.
    pub run: String,
    /// Of which kind.
    pub kind: Kind,
    /// When (Unix seconds).
    pub at: i64,
    /// How many.
    pub count: u64,
}

/// The guard's window (seconds).
const WINDOW: i64 = 24 * 60 * 60;

impl Meta {
    /// How much of a kind other runs let go in the 24 hours before a time. What `run` itself noted does not count against
    /// it: a judgement that is made again comes out as it did.
    pub fn spent_since(&self, run: &str, kind: Kind, now: i64) -> u64 {
        let counts = |spent: &&Spent| spent.kind == kind && spent.run != run && now - spent.at < WINDOW;
        self.spent.iter().filter(counts).map(|spent| spent.count).sum()
    }

    /// How many members of a group other runs took out in the 24 hours before a time.
    pub fn members_spent_since(&self, run: &str, group: &ObjectId, now: i64) -> u64 {
        let counts = |spent: &&MembersSpent| spent.group == *group && spent.run != run && now - spent.at < WINDOW;
        self.members_spent.iter().filter(counts).map(|spent| spent.count).sum()
    }

    /// Pauses it, unless it is paused or disconnected already.
    pub fn pause(&mut self, by: &str, now: i64) {
        if self.standing == ConnectionState::Active {
            self.standing = ConnectionState::Paused;
            self.paused = Some(Paused { by: by.to_owned(), at: now });
        }
    }

    /// Lets it go on, unless it is disconnected: that takes connecting again.
    pub fn resume(&mut self) {
        if self.standing == ConnectionState::Paused {
            self.standing = ConnectionState::Active;
        }
        self.paused = None;
    }

    /// Whether changes may be sent that were decided for it.
    pub fn may_write(&self) -> bool {
        match self.standing {
            ConnectionState::Active => true,
            ConnectionState::Paused | ConnectionState::Disconnected => false,
        }
    }

    /// Whether changes of this action may be sent.
    pub fn allows(&self, action: Action) -> bool {
        !self.off.contains(&action)
    }

    /// Gives its credentials up; whether it had not before.
    pub fn disconnect(&mut self, now: i64) -> bool {
        let parks = self.standing != ConnectionState::Disconnected;
        if parks {
            self.standing = ConnectionState::Disconnected;
            self.disconnected.push(DisconnectedPeriod { from: now, until: None });
        }
        parks
    }

    /// Takes it up again; whether it was disconnected.
    pub fn reconnect(&mut self, now: i64) -> bool {
        let disconnected = self.standing == ConnectionState::Disconnected;
        if disconnected {
            self.standing = ConnectionState::Active;
            self.reconnected = true;
            for open in self.disconnected.iter_mut().filter(|time| time.until.is_none()) {
                open.until = Some(now.max(open.from));
            }
        }
        disconnected
    }

    /// Remembers what was let through; once for each run and kind, however often it is told.
    pub fn spend(&mut self, run: &str, kind: Kind, now: i64, count: u64) {
        self.spent.retain(|spent| now - spent.at < WINDOW && !(spent.run == run && spent.kind == kind));
        self.spent.push(Spent { run: run.to_owned(), kind, at: now, count });
    }

    /// Remembers how many members of which group were taken out; once for each run.
    pub fn spend_members(&mut self, run: &str, now: i64, groups: &BTreeMap<ObjectId, u64>) {
        self.members_spent.retain(|spent| now - spent.at < WINDOW && spent.run != run);
        let spent = |(group, count): (&ObjectId, &u64)| MembersSpent {
            run: run.to_owned(),
            group: group.clone(),
            at: now,
            count: *count,
        };
        self.members_spent.extend(groups.iter().map(spent));
    }
}

/// Members that a run took out of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembersSpent {
    /// Which run.
    pub run: String,
    /// Which group.
    pub group: ObjectId,
    /// When (Unix seconds).
    pub at: i64,
    /// How many.
    pub count: u64,
}

/// A connection that writes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// Since (Unix seconds).
    pub since: i64,
    /// Next attempt (Unix seconds).
    pub next: i64,
    /// Attempts so far.
    pub attempts: u32,
    /// One sentence.
    pub why: String,
    /// The run that failed last: it counts once, however often it is told.
    #[serde(default)]
    pub run: String,
}

/// Hours until the next attempt: the first failure, the second, and from the third on daily.
const RETRY_HOURS: [i64; 3] = [6, 12, 24];

impl Quarantine {
    /// After one more failure at a time (Unix seconds).
    fn after(before: Option<&Self>, run: &str, why: &str, now: i64) -> Self {
        let attempts = before.map_or(0, |before| before.attempts);
        let place = usize::try_from(attempts).unwrap_or(usize::MAX).min(RETRY_HOURS.len() - 1);
        Self {
            since: before.map_or(now, |before| before.since),
            next: now + RETRY_HOURS[place] * 60 * 60,
            attempts: attempts.saturating_add(1),
            why: why.to_owned(),
            run: run.to_owned(),
        }
    }
}

/// Policy texts that a process keeps: a few kilobytes each, and more than the connections it works for at a time.
const KEPT_TEXTS: usize = 64;

fn policy_key(c: &ConnectionId, revision: u64) -> Key {
    keys::connection(c, format!("POLICY#{revision:012}"))
}

/// The partition that lists all connections.
const CONNECTIONS: &str = "CONNS";

impl Store {
    /// A connection's state; the default at revision 0 when it is new.
    pub async fn meta(&self, c: &ConnectionId) -> Result<Stored<Meta>> {
        let found = self.read(&keys::connection(c, "META"), "connection").await?;
        Ok(found.unwrap_or(Stored { value: Meta { v: 1, ..Meta::default() }, revision: 0 }))
    }

    /// Replaces a connection's state, unless somebody else did.
    pub async fn put_meta(&self, c: &ConnectionId, meta: &Stored<Meta>) -> Result<()> {
        let mut writes = Self::meta_writes(c, meta);
        match (writes.pop(), writes.is_empty()) {
            (Some(write), true) => self.table.write(write).await.map(drop)?,
            (last, _) => self.table.transact(writes.into_iter().chain(last).collect()).await?,
        }
        Ok(())
    }

    /// The writes that replace a connection's state; the first ones enter it into the list of connections. Use them in a
    /// transaction.
    pub(crate) fn meta_writes(c: &ConnectionId, meta: &Stored<Meta>) -> Vec<Write> {
        let new = meta.revision == 0;
        let condition = if new { Condition::Absent } else { Condition::Revision(meta.revision) };
        let mut writes = vec![Write::put_if(keys::connection(c, "META"), json(&meta.value), condition)];
        if new {
            writes.push(Write::put(Key::new(CONNECTIONS, c.as_str()), Vec::new()));
        }
        writes
    }

    /// All connections, by name.
    pub async fn connections(&self) -> Result<Vec<ConnectionId>> {
        let mut found = Vec::new();
        self.each(Query::prefix(CONNECTIONS, ""), |item| {
            found.push(ConnectionId::new(item.key.sk));
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// Nothing of the connection is written until `next`, and a timer brings the next attempt: after 6 hours, 12, 24, then
    /// daily. For bad credentials (`why` names the cure) and for runs of which too much failed. A run that is told twice
    /// counts once.
    pub async fn quarantine(&self, c: &ConnectionId, run: &str, why: &str, now: i64) -> Result<Quarantine> {
        loop {
            let mut meta = self.meta(c).await?;
            let had = meta.value.quarantine.as_ref();
            if let Some(had) = had.filter(|had| had.run == run) {
                return Ok(had.clone());
            }
            let next = Quarantine::after(had, run, why, now);
            meta.value.quarantine = Some(next.clone());
            let mut writes = Self::meta_writes(c, &meta);
            writes.push(self.put_timer(c, Timer::Quarantine, next.next));
            match self.table.transact(writes).await {
                Ok(()) => return Ok(next),
                Err(TableError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Ends a quarantine by hand; whether there was one. Its timer finds nothing to do.
    pub async fn release_quarantine(&self, c: &ConnectionId) -> Result<bool> {
        let held = self.meta(c).await?.value.quarantine.is_some();
        if held {
            self.update_meta(c, |meta| meta.quarantine = None).await?;
        }
        Ok(held)
    }

    /// Changes a connection's state; tries again when somebody else was faster. What stays as it is is not written.
    pub async fn update_meta(&self, c: &ConnectionId, change: impl Fn(&mut Meta)) -> Result<Meta> {
        loop {
            let mut meta = self.meta(c).await?;
            let before = meta.value.clone();
            change(&mut meta.value);
            if meta.revision > 0 && meta.value == before {
                return Ok(before);
            }
            match self.put_meta(c, &meta).await {
                Ok(()) => return Ok(meta.value),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes a connection up again that was disconnected: `tenant` is the directory id that its new credentials are of.
    /// Of another tenant than before they bring nothing back: that is another connection.
    pub async fn reconnect(&self, c: &ConnectionId, tenant: &str, now: i64) -> Result<Meta> {
        self.update_meta(c, |meta| {
            if meta.tenant.as_deref().is_none_or(|known| known.eq_ignore_ascii_case(tenant)) {
                meta.reconnect(now);
            }
        })
        .await
    }

    /// Stores a policy text as a connection's next revision and makes it the active one, in one transaction with the state
    /// that `meta` was read as and `change` changes: nothing is left behind when somebody else changes that state meanwhile.
    /// `None` then.
    pub async fn activate_policy(
        &self,
        c: &ConnectionId,
        meta: &Stored<Meta>,
        text: &str,
        hash: &str,
        change: impl FnOnce(&mut Meta),
    ) -> Result<Option<Meta>> {
        let mut revision = meta.value.policy_revision + 1;
        // A process that ended between two writes of an earlier version left a text behind that nobody activated.
        while self.policy(c, revision).await?.is_some() {
            revision += 1;
        }
        let mut next = meta.clone();
        change(&mut next.value);
        next.value.policy_revision = revision;
        hash.clone_into(&mut next.value.policy_hash);
        // It may name another secret or certificate.
        next.value.credential_asked = None;
        let mut writes = Self::meta_writes(c, &next);
        writes.push(Write::put_if(policy_key(c, revision), json(&text), Condition::Absent));
        match self.table.transact(writes).await {
            Ok(()) => Ok(Some(next.value)),
            Err(TableError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Stores a policy text under its revision. Policies are never changed.
    pub async fn put_policy(&self, c: &ConnectionId, revision: u64, text: &str) -> Result<()> {
        match self.table.write(Write::put_if(policy_key(c, revision), json(&text), Condition::Absent)).await {
            Ok(_) | Err(TableError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// A policy's text. Read once by each process: it never changes.
    pub async fn policy(&self, c: &ConnectionId, revision: u64) -> Result<Option<Arc<str>>> {
        let place = (c.clone(), revision);
        if let Some(text) = self.texts.lock().unwrap_or_else(PoisonError::into_inner).get(&place) {
            return Ok(Some(Arc::clone(text)));
        }
        let key = policy_key(c, revision);
        let Some(stored) = self.read::<String>(&key, "policy").await? else { return Ok(None) };
        let text: Arc<str> = stored.value.into();
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if texts.len() >= KEPT_TEXTS {
            texts.clear();
        }
        texts.insert(place, Arc::clone(&text));
        Ok(Some(text))
    }

    /// Names of all runs, newest first, at most so many.
    pub async fn run_ids(&self, c: &ConnectionId, limit: usize) -> Result<Vec<String>> {
        let query = Query::prefix(format!("CONN#{c}"), "RUN#").descending().limit(limit);
        let mut ids = Vec::new();
        self.each(query, |item| {
            ids.push(item.key.sk.trim_start_matches("RUN#").to_owned());
            Ok(())
        })
        .await?;
        Ok(ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parked_time_begins_and_ends_once() {
        let mut meta = Meta::default();
        assert!(!meta.reconnect(5), "nothing to take up");
        assert!(meta.disconnect(10) && !meta.disconnect(20));
        assert_eq!((meta.standing, meta.disconnected.len()), (ConnectionState::Disconnected, 1));
        assert!(meta.reconnect(30) && !meta.reconnect(40));
        assert_eq!(meta.disconnected, [DisconnectedPeriod { from: 10, until: Some(30) }]);
        assert!(meta.reconnected && meta.standing == ConnectionState::Active);
    }

    #[test]
    fn what_a_run_let_go_counts_against_others_and_not_against_itself() {
        let mut meta = Meta::default();
        meta.spend("r1", Kind::Removals, 10, 5);
        meta.spend("r2", Kind::Removals, 20, 3);
        let spent = |run: &str, now: i64| meta.spent_since(run, Kind::Removals, now);
        assert_eq!((spent("r3", 30), spent("r2", 30), spent("r1", 30)), (8, 5, 3));
        assert_eq!(spent("r3", 10 + WINDOW), 3, "a day later it is forgotten");
        assert_eq!(meta.spent_since("r3", Kind::Renames, 30), 0);
    }

    #[test]
    fn what_a_run_took_out_of_a_group_counts_against_others_and_not_against_itself() {
        let group = ObjectId::from("g");
        let mut meta = Meta::default();
        meta.spend_members("r1", 10, &BTreeMap::from([(group.clone(), 5)]));
        meta.spend_members("r1", 11, &BTreeMap::from([(group.clone(), 5)]));
        meta.spend_members("r2", 20, &BTreeMap::from([(group.clone(), 3)]));
        let spent = |run: &str, now: i64| meta.members_spent_since(run, &group, now);
        assert_eq!((spent("r3", 30), spent("r2", 30), spent("r3", 11 + WINDOW)), (8, 5, 3));
        assert_eq!(meta.members_spent_since("r3", &ObjectId::from("h"), 30), 0);
    }

    #[test]
    fn paused_is_neither_active_nor_disconnected() {
        let mut meta = Meta::default();
        meta.pause("ada", 5);
        meta.pause("bea", 6);
        assert_eq!(meta.paused, Some(Paused { by: "ada".to_owned(), at: 5 }), "whoever came first");
        assert!(!meta.may_write());
        meta.resume();
        assert!(meta.may_write() && meta.paused.is_none());
        meta.disconnect(7);
        meta.resume();
        assert_eq!(
            (meta.standing, meta.may_write()),
            (ConnectionState::Disconnected, false),
            "that takes connecting again"
        );
    }

    #[test]
    fn retries_slow_down() {
        let mut last: Option<Quarantine> = None;
        let mut hours = Vec::new();
        for run in 0..4 {
            let next = Quarantine::after(last.as_ref(), &run.to_string(), "bad secret", 1_000);
            hours.push((next.next - 1_000) / 3600);
            last = Some(next);
        }
        assert_eq!(hours, [6, 12, 24, 24]);
    }
}
