//! Our link names the account. What the tenant and the source say since then may disagree with it.

use std::borrow::Cow;

use crate::draft::{Consent, Draft, Part, StepOrder};
use crate::facts::Facts;
use crate::join::soft::{self, Candidate};
use crate::join::{Joining, Opening, Target, claims, deleted, merge, unlinked};
use crate::person_context::{PersonContext, Roles};
use crate::rules::leaving;
use crate::vocabulary::account::{Account, Authority};
use crate::vocabulary::change::{Action, EvidenceRule, Found, Join, Step};
use crate::vocabulary::ids::ImmutableId;
use crate::vocabulary::link::{JoinRule, Link};
use crate::vocabulary::policy::{AccountDeleted, OnConflict, SoftRule};
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::text::same_name;

pub(super) fn join<'a, F: Facts>(subject: &PersonContext<'a, F>, draft: &mut Draft<'a>, link: &'a Link) -> Joining<'a> {
    // Between two looks that find it nowhere nothing is sent to it, and its name and addresses are not free.
    let Some(account) = subject.facts.account(&link.account).filter(|_| link.ledger.unseen.is_none()) else {
        return missing(subject, draft, link);
    };
    draft.saw(EvidenceRule::Link, Found::Same);
    if account.is_deleted() {
        return soft_deleted(subject, draft, link, account);
    }
    draft.joined(JoinRule::Link, account);
    if account.authority == Authority::Synced {
        draft.show(account);
        draft.refuse(Reason::plain(Code::MasteredElsewhere));
        return Joining::Settled;
    }
    let opening = match same_id(subject, draft, link, account) {
        Ok(opening) => opening,
        Err(settled) => return settled,
    };
    if let Some(other) = other_live_match(subject, draft, account) {
        merge::plan(subject, draft, account, other);
        return Joining::Settled;
    }
    Joining::To(Target { account, link: Some(link), opening, set_id: None })
}

/// The account is neither live nor in the recycle bin, as far as anybody looked.
fn missing<'a, F: Facts>(subject: &PersonContext<'a, F>, draft: &mut Draft<'a>, link: &'a Link) -> Joining<'a> {
    draft.saw(EvidenceRule::Link, Found::Nothing);
    draft.join = Some(Join::Refused { account: Some(link.account.clone()) });
    if !subject.is_complete() {
        draft.code(Code::Incomplete);
    } else if !link.ledger.is_gone() {
        draft.code(Code::AccountUnseen);
    } else if let Some(ours) = link.ledger.deleted {
        // The deletion was ours, so the person's return undoes it: nothing is left to restore.
        let gone = link.ledger.confirmed_gone.unwrap_or_default();
        let dates = format!("deleted by us at {}, gone since {gone}", ours.at);
        draft.saw_at(EvidenceRule::Dates, Found::Fact, &link.account, None, Some(&dates));
        return unlinked(subject, draft);
    } else {
        match subject.policy.lifecycle.account_deleted {
            AccountDeleted::Report | AccountDeleted::Restore => draft.code(Code::AccountDeleted),
            AccountDeleted::Recreate => return unlinked(subject, draft),
        }
    }
    Joining::Settled
}

/// The account is in the recycle bin: by our hand, and then a return undoes it, or by somebody else's.
fn soft_deleted<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    draft: &mut Draft<'a>,
    link: &'a Link,
    account: &'a Account,
) -> Joining<'a> {
    if let Some(date) = &account.deleted {
        draft.saw_at(EvidenceRule::Dates, Found::Fact, &account.id, None, Some(&format!("deleted {date}")));
    }
    let live = subject.person.immutable_id().and_then(|id| {
        subject.accounts_with_id(id).into_iter().find(|other| !other.is_deleted() && other.id != account.id)
    });
    if let Some(other) = live {
        draft.saw_at(EvidenceRule::HardMatch, Found::Different, &other.id, None, None);
        draft.refuse_join(Reason::plain(Code::LinkConflict), Some(account));
        return Joining::Settled;
    }
    if is_anothers(subject, account) {
        draft.saw(EvidenceRule::Claims, Found::Different);
        draft.refuse_join(Reason::plain(Code::LinkConflict), Some(account));
        return Joining::Settled;
    }
    let restore = link.ledger.deleted.is_some();
    match (restore, subject.policy.lifecycle.account_deleted) {
        (true, _) | (false, AccountDeleted::Restore | AccountDeleted::Recreate) if leaving::is_leaving(subject) => {
            deleted::stays_in_the_bin(draft, account);
        }
        (true, _) | (false, AccountDeleted::Restore) => {
            let upn = subject.policy.wanted_upn(subject.person).ok().flatten();
            if !subject.is_complete() {
                draft.refuse_join(Reason::plain(Code::Incomplete), Some(account));
            } else if let Some(reason) = deleted::restore_conflict(subject, account, upn.as_deref()) {
                draft.refuse_join(reason, Some(account));
            } else {
                draft.joined(JoinRule::Link, account);
                return Joining::To(Target { account, link: Some(link), opening: Opening::Restore, set_id: None });
            }
        }
        (false, AccountDeleted::Report) => {
            draft.joined(JoinRule::Link, account);
            draft.code(Code::AccountDeleted);
        }
        (false, AccountDeleted::Recreate) => {
            draft.joined(JoinRule::Link, account);
            draft.show(account);
            draft.code(Code::AccountDeleted);
            draft.parts.push(Part {
                action: Action::Purge,
                when: StepOrder::Opening,
                consent: Consent::Repair,
                reason: Reason::with(Code::RepairNeeded, "purge, then create"),
                steps: vec![Step::Purge { account: account.id.clone() }],
            });
        }
    }
    Joining::Settled
}

