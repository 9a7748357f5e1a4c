//! Hard match: the account's immutable ID is the person's, byte for byte.

use crate::draft::EvidenceLog;
use crate::facts::{By, Facts};
use crate::join::candidates::Candidate;
use crate::join::duplicate::duplicate_account;
use crate::join::outcome::{Joining, Opening, Target, refused};
use crate::join::{claims, merge};
use crate::person_context::PersonContext;
use crate::rules::likeness::same_full_name;
use crate::vocabulary::account::{Account, AccountKind, Authority};
use crate::vocabulary::evidence::{EvidenceRule, Found};
use crate::vocabulary::link::JoinRule;
use crate::vocabulary::reason::{Code, Reason};

/// The accounts that hold the person's ID.
#[derive(Default)]
pub(super) struct ById<'a> {
    pub(super) live: Vec<&'a Account>,
    pub(super) deleted: Vec<&'a Account>,
}

pub(super) fn look<'a, F: Facts>(subject: &PersonContext<'a, F>, log: &mut EvidenceLog) -> ById<'a> {
    let Some(id) = subject.person.immutable_id() else {
        log.saw(EvidenceRule::HardMatch, Found::Unknown);
        return ById::default();
    };
    let mut found = ById::default();
    for account in subject.accounts(By::ImmutableId, id.as_str()) {
        let exact = account.immutable_id.as_ref() == Some(id);
        let theirs = account.immutable_id.as_ref().map(crate::vocabulary::ids::ImmutableId::as_str);
        let same = if exact { Found::Same } else { Found::CaseOnly };
        let rule = if account.is_deleted() { EvidenceRule::DeletedHardMatch } else { EvidenceRule::HardMatch };
        log.saw_at(rule, same, &account.id, Some(id.as_str()), theirs);
        match (exact, account.is_deleted()) {
            (true, false) => found.live.push(account),
            (true, true) => found.deleted.push(account),
            (false, _) => {}
        }
    }
    if found.live.is_empty() {
        log.saw(EvidenceRule::HardMatch, Found::Nothing);
    }
    if found.deleted.is_empty() {
        log.saw(EvidenceRule::DeletedHardMatch, Found::Nothing);
    }
    found
}

pub(super) fn judge<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    log: &mut EvidenceLog,
    live: &[&'a Account],
    candidates: &[Candidate<'a>],
) -> Option<Joining<'a>> {
    let account = match live {
        [] => return None,
        [account] => *account,
        [account, ..] => {
            return Some(refused(Reason::plain(Code::Ambiguous), account));
        }
    };
    if account.kind == AccountKind::Guest {
        return Some(refused(claims::guest(account), account));
    }
    let from = match claims::owner(subject, account) {
        claims::Owner::Nobody => None,
        claims::Owner::Continued(link) => Some(link),
        // An ended record of the person, beside the one that has the account.
        claims::Owner::Refused(Code::Contested) if subject.gets_nothing(subject.record) => {
            return Some(refused(Reason::plain(Code::DisabledNotProvisioned), account));
        }
        claims::Owner::Refused(code) => {
            log.saw_at(EvidenceRule::Claims, Found::Different, &account.id, None, None);
            return Some(refused(Reason::plain(code), account));
        }
    };
    let rivals = claims::with_the_same_anchor(subject);
    if !rivals.is_empty() {
        if subject.gets_nothing(subject.record)
            && rivals.iter().all(|other| same_full_name(subject.person, &other.person))
        {
            // An ended record of the person, beside the one that gets the account.
            return Some(refused(Reason::plain(Code::DisabledNotProvisioned), account));
        }
        let reason = claims::contested(log, "same immutable ID", &rivals);
        return Some(refused(reason, account));
    }
    if let Some(other) = duplicate_account(subject, account, candidates) {
        return Some(merge::plan(subject, log, account, other, from.map(|link| link.person.clone())));
    }
    if account.authority == Authority::Synced {
        log.show(account);
        return Some(refused(Reason::plain(Code::MasteredElsewhere), account));
    }
    // A link that continues was somebody's before; a first match could make anybody an administrator.
    if from.is_none()
        && let Some(reason) = subject.privileged(&account.id)
    {
        log.saw_at(EvidenceRule::Roles, Found::Fact, &account.id, None, reason.detail.as_deref());
        return Some(refused(reason, account));
    }
    let link_from = from.map(|link| link.person.clone());
    Some(Joining::To(Target { link: from, link_from, ..Target::new(account, JoinRule::HardMatch, Opening::Link) }))
}
