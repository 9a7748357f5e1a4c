//! Forgetting: a connection that is removed leaves nothing behind, and a person who has been absent for long without an
//! account is not kept. Accounts in the tenant are not touched.

mod person;
#[cfg(test)]
mod spied;
mod tenant;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _};
use hardmatch_domain::ids::ConnectionId;
use hardmatch_domain::repair::holds::holds;
use hardmatch_domain::repair::journal::Journal;
use hardmatch_ports::doorbell::Urgency;
use hardmatch_ports::{Key, Query, Write};

use crate::batches::lane_name;
use crate::fingerprints::{BUCKETS, Series};
use crate::hashes::{PersonHash, TenantKey};
use crate::keys::{self, NoteList, began};
use crate::timers::FARTHEST;
use crate::{Result, Store, parse};

/// People and accounts that are forgotten between two looks at the clock.
const TOGETHER: usize = 64;
/// Buckets of fingerprints that are read together.
const BUCKETS_TOGETHER: usize = 16;
/// Queries that are asked at the same time.
const AT_ONCE: usize = 16;
/// A timer that nobody took lies there for as long as its connection is paused: days are looked through that far back, and
/// since the first run that is kept.
const DAYS_BACK: i64 = 2_000;
const DAY: i64 = 86_400;

/// How far the forgetting of a connection has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Items that were deleted.
    pub items: u64,
    /// Whether nothing is left.
    pub done: bool,
}

/// A connection that is to be forgotten.
#[derive(Clone, Copy, Debug)]
pub struct Forgetting<'f> {
    /// The connection.
    pub connection: &'f ConnectionId,
    /// Its tenant.
    pub scope: &'f TenantKey,
    /// The application that it wrote as; `None` where that cannot be told any more.
    pub client: Option<&'f str>,
    /// Whether no other connection is of this tenant: then its mirror goes, too.
    pub with_tenant: bool,
    /// The present time (Unix seconds).
    pub now: i64,
}

impl Store {
    /// Forgets a connection, as long as `go_on` says, which is asked after some of it was. Done again, it goes on where it was: what leads to other items is
    /// deleted after them, and the connection's name goes last. The caller has disconnected it, so that nothing works for it
    /// meanwhile, and gives the store of its look-ups ([`Store::entering`]).
    ///
    /// Leases and write budgets stay: they belong to an application in a tenant, name nobody, and their fences must never
    /// count from the beginning again.
    pub async fn forget_connection(
        &self,
        of: Forgetting<'_>,
        go_on: impl Fn() -> bool + Send + Sync,
    ) -> Result<Forgotten> {
        let mut items = 0;
        let Forgetting { connection: c, scope, .. } = of;
        let mut people: BTreeSet<PersonHash> = self.gone_people(c).await?.into_iter().collect();
        for query in keys::all_dirty(c).chain([keys::sync_requests(c)]) {
            people.extend(self.keys_of(query).await?.iter().filter_map(|key| PersonHash::parse(&key.sk)));
        }
        people.extend(self.pushed_ids(c).await?.into_iter().map(|(_, pid)| pid));
        people.extend(self.pushed_deletions(c).await?.into_iter().map(|(pid, _)| pid));
        let people: Vec<PersonHash> = people.into_iter().collect();
        for some in people.chunks(TOGETHER) {
            let deleted = self.forget_people(scope, c, some).await?;
            items += deleted;
            if deleted > 0 && !go_on() {
                return Ok(Forgotten { items, done: false });
            }
        }
        let series = Series::people(c);
        for numbers in (0..BUCKETS).collect::<Vec<_>>().chunks(BUCKETS_TOGETHER) {
            let buckets = self.buckets(&series, numbers).await?;
            let names: Vec<PersonHash> =
                buckets.values().flat_map(|bucket| bucket.keys().map(|name| PersonHash::from_bytes(*name))).collect();
            let mut deleted = 0;
            for some in names.chunks(TOGETHER) {
                deleted += self.forget_people(scope, c, some).await?;
            }
            deleted += self.forget_buckets(&series, numbers).await?;
            items += deleted;
            if deleted > 0 && !go_on() {
                return Ok(Forgotten { items, done: false });
            }
        }
        items += self.forget_work(&of, &series).await?;
        if of.with_tenant {
            let (more, done) = self.forget_tenant(scope, &go_on).await?;
            items += more;
            if !done {
                return Ok(Forgotten { items, done: false });
            }
        } else {
            self.want_proving(scope, c, &[]).await?;
        }
        items += self.clear_counted(keys::of_connection(c)).await?;
        items += self.delete_existing(vec![keys::listed(c)]).await?;
        Ok(Forgotten { items, done: true })
    }

