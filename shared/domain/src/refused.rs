//! What the tenant refused: not asked for again while nothing has changed that could make it answer otherwise.

use serde::{Deserialize, Serialize};

use crate::declined::Declined;
use crate::parts::{names, with_steps, without_parts};
use crate::vocabulary::account::Tenant;
use crate::vocabulary::attribute::Attr;
use crate::vocabulary::change::{Action, Change, ChangeId, Decision, Revisions, Step};
use crate::vocabulary::license::{License, Sku};
use crate::vocabulary::reason::{Code, Reason};

/// A refused change is sent again after so long, once: somebody may have cured it where nobody tells us, by a permission
/// granted or a licence bought (seconds).
const FIRST_WAIT: i64 = 24 * 60 * 60;
/// What another object may give up any day is asked for again by the next night's run, which may begin a little earlier
/// than the last (seconds).
const NEXT_NIGHT: i64 = 20 * 60 * 60;
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
    /// Values, licences and other single steps that were refused while the rest of their change was written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<RefusedPart>,
    /// What an approver rejected and an operator undid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declined: Vec<Declined>,
}

/// One value, licence or other step that the tenant refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedPart {
    /// A digest of the step and its value.
    what: Box<str>,
    /// Why, with the tenant's own word.
    pub reason: Reason,
    /// How often the tenant refused it.
    pub times: u32,
    /// When it was refused last (Unix seconds).
    pub at: i64,
    /// Not sent again before (Unix seconds).
    pub next: i64,
    /// The facts that the refusal rested on; `None` when it rests on the value alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on: Option<Revisions>,
    /// The licence without a free seat: sent again when the tenant shows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sku: Option<Box<str>>,
}

/// What the tenant refused of one change.
#[derive(Clone, Debug)]
pub struct Refusals {
    /// A step that the rest of the change rests on.
    pub whole: Option<(Reason, Cure)>,
    /// Single steps that left the rest standing.
    pub parts: Vec<(Step, Reason, Cure)>,
    /// The facts as they are after what was written: of person, account and policy.
    pub on: Revisions,
}

/// Parts that nobody asked for since are forgotten after so long (seconds).
const FORGOTTEN_AFTER: i64 = 60 * 24 * 60 * 60;

/// Whether a refusal may be cured by somebody else's change, which none of the person's facts shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cure {
    /// Another object gives up a value.
    Elsewhere,
    /// The person's facts or the policy.
    Here,
    /// An administrator, who grants a permission or makes room and then runs again at once: the next run asks again.
    ByHand,
    /// The value itself, whatever else is true of person and account.
    Value,
    /// A free seat of the licence, which the tenant shows.
    Seat,
}

impl Refused {
    /// What is remembered after refusals at a time (Unix seconds). `before` is what was remembered until then.
    pub fn after(before: Option<&Self>, change: &Change, refusals: &Refusals, now: i64) -> Self {
        let mut parts: Vec<RefusedPart> = before.map(|before| before.parts.clone()).unwrap_or_default();
        parts.retain(|part| now - part.at < FORGOTTEN_AFTER);
        for (step, reason, cure) in &refusals.parts {
            for what in names(step) {
                let at = parts.iter().position(|part| part.what == what);
                let earlier = at.map(|at| parts.remove(at));
                let times =
                    earlier.filter(|part| part.on.is_none_or(|on| on == refusals.on)).map_or(0, |part| part.times);
                parts.push(RefusedPart {
                    what,
                    reason: reason.clone(),
                    times: times.saturating_add(1),
                    at: now,
                    next: now.saturating_add(wait(*cure, times)),
                    on: matches!(cure, Cure::Here).then_some(refusals.on),
                    sku: given(step).filter(|_| *cure == Cure::Seat).map(|license| license.sku.clone()),
                });
            }
        }
        let earlier = before.filter(|before| before.is_about(change)).map_or(0, |before| before.times);
        let (reason, times, next) = match (&refusals.whole, refusals.parts.first()) {
            (Some((reason, cure)), _) => {
                (reason.clone(), earlier.saturating_add(1), now.saturating_add(wait(*cure, earlier)))
            }
            // The change itself was written; only parts of it are remembered.
            (None, Some((_, reason, _))) => (reason.clone(), 0, now),
            (None, None) => (Reason::plain(Code::TenantRefused), 0, now),
        };
        let declined = before.map(|before| before.declined.clone()).unwrap_or_default();
        Self { v: 1, change: change.id.clone(), decided_on: change.decided_on, reason, times, next, parts, declined }
    }

    /// What is remembered once a change is declined, beside what the tenant refused.
    pub fn declining(before: Option<&Self>, declined: Declined) -> Self {
        let nothing = || Self {
            v: 1,
            change: declined.change.clone(),
            decided_on: Revisions::default(),
            reason: Reason::plain(Code::TenantRefused),
            times: 0,
            next: 0,
            parts: Vec::new(),
            declined: Vec::new(),
        };
        let mut refused = before.cloned().unwrap_or_else(nothing);
        refused.declined = declined.remember(&refused.declined);
        refused
    }

