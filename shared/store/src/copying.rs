//! Copying what decisions about a connection's people rest on into another table: a recording of a stack's facts, which lie
//! in a table beside those of other connections and cannot be copied as a file.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _};
use hardmatch_domain::account::AddressHolder;
use hardmatch_domain::ids::{ConnectionId, ObjectId};
use hardmatch_ports::{Item, Key, Query, Table, Write};

use crate::fingerprints::{BUCKETS, Series};
use crate::hashes::{PersonHash, TenantKey};
use crate::keys::{self, NoteList};
use crate::people::PersonEntry;
use crate::{Result, Store, StoreError, parse};

/// People and accounts that are copied at a time.
const TOGETHER: usize = 64;
/// Queries that are asked at the same time.
const AT_ONCE: usize = 16;

/// A copy in the making.
struct Copy<'c> {
    from: &'c Store,
    to: &'c dyn Table,
    items: u64,
}

impl Store {
    /// Copies what a run of a connection decided from: its state and configuration, people, their links and what leads to
    /// them, the tenant's accounts, groups and repairs; of other connections of the tenant the people who hold a value that
    /// one of these people holds. No history, no plans, no work. How many items. The caller gives the store of the look-ups
    /// ([`Store::entering`]).
    pub async fn copy_facts(&self, scope: &TenantKey, c: &ConnectionId, run: &str, to: &dyn Table) -> Result<u64> {
        let mut copy = Copy { from: self, to, items: 0 };
        let policy = self.run(c, run).await?.map_or(0, |run| run.value.policy_revision);
        copy.of_keys(&[keys::secret(), keys::listed(c), keys::run(c, run), keys::policy(c, policy)]).await?;
        copy.of_keys(&[keys::people_lookups(c)]).await?;
        let notes = [NoteList::source(c), NoteList::departed(c)].map(|list| list.all());
        copy.of_queries([keys::metas(c), keys::all_gone(c)].into_iter().chain(notes)).await?;
        copy.of_people(scope, c).await?;
        copy.of_tenant(scope).await?;
        Ok(copy.items)
    }
}

impl Copy<'_> {
    async fn put(&mut self, items: Vec<Item>) -> Result<()> {
        self.items += items.len() as u64;
        let writes = items.into_iter().map(|Item { key, body, .. }| Write::put(key, body)).collect::<Vec<_>>();
        if !writes.is_empty() {
            self.to.batch_write(writes).await?;
        }
        Ok(())
    }

    async fn of_keys(&mut self, wanted: &[Key]) -> Result<()> {
        let found = self.from.table.batch_get(wanted).await?;
        self.put(found).await
    }

    /// Copies what queries give, and gives it back, too.
    async fn of_queries(&mut self, queries: impl IntoIterator<Item = Query>) -> Result<Vec<Item>> {
        let from = self.from;
        let asked = futures::stream::iter(queries.into_iter().collect::<Vec<_>>()).map(|query| async move {
            let mut items = Vec::new();
            from.each(query, |item| {
                items.push(item);
                Ok(())
            })
            .await?;
            Ok::<_, StoreError>(items)
        });
        let found: Vec<Vec<Item>> = asked.buffer_unordered(AT_ONCE).try_collect().await?;
        let found: Vec<Item> = found.into_iter().flatten().collect();
        self.put(found.clone()).await?;
        Ok(found)
    }

    /// Fingerprints, a part at a time: the names in them.
    async fn of_fingerprints(&mut self, series: &Series) -> Result<Vec<[u8; 16]>> {
        self.of_keys(&[series.digest_key()]).await?;
        let buckets: Vec<Key> = (0..BUCKETS).map(|number| series.bucket_key(number)).collect();
        self.of_keys(&buckets).await?;
        self.from.all_names(series).await
    }

    async fn of_people(&mut self, scope: &TenantKey, c: &ConnectionId) -> Result<()> {
        let names = self.of_fingerprints(&Series::people(c)).await?;
        let mut people: BTreeSet<PersonHash> = names.into_iter().map(PersonHash::from_bytes).collect();
        people.extend(self.from.gone_people(c).await?);
        let people: Vec<PersonHash> = people.into_iter().collect();
        let (mut looked, mut others) = (BTreeSet::new(), BTreeMap::new());
        for some in people.chunks(TOGETHER) {
            self.of_queries(some.iter().map(|pid| keys::person_items(c, *pid))).await?;
            let mut places = BTreeSet::new();
            for (pid, record) in self.from.people(c, some).await? {
                places.extend(self.from.person_entries(scope, &record, pid).into_keys().map(|key| key.pk));
            }
            places.retain(|place| looked.insert(place.clone()));
            for item in self.of_queries(places.into_iter().map(|place| Query::prefix(place, ""))).await? {
                let who = parse::<PersonEntry>(&item, "person look-up")?.value.person;
                if who.connection != *c {
                    others.insert(self.from.pid(&who), who.connection);
                }
            }
        }
        self.of_queries(others.iter().map(|(pid, other)| keys::person_items(other, *pid))).await?;
        Ok(())
    }

    async fn of_tenant(&mut self, scope: &TenantKey) -> Result<()> {
        let lists = [
            NoteList::address_holders(scope, "groups"),
            NoteList::address_holders(scope, "contacts"),
            NoteList::recycle_bin(scope),
            NoteList::recheck(scope),
            NoteList::seen(scope),
            NoteList::memberships(scope),
            NoteList::habits(scope),
        ];
        let whole = keys::all_repairs(scope).into_iter().chain([keys::of_tenant(scope)]);
        self.of_queries(whole.chain(lists.iter().map(NoteList::all))).await?;
        for list in &lists[..2] {
            for (_, body) in self.from.notes_of(list).await? {
                let held: Vec<(String, AddressHolder)> =
                    serde_json::from_slice(&body).map_err(|error| StoreError::unreadable("address holders", &error))?;
                let keys: Vec<Key> = held
                    .iter()
                    .map(|(address, holder)| keys::holder(scope, &self.from.secret, address, &holder.id))
                    .collect();
                self.of_keys(&keys).await?;
            }
        }
        self.of_fingerprints(&Series::accounts(scope)).await?;
        let accounts: Vec<ObjectId> = self.from.account_ids(scope).await?.into_iter().collect();
        let entering = self.from.entering_accounts(scope).await?;
        for some in accounts.chunks(TOGETHER) {
            self.of_queries(some.iter().map(|id| keys::account_items(scope, id))).await?;
            let mut entries = BTreeSet::new();
            for item in self.from.accounts(scope, some).await? {
                entries.extend(entering.account_lookup_keys(scope, &item.account));
            }
            let entries: Vec<Key> = entries.into_iter().collect();
            self.of_keys(&entries).await?;
        }
        Ok(())
    }
}
