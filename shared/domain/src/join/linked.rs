//! Our link names the account. What the tenant and the source say since then may disagree with it.

use crate::draft::EvidenceLog;
use crate::facts::Facts;
use crate::join::duplicate::other_live_match;
use crate::join::outcome::{Joining, Opening, Refusal, Target, refused};
use crate::join::reanchor::set_id;
use crate::join::{claims, deleted, merge};
use crate::person_context::PersonContext;
use crate::rules::leaving;
use crate::vocabulary::account::{Account, Authority};
use crate::vocabulary::evidence::{EvidenceRule, Found};
use crate::vocabulary::ids::ImmutableId;
use crate::vocabulary::link::{JoinRule, Link};
use crate::vocabulary::policy::{AccountDeleted, OnConflict};
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::step::Step;

/// The verdict about a linked person; `None` when the linked account is gone for good and the person is joined anew.
pub(super) fn join<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    log: &mut EvidenceLog,
    link: &'a Link,
) -> Option<Joining<'a>> {
    // Between two looks that find it nowhere nothing is sent to it, and its name and addresses are not free.
    let Some(account) = subject.facts.account(&link.account).filter(|_| link.ledger.unseen.is_none()) else {
        return missing(subject, log, link);
    };
    log.saw(EvidenceRule::Link, Found::Same);
    if account.is_deleted() {
        return Some(soft_deleted(subject, log, link, account));
    }
    Some(live(subject, log, link, account).unwrap_or_else(Joining::Refused))
}

fn live<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    log: &mut EvidenceLog,
    link: &'a Link,
    account: &'a Account,
) -> Result<Joining<'a>, Refusal<'a>> {
    if account.authority == Authority::Synced {
        log.show(account);
        return Err(stays(Reason::plain(Code::MasteredElsewhere), account));
    }
    let (opening, notes) = match compare_ids(subject, log, link, account)? {
        Ids::Agree(opening) => (opening, Vec::new()),
        Ids::TenantWins(opening) => (opening, vec![Reason::plain(Code::AnchorLearned)]),
        Ids::SourceWins(reason) => {
            return Ok(set_id(subject, (JoinRule::Link, account), reason, vec![Step::Link], None));
        }
        Ids::Reserved(holder) => {
            return Ok(match merge::free_id(subject, log, holder, account) {
                Joining::Refused(refusal) => Joining::Refused(refusal.of_linked(account)),
                planned => planned,
            });
        }
    };
    if let Some(other) = other_live_match(subject, log, account) {
        return Ok(match merge::plan(subject, log, account, other, None) {
            Joining::Refused(refusal) => Joining::Refused(refusal.of_linked(account)),
            planned => planned,
        });
    }
    Ok(Joining::To(Target { link: Some(link), notes, ..Target::new(account, JoinRule::Link, opening) }))
}

/// The link stands, and nothing is written.
fn stays(reason: Reason, account: &Account) -> Refusal<'_> {
    Refusal::new(reason).stays_joined(JoinRule::Link, account)
}

/// The account is neither live nor in the recycle bin, as far as anybody looked.
fn missing<'a, F: Facts>(subject: &PersonContext<'a, F>, log: &mut EvidenceLog, link: &Link) -> Option<Joining<'a>> {
    log.saw(EvidenceRule::Link, Found::Nothing);
    let code = if !subject.is_complete() {
        Code::Incomplete
    } else if !link.ledger.is_gone() {
        Code::AccountUnseen
    } else if let Some(ours) = link.ledger.deleted {
        // The deletion was ours, so the person's return undoes it: nothing is left to restore.
        let gone = link.ledger.confirmed_gone.unwrap_or_default();
        let dates = format!("deleted by us at {}, gone since {gone}", ours.at);
        log.saw_at(EvidenceRule::Dates, Found::Fact, &link.account, None, Some(&dates));
        return None;
    } else {
        match subject.policy.lifecycle.account_deleted {
            AccountDeleted::Report | AccountDeleted::Restore => Code::AccountDeleted,
            AccountDeleted::Recreate => return None,
        }
    };
    Some(Joining::Refused(Refusal::new(Reason::plain(code)).about(Some(link.account.clone()))))
}

