//! Groups, and who is a member of them.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use hardmatch_store::pushed::{Pushed, PushedGroup, PushedPerson, PushedWrites};
use hardmatch_store::{PersonHash, Store, Stored};
use serde_json::{Value, json};

use super::list::Asked;
use super::resource::{Attributes, complete, read};
use super::schema::{GROUP, ResourceType};
use super::users::same_id;
use super::{Change, Scim, TRIES, Versions, meta, new_id, next_revision, overtaken, patch};
use crate::error::ScimError;
use crate::reply::Reply;

const MEMBERS: &str = "members";

impl Scim<'_> {
    pub(super) async fn create_group(&self, body: &Value, asked: &Asked) -> Result<Reply, ScimError> {
        let mut kept = read(ResourceType::Group, body)?;
        complete(ResourceType::Group, &kept)?;
        let members = self.members_of(&mut kept).await?;
        let now = self.now_ms();
        let group = group(new_id(now), kept, now, now);
        let mut writes = self.ports.store.put_pushed_group(self.connection, None, &group);
        self.move_members(&group.id, &BTreeSet::new(), &members, &mut writes).await?;
        match self.ports.store.write_pushed(writes).await? {
            Pushed::Stored => {}
            Pushed::Taken(_) => return Err(ScimError::taken("displayName")),
            Pushed::Changed => return Err(overtaken()),
        }
        if !members.is_empty() {
            self.notify().await;
        }
        let stored = Stored { value: group, revision: next_revision(None) };
        let reply = Reply::of(StatusCode::CREATED, self.tell_group(&stored, asked).await?).with_meta();
        Ok(Reply { body: reply.body.map(|body| asked.select(ResourceType::Group).of(body)), ..reply })
    }

    /// A group as it is told, and its revision.
    pub(super) async fn group(&self, id: &str, asked: &Asked) -> Result<Option<(u64, Value)>, ScimError> {
        let Some(stored) = self.ports.store.pushed_group(self.connection, id).await? else { return Ok(None) };
        Ok(Some((stored.revision, self.tell_group(&stored, asked).await?)))
    }

    pub(super) async fn change_group(
        &self,
        id: &str,
        change: Change<'_>,
        asked: &Asked,
        versions: &Versions,
    ) -> Result<Reply, ScimError> {
        let store = &self.ports.store;
        for _ in 0..TRIES {
            let found = store.pushed_group(self.connection, id).await?;
            let old = found.ok_or_else(|| ScimError::not_found("Group"))?;
            versions.check(old.revision)?;
            let had = store.pushed_members(self.connection, id).await?;
            let mut kept = old.value.attributes.clone();
            match change {
                Change::Patch(body) => {
                    kept.insert(MEMBERS.to_owned(), self.member_values(&had).await?);
                    patch::apply(ResourceType::Group, &mut kept, body)?;
                }
                Change::Replace(body) => {
                    same_id(body, id)?;
                    kept = read(ResourceType::Group, body)?;
                    complete(ResourceType::Group, &kept)?;
                }
            }
            let members = self.members_of(&mut kept).await?;
            if kept == old.value.attributes && members == had {
                let reply = Reply::ok(self.tell_group(&old, asked).await?).with_meta();
                return Ok(Reply { body: reply.body.map(|body| asked.select(ResourceType::Group).of(body)), ..reply });
            }
            let new = group(id.to_owned(), kept, old.value.created_ms, self.now_ms());
            let mut writes = store.put_pushed_group(self.connection, Some(&old), &new);
            self.move_members(id, &had, &members, &mut writes).await?;
            if new.name != old.value.name {
                // Rules name groups by their names: people who stay members are decided again.
                self.want_members(had.intersection(&members).copied().collect(), &mut writes).await?;
            }
            match store.write_pushed(writes).await? {
                Pushed::Stored => {
                    self.notify().await;
                    let stored = Stored { value: new, revision: next_revision(Some(old.revision)) };
                    let reply = Reply::ok(self.tell_group(&stored, asked).await?).with_meta();
                    return Ok(Reply {
                        body: reply.body.map(|body| asked.select(ResourceType::Group).of(body)),
                        ..reply
                    });
                }
                Pushed::Taken(_) => return Err(ScimError::taken("displayName")),
                Pushed::Changed => {}
            }
        }
        Err(overtaken())
    }

    pub(super) async fn delete_group(&self, id: &str, versions: &Versions) -> Result<(), ScimError> {
        let store = &self.ports.store;
        for _ in 0..TRIES {
            let found = store.pushed_group(self.connection, id).await?;
            let old = found.ok_or_else(|| ScimError::not_found("Group"))?;
            versions.check(old.revision)?;
            let had = store.pushed_members(self.connection, id).await?;
            let mut writes = store.delete_pushed_group(self.connection, &old);
            self.move_members(id, &had, &BTreeSet::new(), &mut writes).await?;
            if store.write_pushed(writes).await? == Pushed::Stored {
                self.notify().await;
                return Ok(());
            }
        }
        Err(overtaken())
    }

    /// A group as it is told. Members are read only where they are told.
    pub(super) async fn tell_group(&self, stored: &Stored<PushedGroup>, asked: &Asked) -> Result<Value, ScimError> {
        let mut told = self.plain_group(stored);
        if asked.select(ResourceType::Group).tells(MEMBERS) {
            let had = self.ports.store.pushed_members(self.connection, &stored.value.id).await?;
            let members = self.member_values(&had).await?;
            if members.as_array().is_some_and(|members| !members.is_empty()) {
                told[MEMBERS] = members;
            }
        }
        Ok(told)
    }

    pub(super) fn plain_group(&self, stored: &Stored<PushedGroup>) -> Value {
        let group = &stored.value;
        let mut told = Value::Object(group.attributes.clone());
        told["schemas"] = json!([GROUP]);
        told["id"] = json!(group.id);
        let location = self.location(ResourceType::Group, &group.id);
        told["meta"] = meta(ResourceType::Group, &location, group.created_ms, group.changed_ms, stored.revision);
        told
    }

    /// Members as they are told, in the order of ids.
    async fn member_values(&self, members: &BTreeSet<PersonHash>) -> Result<Value, ScimError> {
        let pids: Vec<PersonHash> = members.iter().copied().collect();
        let mut people = self.ports.store.pushed_people(self.connection, &pids).await?;
        people.sort_by(|a, b| a.value.id.cmp(&b.value.id));
        let told = people.iter().map(|person| {
            json!({
                "value": person.value.id,
                "$ref": self.location(ResourceType::User, &person.value.id),
                "type": "User",
            })
        });
        Ok(Value::Array(told.collect()))
    }

    /// Takes the members out of the attributes of a group, as the people they are.
    async fn members_of(&self, kept: &mut Attributes) -> Result<BTreeSet<PersonHash>, ScimError> {
        let members = kept.remove(MEMBERS);
        let mut found = BTreeSet::new();
        for member in members.as_ref().and_then(Value::as_array).into_iter().flatten() {
            let id = member.get("value").and_then(Value::as_str).unwrap_or_default().trim();
            let pid = self.ports.store.pushed_pid(self.connection, &id.to_lowercase()).await?;
            found.insert(pid.ok_or_else(|| {
                // An id is ours and says nothing of the person.
                let shown: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect();
                ScimError::value(format!(
                    "The member {shown} is no user here. Create the user first, and name it by the id that was answered."
                ))
            })?);
        }
        Ok(found)
    }

    /// The writes that bring the members of a group from some to others. People who join or leave are decided again.
    async fn move_members(
        &self,
        group: &str,
        had: &BTreeSet<PersonHash>,
        has: &BTreeSet<PersonHash>,
        writes: &mut PushedWrites,
    ) -> Result<(), ScimError> {
        let moved: Vec<PersonHash> = had.symmetric_difference(has).copied().collect();
        for pid in &moved {
            for write in Store::put_pushed_member(self.connection, group, *pid, has.contains(pid)) {
                writes.push(write);
            }
        }
        self.want_members(moved, writes).await
    }

    async fn want_members(&self, pids: Vec<PersonHash>, writes: &mut PushedWrites) -> Result<(), ScimError> {
        let people: Vec<Stored<PushedPerson>> = self.ports.store.pushed_people(self.connection, &pids).await?;
        for person in people {
            writes.push(self.wanted(&person.value.key));
        }
        Ok(())
    }
}

fn group(id: String, attributes: Attributes, created_ms: i64, changed_ms: i64) -> PushedGroup {
    let name = attributes.get("displayName").and_then(Value::as_str).unwrap_or_default().trim().to_owned();
    PushedGroup { id, name, attributes, created_ms, changed_ms }
}