    /// What runs, schedules, approvers and identity providers left.
    async fn forget_work(&self, of: &Forgetting<'_>, series: &Series) -> Result<u64> {
        let c = of.connection;
        let runs = self.run_ids(c, usize::MAX).await?;
        let of_runs = runs.iter().flat_map(|run| {
            let notes = [NoteList::plan(run), NoteList::checkpoints(run)].map(|list| list.all());
            let work = [
                keys::slices(run, None),
                keys::all_held(run),
                keys::all_to_write_back(run),
                keys::all_asked(run),
                keys::lane(run),
                keys::costs(run),
            ];
            work.into_iter().chain(notes)
        });
        let begun = runs.iter().filter_map(|run| began(run)).min().unwrap_or(of.now);
        let days =
            begun.div_euclid(DAY).min(of.now.div_euclid(DAY) - DAYS_BACK)..=(of.now + FARTHEST).div_euclid(DAY) + 1;
        let lists = keys::lists_of(c).chain([NoteList::source(c), NoteList::departed(c)].map(|list| list.all()));
        let queries = of_runs.chain(days.map(|day| keys::timers(c, day, i64::MAX))).chain(lists);
        let mut items = self.clear_all(queries.collect()).await?;
        for group in self.pushed_groups(c).await? {
            self.write_pushed(self.delete_pushed_group(c, &group)).await?;
            // The group and the claim of its name.
            items += 2;
        }
        items += self.forget_batches(of).await?;
        items += self.forget_repairs(of).await?;
        let leases =
            [format!("people~{c}"), format!("write-back~{c}"), format!("match~{c}")].map(|name| keys::lease(&name));
        let rest: Vec<Key> = leases.into_iter().chain([series.digest_key(), keys::connecting(c)]).collect();
        items += self.delete_existing(rest).await?;
        Ok(items)
    }

    /// Batches that a writer left behind: nobody looks any more at what came of them.
    async fn forget_batches(&self, of: &Forgetting<'_>) -> Result<u64> {
        let Some(client) = of.client else { return Ok(0) };
        let mut left = Vec::new();
        for urgency in [Urgency::Scheduled, Urgency::Now] {
            let batches = self.batches(&lane_name(of.scope, client, urgency)).await?;
            left.extend(batches.into_iter().filter(|batch| batch.connection == *of.connection).map(|batch| batch.key));
        }
        self.delete_counted(left.into_iter().map(Write::delete).collect()).await
    }

    /// Repairs of the connection's people, which lie with those of all others of the tenant. Nobody goes on with an open one:
    /// the caller removes no connection that has any.
    async fn forget_repairs(&self, of: &Forgetting<'_>) -> Result<u64> {
        let mut ours = Vec::new();
        for query in [keys::open_repairs(of.scope), keys::closed_repairs(of.scope)] {
            self.each(query, |item| {
                let journal: Journal = parse(&item, "repair")?.value;
                if journal.connection == *of.connection {
                    // What a repair held that ended may be another's by now.
                    let held = if journal.state.is_closed() { Vec::new() } else { holds(&journal) };
                    ours.extend(held.iter().map(|what| keys::repair_hold(of.scope, &self.secret, what)));
                    ours.push(item.key);
                }
                Ok(())
            })
            .await?;
        }
        self.delete_existing(ours).await
    }

    /// Buckets that are there, empty ones among them.
    async fn forget_buckets(&self, series: &Series, numbers: &[usize]) -> Result<u64> {
        self.delete_existing(numbers.iter().map(|number| series.bucket_key(*number)).collect()).await
    }

    async fn keys_of(&self, query: Query) -> Result<Vec<Key>> {
        let mut found = Vec::new();
        self.each(query, |item| {
            found.push(item.key);
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// Deletes what queries give, some at the same time.
    async fn clear_all(&self, queries: Vec<Query>) -> Result<u64> {
        let counted = futures::stream::iter(queries).map(|query| self.clear_counted(query)).buffer_unordered(AT_ONCE);
        counted.try_fold(0, |sum, count| std::future::ready(Ok(sum + count))).await
    }

    async fn clear_counted(&self, query: Query) -> Result<u64> {
        let found = self.keys_of(query).await?;
        self.delete_counted(found.into_iter().map(Write::delete).collect()).await
    }

    /// Deletes those of the items that are there.
    async fn delete_existing(&self, wanted: Vec<Key>) -> Result<u64> {
        let there = self.table.batch_get(&wanted).await?;
        self.delete_counted(there.into_iter().map(|item| Write::delete(item.key)).collect()).await
    }

    async fn delete_counted(&self, writes: Vec<Write>) -> Result<u64> {
        let count = writes.len() as u64;
        if count > 0 {
            self.write_all(writes).await?;
        }
        Ok(count)
    }
}
