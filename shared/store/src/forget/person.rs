//! Forgetting people: what is kept of them under their own keys, and what leads there.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _};
use hardmatch_domain::ids::{ConnectionId, ObjectId};
use hardmatch_ports::{Key, Query, Write};

use super::{AT_ONCE, TOGETHER};
use crate::hashes::{PersonHash, TenantKey};
use crate::{Result, Store, StoreError, Stored, keys, parse};

impl Store {
    /// Deletes everything that is kept of some people of a connection: records, changes, history, links, look-ups, marks and
    /// what was pushed. The number of items.
    pub(super) async fn forget_people(&self, scope: &TenantKey, c: &ConnectionId, pids: &[PersonHash]) -> Result<u64> {
        let mut links = Vec::new();
        let accounts = self.linked_accounts(c, pids).await?;
        for link in self.links_to(scope, &accounts).await? {
            if link.value.person.connection == *c {
                links.push(Write::delete(keys::link(scope, &link.value.account)));
            }
        }
        // Before the person's own items, which lead there.
        let mut items = self.delete_counted(links).await?;
        let mut found = BTreeSet::new();
        for (pid, record) in self.people(c, pids).await? {
            found.extend(self.person_entries(scope, &record, pid).into_keys());
        }
        for pushed in self.pushed_people(c, pids).await? {
            let person = pushed.value;
            let pid = self.secret.pid(&person.key);
            found.insert(keys::pushed_id(c, &person.id));
            found.extend(person.claims.iter().map(|claim| keys::pushed_claim(c, &self.secret, claim)));
            found.extend(person.found_by.iter().map(|value| keys::pushed_entry(c, &self.secret, value, pid)));
        }
        let memberships = self.under_each(pids, |pid| keys::pushed_memberships(c, pid)).await?;
        for (pid, key) in memberships {
            found.extend(keys::pushed_membership_of(&key).map(|group| keys::pushed_member(c, group, pid)));
            found.insert(key);
        }
        items += self.delete_counted(found.into_iter().map(Write::delete).collect()).await?;
        let own = self.under_each(pids, |pid| keys::of_person(c, pid)).await?;
        items += self.delete_counted(own.into_iter().map(|(_, key)| Write::delete(key)).collect()).await?;
        let marks = pids.iter().flat_map(|&pid| {
            let marks = [keys::dirty(c, pid), keys::gone(c, pid), keys::person_run(c, pid)];
            let pushed = [keys::pushed_person(c, pid), keys::pushed_deletion(c, pid), keys::sync_request(c, pid)];
            marks.into_iter().chain(pushed)
        });
        // The marks lead to the people, so they go last.
        items += self.delete_existing(marks.collect()).await?;
        Ok(items)
    }

    /// The keys of what a query of each person gives.
    async fn under_each(
        &self,
        pids: &[PersonHash],
        query: impl Fn(PersonHash) -> Query,
    ) -> Result<Vec<(PersonHash, Key)>> {
        let queries: Vec<(PersonHash, Query)> = pids.iter().map(|&pid| (pid, query(pid))).collect();
        let asked = futures::stream::iter(queries)
            .map(|(pid, query)| async move { Ok::<_, StoreError>((pid, self.keys_of(query).await?)) });
        let found: Vec<(PersonHash, Vec<Key>)> = asked.buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flat_map(|(pid, keys)| keys.into_iter().map(move |key| (pid, key))).collect())
    }

    /// Forgets [such people](Self::long_gone). The caller gives the store of their look-ups ([`Store::entering`]).
    pub async fn forget_long_gone(&self, scope: &TenantKey, c: &ConnectionId, people: &[PersonHash]) -> Result<()> {
        for some in people.chunks(TOGETHER) {
            self.forget_people(scope, c, some).await?;
        }
        let forgotten: BTreeSet<PersonHash> = people.iter().copied().collect();
        let mut waiting = self.keys_of(keys::all_waiting(c)).await?;
        waiting.retain(|key| {
            keys::waiting_of(key).is_some_and(|(target, who)| forgotten.contains(&target) || forgotten.contains(&who))
        });
        self.delete_keys(waiting).await
    }

    /// People who, at a time (Unix seconds), have not been in the listing for as long as history is kept and have no account
    /// any more: none was ever linked, or it is in the tenant's mirror no longer. At most so many. The caller has read the
    /// tenant completely.
    pub async fn long_gone(
        &self,
        scope: &TenantKey,
        c: &ConnectionId,
        now: i64,
        limit: usize,
    ) -> Result<Vec<PersonHash>> {
        let mut old = Vec::new();
        self.each(keys::all_gone(c), |item| {
            let since = std::str::from_utf8(&item.body).ok().and_then(|text| text.parse::<i64>().ok());
            if since.is_some_and(|since| self.end_of(since) <= now) {
                old.extend(PersonHash::parse(&item.key.sk));
            }
            Ok(())
        })
        .await?;
        let mut found = Vec::new();
        for some in old.chunks(TOGETHER) {
            let pointers: Vec<Key> = some.iter().map(|pid| keys::person_link(c, *pid)).collect();
            let mut accounts = BTreeMap::new();
            for item in self.table.batch_get(&pointers).await? {
                let account: Stored<ObjectId> = parse(&item, "link pointer")?;
                accounts.extend(keys::pid_of(&item.key).map(|pid| (pid, keys::account(scope, &account.value))));
            }
            let wanted: Vec<Key> = accounts.values().cloned().collect();
            let there: BTreeSet<Key> = self.table.batch_get(&wanted).await?.into_iter().map(|item| item.key).collect();
            let kept = |pid: &&PersonHash| accounts.get(*pid).is_some_and(|account| there.contains(account));
            found.extend(some.iter().filter(|pid| !kept(pid)).take(limit - found.len()));
            if found.len() == limit {
                break;
            }
        }
        Ok(found)
    }
}
