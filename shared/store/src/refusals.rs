//! What the tenant refused of a person last, so that it is not sent again every night.

use std::collections::BTreeMap;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_domain::refused::Refused;
use hardmatch_ports::{Key, Write};

use crate::hashes::PersonHash;
use crate::{Result, Store, json, keys, parse};

impl Store {
    /// The write that remembers a refusal. The next one takes its place; after a success it is about nothing any more.
    pub fn put_refused(&self, c: &ConnectionId, pid: PersonHash, refused: &Refused) -> Write {
        Write::put(keys::refused(c, pid), json(refused))
    }

    /// What was refused of a person last.
    pub async fn refused(&self, c: &ConnectionId, pid: PersonHash) -> Result<Option<Refused>> {
        Ok(self.read(&keys::refused(c, pid), "refusal").await?.map(|stored| stored.value))
    }

    /// What was refused of people last; those without a refusal are left out.
    pub async fn refusals(&self, c: &ConnectionId, pids: &[PersonHash]) -> Result<BTreeMap<PersonHash, Refused>> {
        let wanted: Vec<Key> = pids.iter().map(|pid| keys::refused(c, *pid)).collect();
        let items = self.table.batch_get(&wanted).await?;
        let mut found = BTreeMap::new();
        for item in items {
            let Some(pid) = keys::pid_of(&item.key) else { continue };
            found.insert(pid, parse::<Refused>(&item, "refusal")?.value);
        }
        Ok(found)
    }
}
