//! Who else has a claim: on an account, on an anchor, on a name.

use std::collections::HashSet;

use crate::draft::EvidenceLog;
use crate::facts::{By, Facts};
use crate::person_context::PersonContext;
use crate::rules::likeness::{is_shared_address, named, same_full_name};
use crate::vocabulary::account::Account;
use crate::vocabulary::change::{EvidenceRule, Found};
use crate::vocabulary::ids::{ImmutableId, PersonRef};
use crate::vocabulary::link::Link;
use crate::vocabulary::person::{Person, PersonRecord};
use crate::vocabulary::policy::SoftRule;
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::text::same_name;

/// How many rivals are named; of a placeholder's there may be thousands.
const NAMED: usize = 5;

/// Who owns an account by link.
pub(super) enum Owner<'a> {
    Nobody,
    /// Somebody who is gone, with the same anchor: this person continues them.
    Continued(&'a Link),
    /// Somebody else, for this reason.
    Refused(Code),
}

/// The owner of an account that holds the person's ID.
pub(super) fn owner<'a, F: Facts>(subject: &PersonContext<'a, F>, account: &Account) -> Owner<'a> {
    let Some(link) = subject.facts.link_to(&account.id).filter(|link| link.person != subject.who) else {
        return Owner::Nobody;
    };
    if link.person.connection != subject.who.connection {
        return Owner::Refused(Code::ClaimedByConnection);
    }
    let Some(id) = subject.person.immutable_id() else {
        return Owner::Refused(Code::LinkConflict);
    };
    let same_anchor = link.immutable_id.as_ref() == Some(id);
    match subject.facts.person(&link.person) {
        Some(other) if other.is_gone() && (same_anchor || other.person.knows_anchor(id)) => Owner::Continued(link),
        None if same_anchor => Owner::Continued(link),
        Some(other) if !other.is_gone() && other.person.knows_anchor(id) => Owner::Refused(Code::Contested),
        Some(_) | None => Owner::Refused(Code::LinkConflict),
    }
}

/// Everybody else who is ours to manage and has the same anchor. Somebody of the same name who gets no account by this
/// plan is the same person's ended record.
pub(crate) fn with_the_same_anchor<'a, F: Facts>(subject: &PersonContext<'a, F>) -> Vec<&'a PersonRecord> {
    let Some(id) = subject.person.immutable_id() else { return Vec::new() };
    let mut others = subject.others_with_id(id);
    others.retain(|other| subject.competes(other) && first_is(&other.person, id) && !is_ended_record(subject, other));
    others
}

fn first_is(person: &Person, id: &ImmutableId) -> bool {
    person.immutable_id() == Some(id)
}

/// Whether somebody gets no account by this plan, has none, and is of the person's name.
fn is_ended_record<F: Facts>(subject: &PersonContext<'_, F>, other: &PersonRecord) -> bool {
    subject.gets_nothing(other)
        && subject.facts.link(&other.reference()).is_none()
        && same_full_name(subject.person, &other.person)
}

/// A refusal that names the others, to the operator and in the evidence: only all of them together can be settled.
pub(crate) fn contested(log: &mut EvidenceLog, what: &str, rivals: &[&PersonRecord]) -> Reason {
    for rival in rivals.iter().take(NAMED) {
        log.saw_person(EvidenceRule::Claims, Found::Several, &named(rival));
    }
    let names: Vec<String> = rivals.iter().take(NAMED).map(|rival| named(rival)).collect();
    let more = rivals.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Reason::with(Code::Contested, format!("{what}: also of {}{more}", names.join(", ")))
}

/// By what a person claims an account.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Claim {
    upn: bool,
    address: bool,
}

impl Claim {
    /// `address`: the account's primary address, unless so many people share it that it names nobody.
    fn of<F: Facts>(
        subject: &PersonContext<'_, F>,
        other: &PersonRecord,
        account: &Account,
        address: Option<&str>,
    ) -> Self {
        let by = |rule| subject.policy.soft.contains(&rule);
        let upn = account.upn().is_some_and(|upn| subject.has_upn(other, upn));
        let address = address
            .is_some_and(|address| other.person.addresses.primary().is_some_and(|theirs| same_name(theirs, address)));
        Self { upn: upn && by(SoftRule::Upn), address: address && by(SoftRule::PrimarySmtp) }
    }

