//! The decision made of the draft: switches, order of steps, holds, counts. Decides nothing about people.

use std::fmt::Write as _;

use crate::draft::{Consent, Draft, Part, StepOrder};
use crate::facts::Facts;
use crate::person_context::PersonContext;
use crate::rules::write_back;
use crate::vocabulary::account::Account;
use crate::vocabulary::change::{Action, Change, ChangeId, Decision, Hold, Join, Removals, Step};
use crate::vocabulary::link::{JoinRule, LeavingCause, LedgerChange};
use crate::vocabulary::policy::{Actions, Switch};
use crate::vocabulary::reason::{Code, Reason};

pub(crate) fn decision<F: Facts>(subject: &PersonContext<'_, F>, mut draft: Draft<'_>) -> Decision {
    let parts = permitted(&subject.policy.actions, &mut draft);
    let join = draft.join.take().unwrap_or(Join::NotLooked);
    let ledger = ledger_change(subject, &join, draft.leaving);
    let active = draft.account.is_some_and(|account| is_active(subject, account));
    let change = (!parts.is_empty()).then(|| Box::new(change(subject, &mut draft, parts)));
    let action = change.as_ref().map_or(Action::None, |change| change.action);
    let mut reasons = match &change {
        Some(change) => change.reasons.clone(),
        None => settled(draft.reasons),
    };
    let write_back = write_back::planned(subject, draft.account, (&join, &reasons), change.as_deref());
    let write_back = if draft.leaving.is_some() { Box::default() } else { write_back };
    if !write_back.is_empty() {
        let names: Vec<&str> = write_back.iter().map(|planned| &*planned.attribute).collect();
        reasons.retain(|reason| reason.code != Code::Converged);
        reasons.push(Reason::with(Code::WriteBack, names.join(", ")));
    }
    Decision {
        key: subject.who.key.clone(),
        write_back,
        join,
        action,
        reasons,
        evidence: draft.evidence.into_vec(),
        change,
        look_again_at: draft.look_again_at,
        leaving: draft.leaving,
        ledger,
        active,
    }
}

/// What the decision changes in the person's ledger. Only a person who is joined or leaving has one to keep.
fn ledger_change<F: Facts>(
    subject: &PersonContext<'_, F>,
    join: &Join,
    leaving: Option<(LeavingCause, i64)>,
) -> Option<Box<LedgerChange>> {
    if leaving.is_none() && !matches!(join, Join::Joined { .. }) {
        return None;
    }
    let link = subject.facts.link(&subject.who)?;
    link.ledger.change(leaving, subject.facts.account(&link.account)).map(Box::new)
}

/// Whether an account is live and not blocked by us.
fn is_active<F: Facts>(subject: &PersonContext<'_, F>, account: &Account) -> bool {
    let blocked = account.enabled == Some(false) && blocked_by_us(subject);
    !account.is_deleted() && !blocked
}

fn blocked_by_us<F: Facts>(subject: &PersonContext<'_, F>) -> bool {
    subject.facts.link(&subject.who).is_some_and(|link| link.ledger.suspended.is_some())
}

/// The reasons of a decision without a change: the weightiest first, and never none.
fn settled(mut reasons: Vec<Reason>) -> Vec<Reason> {
    if reasons.is_empty() {
        reasons.push(Reason::plain(Code::Converged));
    }
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.code.weight()));
    reasons
}

/// The parts that policy lets through, in order. A repair that opens the way stands alone: the person is decided again when
/// it is done.
fn permitted(actions: &Actions, draft: &mut Draft<'_>) -> Vec<Part> {
    let mut parts = std::mem::take(&mut draft.parts);
    parts.sort_by_key(|part| part.when);
    if parts.iter().any(|part| part.when == StepOrder::Opening && part.is_repair()) {
        parts.retain(|part| part.when == StepOrder::Opening);
    } else if parts.iter().any(|part| !part.is_repair()) {
        // What needs nobody's word does not wait for a repair that does.
        let asks = |part: &Part| {
            part.is_repair() && (part.consent == Consent::Approval || switch(actions, part.action) == Switch::Approve)
        };
        if parts.iter().any(asks) {
            draft.note(Reason::with(Code::RepairNeeded, "planned when the rest is written"));
            parts.retain(|part| !asks(part));
        }
    }
    let mut closed = false;
    parts.retain(|part| {
        let off = switch(actions, part.action) == Switch::Off;
        if off {
            closed |= part.when == StepOrder::Opening;
            draft.note(Reason::with(Code::ActionOff, described(part)));
        }
        !off
    });
    if closed {
        parts.clear();
    }
    parts
}

/// Whether the draft creates or joins an account that is then linked.
pub(crate) fn gives_account(actions: &Actions, mut draft: Draft<'_>) -> bool {
    permitted(actions, &mut draft).iter().any(|part| part.when == StepOrder::Opening && !part.is_repair())
}

