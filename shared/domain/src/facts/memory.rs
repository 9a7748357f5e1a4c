//! Facts held whole in memory, compactly: answers every question from its indexes.

use std::collections::BTreeMap;

use super::index::{Hash, Index};
use super::trail::Trail;
use super::{By, Facts, Lookups, full_name, local_part};
use crate::vocabulary::account::{Account, AddressHolder};
use crate::vocabulary::attribute::Attr;
use crate::vocabulary::ids::{ObjectId, PersonRef};
use crate::vocabulary::link::Link;
use crate::vocabulary::person::PersonRecord;
use crate::vocabulary::text::{lookup_form, number_form, same_name};

/// Everything known about a tenant and the people of its connections.
#[derive(Default)]
pub struct MemoryFacts {
    lookups: Lookups,
    people: Vec<PersonRecord>,
    accounts: Vec<Account>,
    links: Vec<Link>,
    holders: BTreeMap<String, Vec<AddressHolder>>,
    people_by_ref: Index,
    people_by: Index,
    accounts_by_id: Index,
    accounts_by: Index,
    links_by_person: Index,
    links_by_account: Index,
    accounts_trail: Trail,
    links_trail: Trail,
}

/// What kind of key a hash is of.
const REFERENCE: u8 = 100;
const OBJECT: u8 = 101;
/// Attributes that prove identity are counted from here.
const PROOF: u8 = 128;

impl MemoryFacts {
    /// Sorts and indexes the facts under what a policy adds to the look-ups. `holders` pairs addresses with the groups
    /// and contacts that hold them.
    pub fn new(
        lookups: Lookups,
        mut people: Vec<PersonRecord>,
        mut accounts: Vec<Account>,
        mut links: Vec<Link>,
        holders: impl IntoIterator<Item = (String, AddressHolder)>,
    ) -> Self {
        people.sort_unstable_by(|one, other| {
            (&one.connection, &one.person.key).cmp(&(&other.connection, &other.person.key))
        });
        links.sort_unstable_by(|one, other| one.person.cmp(&other.person));
        accounts = beside_their_people(accounts, &links);
        let mut by_address: BTreeMap<String, Vec<AddressHolder>> = BTreeMap::new();
        for (address, holder) in holders {
            by_address.entry(lookup_form(&address)).or_default().push(holder);
        }
        let refs = |at: usize, record: &PersonRecord| (reference(&record.connection, &record.person.key), position(at));
        let people_by_ref = Index::new(people.iter().enumerate().map(|(at, record)| refs(at, record)).collect());
        let mut pairs = Vec::with_capacity(people.len() * 6);
        for (at, record) in people.iter().enumerate() {
            lookups.person(record, &mut |by, value| pairs.push((lookup(by, value), position(at))));
        }
        let people_by = Index::new(pairs);
        let ids = |at: usize, account: &Account| (object(&account.id), position(at));
        let accounts_by_id = Index::new(accounts.iter().enumerate().map(|(at, account)| ids(at, account)).collect());
        let mut pairs = Vec::with_capacity(accounts.len() * 5);
        for (at, account) in accounts.iter().enumerate() {
            lookups.account(account, &mut |by, value| pairs.push((lookup(by, value), position(at))));
        }
        let accounts_by = Index::new(pairs);
        let whose = |link: &Link| reference(&link.person.connection, &link.person.key);
        let links_by_person =
            Index::new(links.iter().enumerate().map(|(at, link)| (whose(link), position(at))).collect());
        let links_by_account =
            Index::new(links.iter().enumerate().map(|(at, link)| (object(&link.account), position(at))).collect());
        Self {
            lookups,
            people,
            accounts,
            links,
            holders: by_address,
            people_by_ref,
            people_by,
            accounts_by_id,
            accounts_by,
            links_by_person,
            links_by_account,
            accounts_trail: Trail::default(),
            links_trail: Trail::default(),
        }
    }

    /// Everybody, in connection and key order.
    pub fn all_people(&self) -> &[PersonRecord] {
        &self.people
    }

    /// Every account: those of linked people in the order of the people, then the others in object-id order.
    pub fn all_accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// Every link of the connection, in no order.
    pub fn all_links(&self) -> &[Link] {
        &self.links
    }
}

impl Facts for MemoryFacts {
    fn accounts(&self, by: By, value: &str) -> Vec<ObjectId> {
        let found = self.accounts_by.find(lookup(by, value)).map(|at| &self.accounts[at]);
        found.filter(|account| account_has(account, by, value)).map(|account| account.id.clone()).collect()
    }

    fn account(&self, id: &ObjectId) -> Option<&Account> {
        let is = |account: &&Account| account.id == *id;
        self.accounts_trail.follow(&self.accounts, is, || self.accounts_by_id.find(object(id)))
    }

