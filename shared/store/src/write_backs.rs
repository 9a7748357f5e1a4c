//! What the source is given: who is to be written to in a run, and the journal of what was.

use std::collections::BTreeMap;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::run::SourceWrites;
use hardmatch_ports::{Key, Write};

use crate::changes::{POINTED, Pointer};
use crate::hashes::{PersonHash, pack, unpack};
use crate::{Result, Store, json, keys, parse};

impl Store {
    /// The writes that list people of whom the source is to be given something, fifty to an item. The same people give the
    /// same items, so this may be repeated.
    pub fn put_write_backs(&self, run: &str, pids: &[PersonHash]) -> Vec<Write> {
        let items = pids.chunks(POINTED).enumerate();
        items.map(|(number, chunk)| Write::put(keys::to_write_back(run, number), pack(chunk))).collect()
    }

    /// The next lists of a run, in order.
    pub async fn write_backs(&self, run: &str, limit: usize) -> Result<Vec<Pointer>> {
        let mut found = Vec::new();
        self.each(keys::all_to_write_back(run).limit(limit), |item| {
            found.push(Pointer { pids: unpack(&item.body), key: item.key });
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// The write that journals what the source is given of a person in a run, before it is sent and when the answer is known.
    pub fn put_source_writes(&self, c: &ConnectionId, pid: PersonHash, writes: &SourceWrites) -> Write {
        let expires = Some(self.end_of(writes.at_ms / 1000));
        let key = keys::source_writes(c, pid, &writes.run);
        Write::Put { key, body: json(writes), expires, condition: hardmatch_ports::Condition::None }
    }

    /// What was journaled of people in a run.
    pub async fn source_writes_of(
        &self,
        c: &ConnectionId,
        run: &str,
        pids: &[PersonHash],
    ) -> Result<BTreeMap<PersonHash, SourceWrites>> {
        let wanted: Vec<Key> = pids.iter().map(|pid| keys::source_writes(c, *pid, run)).collect();
        let mut found = BTreeMap::new();
        for item in self.table.batch_get(&wanted).await? {
            if let Some(pid) = keys::pid_of(&item.key) {
                found.insert(pid, parse(&item, "source writes")?.value);
            }
        }
        Ok(found)
    }

    /// What the source was given of a person, newest first, at most so many runs.
    pub async fn source_writes(&self, c: &ConnectionId, pid: PersonHash, limit: usize) -> Result<Vec<SourceWrites>> {
        let query = keys::all_source_writes(c, pid).descending().limit(limit);
        let found = self.read_all::<SourceWrites>(query, "source writes").await?;
        Ok(found.into_iter().map(|(_, stored)| stored.value).take(limit).collect())
    }
}
