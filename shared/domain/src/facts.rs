//! What a decision may ask of the recorded facts. A decision never sees a half-answer: whoever implements [`Facts`]
//! over a partial view records what was asked and not loaded, throws the decision away, loads, and decides again.

mod index;
pub mod memory;
pub mod partial;

use crate::account::{Account, AddressHolder};
use crate::ids::{ObjectId, PersonRef};
use crate::link::Link;
use crate::person::PersonRecord;

/// By what something is looked up. Values are compared as [`lookup_form`] writes them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum By {
    /// Immutable ID (accounts) or any anchor (people). Looked up without regard to case, compared exactly afterwards.
    ImmutableId,
    /// Sign-in name.
    Upn,
    /// Any SMTP address.
    Address,
    /// Employee ID.
    EmployeeId,
    /// The part of the primary address or UPN before the `@`: finds people who were re-keyed.
    LocalPart,
    /// Given name, surname and display name together: finds people who were re-keyed.
    Name,
}

impl By {
    /// All of them.
    pub const ALL: &'static [By] = &[By::ImmutableId, By::Upn, By::Address, By::EmployeeId, By::LocalPart, By::Name];

    /// Stable name, part of stored keys.
    pub fn name(self) -> &'static str {
        match self {
            By::ImmutableId => "id",
            By::Upn => "upn",
            By::Address => "addr",
            By::EmployeeId => "emp",
            By::LocalPart => "local",
            By::Name => "name",
        }
    }
}

/// The form in which look-up values are compared and stored: trimmed and lower case.
pub fn lookup_form(value: &str) -> String {
    value.trim().to_lowercase()
}

/// Every look-up under which a person is to be found, over all connections of the tenant, out-of-scope people too.
pub fn person_lookups(record: &PersonRecord, visit: &mut dyn FnMut(By, &str)) {
    use crate::attribute::Attr;
    let person = &record.person;
    for anchor in &person.anchors {
        visit(By::ImmutableId, anchor.id.as_str());
    }
    if let Some(upn) = person.upn() {
        visit(By::Upn, upn);
    }
    for address in person.addresses.all.iter() {
        visit(By::Address, address);
    }
    if let Some(id) = person.attributes.filled(Attr::EmployeeId) {
        visit(By::EmployeeId, id);
    }
    if let Some(local) = local_part(person) {
        visit(By::LocalPart, local);
    }
    if let Some(name) = full_name(person) {
        visit(By::Name, &name);
    }
}

/// Every look-up under which an account is to be found.
pub fn account_lookups(account: &Account, visit: &mut dyn FnMut(By, &str)) {
    use crate::attribute::Attr;
    if let Some(id) = &account.immutable_id {
        visit(By::ImmutableId, id.as_str());
    }
    if let Some(upn) = account.upn() {
        visit(By::Upn, upn);
    }
    for address in account.addresses() {
        visit(By::Address, address);
    }
    if let Some(id) = account.attributes.filled(Attr::EmployeeId) {
        visit(By::EmployeeId, id);
    }
}

/// The part before the `@` of the primary address, else of the UPN.
pub fn local_part(person: &crate::person::Person) -> Option<&str> {
    let address = person.addresses.primary.as_ref().map(crate::person::Address::as_str).or_else(|| person.upn())?;
    address.rsplit_once('@').map(|(local, _)| local)
}

/// Given name, surname and display name, when given name and surname are known: a display name alone is too weak.
pub fn full_name(person: &crate::person::Person) -> Option<String> {
    use crate::attribute::Attr;
    let given = person.attributes.filled(Attr::GivenName)?;
    let surname = person.attributes.filled(Attr::Surname)?;
    let display = person.attributes.filled(Attr::DisplayName).unwrap_or("");
    Some(format!("{given}\u{1f}{surname}\u{1f}{display}"))
}

/// The recorded facts. Answers are complete: "none" means a complete listing shows none.
pub trait Facts {
    /// Accounts, live and soft-deleted, that hold the value; in object-id order. UPNs and addresses of soft-deleted
    /// accounts are found as they were before the deletion.
    fn accounts(&self, by: By, value: &str) -> Vec<ObjectId>;

    /// One account, live or soft-deleted.
    fn account(&self, id: &ObjectId) -> Option<&Account>;

    /// Groups and contacts that hold the address, as far as they could be read.
    fn holders(&self, address: &str) -> Vec<AddressHolder>;

    /// People of every connection of the tenant who hold the value, absent ones too; in connection and key order.
    fn people(&self, by: By, value: &str) -> Vec<PersonRef>;

    /// One person.
    fn person(&self, who: &PersonRef) -> Option<&PersonRecord>;

    /// A person's link.
    fn link(&self, who: &PersonRef) -> Option<&Link>;

    /// The link that names an account.
    fn link_to(&self, account: &ObjectId) -> Option<&Link>;
}
