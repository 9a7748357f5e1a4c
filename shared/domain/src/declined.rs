//! What an approver rejected, or an operator undid: not planned again until its facts or the policy change.

use crate::parts::{names, with_steps, without_parts};
use crate::vocabulary::change::{Action, Change, ChangeId, Decision, Step};
pub use crate::vocabulary::declined::{Declined, Declining};
use crate::vocabulary::reason::{Code, Reason};

/// Declined changes that are remembered of a person at a time: older ones give way.
const MOST: usize = 20;

impl Declined {
    /// The rejection of a change.
    pub fn rejected(change: &Change, by: &str, at: i64, comment: Option<String>) -> Self {
        let (person, policy) = (change.decided_on.person, change.decided_on.policy);
        Self { change: change.id.clone(), how: Declining::Rejected, person, policy, by: by.to_owned(), at, comment }
    }

    /// The undoing of steps of a change.
    pub fn undone(undone: &ChangeId, steps: &[Step], undoing: &Change, by: &str, at: i64) -> Self {
        let (mut values, mut acts) = (Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Update { .. } | Step::Rename { .. } => values.extend(names(step)),
                _ => acts.extend(acts_of(step)),
            }
            if let Step::Update { immutable_id: Some(_), .. } = step {
                acts.extend(acts_of(step));
            }
        }
        let how = Declining::Undone { by_change: undoing.id.clone(), values, acts };
        let (person, policy) = (undoing.decided_on.person, undoing.decided_on.policy);
        Self { change: undone.clone(), how, person, policy, by: by.to_owned(), at, comment: None }
    }

    /// What is remembered once this is declined, too.
    pub fn remember(self, before: &[Self]) -> Vec<Self> {
        let other = |one: &&Self| one.change != self.change && !one.is_undone_by(&self.change);
        let mut all: Vec<Self> = before.iter().filter(other).cloned().collect();
        all.push(self);
        let surplus = all.len().saturating_sub(MOST);
        all.split_off(surplus)
    }

    /// Whether that change undid this one: undone itself, it lets this one be planned again.
    fn is_undone_by(&self, change: &ChangeId) -> bool {
        matches!(&self.how, Declining::Undone { by_change, .. } if by_change == change)
    }

    fn reason(&self) -> Reason {
        let code = match self.how {
            Declining::Rejected => Code::Rejected,
            Declining::Undone { .. } => Code::Undone,
        };
        let comment = self.comment.as_deref().filter(|text| !text.is_empty());
        let comment = comment.map(|text| format!(": {text}")).unwrap_or_default();
        Reason::with(code, format!("by {}{comment}", self.by))
    }

    /// Whether a part of a change of that name is not wanted.
    fn names_part(&self, change: &Change, what: &str) -> bool {
        let Declining::Undone { values, acts, .. } = &self.how else { return false };
        self.policy == change.decided_on.policy
            && (values.iter().any(|one| **one == *what)
                || (self.person == change.decided_on.person && acts.iter().any(|one| **one == *what)))
    }

    /// Whether the whole change is not wanted, on the same facts of person and policy.
    fn is_about(&self, change: &Change) -> bool {
        (self.policy, self.person) == (change.decided_on.policy, change.decided_on.person) && self.change == change.id
    }
}

/// What a step does, by names under which the rest of a decision is compared. A creation, a restoration and a link all give
/// the person an account.
fn acts_of(step: &Step) -> Vec<Box<str>> {
    match step {
        Step::Create { .. } | Step::Restore | Step::Link | Step::Update { immutable_id: Some(_), .. } => {
            vec![GIVES_ACCOUNT.into()]
        }
        Step::Repair(plan) => vec![format!("repair {}", plan.kind.name()).into()],
        _ => names(step),
    }
}

const GIVES_ACCOUNT: &str = "account";

/// The decision without what somebody did not want: the whole change, or parts of it. It says who said so.
pub fn decline(decision: Decision, declined: &[Declined]) -> Decision {
    let Some(change) = decision.change.as_deref().filter(|_| !declined.is_empty()) else { return decision };
    // The rest of a change rests on the account that a step gives, and on its repair.
    let carries =
        |step: &&Step| matches!(step, Step::Repair(_)) || acts_of(step).iter().any(|act| **act == *GIVES_ACCOUNT);
    let acts: Vec<Box<str>> = change.steps.iter().filter(carries).flat_map(acts_of).collect();
    let whole = declined.iter().find(|one| one.is_about(change) || acts.iter().any(|act| one.names_part(change, act)));
    if let Some(one) = whole {
        return without(decision, vec![one.reason()]);
    }
    let mut reasons: Vec<Reason> = Vec::new();
    let mut steps = Vec::with_capacity(change.steps.len());
    let mut removal_from = None;
    for (at, step) in change.steps.iter().enumerate() {
        if change.removal_from.is_some_and(|from| at >= from) {
            removal_from.get_or_insert(steps.len());
        }
        steps.extend(without_parts(step, &mut |what| {
            let one = declined.iter().find(|one| one.names_part(change, what));
            if let Some(reason) = one.map(Declined::reason).filter(|reason| !reasons.contains(reason)) {
                reasons.push(reason);
            }
            one.is_some()
        }));
    }
    if reasons.is_empty() {
        return decision;
    }
    if steps.is_empty() {
        return without(decision, reasons);
    }
    let mut kept = with_steps(change, steps, removal_from);
    kept.reasons.extend(reasons);
    Decision { action: kept.action, reasons: kept.reasons.clone(), change: Some(Box::new(kept)), ..decision }
}

fn without(decision: Decision, mut reasons: Vec<Reason>) -> Decision {
    let waits = |reason: &Reason| matches!(reason.code, Code::AwaitingApproval);
    reasons.extend(decision.reasons.into_iter().filter(|reason| !waits(reason)));
    Decision { action: Action::None, change: None, reasons, ..decision }
}
