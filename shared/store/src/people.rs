//! People, and their look-ups over all connections of a tenant.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::facts::By;
use hardmatch_domain::ids::{ConnectionId, PersonRef};
use hardmatch_domain::person::PersonRecord;
use hardmatch_ports::{Key, Write};
use serde::{Deserialize, Serialize};

use crate::hashes::{PersonHash, TenantKey};
use crate::{Result, Store, Stored, json, keys, parse};

impl Store {
    /// A person's place in keys.
    pub fn pid(&self, who: &PersonRef) -> PersonHash {
        self.secret.pid(&who.key)
    }

    /// People by place; those not stored are left out.
    pub async fn people(&self, c: &ConnectionId, pids: &[PersonHash]) -> Result<Vec<(PersonHash, PersonRecord)>> {
        let wanted: Vec<Key> = pids.iter().map(|pid| keys::person(c, *pid)).collect();
        let items = self.table.batch_get(&wanted).await?;
        let mut found = Vec::with_capacity(items.len());
        for item in items {
            let stored: Stored<PersonRecord> = parse(&item, "person")?;
            found.push((self.secret.pid(&stored.value.person.key), stored.value));
        }
        found.sort_by_key(|(pid, _)| *pid);
        Ok(found)
    }

    /// A person as the source was understood last.
    pub async fn person(&self, who: &PersonRef) -> Result<Option<PersonRecord>> {
        let key = keys::person(&who.connection, self.pid(who));
        Ok(self.read(&key, "person").await?.map(|stored: Stored<PersonRecord>| stored.value))
    }

    /// The writes that store a person and bring their look-ups from the old facts to the new.
    pub fn put_person(
        &self,
        scope: &TenantKey,
        old: Option<&PersonRecord>,
        new: &PersonRecord,
        writes: &mut Vec<Write>,
    ) {
        let c = &new.connection;
        let pid = self.secret.pid(&new.person.key);
        writes.push(Write::put(keys::person(c, pid), json(new)));
        let wanted = self.person_entries(scope, new, pid);
        let had = old.map(|old| self.person_entries(scope, old, pid)).unwrap_or_default();
        move_person(&had, &wanted, new, writes);
    }

    /// Under which keys a person is found, and as what.
    pub(crate) fn person_entries(&self, scope: &TenantKey, record: &PersonRecord, pid: PersonHash) -> Entries {
        let mut found = Entries::new();
        let mut local = None;
        self.lookups.person(record, &mut |by, value| {
            let place = keys::person_lookup(scope, &self.secret, by, value);
            match by {
                By::LocalPart => local = Some(place),
                By::ImmutableId | By::Upn | By::Address | By::EmployeeId | By::Name | By::Proof(_) => {
                    found.entry(keys::person_entry(place, &record.connection, pid)).or_default().insert(As::of(by));
                }
            }
        });
        if let Some(place) = local {
            // The name whose local part it is lies there; of several, the first tells of it.
            let there = found.iter_mut().find(|(key, _)| key.pk == place.0).map(|(_, held)| held);
            match there {
                Some(held) => held,
                None => found.entry(keys::person_entry(place, &record.connection, pid)).or_default(),
            }
            .insert(As::Local);
        }
        found
    }

    /// The write that remembers somebody who is not in the listing any more; `None` when they are back.
    pub(crate) fn note_gone(c: &ConnectionId, pid: PersonHash, gone: Option<i64>) -> Write {
        let key = keys::gone(c, pid);
        match gone {
            Some(since) => Write::put(key, since.to_string().into_bytes()),
            None => Write::delete(key),
        }
    }

    /// Everybody who is not in the listing any more, sorted.
    pub async fn gone_people(&self, c: &ConnectionId) -> Result<Vec<PersonHash>> {
        let mut found = Vec::new();
        self.each(keys::all_gone(c), |item| {
            found.extend(PersonHash::parse(&item.key.sk));
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// Forgets items by their keys.
    pub async fn delete_keys(&self, found: Vec<Key>) -> Result<()> {
        self.write_all(found.into_iter().map(Write::delete).collect()).await
    }
}

/// As what a person holds the value of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum As {
    /// As the one thing that lies there.
    Value,
    /// As sign-in name.
    Upn,
    /// The value is one of the person's addresses.
    Address,
    /// Their local part lies there.
    Local,
}

impl As {
    fn of(by: By) -> Self {
        match by {
            By::Upn => As::Upn,
            By::Address => As::Address,
            By::LocalPart => As::Local,
            By::ImmutableId | By::EmployeeId | By::Name | By::Proof(_) => As::Value,
        }
    }
}

/// A person's entries.
pub(crate) type Entries = BTreeMap<Key, BTreeSet<As>>;

/// What leads to a person.
#[derive(Serialize, Deserialize)]
pub(crate) struct PersonEntry {
    pub(crate) person: PersonRef,
    held: BTreeSet<As>,
}

impl PersonEntry {
    /// The person, where they hold a value of this kind.
    pub(crate) fn holder(self, by: By) -> Option<PersonRef> {
        self.held.contains(&As::of(by)).then_some(self.person)
    }
}

/// The writes that take a person from some entries to others.
pub(crate) fn move_person(had: &Entries, wanted: &Entries, record: &PersonRecord, writes: &mut Vec<Write>) {
    let gone = had.keys().filter(|key| !wanted.contains_key(*key));
    writes.extend(gone.map(|key| Write::delete(key.clone())));
    let new = wanted.iter().filter(|(key, held)| had.get(*key) != Some(*held));
    writes.extend(new.map(|(key, held)| {
        let entry = PersonEntry { person: record.reference(), held: held.clone() };
        Write::put(key.clone(), json(&entry))
    }));
}
