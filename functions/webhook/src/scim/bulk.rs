//! Bulk: many operations in one request, which may name one another's results before they have ids.
//! <https://www.rfc-editor.org/rfc/rfc7644#section-3.7>

use std::collections::{BTreeMap, BTreeSet};

use axum::http::{Method, StatusCode};
use hardmatch_store::pushed::{Claim, Pushed, PushedWrites};
use serde_json::{Map, Value, json};

use super::list::Asked;
use super::schema::ResourceType;
use super::users::{NewUser, new_attributes};
use super::{Change, Place, Scim, Versions, version};
use crate::error::ScimError;
use crate::limits::LARGEST_BODY;
use crate::reply::Reply;

/// Operations of one request at most.
pub(super) const MOST_OPERATIONS: usize = 1_000;

/// Writes of people who are made together: one transaction takes a hundred.
const TOGETHER: usize = 90;

const REFERENCE: &str = "bulkId:";

/// One operation.
struct Operation {
    method: Method,
    /// As it was written, without case.
    named: Option<String>,
    path: String,
    version: Option<String>,
    data: Value,
}

/// What became of an operation.
struct Done {
    status: StatusCode,
    location: Option<String>,
    revision: Option<u64>,
    error: Option<Value>,
}

/// A person who is made with others in one transaction.
struct Waiting {
    index: usize,
    user: NewUser,
    data: Value,
}

#[derive(Default)]
struct Bulk {
    operations: Vec<Operation>,
    done: BTreeMap<usize, Done>,
    /// Ids by the names that operations have in the request.
    ids: BTreeMap<String, String>,
    waiting: Vec<Waiting>,
    /// Claims and keys of the people who wait: no two of one transaction are equal.
    claimed: BTreeSet<Claim>,
    writes: usize,
    errors: usize,
    /// After so many the rest is not carried out.
    most_errors: usize,
}

