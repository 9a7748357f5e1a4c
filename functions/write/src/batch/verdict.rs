//! What an answer of the tenant means for a task. Pure.

use std::time::Duration;

use hardmatch_domain::account::Account;
use hardmatch_domain::change::Step;
use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::tenant::{Answer, LaterCause, Refusal, RefusalKind};

use super::mirror::{is_as_decided, shows};
use crate::task::{Next, Task};

/// After so many attempts that replication or an outage spoilt, the next run goes on.
const MAX_ATTEMPTS: u32 = 8;

/// How often an account that a lost call may have made is looked for, with 2, 4, 8 … seconds between: for a minute, in
/// which replicas come to agree.
const MAX_LOOKS: u32 = 6;

/// A person whom the service puts off for longer is left to the next run: nobody else's work, and no removal, waits for
/// one person.
const MAX_WAIT: Duration = Duration::from_mins(15);

/// What to do with a task.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The step (or the pending manager) is done. The account as the answer described it.
    Done(Option<Box<Account>>),
    /// The account is as the decision saw it.
    Reread,
    /// The lost call had no effect: send it again.
    NotDone,
    /// It may have been done: look before repeating.
    Unsure,
    /// As [`Verdict::Unsure`], but not before this time from now: what was made may not be seen yet.
    UnsureFor(Duration),
    /// Refused.
    Refused(Refusal),
    /// Refused is the application itself, not this call.
    LockedOut(Refusal),
    /// The creation is to go without the manager, who follows in a call of their own.
    ManagerApart(Whom),
    /// The password was refused: another one.
    NewPassword,
    /// The call is made again, not before this time from now.
    Later(Duration),
    /// The lane is closed for this time from now.
    Throttled(Duration),
    /// What the decision saw is no longer so.
    FactsMoved,
    /// Tried often enough for one run.
    GiveUp,
}

/// The people whose managers go apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    /// The tenant does not take managers inline at all.
    Everybody,
    /// This one was refused for another reason, such as a replica that does not know the manager yet.
    ThisPerson,
}

/// Judges an answer. `mirror` is the account as the decision saw it, where there is one.
pub(crate) fn judge(
    task: &Task,
    asked: Next,
    answer: Answer,
    mirror: Option<&Account>,
    manager: Option<&ObjectId>,
) -> Verdict {
    match answer {
        Answer::Later(later) => match later.cause {
            LaterCause::Throttled => Verdict::Throttled(later.after),
            LaterCause::Lagging | LaterCause::Unavailable => again(task, later.after),
            LaterCause::MaybeDone => match asked {
                Next::Send => unsure(task, later.after),
                // Repeated, these calls say what they said before.
                Next::SendManager | Next::Reread | Next::Verify | Next::Settle => again(task, later.after),
            },
        },
        Answer::Unknown(_) => match asked {
            // A lost answer is looked for at once; a service that goes on failing is given time.
            Next::Send if task.open.attempts == 0 => Verdict::Unsure,
            Next::Send => Verdict::UnsureFor(pause(task)),
            // `PUT manager/$ref` names the manager, whatever was set before: it may be repeated.
            // <https://learn.microsoft.com/graph/api/user-post-manager>
            Next::SendManager | Next::Reread | Next::Verify | Next::Settle => again(task, Duration::ZERO),
        },
        Answer::Done(account) => match asked {
            Next::Send | Next::SendManager | Next::Settle => Verdict::Done(account),
            Next::Reread => match (account.as_deref(), mirror) {
                (Some(read), Some(mirror)) if !is_as_decided(read, mirror) => Verdict::FactsMoved,
                (Some(_) | None, _) => Verdict::Reread,
            },
            Next::Verify => verified(task, account, manager),
        },
        // A group is asked for apart from tasks.
        Answer::Made(_) => Verdict::Done(None),
        Answer::NotFound => match asked {
            Next::Verify => verified(task, None, manager),
            // An account that this change created may not have reached the replica that was asked.
            Next::Send | Next::SendManager | Next::Settle if task.open.account_id.is_some() => {
                again(task, Duration::ZERO)
            }
            Next::Reread | Next::Send | Next::SendManager | Next::Settle => Verdict::FactsMoved,
        },
        Answer::Refused(refusal) => refused(task, asked, refusal),
    }
}