    fn address_holders(&self, address: &str) -> Vec<AddressHolder> {
        if self.holders.is_empty() {
            return Vec::new();
        }
        self.holders.get(&lookup_form(address)).cloned().unwrap_or_default()
    }

    fn people(&self, by: By, value: &str) -> Vec<PersonRef> {
        let found = self.people_by.find(lookup(by, value)).map(|at| &self.people[at]);
        found.filter(|record| self.person_has(record, by, value)).map(PersonRecord::reference).collect()
    }

    fn person(&self, who: &PersonRef) -> Option<&PersonRecord> {
        let found = self.people_by_ref.find(reference(&who.connection, &who.key)).map(|at| &self.people[at]);
        { found }.find(|record| record.person.key == who.key && record.connection == who.connection)
    }

    fn link(&self, who: &PersonRef) -> Option<&Link> {
        let is = |link: &&Link| link.person.key == who.key && link.person.connection == who.connection;
        self.links_trail.follow(&self.links, is, || self.links_by_person.find(reference(&who.connection, &who.key)))
    }

    fn link_to(&self, account: &ObjectId) -> Option<&Link> {
        self.links_by_account.find(object(account)).map(|at| &self.links[at]).find(|link| link.account == *account)
    }
}

/// Accounts in the order in which their people are decided, so that memory is read in one direction; the rest by id.
fn beside_their_people(mut accounts: Vec<Account>, links: &[Link]) -> Vec<Account> {
    let mut ranks: Vec<(&ObjectId, u32)> =
        links.iter().enumerate().map(|(at, link)| (&link.account, position(at))).collect();
    ranks.sort_unstable();
    let rank = |account: &Account| {
        let at = ranks.partition_point(|(id, _)| **id < account.id);
        ranks.get(at).filter(|(id, _)| **id == account.id).map_or(u32::MAX, |(_, rank)| *rank)
    };
    accounts.sort_by_cached_key(|account| (rank(account), account.id.clone()));
    accounts
}

fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn lookup(by: By, value: &str) -> u64 {
    let kind = match by {
        By::ImmutableId => 0,
        By::Upn => 1,
        By::Address => 2,
        By::EmployeeId => 3,
        By::LocalPart => 4,
        By::Name => 5,
        // No directory extension proves identity: a person has none of their own.
        By::Proof(attr) => PROOF + attr.place().unwrap_or(u8::MAX - PROOF),
    };
    Hash::of(kind).folded(value).done()
}

fn reference(connection: &crate::vocabulary::ids::ConnectionId, key: &crate::vocabulary::ids::PersonKey) -> u64 {
    Hash::of(REFERENCE).exact(connection.as_str()).exact(key.as_str()).done()
}

fn object(id: &ObjectId) -> u64 {
    Hash::of(OBJECT).exact(id.as_str()).done()
}

fn is_form(have: &str, value: &str) -> bool {
    same_name(have.trim(), value.trim())
}

/// An employee ID is found as it is, and without zeros and spaces; see [`Lookups`].
fn is_number(have: &str, value: &str) -> bool {
    is_form(have, value) || number_form(have) == lookup_form(value)
}

fn account_has(account: &Account, by: By, value: &str) -> bool {
    match by {
        By::ImmutableId => account.immutable_id.as_ref().is_some_and(|id| is_form(id.as_str(), value)),
        By::Upn => account.upn().is_some_and(|upn| is_form(upn, value)),
        By::Address => account.addresses().any(|address| is_form(address, value)),
        By::EmployeeId => account.attributes.filled(Attr::EmployeeId).is_some_and(|id| is_number(id, value)),
        By::Proof(attr) => account.attributes.filled(attr).is_some_and(|have| is_form(have, value)),
        By::LocalPart | By::Name => false,
    }
}

impl MemoryFacts {
    fn person_has(&self, record: &PersonRecord, by: By, value: &str) -> bool {
        let person = &record.person;
        match by {
            By::ImmutableId => person.anchors.iter().any(|anchor| is_form(anchor.id.as_str(), value)),
            By::Upn => self.lookups.has_upn(person, &|upn| is_form(upn, value)),
            By::Address => person.addresses.all().iter().any(|address| is_form(address, value)),
            By::EmployeeId => person.attributes.filled(Attr::EmployeeId).is_some_and(|id| is_number(id, value)),
            By::LocalPart => local_part(person).is_some_and(|local| is_form(local, value)),
            By::Name => full_name(person).is_some_and(|name| is_form(&name, value)),
            By::Proof(attr) => person.attributes.filled(attr).is_some_and(|have| is_form(have, value)),
        }
    }
}
