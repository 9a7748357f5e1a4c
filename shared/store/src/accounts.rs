//! The mirror of a tenant: accounts, who holds which value, links, and the tenant as a whole.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::account::{Account, AddressHolder, Tenant};
use hardmatch_domain::attribute::{Attr, Attributes, Texts};
use hardmatch_domain::ids::{ConnectionId, ImmutableId, ObjectId, PersonRef};
use hardmatch_domain::link::Link;
use hardmatch_ports::tenant::Cursor;
use hardmatch_ports::{Condition, Key, TableError, Write};
use serde::{Deserialize, Serialize};

use crate::fingerprints::{Series, object_id};
use crate::hashes::{PersonHash, TenantKey};
use crate::keys::NoteList;
use crate::{Result, Store, Stored, json, keys, parse};

/// An account as last observed, and what we wrote to it lately.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountItem {
    /// As observed, or as our last write left it.
    #[serde(flatten)]
    pub account: Account,
    /// Our last write, while a replica may still show the time before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrote: Option<Wrote>,
}

/// What an account looked like before our last write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each says whether one thing was written; none excludes another")]
pub struct Wrote {
    /// When (Unix seconds).
    pub at: i64,
    /// The attributes we wrote, as they were before.
    pub before: Attributes,
    /// `accountEnabled` before, when we wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled_before: Option<bool>,
    /// Whether we set the immutable ID.
    #[serde(default)]
    pub set_id: bool,
    /// The immutable ID before, when we set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_before: Option<ImmutableId>,
    /// Whether we set or took away the manager.
    #[serde(default)]
    pub set_manager: bool,
    /// Its licences before, when we gave or took one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licenses_before: Option<Texts>,
    /// Its memberships before, when we gave or took one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memberships_before: Option<Texts>,
    /// Whether we created the account: a listing may not show it yet.
    #[serde(default)]
    pub created: bool,
    /// Whether we deleted or restored it: a listing may show it where it was.
    #[serde(default)]
    pub moved: bool,
}

/// `T#scope / TENANT`: what is known about the tenant as a whole, and where its changes are followed from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TenantItem {
    /// Version of this shape.
    pub v: u32,
    /// The facts decisions see.
    pub tenant: Tenant,
    /// Where the next delta round starts; `None` forces a full reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<Cursor>,
    /// When that cursor was given (Unix seconds): it lives seven days.
    #[serde(default)]
    pub delta_at: i64,
    /// When the last full reading ended (Unix seconds).
    #[serde(default)]
    pub full_at: i64,
    /// The directory extensions that its accounts were read with; changes that are followed from here name no other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<Attr>,
    /// Live accounts at the last full reading.
    #[serde(default)]
    pub accounts: u64,
    /// Accounts that had a temporary sign-in name when the tenant was read for the first time: left by repairs that
    /// this table knows nothing of.
    #[serde(default)]
    pub half_repaired: u64,
}

/// For so long a run that writes goes on with what it saw of the tenant (seconds).
const REFRESH_SECONDS: i64 = 60 * 60;

impl TenantItem {
    /// Whether a run that writes should look at what changed in the tenant since.
    pub fn wants_refresh(&self, now: i64) -> bool {
        now - self.delta_at >= REFRESH_SECONDS
    }
}

impl Store {
    /// The tenant as a whole.
    pub async fn tenant(&self, scope: &TenantKey) -> Result<Option<Stored<TenantItem>>> {
        self.read(&keys::tenant(scope), "tenant").await
    }

    /// Stores the tenant as a whole.
    pub async fn put_tenant(&self, scope: &TenantKey, item: &TenantItem) -> Result<()> {
        self.table.write(Write::put(keys::tenant(scope), json(item))).await?;
        Ok(())
    }

