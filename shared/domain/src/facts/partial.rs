//! Facts loaded piece by piece: a question about something not loaded is written down, so that it can be loaded and the
//! decision made again. A decision made while something was asked in vain is worth nothing; [`crate::decide::attempt`] never returns one.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use super::{By, Facts};
use crate::vocabulary::account::{Account, AddressHolder};
use crate::vocabulary::ids::{ObjectId, PersonRef};
use crate::vocabulary::link::Link;
use crate::vocabulary::person::PersonRecord;
use crate::vocabulary::text::lookup_form;

/// Something that was asked for and not loaded. Values are in look-up form.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MissingFact {
    /// The accounts that hold a value.
    Accounts(By, String),
    /// One account.
    Account(ObjectId),
    /// Groups and contacts that hold an address.
    AddressHolders(String),
    /// The people who hold a value.
    People(By, String),
    /// One person.
    Person(PersonRef),
    /// A person's link.
    Link(PersonRef),
    /// The link that names an account.
    LinkTo(ObjectId),
}

/// Personal data: the kind of question only.
impl std::fmt::Debug for MissingFact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            MissingFact::Accounts(by, _) => write!(f, "Accounts({by:?}, …)"),
            MissingFact::Account(id) => write!(f, "Account({id})"),
            MissingFact::AddressHolders(_) => f.write_str("AddressHolders(…)"),
            MissingFact::People(by, _) => write!(f, "People({by:?}, …)"),
            MissingFact::Person(_) => f.write_str("Person(…)"),
            MissingFact::Link(_) => f.write_str("Link(…)"),
            MissingFact::LinkTo(id) => write!(f, "LinkTo({id})"),
        }
    }
}

/// A partial view. Tell it what was loaded, "there is none" included.
#[derive(Default)]
pub struct PartialFacts {
    accounts_by: HashMap<(By, String), Vec<ObjectId>>,
    accounts: HashMap<ObjectId, Option<Account>>,
    holders: HashMap<String, Vec<AddressHolder>>,
    people_by: HashMap<(By, String), Vec<PersonRef>>,
    people: HashMap<PersonRef, Option<PersonRecord>>,
    links: HashMap<PersonRef, Option<Link>>,
    links_to: HashMap<ObjectId, Option<Link>>,
    wants: RefCell<Wants>,
}

/// What was asked for and not loaded.
#[derive(Default)]
struct Wants {
    facts: BTreeSet<MissingFact>,
    /// A link or an account was asked for in vain. Without it the rules go on as if there were none, and look for one by every
    /// value that the person has; with it they mostly look for nothing. So nothing is looked up by value before it is known.
    link_or_account: bool,
}

impl PartialFacts {
    /// Which accounts hold a value.
    pub fn put_accounts(&mut self, by: By, value: &str, mut ids: Vec<ObjectId>) {
        ids.sort_unstable();
        self.accounts_by.insert((by, lookup_form(value)), ids);
    }

    /// One account, or that there is none.
    pub fn put_account(&mut self, id: ObjectId, account: Option<Account>) {
        self.accounts.insert(id, account);
    }

    /// Which groups and contacts hold an address.
    pub fn put_address_holders(&mut self, address: &str, holders: Vec<AddressHolder>) {
        self.holders.insert(lookup_form(address), holders);
    }

    /// Which people hold a value.
    pub fn put_people(&mut self, by: By, value: &str, mut people: Vec<PersonRef>) {
        people.sort_unstable();
        self.people_by.insert((by, lookup_form(value)), people);
    }

    /// One person, or that there is none.
    pub fn put_person(&mut self, who: PersonRef, record: Option<PersonRecord>) {
        self.people.insert(who, record);
    }

    /// A person's link, or that there is none. A link answers for its account too.
    pub fn put_link(&mut self, who: PersonRef, link: Option<Link>) {
        if let Some(link) = &link {
            self.links_to.insert(link.account.clone(), Some(link.clone()));
        }
        self.links.insert(who, link);
    }

    /// The link that names an account, or that there is none.
    pub fn put_link_to(&mut self, account: ObjectId, link: Option<Link>) {
        self.links_to.insert(account, link);
    }

    /// What was asked for and not loaded since the last call, in a stable order.
    pub fn take_wants(&self) -> Vec<MissingFact> {
        std::mem::take(&mut *self.wants.borrow_mut()).facts.into_iter().collect()
    }

    fn want(&self, want: MissingFact) {
        let mut wants = self.wants.borrow_mut();
        match want {
            MissingFact::Accounts(..) | MissingFact::AddressHolders(_) | MissingFact::People(..)
                if wants.link_or_account =>
            {
                return;
            }
            MissingFact::Link(_) | MissingFact::Account(_) => wants.link_or_account = true,
            MissingFact::Accounts(..)
            | MissingFact::AddressHolders(_)
            | MissingFact::People(..)
            | MissingFact::Person(_)
            | MissingFact::LinkTo(_) => {}
        }
        wants.facts.insert(want);
    }
}

impl Facts for PartialFacts {
    fn accounts(&self, by: By, value: &str) -> Vec<ObjectId> {
        let key = (by, lookup_form(value));
        self.accounts_by.get(&key).cloned().unwrap_or_else(|| {
            self.want(MissingFact::Accounts(key.0, key.1));
            Vec::new()
        })
    }

    fn account(&self, id: &ObjectId) -> Option<&Account> {
        let found = self.accounts.get(id);
        if found.is_none() {
            self.want(MissingFact::Account(id.clone()));
        }
        found?.as_ref()
    }

    fn address_holders(&self, address: &str) -> Vec<AddressHolder> {
        let key = lookup_form(address);
        self.holders.get(&key).cloned().unwrap_or_else(|| {
            self.want(MissingFact::AddressHolders(key));
            Vec::new()
        })
    }

    fn people(&self, by: By, value: &str) -> Vec<PersonRef> {
        let key = (by, lookup_form(value));
        self.people_by.get(&key).cloned().unwrap_or_else(|| {
            self.want(MissingFact::People(key.0, key.1));
            Vec::new()
        })
    }

    fn person(&self, who: &PersonRef) -> Option<&PersonRecord> {
        let found = self.people.get(who);
        if found.is_none() {
            self.want(MissingFact::Person(who.clone()));
        }
        found?.as_ref()
    }

    fn link(&self, who: &PersonRef) -> Option<&Link> {
        let found = self.links.get(who);
        if found.is_none() {
            self.want(MissingFact::Link(who.clone()));
        }
        found?.as_ref()
    }

    fn link_to(&self, account: &ObjectId) -> Option<&Link> {
        let found = self.links_to.get(account);
        if found.is_none() {
            self.want(MissingFact::LinkTo(account.clone()));
        }
        found?.as_ref()
    }
}
