//! Pushed people: what an identity provider told us by SCIM, kept as it was understood, with the groups it pushed and who
//! is a member of which. This is the directory of a connection whose source is pushed, not what was decided about anybody.
//!
//! The body of a resource is the protocol's own JSON, which this crate does not look into. A resource has an id that we
//! made; what it must not share with another (its user name, its external id, a group's name) is claimed by an item of its
//! own, put under "absent", so that two requests at the same time cannot both have it.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::ids::{ConnectionId, PersonKey};
use hardmatch_ports::table::MAX_TRANSACT;
use hardmatch_ports::{Condition, Item, Key, TableError, Write};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use crate::claim::Claim;
use crate::hashes::PersonHash;
use crate::{Result, Store, Stored, json, keys, parse};

/// A pushed person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PushedPerson {
    /// The id that we made; never used again.
    pub id: String,
    /// The key under which the person is known everywhere else. It does not change with the resource.
    pub key: PersonKey,
    /// The attributes as they are kept, by their names in the schema; without id, metadata, groups and password.
    pub attributes: Map<String, Value>,
    /// Names of the attributes that the person has or had: one that was pushed once and is gone since is empty, and one
    /// that never was says nothing.
    #[serde(default)]
    pub had: BTreeSet<String>,
    /// The attributes in which no two living people of the connection are equal.
    pub claims: Vec<Claim>,
    /// Values other than claims by which the person can be found.
    pub found_by: BTreeSet<Claim>,
    /// When it was made (Unix milliseconds).
    pub created_ms: i64,
    /// When it was changed last (Unix milliseconds).
    pub changed_ms: i64,
    /// Since when it is deleted (Unix seconds). A deleted person is kept so that the source can say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<i64>,
}

/// A pushed group, without its members.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PushedGroup {
    /// The id that we made; never used again.
    pub id: String,
    /// The name, by which rules name the group.
    pub name: String,
    /// The attributes as they are kept, by their names in the schema; without id, metadata and members.
    pub attributes: Map<String, Value>,
    /// When it was made (Unix milliseconds).
    pub created_ms: i64,
    /// When it or its members were changed last (Unix milliseconds).
    pub changed_ms: i64,
}

/// Several people who were sent together, and what became of each at the door.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Upload {
    /// By which it is followed.
    pub id: String,
    /// Of each operation in order: its own name, the id of the person, or why it was refused.
    pub operations: Vec<Value>,
}

/// What became of a write of pushed people or groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// All of it is stored.
    Stored,
    /// Nothing is stored: another resource has this value already.
    Taken(Claim),
    /// Nothing is stored: the resource was changed since it was read. To be read and tried again.
    Changed,
}

/// The claim of a group's name.
const GROUP_NAME: &str = "group.displayName";

/// Writes that belong together, each with what it means when its condition does not hold.
#[derive(Default)]
pub struct PushedWrites {
    writes: Vec<(Write, Option<Claim>)>,
}

impl PushedWrites {
    /// A write of the caller's own, in the same transaction.
    pub fn push(&mut self, write: Write) {
        self.writes.push((write, None));
    }

    /// How many writes there are: more than [`MAX_TRANSACT`] are not one transaction.
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Adds the writes of others behind its own.
    pub fn append(&mut self, mut others: Self) {
        self.writes.append(&mut others.writes);
    }

    /// The writes that take a resource from some claims to others.
    fn claim(&mut self, c: &ConnectionId, store: &Store, old: &[Claim], new: &[Claim], id: &str) {
        for gone in old.iter().filter(|claim| !new.contains(claim)) {
            self.push(Write::delete(keys::pushed_claim(c, &store.secret, gone)));
        }
        for claim in new.iter().filter(|claim| !old.contains(claim)) {
            let key = keys::pushed_claim(c, &store.secret, claim);
            let put = Write::put_if(key, json(&id), Condition::Absent);
            self.writes.push((put, Some(claim.clone())));
        }
    }
}