/// Whether the draft restores an account without waiting for anybody's word.
pub(crate) fn restores(actions: &Actions, mut draft: Draft<'_>) -> bool {
    let parts = permitted(actions, &mut draft);
    let asks = parts.iter().any(|part| part.consent != Consent::Switch || switch(actions, part.action) != Switch::On);
    !asks && parts.iter().flat_map(|part| &part.steps).any(|step| matches!(step, Step::Restore))
}

fn change<F: Facts>(subject: &PersonContext<'_, F>, draft: &mut Draft<'_>, parts: Vec<Part>) -> Change {
    let action = parts.iter().map(|part| part.action).max_by_key(|action| rank(*action)).unwrap_or(Action::None);
    let mut hold = None;
    let mut removals = Removals::default();
    let mut removal_from = None;
    let mut steps = Vec::new();
    let mut reasons: Vec<Reason> = Vec::new();
    for part in parts {
        if part.when.is_removal() {
            removal_from.get_or_insert(steps.len());
            hold = hold.or(Some(Hold::Removal));
        }
        match part.when {
            StepOrder::Blank => removals.blanks = 1,
            StepOrder::Suspend => (removals.suspends, removals.departs) = (1, true),
            StepOrder::Unlicense => removals.licenses = 1,
            StepOrder::Leave => removals.memberships = 1,
            StepOrder::Delete => {
                removals.deletes = 1;
                removals.departs |= !blocked_by_us(subject);
            }
            StepOrder::Opening
            | StepOrder::Write
            | StepOrder::Hazard
            | StepOrder::Rename
            | StepOrder::Manager
            | StepOrder::Enable
            | StepOrder::License
            | StepOrder::Join => {}
        }
        let approve = switch(&subject.policy.actions, part.action) == Switch::Approve;
        match part.consent {
            Consent::Approval => hold = Some(Hold::Approval),
            Consent::Switch if approve => hold = Some(Hold::Approval),
            Consent::Switch => {}
        }
        if part.action == action {
            reasons.retain(|reason| *reason != part.reason);
            reasons.insert(0, part.reason);
        } else if !reasons.contains(&part.reason) {
            reasons.push(part.reason);
        }
        steps.extend(part.steps);
    }
    reasons.append(&mut draft.reasons);
    if hold == Some(Hold::Approval) {
        reasons.push(Reason::plain(Code::AwaitingApproval));
    }
    let account = draft.account.map(|account| account.id.clone());
    draft.after.sort_unstable();
    draft.after.dedup();
    Change {
        id: ChangeId::of(&subject.who, account.as_ref(), &steps),
        person: subject.who.clone(),
        account,
        action,
        steps,
        after: std::mem::take(&mut draft.after),
        hold,
        removals,
        removal_from,
        depth: draft.depth,
        link_from: draft.link_from.take(),
        decided_on: subject.revisions(draft.account),
        joined_by: draft.rule.unwrap_or(JoinRule::Link),
        reasons,
        undoes: None,
    }
}

/// The switch of an action. Storing a link needs none: it writes nothing.
fn switch(actions: &Actions, action: Action) -> Switch {
    match action {
        Action::None | Action::Link => Switch::On,
        Action::Create => actions.create,
        Action::Takeover => actions.takeover,
        Action::Update => actions.update,
        Action::License => actions.license,
        Action::Membership => actions.membership,
        Action::Rename => actions.rename,
        Action::Enable => actions.enable,
        Action::Suspend => actions.suspend,
        Action::Restore => actions.restore,
        Action::Delete => actions.delete,
        Action::Purge => actions.purge,
        Action::Repair => actions.repair,
        Action::Merge => actions.merge,
    }
}

/// Which action names a change of several: what an operator would ask about first.
fn rank(action: Action) -> u8 {
    match action {
        Action::None => 0,
        Action::Membership => 1,
        Action::Update => 2,
        Action::License => 3,
        // Storing a link writes nothing to the tenant: whatever else happens names the change.
        Action::Link => 4,
        Action::Rename => 5,
        Action::Enable => 6,
        Action::Suspend => 7,
        Action::Delete => 8,
        Action::Takeover => 9,
        Action::Restore => 10,
        Action::Create => 11,
        Action::Purge => 12,
        Action::Repair => 13,
        Action::Merge => 14,
    }
}

/// What is not done, in words: the action and what it would touch.
fn described(part: &Part) -> String {
    let mut text = part.action.name().to_owned();
    if let Some(detail) = &part.reason.detail {
        text.push_str(": ");
        text.push_str(detail);
    }
    for step in &part.steps {
        if let Step::Update { before, after, .. } = step {
            for (attr, value) in after.iter() {
                let now = before.get(attr).unwrap_or("");
                let _ = write!(text, "; {attr} {now:?} → {value:?}");
            }
        }
    }
    text
}
