//! What an answer means for its person: the task goes on, and what must be stored because of it is said. Pure.

use std::time::Duration;

use hardmatch_domain::change::{ManagerTarget, Step};
use hardmatch_domain::ids::ObjectId;
use hardmatch_domain::reason::{Code, Reason};
use hardmatch_ports::run::OutcomeKind;
use hardmatch_ports::tenant::{Answer, LaterCause, Refusal, RefusalKind};
use hardmatch_store::changes::ChangeState;
use jiff::Timestamp;

use super::apart::{Apart, apart};
use super::call;
use super::context::BatchContext;
use super::effects::Effects;
use super::load::Snapshot;
use super::settle;
use super::verdict::{Verdict, Whom, judge};
use crate::binding::Binding;
use crate::task::{Next, Sent, Task};
use crate::timing::millis;

/// Where a change is on its way: what must not be lost when the process is.
#[derive(PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of the change, compared as one")]
struct Progress {
    state: ChangeState,
    done: usize,
    attempts: u32,
    manager_pending: bool,
    refused: bool,
    parts: usize,
    steps: usize,
    lost: bool,
    password_unknown: bool,
    keep_open: bool,
}

impl Progress {
    fn of(task: &Task) -> Self {
        let open = &task.open;
        Self {
            state: open.state,
            done: open.done,
            attempts: open.attempts,
            manager_pending: open.manager_pending.is_some(),
            refused: open.refusal.is_some(),
            parts: open.refused_parts.len(),
            steps: open.change.steps.len(),
            lost: open.lost,
            password_unknown: open.password_unknown,
            keep_open: open.keep_open,
        }
    }
}

/// What the answer says, with what a lost one leaves to be known of the creation noted in the task.
pub(crate) fn hear(
    task: &mut Task,
    asked: Next,
    answer: Answer,
    other: Option<&ObjectId>,
    snapshot: &Snapshot,
) -> Heard {
    let before = Progress::of(task);
    let reread = match (asked, task.step()) {
        (Next::Reread, Some(Step::Purge { account })) => Some(account),
        (Next::Reread, _) => task.open.change.account.as_ref(),
        _ => None,
    };
    let mirror = reread.and_then(|id| snapshot.account(id)).map(|item| &item.account);
    task.open.lost |= create_result_unknown(task, asked, &answer);
    if asked == Next::Send && matches!(answer, Answer::Unknown(_)) && task.sent == Sent::Answered {
        task.sent = Sent::ByUs;
    }
    Heard { verdict: judge(task, asked, answer, mirror, other), before }
}

/// A verdict, and where the change was before the answer.
pub(crate) struct Heard {
    pub(crate) verdict: Verdict,
    before: Progress,
}

/// Whether a creation may have made an account that nobody was told of: its answer was lost, to this writer or to an earlier
/// one that was killed.
fn create_result_unknown(task: &Task, asked: Next, answer: &Answer) -> bool {
    let unknown = match asked {
        Next::Send => match answer {
            Answer::Unknown(_) => true,
            Answer::Later(later) => later.cause == LaterCause::MaybeDone,
            Answer::Done(_) | Answer::Made(_) | Answer::NotFound | Answer::Refused(_) => false,
        },
        Next::Verify => !matches!(task.open.state, ChangeState::Sending(0)),
        Next::Reread | Next::SendManager | Next::Settle => false,
    };
    unknown && matches!(task.step(), Some(Step::Create { .. }))
}

