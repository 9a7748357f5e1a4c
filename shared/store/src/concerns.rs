//! What is kept of a connection, one type a concern. Each is an item of its own, so that a change of one disturbs nobody
//! who changes another.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::change::Action;
use hardmatch_domain::disconnected_period::DisconnectedPeriod;
use hardmatch_domain::guard::Kind;
use hardmatch_domain::ids::ObjectId;
use serde::{Deserialize, Serialize};

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

/// Which tenant a connection is of, and what it may do there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionStatus {
    /// The tenant's directory id, learnt in the first run and never allowed to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// What it may do.
    #[serde(default)]
    pub state: ConnectionState,
    /// Who paused it, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// Actions that an operator switched off: changes already decided stay where they are.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub off: BTreeSet<Action>,
    /// When it was disconnected, in order; the last one is open while it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disconnected: Vec<DisconnectedPeriod>,
    /// It was connected again and no plan was accepted since: the next run decides everybody and stops at its plan.
    #[serde(default)]
    pub reconnected: bool,
}

/// A connection paused by hand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// By whom, as the platform knows them.
    pub by: String,
    /// Since (Unix seconds).
    pub at: i64,
}

impl ConnectionStatus {
    /// Pauses it, unless it is paused or disconnected already.
    pub fn pause(&mut self, by: &str, now: i64) {
        if self.state == ConnectionState::Active {
            self.state = ConnectionState::Paused;
            self.paused = Some(Paused { by: by.to_owned(), at: now });
        }
    }

    /// Lets it go on, unless it is disconnected: that takes connecting again.
    pub fn resume(&mut self) {
        if self.state == ConnectionState::Paused {
            self.state = ConnectionState::Active;
        }
        self.paused = None;
    }

    /// Whether changes may be sent that were decided for it.
    pub fn may_write(&self) -> bool {
        match self.state {
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
        let connected = self.state != ConnectionState::Disconnected;
        if connected {
            self.state = ConnectionState::Disconnected;
            self.disconnected.push(DisconnectedPeriod { from: now, until: None });
        }
        connected
    }

    /// Takes it up again; whether it was disconnected.
    pub fn reconnect(&mut self, now: i64) -> bool {
        let disconnected = self.state == ConnectionState::Disconnected;
        if disconnected {
            self.state = ConnectionState::Active;
            self.reconnected = true;
            for open in self.disconnected.iter_mut().filter(|time| time.until.is_none()) {
                open.until = Some(now.max(open.from));
            }
        }
        disconnected
    }
}

/// The policy that new runs pin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivePolicy {
    /// Its revision; 0 where there is none.
    pub revision: u64,
    /// The hash of the policy.
    pub hash: String,
    /// The policy under which everybody was decided last; a newer active one means: decide everybody again.
    #[serde(default)]
    pub decided: u64,
    /// The policy of the last run over everybody that ended: what a newer one changes is told by runs until one of them
    /// has ended.
    #[serde(default)]
    pub told: u64,
    /// The policy widened since the last accepted plan.
    #[serde(default)]
    pub widened: bool,
}

/// Which run is open, and which scheduled time was taken last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleState {
    /// The run that is open, or was last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The newest scheduled time that was taken, and for which run: each is taken once, so that a schedule that fires
    /// twice begins one run. Entered with the run, under the revision that was read before it was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Slot>,
    /// Somebody said something that the next run carries out, as an approval: that the source did not change is no reason
    /// to leave the run out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wanted: bool,
}

/// A scheduled time that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The time; sorts: RFC 3339 in UTC, to the second.
    pub at: String,
    /// The run that was begun for it; empty: the source was asked whether anything changed, and no run was needed so far.
    pub run: String,
}

/// The last complete listing of the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastListing {
    /// Columns that the next listing must have, lower case.
    #[serde(default)]
    pub columns: Vec<String>,
    /// People in it.
    #[serde(default)]
    pub people: u64,
}

/// What the runs so far came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunHistory {
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
    /// Links, as the last run left them.
    #[serde(default)]
    pub links: u64,
    /// Timers up to here were taken (Unix seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timers_seen: Option<i64>,
}

/// What the guard let through lately.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardHistory {
    /// By run and kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spent: Vec<GuardSpent>,
    /// Members whom the guard let be taken out of groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members_spent: Vec<MembersSpent>,
}

/// What the guard let through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardSpent {
    /// In which run.
    pub run: String,
    /// Of which kind.
    pub kind: Kind,
    /// When (Unix seconds).
    pub at: i64,
    /// How many were let through.
    pub count: u64,
}

/// The guard's window (seconds).
const WINDOW: i64 = 24 * 60 * 60;