    /// Replaces what is known about the tenant as a whole, unless somebody else did; whether it was replaced.
    pub async fn replace_tenant(&self, scope: &TenantKey, had: u64, item: &TenantItem) -> Result<bool> {
        let write = Write::put_if(keys::tenant(scope), json(item), Condition::Revision(had));
        match self.table.write(write).await {
            Ok(_) => Ok(true),
            Err(TableError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The mirror of an account, as it was stored last.
    pub async fn account(&self, scope: &TenantKey, id: &ObjectId) -> Result<Option<AccountItem>> {
        Ok(self.read(&keys::account(scope, id), "account").await?.map(|stored: Stored<AccountItem>| stored.value))
    }

    /// Every account that is kept: of the last full listing, met since, in the recycle bin, or to be looked at again.
    pub async fn account_ids(&self, scope: &TenantKey) -> Result<BTreeSet<ObjectId>> {
        let mut ids: BTreeSet<ObjectId> =
            self.all_names(&Series::accounts(scope)).await?.iter().map(object_id).collect();
        for list in [NoteList::recycle_bin(scope), NoteList::recheck(scope), NoteList::seen(scope)] {
            ids.extend(self.notes(&list).await?.into_iter().map(ObjectId::new));
        }
        Ok(ids)
    }

    /// Accounts by id; those not stored are left out.
    pub async fn accounts(&self, scope: &TenantKey, ids: &[ObjectId]) -> Result<Vec<AccountItem>> {
        Ok(self.stored_accounts(scope, ids).await?.into_iter().map(|stored| stored.value).collect())
    }

    /// Accounts by id, each with the table's revision under which it may be replaced; those not stored are left out.
    pub async fn stored_accounts(&self, scope: &TenantKey, ids: &[ObjectId]) -> Result<Vec<Stored<AccountItem>>> {
        let wanted: Vec<Key> = ids.iter().map(|id| keys::account(scope, id)).collect();
        let items = self.table.batch_get(&wanted).await?;
        items.iter().map(|item| parse(item, "account")).collect()
    }

    /// The writes that store an account and bring its look-ups from the old facts to the new.
    pub fn put_account(&self, scope: &TenantKey, old: Option<&Account>, new: &AccountItem, writes: &mut Vec<Write>) {
        writes.push(Write::put(keys::account(scope, &new.account.id), json(new)));
        self.move_account_lookups(scope, old, &new.account, writes);
    }

    /// The write that stores an account without its look-ups, over the one that was read under this revision (`None`:
    /// nothing lay there).
    pub fn put_account_if(&self, scope: &TenantKey, had: Option<u64>, new: &AccountItem) -> Write {
        let condition = had.map_or(Condition::Absent, Condition::Revision);
        Write::put_if(keys::account(scope, &new.account.id), json(new), condition)
    }

    /// The writes that bring an account's look-ups from the old facts to the new.
    pub fn move_account_lookups(
        &self,
        scope: &TenantKey,
        old: Option<&Account>,
        new: &Account,
        writes: &mut Vec<Write>,
    ) {
        let wanted = self.account_lookup_keys(scope, new);
        let had = old.map(|old| self.account_lookup_keys(scope, old)).unwrap_or_default();
        writes.extend(had.difference(&wanted).map(|key| Write::delete(key.clone())));
        writes.extend(wanted.difference(&had).map(|key| Write::put(key.clone(), Vec::new())));
    }

    /// The writes that forget an account that is gone for good. Its link stays: the person must be decided.
    pub fn delete_account(&self, scope: &TenantKey, old: &Account, writes: &mut Vec<Write>) {
        writes.push(Write::delete(keys::account(scope, &old.id)));
        writes.extend(self.account_lookup_keys(scope, old).into_iter().map(Write::delete));
    }

    pub(crate) fn account_lookup_keys(&self, scope: &TenantKey, account: &Account) -> BTreeSet<Key> {
        let mut found = BTreeSet::new();
        self.lookups.account(account, &mut |by, value| {
            found.insert(keys::account_entry(scope, &self.secret, by, value, &account.id));
        });
        found
    }

    /// The write that says a group or contact holds an address.
    pub fn put_holder(&self, scope: &TenantKey, address: &str, holder: &AddressHolder) -> Write {
        Write::put(keys::holder(scope, &self.secret, address, &holder.id), json(holder))
    }

    /// The write that says it does not any more.
    pub fn delete_holder(&self, scope: &TenantKey, address: &str, holder: &AddressHolder) -> Write {
        Write::delete(keys::holder(scope, &self.secret, address, &holder.id))
    }

    /// The link that names an account.
    pub async fn link_to(&self, scope: &TenantKey, account: &ObjectId) -> Result<Option<Stored<Link>>> {
        self.read(&keys::link(scope, account), "link").await
    }

    /// A person's link.
    pub async fn link_of(&self, scope: &TenantKey, who: &PersonRef) -> Result<Option<Stored<Link>>> {
        let pointer = keys::person_link(&who.connection, self.pid(who));
        let Some(account) = self.read::<ObjectId>(&pointer, "link pointer").await? else { return Ok(None) };
        let link = self.link_to(scope, &account.value).await?;
        Ok(link.filter(|link| link.value.person == *who))
    }

    /// The accounts of people of one or more connections; people without a link are left out.
    pub async fn accounts_of_people(
        &self,
        scope: &TenantKey,
        people: &[PersonRef],
    ) -> Result<BTreeMap<PersonRef, ObjectId>> {
        let pointers: Vec<Key> = people.iter().map(|who| keys::person_link(&who.connection, self.pid(who))).collect();
        let items = self.table.batch_get(&pointers).await?;
        let accounts: Vec<ObjectId> = items
            .iter()
            .map(|item| parse(item, "link pointer").map(|stored: Stored<ObjectId>| stored.value))
            .collect::<Result<_>>()?;
        let links = self.links_to(scope, &accounts).await?.into_iter().map(|stored| stored.value);
        Ok(links.filter(|link| people.contains(&link.person)).map(|link| (link.person, link.account)).collect())
    }

    /// The accounts that people are linked to, by the people's places; people without a link are left out. One read
    /// for many people.
    pub async fn linked_accounts(&self, c: &ConnectionId, pids: &[PersonHash]) -> Result<Vec<ObjectId>> {
        let wanted: Vec<Key> = pids.iter().map(|pid| keys::person_link(c, *pid)).collect();
        let items = self.table.batch_get(&wanted).await?;
        items.iter().map(|item| parse(item, "link pointer").map(|stored: Stored<ObjectId>| stored.value)).collect()
    }

    /// Links by account; accounts without one are left out.
    pub async fn links_to(&self, scope: &TenantKey, accounts: &[ObjectId]) -> Result<Vec<Stored<Link>>> {
        let wanted: Vec<Key> = accounts.iter().map(|id| keys::link(scope, id)).collect();
        let items = self.table.batch_get(&wanted).await?;
        items.iter().map(|item| parse(item, "link")).collect()
    }

    /// The writes that make or replace a link. `had` is the link as it was read: one account has one link, and a
    /// second claimant fails the condition. Use them in a transaction.
    pub fn put_link(&self, scope: &TenantKey, had: Option<&Stored<Link>>, new: &Link, writes: &mut Vec<Write>) {
        writes.push(self.claim(scope, had, new));
        writes.push(self.put_link_pointer(&new.person, &new.account));
    }

    /// The write that makes or replaces a link, under the condition that it is as it was read. One account has one
    /// link: a second claimant's write fails.
    pub fn claim(&self, scope: &TenantKey, had: Option<&Stored<Link>>, new: &Link) -> Write {
        let condition = had.map_or(Condition::Absent, |had| Condition::Revision(had.revision));
        Write::put_if(keys::link(scope, &new.account), json(new), condition)
    }

    /// The write by which a person's place leads to their account. Alone it makes no link.
    pub fn put_link_pointer(&self, who: &PersonRef, account: &ObjectId) -> Write {
        Write::put(keys::person_link(&who.connection, self.pid(who)), json(account))
    }

    /// The write that takes from a person the pointer to an account that is another's from now on.
    pub fn delete_link_pointer(&self, who: &PersonRef) -> Write {
        Write::delete(keys::person_link(&who.connection, self.pid(who)))
    }

    /// The writes that end a link.
    pub fn delete_link(&self, scope: &TenantKey, link: &Link, writes: &mut Vec<Write>) {
        writes.push(Write::delete(keys::link(scope, &link.account)));
        writes.push(Write::delete(keys::person_link(&link.person.connection, self.pid(&link.person))));
    }
}
