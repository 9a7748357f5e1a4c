//! The tenant as a whole: organisation, domains, licences, and who holds directory roles.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::account::Domain;
use hardmatch_domain::ids::{ObjectId, TenantId};
use hardmatch_ports::tenant::{Organization, Retry, ServicePlan, Sku, TenantError};
use serde::Deserialize;

use crate::client::GraphClient;
use crate::query::escaped;
use crate::read::{Items, items};
use crate::text::Text;
use crate::user::object_id;
use crate::wire::Unread;

/// The refusal of a tenant that has no plan with eligible roles.
pub(crate) const NO_PREMIUM: &str = "AadPremiumLicenseRequired";

/// A listing that is read whole.
pub(crate) struct Whole {
    pub(crate) route: &'static str,
    pub(crate) path: &'static str,
}

/// Who holds directory roles. <https://learn.microsoft.com/graph/api/rbacapplication-list-roleassignments>
pub(crate) const ASSIGNED: Whole = Whole {
    route: "/roleManagement/directory/roleAssignments",
    path: "/roleManagement/directory/roleAssignments?$expand=principal",
};
/// Who may activate one.
/// <https://learn.microsoft.com/graph/api/rbacapplication-list-roleeligibilityscheduleinstances>
pub(crate) const ELIGIBLE: Whole = Whole {
    route: "/roleManagement/directory/roleEligibilityScheduleInstances",
    path: "/roleManagement/directory/roleEligibilityScheduleInstances?$expand=principal",
};
/// The activated roles. <https://learn.microsoft.com/graph/api/directoryrole-list>
pub(crate) const ROLE_NAMES: Whole =
    Whole { route: "/directoryRoles", path: "/directoryRoles?$select=id,displayName,roleTemplateId" };

/// Principals, the role of each, and what each is.
pub(crate) type Principals = Vec<(ObjectId, String, Kind)>;

/// A page of assignments or eligibilities.
pub(crate) fn principals(body: &[u8]) -> Result<Items<(ObjectId, String, Kind)>, Unread> {
    items(body, |assignment: Assignment<'_>, out| {
        let kind = assignment.principal.as_ref().and_then(|principal| principal.kind.as_deref());
        out.push((object_id(&assignment.principal_id), assignment.role.to_string(), Kind::of(kind)));
        Some(())
    })
}

/// A page of activated roles: the template and the name of each.
pub(crate) fn role_names(body: &[u8]) -> Result<Items<(String, String)>, Unread> {
    let Items { items: roles, next } = directory_roles(body)?;
    Ok(Items { items: roles.into_iter().map(|role| (role.template, role.name)).collect(), next })
}

fn directory_roles(body: &[u8]) -> Result<Items<DirectoryRole>, Unread> {
    items(body, |role: RoleObject<'_>, out| {
        let id = role.id.to_string();
        let template = role.template.map_or_else(|| id.clone(), |template| template.to_string());
        let name = role.name.map_or_else(|| template.clone(), |name| name.to_string());
        out.push(DirectoryRole { id, template, name });
        Some(())
    })
}

