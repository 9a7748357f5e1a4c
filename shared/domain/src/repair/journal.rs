//! The journal of a repair: what was before, how far the repair is, in which direction it goes, and what is known of the
//! call that was sent last. It is stored before each call, so that a process may be killed at any moment.

use serde::{Deserialize, Serialize};

use crate::vocabulary::account::Account;
use crate::vocabulary::change::{Change, ChangeId};
use crate::vocabulary::ids::{ConnectionId, ImmutableId, ObjectId, PersonRef};
use crate::vocabulary::link::JoinRule;
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::repair::{RepairCall, RepairKind, RepairPlan, RepairWrite, accounts};
use crate::vocabulary::values;

/// After so many failures of one call a repair turns back, or waits for an operator when it is on its way back.
pub const MAX_ATTEMPTS: u32 = 8;

/// A repair under way, or ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Journal {
    /// Version of this shape.
    pub v: u32,
    /// Names the repair: its change and the run that began it.
    pub id: Box<str>,
    /// What it is for.
    pub kind: RepairKind,
    /// Whose repair it is.
    pub connection: ConnectionId,
    /// The person whose change it is, or whom the account belongs to. `None`: the account is nobody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonRef>,
    /// Other people whose accounts or names are part of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<PersonRef>,
    /// Addresses of the accounts that take part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Box<str>>,
    /// The run that began it.
    pub run: Box<str>,
    /// The change whose step it is.
    pub change: ChangeId,
    /// Why it was begun.
    pub reasons: Vec<Reason>,
    /// The calls, in order.
    pub calls: Vec<RepairCall>,
    /// The accounts as they were before the first call.
    pub originals: Vec<Original>,
    /// The link that is stored when it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkAfter>,
    /// Which way it goes.
    pub direction: Direction,
    /// How many calls, counted from the first, are carried out and not taken back.
    pub done: usize,
    /// Whether the present call was handed to the tenant and its answer is not known: it may have been carried out.
    #[serde(default)]
    pub sent: bool,
    /// Failures of the present call.
    #[serde(default)]
    pub attempts: u32,
    /// Looks that did not show yet what was written.
    #[serde(default)]
    pub looks: u32,
    /// Where it is.
    pub state: RepairState,
    /// Why it turned back or does not go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Reason>,
    /// What somebody else changed meanwhile and is left as they want it, by the names of properties.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Box<str>>,
    /// When it began (Unix milliseconds).
    pub began_ms: i64,
    /// When it ended (Unix milliseconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<i64>,
}

/// Which way a repair goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Towards what was decided.
    Forward,
    /// Towards what was before.
    Back,
}

/// Where a repair is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepairState {
    /// Calls are to be made.
    Open,
    /// It can go neither way by itself: somebody must look.
    Blocked,
    /// Everything is as it was decided.
    Repaired,
    /// Everything is as it was before.
    RolledBack,
}

impl RepairState {
    /// Whether nothing more is to be done.
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Repaired | Self::RolledBack)
    }

    /// The name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Blocked => "blocked",
            Self::Repaired => "repaired",
            Self::RolledBack => "rolled-back",
        }
    }
}

/// An account before the first call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Original {
    /// The account.
    pub account: ObjectId,
    /// Its sign-in name; of a deleted account as it was before the deletion.
    pub upn: Option<Box<str>>,
    /// Its immutable ID.
    pub immutable_id: Option<ImmutableId>,
    /// Whether it was in the recycle bin.
    pub deleted: bool,
}

impl Original {
    /// What a repair may write of an account.
    pub fn of(account: &Account) -> Self {
        Self {
            account: account.id.clone(),
            upn: account.upn().map(Into::into),
            immutable_id: account.immutable_id.clone(),
            deleted: account.is_deleted(),
        }
    }
}

/// The link that a finished repair leaves.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LinkAfter {
    /// The account that is the person's.
    pub account: ObjectId,
    /// By which rule they are joined.
    pub joined_by: JoinRule,
    /// The person whose link ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_from: Option<PersonRef>,
}

/// Whose a repair is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Whose {
    /// The connection.
    pub connection: ConnectionId,
    /// The person; `None`: the account is nobody's.
    pub person: Option<PersonRef>,
}

