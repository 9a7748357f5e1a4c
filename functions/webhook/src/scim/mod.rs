//! SCIM 2.0, service provider: people and groups that an identity provider pushes.
//! <https://www.rfc-editor.org/rfc/rfc7644>

mod bulk;
mod claims;
mod discovery;
mod filter;
mod groups;
mod list;
mod patch;
mod resource;
mod schema;
mod select;
mod users;

use axum::http::{HeaderMap, Method, StatusCode};
use hardmatch_domain::ids::{ConnectionId, PersonKey};
use hardmatch_ports::Write;
use hardmatch_store::sync_requests::SyncRequest;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::error::ScimError;
use crate::ports::WebhookPorts;
use crate::reply::Reply;

pub(crate) use schema::ResourceType;

use list::Asked;

/// How often a request is tried again that another one overtook.
const TRIES: usize = 8;

/// The protocol for one connection.
pub(crate) struct Scim<'p> {
    ports: &'p WebhookPorts,
    connection: &'p ConnectionId,
    /// The address of the protocol for this connection, without a slash at its end.
    base: String,
}

/// What a request is about, within the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// All resources of a type.
    All(ResourceType),
    /// One of them, by its id.
    One(ResourceType, String),
    /// A search among those of a type, or among all.
    Search(Option<ResourceType>),
    Bulk,
    Config,
    /// All types, or one.
    Types(Option<String>),
    /// All schemas, or one.
    Schemas(Option<String>),
}

impl Place {
    /// From the parts of an address behind the protocol's own.
    pub(crate) fn of(parts: &[String]) -> Option<Self> {
        let kind = |name: &str| ResourceType::ALL.into_iter().find(|kind| kind.endpoint() == name);
        match parts {
            [one] if one == ".search" => Some(Self::Search(None)),
            [one] if one == "Bulk" => Some(Self::Bulk),
            [one] if one == "ServiceProviderConfig" => Some(Self::Config),
            [one] if one == "ResourceTypes" => Some(Self::Types(None)),
            [one, name] if one == "ResourceTypes" => Some(Self::Types(Some(name.clone()))),
            [one] if one == "Schemas" => Some(Self::Schemas(None)),
            [one, urn] if one == "Schemas" => Some(Self::Schemas(Some(urn.clone()))),
            [one] => kind(one).map(Self::All),
            [one, search] if search == ".search" => kind(one).map(|kind| Self::Search(Some(kind))),
            [one, id] => kind(one).map(|kind| Self::One(kind, id.clone())),
            _ => None,
        }
    }

    /// The address without ids, for logs.
    pub(crate) fn template(&self) -> &'static str {
        match self {
            Self::All(ResourceType::User) => "/scim/v2/Users",
            Self::All(ResourceType::Group) => "/scim/v2/Groups",
            Self::One(ResourceType::User, _) => "/scim/v2/Users/{id}",
            Self::One(ResourceType::Group, _) => "/scim/v2/Groups/{id}",
            Self::Search(None) => "/scim/v2/.search",
            Self::Search(Some(ResourceType::User)) => "/scim/v2/Users/.search",
            Self::Search(Some(ResourceType::Group)) => "/scim/v2/Groups/.search",
            Self::Bulk => "/scim/v2/Bulk",
            Self::Config => "/scim/v2/ServiceProviderConfig",
            Self::Types(_) => "/scim/v2/ResourceTypes",
            Self::Schemas(_) => "/scim/v2/Schemas",
        }
    }
}

/// One request, as far as the protocol reads it.
pub(crate) struct Request<'r> {
    pub(crate) method: &'r Method,
    pub(crate) place: &'r Place,
    pub(crate) query: &'r str,
    pub(crate) headers: &'r HeaderMap,
    pub(crate) body: &'r [u8],
}

impl<'p> Scim<'p> {
    pub(crate) fn new(ports: &'p WebhookPorts, connection: &'p ConnectionId) -> Self {
        Self { ports, connection, base: format!("{}/connections/{connection}/scim/v2", ports.url) }
    }

