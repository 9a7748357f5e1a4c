//! What is announced: only what is kept.
//! <https://www.rfc-editor.org/rfc/rfc7644#section-4>

use axum::http::StatusCode;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::bulk::MOST_OPERATIONS;
use super::list::LONGEST_PAGE;
use super::schema::{self, ResourceType};
use super::{Place, Scim};
use crate::error::ScimError;
use crate::limits::LARGEST_BODY;
use crate::reply::Reply;

/// Answers what is announced.
pub(super) fn answer(scim: &Scim<'_>, place: &Place, query: &str) -> Result<Reply, ScimError> {
    let filtered = form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name.eq_ignore_ascii_case("filter"));
    if filtered {
        return Err(ScimError::new(StatusCode::FORBIDDEN, None, "What is announced is not filtered."));
    }
    let base = &scim.base;
    let found = match place {
        Place::Config => Some(config(base)),
        Place::Types(None) => Some(list(&ResourceType::ALL.map(|kind| kind.json(base)))),
        Place::Types(Some(name)) => {
            ResourceType::ALL.iter().find(|kind| kind.name() == name).map(|kind| kind.json(base))
        }
        Place::Schemas(None) => {
            Some(list(&schema::all().iter().map(|schema| schema.json(base)).collect::<Vec<Value>>()))
        }
        Place::Schemas(Some(urn)) => {
            schema::all().iter().find(|schema| schema.urn.eq_ignore_ascii_case(urn)).map(|schema| schema.json(base))
        }
        Place::All(_) | Place::One(..) | Place::Search(_) | Place::Bulk => None,
    };
    found.map(Reply::ok).ok_or_else(|| ScimError::not_found("schema or resource type"))
}

fn list(resources: &[Value]) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": resources.len(),
        "startIndex": 1,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}

fn config(base: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": { "supported": true, "maxOperations": MOST_OPERATIONS, "maxPayloadSize": LARGEST_BODY },
        "filter": { "supported": true, "maxResults": LONGEST_PAGE },
        "changePassword": { "supported": false },
        "sort": { "supported": false },
        "etag": { "supported": true },
        "pagination": {
            "cursor": false,
            "index": true,
            "defaultPaginationMethod": "index",
            "maxPageSize": LONGEST_PAGE,
        },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "A token that `hardmatch auth tokens create` made, in the Authorization header.",
            "primary": true,
        }],
        "meta": { "resourceType": "ServiceProviderConfig", "location": format!("{base}/ServiceProviderConfig") },
    })
}
