//! Leaving and returning: what happens to sign-in and to the account, and when. Alone writes `accountEnabled`.

use crate::draft::{Consent, Draft, StepOrder};
use crate::facts::Facts;
use crate::join::{self, Opening, Successor, Target};
use crate::person_context::{PersonContext, Roles};
use crate::rules::employment;
use crate::rules::entitle::{concerns, entitle};
use crate::rules::leaving::{Cause, cause_here, stages_of};
use crate::rules::likeness::named;
use crate::rules::{licenses, memberships};
use crate::vocabulary::account::{Account, Authority};
use crate::vocabulary::change::{Action, EvidenceRule, Found, Join, Step};
use crate::vocabulary::disconnected_period::runs_out;
use crate::vocabulary::link::{JoinRule, LeavingCause, Ledger, Link};
use crate::vocabulary::policy::{LeavingAction, Reenable, Switch};
use crate::vocabulary::reason::{Code, Reason};

/// Somebody whom the source no longer has, or the scope no longer includes. Only an account that we linked is touched.
pub(crate) fn left<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    draft: &mut Draft<'a>,
    cause: LeavingCause,
    since: Option<i64>,
) {
    let Some(link) = subject.facts.link(&subject.who) else {
        draft.join = Some(Join::NotLooked);
        draft.code(if cause == LeavingCause::LeftScope { Code::OutOfScope } else { Code::LeftSettled });
        return;
    };
    let Some(account) = subject.facts.account(&link.account).filter(|_| link.ledger.unseen.is_none()) else {
        draft.join = Some(Join::Refused { account: Some(link.account.clone()) });
        draft.code(match (subject.is_complete(), link.ledger.is_gone()) {
            (_, true) => Code::LeftSettled,
            (true, false) => Code::AccountUnseen,
            (false, false) => Code::Incomplete,
        });
        return;
    };
    draft.evidence.saw(EvidenceRule::Link, Found::Same);
    draft.joined(JoinRule::Link, account);
    if account.is_deleted() {
        draft.code(Code::LeftSettled);
        return;
    }
    if account.authority == Authority::Synced {
        // The clocks stand still: not being remembered as leaving, the person starts anew when the account is ours.
        draft.evidence.show(account);
        draft.refuse(Reason::plain(Code::MasteredElsewhere));
        return;
    }
    if !is_still_theirs(subject, draft, link, account) {
        return;
    }
    let mut deletion = Deletion::OnTime;
    if cause == LeavingCause::Absent {
        let gone_since = since.unwrap_or(subject.now);
        match join::successor(subject, gone_since) {
            Successor::Nobody => {}
            Successor::Continues(other) => {
                draft.evidence.saw_person(EvidenceRule::Claims, Found::Several, &named(other));
                draft.refuse(Reason::with(Code::ContinuedElsewhere, format!("by {}", named(other))));
                return;
            }
            Successor::MaybeThey(other) => {
                draft.evidence.saw_person(EvidenceRule::Claims, Found::Same, &named(other));
                let overdue = subject.now - gone_since > REKEY_OVERDUE;
                let code = if overdue { Code::RekeyOverdue } else { Code::MaybeRekeyed };
                draft.refuse(Reason::with(code, format!("resembled by {}", named(other))));
                return;
            }
            Successor::Namesake(other) => {
                draft.evidence.saw_person(EvidenceRule::Claims, Found::Different, &named(other));
                deletion = Deletion::Waits(Reason::with(Code::Namesake, format!("resembled by {}", named(other))));
            }
        }
    }
    stages(subject, draft, account, Some(&link.ledger), (cause, since), deletion);
    if draft.parts.is_empty() && draft.reasons.is_empty() {
        draft.code(Code::LeftSettled);
    }
}

/// An account whose ID was changed to something else, or is somebody else's at the source by now, is left alone.
fn is_still_theirs<F: Facts>(
    subject: &PersonContext<'_, F>,
    draft: &mut Draft<'_>,
    link: &Link,
    account: &Account,
) -> bool {
    let Some(id) = &account.immutable_id else { return true };
    let known = subject.person.knows_anchor(id);
    let code = if subject.others_with_id(id).iter().any(|other| !other.is_gone()) {
        if known { Code::ContinuedElsewhere } else { Code::LinkConflict }
    } else if known || link.immutable_id.as_ref() == Some(id) {
        return true;
    } else {
        Code::AnchorDrift
    };
    let linked = link.immutable_id.as_ref().map(crate::vocabulary::ids::ImmutableId::as_str);
    draft.evidence.saw_at(EvidenceRule::Drift, Found::Different, &account.id, linked, Some(id.as_str()));
    draft.refuse(Reason::plain(code));
    false
}

