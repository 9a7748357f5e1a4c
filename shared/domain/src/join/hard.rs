//! Hard match: the account's immutable ID is the person's, byte for byte.

use crate::draft::Draft;
use crate::facts::{By, Facts};
use crate::join::soft::Candidate;
use crate::join::{Joining, Opening, Target, claims, merge};
use crate::person_context::PersonContext;
use crate::rules::likeness::same_full_name;
use crate::vocabulary::account::{Account, AccountKind, Authority};
use crate::vocabulary::change::{EvidenceRule, Found};
use crate::vocabulary::link::JoinRule;
use crate::vocabulary::reason::{Code, Reason};

/// The accounts that hold the person's ID.
#[derive(Default)]
pub(super) struct ById<'a> {
    pub(super) live: Vec<&'a Account>,
    pub(super) deleted: Vec<&'a Account>,
}

pub(super) fn look<'a, F: Facts>(subject: &PersonContext<'a, F>, draft: &mut Draft<'a>) -> ById<'a> {
    let Some(id) = subject.person.immutable_id() else {
        draft.saw(EvidenceRule::HardMatch, Found::Unknown);
        return ById::default();
    };
    let mut found = ById::default();
    for account in subject.accounts(By::ImmutableId, id.as_str()) {
        let exact = account.immutable_id.as_ref() == Some(id);
        let theirs = account.immutable_id.as_ref().map(crate::vocabulary::ids::ImmutableId::as_str);
        let same = if exact { Found::Same } else { Found::CaseOnly };
        let rule = if account.is_deleted() { EvidenceRule::DeletedHardMatch } else { EvidenceRule::HardMatch };
        draft.saw_at(rule, same, &account.id, Some(id.as_str()), theirs);
        match (exact, account.is_deleted()) {
            (true, false) => found.live.push(account),
            (true, true) => found.deleted.push(account),
            (false, _) => {}
        }
    }
    if found.live.is_empty() {
        draft.saw(EvidenceRule::HardMatch, Found::Nothing);
    }
    if found.deleted.is_empty() {
        draft.saw(EvidenceRule::DeletedHardMatch, Found::Nothing);
    }
    found
}

pub(super) fn judge<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    draft: &mut Draft<'a>,
    live: &[&'a Account],
    candidates: &[Candidate<'a>],
) -> Option<Joining<'a>> {
    let account = match live {
        [] => return None,
        [account] => *account,
        [account, ..] => {
            draft.refuse_join(Reason::plain(Code::Ambiguous), Some(account));
            return Some(Joining::Settled);
        }
    };
    if account.kind == AccountKind::Guest {
        draft.refuse_join(guest(account), Some(account));
        return Some(Joining::Settled);
    }
    let from = match claims::owner(subject, account) {
        claims::Owner::Nobody => None,
        claims::Owner::Continued(link) => Some(link),
        // The same person's ended record beside the one that has the account.
        claims::Owner::Refused(Code::Contested) if subject.gets_nothing(subject.record) => {
            draft.refuse_join(Reason::plain(Code::DisabledNotProvisioned), Some(account));
            return Some(Joining::Settled);
        }
        claims::Owner::Refused(code) => {
            draft.saw_at(EvidenceRule::Claims, Found::Different, &account.id, None, None);
            draft.refuse_join(Reason::plain(code), Some(account));
            return Some(Joining::Settled);
        }
    };
    let rivals = claims::with_the_same_anchor(subject);
    if !rivals.is_empty() {
        if subject.gets_nothing(subject.record)
            && rivals.iter().all(|other| same_full_name(subject.person, &other.person))
        {
            // The same person's ended record beside the one that gets the account.
            draft.refuse_join(Reason::plain(Code::DisabledNotProvisioned), Some(account));
            return Some(Joining::Settled);
        }
        let reason = claims::contested(draft, "same immutable ID", &rivals);
        draft.refuse_join(reason, Some(account));
        return Some(Joining::Settled);
    }
    if account.authority == Authority::Synced {
        draft.show(account);
        draft.refuse_join(Reason::plain(Code::MasteredElsewhere), Some(account));
        return Some(Joining::Settled);
    }
    if let Some(other) = claims::duplicate_account(subject, account, candidates) {
        merge::plan(subject, draft, account, other);
        return Some(Joining::Settled);
    }
    // A link that continues was somebody's before; a first match could make anybody an administrator.
    if from.is_none()
        && let Some(reason) = subject.privileged(&account.id)
    {
        draft.saw_at(EvidenceRule::Roles, Found::Fact, &account.id, None, reason.detail.as_deref());
        draft.refuse_join(reason, Some(account));
        return Some(Joining::Settled);
    }
    draft.joined(JoinRule::HardMatch, account);
    draft.link_from = from.map(|link| link.person.clone());
    Some(Joining::To(Target { account, link: from, opening: Opening::Link, set_id: None }))
}

/// A guest holds what the person should have.
pub(super) fn guest(account: &Account) -> Reason {
    let state = account.guest_state.as_deref().unwrap_or("state unknown");
    Reason::with(Code::AddressHeldByGuest, format!("guest {} ({state})", account.id))
}