impl Scim<'_> {
    pub(super) async fn bulk(&self, body: &Value, bytes: usize) -> Result<Reply, ScimError> {
        let too_large = |what: String| ScimError::new(StatusCode::PAYLOAD_TOO_LARGE, Some("tooMany"), what);
        if bytes > LARGEST_BODY {
            return Err(too_large(format!("The body is larger than maxPayloadSize ({LARGEST_BODY} bytes).")));
        }
        let operations = member(body, "Operations").and_then(Value::as_array);
        let operations = operations.ok_or_else(|| ScimError::syntax("A bulk needs a list of Operations."))?;
        if operations.len() > MOST_OPERATIONS {
            return Err(too_large(format!("There are more operations than maxOperations ({MOST_OPERATIONS}).")));
        }
        let most_errors = match member(body, "failOnErrors").and_then(Value::as_u64) {
            Some(most) if most > 0 => usize::try_from(most).unwrap_or(usize::MAX),
            _ => usize::MAX,
        };
        let mut bulk = Bulk { most_errors, ..Bulk::default() };
        for operation in operations {
            bulk.operations.push(Operation::read(operation)?);
        }
        let names: Vec<&String> = bulk.operations.iter().filter_map(|operation| operation.named.as_ref()).collect();
        if names.iter().collect::<BTreeSet<_>>().len() != names.len() {
            return Err(ScimError::value("Two operations have the same bulkId."));
        }
        self.carry_out_all(&mut bulk).await?;
        if bulk.done.values().any(|done| done.error.is_none()) {
            self.notify().await;
        }
        let told: Vec<Value> = bulk.done.iter().map(|(index, done)| done.tell(&bulk.operations[*index])).collect();
        Ok(Reply::ok(json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkResponse"],
            "Operations": told,
        })))
    }

    /// In the order of the request, but behind those whose results an operation names. Operations that name one another in
    /// a circle are made without the names first, and get them when all have ids.
    async fn carry_out_all(&self, bulk: &mut Bulk) -> Result<(), ScimError> {
        let mut open: Vec<usize> = (0..bulk.operations.len()).collect();
        let mut later: Vec<(usize, Value)> = Vec::new();
        while !open.is_empty() {
            let mut postponed = Vec::new();
            let before = open.len();
            for index in open {
                if bulk.errors >= bulk.most_errors {
                    self.flush(bulk).await?;
                    return Ok(());
                }
                if bulk.waits(index) {
                    // The manager who is named may be among the people who are about to be made.
                    self.flush(bulk).await?;
                }
                if bulk.waits(index) {
                    postponed.push(index);
                    continue;
                }
                self.carry_out_one(bulk, index).await?;
            }
            self.flush(bulk).await?;
            open = postponed;
            if open.len() == before {
                let first = open.remove(0);
                let whole = bulk.operations[first].data.clone();
                bulk.operations[first].data = without_references(&whole, &bulk.ids);
                later.push((first, whole));
                self.carry_out_one(bulk, first).await?;
                self.flush(bulk).await?;
            }
        }
        for (index, whole) in later {
            let failed = bulk.done.get(&index).is_none_or(|done| done.error.is_some());
            let id = bulk.operations[index].named.as_ref().and_then(|name| bulk.ids.get(name)).cloned();
            let (false, Some(id), Some(kind)) = (failed, id, bulk.operations[index].kind()) else { continue };
            let whole = bulk.resolved(&whole);
            let changed =
                self.change(kind, &id, Change::Replace(&whole), &Asked::default(), &Versions::default()).await;
            let done = Done::of(changed, StatusCode::CREATED);
            bulk.end(index, done);
        }
        Ok(())
    }

    async fn carry_out_one(&self, bulk: &mut Bulk, index: usize) -> Result<(), ScimError> {
        let data = bulk.resolved(&bulk.operations[index].data);
        let operation = &bulk.operations[index];
        if operation.method == Method::POST && operation.kind() == Some(ResourceType::User) && operation.is_new() {
            let user = match new_attributes(&data) {
                Ok(kept) => self.new_user(kept).await,
                Err(error) => Err(error),
            };
            match user {
                Ok(user) => {
                    if !bulk.fits(&user) {
                        self.flush(bulk).await?;
                    }
                    bulk.wait(Waiting { index, user, data });
                }
                Err(error) => bulk.end(index, Done::refused(&error)),
            }
            return Ok(());
        }
        self.flush(bulk).await?;
        let done = self.answer_one(bulk, index, &data).await;
        bulk.end(index, done);
        Ok(())
    }

    async fn answer_one(&self, bulk: &Bulk, index: usize, data: &Value) -> Done {
        let operation = &bulk.operations[index];
        let parts: Vec<String> = operation.path.trim_matches('/').split('/').map(|part| bulk.reference(part)).collect();
        let versions = Versions::only(operation.version.as_deref());
        let asked = Asked::default();
        let place = Place::of(&parts);
        let done = match (&place, &operation.method) {
            (Some(Place::All(kind)), &Method::POST) => self.create(*kind, data, &asked).await,
            (Some(Place::One(kind, id)), &Method::PUT) => {
                self.change(*kind, id, Change::Replace(data), &asked, &versions).await
            }
            (Some(Place::One(kind, id)), &Method::PATCH) => {
                self.change(*kind, id, Change::Patch(data), &asked, &versions).await
            }
            (Some(Place::One(kind, id)), &Method::DELETE) => {
                self.delete(*kind, id, &versions).await.map(|reply| reply.at(self.location(*kind, id)))
            }
            _ => Err(ScimError::value(
                "An operation is a POST of /Users or /Groups, or a PUT, PATCH or DELETE of one of their resources.",
            )),
        };
        let status = if operation.method == Method::POST { StatusCode::CREATED } else { StatusCode::OK };
        Done::of(done, status)
    }

    /// Makes the people who wait, together; where that is refused, one by one.
    async fn flush(&self, bulk: &mut Bulk) -> Result<(), ScimError> {
        let waiting = std::mem::take(&mut bulk.waiting);
        bulk.claimed.clear();
        bulk.writes = 0;
        if waiting.is_empty() {
            return Ok(());
        }
        let mut all = PushedWrites::default();
        let mut made = Vec::with_capacity(waiting.len());
        for Waiting { index, user, data } in waiting {
            all.append(user.writes);
            made.push((index, user.person.id, data));
        }
        if self.ports.store.write_pushed(all).await? == Pushed::Stored {
            for (index, id, _) in made {
                let location = Some(self.location(ResourceType::User, &id));
                let done = Done { status: StatusCode::CREATED, location, revision: Some(1), error: None };
                bulk.named(index, &id);
                bulk.end(index, done);
            }
            return Ok(());
        }
        for (index, _, data) in made {
            if bulk.errors >= bulk.most_errors {
                break;
            }
            let done = Done::of(self.create_user(&data, &Asked::default()).await, StatusCode::CREATED);
            bulk.end(index, done);
        }
        Ok(())
    }
}

impl Bulk {
    /// Whether an operation names another's result that is not there yet.
    fn waits(&self, index: usize) -> bool {
        let operation = &self.operations[index];
        let open = |text: &str| {
            text.strip_prefix(REFERENCE).is_some_and(|name| {
                let known = self.operations.iter().position(|other| other.named.as_deref() == Some(name));
                !self.ids.contains_key(name) && known.is_some_and(|at| at != index && !self.done.contains_key(&at))
            })
        };
        operation.path.split('/').any(open) || names_any(&operation.data, &open)
    }

    /// A text with the id in the place of a name.
    fn reference(&self, text: &str) -> String {
        let id = text.strip_prefix(REFERENCE).and_then(|name| self.ids.get(name));
        id.cloned().unwrap_or_else(|| text.to_owned())
    }