    /// Carries out a request.
    pub(crate) async fn answer(&self, request: &Request<'_>) -> Reply {
        self.carry_out(request).await.unwrap_or_else(Reply::from)
    }

    async fn carry_out(&self, request: &Request<'_>) -> Result<Reply, ScimError> {
        let versions = Versions::of(request.headers);
        match (request.place, request.method) {
            (Place::All(kind), &Method::GET) => self.list(Some(*kind), &Asked::of_query(*kind, request.query)?).await,
            (Place::All(kind), &Method::POST) => {
                let asked = Asked::of_query(*kind, request.query)?;
                self.create(*kind, &parse(request.body)?, &asked).await
            }
            (Place::One(kind, id), &Method::GET) => {
                self.fetch(*kind, id, &Asked::of_query(*kind, request.query)?, &versions).await
            }
            (Place::One(kind, id), &Method::PUT) => {
                let asked = Asked::of_query(*kind, request.query)?;
                self.change(*kind, id, Change::Replace(&parse(request.body)?), &asked, &versions).await
            }
            (Place::One(kind, id), &Method::PATCH) => {
                let asked = Asked::of_query(*kind, request.query)?;
                self.change(*kind, id, Change::Patch(&parse(request.body)?), &asked, &versions).await
            }
            (Place::One(kind, id), &Method::DELETE) => self.delete(*kind, id, &versions).await,
            (Place::Search(kind), &Method::POST) => {
                self.list(*kind, &Asked::of_search(*kind, &parse(request.body)?)?).await
            }
            (Place::Bulk, &Method::POST) => self.bulk(&parse(request.body)?, request.body.len()).await,
            (Place::Config | Place::Types(_) | Place::Schemas(_), &Method::GET) => {
                discovery::answer(self, request.place, request.query)
            }
            _ => Err(ScimError::new(StatusCode::METHOD_NOT_ALLOWED, None, "This address does not take that method.")),
        }
    }

    async fn create(&self, kind: ResourceType, body: &Value, asked: &Asked) -> Result<Reply, ScimError> {
        match kind {
            ResourceType::User => self.create_user(body, asked).await,
            ResourceType::Group => self.create_group(body, asked).await,
        }
    }

    async fn fetch(
        &self,
        kind: ResourceType,
        id: &str,
        asked: &Asked,
        versions: &Versions,
    ) -> Result<Reply, ScimError> {
        let found = match kind {
            ResourceType::User => self.user(id, asked).await?,
            ResourceType::Group => self.group(id, asked).await?,
        };
        let (revision, resource) = found.ok_or_else(|| ScimError::not_found(kind.name()))?;
        if versions.none.as_ref().is_some_and(|versions| versions.contains(revision)) {
            return Ok(Reply { etag: Some(version(revision)), ..Reply::empty(StatusCode::NOT_MODIFIED) });
        }
        let reply = Reply::ok(resource).with_meta();
        Ok(Reply { body: reply.body.map(|body| asked.select(kind).of(body)), ..reply })
    }

    async fn change(
        &self,
        kind: ResourceType,
        id: &str,
        change: Change<'_>,
        asked: &Asked,
        versions: &Versions,
    ) -> Result<Reply, ScimError> {
        match kind {
            ResourceType::User => self.change_user(id, change, asked, versions).await,
            ResourceType::Group => self.change_group(id, change, asked, versions).await,
        }
    }

    async fn delete(&self, kind: ResourceType, id: &str, versions: &Versions) -> Result<Reply, ScimError> {
        match kind {
            ResourceType::User => self.delete_user(id, versions).await?,
            ResourceType::Group => self.delete_group(id, versions).await?,
        }
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    }

    fn location(&self, kind: ResourceType, id: &str) -> String {
        format!("{}/{}/{id}", self.base, kind.endpoint())
    }

    fn now_ms(&self) -> i64 {
        self.ports.clock.now().as_millisecond()
    }

