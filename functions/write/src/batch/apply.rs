//! An answer brought into its person's task and effects: what its verdict changes, and what must be stored because of it.

use std::time::Duration;

use hardmatch_domain::account::Account;
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::change::{ManagerTarget, Step};
use hardmatch_domain::ids::ObjectId;
use hardmatch_domain::reason::{Code, Reason};
use hardmatch_ports::credentials::CredentialError;
use hardmatch_ports::run::OutcomeKind;
use hardmatch_ports::tenant::{Answer, LaterCause, Refusal, RefusalKind};
use hardmatch_store::changes::ChangeState;

use super::apart::{Apart, apart};
use super::call::Binding;
use super::settle::{self, Effects};
use super::verdict::{Verdict, Whom, judge};
use super::{BatchContext, BatchResult};
use crate::task::{Next, OtherLane, Sent, Task};
use crate::{WriteError, WritePorts};

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

/// Whether a creation may have made an account that nobody told us of: its answer was lost, to us or to who was killed.
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

#[expect(clippy::too_many_arguments, reason = "one answer meets everything that may follow from it")]
pub(super) async fn apply(
    ports: &WritePorts,
    context: &BatchContext,
    task: &mut Task,
    asked: Next,
    manager: Option<ObjectId>,
    answer: Answer,
    effects: &mut Effects,
    result: &mut BatchResult,
) -> Result<(), WriteError> {
    let before = Progress::of(task);
    let reread = match (asked, task.step()) {
        (Next::Reread, Some(Step::Purge { account })) => Some(account),
        (Next::Reread, _) => task.open.change.account.as_ref(),
        _ => None,
    };
    let mirror: Option<Account> = match reread {
        Some(id) => ports.store.account(&ports.scope, id).await?.map(|item| item.account),
        None => None,
    };
    let now_ms = ports.clock.now().as_millisecond();
    // Rounded up: a call a fraction of a millisecond too early is refused again, at once and without end.
    let in_ms = |wait: Duration| now_ms + i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 2) + 1;
    task.open.lost |= create_result_unknown(task, asked, &answer);
    if asked == Next::Send && matches!(answer, Answer::Unknown(_)) && task.sent == Sent::Answered {
        task.sent = Sent::ByUs;
    }
    match judge(task, asked, answer, mirror.as_ref(), manager.as_ref()) {
        Verdict::Done(account) => {
            if asked == Next::SendManager {
                task.open.manager_pending = None;
                task.open.state = ChangeState::Ready;
            } else {
                done(ports, task, asked, manager, account, effects, result).await?;
            }
        }
        Verdict::Reread => task.reread = true,
        Verdict::NotDone => task.open.state = ChangeState::Ready,
        Verdict::LockedOut(refusal) => {
            // Nothing was done, and nothing is the matter with this person.
            result.locked_out.get_or_insert(refusal);
        }
        Verdict::Unsure => {
            // An older fence than any: look before repeating.
            task.open.state = ChangeState::Sending(0);
            task.open.attempts += 1;
        }
        Verdict::UnsureFor(wait) => {
            task.open.state = ChangeState::Sending(0);
            task.open.attempts += 1;
            task.open.not_before_ms = in_ms(wait);
        }
        Verdict::ManagerApart(whom) => {
            task.manager_separate = true;
            // A tenant that took others' managers has something else against this person.
            if whom == Whom::Everybody && context.binding != Binding::Inline {
                result.binding = Some(Binding::Apart);
            }
            task.open.state = ChangeState::Ready;
        }
        Verdict::NewPassword => {
            task.password = None;
            task.open.attempts += 1;
            task.open.state = ChangeState::Ready;
        }
        Verdict::Refused(refusal) => {
            if asked == Next::SendManager {
                let after = task.open.manager_pending.take().map(ManagerTarget::Account);
                settle::left_out(task, Step::SetManager { before: None, after }, refusal);
                task.open.state = ChangeState::Ready;
            } else {
                refused(ports, context, task, refusal).await?;
            }
        }
        Verdict::Throttled(wait) => {
            let until = in_ms(wait);
            result.closed_until_ms = result.closed_until_ms.max(until);
            ports.store.gate(&ports.scope, &ports.client, |gate| gate.close(now_ms, until)).await?;
            task.open.not_before_ms = until;
        }
        Verdict::Later(wait) => {
            task.open.attempts += 1;
            task.open.not_before_ms = in_ms(wait);
        }
        Verdict::FactsMoved => {
            let reason = Some(Reason::plain(Code::FactsMoved));
            settle::finish(ports, task, OutcomeKind::FactsMoved, reason, effects);
            return Ok(());
        }
        Verdict::GiveUp => {
            let reason = Some(Reason::plain(Code::Unavailable));
            settle::finish(ports, task, OutcomeKind::Unavailable, reason, effects);
            return Ok(());
        }
    }
    if task.next(context.phase) == Next::Settle && task.open.manager_pending.is_none() {
        settle::settle(ports, task, context.phase, effects).await?;
    } else if Progress::of(task) != before {
        let connection = &task.open.change.person.connection;
        effects.journal = Some(ports.store.put_change(connection, task.pid, task.revision, &task.open));
    }
    Ok(())
}

