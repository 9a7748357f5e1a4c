//! People.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use hardmatch_domain::ids::PersonKey;
use hardmatch_store::pushed::{Claim, Pushed, PushedPerson, PushedWrites};
use hardmatch_store::{PersonHash, Stored};
use serde_json::{Value, json};

use super::claims::email_claim;
use super::list::Asked;
use super::resource::{Attributes, complete, read};
use super::schema::{ENTERPRISE, HARDMATCH, ResourceType, USER};
use super::{Change, Scim, TRIES, Versions, meta, new_id, next_revision, overtaken, patch};
use crate::error::ScimError;
use crate::reply::Reply;
use crate::state::state;

/// The attribute that says what became of a person.
const PROVISIONING: &str = "provisioning";
/// The longest key of a person, in bytes.
const LONGEST_KEY: usize = 256;

/// A person to be stored, and with which writes.
pub(super) struct NewUser {
    pub(super) person: PushedPerson,
    pub(super) writes: PushedWrites,
}

impl Scim<'_> {
    pub(super) async fn create_user(&self, body: &Value, asked: &Asked) -> Result<Reply, ScimError> {
        let kept = new_attributes(body)?;
        for _ in 0..TRIES {
            let NewUser { person, writes } = self.new_user(kept.clone()).await?;
            let old = self.revision_of(&person.key).await?;
            match self.ports.store.write_pushed(writes).await? {
                Pushed::Stored => {
                    self.notify().await;
                    let stored = Stored { value: person, revision: next_revision(old) };
                    let reply = Reply::of(StatusCode::CREATED, self.tell_user(&stored, asked).await?).with_meta();
                    return Ok(Reply {
                        body: reply.body.map(|body| asked.select(ResourceType::User).of(body)),
                        ..reply
                    });
                }
                Pushed::Taken(claim) => return Err(ScimError::taken(&claim.attribute)),
                Pushed::Changed => {}
            }
        }
        Err(overtaken())
    }

    /// A person who is not there yet. A person who was deleted and comes back under the same external id is the same person.
    pub(super) async fn new_user(&self, kept: Attributes) -> Result<NewUser, ScimError> {
        let store = &self.ports.store;
        let now = self.now_ms();
        let id = new_id(now);
        let external = kept.get("externalId").and_then(Value::as_str).map(str::trim).unwrap_or_default();
        let mut key = PersonKey::new(id.clone());
        let mut old = None;
        if !external.is_empty() && external.len() <= LONGEST_KEY {
            let named = PersonKey::new(external);
            let there = store.pushed_person(self.connection, store.secret().pid(&named)).await?;
            // Somebody who was made under this external id and has another since keeps the key.
            if there.as_ref().is_none_or(|there| there.value.deleted.is_some()) {
                (key, old) = (named, there);
            }
        }
        let had = old.as_ref().map(|old| old.value.had.clone()).unwrap_or_default();
        let person = person(id, key, kept, had, (now, now));
        let mut writes = store.put_pushed_person(self.connection, old.as_ref(), &person);
        writes.push(self.wanted(&person.key));
        Ok(NewUser { person, writes })
    }

    /// Stores what somebody says of a person, whether they are new or not; the id. Who is known by their external id, or
    /// else by their user name, keeps what nothing is said of.
    pub(crate) async fn upsert(&self, data: &Value) -> Result<String, ScimError> {
        let sent = read(ResourceType::User, data)?;
        let store = &self.ports.store;
        let text = |name: &str| sent.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
        let mut known = None;
        if let Some(external) = text("externalId") {
            known = store.pushed_claim(self.connection, &Claim::new("externalId", external)).await?;
        }
        if let (None, Some(name)) = (&known, text("userName")) {
            let claim = Claim::new("userName", name.to_lowercase());
            known = store.pushed_claim(self.connection, &claim).await?;
        }
        let asked = Asked::default();
        if let Some(id) = known {
            let patch = json!({ "Operations": [{ "op": "replace", "value": data }] });
            self.change_user(&id, Change::Patch(&patch), &asked, &Versions::default()).await?;
            return Ok(id);
        }
        let made = self.create_user(data, &asked).await?;
        let id = made.body.as_ref().and_then(|body| body.get("id")).and_then(Value::as_str);
        Ok(id.unwrap_or_default().to_owned())
    }

    async fn revision_of(&self, key: &PersonKey) -> Result<Option<u64>, ScimError> {
        let pid = self.ports.store.secret().pid(key);
        Ok(self.ports.store.pushed_person(self.connection, pid).await?.map(|stored| stored.revision))
    }

    /// A person as they are told, and their revision.
    pub(super) async fn user(&self, id: &str, asked: &Asked) -> Result<Option<(u64, Value)>, ScimError> {
        let Some(stored) = self.ports.store.pushed_person_by_id(self.connection, id).await? else { return Ok(None) };
        Ok(Some((stored.revision, self.tell_user(&stored, asked).await?)))
    }

    pub(super) async fn change_user(
        &self,
        id: &str,
        change: Change<'_>,
        asked: &Asked,
        versions: &Versions,
    ) -> Result<Reply, ScimError> {
        for _ in 0..TRIES {
            let store = &self.ports.store;
            let found = store.pushed_person_by_id(self.connection, id).await?;
            let old = found.ok_or_else(|| ScimError::not_found("User"))?;
            versions.check(old.revision)?;
            let mut kept = old.value.attributes.clone();
            match change {
                Change::Patch(body) => patch::apply(ResourceType::User, &mut kept, body)?,
                Change::Replace(body) => kept = replaced(&kept, body, id)?,
            }
            if kept == old.value.attributes {
                // Nothing new is no reason to decide anybody again, and no new version.
                let reply = Reply::ok(self.tell_user(&old, asked).await?).with_meta();
                return Ok(Reply { body: reply.body.map(|body| asked.select(ResourceType::User).of(body)), ..reply });
            }
            let PushedPerson { key, had, created_ms, .. } = old.value.clone();
            let new = person(id.to_owned(), key, kept, had, (created_ms, self.now_ms()));
            let mut writes = store.put_pushed_person(self.connection, Some(&old), &new);
            writes.push(self.wanted(&new.key));
            match store.write_pushed(writes).await? {
                Pushed::Stored => {
                    self.notify().await;
                    let stored = Stored { value: new, revision: next_revision(Some(old.revision)) };
                    let reply = Reply::ok(self.tell_user(&stored, asked).await?).with_meta();
                    return Ok(Reply {
                        body: reply.body.map(|body| asked.select(ResourceType::User).of(body)),
                        ..reply
                    });
                }
                Pushed::Taken(claim) => return Err(ScimError::taken(&claim.attribute)),
                Pushed::Changed => {}
            }
        }
        Err(overtaken())
    }

    /// Deletes a person: they are known to be gone from now on, and leave all groups.
    pub(super) async fn delete_user(&self, id: &str, versions: &Versions) -> Result<(), ScimError> {
        for _ in 0..TRIES {
            let store = &self.ports.store;
            let found = store.pushed_person_by_id(self.connection, id).await?;
            let old = found.ok_or_else(|| ScimError::not_found("User"))?;
            versions.check(old.revision)?;
            let now = self.now_ms();
            let new = PushedPerson { deleted: Some(now / 1000), changed_ms: now, ..old.value.clone() };
            let pid = store.secret().pid(&new.key);
            let mut writes = store.put_pushed_person(self.connection, Some(&old), &new);
            writes.push(self.wanted(&new.key));
            for group in store.pushed_memberships(self.connection, pid).await? {
                for write in hardmatch_store::Store::put_pushed_member(self.connection, &group, pid, false) {
                    writes.push(write);
                }
            }
            match store.write_pushed(writes).await? {
                Pushed::Stored => {
                    self.notify().await;
                    return Ok(());
                }
                Pushed::Taken(_) | Pushed::Changed => {}
            }
        }
        Err(overtaken())
    }

    /// A person as they are told: with what nobody stores for them, where it is asked for.
    pub(super) async fn tell_user(&self, stored: &Stored<PushedPerson>, asked: &Asked) -> Result<Value, ScimError> {
        let mut told = self.plain_user(stored);
        let person = &stored.value;
        let pid = self.ports.store.secret().pid(&person.key);
        if asked.select(ResourceType::User).tells("groups") {
            let groups = self.groups_of(pid).await?;
            if !groups.is_empty() {
                told["groups"] = Value::Array(groups);
            }
        }
        // Deciding the person takes some reads: a client that looks through everybody does not pay for them.
        if asked.all || asked.select(ResourceType::User).asks_for(HARDMATCH, PROVISIONING) {
            let state = state(self.ports, self.connection, &person.key).await;
            told[HARDMATCH][PROVISIONING] = state;
            if let Some(schemas) = told["schemas"].as_array_mut().filter(|schemas| !schemas.contains(&json!(HARDMATCH)))
            {
                schemas.push(json!(HARDMATCH));
            }
        }
        Ok(told)
    }

    /// A person as they are stored.
    pub(super) fn plain_user(&self, stored: &Stored<PushedPerson>) -> Value {
        let person = &stored.value;
        let mut schemas = vec![USER];
        schemas.extend([ENTERPRISE, HARDMATCH].into_iter().filter(|urn| person.attributes.contains_key(*urn)));
        let mut told = Value::Object(person.attributes.clone());
        told["schemas"] = json!(schemas);
        told["id"] = json!(person.id);
        let location = self.location(ResourceType::User, &person.id);
        told["meta"] = meta(ResourceType::User, &location, person.created_ms, person.changed_ms, stored.revision);
        if let Some(manager) = told.get_mut(ENTERPRISE).and_then(|extension| extension.get_mut("manager"))
            && manager.get("$ref").is_none()
            && let Some(id) = manager.get("value").and_then(Value::as_str)
            && id.len() == 26
        {
            manager["$ref"] = json!(self.location(ResourceType::User, id));
        }
        told
    }

    async fn groups_of(&self, pid: PersonHash) -> Result<Vec<Value>, ScimError> {
        let store = &self.ports.store;
        let mut told = Vec::new();
        for id in store.pushed_memberships(self.connection, pid).await? {
            if let Some(group) = store.pushed_group(self.connection, &id).await? {
                told.push(json!({
                    "value": id,
                    "$ref": self.location(ResourceType::Group, &id),
                    "display": group.value.name,
                    "type": "direct",
                }));
            }
        }
        Ok(told)
    }
}