    fn resolved(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.reference(text)),
            Value::Array(values) => Value::Array(values.iter().map(|value| self.resolved(value)).collect()),
            Value::Object(members) => {
                Value::Object(members.iter().map(|(name, value)| (name.clone(), self.resolved(value))).collect::<Map<
                    String,
                    Value,
                >>(
                ))
            }
            other => other.clone(),
        }
    }

    fn fits(&self, user: &NewUser) -> bool {
        let key = Claim::new("key", user.person.key.as_str());
        let free = |claim: &Claim| !self.claimed.contains(claim);
        self.writes + user.writes.len() <= TOGETHER && user.person.claims.iter().all(free) && free(&key)
    }

    fn wait(&mut self, waiting: Waiting) {
        self.writes += waiting.user.writes.len();
        self.claimed.extend(waiting.user.person.claims.iter().cloned());
        self.claimed.insert(Claim::new("key", waiting.user.person.key.as_str()));
        self.waiting.push(waiting);
    }

    fn named(&mut self, index: usize, id: &str) {
        if let Some(name) = self.operations[index].named.clone() {
            self.ids.insert(name, id.to_owned());
        }
    }

    fn end(&mut self, index: usize, done: Done) {
        self.errors += usize::from(done.error.is_some());
        let id = done.location.as_ref().and_then(|location| location.rsplit('/').next()).map(str::to_owned);
        if let Some(id) = id.filter(|_| done.error.is_none() && self.operations[index].method == Method::POST) {
            self.named(index, &id);
        }
        self.done.insert(index, done);
    }
}

impl Operation {
    fn read(operation: &Value) -> Result<Self, ScimError> {
        let text = |name: &str| member(operation, name).and_then(Value::as_str).map(str::to_owned);
        let method = text("method").unwrap_or_default().to_ascii_uppercase();
        let method = match method.as_str() {
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            "PATCH" => Method::PATCH,
            "DELETE" => Method::DELETE,
            _ => return Err(ScimError::syntax("The method of an operation is POST, PUT, PATCH or DELETE.")),
        };
        let named = text("bulkId").filter(|name| !name.is_empty());
        if method == Method::POST && named.is_none() {
            return Err(ScimError::syntax("A POST in a bulk needs a bulkId."));
        }
        let path = text("path").ok_or_else(|| ScimError::syntax("An operation needs a path."))?;
        let data = member(operation, "data").cloned().unwrap_or(Value::Null);
        Ok(Self { method, named, path, version: text("version"), data })
    }

    /// The type that its path begins with.
    fn kind(&self) -> Option<ResourceType> {
        let first = self.path.trim_matches('/').split('/').next()?;
        ResourceType::ALL.into_iter().find(|kind| kind.endpoint() == first)
    }

    /// Whether its path names no single resource.
    fn is_new(&self) -> bool {
        !self.path.trim_matches('/').contains('/')
    }
}

impl Done {
    fn of(done: Result<Reply, ScimError>, usual: StatusCode) -> Self {
        match done {
            Ok(reply) => {
                let version = reply.etag.as_deref().map(|etag| etag.trim_start_matches("W/").trim_matches('"'));
                let status = if reply.status == StatusCode::NO_CONTENT { reply.status } else { usual };
                let revision = version.and_then(|version| version.parse().ok());
                Self { status, location: reply.location, revision, error: None }
            }
            Err(error) => Self::refused(&error),
        }
    }

    fn refused(error: &ScimError) -> Self {
        Self { status: error.status, location: None, revision: None, error: Some(error.json()) }
    }

    fn tell(&self, operation: &Operation) -> Value {
        let mut told = json!({ "method": operation.method.as_str(), "status": self.status.as_str() });
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                told[name] = value;
            }
        };
        put("bulkId", operation.named.as_ref().map(|name| json!(name)));
        put("location", self.location.as_ref().map(|location| json!(location)));
        put("version", self.revision.map(|revision| json!(version(revision))));
        put("response", self.error.clone());
        told
    }
}

fn member<'v>(of: &'v Value, name: &str) -> Option<&'v Value> {
    of.as_object()?.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn names_any(value: &Value, is: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => is(text),
        Value::Array(values) => values.iter().any(|value| names_any(value, is)),
        Value::Object(members) => members.values().any(|value| names_any(value, is)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The same without what names a result that is not there yet.
fn without_references(value: &Value, ids: &BTreeMap<String, String>) -> Value {
    let open = |text: &str| text.strip_prefix(REFERENCE).is_some_and(|name| !ids.contains_key(name));
    match value {
        Value::Array(values) => Value::Array(
            values
                .iter()
                .filter(|value| !names_any(value, &open))
                .map(|value| without_references(value, ids))
                .collect(),
        ),
        Value::Object(members) => Value::Object(
            members
                .iter()
                .filter(|(_, value)| !matches!(value, Value::String(text) if open(text)))
                .map(|(name, value)| (name.clone(), without_references(value, ids)))
                .collect(),
        ),
        other => other.clone(),
    }
}