    /// Sign-in name and address together are more than either.
    fn strength(self) -> u8 {
        u8::from(self.upn) + u8::from(self.address)
    }

    /// Sign-in name and address together beat an address alone.
    fn beats(self, other: Self) -> bool {
        self.upn && self.address && !other.upn
    }
}

/// Everybody else who claims an account by name, has no account, and is not beaten. Somebody who gets no account by this
/// plan counts only with the stronger claim, or with an equal one under another name.
pub(super) fn rivals<'a, F: Facts>(subject: &PersonContext<'a, F>, account: &Account) -> Vec<&'a PersonRecord> {
    // Asked once: thousands may have the address.
    let address = account.primary_address().filter(|address| !is_shared_address(subject, address));
    let ours = Claim::of(subject, subject.record, account, address);
    let by_upn = account.upn().map(|upn| subject.others(By::Upn, upn)).unwrap_or_default();
    let by_address = account.primary_address().map(|address| subject.others(By::Address, address)).unwrap_or_default();
    let mut found: Vec<&'a PersonRecord> = with_the_same_anchor(subject);
    let mut known: HashSet<PersonRef> = found.iter().map(|other| other.reference()).collect();
    for other in by_upn.into_iter().chain(by_address) {
        let theirs = Claim::of(subject, other, account, address);
        let counts = theirs.strength() > 0
            && is_here(subject, other)
            && !has_an_account(subject, other)
            && !ours.beats(theirs)
            && (!subject.gets_nothing(other)
                || theirs.strength() > ours.strength()
                || (theirs.strength() == ours.strength() && !same_full_name(subject.person, &other.person)));
        if counts && known.insert(other.reference()) {
            found.push(other);
        }
    }
    found
}

/// Whether the source of this connection has the person, understood or not.
pub(super) fn is_here<F: Facts>(subject: &PersonContext<'_, F>, other: &PersonRecord) -> bool {
    other.connection == subject.record.connection && !other.is_gone()
}

/// A link or a hard match beats a soft match: who has either is no rival.
fn has_an_account<F: Facts>(subject: &PersonContext<'_, F>, other: &PersonRecord) -> bool {
    subject.facts.link(&other.reference()).is_some()
        || other
            .person
            .immutable_id()
            .is_some_and(|id| subject.accounts_with_id(id).iter().any(|account| !account.is_deleted()))
}

/// With whom somebody who wants a name competes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Against {
    /// Everybody: a newcomer yields to nobody and takes from nobody.
    Everybody,
    /// Linked people: a link beats a newcomer.
    Linked,
}

/// Everybody else who is ours to manage, wants the same sign-in name, by whatever expression, and does not have it yet.
/// Who has it is judged as its holder; whose account keeps the name it has wants none, and who gets no account neither.
pub(crate) fn wanted_by_others<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    upn: &str,
    against: Against,
) -> Vec<&'a PersonRecord> {
    let renames = subject.policy.renames();
    let mut others = subject.others(By::Upn, upn);
    others.retain(|other| {
        if !subject.competes(other) || !subject.has_upn(other, upn) {
            return false;
        }
        match subject.facts.link(&other.reference()) {
            None => against == Against::Everybody && !subject.gets_nothing(other),
            Some(link) => {
                renames
                    && !subject.facts.account(&link.account).is_some_and(|account| {
                        !account.is_deleted() && account.upn().is_some_and(|theirs| same_name(theirs, upn))
                    })
            }
        }
    });
    others
}

/// A guest holds what the person should have.
pub(super) fn guest(account: &Account) -> Reason {
    let state = account.guest_state.as_deref().unwrap_or("state unknown");
    Reason::with(Code::AddressHeldByGuest, format!("guest {} ({state})", account.id))
}