/// Carries a verdict out: on the task, and as effects. `other` is the account or group that the step names.
pub(crate) fn apply(
    task: &mut Task,
    asked: Next,
    other: Option<ObjectId>,
    heard: Heard,
    snapshot: &Snapshot,
    context: &BatchContext,
    at: Timestamp,
) -> Effects {
    let mut effects = Effects::default();
    // Rounded up: a call a fraction of a millisecond too early is refused again, at once and without end.
    let in_ms = |wait: Duration| at.as_millisecond().saturating_add(millis(wait)).saturating_add(1);
    match heard.verdict {
        Verdict::Done(_) if asked == Next::SendManager => {
            task.open.manager_pending = None;
            task.open.state = ChangeState::Ready;
        }
        Verdict::Done(account) => {
            let bound = bound_manager(task, asked, other, context, &mut effects);
            settle::step_done(task, account.map(|account| *account), bound.as_ref(), at, snapshot, &mut effects);
        }
        Verdict::Reread => task.reread = true,
        Verdict::NotDone => task.open.state = ChangeState::Ready,
        // Nothing was done, and nothing is the matter with this person.
        Verdict::LockedOut(refusal) => effects.lane.locked_out = Some(refusal),
        Verdict::Unsure => look_before_repeating(task),
        Verdict::UnsureFor(wait) => {
            look_before_repeating(task);
            task.open.not_before_ms = in_ms(wait);
        }
        Verdict::ManagerApart(whom) => {
            task.manager_separate = true;
            // A tenant that took others' managers has something else against this person.
            if whom == Whom::Everybody && context.binding != Binding::Inline {
                effects.lane.binding = Some(Binding::Apart);
            }
            task.open.state = ChangeState::Ready;
        }
        Verdict::NewPassword => {
            task.password = None;
            task.open.attempts += 1;
            task.open.state = ChangeState::Ready;
        }
        Verdict::Refused(refusal) if asked == Next::SendManager => {
            let after = task.open.manager_pending.take().map(ManagerTarget::Account);
            settle::left_out(task, Step::SetManager { before: None, after }, refusal);
            task.open.state = ChangeState::Ready;
        }
        Verdict::Refused(refusal) => refused(task, refusal, snapshot, context),
        Verdict::Throttled(wait) => {
            task.open.not_before_ms = in_ms(wait);
            effects.lane.closed_until_ms = Some(task.open.not_before_ms);
        }
        Verdict::Later(wait) => {
            task.open.attempts += 1;
            task.open.not_before_ms = in_ms(wait);
        }
        Verdict::FactsMoved => {
            let reason = Some(Reason::plain(Code::FactsMoved));
            settle::end(task, OutcomeKind::FactsMoved, reason, at, &mut effects);
            return effects;
        }
        Verdict::GiveUp => {
            let reason = Some(Reason::plain(Code::Unavailable));
            settle::end(task, OutcomeKind::Unavailable, reason, at, &mut effects);
            return effects;
        }
    }
    if task.next(context.phase) == Next::Settle || Progress::of(task) != heard.before {
        settle::store(task, context.phase, at, snapshot, &mut effects);
    }
    effects
}

/// The call may have been carried out: as under a fence that is older than any, it is looked for before it is repeated.
fn look_before_repeating(task: &mut Task) {
    task.open.state = ChangeState::Sending(0);
    task.open.attempts += 1;
}

/// The account or group that the step was done with. A manager who did not go with the creation, or perhaps not, is set by a
/// call of their own.
fn bound_manager(
    task: &mut Task,
    asked: Next,
    other: Option<ObjectId>,
    context: &BatchContext,
    effects: &mut Effects,
) -> Option<ObjectId> {
    let Some(Step::Create { manager: target, .. }) = task.step() else { return other };
    if target.is_some() && other.is_none() {
        // The manager has no account: left out, and the person is decided again.
        task.open.keep_open = true;
    }
    let manager = other?;
    if asked == Next::Verify || !call::takes_manager(task, context.binding) {
        task.open.manager_pending = Some(manager);
        return None;
    }
    if context.probe {
        effects.lane.binding = Some(Binding::Inline);
    }
    Some(manager)
}

/// The step was refused: asked for otherwise, as far as what is in the way is only part of it.
fn refused(task: &mut Task, refusal: Refusal, snapshot: &Snapshot, context: &BatchContext) {
    if refusal.kind == RefusalKind::LicenseConflict && task.postpone_license() {
        return;
    }
    match task.step().and_then(|step| apart(step, &refusal, &snapshot.skus)) {
        Some(Apart::Steps(steps)) => task.replace_step(steps),
        Some(Apart::Without { step, left_out }) => {
            settle::left_out(task, *left_out, refusal);
            task.replace_step(vec![step]);
        }
        None => settle::step_refused(task, refusal, context.phase),
    }
}