impl GuardHistory {
    /// How much of a kind other runs let go in the 24 hours before a time. What `run` itself noted does not count against
    /// it: a judgement that is made again comes out as it did.
    pub fn spent_since(&self, run: &str, kind: Kind, now: i64) -> u64 {
        let counts = |spent: &&GuardSpent| spent.kind == kind && spent.run != run && now - spent.at < WINDOW;
        self.spent.iter().filter(counts).map(|spent| spent.count).sum()
    }

    /// How many members of a group other runs took out in the 24 hours before a time.
    pub fn members_spent_since(&self, run: &str, group: &ObjectId, now: i64) -> u64 {
        let counts = |spent: &&MembersSpent| spent.group == *group && spent.run != run && now - spent.at < WINDOW;
        self.members_spent.iter().filter(counts).map(|spent| spent.count).sum()
    }

    /// Remembers what was let through; once for each run and kind, however often it is told.
    pub fn spend(&mut self, run: &str, kind: Kind, now: i64, count: u64) {
        self.spent.retain(|spent| now - spent.at < WINDOW && !(spent.run == run && spent.kind == kind));
        self.spent.push(GuardSpent { run: run.to_owned(), kind, at: now, count });
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
    /// The run that let them through.
    pub run: String,
    /// The group that lost members.
    pub group: ObjectId,
    /// When (Unix seconds).
    pub at: i64,
    /// How many were let through.
    pub count: u64,
}

/// The credential by which the application acts, and its tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialState {
    /// When the application's proof ends (Unix seconds), where that is known: noted by the process that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<i64>,
    /// When the process that has it was last asked to note it (Unix seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<i64>,
    /// How often its tokens were forgotten: a process that keeps one in memory asks anew when this has grown.
    #[serde(default)]
    pub forgotten: u64,
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
    /// Why nothing is written, in one sentence.
    pub why: String,
    /// The run that failed last: it counts once, however often it is told.
    #[serde(default)]
    pub run: String,
}

/// Hours until the next attempt: the first failure, the second, and from the third on daily.
const RETRY_HOURS: [i64; 3] = [6, 12, 24];

impl Quarantine {
    /// After one more failure at a time (Unix seconds).
    pub(crate) fn after(before: Option<&Self>, run: &str, why: &str, now: i64) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disconnected_period_begins_and_ends_once() {
        let mut status = ConnectionStatus::default();
        assert!(!status.reconnect(5), "nothing to take up");
        assert!(status.disconnect(10) && !status.disconnect(20));
        assert_eq!((status.state, status.disconnected.len()), (ConnectionState::Disconnected, 1));
        assert!(status.reconnect(30) && !status.reconnect(40));
        assert_eq!(status.disconnected, [DisconnectedPeriod { from: 10, until: Some(30) }]);
        assert!(status.reconnected && status.state == ConnectionState::Active);
    }

    #[test]
    fn what_a_run_let_go_counts_against_others_and_not_against_itself() {
        let mut guard = GuardHistory::default();
        guard.spend("r1", Kind::Removals, 10, 5);
        guard.spend("r2", Kind::Removals, 20, 3);
        let spent = |run: &str, now: i64| guard.spent_since(run, Kind::Removals, now);
        assert_eq!((spent("r3", 30), spent("r2", 30), spent("r1", 30)), (8, 5, 3));
        assert_eq!(spent("r3", 10 + WINDOW), 3, "a day later it is forgotten");
        assert_eq!(guard.spent_since("r3", Kind::Renames, 30), 0);
    }

    #[test]
    fn what_a_run_took_out_of_a_group_counts_against_others_and_not_against_itself() {
        let group = ObjectId::from("g");
        let mut guard = GuardHistory::default();
        guard.spend_members("r1", 10, &BTreeMap::from([(group.clone(), 5)]));
        guard.spend_members("r1", 11, &BTreeMap::from([(group.clone(), 5)]));
        guard.spend_members("r2", 20, &BTreeMap::from([(group.clone(), 3)]));
        let spent = |run: &str, now: i64| guard.members_spent_since(run, &group, now);
        assert_eq!((spent("r3", 30), spent("r2", 30), spent("r3", 11 + WINDOW)), (8, 5, 3));
        assert_eq!(guard.members_spent_since("r3", &ObjectId::from("h"), 30), 0);
    }

    #[test]
    fn paused_is_neither_active_nor_disconnected() {
        let mut status = ConnectionStatus::default();
        status.pause("ada", 5);
        status.pause("bea", 6);
        assert_eq!(status.paused, Some(Paused { by: "ada".to_owned(), at: 5 }), "the first operator's name stays");
        assert!(!status.may_write());
        status.resume();
        assert!(status.may_write() && status.paused.is_none());
        status.disconnect(7);
        status.resume();
        assert_eq!(
            (status.state, status.may_write()),
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