/// The attributes of somebody new. A person who is pushed without a word on sign-in may sign in.
pub(super) fn new_attributes(body: &Value) -> Result<Attributes, ScimError> {
    let mut kept = read(ResourceType::User, body)?;
    complete(ResourceType::User, &kept)?;
    kept.entry("active").or_insert(Value::Bool(true));
    Ok(kept)
}

/// The attributes that a PUT leaves: those of its body. An id in it must be this one, and without a word on sign-in
/// nobody's changes.
fn replaced(old: &Attributes, body: &Value, id: &str) -> Result<Attributes, ScimError> {
    same_id(body, id)?;
    let mut kept = read(ResourceType::User, body)?;
    complete(ResourceType::User, &kept)?;
    if let (false, Some(active)) = (kept.contains_key("active"), old.get("active")) {
        kept.insert("active".to_owned(), active.clone());
    }
    Ok(kept)
}

/// Refuses a body that is of another resource.
pub(super) fn same_id(body: &Value, id: &str) -> Result<(), ScimError> {
    match body.get("id").and_then(Value::as_str) {
        Some(other) if !other.trim().eq_ignore_ascii_case(id) => {
            Err(ScimError::mutability("The id in the body is not that of the address."))
        }
        _ => Ok(()),
    }
}

fn person(
    id: String,
    key: PersonKey,
    attributes: Attributes,
    mut had: BTreeSet<String>,
    (created_ms, changed_ms): (i64, i64),
) -> PushedPerson {
    note_names(&attributes, &mut had);
    let text = |name: &str| attributes.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let mut claims = Vec::new();
    claims.extend(text("userName").map(|name| Claim::new("userName", name.to_lowercase())));
    claims.extend(text("externalId").map(|id| Claim::new("externalId", id)));
    let emails = attributes.get("emails").and_then(Value::as_array).into_iter().flatten();
    let found_by: BTreeSet<Claim> = emails.filter_map(|email| email.get("value")?.as_str()).map(email_claim).collect();
    PushedPerson { id, key, attributes, had, claims, found_by, created_ms, changed_ms, deleted: None }
}

/// Adds the names of attributes that are there: of parts behind a point, of several values by their kind, of extensions by
/// themselves.
fn note_names(attributes: &Attributes, names: &mut BTreeSet<String>) {
    for (name, value) in attributes {
        match value {
            Value::Object(parts) if name.starts_with("urn:") => names.extend(parts.keys().cloned()),
            Value::Object(parts) => names.extend(parts.keys().map(|part| format!("{name}.{part}"))),
            Value::Array(values) => {
                names.insert(name.clone());
                for parts in values.iter().filter_map(Value::as_object) {
                    let kind = parts.get("type").and_then(Value::as_str).map(str::to_lowercase);
                    names.extend(kind.map(|kind| format!("{name}.{kind}")));
                    if name == "addresses" {
                        names.extend(parts.keys().map(|part| format!("{name}.{part}")));
                    }
                }
            }
            _ => _ = names.insert(name.clone()),
        }
    }
}
