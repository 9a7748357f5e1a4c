//! What a decision may ask of the recorded facts. A decision never sees a half-answer: an implementation of
//! [`Facts`] over a partial view records what was asked and not loaded; its user throws the decision away, loads, and decides
//! again.

mod index;
pub mod knowledge;
mod lookups;
pub mod memory;
pub mod partial;
mod trail;

pub use crate::vocabulary::text::lookup_form;
pub use lookups::{Lookups, full_name, local_part};

use crate::vocabulary::account::{Account, AddressHolder};
use crate::vocabulary::attribute::Attr;
use crate::vocabulary::ids::{ObjectId, PersonRef};
use crate::vocabulary::link::Link;
use crate::vocabulary::person::PersonRecord;

/// By what something is looked up. Values are compared as [`lookup_form`] writes them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
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
    /// Another attribute that a policy lets prove identity.
    Proof(Attr),
}

impl By {
    /// By what a proving attribute is looked up.
    pub fn proof(attr: Attr) -> Self {
        if attr == Attr::EmployeeId { By::EmployeeId } else { By::Proof(attr) }
    }

    /// Stable name, part of stored keys.
    pub fn name(self) -> &'static str {
        match self {
            By::ImmutableId => "id",
            By::Upn => "upn",
            By::Address => "addr",
            By::EmployeeId => "emp",
            By::LocalPart => "local",
            By::Name => "name",
            By::Proof(attr) => attr.name(),
        }
    }
}

/// The recorded facts. Answers are complete: "none" means a complete listing shows none.
pub trait Facts {
    /// Accounts, live and soft-deleted, that hold the value; in object-id order. UPNs and addresses of soft-deleted
    /// accounts are found as they were before the deletion.
    fn accounts(&self, by: By, value: &str) -> Vec<ObjectId>;

    /// One account, live or soft-deleted.
    fn account(&self, id: &ObjectId) -> Option<&Account>;

    /// Groups and contacts that hold the address, as far as they could be read.
    fn address_holders(&self, address: &str) -> Vec<AddressHolder>;

    /// People of every connection of the tenant who hold the value, absent ones too; in connection and key order.
    fn people(&self, by: By, value: &str) -> Vec<PersonRef>;

    /// The person as the source was understood last.
    fn person(&self, who: &PersonRef) -> Option<&PersonRecord>;

    /// A person's link.
    fn link(&self, who: &PersonRef) -> Option<&Link>;

    /// The link that names an account.
    fn link_to(&self, account: &ObjectId) -> Option<&Link>;
}
