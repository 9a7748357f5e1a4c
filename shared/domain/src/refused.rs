//! What the tenant refused: not asked for again while nothing has changed that could make it answer otherwise.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::vocabulary::account::Tenant;
use crate::vocabulary::attribute::{Attr, Attributes};
use crate::vocabulary::change::{Action, Change, ChangeId, Decision, Hold, Removals, Revisions, Step};
use crate::vocabulary::license::{License, Sku};
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::text::hex;

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
}

/// One value, licence or other step that the tenant refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedPart {
    /// Which, and with which value: a digest.
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
        Self { v: 1, change: change.id.clone(), decided_on: change.decided_on, reason, times, next, parts }
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

/// The names of what a step asks for: each value and each licence by itself.
fn names(step: &Step) -> Vec<Box<str>> {
    let name = |parts: &[&str]| -> Box<str> {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(part.as_bytes());
        }
        hex(&hash.finalize()[..12]).into()
    };
    match step {
        Step::Update { after, .. } => after.iter().map(|(attr, value)| name(&["value", attr.name(), value])).collect(),
        Step::Rename { after, .. } => vec![name(&["value", Attr::UserPrincipalName.name(), after])],
        Step::SetEnabled { after, .. } => vec![name(&["enabled", if *after { "true" } else { "false" }])],
        Step::RevokeSessions => vec![name(&["revoke"])],
        Step::SetManager { after, .. } => {
            let after = after.as_ref().map(|target| match target {
                crate::vocabulary::change::ManagerTarget::Account(id) => id.as_str(),
                crate::vocabulary::change::ManagerTarget::Person(key) => key.as_str(),
            });
            vec![name(&["manager", after.unwrap_or_default()])]
        }
        Step::SetLicenses { give, take } => {
            let give = give.iter().map(|license| {
                let mut parts = vec!["give", &*license.sku];
                parts.extend(license.without.iter());
                name(&parts)
            });
            give.chain(take.iter().map(|license| name(&["take", &license.sku]))).collect()
        }
        Step::JoinGroup { group } => vec![name(&["join", group.kind.name(), &group.name])],
        Step::LeaveGroup { id, .. } => vec![name(&["leave", id.as_str()])],
        Step::Delete { .. } => vec![name(&["delete"])],
        // The rest of a change rests on these.
        Step::Create { .. } | Step::Link | Step::Restore | Step::Purge { .. } => Vec::new(),
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
    let removal_from = removal_from.filter(|from| *from < steps.len());
    let mut change = change.clone();
    change.id = ChangeId::of(&change.person, change.account.as_ref(), &steps);
    change.removals = remaining(change.removals, removal_from.map_or(&[], |from| &steps[from..]));
    if removal_from.is_none() && change.hold == Some(Hold::Removal) {
        change.hold = None;
    }
    if !steps.iter().any(|step| is_of(step, change.action)) {
        change.action = steps.iter().map(|step| step.traits().action).max().unwrap_or(change.action);
    }
    (change.steps, change.removal_from) = (steps, removal_from);
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

/// A step without the parts that are left out; nothing when none is left. An exchange of licences stays whole or goes
/// whole: taking one without giving the other would leave the person without both.
fn without_parts(step: &Step, left_out: &mut impl FnMut(&str) -> bool) -> Option<Step> {
    match step {
        Step::Update { immutable_id, before, after } => {
            let kept = |(attr, value): &(Attr, &str)| {
                let single = Attributes::from_pairs([(*attr, *value)]);
                let alone = Step::Update { immutable_id: None, before: Attributes::default(), after: single };
                !names(&alone).iter().any(|what| left_out(what))
            };
            let after: Attributes = after.iter().filter(kept).collect();
            let before = before.iter().filter(|(attr, _)| after.get(*attr).is_some()).collect();
            let empty = after.is_empty() && immutable_id.is_none();
            (!empty).then(|| Step::Update { immutable_id: immutable_id.clone(), before, after })
        }
        Step::SetLicenses { give, take } if take.is_empty() => {
            let alone = |license: &License| Step::SetLicenses { give: vec![license.clone()], take: Vec::new() };
            let kept = |license: &&License| !names(&alone(license)).iter().any(|what| left_out(what));
            let give: Vec<License> = give.iter().filter(kept).cloned().collect();
            (!give.is_empty()).then(|| Step::SetLicenses { give, take: Vec::new() })
        }
        // An exchange that was refused is refused again as long as one of its licences is.
        Step::SetLicenses { .. }
        | Step::Rename { .. }
        | Step::SetEnabled { .. }
        | Step::RevokeSessions
        | Step::SetManager { .. }
        | Step::JoinGroup { .. }
        | Step::LeaveGroup { .. }
        | Step::Delete { .. } => (!names(step).iter().any(|what| left_out(what))).then(|| step.clone()),
        Step::Create { .. } | Step::Link | Step::Restore | Step::Purge { .. } => Some(step.clone()),
    }
}

/// What removals are left of those that were counted.
fn remaining(counted: Removals, steps: &[Step]) -> Removals {
    let any = |of: fn(&Step) -> bool, count: u32| if steps.iter().any(of) { count } else { 0 };
    Removals {
        deletes: any(|step| matches!(step, Step::Delete { .. }), counted.deletes),
        suspends: any(|step| matches!(step, Step::SetEnabled { after: false, .. }), counted.suspends),
        blanks: any(|step| matches!(step, Step::Update { .. } | Step::SetManager { .. }), counted.blanks),
        licenses: any(|step| matches!(step, Step::SetLicenses { .. }), counted.licenses),
        memberships: any(|step| matches!(step, Step::LeaveGroup { .. }), counted.memberships),
        departs: counted.departs && steps.iter().any(|step| step.traits().departs),
    }
}

/// Whether a step is what an action is about. Actions of several steps stand for whatever they hold.
fn is_of(step: &Step, action: Action) -> bool {
    match action {
        Action::Takeover | Action::Repair | Action::Merge | Action::None => true,
        other => step.traits().action == other,
    }
}
