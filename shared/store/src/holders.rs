//! Who holds a value: accounts, people, groups and contacts. Many values are asked for together, since a slice of people to be
//! decided asks for some hundreds.

use std::collections::BTreeSet;

use hardmatch_domain::account::AddressHolder;
use hardmatch_domain::facts::By;
use hardmatch_domain::ids::{ObjectId, PersonRef};
use hardmatch_ports::{Item, Query};

use crate::hashes::TenantKey;
use crate::people::PersonEntry;
use crate::{Result, Store, keys, parse};

/// Whose holders are asked for.
#[derive(Clone, PartialEq, Eq)]
pub enum LookUp {
    /// Accounts, live and soft-deleted, that hold a value.
    Accounts(By, String),
    /// People of every connection of the tenant who hold a value.
    People(By, String),
    /// Groups and contacts that hold an address.
    AddressHolders(String),
}

/// Personal data: the kind of question only.
impl std::fmt::Debug for LookUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Accounts(by, _) => write!(f, "Accounts({by:?}, …)"),
            Self::People(by, _) => write!(f, "People({by:?}, …)"),
            Self::AddressHolders(_) => f.write_str("AddressHolders(…)"),
        }
    }
}

/// A value and its holders.
pub enum Held {
    /// Accounts, in object-id order.
    ByAccounts(By, String, Vec<ObjectId>),
    /// People, in connection and key order.
    ByPeople(By, String, Vec<PersonRef>),
    /// Groups and contacts, in object-id order.
    ByAddressHolders(String, Vec<AddressHolder>),
}

impl Store {
    /// The holders of many values, one answer a value, in their order.
    pub async fn look_up(&self, scope: &TenantKey, look_ups: Vec<LookUp>) -> Result<Vec<Held>> {
        let queries: Vec<Query> = look_ups.iter().map(|look_up| self.query_of(scope, look_up)).collect();
        let pages = self.table.query_many(&queries).await?;
        let mut answers = Vec::with_capacity(look_ups.len());
        for ((look_up, query), page) in look_ups.into_iter().zip(queries).zip(pages) {
            let mut items = page.items;
            if let Some(last) = page.next {
                items.extend(self.all_of(query.after(last)).await?);
            }
            answers.push(match look_up {
                LookUp::Accounts(by, value) => Held::ByAccounts(by, value, accounts(items)),
                LookUp::People(by, value) => Held::ByPeople(by, value, people(by, &items)?),
                LookUp::AddressHolders(address) => Held::ByAddressHolders(address, address_holders(&items)?),
            });
        }
        Ok(answers)
    }

    /// Accounts, live and soft-deleted, that hold a value, in object-id order.
    pub async fn accounts_by(&self, scope: &TenantKey, by: By, value: &str) -> Result<Vec<ObjectId>> {
        Ok(accounts(self.all_of(keys::account_entries(scope, &self.secret, by, value)).await?))
    }

    /// People of every connection of the tenant who hold a value, in connection and key order.
    pub async fn people_by(&self, scope: &TenantKey, by: By, value: &str) -> Result<Vec<PersonRef>> {
        people(by, &self.all_of(keys::people_entries(scope, &self.secret, by, value)).await?)
    }

    /// Groups and contacts that hold an address.
    pub async fn address_holders(&self, scope: &TenantKey, address: &str) -> Result<Vec<AddressHolder>> {
        address_holders(&self.all_of(keys::holders(scope, &self.secret, address)).await?)
    }

    fn query_of(&self, scope: &TenantKey, look_up: &LookUp) -> Query {
        match look_up {
            LookUp::Accounts(by, value) => keys::account_entries(scope, &self.secret, *by, value),
            LookUp::People(by, value) => keys::people_entries(scope, &self.secret, *by, value),
            LookUp::AddressHolders(address) => keys::holders(scope, &self.secret, address),
        }
    }

    async fn all_of(&self, query: Query) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        self.each(query, |item| {
            items.push(item);
            Ok(())
        })
        .await?;
        Ok(items)
    }
}

fn accounts(items: Vec<Item>) -> Vec<ObjectId> {
    items.into_iter().map(|item| ObjectId::new(item.key.sk)).collect()
}

fn people(by: By, items: &[Item]) -> Result<Vec<PersonRef>> {
    let mut found = BTreeSet::new();
    for item in items {
        found.extend(parse::<PersonEntry>(item, "person look-up")?.value.holder(by));
    }
    Ok(found.into_iter().collect())
}

fn address_holders(items: &[Item]) -> Result<Vec<AddressHolder>> {
    items.iter().map(|item| Ok(parse::<AddressHolder>(item, "address holder")?.value)).collect()
}