impl GraphClient {
    pub(crate) async fn read_organization(&self) -> Result<Organization, TenantError> {
        let path = "/organization?$select=id,displayName,onPremisesSyncEnabled,onPremisesLastSyncDateTime";
        let mut found = self
            .list_all("/organization", path, |body| {
                items(body, |organization: Described<'_>, out| {
                    out.push(Organization {
                        id: TenantId::new(organization.id.to_ascii_lowercase()),
                        name: organization.name.as_deref().unwrap_or_default().to_owned(),
                        domains: BTreeMap::new(),
                        directory_sync: organization.sync_enabled,
                        last_sync: organization.last_sync.as_deref().map(str::to_owned),
                    });
                    Some(())
                })
                .and_then(|items| if items.items.is_empty() { Err(Unread::Broken) } else { Ok(items) })
            })
            .await?;
        let mut organization = found.swap_remove(0);
        organization.domains = self.read_domains().await?;
        Ok(organization)
    }

    /// Unverified domains are listed too. <https://learn.microsoft.com/graph/api/domain-list>
    async fn read_domains(&self) -> Result<BTreeMap<String, Domain>, TenantError> {
        let path = "/domains";
        let domains = self.list_all("/domains", path, |body| {
            items(body, |domain: DomainObject<'_>, out| {
                let state = Domain {
                    verified: domain.verified.unwrap_or(false),
                    federated: domain
                        .authentication
                        .as_deref()
                        .is_some_and(|kind| kind.eq_ignore_ascii_case("federated")),
                    initial: domain.initial.unwrap_or(false),
                };
                out.push((domain.id.to_lowercase(), state));
                Some(())
            })
        });
        Ok(domains.await?.into_iter().collect())
    }

    /// Licences for users, with the seats of the grace period.
    /// <https://learn.microsoft.com/graph/api/subscribedsku-list>
    pub(crate) async fn read_skus(&self) -> Result<Vec<Sku>, TenantError> {
        let path = "/subscribedSkus?$select=skuId,skuPartNumber,appliesTo,consumedUnits,prepaidUnits,servicePlans";
        self.list_all("/subscribedSkus", path, |body| {
            items(body, |sku: SkuObject<'_>, out| {
                if sku.applies_to.as_deref().is_none_or(|to| to.eq_ignore_ascii_case("user")) {
                    let units = sku.prepaid.unwrap_or_default();
                    out.push(Sku {
                        id: sku.id.to_ascii_lowercase(),
                        part_number: sku.part_number.to_string(),
                        seats: units.enabled.unwrap_or(0).saturating_add(units.warning.unwrap_or(0)),
                        used: sku.consumed.unwrap_or(0),
                        plans: sku.plans.iter().flatten().filter_map(PlanObject::of_users).collect(),
                    });
                }
                Some(())
            })
        })
        .await
    }

    /// Role assignments list users, groups and service principals; a group stands for its members. A tenant that does
    /// not know them is asked for the members of its activated roles instead.
    /// <https://learn.microsoft.com/graph/api/rbacapplication-list-roleassignments>
    pub(crate) async fn read_role_holders(&self) -> Result<BTreeMap<ObjectId, Vec<String>>, TenantError> {
        let assignments = match self.read_assignments(&ASSIGNED).await {
            Ok(assignments) => self.with_names(assignments).await?,
            Err(error) if matches!(error.status, 404 | 501) => self.read_directory_role_members().await?,
            Err(error) => return Err(error),
        };
        self.holders_of(assignments).await
    }

    /// Who may activate a role, now. Without a plan that has eligible roles Graph refuses with a code of its own, and
    /// nobody is eligible.
    /// <https://learn.microsoft.com/graph/api/rbacapplication-list-roleeligibilityscheduleinstances>
    pub(crate) async fn read_eligible_for_roles(&self) -> Result<BTreeMap<ObjectId, Vec<String>>, TenantError> {
        let eligible = match self.read_assignments(&ELIGIBLE).await {
            Ok(eligible) => eligible,
            Err(error) if error.code == NO_PREMIUM => return Ok(BTreeMap::new()),
            Err(error) => return Err(error),
        };
        if eligible.is_empty() {
            return Ok(BTreeMap::new());
        }
        let eligible = self.with_names(eligible).await?;
        self.holders_of(eligible).await
    }

    /// Principals and roles of a list of assignments or eligibilities.
    async fn read_assignments(&self, listing: &Whole) -> Result<Principals, TenantError> {
        self.list_all(listing.route, listing.path, principals).await
    }

    /// Names are for people; without them the roles' ids must do.
    async fn with_names(&self, assignments: Principals) -> Result<Principals, TenantError> {
        let names: BTreeMap<String, String> = match self.read_directory_roles().await {
            Ok(roles) => roles.into_iter().map(|role| (role.template, role.name)).collect(),
            Err(error) if error.retry == Retry::Never => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        let named = |role: String| names.get(&role).cloned().unwrap_or(role);
        Ok(assignments.into_iter().map(|(holder, role, kind)| (holder, named(role), kind)).collect())
    }

    /// Who stands behind the holders: themselves, and the members of groups.
    pub(crate) async fn holders_of(
        &self,
        assignments: Principals,
    ) -> Result<BTreeMap<ObjectId, Vec<String>>, TenantError> {
        let mut roles: BTreeMap<ObjectId, BTreeSet<String>> = BTreeMap::new();
        let mut members: BTreeMap<ObjectId, Vec<ObjectId>> = BTreeMap::new();
        for (principal, name, kind) in assignments {
            if kind != Kind::Other {
                if !members.contains_key(&principal) {
                    let found = self.members_of(&principal, kind).await?;
                    members.insert(principal.clone(), found);
                }
                for member in members.get(&principal).into_iter().flatten() {
                    roles.entry(member.clone()).or_default().insert(name.clone());
                }
            }
            roles.entry(principal).or_default().insert(name);
        }
        Ok(roles.into_iter().map(|(holder, roles)| (holder, roles.into_iter().collect())).collect())
    }

    /// The activated roles. <https://learn.microsoft.com/graph/api/directoryrole-list-members>
    async fn read_directory_roles(&self) -> Result<Vec<DirectoryRole>, TenantError> {
        self.list_all(ROLE_NAMES.route, ROLE_NAMES.path, directory_roles).await
    }

    async fn read_directory_role_members(&self) -> Result<Vec<(ObjectId, String, Kind)>, TenantError> {
        let mut holders = Vec::new();
        for role in self.read_directory_roles().await? {
            let path = format!("/directoryRoles/{}/members?$select=id", escaped(&role.id));
            let members = self.list_all("/directoryRoles/{id}/members", &path, |body| {
                items(body, |member: Principal<'_>, out| {
                    out.push((object_id(member.id.as_deref()?), Kind::of(member.kind.as_deref())));
                    Some(())
                })
            });
            holders.extend(members.await?.into_iter().map(|(id, kind)| (id, role.name.clone(), kind)));
        }
        Ok(holders)
    }

    /// Everybody in the group, through groups in it too.
    async fn members_of(&self, group: &ObjectId, kind: Kind) -> Result<Vec<ObjectId>, TenantError> {
        let mut seen = BTreeSet::from([group.clone()]);
        let mut open = vec![group.clone()];
        let mut people = Vec::new();
        while let Some(group) = open.pop() {
            let path = format!("/groups/{}/members?$select=id&$top=999", escaped(group.as_str()));
            let read = self.list_all("/groups/{id}/members", &path, |body| {
                items(body, |member: Principal<'_>, out| {
                    out.push((object_id(member.id.as_deref()?), Kind::of(member.kind.as_deref())));
                    Some(())
                })
            });
            let found = match read.await {
                // The assignment did not say what its principal is: no group.
                Err(error) if error.status == 404 && kind == Kind::Unknown => return Ok(Vec::new()),
                found => found?,
            };
            for (member, kind) in found {
                if kind == Kind::Group && seen.insert(member.clone()) {
                    open.push(member.clone());
                }
                people.push(member);
            }
        }
        Ok(people)
    }
}

