//! A joined account: what is written to it so that it says what the source says.

use crate::draft::{Consent, Draft, Part, StepOrder};
use crate::facts::Facts;
use crate::join::{Opening, Target};
use crate::person_context::PersonContext;
use crate::rules::flow::{self, Differences, Moment};
use crate::rules::lifecycle;
use crate::rules::manager;
use crate::rules::upn::{self, Verdict};
use crate::vocabulary::account::Account;
use crate::vocabulary::attribute::Attr;
use crate::vocabulary::change::{Action, Step};
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::values;

pub(crate) fn keep<'a, F: Facts>(subject: &PersonContext<'a, F>, draft: &mut Draft<'a>, target: &Target<'a>) {
    if let Err(reason) = write(subject, draft, target) {
        // An expression failed: nothing is known of what the person should be, so nothing is changed.
        draft.refuse(reason);
    }
}

fn write<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    draft: &mut Draft<'a>,
    target: &Target<'a>,
) -> Result<(), Reason> {
    let account = target.account;
    if account.upn().is_some_and(values::is_temporary) {
        draft.note(Reason::with(Code::RepairNeeded, "a repair was not finished: the sign-in name is a temporary one"));
    }
    let moment = if target.link.is_some() { Moment::Later } else { Moment::First };
    let found = flow::differences(subject, draft, account, target.link, moment)?;
    let renaming = upn::rename(subject, draft, account, moment)?;
    let refused = found.refused || renaming == Verdict::Refused;
    if refused {
        draft.parts.clear();
        match target.opening {
            Opening::Takeover(_) | Opening::Restore => return Ok(()),
            Opening::Link => open(draft, target, &Differences::default()),
            Opening::Linked => {}
        }
    } else {
        open(draft, target, &found);
        spread(draft, target, &found);
        manager::change(subject, draft, account, moment);
    }
    lifecycle::here(subject, draft, target);
    Ok(())
}

/// Says what still differs of an account whose ID is to be set first: when that is done the person is decided again, and is
/// not as they should be until then.
pub(crate) fn tell_what_differs<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    draft: &mut Draft<'_>,
    account: &'a Account,
) {
    let mut aside = Draft::default();
    let link = subject.facts.link(&subject.who);
    let Ok(found) = flow::differences(subject, &mut aside, account, link, Moment::Later) else { return };
    let changed = found.ordinary.iter().chain(&found.hazardous).map(|(attr, _)| attr);
    let mut names = flow::names(changed.chain(&found.blanks));
    if upn::rename(subject, &mut aside, account, Moment::Later).is_ok() && !aside.parts.is_empty() {
        let comma = if names.is_empty() { "" } else { ", " };
        names = format!("{}{comma}{names}", Attr::UserPrincipalName);
    }
    if !names.is_empty() {
        draft.note(Reason::with(Code::InProgress, format!("{names}: written when the immutable ID is set")));
    }
}

/// The first steps: claim the account, or bring it back. A takeover is one write with the ID in it: where the ID is
/// refused, nothing is written.
fn open(draft: &mut Draft<'_>, target: &Target<'_>, found: &Differences<'_>) {
    let account = target.account;
    let (action, consent, code, steps) = match target.opening {
        Opening::Linked => return,
        Opening::Link => (Action::Link, Consent::Switch, Code::HardMatched, vec![Step::Link]),
        Opening::Takeover(consent) => {
            let mut steps = Vec::with_capacity(2);
            if target.set_id.is_some() || !found.ordinary.is_empty() {
                steps.push(flow::update(account, &found.ordinary, target.set_id.clone()));
            }
            steps.push(Step::Link);
            (Action::Takeover, consent, Code::Takeover, steps)
        }
        Opening::Restore => {
            let steps = vec![Step::Restore, Step::Link];
            let ours = target.link.is_some_and(|link| link.ledger.deleted.is_some());
            let code = if ours { Code::Returned } else { Code::RestoreDeleted };
            (Action::Restore, Consent::Switch, code, steps)
        }
    };
    draft.parts.push(Part { action, when: StepOrder::Opening, consent, reason: Reason::plain(code), steps });
}

/// The attribute writes beside the opening.
fn spread(draft: &mut Draft<'_>, target: &Target<'_>, found: &Differences<'_>) {
    let account = target.account;
    let in_opening = matches!(target.opening, Opening::Takeover(_));
    let code = if found.drifted { Code::Drift } else { Code::AttributesDiffer };
    if !in_opening && !found.ordinary.is_empty() {
        let names = flow::names(found.ordinary.iter().map(|(attr, _)| attr));
        let steps = vec![flow::update(account, &found.ordinary, None)];
        draft.part(Action::Update, StepOrder::Write, Reason::with(code, names), steps);
    }
    if !found.hazardous.is_empty() {
        let names = flow::names(found.hazardous.iter().map(|(attr, _)| attr));
        let steps = vec![flow::update(account, &found.hazardous, None)];
        draft.part(Action::Update, StepOrder::Hazard, Reason::with(code, names), steps);
    }
    if !found.blanks.is_empty() {
        let mut pairs: Vec<flow::Pair<'_>> = found.blanks.iter().map(|attr| (*attr, "".into())).collect();
        // What an earlier step of the same change writes counts, not what is there now.
        let mut beside = flow::with_companions(account, &pairs);
        for (attr, value) in &mut beside {
            if let Some((_, written)) = found.ordinary.iter().find(|(have, _)| have == attr) {
                value.clone_from(written);
            }
        }
        pairs.extend(beside);
        let reason = Reason::with(Code::AttributesDiffer, format!("{} cleared", flow::names(found.blanks.iter())));
        draft.part(Action::Update, StepOrder::Blank, reason, vec![flow::update(account, &pairs, None)]);
    }
}
