//! Bodies of writes, serialised straight into the buffer that is sent.

use std::collections::BTreeMap;

use hardmatch_domain::attribute::{Attr, Attributes, Texts};
use hardmatch_domain::group::GroupKind;
use hardmatch_domain::ids::ObjectId;
use hardmatch_domain::license::License;
use hardmatch_ports::tenant::Call;
use reqwest::Method;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::query::{self, escaped, user, users_where};
use crate::user::Select;

/// A call as Graph takes it.
pub(crate) struct Part<'c> {
    pub(crate) method: Method,
    /// Below the version root.
    pub(crate) path: String,
    /// The route for logs.
    pub(crate) route: &'static str,
    /// POST, PATCH and PUT carry a body even where the call takes none: without it a whole batch is refused.
    pub(crate) body: Option<Body<'c>>,
}

/// The body of a write.
pub(crate) struct Body<'c> {
    call: &'c Call,
    /// The version root, for references.
    base: &'c str,
}

/// Why a call cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsendable {
    /// It would change nothing.
    Empty,
    /// Its value is too long for a filter.
    TooLong,
}

/// Translates a call. `base` is the version root, `select` what is read of a user.
pub(crate) fn part<'c>(call: &'c Call, base: &'c str, select: &Select) -> Result<Part<'c>, Unsendable> {
    let body = Some(Body { call, base });
    let at = |id: &ObjectId, rest: &str| format!("/users/{}{rest}", escaped(id.as_str()));
    let deleted = |id: &ObjectId, rest: &str| format!("/directory/deletedItems/{}{rest}", escaped(id.as_str()));
    let part = |method, path, route, body| Part { method, path, route, body };
    Ok(match call {
        Call::Create { .. } => part(Method::POST, "/users".to_owned(), "/users", body),
        Call::Update { immutable_id: None, attributes, .. } if attributes.is_empty() => return Err(Unsendable::Empty),
        Call::Update { account, .. } | Call::SetEnabled { account, .. } => {
            part(Method::PATCH, at(account, ""), "/users/{id}", body)
        }
        Call::RevokeSessions { account } => {
            part(Method::POST, at(account, "/revokeSignInSessions"), "/users/{id}/revokeSignInSessions", body)
        }
        Call::SetManager { account, manager } => part(
            if manager.is_some() { Method::PUT } else { Method::DELETE },
            at(account, "/manager/$ref"),
            "/users/{id}/manager/$ref",
            body.filter(|_| manager.is_some()),
        ),
        Call::SetLicenses { give, take, .. } if give.is_empty() && take.is_empty() => return Err(Unsendable::Empty),
        Call::SetLicenses { account, .. } => {
            part(Method::POST, at(account, "/assignLicense"), "/users/{id}/assignLicense", body)
        }
        Call::CreateGroup { .. } => part(Method::POST, "/groups".to_owned(), "/groups", body),
        Call::AddMember { group, .. } => {
            let path = format!("/groups/{}/members/$ref", escaped(group.as_str()));
            part(Method::POST, path, "/groups/{id}/members/$ref", body)
        }
        Call::AddMembers { accounts, .. } if accounts.is_empty() => return Err(Unsendable::Empty),
        Call::AddMembers { group, .. } => {
            part(Method::PATCH, format!("/groups/{}", escaped(group.as_str())), "/groups/{id}", body)
        }
        // Without `$ref` the member itself would be deleted.
        // <https://learn.microsoft.com/graph/api/group-delete-members>
        Call::RemoveMember { group, account } => {
            let path = format!("/groups/{}/members/{}/$ref", escaped(group.as_str()), escaped(account.as_str()));
            part(Method::DELETE, path, "/groups/{id}/members/{id}/$ref", None)
        }
        Call::Delete { account } => part(Method::DELETE, at(account, ""), "/users/{id}", None),
        Call::Restore { account, .. } => {
            part(Method::POST, deleted(account, "/restore"), "/directory/deletedItems/{id}/restore", body)
        }
        Call::Purge { account } => part(Method::DELETE, deleted(account, ""), "/directory/deletedItems/{id}", None),
        Call::Read { account } => part(Method::GET, user(account.as_str(), select), "/users/{id}", None),
        Call::ReadDeleted { account } => {
            let path = query::deleted(account.as_str(), select);
            part(Method::GET, path, "/directory/deletedItems/{id}", None)
        }
        Call::FindByImmutableId { immutable_id } => {
            let path =
                users_where("onPremisesImmutableId", immutable_id.as_str(), select).ok_or(Unsendable::TooLong)?;
            part(Method::GET, path, "/users", None)
        }
        Call::FindByUpn { upn } => {
            let path = users_where("userPrincipalName", upn, select).ok_or(Unsendable::TooLong)?;
            part(Method::GET, path, "/users", None)
        }
    })
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.call {
            Call::Create { attributes, immutable_id, enabled, manager, password } => {
                map.serialize_entry("accountEnabled", enabled)?;
                if let Some(id) = immutable_id {
                    map.serialize_entry("onPremisesImmutableId", id.as_str())?;
                }
                let profile = PasswordProfile { password: password.expose_secret(), force_change: true };
                map.serialize_entry("passwordProfile", &profile)?;
                if let Some(manager) = manager {
                    map.serialize_entry("manager@odata.bind", &Reference { base: self.base, id: manager })?;
                }
                // A new account has nothing to clear.
                write_attributes(&mut map, attributes, |value| !value.is_empty())?;
            }
            Call::Update { immutable_id, attributes, .. } => {
                if let Some(id) = immutable_id {
                    map.serialize_entry("onPremisesImmutableId", &id.as_ref().map(AsRef::<str>::as_ref))?;
                }
                write_attributes(&mut map, attributes, |_| true)?;
            }
            Call::SetEnabled { enabled, .. } => map.serialize_entry("accountEnabled", enabled)?,
            Call::SetManager { manager: Some(manager), .. } => {
                map.serialize_entry("@odata.id", &Reference { base: self.base, id: manager })?;
            }
            Call::SetLicenses { give, take, .. } => {
                // Both lists are required, also when they are empty.
                map.serialize_entry("addLicenses", &Given(give))?;
                map.serialize_entry("removeLicenses", take)?;
            }
            Call::CreateGroup { name, kind, nickname } => {
                map.serialize_entry("displayName", name)?;
                map.serialize_entry("mailNickname", nickname)?;
                write_kind(&mut map, *kind)?;
            }
            Call::AddMember { account, .. } => {
                map.serialize_entry("@odata.id", &Member { base: self.base, id: account })?;
            }
            Call::AddMembers { accounts, .. } => {
                let members: Vec<_> = accounts.iter().map(|id| Member { base: self.base, id }).collect();
                map.serialize_entry("members@odata.bind", &members)?;
            }
            // Addresses that somebody else holds by now are left out; a conflict of UPNs is still refused.
            // <https://learn.microsoft.com/graph/api/directory-deleteditems-restore>
            Call::Restore { upn, .. } => {
                map.serialize_entry("autoReconcileProxyConflict", &true)?;
                if let Some(upn) = upn {
                    map.serialize_entry("newUserPrincipalName", upn)?;
                }
            }
            Call::RevokeSessions { .. }
            | Call::SetManager { manager: None, .. }
            | Call::RemoveMember { .. }
            | Call::Delete { .. }
            | Call::Purge { .. }
            | Call::Read { .. }
            | Call::ReadDeleted { .. }
            | Call::FindByImmutableId { .. }
            | Call::FindByUpn { .. } => {}
        }
        map.end()
    }
}