impl Store {
    /// The writes that store a person in place of what was read: `None` where nobody of that key is stored. They are
    /// refused as changed when somebody else stored that key in between.
    pub fn put_pushed_person(
        &self,
        c: &ConnectionId,
        old: Option<&Stored<PushedPerson>>,
        new: &PushedPerson,
    ) -> PushedWrites {
        let pid = self.secret.pid(&new.key);
        let condition = old.map_or(Condition::Absent, |old| Condition::Revision(old.revision));
        let mut writes = PushedWrites::default();
        writes.push(Write::put_if(keys::pushed_person(c, pid), json(new), condition));
        let alive = |person: &&PushedPerson| person.deleted.is_none();
        let (was, is) = (old.map(|old| &old.value).filter(alive), Some(new).filter(alive));
        if was.map(|was| &was.id) != is.map(|is| &is.id) {
            if let Some(was) = was {
                writes.push(Write::delete(keys::pushed_id(c, &was.id)));
            }
            if let Some(is) = is {
                writes.push(Write::put(keys::pushed_id(c, &is.id), json(&pid)));
            }
        }
        if let Some(since) = new.deleted {
            writes.push(Write::put(keys::pushed_deletion(c, pid), json(&since)));
        } else if old.is_some_and(|old| old.value.deleted.is_some()) {
            writes.push(Write::delete(keys::pushed_deletion(c, pid)));
        }
        let claims = |person: Option<&PushedPerson>| person.map(|person| person.claims.clone()).unwrap_or_default();
        writes.claim(c, self, &claims(was), &claims(is), &new.id);
        let nothing = BTreeSet::new();
        let found = |person: Option<&PushedPerson>| person.map_or(&nothing, |person| &person.found_by).clone();
        let (had, has) = (found(was), found(is));
        for gone in had.difference(&has) {
            writes.push(Write::delete(keys::pushed_entry(c, &self.secret, gone, pid)));
        }
        for entry in has.difference(&had) {
            writes.push(Write::put(keys::pushed_entry(c, &self.secret, entry, pid), Vec::new()));
        }
        writes
    }

    /// The writes that store a group in place of what was read.
    pub fn put_pushed_group(
        &self,
        c: &ConnectionId,
        old: Option<&Stored<PushedGroup>>,
        new: &PushedGroup,
    ) -> PushedWrites {
        let condition = old.map_or(Condition::Absent, |old| Condition::Revision(old.revision));
        let mut writes = PushedWrites::default();
        writes.push(Write::put_if(keys::pushed_group(c, &new.id), json(new), condition));
        let had: Vec<Claim> = old.map(|old| group_claim(&old.value.name)).into_iter().collect();
        writes.claim(c, self, &had, &[group_claim(&new.name)], &new.id);
        writes
    }

    /// The writes that forget a group; its memberships are the caller's.
    pub fn delete_pushed_group(&self, c: &ConnectionId, old: &Stored<PushedGroup>) -> PushedWrites {
        let mut writes = PushedWrites::default();
        let key = keys::pushed_group(c, &old.value.id);
        writes.push(Write::Delete { key, condition: Condition::Revision(old.revision) });
        writes.claim(c, self, &[group_claim(&old.value.name)], &[], &old.value.id);
        writes
    }

    /// The two writes that make a person a member of a group, or no member any more.
    pub fn put_pushed_member(c: &ConnectionId, group: &str, pid: PersonHash, member: bool) -> [Write; 2] {
        [keys::pushed_member(c, group, pid), keys::pushed_membership(c, pid, group)]
            .map(|key| if member { Write::put(key, Vec::new()) } else { Write::delete(key) })
    }

    /// Performs the writes. All or none, where one transaction takes them; of more, the first hundred are one, which the
    /// conditions of the resource's own writes stand in, and the others follow.
    pub async fn write_pushed(&self, pushed: PushedWrites) -> Result<Pushed> {
        let mut writes = pushed.writes;
        let rest = if writes.len() > MAX_TRANSACT { writes.split_off(MAX_TRANSACT) } else { Vec::new() };
        let (first, meanings): (Vec<Write>, Vec<Option<Claim>>) = writes.into_iter().unzip();
        match self.table.transact(first).await {
            Ok(()) => {}
            Err(TableError::Conflict { at }) => {
                return Ok(meanings.get(at).cloned().flatten().map_or(Pushed::Changed, Pushed::Taken));
            }
            Err(error) => return Err(error.into()),
        }
        self.write_all(rest.into_iter().map(|(write, _)| write).collect()).await?;
        Ok(Pushed::Stored)
    }

    /// The person of a key, a deleted one included.
    pub async fn pushed_person(&self, c: &ConnectionId, pid: PersonHash) -> Result<Option<Stored<PushedPerson>>> {
        self.read(&keys::pushed_person(c, pid), "pushed person").await
    }

    /// The place of the living person of an id.
    pub async fn pushed_pid(&self, c: &ConnectionId, id: &str) -> Result<Option<PersonHash>> {
        if !is_id(id) {
            return Ok(None);
        }
        Ok(self.read(&keys::pushed_id(c, id), "pushed id").await?.map(|stored| stored.value))
    }

    /// The living person of an id.
    pub async fn pushed_person_by_id(&self, c: &ConnectionId, id: &str) -> Result<Option<Stored<PushedPerson>>> {
        let Some(pid) = self.pushed_pid(c, id).await? else { return Ok(None) };
        let found = self.pushed_person(c, pid).await?;
        Ok(found.filter(|stored| stored.value.deleted.is_none() && stored.value.id == id))
    }

