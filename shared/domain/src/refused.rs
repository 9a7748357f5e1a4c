//! What the tenant refused: not asked for again while nothing has changed that could make it answer otherwise.

use serde::{Deserialize, Serialize};

use crate::change::{Action, Change, ChangeId, Decision, Revisions};
use crate::reason::Reason;

/// The same change is sent again after so long, once: somebody may have cured it where nobody tells us, by a permission
/// granted or a licence bought (seconds).
const FIRST_WAIT: i64 = 24 * 60 * 60;
/// From then on after so long each time.
const LATER_WAIT: i64 = 7 * 24 * 60 * 60;

/// A refusal, as it is remembered of the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Version of this shape.
    pub v: u32,
    /// What was refused.
    pub change: ChangeId,
    /// The revisions of the facts it rested on: of person, account and policy.
    pub decided_on: Revisions,
    /// Why, with the tenant's own word.
    pub reason: Reason,
    /// How often in a row.
    pub times: u32,
    /// Not sent again before (Unix seconds), unless the facts change.
    pub next: i64,
}

/// Whether a refusal may be cured by somebody else's change, which none of the person's facts shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cure {
    /// Another object gives up a value.
    Elsewhere,
    /// The person's facts or the policy.
    Here,
    /// An administrator, who grants a permission or makes room and then runs again at once: the next run asks again.
    ByHand,
}

impl Refused {
    /// After a refusal at a time (Unix seconds). `before` is what was remembered until then.
    pub fn after(before: Option<&Self>, change: &Change, reason: Reason, cure: Cure, now: i64) -> Self {
        let earlier = before.filter(|before| before.is_about(change)).map_or(0, |before| before.times);
        let wait = match cure {
            Cure::ByHand => 0,
            Cure::Elsewhere => FIRST_WAIT,
            Cure::Here if earlier == 0 => FIRST_WAIT,
            Cure::Here => LATER_WAIT,
        };
        Self {
            v: 1,
            change: change.id.clone(),
            decided_on: change.decided_on,
            reason,
            times: earlier.saturating_add(1),
            next: now.saturating_add(wait),
        }
    }

    /// The same change, resting on the same facts.
    fn is_about(&self, change: &Change) -> bool {
        self.change == change.id && self.decided_on == change.decided_on
    }
}

/// The decision without a change that would be refused again. It says why, and when the change is sent again.
pub fn withhold(decision: Decision, refused: Option<&Refused>, now: i64) -> Decision {
    let same = |change: &Change| refused.filter(|refused| refused.is_about(change) && now < refused.next);
    let Some(refused) = decision.change.as_deref().and_then(same) else { return decision };
    let mut reasons = vec![refused.reason.clone()];
    reasons.extend(decision.reasons.iter().filter(|reason| **reason != refused.reason).cloned());
    let again = decision.look_again_at.map_or(refused.next, |at| at.min(refused.next));
    Decision { action: Action::None, change: None, reasons, look_again_at: Some(again), ..decision }
}
