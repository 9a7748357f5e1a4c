//! Paths of the API, and what each costs. What is not here is answered with 501.

use percent_encoding::percent_decode_str;

use crate::answer::{Outcome, Refusal};
use crate::query::Query;
use crate::schema::Kind;

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Batch,
    List(Kind),
    Count(Kind),
    Delta(Kind),
    Get(Kind),
    CreateUser,
    UpdateUser,
    DeleteUser,
    GetManager,
    SetManager,
    RemoveManager,
    RevokeSessions,
    AssignLicense,
    ReprocessLicense,
    LicenseDetails,
    MemberOf,
    GetPhoto,
    SetPhoto,
    GetSyncBehavior,
    SetSyncBehavior,
    ListDeleted(Kind),
    GetDeleted,
    Restore,
    Purge,
    CreateGroup,
    UpdateGroup,
    DeleteGroup,
    ListMembers,
    AddMember,
    RemoveMember,
    DeleteThroughGroup,
    ListOwners,
    AddOwner,
    RemoveOwner,
    BindOnRef,
    Organization,
    Domains,
    Domain,
    FederationConfiguration,
    DirectorySynchronization,
    TokenValidation,
    Devices,
    Skus,
    DirectoryRoles,
    RoleMembers,
    RoleAssignments,
    RoleEligibilities,
    RoleDefinitions,
    ServicePrincipal,
    GetByIds,
    AvailableExtensions,
}

/// A path understood.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) op: Op,
    /// For counters, logs and faults.
    pub(crate) template: &'static str,
    pub(crate) key: String,
    pub(crate) second: String,
}

/// Splits a path below the version root. `users('x')` is the same as `users/x`.
pub(crate) fn segments(path: &str) -> Vec<String> {
    let mut out = Vec::new();
    for raw in path.split('/').filter(|s| !s.is_empty()) {
        let text = percent_decode_str(raw).decode_utf8_lossy().into_owned();
        match text.strip_suffix(')').and_then(|t| t.split_once('(')) {
            Some((name, "")) => out.push(name.to_owned()),
            Some((name, key)) if name.chars().all(|c| c.is_ascii_alphabetic()) => {
                out.push(name.to_owned());
                out.push(match key.strip_prefix('\'').and_then(|k| k.strip_suffix('\'')) {
                    Some(key) => key.replace("''", "'"),
                    // An alternate key by name: `roleTemplateId='…'`.
                    None => key.replacen("='", "=", 1).trim_end_matches('\'').to_owned(),
                });
            }
            _ => out.push(text),
        }
    }
    out
}

