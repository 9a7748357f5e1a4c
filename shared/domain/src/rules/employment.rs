//! The first and the last day of an employment: no account is enabled before the one, sign-in is blocked after the other.

use crate::draft::Draft;
use crate::facts::Facts;
use crate::person_context::PersonContext;
use crate::vocabulary::policy::RuleError;
use crate::vocabulary::reason::{Code, Reason};

/// Where a person's employment stands at the time of the decision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Employment {
    /// It begins at this moment (Unix seconds).
    NotStarted(i64),
    /// Now, or always: the source names no days.
    Running {
        /// When it ends (Unix seconds), if that is known.
        until: Option<i64>,
    },
    /// It ended at this moment (Unix seconds).
    Ended(i64),
}

/// What the policy's `starts` and `ends` say of the person.
pub(crate) fn of<F: Facts>(subject: &PersonContext<'_, F>) -> Result<Employment, RuleError> {
    let moment = |day: &Option<std::sync::Arc<dyn crate::vocabulary::policy::DayBoundary>>| match day {
        Some(day) => day.at(subject.person),
        None => Ok(None),
    };
    let (starts, ends) = (moment(&subject.policy.starts)?, moment(&subject.policy.ends)?);
    // Somebody who left and comes back has an old last day beside a new first day.
    let ends = ends.filter(|ends| starts.is_none_or(|starts| starts < *ends));
    Ok(match (starts, ends) {
        (Some(starts), _) if starts > subject.now => Employment::NotStarted(starts),
        (_, Some(ends)) if ends <= subject.now => Employment::Ended(ends),
        (_, until) => Employment::Running { until },
    })
}

/// Whether the first day is still to come. A day that cannot be read is refused before anybody asks this.
pub(crate) fn begins_later<F: Facts>(subject: &PersonContext<'_, F>) -> Option<i64> {
    match of(subject) {
        Ok(Employment::NotStarted(at)) => Some(at),
        Ok(Employment::Running { .. } | Employment::Ended(_)) | Err(_) => None,
    }
}

/// Since when the last day is over.
pub(crate) fn ended<F: Facts>(subject: &PersonContext<'_, F>) -> Option<i64> {
    match of(subject) {
        Ok(Employment::Ended(at)) => Some(at),
        Ok(Employment::Running { .. } | Employment::NotStarted(_)) | Err(_) => None,
    }
}

/// A day that cannot be read decides nothing: neither an account before the first day nor a block on a guess. An explicit
/// *disabled* is carried out whatever else is wrong with the row.
pub(crate) fn unreadable<F: Facts>(subject: &PersonContext<'_, F>) -> Option<Reason> {
    if subject.person.enabled == Some(false) {
        return None;
    }
    let error = of(subject).err()?;
    Some(Reason::with(Code::Unknown, format!("the first or the last day: {error}")))
}

/// The day on which the person is to be decided again, though nothing else changes.
pub(crate) fn look_again<F: Facts>(subject: &PersonContext<'_, F>, draft: &mut Draft<'_>) {
    let at = match of(subject) {
        Ok(Employment::NotStarted(at) | Employment::Running { until: Some(at) }) => at,
        Ok(Employment::Running { until: None } | Employment::Ended(_)) | Err(_) => return,
    };
    draft.look_again_at = Some(draft.look_again_at.map_or(at, |before| before.min(at)));
}
