//! People, their look-ups over all connections of a tenant, and the marks of those who are not converged.

use std::collections::BTreeSet;

use hardmatch_domain::facts::{By, person_lookups};
use hardmatch_domain::ids::{ConnectionId, PersonRef};
use hardmatch_domain::person::PersonRecord;
use hardmatch_ports::{Key, Query, Write};

use crate::keys::{Pid, Scope};
use crate::{Result, Store, Stored, json, keys, parse};

impl Store {
    /// A person's place in keys.
    pub fn pid(&self, who: &PersonRef) -> Pid {
        self.secret.pid(&who.key)
    }

    /// People by place; those not stored are left out.
    pub async fn people(&self, c: &ConnectionId, pids: &[Pid]) -> Result<Vec<(Pid, PersonRecord)>> {
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

    /// One person.
    pub async fn person(&self, who: &PersonRef) -> Result<Option<PersonRecord>> {
        let key = keys::person(&who.connection, self.pid(who));
        Ok(self.read(&key, "person").await?.map(|stored: Stored<PersonRecord>| stored.value))
    }

    /// The writes that store a person and bring their look-ups from the old facts to the new.
    pub fn put_person(&self, scope: &Scope, old: Option<&PersonRecord>, new: &PersonRecord, writes: &mut Vec<Write>) {
        let c = &new.connection;
        let pid = self.secret.pid(&new.person.key);
        writes.push(Write::put(keys::person(c, pid), json(new)));
        let wanted = self.person_lookup_keys(scope, new, pid);
        let had = old.map(|old| self.person_lookup_keys(scope, old, pid)).unwrap_or_default();
        let body = json(&new.reference());
        writes.extend(had.difference(&wanted).map(|key| Write::delete(key.clone())));
        writes.extend(wanted.difference(&had).map(|key| Write::put(key.clone(), body.clone())));
    }

    fn person_lookup_keys(&self, scope: &Scope, record: &PersonRecord, pid: Pid) -> BTreeSet<Key> {
        let mut found = BTreeSet::new();
        person_lookups(record, &mut |by, value| {
            found.insert(keys::person_lookup(scope, &self.secret, by, value, &record.connection, pid));
        });
        found
    }

    /// People of every connection of the tenant who hold a value, in connection and key order.
    pub async fn people_by(&self, scope: &Scope, by: By, value: &str) -> Result<Vec<PersonRef>> {
        let query = Query::prefix(keys::person_lookup_pk(scope, &self.secret, by, value), "");
        let mut found: Vec<PersonRef> =
            self.read_all(query, "person look-up").await?.into_iter().map(|(_, stored)| stored.value).collect();
        found.sort();
        Ok(found)
    }

    /// The write that marks a person as to be looked at: facts changed, or not converged.
    pub fn mark_open(&self, c: &ConnectionId, pid: Pid) -> Write {
        Write::put(Self::open_key(c, pid), Vec::new())
    }

    /// The write that takes the mark away.
    pub fn mark_settled(&self, c: &ConnectionId, pid: Pid) -> Write {
        Write::delete(Self::open_key(c, pid))
    }

    fn open_key(c: &ConnectionId, pid: Pid) -> Key {
        // Sixteen partitions, so that a large first run does not write into one.
        Key::new(format!("OPEN#{c}#{:x}", pid.prefix(4)), pid.hex())
    }

    /// Everybody who is marked, sorted.
    pub async fn open_people(&self, c: &ConnectionId) -> Result<Vec<Pid>> {
        let mut found = Vec::new();
        for shard in 0..16 {
            self.each(Query::prefix(format!("OPEN#{c}#{shard:x}"), ""), |item| {
                found.extend(Pid::parse(&item.key.sk));
                Ok(())
            })
            .await?;
        }
        found.sort_unstable();
        Ok(found)
    }

    /// The write that remembers somebody who is not in the listing any more; `None` when they are back.
    pub fn note_gone(&self, c: &ConnectionId, pid: Pid, gone: Option<i64>) -> Write {
        let key = Key::new(format!("GONE#{c}"), pid.hex());
        match gone {
            Some(since) => Write::put(key, since.to_string().into_bytes()),
            None => Write::delete(key),
        }
    }

    /// Everybody who is not in the listing any more, sorted.
    pub async fn gone_people(&self, c: &ConnectionId) -> Result<Vec<Pid>> {
        let mut found = Vec::new();
        self.each(Query::prefix(format!("GONE#{c}"), ""), |item| {
            found.extend(Pid::parse(&item.key.sk));
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// The write that brings a person up for decision at a time (Unix seconds).
    pub fn put_due(&self, c: &ConnectionId, pid: Pid, at: i64) -> Write {
        Write::put(Key::new(format!("DUE#{c}#{}", day(at)), format!("{at:012}#person#{}", pid.hex())), Vec::new())
    }

    /// People whose time has come since a time (both Unix seconds), and the keys to delete once they are noted.
    pub async fn due_people(&self, c: &ConnectionId, since: i64, now: i64) -> Result<Vec<(Pid, Key)>> {
        let mut found = Vec::new();
        for day in day(since)..=day(now) {
            let query = Query::prefix(format!("DUE#{c}#{day}"), "").before(format!("{:012}", now + 1));
            self.each(query, |item| {
                if let Some(pid) = item.key.sk.rsplit('#').next().and_then(Pid::parse) {
                    found.push((pid, item.key));
                }
                Ok(())
            })
            .await?;
        }
        Ok(found)
    }

    /// Forgets timers.
    pub async fn delete_keys(&self, found: Vec<Key>) -> Result<()> {
        Ok(self.table.batch_write(found.into_iter().map(Write::delete).collect()).await?)
    }
}

fn day(at: i64) -> i64 {
    at.div_euclid(86_400)
}