    /// The write that asks for a person, who was pushed.
    fn wanted(&self, key: &PersonKey) -> Write {
        let request = SyncRequest { key: key.clone(), asked_ms: self.now_ms() };
        self.ports.store.request_sync(self.connection, &request)
    }

    /// Says that somebody is wanted. What is not heard is found by the next look.
    async fn notify(&self) {
        crate::state::notify(self.ports, self.connection).await;
    }
}

/// A new state of a resource.
#[derive(Clone, Copy)]
pub(crate) enum Change<'v> {
    Replace(&'v Value),
    Patch(&'v Value),
}

/// Which versions a request is for.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    /// `If-Match`.
    only: Option<VersionList>,
    /// `If-None-Match`.
    none: Option<VersionList>,
}

#[derive(Debug)]
enum VersionList {
    Any,
    These(Vec<String>),
}

impl VersionList {
    fn of(headers: &HeaderMap, name: &str) -> Option<Self> {
        let text = headers.get(name)?.to_str().unwrap_or_default().trim().to_owned();
        if text == "*" {
            return Some(Self::Any);
        }
        // A comparison of weak tags looks at what stands in the quotes.
        let tag = |text: &str| text.trim().trim_start_matches("W/").trim_matches('"').to_owned();
        Some(Self::These(text.split(',').map(tag).collect()))
    }

    fn contains(&self, revision: u64) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => tags.iter().any(|tag| *tag == revision.to_string()),
        }
    }
}

impl Versions {
    fn of(headers: &HeaderMap) -> Self {
        Self { only: VersionList::of(headers, "if-match"), none: VersionList::of(headers, "if-none-match") }
    }

    /// The one version that a request of a bulk is for.
    fn only(version: Option<&str>) -> Self {
        let tag = |text: &str| text.trim().trim_start_matches("W/").trim_matches('"').to_owned();
        Self { only: version.map(|version| VersionList::These(vec![tag(version)])), none: None }
    }

    /// Refuses a change of another version than the one that is there.
    fn check(&self, revision: u64) -> Result<(), ScimError> {
        if self.only.as_ref().is_some_and(|versions| !versions.contains(revision)) {
            return Err(ScimError::new(
                StatusCode::PRECONDITION_FAILED,
                None,
                "The resource has changed since. Read it again and repeat the change.",
            ));
        }
        Ok(())
    }
}

/// The version of a resource, as in `ETag`.
fn version(revision: u64) -> String {
    format!("W/\"{revision}\"")
}

/// The `meta` of a resource.
fn meta(kind: ResourceType, location: &str, created_ms: i64, changed_ms: i64, revision: u64) -> Value {
    let moment = |ms: i64| Timestamp::from_millisecond(ms).map(|at| at.to_string()).unwrap_or_default();
    json!({
        "resourceType": kind.name(),
        "created": moment(created_ms),
        "lastModified": moment(changed_ms),
        "location": location,
        "version": version(revision),
    })
}

/// A new id: it says when it was made and nothing else, and sorts by that.
pub(crate) fn new_id(now_ms: i64) -> String {
    let ms = u64::try_from(now_ms).unwrap_or_default();
    ulid::Ulid::from_parts(ms, rand::random()).to_string().to_lowercase()
}

/// The revision that a write of one item gives it.
fn next_revision(old: Option<u64>) -> u64 {
    old.unwrap_or_default() + 1
}

/// A body of JSON. What stands in it is told to nobody, serde's words included.
pub(crate) fn parse(body: &[u8]) -> Result<Value, ScimError> {
    if body.is_empty() {
        return Err(ScimError::syntax("The request needs a body."));
    }
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    serde_json::from_slice(body).map_err(|error| {
        ScimError::syntax(format!(
            "The body is not JSON that can be read (line {}, column {}).",
            error.line(),
            error.column()
        ))
    })
}

/// The request was overtaken again and again.
fn overtaken() -> ScimError {
    ScimError::new(StatusCode::SERVICE_UNAVAILABLE, None, "The resource changes too often just now. Try again.")
}