/// A present, in-scope person with an account: blocked, allowed again, or neither.
pub(crate) fn here<'a, F: Facts>(subject: &PersonContext<'a, F>, draft: &mut Draft<'a>, target: &Target<'a>) {
    let ledger = target.link.map(|link| &link.ledger);
    match cause_here(subject) {
        Cause::None => returning(subject, draft, target, ledger),
        Cause::Ignored => draft.code(Code::LeavingIgnored),
        Cause::Leaving(cause) => {
            let since = employment::ended(subject).filter(|_| cause == LeavingCause::Ended);
            return stages(subject, draft, target.account, ledger, (cause, since), Deletion::OnTime);
        }
    }
    if !target.account.is_deleted() {
        entitle(subject, draft, Some(target.account), ledger);
    } else if concerns(subject, ledger) {
        // What an account in the recycle bin has of these shows when it is back.
        draft.note(Reason::with(Code::InProgress, "licences and groups are looked at when the account is back"));
    }
}

/// What a new account is given beside itself. Who is on the way out is given nothing.
pub(crate) fn entitle_new<F: Facts>(subject: &PersonContext<'_, F>, draft: &mut Draft<'_>) {
    match cause_here(subject) {
        Cause::None | Cause::Ignored => entitle(subject, draft, None, None),
        Cause::Leaving(_) => {}
    }
}

fn code_of(cause: LeavingCause) -> Code {
    match cause {
        LeavingCause::Absent => Code::SourceAbsent,
        LeavingCause::LeftScope => Code::LeftScope,
        LeavingCause::Disabled => Code::SourceDisabled,
        LeavingCause::PasswordExpired => Code::SourcePasswordExpired,
        LeavingCause::Ended => Code::EmploymentEnded,
        LeavingCause::Undone => Code::Undoing,
    }
}

/// The account of somebody who may be another person under a new key stays as it is for so long before it is an alarm
/// (seconds).
const REKEY_OVERDUE: i64 = 7 * 86_400;

/// Whether the account of a leaver may be deleted when that is due.
enum Deletion {
    OnTime,
    /// Not while somebody at the source resembles them.
    Waits(Reason),
}

/// The stages that are due, and the next one's date. Disabling comes first: an account that still signs in is blocked,
/// and deleted when that is done, unless policy never blocks. Licences go with the blocking or after it; whose account is
/// deleted loses them with it.
fn stages<F: Facts>(
    subject: &PersonContext<'_, F>,
    draft: &mut Draft<'_>,
    account: &Account,
    ledger: Option<&Ledger>,
    (cause, since): (LeavingCause, Option<i64>),
    deletion: Deletion,
) {
    let stages = stages_of(subject, cause);
    if stages.is_empty() {
        draft.code(Code::LeavingIgnored);
        return;
    }
    let remembered = ledger.and_then(|ledger| {
        ledger.leaving_since.filter(|_| ledger.leaving_cause.is_none_or(|remembered| remembered == cause))
    });
    let since = since.or(remembered).unwrap_or(subject.now);
    draft.leaving = Some((cause, since));
    let due = |action: LeavingAction| {
        stages
            .iter()
            .filter(|stage| stage.action == action)
            .map(|stage| runs_out(since, stage.after_seconds, subject.disconnected, subject.now))
            .min()
    };
    let is_due = |at: Option<i64>| at.is_some_and(|at| at <= subject.now);
    let blocked = account.enabled == Some(false);
    let given = given(subject, account, ledger);
    let suspend_at = due(LeavingAction::Suspend).filter(|_| !blocked && subject.policy.actions.suspend != Switch::Off);
    let strip_at = due(LeavingAction::RemoveLicenses).filter(|_| !given.is_empty());
    let delete_at = due(LeavingAction::Delete);
    let suspends = is_due(suspend_at);
    let mut deletes = suspend_at.is_none() && is_due(delete_at);
    if deletes && let Deletion::Waits(reason) = deletion {
        draft.note(reason);
        deletes = false;
    }
    // What waits for a later blocking waits with it.
    let strips = !deletes && (suspends || suspend_at.is_none()) && is_due(strip_at);
    let later = [suspend_at, strip_at, delete_at].into_iter().flatten().filter(|at| *at > subject.now).min();
    if let Some(at) = later {
        draft.look_again_at = Some(at);
        draft.note(Reason::with(Code::InGrace, format!("until {at}")));
    }
    if !(suspends || deletes)
        && subject.policy.actions.suspend == Switch::Off
        && !blocked
        && due(LeavingAction::Suspend).is_some()
    {
        draft.note(Reason::with(Code::ActionOff, "suspend"));
    }
    if !(suspends || strips || deletes) {
        return;
    }
    if let Some(reason) = forbidden(subject, account, true) {
        draft.note(reason);
        return;
    }
    let scope = subject.policy.scope.as_ref().filter(|_| cause == LeavingCause::LeftScope);
    // An operator asks which rule put a person outside.
    let reason = match scope {
        Some(scope) => Reason::with(code_of(cause), format!("[scope] include = {}", scope.text())),
        None => Reason::plain(code_of(cause)),
    };
    if suspends {
        let mut steps = vec![Step::SetEnabled { before: account.enabled, after: false, cause: Some(cause) }];
        if subject.policy.lifecycle.revoke_sessions {
            steps.push(Step::RevokeSessions);
        }
        draft.part(Action::Suspend, StepOrder::Suspend, reason.clone(), steps);
    }
    if strips {
        for (action, when, steps) in given.into_parts() {
            draft.part(action, when, reason.clone(), steps);
        }
    }
    if deletes {
        draft.evidence.show(account);
        draft.part(Action::Delete, StepOrder::Delete, reason, vec![Step::Delete { cause }]);
    }
}

