//! A change on its way: what the lane's pointer leads to, and what the next batch does with it.

use hardmatch_domain::change::{ManagerTarget, Step};
use hardmatch_domain::ids::{ObjectId, PersonRef};
use hardmatch_domain::step_traits::Reread;
use hardmatch_store::PersonHash;
use hardmatch_store::changes::{ChangeState, LanePhase, OpenChange};
use secrecy::SecretString;

use crate::timing::{TIMING, millis};

/// One person's open change in flight.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) pid: PersonHash,
    pub(crate) open: OpenChange,
    /// The table's revision of the change, as it was read or written last.
    pub(crate) revision: u64,
    /// When that was (Unix milliseconds).
    pub(crate) known_at_ms: i64,
    /// The revision of the person's facts, as they were read with the change; `None` when nothing is kept of the person.
    pub(crate) person_revision: Option<u64>,
    /// The account was read again just now and is as the decision saw it.
    pub(crate) reread: bool,
    /// The manager goes apart for this person: the creation was refused because of them, perhaps for a lagging replica.
    pub(crate) manager_separate: bool,
    /// By which call a group is joined.
    pub(crate) joining: Joining,
    /// How it stands with the other lane.
    pub(crate) other_lane: OtherLane,
    /// The initial password of the creation under way.
    pub(crate) password: Option<SecretString>,
    /// Whether the account of the creation under way can only have been made with that password.
    pub(crate) sent: Sent,
    /// The decision is so old that an account is read again before it is enabled, restored, renamed or joined to a group.
    pub(crate) after_pause: bool,
}

/// By which call a person joins a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joining {
    /// By one call for everybody of a batch who joins the same group.
    Together,
    /// By a call of their own: the one for several people was refused.
    Alone,
}

/// What is known of the calls that may have made the account of a creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// None was sent without an answer.
    Answered,
    /// Calls of this task alone, all with its password.
    ByUs,
    /// An earlier process may have sent one, with a password that went with it.
    ByOthersToo,
}

/// Whether the other lane had the same person in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OtherLane {
    /// Not as far as is known.
    Free,
    /// It has, or had: before anything is sent, it is looked at what came of that.
    InFlight,
    /// What it left in flight was looked at.
    Verified,
}

/// What is to be sent next for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The step itself.
    Send,
    /// The manager that the creation did not take inline.
    SendManager,
    /// Is the account still as the decision saw it?
    Reread,
    /// Was the step done by a call whose answer was lost?
    Verify,
    /// Nothing in this phase: settle it.
    Settle,
}

impl Task {
    /// The steps of this phase begin here.
    fn begin(&self, phase: LanePhase) -> usize {
        match phase {
            LanePhase::Write => 0,
            LanePhase::Remove => self.open.change.removal_from.unwrap_or(0),
        }
    }

    /// Whether nothing of this phase was sent yet.
    pub(crate) fn is_fresh(&self, phase: LanePhase) -> bool {
        self.open.done == self.begin(phase)
            && self.open.state == ChangeState::Ready
            && self.open.manager_pending.is_none()
    }

    /// The steps of this phase end here.
    pub(crate) fn end(&self, phase: LanePhase) -> usize {
        match phase {
            LanePhase::Write => self.open.change.removal_from.unwrap_or(self.open.change.steps.len()),
            LanePhase::Remove => self.open.change.steps.len(),
        }
    }

    /// The present step.
    pub(crate) fn step(&self) -> Option<&Step> {
        self.open.change.steps.get(self.open.done)
    }

    /// The account the change is about, once there is one.
    pub(crate) fn account(&self) -> Option<&ObjectId> {
        self.open.account_id.as_ref().or(self.open.change.account.as_ref())
    }

    /// The revision of the account's mirror that the next step rests on.
    pub(crate) fn known_revision(&self) -> u64 {
        self.open.account_revision.unwrap_or(self.open.change.decided_on.account)
    }

    /// Whether the decision is so old that it is not carried out without another look.
    pub(crate) fn is_old(&self, now_ms: i64) -> bool {
        now_ms - self.open.decided_ms > millis(TIMING.decision)
    }

    /// The present step is over: the next one begins.
    pub(crate) fn advance(&mut self) {
        self.open.done += 1;
        self.open.attempts = 0;
        self.open.state = ChangeState::Ready;
    }

    /// Takes other steps in the place of the present one.
    pub(crate) fn replace_step(&mut self, steps: Vec<Step>) {
        let (at, count) = (self.open.done, steps.len());
        if at >= self.open.change.steps.len() {
            return;
        }
        self.open.change.steps.splice(at..=at, steps);
        if let Some(from) = self.open.change.removal_from.as_mut().filter(|from| **from > at) {
            *from = *from + count - 1;
        }
        self.open.attempts = 0;
        self.open.state = ChangeState::Ready;
    }

    /// Puts a licence that is given by itself behind the others that are still to be given: it may build on one of them.
    /// Whether it did; not any more when each of them was refused since the last one that was given.
    pub(crate) fn postpone_license(&mut self) -> bool {
        let is_single =
            |step: &Step| matches!(step, Step::SetLicenses { give, take } if give.len() == 1 && take.is_empty());
        let from = self.open.done;
        let single = self.open.change.steps.iter().skip(from).take_while(|step| is_single(step)).count();
        let others = single.saturating_sub(1);
        if others == 0 || usize::try_from(self.open.attempts).is_ok_and(|attempts| attempts > others) {
            return false;
        }
        self.open.change.steps[from..from + single].rotate_left(1);
        self.open.attempts += 1;
        self.open.state = ChangeState::Ready;
        true
    }

    /// Who must be there before the present step can be taken: a manager who is created after this person.
    pub(crate) fn awaited(&self) -> Option<PersonRef> {
        match self.step() {
            Some(Step::SetManager { after: Some(ManagerTarget::Person(key)), .. }) if self.open.done > 0 => {
                Some(PersonRef { connection: self.open.change.person.connection.clone(), key: key.clone() })
            }
            _ => None,
        }
    }

    /// What to do next.
    pub(crate) fn next(&self, phase: LanePhase) -> Next {
        if self.open.manager_pending.is_some() {
            return Next::SendManager;
        }
        let Some(step) = self.step().filter(|_| self.open.done < self.end(phase)) else { return Next::Settle };
        match self.open.state {
            ChangeState::Sending(_) => Next::Verify,
            ChangeState::Ready | ChangeState::Held => {
                let rereads = match step.traits().reread {
                    Reread::Always => true,
                    Reread::AfterPause => self.after_pause,
                    Reread::Never => false,
                };
                if rereads && !self.reread { Next::Reread } else { Next::Send }
            }
        }
    }
}
