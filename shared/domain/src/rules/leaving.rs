//! Whether and why somebody is on the way out, and what policy does about each cause. `lifecycle` carries it out.

use crate::facts::Facts;
use crate::person_context::PersonContext;
use crate::rules::employment;
use crate::vocabulary::link::LeavingCause;
use crate::vocabulary::policy::{LeavingAction, Stage};

/// Whether a present person is on the way out: disabled at the source, or their password expired where policy acts on it.
pub(crate) fn is_leaving<F: Facts>(subject: &PersonContext<'_, F>) -> bool {
    !matches!(cause_here(subject), Cause::None)
}

/// Whether an account created now must not allow sign-in.
pub(crate) fn starts_blocked<F: Facts>(subject: &PersonContext<'_, F>) -> bool {
    let at_once = |stage: &Stage| stage.action == LeavingAction::Suspend && stage.after_seconds <= 0;
    if employment::begins_later(subject).is_some() {
        return true;
    }
    match cause_here(subject) {
        Cause::Leaving(cause) => cause == LeavingCause::Disabled || stages_of(subject, cause).iter().any(at_once),
        Cause::Ignored => subject.person.enabled == Some(false),
        Cause::None => false,
    }
}

/// Whether a present person has a cause to leave.
pub(crate) enum Cause {
    None,
    /// There is one, and policy ignores it.
    Ignored,
    Leaving(LeavingCause),
}

pub(crate) fn cause_here<F: Facts>(subject: &PersonContext<'_, F>) -> Cause {
    let disabled = subject.person.enabled == Some(false);
    let expired = subject.person.password_expired == Some(true);
    if disabled && !subject.policy.lifecycle.disabled.is_empty() {
        Cause::Leaving(LeavingCause::Disabled)
    } else if employment::ended(subject).is_some() && !subject.policy.lifecycle.ended.is_empty() {
        Cause::Leaving(LeavingCause::Ended)
    } else if expired && !subject.policy.lifecycle.password_expired.is_empty() {
        Cause::Leaving(LeavingCause::PasswordExpired)
    } else if disabled {
        Cause::Ignored
    } else {
        Cause::None
    }
}

pub(crate) fn stages_of<'p, F: Facts>(subject: &PersonContext<'p, F>, cause: LeavingCause) -> &'p [Stage] {
    let lifecycle = &subject.policy.lifecycle;
    match cause {
        LeavingCause::Absent => &lifecycle.absent,
        LeavingCause::LeftScope => &lifecycle.left_scope,
        LeavingCause::Disabled => &lifecycle.disabled,
        LeavingCause::PasswordExpired => &lifecycle.password_expired,
        LeavingCause::Ended => &lifecycle.ended,
        LeavingCause::Undone => &[],
    }
}