/// What we gave an account and it still has.
struct Given {
    licenses: Option<Step>,
    memberships: Vec<Step>,
}

fn given<F: Facts>(subject: &PersonContext<'_, F>, account: &Account, ledger: Option<&Ledger>) -> Given {
    Given {
        licenses: licenses::ours(subject, account, ledger),
        memberships: memberships::ours(subject, account, ledger),
    }
}

impl Given {
    fn is_empty(&self) -> bool {
        self.licenses.is_none() && self.memberships.is_empty()
    }

    /// The steps that take it away.
    fn into_parts(self) -> Vec<(Action, StepOrder, Vec<Step>)> {
        let licenses = self.licenses.map(|step| (Action::License, StepOrder::Unlicense, vec![step]));
        let memberships =
            (!self.memberships.is_empty()).then_some((Action::Membership, StepOrder::Leave, self.memberships));
        licenses.into_iter().chain(memberships).collect()
    }
}

/// Sign-in that we blocked is allowed again; what others blocked stays blocked, unless the source decides.
fn returning<F: Facts>(
    subject: &PersonContext<'_, F>,
    draft: &mut Draft<'_>,
    target: &Target<'_>,
    ledger: Option<&Ledger>,
) {
    let account = target.account;
    if account.enabled != Some(false) {
        return;
    }
    if let Some(at) = employment::begins_later(subject) {
        draft.note(Reason::with(Code::NotStarted, format!("until {at}")));
        return;
    }
    let ours = ledger.is_some_and(|ledger| ledger.suspended.is_some());
    let allowed = ours
        || match subject.policy.lifecycle.reenable {
            Reenable::Ours => false,
            // Also at the first join; but whose account it is must be beyond doubt.
            Reenable::Always => {
                subject.person.enabled == Some(true) && target.opening != Opening::Takeover(Consent::Approval)
            }
        };
    if !allowed {
        draft.code(Code::BlockedElsewhere);
        return;
    }
    if let Some(reason) = forbidden(subject, account, false) {
        draft.note(reason);
        return;
    }
    let steps = vec![Step::SetEnabled { before: account.enabled, after: true, cause: None }];
    draft.part(Action::Enable, StepOrder::Enable, Reason::plain(Code::Returned), steps);
}

/// Why sign-in and existence of the account are not to be touched.
fn forbidden<F: Facts>(subject: &PersonContext<'_, F>, account: &Account, leaver: bool) -> Option<Reason> {
    match subject.roles(&account.id) {
        Roles::Unknown => Some(Reason::plain(Code::RolesUnknown)),
        Roles::Held(roles) => {
            let code = if leaver { Code::PrivilegedLeaver } else { Code::Privileged };
            Some(Reason::with(code, roles.join(", ")))
        }
        Roles::None if leaver && !subject.is_complete() => Some(Reason::plain(Code::Incomplete)),
        Roles::None => None,
    }
}