/// Compares the immutable IDs. `Err` when they settle the matter.
fn same_id<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    draft: &mut Draft<'a>,
    link: &'a Link,
    account: &'a Account,
) -> Result<Opening, Joining<'a>> {
    let ours = subject.person.immutable_id();
    let theirs = account.immutable_id.as_ref();
    if ours.is_some() && ours == theirs {
        draft.saw(EvidenceRule::HardMatch, Found::Same);
        return Ok(Opening::Linked);
    }
    draft.saw_at(
        EvidenceRule::Drift,
        Found::Different,
        &account.id,
        ours.map(ImmutableId::as_str),
        theirs.map(ImmutableId::as_str),
    );
    if is_anothers(subject, account) {
        draft.saw(EvidenceRule::Claims, Found::Different);
        draft.refuse(Reason::with(Code::LinkConflict, "the account's immutable ID is another person's"));
        return Err(Joining::Settled);
    }
    let Some(ours) = ours else {
        // The source has no anchor for them: the link alone holds, as long as the tenant's ID stays.
        if theirs == link.immutable_id.as_ref() {
            return Ok(Opening::Linked);
        }
        draft.refuse(Reason::plain(Code::AnchorDrift));
        return Err(Joining::Settled);
    };
    let holders = subject.accounts_with_id(ours);
    if let Some(holder) = holders.iter().find(|holder| !holder.is_deleted()) {
        draft.saw_at(EvidenceRule::HardMatch, Found::Different, &holder.id, Some(ours.as_str()), None);
        draft.refuse(Reason::with(Code::LinkConflict, format!("{} and {}", account.id, holder.id)));
        return Err(Joining::Settled);
    }
    let split = subject.others_with_id(ours).iter().any(|other| {
        other.connection == subject.record.connection
            && subject.facts.link(&other.reference()).is_some_and(|theirs| theirs.account != link.account)
    });
    if split {
        draft.saw(EvidenceRule::Claims, Found::Several);
        draft.refuse(Reason::plain(Code::SplitIdentity));
        return Err(Joining::Settled);
    }
    // Whose value moved: the tenant's since we linked, or the source's.
    let code = if theirs == link.immutable_id.as_ref() { Code::AnchorWrong } else { Code::AnchorDrift };
    match (subject.policy.on_conflict, theirs) {
        (OnConflict::Stop, _) | (OnConflict::TenantWins, None) => draft.refuse(Reason::plain(code)),
        (OnConflict::TenantWins, Some(theirs)) => {
            draft.code(Code::AnchorLearned);
            let known = link.immutable_id.as_ref() == Some(theirs);
            return Ok(if known { Opening::Linked } else { Opening::Link });
        }
        (OnConflict::SourceWins, _) => {
            if let Some(holder) = holders.first() {
                draft.refuse(Reason::with(Code::DeletedHolder, format!("the ID is reserved by {}", holder.id)));
                draft.code(code);
            } else if let Some(reason) = roles_forbid(subject, account) {
                draft.refuse(reason);
                draft.code(code);
            } else {
                soft::set_id(subject, draft, account, Reason::plain(code), &[Step::Link]);
            }
        }
    }
    Err(Joining::Settled)
}

/// Whether the account's ID is another person's, out-of-scope and absent people included.
fn is_anothers<F: Facts>(subject: &PersonContext<'_, F>, account: &Account) -> bool {
    let theirs = account.immutable_id.as_ref().filter(|id| !subject.person.knows_anchor(id));
    theirs.is_some_and(|id| !subject.others_with_id(id).is_empty())
}

fn roles_forbid<F: Facts>(subject: &PersonContext<'_, F>, account: &Account) -> Option<Reason> {
    match subject.roles(&account.id) {
        Roles::Unknown => Some(Reason::plain(Code::RolesUnknown)),
        Roles::Held(roles) => Some(Reason::with(Code::Privileged, roles.join(", "))),
        Roles::None => None,
    }
}

/// Another live account that the soft rules would find. Sign-in names and primary addresses are unique in a tenant:
/// where the linked account has them itself, nobody else does.
pub(super) fn other_live_match<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    draft: &mut Draft<'a>,
    account: &Account,
) -> Option<&'a Account> {
    let mut candidates: Vec<Candidate<'a>> = Vec::new();
    for &rule in &subject.policy.soft {
        let (evidence, ours, theirs) = match rule {
            SoftRule::Upn => {
                let ours = subject.policy.wanted_upn(subject.person).ok().flatten();
                (EvidenceRule::Upn, ours, account.upn())
            }
            SoftRule::PrimarySmtp => {
                let ours = subject.person.addresses.primary().map(Cow::Borrowed);
                (EvidenceRule::PrimarySmtp, ours, account.primary_address())
            }
        };
        match (ours, theirs) {
            (Some(ours), Some(theirs)) if same_name(&ours, theirs) => draft.saw(evidence, Found::Same),
            (None, _) => draft.saw(evidence, Found::Nothing),
            (Some(ours), _) => {
                let found = soft::by_rule(subject, rule, &ours);
                if found.is_empty() {
                    draft.saw(evidence, Found::Nothing);
                }
                for other in found {
                    draft.saw_at(evidence, Found::Different, &other.id, Some(&ours), None);
                    candidates.push(Candidate { rule, account: other });
                }
            }
        }
    }
    claims::duplicate_account(subject, account, &candidates)
}