/// What a principal is, as far as we must know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Group,
    Other,
    Unknown,
}

impl Kind {
    fn of(odata_type: Option<&str>) -> Self {
        match odata_type {
            Some("#microsoft.graph.group") => Kind::Group,
            Some(_) => Kind::Other,
            None => Kind::Unknown,
        }
    }
}

#[derive(Deserialize)]
struct Described<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(rename = "displayName", borrow, default)]
    name: Option<Text<'a>>,
    #[serde(rename = "onPremisesSyncEnabled", default)]
    sync_enabled: Option<bool>,
    #[serde(rename = "onPremisesLastSyncDateTime", borrow, default)]
    last_sync: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct DomainObject<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(rename = "authenticationType", borrow, default)]
    authentication: Option<Text<'a>>,
    #[serde(rename = "isVerified", default)]
    verified: Option<bool>,
    #[serde(rename = "isInitial", default)]
    initial: Option<bool>,
}

#[derive(Deserialize)]
struct SkuObject<'a> {
    #[serde(rename = "skuId", borrow)]
    id: Text<'a>,
    #[serde(rename = "skuPartNumber", borrow)]
    part_number: Text<'a>,
    #[serde(rename = "appliesTo", borrow, default)]
    applies_to: Option<Text<'a>>,
    #[serde(rename = "consumedUnits", default)]
    consumed: Option<i64>,
    #[serde(rename = "prepaidUnits", default)]
    prepaid: Option<Units>,
    #[serde(rename = "servicePlans", borrow, default)]
    plans: Option<Vec<PlanObject<'a>>>,
}

#[derive(Deserialize)]
struct PlanObject<'a> {
    #[serde(rename = "servicePlanId", borrow)]
    id: Text<'a>,
    #[serde(rename = "servicePlanName", borrow, default)]
    name: Option<Text<'a>>,
    #[serde(rename = "appliesTo", borrow, default)]
    applies_to: Option<Text<'a>>,
}

impl PlanObject<'_> {
    /// The plan, unless it is the whole company's.
    fn of_users(&self) -> Option<ServicePlan> {
        let users = self.applies_to.as_deref().is_none_or(|to| to.eq_ignore_ascii_case("user"));
        let name = self.name.as_deref().unwrap_or_default().to_owned();
        users.then(|| ServicePlan { id: self.id.to_ascii_lowercase(), name })
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Units {
    enabled: Option<i64>,
    warning: Option<i64>,
}

#[derive(Deserialize)]
struct RoleObject<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(rename = "roleTemplateId", borrow, default)]
    template: Option<Text<'a>>,
    #[serde(rename = "displayName", borrow, default)]
    name: Option<Text<'a>>,
}

/// An activated role. Assignments name it by its template.
struct DirectoryRole {
    id: String,
    template: String,
    name: String,
}

#[derive(Deserialize)]
struct Assignment<'a> {
    #[serde(rename = "principalId", borrow)]
    principal_id: Text<'a>,
    #[serde(rename = "roleDefinitionId", borrow)]
    role: Text<'a>,
    #[serde(borrow, default)]
    principal: Option<Principal<'a>>,
}

#[derive(Deserialize)]
struct Principal<'a> {
    #[serde(rename = "@odata.type", borrow, default)]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
}