async fn done(
    ports: &WritePorts,
    task: &mut Task,
    asked: Next,
    manager: Option<ObjectId>,
    account: Option<Box<Account>>,
    effects: &mut Effects,
    result: &mut BatchResult,
) -> Result<(), WriteError> {
    let mut bound = manager.clone();
    if let Some(Step::Create { manager: target, .. }) = task.step() {
        let wanted = target.is_some();
        if wanted && manager.is_none() {
            // The manager has no account: left out, and looked at again.
            task.open.keep_open = true;
        }
        let apart = task.manager_separate
            || result.binding == Some(Binding::Apart)
            || Binding::of(ports).await? == Binding::Apart;
        if let Some(manager) = manager.clone() {
            if apart || asked == Next::Verify {
                // Sent without it, or not known whether it was taken.
                task.open.manager_pending = Some(manager);
                bound = None;
            } else if result.probe {
                result.binding = Some(Binding::Inline);
            }
        }
        if let Err(error) = hand_over(ports, task, asked).await {
            // The account is there: what is known of it is stored first, then nothing more is created.
            result.undelivered.get_or_insert(error);
            task.open.password_unknown = true;
        }
    }
    settle::step_done(ports, task, account.map(|account| *account), bound, effects).await
}

/// The initial password of an account that was made, also when the answer that said so was lost. Where an earlier process
/// may have made it, its password is known to nobody, and that is said.
async fn hand_over(ports: &WritePorts, task: &mut Task, asked: Next) -> Result<(), CredentialError> {
    let password = task.password.take();
    let ours = match (asked, task.sent) {
        (Next::Send, _) | (_, Sent::ByUs) => password,
        // Somebody else's lane made it and handed its password over, or it was there before us.
        (_, Sent::Answered) => return Ok(()),
        (_, Sent::ByOthersToo) => None,
    };
    if let Some((password, upn)) = ours.zip(upn_of(task)) {
        ports.passwords.deliver(&upn, &password).await
    } else {
        task.open.password_unknown = ports.passwords.is_kept() && task.other_lane == OtherLane::Free;
        Ok(())
    }
}

/// The step was refused: asked for otherwise, as far as what is in the way is only part of it.
async fn refused(
    ports: &WritePorts,
    context: &BatchContext,
    task: &mut Task,
    refusal: Refusal,
) -> Result<(), WriteError> {
    let skus = match task.step() {
        Some(Step::SetLicenses { take, .. }) if !take.is_empty() => {
            let tenant = ports.store.tenant(&ports.scope).await?;
            tenant.and_then(|tenant| tenant.value.tenant.skus).unwrap_or_default()
        }
        _ => Vec::new(),
    };
    if refusal.kind == RefusalKind::LicenseConflict && task.postpone_license() {
        return Ok(());
    }
    match task.step().and_then(|step| apart(step, &refusal, &skus)) {
        Some(Apart::Steps(steps)) => task.replace_step(steps),
        Some(Apart::Without { step, left_out }) => {
            settle::left_out(task, left_out, refusal);
            task.replace_step(vec![step]);
        }
        None => settle::step_refused(task, refusal, context.phase),
    }
    Ok(())
}

fn upn_of(task: &Task) -> Option<String> {
    match task.step() {
        Some(Step::Create { attributes, .. }) => attributes.filled(Attr::UserPrincipalName).map(str::to_owned),
        _ => None,
    }
}
