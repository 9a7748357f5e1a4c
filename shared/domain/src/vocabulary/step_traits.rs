//! What holds of each kind of step, whatever its values.

use crate::vocabulary::change::Action;
use crate::vocabulary::step::Step;

/// What holds of a kind of step whatever its values: one row a kind, so that a new kind answers every question at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StepTraits {
    /// The action that the step by itself is.
    pub action: Action,
    /// Whether switching [`StepTraits::action`] off stops the step also in a change that is named after another action.
    pub stops_alone: bool,
    /// When the account is read again before the step is sent.
    pub reread: Reread,
    /// Whether the steps after it rest on it: refused, it takes them along.
    pub carries_rest: bool,
    /// Whether somebody loses sign-in or account by it.
    pub departs: bool,
}

/// When an account is read again before a step is sent, so that nothing is done to an account that changed since the
/// decision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reread {
    /// Never: repeated or late, the step harms nobody.
    Never,
    /// When the decision is old: the step is right for the account as it was then.
    AfterPause,
    /// Always: the step takes an account over, takes sign-in away, or cannot be undone.
    Always,
}

impl Step {
    /// What holds of steps of this kind.
    pub fn traits(&self) -> StepTraits {
        let ordinary = |action| StepTraits {
            action,
            stops_alone: false,
            reread: Reread::Never,
            carries_rest: false,
            departs: false,
        };
        match self {
            Step::Create { .. } => StepTraits { carries_rest: true, ..ordinary(Action::Create) },
            Step::Link => StepTraits { carries_rest: true, ..ordinary(Action::Link) },
            Step::Update { immutable_id: Some(_), .. } => {
                StepTraits { reread: Reread::Always, carries_rest: true, ..ordinary(Action::Update) }
            }
            Step::Update { immutable_id: None, .. } | Step::SetManager { .. } => ordinary(Action::Update),
            Step::Rename { .. } => StepTraits { reread: Reread::AfterPause, ..ordinary(Action::Rename) },
            Step::SetEnabled { after: true, .. } => {
                StepTraits { reread: Reread::AfterPause, ..ordinary(Action::Enable) }
            }
            Step::SetEnabled { after: false, .. } => {
                StepTraits { stops_alone: true, reread: Reread::Always, departs: true, ..ordinary(Action::Suspend) }
            }
            Step::ClearId { .. } => StepTraits { reread: Reread::Always, ..ordinary(Action::Repair) },
            Step::Unlink => ordinary(Action::Link),
            Step::RevokeSessions => ordinary(Action::Suspend),
            Step::SetLicenses { .. } => StepTraits { stops_alone: true, ..ordinary(Action::License) },
            Step::JoinGroup { .. } => {
                StepTraits { stops_alone: true, reread: Reread::AfterPause, ..ordinary(Action::Membership) }
            }
            Step::LeaveGroup { .. } => StepTraits { stops_alone: true, ..ordinary(Action::Membership) },
            Step::Restore => StepTraits { reread: Reread::AfterPause, carries_rest: true, ..ordinary(Action::Restore) },
            Step::Delete { .. } => {
                StepTraits { stops_alone: true, reread: Reread::Always, departs: true, ..ordinary(Action::Delete) }
            }
            Step::Purge { .. } => {
                StepTraits { stops_alone: true, reread: Reread::Always, carries_rest: true, ..ordinary(Action::Purge) }
            }
            // A repair reads its accounts before each of its calls.
            Step::Repair(plan) => StepTraits { stops_alone: true, carries_rest: true, ..ordinary(plan.kind.action()) },
        }
    }
}
