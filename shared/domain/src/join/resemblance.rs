//! Newcomers who resemble somebody who is gone: the source may have changed its keys, or hired a namesake.

use std::collections::HashSet;

use crate::facts::{By, Facts, full_name, local_part};
use crate::join::claims::is_here;
use crate::person_context::PersonContext;
use crate::rules::likeness::{differ, is_shared_address, is_shared_number};
use crate::vocabulary::attribute::Attr;
use crate::vocabulary::ids::PersonKey;
use crate::vocabulary::person::{PersonRecord, SourceStatus};
use crate::vocabulary::reason::Code;
use crate::vocabulary::text::{lookup_form, number_form, same_name};

/// Newcomers are compared with people who have been gone for no longer than this (seconds): a source that changed its
/// keys loses the old ones when it shows the new ones, and two weeks cover a run that was held meanwhile.
const REKEY_WINDOW: i64 = 14 * 86_400;

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
    let mut found = resembling(subject, recently);
    found.retain(|(other, _)| subject.facts.link(&other.reference()).is_some());
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
    let mut found = resembling(subject, |other| is_here(subject, other));
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

/// People of this connection who are looked for and resemble the person, each once, first the ones with more than a name
/// in common. A name alone says nothing where an independent attribute differs, and a number or address that many share
/// says nothing at all.
fn resembling<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    looked_for: impl Fn(&PersonRecord) -> bool,
) -> Vec<(&'a PersonRecord, Likeness)> {
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
    let mut known: HashSet<&PersonKey> = HashSet::new();
    for (by, value, likeness) in keys.into_iter().flatten() {
        for other in subject.others(by, value) {
            // Thousands may share a value, and most of them are not looked for: the cheap questions come first.
            if other.connection != subject.record.connection || !looked_for(other) {
                continue;
            }
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
            if really && !another && known.insert(&person.key) {
                found.push((other, likeness));
            }
        }
    }
    found
}