/// Text attributes under Graph's names: an empty text clears, phones and other addresses are lists, extension attributes and
/// what belongs to `employeeOrgData` are nested.
fn write_attributes<M: SerializeMap>(
    map: &mut M,
    attributes: &Attributes,
    wanted: impl Fn(&str) -> bool,
) -> Result<(), M::Error> {
    let mut extensions = false;
    let mut org_data = OrgData::default();
    for (attr, value) in attributes.iter().filter(|(_, value)| wanted(value)) {
        if attr.extension_number().is_some() {
            extensions = true;
        } else if attr == Attr::BusinessPhones {
            // At most one element. <https://learn.microsoft.com/graph/api/resources/user>
            let phones: &[&str] = if value.is_empty() { &[] } else { &[value] };
            map.serialize_entry(attr.name(), phones)?;
        } else if attr == Attr::OtherMails {
            map.serialize_entry(attr.name(), &attr.parts(value).collect::<Vec<_>>())?;
        } else if let (_, Some(member)) = attr.member() {
            org_data.0.insert(member, Some(value).filter(|value| !value.is_empty()));
        } else {
            map.serialize_entry(attr.name(), &Some(value).filter(|value| !value.is_empty()))?;
        }
    }
    if !org_data.0.is_empty() {
        map.serialize_entry("employeeOrgData", &org_data)?;
    }
    if extensions {
        map.serialize_entry("onPremisesExtensionAttributes", &Extensions(attributes, &wanted))?;
    }
    Ok(())
}