    /// Living people by place; those not stored are left out. In no order.
    pub async fn pushed_people(&self, c: &ConnectionId, pids: &[PersonHash]) -> Result<Vec<Stored<PushedPerson>>> {
        let wanted: Vec<Key> = pids.iter().map(|pid| keys::pushed_person(c, *pid)).collect();
        let items = self.table.batch_get(&wanted).await?;
        let people = items.iter().map(|item| parse::<PushedPerson>(item, "pushed person"));
        people.filter(|stored| stored.as_ref().map_or(true, |stored| stored.value.deleted.is_none())).collect()
    }

    /// The ids and places of all living people, in the order of ids, which is that of their making.
    pub async fn pushed_ids(&self, c: &ConnectionId) -> Result<Vec<(String, PersonHash)>> {
        let found = self.read_all::<PersonHash>(keys::pushed_ids(c), "pushed id").await?;
        Ok(found.into_iter().map(|(key, stored)| (key.sk, stored.value)).collect())
    }

    /// The id of the resource that has claimed a value.
    pub async fn pushed_claim(&self, c: &ConnectionId, claim: &Claim) -> Result<Option<String>> {
        let key = keys::pushed_claim(c, &self.secret, claim);
        Ok(self.read(&key, "pushed claim").await?.map(|stored| stored.value))
    }

    /// The id of the group of a name.
    pub async fn pushed_group_named(&self, c: &ConnectionId, name: &str) -> Result<Option<String>> {
        self.pushed_claim(c, &group_claim(name)).await
    }

    /// Places of the living people who are found by a value.
    pub async fn pushed_people_by(&self, c: &ConnectionId, value: &Claim) -> Result<Vec<PersonHash>> {
        let mut found = Vec::new();
        self.each(keys::pushed_entries(c, &self.secret, value), |item| {
            found.extend(keys::pushed_entry_of(&item.key));
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// The group of an id.
    pub async fn pushed_group(&self, c: &ConnectionId, id: &str) -> Result<Option<Stored<PushedGroup>>> {
        if !is_id(id) {
            return Ok(None);
        }
        self.read(&keys::pushed_group(c, id), "pushed group").await
    }

    /// All groups, in the order of ids.
    pub async fn pushed_groups(&self, c: &ConnectionId) -> Result<Vec<Stored<PushedGroup>>> {
        let found = self.read_all(keys::pushed_groups(c), "pushed group").await?;
        Ok(found.into_iter().map(|(_, stored)| stored).collect())
    }

    /// Places of a group's members.
    pub async fn pushed_members(&self, c: &ConnectionId, group: &str) -> Result<BTreeSet<PersonHash>> {
        let mut found = BTreeSet::new();
        self.each(keys::pushed_members(c, group), |item| {
            found.extend(keys::pushed_member_of(&item.key).map(|(_, pid)| pid));
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// Ids of the groups that a person is a member of.
    pub async fn pushed_memberships(&self, c: &ConnectionId, pid: PersonHash) -> Result<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        self.each(keys::pushed_memberships(c, pid), |item| {
            found.extend(keys::pushed_membership_of(&item.key).map(str::to_owned));
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// The ids of groups by the place of their member, for everybody.
    pub async fn all_pushed_memberships(&self, c: &ConnectionId) -> Result<BTreeMap<PersonHash, Vec<String>>> {
        let mut found: BTreeMap<PersonHash, Vec<String>> = BTreeMap::new();
        self.each(keys::all_pushed_members(c), |item: Item| {
            if let Some((group, pid)) = keys::pushed_member_of(&item.key) {
                found.entry(pid).or_default().push(group.to_owned());
            }
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// Keeps what became of an upload until a time (Unix seconds).
    pub async fn put_upload(&self, c: &ConnectionId, upload: &Upload, until: i64) -> Result<()> {
        let key = keys::upload(c, &upload.id);
        let write = Write::Put { key, body: json(upload), expires: Some(until), condition: Condition::None };
        self.write(write).await?;
        Ok(())
    }

    /// What became of an upload.
    pub async fn upload(&self, c: &ConnectionId, id: &str) -> Result<Option<Upload>> {
        if !is_id(id) {
            return Ok(None);
        }
        Ok(self.read(&keys::upload(c, id), "upload").await?.map(|stored| stored.value))
    }

    /// Places of everybody who was deleted by the source's own word, and since when (Unix seconds).
    pub async fn pushed_deletions(&self, c: &ConnectionId) -> Result<Vec<(PersonHash, i64)>> {
        let found = self.read_all::<i64>(keys::pushed_deletions(c), "pushed deletion").await?;
        Ok(found.into_iter().filter_map(|(key, stored)| Some((PersonHash::parse(&key.sk)?, stored.value))).collect())
    }
}

fn group_claim(name: &str) -> Claim {
    Claim::new(GROUP_NAME, name.to_lowercase())
}

/// Whether a text can be an id of ours: what comes in an address is looked up only where it can.
fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