/// Finds the operation.
pub(crate) fn find(method: &str, path: &str, beta: bool) -> Outcome<Route> {
    use Kind::{Contact, Group, User};

    let owned = segments(path);
    let parts: Vec<&str> = owned.iter().map(String::as_str).collect();
    let route = |op, template, key: &str, second: &str| {
        Ok(Route { op, template, key: key.to_owned(), second: second.to_owned() })
    };
    match (method, parts.as_slice()) {
        ("POST", ["$batch"]) => route(Op::Batch, "/$batch", "", ""),

        ("GET", ["users"]) => route(Op::List(User), "/users", "", ""),
        ("POST", ["users"]) => route(Op::CreateUser, "/users", "", ""),
        ("GET", ["users", "$count"]) => route(Op::Count(User), "/users/$count", "", ""),
        ("GET", ["users", "delta" | "microsoft.graph.delta"]) => route(Op::Delta(User), "/users/delta", "", ""),
        ("GET", ["users", k]) => route(Op::Get(User), "/users/{id}", k, ""),
        ("PATCH", ["users", k]) => route(Op::UpdateUser, "/users/{id}", k, ""),
        ("DELETE", ["users", k]) => route(Op::DeleteUser, "/users/{id}", k, ""),
        ("GET", ["users", k, "manager"]) => route(Op::GetManager, "/users/{id}/manager", k, ""),
        ("PUT", ["users", k, "manager", "$ref"]) => route(Op::SetManager, "/users/{id}/manager/$ref", k, ""),
        ("DELETE", ["users", k, "manager", "$ref"]) => route(Op::RemoveManager, "/users/{id}/manager/$ref", k, ""),
        ("POST", ["users", k, "revokeSignInSessions" | "microsoft.graph.revokeSignInSessions"]) => {
            route(Op::RevokeSessions, "/users/{id}/revokeSignInSessions", k, "")
        }
        ("POST", ["users", k, "assignLicense" | "microsoft.graph.assignLicense"]) => {
            route(Op::AssignLicense, "/users/{id}/assignLicense", k, "")
        }
        ("POST", ["users", k, "reprocessLicenseAssignment"]) => {
            route(Op::ReprocessLicense, "/users/{id}/reprocessLicenseAssignment", k, "")
        }
        ("GET", ["users", k, "licenseDetails"]) => route(Op::LicenseDetails, "/users/{id}/licenseDetails", k, ""),
        ("GET", ["users", k, "photo", "$value"]) => route(Op::GetPhoto, "/users/{id}/photo/$value", k, ""),
        ("PUT", ["users", k, "photo", "$value"]) => route(Op::SetPhoto, "/users/{id}/photo/$value", k, ""),
        ("GET", ["users", k, "memberOf"]) => route(Op::MemberOf, "/users/{id}/memberOf", k, ""),
        ("GET", ["users", k, "onPremisesSyncBehavior"]) => {
            route(Op::GetSyncBehavior, "/users/{id}/onPremisesSyncBehavior", k, "")
        }
        ("PATCH", ["users", k, "onPremisesSyncBehavior"]) => {
            route(Op::SetSyncBehavior, "/users/{id}/onPremisesSyncBehavior", k, "")
        }

        ("GET", ["directory", "deletedItems", "microsoft.graph.user"]) => {
            route(Op::ListDeleted(User), "/directory/deletedItems/microsoft.graph.user", "", "")
        }
        ("GET", ["directory", "deletedItems", "microsoft.graph.group"]) => {
            route(Op::ListDeleted(Group), "/directory/deletedItems/microsoft.graph.group", "", "")
        }
        // The type cast is mandatory: https://learn.microsoft.com/graph/api/directory-deleteditems-list
        ("GET", ["directory", "deletedItems"]) => Err(Refusal::bad(
            "The request is not supported without a type cast: use /directory/deletedItems/microsoft.graph.user.",
        )
        .violating("GET /directory/deletedItems without a type cast")),
        ("GET", ["directory", "deletedItems", k]) => route(Op::GetDeleted, "/directory/deletedItems/{id}", k, ""),
        ("DELETE", ["directory", "deletedItems", k]) => route(Op::Purge, "/directory/deletedItems/{id}", k, ""),
        ("POST", ["directory", "deletedItems", k, "restore"]) => {
            route(Op::Restore, "/directory/deletedItems/{id}/restore", k, "")
        }

        ("GET", ["groups"]) => route(Op::List(Group), "/groups", "", ""),
        ("POST", ["groups"]) => route(Op::CreateGroup, "/groups", "", ""),
        ("GET", ["groups", "$count"]) => route(Op::Count(Group), "/groups/$count", "", ""),
        ("GET", ["groups", "delta" | "microsoft.graph.delta"]) => route(Op::Delta(Group), "/groups/delta", "", ""),
        ("GET", ["groups", k]) => route(Op::Get(Group), "/groups/{id}", k, ""),
        ("PATCH", ["groups", k]) => route(Op::UpdateGroup, "/groups/{id}", k, ""),
        ("DELETE", ["groups", k]) => route(Op::DeleteGroup, "/groups/{id}", k, ""),
        ("GET", ["groups", k, "members"]) => route(Op::ListMembers, "/groups/{id}/members", k, ""),
        ("POST", ["groups", k, "members", "$ref"]) => route(Op::AddMember, "/groups/{id}/members/$ref", k, ""),
        ("PATCH", ["groups", k, "members", "$ref"]) => route(Op::BindOnRef, "/groups/{id}/members/$ref", k, ""),
        ("DELETE", ["groups", k, "members", m, "$ref"]) => {
            route(Op::RemoveMember, "/groups/{id}/members/{id}/$ref", k, m)
        }
        ("DELETE", ["groups", k, "members", m]) => route(Op::DeleteThroughGroup, "/groups/{id}/members/{id}", k, m),
        ("GET", ["groups", k, "owners"]) => route(Op::ListOwners, "/groups/{id}/owners", k, ""),
        ("POST", ["groups", k, "owners", "$ref"]) => route(Op::AddOwner, "/groups/{id}/owners/$ref", k, ""),
        ("DELETE", ["groups", k, "owners", m, "$ref"]) => route(Op::RemoveOwner, "/groups/{id}/owners/{id}/$ref", k, m),

        ("GET", ["contacts"]) => route(Op::List(Contact), "/contacts", "", ""),
        ("GET", ["contacts", "$count"]) => route(Op::Count(Contact), "/contacts/$count", "", ""),
        ("GET", ["contacts", "delta" | "microsoft.graph.delta"]) => {
            route(Op::Delta(Contact), "/contacts/delta", "", "")
        }
        ("GET", ["contacts", k]) => route(Op::Get(Contact), "/contacts/{id}", k, ""),

        ("GET", ["organization"]) => route(Op::Organization, "/organization", "", ""),
        ("GET", ["organization", k]) => route(Op::Organization, "/organization/{id}", k, ""),
        ("GET", ["domains"]) => route(Op::Domains, "/domains", "", ""),
        ("GET", ["domains", k]) => route(Op::Domain, "/domains/{id}", k, ""),
        ("GET", ["domains", k, "federationConfiguration"]) => {
            route(Op::FederationConfiguration, "/domains/{id}/federationConfiguration", k, "")
        }
        ("GET", ["directory", "onPremisesSynchronization"]) => {
            route(Op::DirectorySynchronization, "/directory/onPremisesSynchronization", "", "")
        }
        ("GET", ["policies", "federatedTokenValidationPolicy"]) => {
            route(Op::TokenValidation, "/policies/federatedTokenValidationPolicy", "", "")
        }
        ("GET", ["devices"]) => route(Op::Devices, "/devices", "", ""),
        ("GET", ["subscribedSkus"]) => route(Op::Skus, "/subscribedSkus", "", ""),
        ("GET", ["directoryRoles"]) => route(Op::DirectoryRoles, "/directoryRoles", "", ""),
        ("GET", ["directoryRoles", k, "members"]) => route(Op::RoleMembers, "/directoryRoles/{id}/members", k, ""),
        ("GET", ["roleManagement", "directory", "roleAssignments"]) => {
            route(Op::RoleAssignments, "/roleManagement/directory/roleAssignments", "", "")
        }
        ("GET", ["roleManagement", "directory", "roleEligibilityScheduleInstances"]) => {
            route(Op::RoleEligibilities, "/roleManagement/directory/roleEligibilityScheduleInstances", "", "")
        }
        ("GET", ["roleManagement", "directory", "roleDefinitions"]) => {
            route(Op::RoleDefinitions, "/roleManagement/directory/roleDefinitions", "", "")
        }
        ("GET", ["servicePrincipals", k]) => route(Op::ServicePrincipal, "/servicePrincipals/{id}", k, ""),
        ("POST", ["directoryObjects", "getByIds" | "microsoft.graph.getByIds"]) => {
            route(Op::GetByIds, "/directoryObjects/getByIds", "", "")
        }
        ("POST", ["directoryObjects", "getAvailableExtensionProperties"]) => {
            route(Op::AvailableExtensions, crate::extensions::ASKS_FOR_THEM, "", "")
        }
        _ => {
            let version = if beta { "beta" } else { "v1.0" };
            // Graph itself answers some of these with 405; here the point is to be noticed.
            Err(Refusal::unknown(format!("{method} /{version}/{}", shape(&parts))))
        }
    }
}

/// A path without its keys, so that no name or address lands in a message.
fn shape(parts: &[&str]) -> String {
    parts
        .iter()
        .map(|p| if p.contains('@') || uuid::Uuid::parse_str(p).is_ok() { "{id}" } else { p })
        .collect::<Vec<_>>()
        .join("/")
}

/// Resource units (<https://learn.microsoft.com/graph/throttling-limits>).
pub(crate) fn units(op: Op, query: &Query) -> u32 {
    let base: i32 = match op {
        Op::List(Kind::User) | Op::MemberOf | Op::LicenseDetails => 2,
        Op::ListMembers | Op::Skus => 3,
        Op::GetByIds => return if query.has("$select") { 2 } else { 5 },
        _ => 1,
    };
    let small = query.get("$top").and_then(|t| t.parse::<u32>().ok()).is_some_and(|t| t < 20);
    let units = base - i32::from(query.has("$select")) + i32::from(query.has("$expand")) - i32::from(small);
    u32::try_from(units.max(1)).unwrap_or(1)
}
