//! A change on its way: what the lane's pointer leads to, and what the next hand does with it.

use hardmatch_domain::change::{ManagerTarget, Step};
use hardmatch_domain::ids::{ObjectId, PersonRef};
use hardmatch_store::Pid;
use hardmatch_store::changes::{ChangeState, LanePhase, OpenChange};
use secrecy::SecretString;

/// One person's open change in the writer's hands.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) pid: Pid,
    pub(crate) open: OpenChange,
    /// The table's revision of the change as we know it.
    pub(crate) revision: u64,
    /// The account was read again just now and is as the decision saw it.
    pub(crate) reread: bool,
    /// The manager goes apart for this person: the creation was refused because of them, perhaps for a lagging replica.
    pub(crate) apart: bool,
    /// How it stands with the other lane.
    pub(crate) meeting: Meeting,
    /// The initial password of the creation under way.
    pub(crate) password: Option<SecretString>,
}

/// Whether the other lane had the same person in its hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meeting {
    /// Not that we know.
    Never,
    /// It has, or had: before anything is sent, it is looked at what came of that.
    Met,
    /// What it left in flight was looked at.
    Looked,
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
        self.open.landed.as_ref().or(self.open.change.account.as_ref())
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
                if is_dangerous(step) && !self.reread {
                    Next::Reread
                } else {
                    Next::Send
                }
            }
        }
    }
}

/// Takeovers, re-anchoring, suspension, deletion and purge look once more before they leap.
pub(crate) fn is_dangerous(step: &Step) -> bool {
    match step {
        Step::Update { immutable_id, .. } => immutable_id.is_some(),
        Step::SetEnabled { after, .. } => !after,
        Step::Delete { .. } | Step::Purge { .. } => true,
        Step::Create { .. }
        | Step::Link
        | Step::Rename { .. }
        | Step::RevokeSessions
        | Step::SetManager { .. }
        | Step::SetLicenses { .. }
        | Step::JoinGroup { .. }
        | Step::LeaveGroup { .. }
        | Step::Restore => false,
    }
}

/// Whether the steps after this one rest on it: refused, it takes them along.
pub(crate) fn carries_the_rest(step: &Step) -> bool {
    match step {
        Step::Create { .. } | Step::Restore | Step::Purge { .. } | Step::Link => true,
        Step::Update { immutable_id, .. } => immutable_id.is_some(),
        Step::Rename { .. }
        | Step::SetEnabled { .. }
        | Step::RevokeSessions
        | Step::SetManager { .. }
        | Step::SetLicenses { .. }
        | Step::JoinGroup { .. }
        | Step::LeaveGroup { .. }
        | Step::Delete { .. } => false,
    }
}