/// The account is in the recycle bin: by our hand, and then a return undoes it, or by somebody else's.
fn soft_deleted<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    log: &mut EvidenceLog,
    link: &'a Link,
    account: &'a Account,
) -> Joining<'a> {
    if let Some(date) = &account.deleted {
        log.saw_at(EvidenceRule::Dates, Found::Fact, &account.id, None, Some(&format!("deleted {date}")));
    }
    let live = subject.person.immutable_id().and_then(|id| {
        subject.accounts_with_id(id).into_iter().find(|other| !other.is_deleted() && other.id != account.id)
    });
    if let Some(other) = live {
        log.saw_at(EvidenceRule::HardMatch, Found::Different, &other.id, None, None);
        return refused(Reason::plain(Code::LinkConflict), account);
    }
    if is_anothers(subject, account) {
        log.saw(EvidenceRule::Claims, Found::Different);
        return refused(Reason::plain(Code::LinkConflict), account);
    }
    let restore = link.ledger.deleted.is_some();
    match (restore, subject.policy.lifecycle.account_deleted) {
        (true, _) | (false, AccountDeleted::Restore | AccountDeleted::Recreate) if leaving::is_leaving(subject) => {
            deleted::not_restored(account)
        }
        (true, _) | (false, AccountDeleted::Restore) => {
            let upn = subject.policy.wanted_upn(subject.person).ok().flatten();
            if !subject.is_complete() {
                refused(Reason::plain(Code::Incomplete), account)
            } else if let Some(reason) = deleted::restore_conflict(subject, account, upn.as_deref()) {
                refused(reason, account)
            } else {
                Joining::To(Target { link: Some(link), ..Target::new(account, JoinRule::Link, Opening::Restore) })
            }
        }
        (false, AccountDeleted::Report) => Joining::Refused(stays(Reason::plain(Code::AccountDeleted), account)),
        (false, AccountDeleted::Recreate) => {
            log.show(account);
            deleted::purge(account, JoinRule::Link, None, vec![Reason::plain(Code::AccountDeleted)])
        }
    }
}

/// How the immutable IDs of a linked person and their account compare.
enum Ids<'a> {
    /// They are one, or the link alone holds.
    Agree(Opening),
    /// They differ, and the source is to learn the tenant's.
    TenantWins(Opening),
    /// They differ, and the account gets the source's, for this reason.
    SourceWins(Reason),
    /// They differ, the account is to get the source's, and this account in the recycle bin has it.
    Reserved(&'a Account),
}

/// Compares the immutable IDs, or says why their difference stops everything.
fn compare_ids<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    log: &mut EvidenceLog,
    link: &'a Link,
    account: &'a Account,
) -> Result<Ids<'a>, Refusal<'a>> {
    let ours = subject.person.immutable_id();
    let theirs = account.immutable_id.as_ref();
    if ours.is_some() && ours == theirs {
        log.saw(EvidenceRule::HardMatch, Found::Same);
        return Ok(Ids::Agree(Opening::Linked));
    }
    log.saw_at(
        EvidenceRule::Drift,
        Found::Different,
        &account.id,
        ours.map(ImmutableId::as_str),
        theirs.map(ImmutableId::as_str),
    );
    if is_anothers(subject, account) {
        log.saw(EvidenceRule::Claims, Found::Different);
        return Err(stays(Reason::with(Code::LinkConflict, "the account's immutable ID is another person's"), account));
    }
    let Some(ours) = ours else {
        // The source has no anchor for them: the link alone holds, as long as the tenant's ID stays.
        if theirs == link.immutable_id.as_ref() {
            return Ok(Ids::Agree(Opening::Linked));
        }
        return Err(stays(Reason::plain(Code::AnchorDrift), account));
    };
    let holders = subject.accounts_with_id(ours);
    if let Some(holder) = holders.iter().find(|holder| !holder.is_deleted()) {
        log.saw_at(EvidenceRule::HardMatch, Found::Different, &holder.id, Some(ours.as_str()), None);
        return Err(stays(Reason::with(Code::LinkConflict, format!("{} and {}", account.id, holder.id)), account));
    }
    let split = subject.others_with_id(ours).iter().any(|other| {
        other.connection == subject.record.connection
            && subject.facts.link(&other.reference()).is_some_and(|theirs| theirs.account != link.account)
    });
    if split {
        log.saw(EvidenceRule::Claims, Found::Several);
        return Err(stays(Reason::plain(Code::SplitIdentity), account));
    }
    // One of the two values moved: the tenant's since we linked, or the source's.
    let code = if theirs == link.immutable_id.as_ref() { Code::AnchorWrong } else { Code::AnchorDrift };
    match (subject.policy.on_conflict, theirs) {
        (OnConflict::Stop, _) | (OnConflict::TenantWins, None) => Err(stays(Reason::plain(code), account)),
        (OnConflict::TenantWins, Some(theirs)) => {
            let known = link.immutable_id.as_ref() == Some(theirs);
            Ok(Ids::TenantWins(if known { Opening::Linked } else { Opening::Link }))
        }
        (OnConflict::SourceWins, _) => {
            if let Some(reason) = subject.privileged(&account.id) {
                Err(stays(reason, account).also(code))
            } else if let Some(holder) = holders.first() {
                match claims::owner(subject, holder) {
                    claims::Owner::Nobody if holders.len() == 1 => Ok(Ids::Reserved(holder)),
                    _ => {
                        let reason = Reason::with(Code::DeletedHolder, format!("the ID is reserved by {}", holder.id));
                        Err(stays(reason, account).also(code))
                    }
                }
            } else {
                Ok(Ids::SourceWins(Reason::plain(code)))
            }
        }
    }
}

/// Whether the account's ID is another person's, out-of-scope and absent people included.
fn is_anothers<F: Facts>(subject: &PersonContext<'_, F>, account: &Account) -> bool {
    let theirs = account.immutable_id.as_ref().filter(|id| !subject.person.knows_anchor(id));
    theirs.is_some_and(|id| !subject.others_with_id(id).is_empty())
}
