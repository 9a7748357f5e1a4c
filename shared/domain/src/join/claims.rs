//! Who else has a claim: on an account, on an anchor, on a name.

use crate::draft::Draft;
use crate::facts::{By, Facts, full_name, local_part};
use crate::join::soft::Candidate;
use crate::person_context::PersonContext;
use crate::rules::likeness::{differ, is_shared_address, is_shared_number, named, same_full_name};
use crate::vocabulary::account::{Account, AccountKind, Authority};
use crate::vocabulary::attribute::Attr;
use crate::vocabulary::change::{EvidenceRule, Found};
use crate::vocabulary::ids::ImmutableId;
use crate::vocabulary::link::Link;
use crate::vocabulary::person::{Person, PersonRecord, SourceStatus};
use crate::vocabulary::policy::SoftRule;
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::text::{lookup_form, number_form, same_name};

/// Newcomers are compared with people who have been gone for no longer than this (seconds): a source that changed its
/// keys loses the old ones when it shows the new ones, and two weeks cover a run that was held meanwhile.
const REKEY_WINDOW: i64 = 14 * 86_400;

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
pub(crate) fn contested(draft: &mut Draft<'_>, what: &str, rivals: &[&PersonRecord]) -> Reason {
    for rival in rivals.iter().take(NAMED) {
        draft.saw_person(EvidenceRule::Claims, Found::Several, &named(rival));
    }
    let names: Vec<String> = rivals.iter().take(NAMED).map(|rival| named(rival)).collect();
    let more = rivals.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Reason::with(Code::Contested, format!("{what}: also of {}{more}", names.join(", ")))
}

/// A live soft candidate beside the account with the ID: two accounts of one person.
pub(super) fn duplicate_account<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    account: &Account,
    candidates: &[Candidate<'a>],
) -> Option<&'a Account> {
    candidates.iter().map(|candidate| candidate.account).find(|other| {
        other.id != account.id
            && other.immutable_id.is_none()
            && other.kind == AccountKind::Member
            && other.authority != Authority::Synced
            && subject.facts.link_to(&other.id).is_none()
    })
}

/// By what a person claims an account.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Claim {
    upn: bool,
    address: bool,
}

impl Claim {
    fn of<F: Facts>(subject: &PersonContext<'_, F>, other: &PersonRecord, account: &Account) -> Self {
        let by = |rule| subject.policy.soft.contains(&rule);
        let upn = account.upn().is_some_and(|upn| subject.has_upn(other, upn));
        let address = account.primary_address().is_some_and(|address| {
            other.person.addresses.primary().is_some_and(|theirs| same_name(theirs, address))
                && !is_shared_address(subject, address)
        });
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
    let ours = Claim::of(subject, subject.record, account);
    let by_upn = account.upn().map(|upn| subject.others(By::Upn, upn)).unwrap_or_default();
    let by_address = account.primary_address().map(|address| subject.others(By::Address, address)).unwrap_or_default();
    let mut found: Vec<&'a PersonRecord> = with_the_same_anchor(subject);
    for other in by_upn.into_iter().chain(by_address) {
        let theirs = Claim::of(subject, other, account);
        let counts = theirs.strength() > 0
            && is_here(subject, other)
            && !has_an_account(subject, other)
            && !ours.beats(theirs)
            && (!subject.gets_nothing(other)
                || theirs.strength() > ours.strength()
                || (theirs.strength() == ours.strength() && !same_full_name(subject.person, &other.person)));
        if counts && !found.iter().any(|known| known.reference() == other.reference()) {
            found.push(other);
        }
    }
    found
}

/// Whether the source of this connection has the person, understood or not.
fn is_here<F: Facts>(subject: &PersonContext<'_, F>, other: &PersonRecord) -> bool {
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

/// Whom the want of a name competes with.
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

/// How much a newcomer looks like somebody who is gone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    /// A name or the part of an address before the `@`.
    Name,
    /// The sign-in name, the primary address, or an identity number but for zeros, case and spaces.
    Identity,
}

/// The gone person whom this newcomer resembles, and what is said of it: the source may have changed its keys.
pub(super) fn rekeyed_from<'a, F: Facts>(subject: &PersonContext<'a, F>) -> Option<(&'a PersonRecord, Code)> {
    let recently = |other: &PersonRecord| match other.standing {
        SourceStatus::Absent(since) | SourceStatus::Deleted(since) => subject.now - since <= REKEY_WINDOW,
        SourceStatus::Present | SourceStatus::Refused => false,
    };
    let mut found = resembling(subject);
    found.retain(|(other, _)| recently(other) && subject.facts.link(&other.reference()).is_some());
    let (other, likeness) = *found.first()?;
    Some((other, if likeness == Likeness::Identity { Code::MaybeRekeyed } else { Code::Namesake }))
}