fn verified(task: &Task, account: Option<Box<Account>>, manager: Option<&ObjectId>) -> Verdict {
    let Some(step) = task.step() else { return Verdict::NotDone };
    if !shows(account.as_deref(), step, manager) {
        // Sent, failed and not there, time and again: some people's every write ends in a failure of the service.
        return if task.open.attempts >= MAX_ATTEMPTS { Verdict::GiveUp } else { Verdict::NotDone };
    }
    match step {
        // Found by its UPN only: the account is the creation's if it has the creation's ID.
        Step::Create { immutable_id, .. } => {
            let theirs = account.as_ref().and_then(|account| account.immutable_id.as_ref());
            if theirs == immutable_id.as_ref() { Verdict::Done(account) } else { Verdict::NotDone }
        }
        Step::Link
        | Step::Unlink
        | Step::ClearId { .. }
        | Step::Update { .. }
        | Step::Rename { .. }
        | Step::SetEnabled { .. }
        | Step::RevokeSessions
        | Step::SetManager { .. }
        | Step::SetLicenses { .. }
        | Step::JoinGroup { .. }
        | Step::LeaveGroup { .. }
        | Step::Restore
        | Step::Delete { .. }
        | Step::Purge { .. }
        | Step::Repair(_) => Verdict::Done(None),
    }
}

fn refused(task: &Task, asked: Next, refusal: Refusal) -> Verdict {
    if refusal.kind != RefusalKind::Credentials && refusal.status == 401 {
        // A token that was new a moment ago: nobody's fault, and nothing was done.
        return again(task, Duration::ZERO);
    }
    let creating = matches!(task.step(), Some(Step::Create { .. })) && asked == Next::Send;
    match refusal.kind {
        RefusalKind::Credentials => Verdict::LockedOut(refusal),
        RefusalKind::ManagerBind if creating && refusal.status == 400 => Verdict::ManagerApart(Whom::Everybody),
        RefusalKind::ManagerBind if creating => Verdict::ManagerApart(Whom::ThisPerson),
        RefusalKind::Password if creating && task.open.attempts < 3 => Verdict::NewPassword,
        // The account itself holds the name: a uniqueness cache that lags.
        RefusalKind::Conflict if refusal.conflict.is_some() && refusal.conflict.as_ref() == task.account() => {
            again(task, Duration::ZERO)
        }
        // An ensure: the holder may be the account that an earlier attempt of ours created.
        RefusalKind::Conflict if creating && task.open.attempts == 0 => Verdict::Unsure,
        // Looked for and not seen, yet in the way.
        RefusalKind::Conflict if creating && task.open.lost && task.open.attempts < MAX_LOOKS => {
            Verdict::UnsureFor(Duration::from_secs(1 << task.open.attempts))
        }
        // The country was written a moment ago, and a replica does not know it yet.
        RefusalKind::UsageLocation if task.open.done > 0 && task.open.attempts < MAX_LOOKS => {
            again(task, Duration::ZERO)
        }
        RefusalKind::Conflict
        | RefusalKind::UsageLocation
        | RefusalKind::NoSeats
        | RefusalKind::LicenseConflict
        | RefusalKind::LicenseInherited
        | RefusalKind::GroupType
        | RefusalKind::InvalidValue
        | RefusalKind::DomainNotVerified
        | RefusalKind::Federated
        | RefusalKind::Mastered
        | RefusalKind::ExternalMaster
        | RefusalKind::Forbidden
        | RefusalKind::Password
        | RefusalKind::ManagerBind
        | RefusalKind::Quota
        | RefusalKind::Other => Verdict::Refused(refusal),
    }
}

/// 1, 2, 4 … seconds, at least what was asked for.
fn again(task: &Task, at_least: Duration) -> Verdict {
    if task.open.attempts >= MAX_ATTEMPTS || at_least > MAX_WAIT {
        return Verdict::GiveUp;
    }
    Verdict::Later(at_least.max(pause(task)))
}

/// As [`again`], for a write that may have been done: what came of it is looked at then.
fn unsure(task: &Task, at_least: Duration) -> Verdict {
    match again(task, at_least) {
        Verdict::Later(wait) => Verdict::UnsureFor(wait),
        given_up => given_up,
    }
}

fn pause(task: &Task) -> Duration {
    Duration::from_secs(1 << task.open.attempts.min(6))
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
