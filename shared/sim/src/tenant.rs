//! Organization, domains, federation, directory roles and the app's own service principal.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer::{Answer, Outcome, Refusal};
use crate::options;
use crate::query::Query;
use crate::rng::stable_uuid;
use crate::seed::{DomainType, SeedDomain};
use crate::serve::Ask;
use crate::state::State;

/// Keeps the selected members.
pub(crate) fn project(values: Vec<Value>, query: &Query) -> Vec<Value> {
    let Some(select) = query.get("$select") else { return values };
    let names: Vec<&str> = select.split(',').map(str::trim).collect();
    values
        .into_iter()
        .map(|value| match value {
            Value::Object(map) => {
                Value::Object(map.into_iter().filter(|(k, _)| k == "id" || names.contains(&k.as_str())).collect())
            }
            other => other,
        })
        .collect()
}

impl State {
    /// <https://learn.microsoft.com/graph/api/directoryobject-getavailableextensionproperties>
    pub(crate) fn available_extensions(&self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&[])?;
        let body = ask.body()?;
        if let Some(name) = body.keys().find(|name| *name != "isSyncedFromOnPremises") {
            return Err(Refusal::unknown(format!("'{name}' in getAvailableExtensionProperties")));
        }
        let rows: Vec<Value> = self
            .extensions
            .iter()
            .filter(|_| !self.options.many_service_principals)
            .map(|known| {
                json!({
                    "name": known.name,
                    "dataType": known.data_type,
                    "isMultiValued": false,
                    "isSyncedFromOnPremises": false,
                    "targetObjects": known.target_objects,
                })
            })
            .collect();
        Ok(Answer::json(200, &json!({ "@odata.context": self.context("directoryObjects"), "value": rows })))
    }

    fn collection(&self, ask: &Ask<'_>, set: &str, values: Vec<Value>) -> Answer {
        Answer::json(200, &json!({ "@odata.context": self.context(set), "value": project(values, &ask.query) }))
    }

    /// <https://learn.microsoft.com/graph/api/organization-get>
    pub(crate) fn organization(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&["$select"])?;
        let known = [
            "id",
            "displayName",
            "verifiedDomains",
            "onPremisesSyncEnabled",
            "onPremisesLastSyncDateTime",
            "countryLetterCode",
            "defaultUsageLocation",
            "tenantType",
            "assignedPlans",
        ];
        check_select(&ask.query, &known)?;
        let domains: Vec<Value> = self
            .domains
            .iter()
            .filter(|d| d.verified)
            .map(|d| {
                json!({
                    "name": d.name,
                    "type": kind(d),
                    "isDefault": d.default,
                    "isInitial": d.initial,
                    "capabilities": "Email, OfficeCommunicationsOnline",
                })
            })
            .collect();
        let o = &self.organization;
        let mut value = json!({
            "id": self.tenant.id,
            "displayName": self.tenant.display_name,
            "verifiedDomains": domains,
            "onPremisesSyncEnabled": o.on_premises_sync_enabled,
            "onPremisesLastSyncDateTime": o.on_premises_last_sync_date_time,
            "countryLetterCode": o.country_letter_code,
            "defaultUsageLocation": o.default_usage_location,
            "tenantType": "AAD",
            "assignedPlans": [],
        });
        // With a permission to read users only, three fields are filled.
        let full =
            ["Organization.Read.All", "Organization.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"];
        if !ask.caller.has_any(&full) {
            for name in &known[3..] {
                value[*name] = if *name == "assignedPlans" { json!([]) } else { Value::Null };
            }
        }
        if ask.key.is_empty() {
            return Ok(self.collection(ask, "organization", vec![value]));
        }
        if !ask.key.eq_ignore_ascii_case(&self.tenant.id) {
            return Err(Refusal::not_found(ask.key));
        }
        Ok(Answer::json(200, &project(vec![value], &ask.query).remove(0)))
    }

    /// <https://learn.microsoft.com/graph/api/domain-list>
    pub(crate) fn domains(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&["$select"])?;
        let values = self.domains.iter().map(domain).collect();
        Ok(self.collection(ask, "domains", values))
    }

    pub(crate) fn get_domain(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&["$select"])?;
        let found = self.domain(ask.key).map(domain).ok_or_else(|| Refusal::not_found(ask.key))?;
        Ok(Answer::json(200, &project(vec![found], &ask.query).remove(0)))
    }

    /// <https://learn.microsoft.com/graph/api/domain-list-federationconfiguration>
    pub(crate) fn federation(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&[])?;
        let domain = self.domain(ask.key).ok_or_else(|| Refusal::not_found(ask.key))?;
        if domain.kind == DomainType::Managed {
            // https://github.com/MicrosoftDocs/azure-docs/issues/107476
            return Err(Refusal::not_found("federationConfiguration"));
        }
        let mut values = Vec::new();
        if !domain.half_federated {
            let issuer =
                domain.issuer_uri.clone().unwrap_or_else(|| format!("http://fs.{}/adfs/services/trust", domain.name));
            let passive =
                domain.passive_sign_in_uri.clone().unwrap_or_else(|| format!("https://fs.{}/adfs/ls/", domain.name));
            values.push(json!({
                "id": stable_uuid(&["federation", &domain.name]).to_string(),
                "displayName": domain.name,
                "issuerUri": issuer,
                "metadataExchangeUri": null,
                "passiveSignInUri": passive,
                "activeSignInUri": null,
                "signOutUri": null,
                "preferredAuthenticationProtocol": "wsFed",
                "signingCertificate": "MIIC",
                "nextSigningCertificate": null,
                "signingCertificateUpdateStatus": null,
                "promptLoginBehavior": null,
                "isSignedAuthenticationRequestRequired": null,
                "federatedIdpMfaBehavior": "acceptIfMfaDoneByFederatedIdp",
                "passwordResetUri": null,
            }));
        }
        Ok(self.collection(ask, "domains/federationConfiguration", values))
    }

    /// <https://learn.microsoft.com/graph/api/onpremisesdirectorysynchronization-get>
    pub(crate) fn directory_synchronization(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&["$select"])?;
        let rules = &self.options.connect;
        let value = json!({
            "id": self.tenant.id,
            "configuration": {
                "accidentalDeletionPrevention": {
                    "synchronizationPreventionType": "enabledForCount", "alertThreshold": rules.deletion_threshold,
                },
            },
            "features": {
                "blockSoftMatchEnabled": rules.block_soft_match,
                "blockCloudObjectTakeoverThroughHardMatchEnabled": rules.block_hard_match,
                "softMatchOnUpnEnabled": rules.soft_match_on_upn,
                "quarantineUponProxyAddressesConflictEnabled": rules.quarantine_duplicates,
                "quarantineUponUpnConflictEnabled": rules.quarantine_duplicates,
                "allowOnPremUpdateOfOnPremisesObjectIdentifierEnabled": !rules.harden_object_identifier,
            },
        });
        Ok(self.collection(ask, "directory/onPremisesSynchronization", vec![value]))
    }

    /// Hybrid joined devices alone are kept, so a filter finds all of them.
    /// <https://learn.microsoft.com/graph/api/device-list>
    pub(crate) fn devices(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&["$filter", "$select", "$top"])?;
        let device = |number: u32| {
            let id = stable_uuid(&["device", &number.to_string()]).to_string();
            json!({ "id": id, "trustType": "ServerAd" })
        };
        let values = (0..self.options.hybrid_devices).map(device).collect();
        Ok(self.collection(ask, "devices", values))
    }

    /// <https://learn.microsoft.com/graph/api/federatedtokenvalidationpolicy-get>
    pub(crate) fn token_validation(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&["$select"])?;
        let domains = if self.options.federated_token_validation { "all" } else { "none" };
        let value = json!({
            "id": stable_uuid(&["token validation", &self.tenant.id]).to_string(),
            "deletedDateTime": null,
            "validatingDomains": { "@odata.type": "#microsoft.graph.allDomains", "rootDomains": domains },
        });
        Ok(Answer::json(200, &value))
    }

    fn may_read_roles(&self) -> Outcome<()> {
        if self.options.read_roles == options::Reaction::Refuse { Err(Refusal::denied()) } else { Ok(()) }
    }

    /// Only activated roles are listed: those that somebody holds.
    pub(crate) fn directory_roles(&mut self, ask: &Ask<'_>) -> Outcome {
        self.may_read_roles()?;
        ask.query.only(&["$select"])?;
        let values = self
            .roles
            .definitions()
            .into_iter()
            .filter(|(id, _, built_in)| *built_in && self.roles.active().any(|a| a.role == *id))
            .map(|(id, name, _)| {
                json!({
                    "id": self.activated(id).to_string(),
                    "displayName": name,
                    "description": name,
                    "roleTemplateId": id.to_string(),
                    "deletedDateTime": null,
                })
            })
            .collect();
        Ok(self.collection(ask, "directoryRoles", values))
    }

    /// An activated role has an id of its own in each tenant.
    fn activated(&self, template: Uuid) -> Uuid {
        stable_uuid(&["directoryRole", &self.tenant.id, &template.to_string()])
    }

    /// <https://learn.microsoft.com/graph/api/directoryrole-list-members>
    pub(crate) fn role_members(&mut self, ask: &Ask<'_>) -> Outcome {
        self.may_read_roles()?;
        ask.query.only(&["$select"])?;
        let by_template = ask.key.strip_prefix("roleTemplateId=").and_then(|t| Uuid::parse_str(t).ok());
        let by_id = Uuid::parse_str(ask.key).ok();
        let role = self
            .roles
            .definitions()
            .into_iter()
            .map(|(id, ..)| id)
            .find(|id| by_template == Some(*id) || (by_id.is_some() && by_id == Some(self.activated(*id))));
        let role =
            role.filter(|r| self.roles.active().any(|a| a.role == *r)).ok_or_else(|| Refusal::not_found(ask.key))?;
        let values =
            self.roles.active().filter(|a| a.role == role).filter_map(|a| self.principal_json(a.principal)).collect();
        Ok(self.collection(ask, "directoryObjects", values))
    }

    /// A role holder: user, group or service principal.
    fn principal_json(&self, id: Uuid) -> Option<Value> {
        if let Some(app) = self.apps.iter().find(|a| self.principal(&a.client_id) == id) {
            return Some(json!({
                "@odata.type": "#microsoft.graph.servicePrincipal",
                "id": id.to_string(),
                "appId": app.client_id,
                "displayName": app.display_name,
            }));
        }
        let object = self.dir.live(id)?;
        let mut value = object.json(crate::object::Mask(object.kind.defaults()));
        value["@odata.type"] = json!(object.kind.odata());
        Some(value)
    }

    /// <https://learn.microsoft.com/graph/api/rbacapplication-list-roleassignments>
    pub(crate) fn role_assignments(&mut self, ask: &Ask<'_>) -> Outcome {
        self.may_read_roles()?;
        self.list_assignments(ask, false)
    }

    /// Eligibilities are a matter of Privileged Identity Management: a tenant without a licence for it refuses.
    /// <https://learn.microsoft.com/graph/api/rbacapplication-list-roleeligibilityscheduleinstances>
    pub(crate) fn role_eligibilities(&mut self, ask: &Ask<'_>) -> Outcome {
        self.may_read_roles()?;
        let governs = |plan: &crate::seed::Plan| {
            ["AAD_PREMIUM_P2", "Entra_Identity_Governance"].contains(&plan.service_plan_name.as_str())
        };
        let licensed = self.skus.iter().any(|sku| sku.plans.iter().any(governs));
        if !licensed && !self.roles.assignments.iter().any(|a| a.eligible) {
            let message = "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license.";
            return Err(Refusal::new(400, "AadPremiumLicenseRequired", message));
        }
        self.list_assignments(ask, true)
    }

    fn list_assignments(&mut self, ask: &Ask<'_>, eligible: bool) -> Outcome {
        ask.query.only(&["$filter", "$expand", "$select", "$top", "$skiptoken"])?;
        let expand = match ask.query.get("$expand") {
            None => false,
            Some("principal") => true,
            Some(other) => return Err(Refusal::unknown(format!("$expand={other} on roleAssignments"))),
        };
        let filter = ask.query.get("$filter").map(equality).transpose()?;
        let mut values = Vec::new();
        for a in self.roles.assignments.iter().filter(|a| a.eligible == eligible) {
            let (principal, role) = (a.principal.to_string(), a.role.to_string());
            let fits = match &filter {
                None => true,
                Some((name, value)) if name == "principalId" => value.eq_ignore_ascii_case(&principal),
                Some((_, value)) => value.eq_ignore_ascii_case(&role),
            };
            let holder = self.principal_json(a.principal);
            let Some(holder) = holder.filter(|_| fits) else { continue };
            let mut value = json!({
                "id": stable_uuid(&["assignment", &principal, &role]).simple().to_string(),
                "principalId": principal,
                "roleDefinitionId": role,
                "directoryScopeId": "/",
            });
            if expand {
                value["principal"] = holder;
            }
            values.push(value);
        }
        let top = self.page_size(ask)?;
        let (start, end) = self.page_start(ask, values.len() as u64)?;
        let start = usize::try_from(start).unwrap_or(usize::MAX).min(values.len());
        let next = (values.len() - start > top).then_some(((start + top) as u64, end));
        let values: Vec<Value> = values.into_iter().skip(start).take(top).collect();
        let rows = json!(keep_principal(values, &ask.query)).to_string();
        let rows = rows.trim_start_matches('[').strip_suffix(']').unwrap_or_default().as_bytes().to_vec();
        let collection = if eligible { "roleEligibilityScheduleInstances" } else { "roleAssignments" };
        Ok(self.page(ask, &format!("roleManagement/directory/{collection}"), &rows, None, next))
    }

    pub(crate) fn role_definitions(&mut self, ask: &Ask<'_>) -> Outcome {
        self.may_read_roles()?;
        ask.query.only(&["$select"])?;
        let values = self
            .roles
            .definitions()
            .into_iter()
            .map(|(id, name, built_in)| {
                json!({
                    "id": id.to_string(),
                    "templateId": id.to_string(),
                    "displayName": name,
                    "isBuiltIn": built_in,
                    "isEnabled": true,
                })
            })
            .collect();
        Ok(self.collection(ask, "roleManagement/directory/roleDefinitions", values))
    }

    pub(crate) fn service_principal(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&["$select"])?;
        let app = self.apps.iter().find(|a| {
            ask.key.strip_prefix("appId=") == Some(a.client_id.as_str())
                || Uuid::parse_str(ask.key).is_ok_and(|id| id == self.principal(&a.client_id))
        });
        let app = app.ok_or_else(|| Refusal::not_found(ask.key))?;
        let value = json!({
            "id": self.principal(&app.client_id).to_string(),
            "appId": app.client_id,
            "displayName": app.display_name,
            "accountEnabled": !app.disabled,
            "servicePrincipalType": "Application",
        });
        Ok(Answer::json(200, &project(vec![value], &ask.query).remove(0)))
    }
}

