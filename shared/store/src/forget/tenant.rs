//! Forgetting the mirror of a tenant: accounts, groups, and what leads there.

use std::collections::BTreeSet;

use hardmatch_domain::account::AddressHolder;
use hardmatch_domain::ids::ObjectId;

use super::{BUCKETS_TOGETHER, TOGETHER};
use crate::fingerprints::{BUCKETS, Series, object_id};
use crate::hashes::TenantKey;
use crate::keys::{self, NoteList};
use crate::{Result, Store, StoreError};

impl Store {
    /// The mirror of a tenant that no connection is of any more; and whether nothing is left of it.
    pub(super) async fn forget_tenant(
        &self,
        scope: &TenantKey,
        go_on: &(impl Fn() -> bool + Sync),
    ) -> Result<(u64, bool)> {
        let store = self.entering_accounts(scope).await?;
        let series = Series::accounts(scope);
        let mut items = 0;
        let mut noted = BTreeSet::new();
        for list in [NoteList::seen(scope), NoteList::recycle_bin(scope), NoteList::recheck(scope)] {
            noted.extend(self.notes(&list).await?.into_iter().map(ObjectId::new));
        }
        let noted: Vec<ObjectId> = noted.into_iter().collect();
        items += store.forget_accounts(scope, &noted).await?;
        for numbers in (0..BUCKETS).collect::<Vec<_>>().chunks(BUCKETS_TOGETHER) {
            let buckets = self.buckets(&series, numbers).await?;
            let ids: Vec<ObjectId> = buckets.values().flat_map(|bucket| bucket.keys().map(object_id)).collect();
            let deleted = store.forget_accounts(scope, &ids).await? + self.forget_buckets(&series, numbers).await?;
            items += deleted;
            if deleted > 0 && !go_on() {
                return Ok((items, false));
            }
        }
        for name in ["groups", "contacts"] {
            let list = NoteList::address_holders(scope, name);
            for (_, body) in self.notes_of(&list).await? {
                let held: Vec<(String, AddressHolder)> =
                    serde_json::from_slice(&body).map_err(|error| StoreError::unreadable("address holders", &error))?;
                let gone = held.iter().map(|(address, holder)| self.delete_holder(scope, address, holder));
                items += self.delete_counted(gone.collect()).await?;
            }
            items += self.clear_counted(list.all()).await?;
        }
        let lists = [
            NoteList::seen(scope),
            NoteList::recycle_bin(scope),
            NoteList::recheck(scope),
            NoteList::memberships(scope),
            NoteList::habits(scope),
        ];
        for list in lists {
            items += self.clear_counted(list.all()).await?;
        }
        items += self.delete_existing(vec![series.digest_key()]).await?;
        items += self.clear_all(keys::all_repairs(scope).into_iter().chain([keys::of_tenant(scope)]).collect()).await?;
        Ok((items, true))
    }

    async fn forget_accounts(&self, scope: &TenantKey, ids: &[ObjectId]) -> Result<u64> {
        let mut items = 0;
        for some in ids.chunks(TOGETHER) {
            let mut writes = Vec::new();
            for item in self.accounts(scope, some).await? {
                self.delete_account(scope, &item.account, &mut writes);
            }
            items += self.delete_counted(writes).await?;
            items += self.delete_existing(some.iter().map(|id| keys::link(scope, id)).collect()).await?;
        }
        Ok(items)
    }
}