    /// Whether the refusal is of this change, resting on these facts.
    fn is_about(&self, change: &Change) -> bool {
        self.change == change.id && self.decided_on == change.decided_on
    }

    /// The part of that name, when it would be refused again.
    fn part(&self, what: &str, on: Revisions, skus: Option<&[Sku]>, now: i64) -> Option<&RefusedPart> {
        self.parts.iter().find(|part| &*part.what == what && part.stands(on, skus, now))
    }
}

impl RefusedPart {
    /// Whether nothing has changed that could make the tenant answer otherwise.
    fn stands(&self, now_on: Revisions, skus: Option<&[Sku]>, now: i64) -> bool {
        if self.on.is_some_and(|on| on != now_on) {
            return false;
        }
        let shown = self.sku.as_ref().and_then(|id| skus?.iter().find(|sku| sku.id == **id));
        // A seat that is shown free is asked for, a day after the last time at the earliest: it may be somebody's already.
        let next = if shown.is_some_and(|sku| sku.free() > 0) { self.at + FIRST_WAIT } else { self.next };
        now < next
    }
}

/// Until when a refusal is not asked for again (seconds), after so many in a row before it.
fn wait(cure: Cure, earlier: u32) -> i64 {
    match cure {
        Cure::ByHand => 0,
        Cure::Elsewhere => NEXT_NIGHT,
        Cure::Here | Cure::Value if earlier == 0 => FIRST_WAIT,
        Cure::Here | Cure::Value | Cure::Seat => LATER_WAIT,
    }
}

/// The one licence that a step gives.
fn given(step: &Step) -> Option<&License> {
    match step {
        Step::SetLicenses { give, .. } => match give.as_slice() {
            [one] => Some(one),
            _ => None,
        },
        _ => None,
    }
}

/// Whether the tenant has by now what the change was refused for: a free seat of every licence that it gives, or the
/// domain of the name that it sets.
fn is_cured(refused: &Refused, change: &Change, tenant: &Tenant) -> bool {
    match refused.reason.code {
        Code::NoSeats => {
            let skus = tenant.skus.as_deref().unwrap_or_default();
            let given = change.steps.iter().filter_map(|step| match step {
                Step::SetLicenses { give, .. } => Some(give),
                _ => None,
            });
            let mut given = given.flatten().filter(|license| !license.held).peekable();
            let free = |sku: &str| skus.iter().any(|known| *known.id == *sku && known.free() > 0);
            given.peek().is_some() && given.all(|license| free(&license.sku))
        }
        Code::DomainNotVerified => change.steps.iter().any(|step| match step {
            Step::Create { attributes, .. } => {
                attributes.filled(Attr::UserPrincipalName).is_some_and(|upn| tenant.verified_domain_of(upn).is_some())
            }
            Step::Rename { after, .. } => tenant.verified_domain_of(after).is_some(),
            _ => false,
        }),
        _ => false,
    }
}

/// The decision without what would be refused again: the whole change, or parts of it. It says why, and when it is sent
/// again. What the tenant shows to be cured meanwhile is sent at once.
pub fn withhold(decision: Decision, refused: Option<&Refused>, tenant: &Tenant, now: i64) -> Decision {
    let skus = tenant.skus.as_deref();
    let Some(refused) = refused else { return decision };
    let Some(change) = decision.change.as_deref() else { return decision };
    if refused.is_about(change) && now < refused.next && !is_cured(refused, change, tenant) {
        return without_change(decision, vec![refused.reason.clone()], refused.next);
    }
    let mut left_out: Vec<&RefusedPart> = Vec::new();
    let mut steps = Vec::with_capacity(change.steps.len());
    let mut removal_from = None;
    for (at, step) in change.steps.iter().enumerate() {
        if change.removal_from.is_some_and(|from| at >= from) {
            removal_from.get_or_insert(steps.len());
        }
        steps.extend(without_parts(step, &mut |what| {
            let part = refused.part(what, change.decided_on, skus, now);
            left_out.extend(part);
            part.is_some()
        }));
    }
    let Some(next) = left_out.iter().map(|part| part.next).min() else { return decision };
    let mut reasons: Vec<Reason> = Vec::new();
    for part in left_out {
        if !reasons.contains(&part.reason) {
            reasons.push(part.reason.clone());
        }
    }
    if steps.is_empty() {
        return without_change(decision, reasons, next);
    }
    let mut change = with_steps(change, steps, removal_from);
    change.reasons.extend(reasons.iter().filter(|reason| !decision.reasons.contains(reason)).cloned());
    let again = decision.look_again_at.map_or(next, |at| at.min(next));
    Decision {
        action: change.action,
        reasons: change.reasons.clone(),
        change: Some(Box::new(change)),
        look_again_at: Some(again),
        ..decision
    }
}

fn without_change(decision: Decision, mut reasons: Vec<Reason>, next: i64) -> Decision {
    let others = decision.reasons.iter().filter(|reason| !reasons.contains(reason)).cloned().collect::<Vec<_>>();
    reasons.extend(others);
    let again = decision.look_again_at.map_or(next, |at| at.min(next));
    Decision { action: Action::None, change: None, reasons, look_again_at: Some(again), ..decision }
}