/// Members of `employeeOrgData` that are written.
#[derive(Default, Serialize)]
struct OrgData<'a>(BTreeMap<&'a str, Option<&'a str>>);

struct Extensions<'a, F>(&'a Attributes, &'a F);

impl<F: Fn(&str) -> bool> Serialize for Extensions<'_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pairs = self.0.iter().filter(|(attr, value)| attr.extension_number().is_some() && (self.1)(value));
        serializer.collect_map(pairs.map(|(attr, value)| (attr.name(), Some(value).filter(|value| !value.is_empty()))))
    }
}

#[derive(Serialize)]
struct PasswordProfile<'p> {
    password: &'p str,
    #[serde(rename = "forceChangePasswordNextSignIn")]
    force_change: bool,
}

/// The URL of a user, as references want it.
struct Reference<'r> {
    base: &'r str,
    id: &'r ObjectId,
}

impl Serialize for Reference<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}/users/{}", self.base, escaped(self.id.as_str())))
    }
}

/// What makes a group one of its kind. <https://learn.microsoft.com/graph/api/group-post-groups>
fn write_kind<M: SerializeMap>(map: &mut M, kind: GroupKind) -> Result<(), M::Error> {
    let (types, mail): (&[&str], bool) = match kind {
        GroupKind::Microsoft365 => (&["Unified"], true),
        GroupKind::Security => (&[], false),
    };
    map.serialize_entry("groupTypes", types)?;
    map.serialize_entry("mailEnabled", &mail)?;
    map.serialize_entry("securityEnabled", &!mail)?;
    if kind == GroupKind::Microsoft365 {
        // Left out it would be public: anybody could join, and read what is written there.
        map.serialize_entry("visibility", "Private")?;
    }
    Ok(())
}

/// The URL of a member, as memberships want it.
struct Member<'r> {
    base: &'r str,
    id: &'r ObjectId,
}

impl Serialize for Member<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}/directoryObjects/{}", self.base, escaped(self.id.as_str())))
    }
}

/// Licences to be given. <https://learn.microsoft.com/graph/api/user-assignlicense>
struct Given<'g>(&'g [License]);

impl Serialize for Given<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let given = self.0.iter().map(|License { sku, without, .. }| GivenLicense { sku, without });
        serializer.collect_seq(given)
    }
}

#[derive(Serialize)]
struct GivenLicense<'g> {
    #[serde(rename = "skuId")]
    sku: &'g str,
    /// Plans that are not named are switched on.
    #[serde(rename = "disabledPlans")]
    without: &'g Texts,
}

/// The envelope of a batch. <https://learn.microsoft.com/graph/json-batching>
#[derive(Serialize)]
pub(crate) struct Envelope<'e, 'c> {
    pub(crate) requests: Vec<Inner<'e, 'c>>,
}

/// A part in its envelope.
pub(crate) struct Inner<'e, 'c> {
    /// The place of the call in the batch.
    pub(crate) at: usize,
    pub(crate) part: &'e Part<'c>,
}

impl Serialize for Inner<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &format_args!("{}", self.at))?;
        map.serialize_entry("method", self.part.method.as_str())?;
        map.serialize_entry("url", &self.part.path)?;
        if let Some(body) = &self.part.body {
            map.serialize_entry("headers", &ContentType { content_type: "application/json" })?;
            map.serialize_entry("body", body)?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct ContentType<'t> {
    #[serde(rename = "Content-Type")]
    content_type: &'t str,
}
