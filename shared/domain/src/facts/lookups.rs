//! Under which values people and accounts are to be found. [`Lookups`] tells what a policy adds to the usual ones; a store
//! of look-ups writes them again when that changes.

use super::By;
use crate::vocabulary::account::Account;
use crate::vocabulary::attribute::Attr;
use crate::vocabulary::person::{Person, PersonRecord};
use crate::vocabulary::policy::{FlowFrom, FlowWhen, Mapping, Policy};
use crate::vocabulary::text::{lookup_form, number_form, same_name};

/// What a policy adds: attributes that can prove identity, and the sign-in name that its flow gives a person.
#[derive(Clone, Debug, Default)]
pub struct Lookups {
    prove: Vec<Attr>,
    upn: Option<Mapping>,
}

impl Lookups {
    /// Of a policy.
    pub fn of(policy: &Policy) -> Self {
        let upn = policy.flow.iter().find(|mapping| mapping.to == Attr::UserPrincipalName).cloned();
        Self { upn, ..Self::proving(policy.prove.iter().copied()) }
    }

    /// Of attributes that can prove identity.
    pub fn proving(attrs: impl IntoIterator<Item = Attr>) -> Self {
        let mut prove: Vec<Attr> = attrs.into_iter().filter(|attr| *attr != Attr::EmployeeId).collect();
        prove.sort_unstable();
        prove.dedup();
        Self { prove, upn: None }
    }

    /// The attributes that are looked up beside the employee ID, which always is.
    pub fn attributes(&self) -> &[Attr] {
        &self.prove
    }

    /// A text that stays the same as long as people are found under the same values.
    pub fn signature(&self) -> String {
        let mut text: Vec<&str> = self.prove.iter().map(|attr| attr.name()).collect();
        if let Some(Mapping { from: FlowFrom::Expression(expression), when, .. }) = &self.upn
            && *when != FlowWhen::Never
        {
            text.push("=");
            text.push(expression.text());
        }
        text.join(" ")
    }

    /// Every look-up under which a person is to be found, over all connections of the tenant, out-of-scope people too.
    pub fn person(&self, record: &PersonRecord, visit: &mut dyn FnMut(By, &str)) {
        let person = &record.person;
        for anchor in &person.anchors {
            visit(By::ImmutableId, anchor.id.as_str());
        }
        if let Some(upn) = person.upn() {
            visit(By::Upn, upn);
        }
        self.mapped_upn(person, &mut |upn| {
            if !person.upn().is_some_and(|theirs| same_name(theirs, upn)) {
                visit(By::Upn, upn);
            }
        });
        for address in person.addresses.all().iter() {
            visit(By::Address, address);
        }
        if let Some(id) = person.attributes.filled(Attr::EmployeeId) {
            number(id, visit);
        }
        if let Some(local) = local_part(person) {
            visit(By::LocalPart, local);
        }
        if let Some(name) = full_name(person) {
            visit(By::Name, &name);
        }
        for &attr in &self.prove {
            if let Some(value) = person.attributes.filled(attr) {
                visit(By::Proof(attr), value);
            }
        }
    }

    /// Every look-up under which an account is to be found.
    pub fn account(&self, account: &Account, visit: &mut dyn FnMut(By, &str)) {
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
            number(id, visit);
        }
        for &attr in &self.prove {
            if let Some(value) = account.attributes.filled(attr) {
                visit(By::Proof(attr), value);
            }
        }
    }

    /// The sign-in name that an expression gives a person; an expression that fails gives none.
    fn mapped_upn(&self, person: &Person, visit: &mut dyn FnMut(&str)) {
        let Some(mapping) = self.upn.as_ref().filter(|mapping| mapping.when != FlowWhen::Never) else { return };
        if let Ok(Some(upn)) = mapping.value(person)
            && !upn.is_empty()
        {
            visit(&upn);
        }
    }

    /// Whether a person is to be found under the sign-in name.
    pub(super) fn has_upn(&self, person: &Person, is: &dyn Fn(&str) -> bool) -> bool {
        let mut found = person.upn().is_some_and(is);
        if !found {
            self.mapped_upn(person, &mut |upn| found = is(upn));
        }
        found
    }
}

/// An employee ID is found as it is, and without the zeros and spaces that a spreadsheet drops.
fn number(id: &str, visit: &mut dyn FnMut(By, &str)) {
    visit(By::EmployeeId, id);
    let bare = number_form(id);
    if bare != lookup_form(id) {
        visit(By::EmployeeId, &bare);
    }
}

/// The part before the `@` of the primary address, else of the UPN.
pub fn local_part(person: &Person) -> Option<&str> {
    let address = person.addresses.primary().or_else(|| person.upn())?;
    address.rsplit_once('@').map(|(local, _)| local)
}

/// Given name, surname and display name, when given name and surname are known: a display name alone is too weak.
pub fn full_name(person: &Person) -> Option<String> {
    let given = person.attributes.filled(Attr::GivenName)?;
    let surname = person.attributes.filled(Attr::Surname)?;
    let display = person.attributes.filled(Attr::DisplayName).unwrap_or("");
    Some(format!("{given}\u{1f}{surname}\u{1f}{display}"))
}