fn keep_principal(values: Vec<Value>, query: &Query) -> Vec<Value> {
    let principals: Vec<Option<Value>> = values.iter().map(|v| v.get("principal").cloned()).collect();
    let mut projected = project(values, query);
    for (value, principal) in projected.iter_mut().zip(principals) {
        if let Some(principal) = principal {
            value["principal"] = principal;
        }
    }
    projected
}

/// `principalId eq '…'` or `roleDefinitionId eq '…'`.
fn equality(text: &str) -> Outcome<(String, String)> {
    let parts: Vec<&str> = text.split_whitespace().collect();
    match parts.as_slice() {
        [name @ ("principalId" | "roleDefinitionId"), "eq", value] => {
            Ok(((*name).to_owned(), value.trim_matches('\'').to_owned()))
        }
        _ => Err(Refusal::unknown(format!("the filter of roleAssignments with {} words", parts.len()))),
    }
}

/// Refuses a property that the resource does not have.
pub(crate) fn check_select(query: &Query, known: &[&str]) -> Outcome<()> {
    let unknown = query.get("$select").and_then(|s| s.split(',').map(str::trim).find(|n| !known.contains(n)));
    match unknown {
        None => Ok(()),
        Some(name) => Err(Refusal::unknown(format!("the property '{name}' in $select"))),
    }
}

fn kind(domain: &SeedDomain) -> &'static str {
    match domain.kind {
        DomainType::Managed => "Managed",
        DomainType::Federated => "Federated",
    }
}

/// <https://learn.microsoft.com/graph/api/resources/domain>
fn domain(d: &SeedDomain) -> Value {
    let managed = d.kind == DomainType::Managed;
    json!({
        "id": d.name,
        "authenticationType": kind(d),
        "availabilityStatus": null,
        "isAdminManaged": true,
        "isDefault": d.default,
        "isInitial": d.initial,
        "isRoot": d.name.matches('.').count() == 1 || d.initial,
        "isVerified": d.verified,
        "manufacturer": null,
        "model": null,
        "passwordNotificationWindowInDays": managed.then_some(14),
        "passwordValidityPeriodInDays": managed.then_some(2_147_483_647_u32),
        "state": null,
        "supportedServices": if d.verified { json!(["Email", "OfficeCommunicationsOnline"]) } else { json!([]) },
    })
}
