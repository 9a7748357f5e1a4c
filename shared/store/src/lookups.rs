//! What policies add to the look-ups, and how far it has been added: attributes that prove identity, over all
//! connections of a tenant, and the sign-in names that expressions make of a connection's people.

use std::collections::BTreeMap;

use hardmatch_domain::account::Account;
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::facts::{By, Lookups};
use hardmatch_domain::ids::ConnectionId;
use hardmatch_domain::person::PersonRecord;
use hardmatch_ports::{Condition, TableError, Write};
use serde::{Deserialize, Serialize};

use crate::hashes::TenantKey;
use crate::people::move_person;
use crate::{Result, Store, Stored, json, keys};

/// `T#scope / PROVE`: by which attributes accounts are entered into the look-ups beside the usual ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proving {
    /// Version of this shape.
    pub v: u32,
    /// Which attributes each connection's policy lets prove identity. A function that stores an account enters all of them.
    pub wanted: BTreeMap<ConnectionId, Vec<Attr>>,
    /// By which of them every account is entered: the others still wait for a complete reading.
    #[serde(default)]
    pub complete: Vec<Attr>,
}

impl Proving {
    /// What every account is entered under.
    pub fn lookups(&self) -> Lookups {
        Lookups::proving(self.wanted.values().flatten().copied())
    }

    /// The attributes under which not every account is entered yet.
    pub fn missing(&self) -> Vec<Attr> {
        self.lookups().attributes().iter().copied().filter(|attr| !self.complete.contains(attr)).collect()
    }
}

/// `CONN#C / LOOKUPS`: how a connection's people are entered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeopleLookups {
    /// Version of this shape.
    pub v: u32,
    /// [`Lookups::signature`] of what everybody is entered under.
    pub signature: String,
    /// A policy that says the same.
    pub policy: u64,
}

impl Store {
    /// The same store, entering people and accounts under these look-ups.
    #[must_use]
    pub fn entering(&self, lookups: Lookups) -> Self {
        Self { lookups: std::sync::Arc::new(lookups), ..self.clone() }
    }

    /// The same store, entering accounts under everything that the policies of the tenant ask for.
    pub async fn entering_accounts(&self, scope: &TenantKey) -> Result<Self> {
        Ok(self.entering(self.proving(scope).await?.lookups()))
    }

    /// What accounts are entered under.
    pub async fn proving(&self, scope: &TenantKey) -> Result<Proving> {
        Ok(self.read_proving(scope).await?.value)
    }

    /// Says which attributes a connection's policy lets prove identity. Gives what accounts are to be entered under
    /// from now on, all connections together.
    pub async fn want_proving(&self, scope: &TenantKey, c: &ConnectionId, attrs: &[Attr]) -> Result<Proving> {
        self.update_proving(scope, |proving| {
            if attrs.is_empty() {
                proving.wanted.remove(c);
            } else {
                proving.wanted.insert(c.clone(), attrs.to_vec());
            }
            // What nobody wants any more is no longer kept up.
            let wanted = proving.lookups();
            proving.complete.retain(|attr| wanted.attributes().contains(attr));
        })
        .await
    }

    /// Says that every account is entered under these attributes.
    pub async fn proving_complete(&self, scope: &TenantKey, attrs: &[Attr]) -> Result<Proving> {
        self.update_proving(scope, |proving| {
            let wanted = proving.lookups();
            let fresh = attrs.iter().filter(|attr| wanted.attributes().contains(attr));
            proving.complete.extend(fresh);
            proving.complete.sort_unstable();
            proving.complete.dedup();
        })
        .await
    }

    async fn read_proving(&self, scope: &TenantKey) -> Result<Stored<Proving>> {
        let found = self.read(&keys::proving(scope), "proving attributes").await?;
        Ok(found.unwrap_or(Stored { value: Proving { v: 1, ..Proving::default() }, revision: 0 }))
    }

    async fn update_proving(&self, scope: &TenantKey, change: impl Fn(&mut Proving)) -> Result<Proving> {
        loop {
            let had = self.read_proving(scope).await?;
            let mut next = had.value.clone();
            change(&mut next);
            if next == had.value {
                return Ok(next);
            }
            let condition = if had.revision == 0 { Condition::Absent } else { Condition::Revision(had.revision) };
            let write = Write::put_if(keys::proving(scope), json(&next), condition);
            match self.table.write(write).await {
                Ok(_) => return Ok(next),
                Err(TableError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Performs writes about people or accounts in two steps: what these are found by and the dirty marks first, the facts
    /// last. A reading that is killed in between finds the old facts and does both again; facts that are stored already are
    /// not looked at twice.
    pub async fn write_facts_last(&self, writes: Vec<Write>) -> Result<()> {
        let (facts, others): (Vec<Write>, Vec<Write>) =
            writes.into_iter().partition(|write| keys::is_fact(write.key()));
        for writes in [others, facts] {
            if !writes.is_empty() {
                self.table.batch_write(writes).await?;
            }
        }
        Ok(())
    }

    /// The writes that enter an account under attributes that are new; under all others it is entered already.
    pub fn enter_account(&self, scope: &TenantKey, account: &Account, new: &[Attr], writes: &mut Vec<Write>) {
        for &attr in new {
            if let Some(value) = account.attributes.filled(attr) {
                let key = keys::account_entry(scope, &self.secret, By::Proof(attr), value, &account.id);
                writes.push(Write::put(key, Vec::new()));
            }
        }
    }

    /// How a connection's people are entered.
    pub async fn people_lookups(&self, c: &ConnectionId) -> Result<PeopleLookups> {
        let found: Option<Stored<PeopleLookups>> = self.read(&keys::people_lookups(c), "look-ups").await?;
        Ok(found.map_or_else(|| PeopleLookups { v: 1, ..PeopleLookups::default() }, |found| found.value))
    }

    /// Says how everybody is entered now.
    pub async fn put_people_lookups(&self, c: &ConnectionId, lookups: &PeopleLookups) -> Result<()> {
        self.table.write(Write::put(keys::people_lookups(c), json(lookups))).await?;
        Ok(())
    }

    /// The writes that take a person, unchanged, from the look-ups they were entered under to this store's.
    pub fn reenter_person(&self, scope: &TenantKey, before: &Lookups, record: &PersonRecord, writes: &mut Vec<Write>) {
        let pid = self.secret.pid(&record.person.key);
        let had = self.entering(before.clone()).person_entries(scope, record, pid);
        let wanted = self.person_entries(scope, record, pid);
        move_person(&had, &wanted, record, writes);
    }
}