impl Journal {
    /// The name of the repair of a change in a run.
    pub fn name(change: &ChangeId, run: &str) -> Box<str> {
        format!("{}~{run}", change.as_str()).into()
    }

    /// A repair that begins now. `originals` are its accounts as they were read a moment ago.
    pub fn begin(change: &Change, plan: &RepairPlan, run: &str, originals: Vec<Original>, now_ms: i64) -> Self {
        let links = change.steps.iter().any(|step| matches!(step, crate::vocabulary::change::Step::Link));
        let link = change.account.clone().filter(|_| links).map(|account| LinkAfter {
            account,
            joined_by: change.joined_by,
            link_from: change.link_from.clone(),
        });
        let mut people = plan.people.clone();
        people.extend(change.link_from.clone().filter(|from| !plan.people.contains(from)));
        let whose = Whose { connection: change.person.connection.clone(), person: Some(change.person.clone()) };
        Self {
            people,
            reasons: change.reasons.clone(),
            link,
            ..Self::of(whose, &change.id, plan, run, originals, now_ms)
        }
    }

    /// A repair of one account that an operator asked for, whose account or nobody's. `reasons` say who asked.
    pub fn asked_for(
        whose: Whose,
        plan: &RepairPlan,
        run: &str,
        account: &Account,
        reasons: Vec<Reason>,
        now_ms: i64,
    ) -> Self {
        let change = ChangeId::of_repair(&whose.connection, &account.id, plan);
        Self { reasons, ..Self::of(whose, &change, plan, run, vec![Original::of(account)], now_ms) }
    }

    fn of(
        whose: Whose,
        change: &ChangeId,
        plan: &RepairPlan,
        run: &str,
        originals: Vec<Original>,
        now_ms: i64,
    ) -> Self {
        Self {
            v: 1,
            id: Self::name(change, run),
            kind: plan.kind,
            connection: whose.connection,
            person: whose.person,
            people: plan.people.clone(),
            addresses: plan.addresses.clone(),
            run: run.into(),
            change: change.clone(),
            reasons: Vec::new(),
            calls: plan.calls.clone(),
            originals,
            link: None,
            direction: Direction::Forward,
            done: 0,
            sent: false,
            attempts: 0,
            looks: 0,
            state: RepairState::Open,
            why: None,
            left: Vec::new(),
            began_ms: now_ms,
            ended_ms: None,
        }
    }

    /// Takes a repair back that ended as it was decided: it is open again, on its way back.
    pub fn reopen(&mut self, why: Reason) {
        self.done = self.calls.len();
        (self.direction, self.state, self.ended_ms) = (Direction::Back, RepairState::Open, None);
        (self.sent, self.attempts, self.looks) = (false, 0, 0);
        self.left.clear();
        self.why = Some(why);
    }

    /// The repair as it was decided; temporary names may have been changed on the way.
    pub fn plan(&self) -> RepairPlan {
        RepairPlan {
            kind: self.kind,
            calls: self.calls.clone(),
            people: self.people.clone(),
            addresses: self.addresses.clone(),
        }
    }

    /// The accounts that take part, each once.
    pub fn accounts(&self) -> Vec<&ObjectId> {
        accounts(&self.calls)
    }

    /// The call to be made now, in the direction in which the repair goes; `None` at the end.
    pub fn present(&self) -> Option<RepairCall> {
        match self.direction {
            Direction::Forward => self.calls.get(self.done).cloned(),
            Direction::Back => self.calls.get(self.done.checked_sub(1)?)?.inverse(),
        }
    }

    /// Whether everything that was carried out can be taken back.
    pub fn can_turn_back(&self) -> bool {
        let end = (self.done + usize::from(self.sent)).min(self.calls.len());
        self.calls[..end].iter().all(|call| call.inverse().is_some())
    }

    /// The present call is carried out, or need not be.
    pub fn advance(&mut self) {
        match self.direction {
            Direction::Forward => self.done += 1,
            Direction::Back => self.done = self.done.saturating_sub(1),
        }
        (self.sent, self.attempts, self.looks) = (false, 0, 0);
    }