/// What somebody at the source means for the account of a person who is gone.
pub(crate) enum Successor<'a> {
    /// Nobody is like them.
    Nobody,
    /// Somebody has their anchor or their employee ID: the account is theirs to continue.
    Continues(&'a PersonRecord),
    /// Somebody may be they under another key: nothing happens to the account until that is settled.
    MaybeThey(&'a PersonRecord),
    /// Somebody resembles them, and is most likely another: sign-in is blocked on time, only the deletion waits.
    Namesake(&'a PersonRecord),
}

/// The newcomer who has this gone person's anchor, or who resembles them.
pub(crate) fn successor<'a, F: Facts>(subject: &PersonContext<'a, F>, since: i64) -> Successor<'a> {
    // A row that could not be understood this time does not make its person vanish: the gone person still waits.
    let newcomer = |other: &PersonRecord| {
        is_here(subject, other)
            && subject.includes(&other.person).unwrap_or(true)
            && subject.facts.link(&other.reference()).is_none()
            && !subject.gets_nothing(other)
    };
    let mut anchored = subject.person.anchors.iter().flat_map(|anchor| subject.others_with_id(&anchor.id));
    if let Some(other) = anchored.find(|other| newcomer(other)) {
        return Successor::Continues(other);
    }
    let employee = subject.person.attributes.filled(Attr::EmployeeId).filter(|id| !is_shared_number(subject, id));
    let same = |other: &PersonRecord| {
        other.person.attributes.filled(Attr::EmployeeId).map(lookup_form) == employee.map(lookup_form)
    };
    let by_employee = employee.map(|id| subject.others(By::EmployeeId, id)).unwrap_or_default();
    if let Some(other) = by_employee.into_iter().find(|other| newcomer(other) && same(other)) {
        return Successor::Continues(other);
    }
    let mut found = resembling(subject);
    found.retain(|(other, _)| newcomer(other));
    match found.first() {
        Some((other, Likeness::Identity)) if differ(subject, &subject.person.attributes, &other.person.attributes) => {
            Successor::Namesake(other)
        }
        Some((other, Likeness::Identity)) => Successor::MaybeThey(other),
        Some((other, Likeness::Name)) if subject.now - since <= REKEY_WINDOW => Successor::Namesake(other),
        Some((_, Likeness::Name)) | None => Successor::Nobody,
    }
}

/// People of this connection who resemble the person, those with more than a name first. A name alone says nothing where
/// an independent attribute differs, and a number or address that many share says nothing at all.
fn resembling<'a, F: Facts>(subject: &PersonContext<'a, F>) -> Vec<(&'a PersonRecord, Likeness)> {
    let attributes = &subject.person.attributes;
    let employee = attributes.filled(Attr::EmployeeId).filter(|id| !is_shared_number(subject, id)).map(number_form);
    let upn = subject.name_of(subject.person).ok().flatten();
    let address = subject.person.addresses.primary().filter(|address| !is_shared_address(subject, address));
    let name = full_name(subject.person);
    let keys = [
        upn.as_deref().map(|upn| (By::Upn, upn, Likeness::Identity)),
        address.map(|address| (By::Address, address, Likeness::Identity)),
        employee.as_deref().map(|id| (By::EmployeeId, id, Likeness::Identity)),
        local_part(subject.person).map(|local| (By::LocalPart, local, Likeness::Name)),
        name.as_deref().map(|name| (By::Name, name, Likeness::Name)),
    ];
    let mut found: Vec<(&'a PersonRecord, Likeness)> = Vec::new();
    for (by, value, likeness) in keys.into_iter().flatten() {
        for other in subject.others(by, value) {
            let person = &other.person;
            let really = match by {
                By::Upn => subject.has_upn(other, value),
                By::Address => person.addresses.primary().is_some_and(|theirs| same_name(theirs, value)),
                By::EmployeeId => {
                    person.attributes.filled(Attr::EmployeeId).is_some_and(|theirs| number_form(theirs) == value)
                }
                By::ImmutableId | By::LocalPart | By::Name | By::Proof(_) => true,
            };
            let another = likeness == Likeness::Name && differ(subject, attributes, &person.attributes);
            let known = found.iter().any(|(known, _)| known.reference() == other.reference());
            if really && !another && !known && other.connection == subject.record.connection {
                found.push((other, likeness));
            }
        }
    }
    found
}