    /// Goes back to what was before, for this reason; where nothing brings that back, waits for somebody to look.
    pub fn turn_back(&mut self, why: Reason) {
        if self.direction == Direction::Back || !self.can_turn_back() {
            self.block(why);
            return;
        }
        // A call without an answer may have been carried out.
        if self.sent {
            self.done = (self.done + 1).min(self.calls.len());
        }
        self.direction = Direction::Back;
        (self.sent, self.attempts, self.looks) = (false, 0, 0);
        self.state = RepairState::Open;
        self.why = Some(why);
    }

    /// It goes neither way by itself.
    pub fn block(&mut self, why: Reason) {
        self.state = RepairState::Blocked;
        let what = match self.direction {
            Direction::Back => "not taken back",
            Direction::Forward => "cannot be taken back, and does not go on",
        };
        let first = self.why.take().and_then(|why| why.detail).map(|first| format!("; turned back for: {first}"));
        let now = why.detail.unwrap_or_else(|| why.code.sentence().into());
        self.why = Some(Reason::with(Code::RollbackBlocked, format!("{what}: {now}{}", first.unwrap_or_default())));
    }

    /// A repair that was blocked is tried again.
    pub fn unblock(&mut self) {
        if self.state == RepairState::Blocked {
            self.state = RepairState::Open;
            (self.attempts, self.looks) = (0, 0);
        }
    }

    /// It has ended.
    pub fn close(&mut self, now_ms: i64) {
        self.state = match self.direction {
            Direction::Forward => RepairState::Repaired,
            Direction::Back => RepairState::RolledBack,
        };
        self.ended_ms = Some(now_ms);
    }

    /// Takes another temporary name in the place of the one that the present call would give, because somebody has that
    /// one. Whether the name was a temporary one.
    pub fn rename_temporary(&mut self) -> bool {
        let Some(RepairCall { account, write: RepairWrite::Upn { after: taken, .. } }) = self.present() else {
            return false;
        };
        if self.direction == Direction::Back || !values::is_temporary(&taken) {
            return false;
        }
        let Some((local, domain)) = taken.rsplit_once('@') else { return false };
        let other: Box<str> = format!("{local}x@{domain}").into();
        for call in self.calls.iter_mut().filter(|call| call.account == account) {
            if let RepairWrite::Upn { before, after } = &mut call.write {
                for name in [before, after] {
                    if *name == taken {
                        name.clone_from(&other);
                    }
                }
            }
        }
        true
    }

    /// What a call of the repair has written, or would write, to a property of an account before the present call: what a
    /// replica that lags may still show.
    pub(super) fn has_been(&self, account: &ObjectId, value: Written<'_>) -> bool {
        self.calls.iter().filter(|call| call.account == *account).any(|call| match (&call.write, value) {
            (RepairWrite::Upn { before, after }, Written::Upn(seen)) => **before == *seen || **after == *seen,
            (RepairWrite::Id { before, after }, Written::Id(seen)) => before.as_ref() == seen || after.as_ref() == seen,
            _ => false,
        })
    }

    /// How the accounts shall be after the calls that are carried out: as they were, with what those calls wrote.
    pub fn expected(&self) -> Vec<Original> {
        let mut expected = self.originals.clone();
        for call in &self.calls[..self.done.min(self.calls.len())] {
            let Some(account) = expected.iter_mut().find(|original| original.account == call.account) else { continue };
            match &call.write {
                RepairWrite::Upn { after, .. } => account.upn = Some(after.clone()),
                RepairWrite::Id { after, .. } => account.immutable_id.clone_from(after),
                RepairWrite::Delete => account.deleted = true,
                RepairWrite::Restore { upn } => {
                    account.deleted = false;
                    account.upn = upn.clone().or(account.upn.take());
                }
                RepairWrite::Purge => {}
            }
        }
        expected
    }

    /// Whether one of the calls that are carried out deleted an account for good.
    pub fn has_purged(&self, account: &ObjectId) -> bool {
        let done = &self.calls[..self.done.min(self.calls.len())];
        done.iter().any(|call| call.account == *account && call.write == RepairWrite::Purge)
    }
}

/// A value of a property that a repair writes.
#[derive(Clone, Copy)]
pub(super) enum Written<'v> {
    Upn(&'v str),
    Id(Option<&'v ImmutableId>),
}
