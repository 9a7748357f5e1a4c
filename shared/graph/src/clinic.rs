//! What decides whether an immutable ID that is written can be used, and by whom: switches of directory synchronization, the
//! check of federated tokens, and marks that Entra Connect left on accounts. Read for an audit; each may be withheld by
//! permissions, which is `None`.

use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::tenant::{Cursor, ListPage, TenantError};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::client::GraphClient;
use crate::read::items;
use crate::user::object_id;

/// Switches of directory synchronization.
/// <https://learn.microsoft.com/graph/api/resources/onpremisesdirectorysynchronizationfeature>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncSwitches {
    /// Whether Entra Connect may still change `onPremisesObjectIdentifier` of an account: the opt-out of the hardening of
    /// 2026, which lets an account be taken over through a changed anchor.
    pub object_identifier_open: bool,
    /// Whether Entra Connect may take cloud accounts over by hard match.
    pub hard_match_open: bool,
    /// Whether Entra Connect may take cloud accounts over by soft match.
    pub soft_match_open: bool,
}

/// For which root domains tokens of a federated identity provider are checked against the domain of the person.
/// <https://learn.microsoft.com/graph/api/resources/federatedtokenvalidationpolicy>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenValidation {
    /// `none`, `all`, `allFederated`, `allManaged`, `enumerated` or `allManagedAndEnumeratedFederated`.
    pub root_domains: String,
    /// The domains that are enumerated, lower-case.
    pub domains: Vec<String>,
}

impl TokenValidation {
    /// Whether tokens for people of a federated domain are checked. A domain counts with its root domain.
    pub fn covers(&self, domain: &str) -> bool {
        let enumerated = || {
            let domain = domain.to_lowercase();
            self.domains.iter().any(|root| domain == *root || domain.ends_with(&format!(".{root}")))
        };
        match self.root_domains.as_str() {
            "all" | "allFederated" => true,
            "enumerated" | "allManagedAndEnumeratedFederated" => enumerated(),
            _ => false,
        }
    }
}

/// How a domain is federated. <https://learn.microsoft.com/graph/api/resources/internaldomainfederation>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DomainFederation {
    /// `wsFed` or `saml`.
    pub protocol: Option<String>,
    /// Whether an address for rich clients (WS-Trust, `activeSignInUri`) is set.
    pub active: bool,
}

/// When somebody signed in to an account for the last time.
/// <https://learn.microsoft.com/graph/api/resources/signinactivity>
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LastSignIn {
    /// At this time, as the tenant writes it.
    At(String),
    /// Never since April 2020, when the tenant began to keep it.
    Never,
    /// The permission `AuditLog.Read.All` or a plan of Entra ID P1 is missing.
    Withheld,
}

impl GraphClient {
    /// When somebody signed in to an account for the last time, interactively or not. Asked for one account: the property is
    /// not kept in the directory, and a listing may refuse it.
    ///
    /// # Errors
    /// The tenant does not answer.
    pub async fn last_sign_in(&self, account: &ObjectId) -> Result<LastSignIn, TenantError> {
        let url = self.url(&format!("/users/{}?$select=id,signInActivity", crate::query::escaped(account.as_str())));
        let read = self.wire.read("/users/{id}", &url, self.read_priority, |body| {
            let user: Active = serde_json::from_slice(body)?;
            let SignIns { interactive, other } = user.activity.unwrap_or_default();
            // Both are written as UTC in the same form, which sorts as text.
            Ok(interactive.max(other).map_or(LastSignIn::Never, LastSignIn::At))
        });
        Ok(permitted(read.await)?.unwrap_or(LastSignIn::Withheld))
    }

    /// The switches of directory synchronization.
    ///
    /// # Errors
    /// The tenant does not answer.
    pub async fn sync_switches(&self) -> Result<Option<SyncSwitches>, TenantError> {
        let path = "/directory/onPremisesSynchronization";
        let found = self.list_all(path, path, |body| {
            items(body, |one: Synchronization, out| {
                let Features { object_identifier, hard_match, soft_match } = one.features.unwrap_or_default();
                out.push(SyncSwitches {
                    object_identifier_open: object_identifier.unwrap_or(false),
                    hard_match_open: !hard_match.unwrap_or(false),
                    soft_match_open: !soft_match.unwrap_or(false),
                });
                Some(())
            })
        });
        Ok(permitted(found.await)?.and_then(|mut found| found.pop()))
    }

    /// The check of federated tokens.
    ///
    /// # Errors
    /// The tenant does not answer.
    pub async fn token_validation(&self) -> Result<Option<TokenValidation>, TenantError> {
        let path = "/policies/federatedTokenValidationPolicy";
        let url = self.url(path);
        let read = self.wire.read(path, &url, self.read_priority, |body| {
            let policy: Policy = serde_json::from_slice(body)?;
            let Validating { root_domains, domain_names } = policy.validating_domains.unwrap_or_default();
            Ok(TokenValidation {
                root_domains: root_domains.unwrap_or_else(|| "none".to_owned()),
                domains: domain_names.unwrap_or_default().iter().map(|name| name.to_lowercase()).collect(),
            })
        });
        permitted(read.await)
    }

    /// Accounts with `onPremisesObjectIdentifier`, which Entra Connect set and which blocks another hard match. Microsoft
    /// shows it in beta only.
    ///
    /// # Errors
    /// The tenant does not answer.
    pub async fn object_identifiers(&self) -> Result<Option<Vec<ObjectId>>, TenantError> {
        let marked = |body: &[u8]| {
            items(body, |user: Marked, out| {
                if user.identifier.is_some_and(|identifier| !identifier.is_empty()) {
                    out.push(object_id(&user.id));
                }
                Some(())
            })
        };
        let root = self.base.trim_end_matches("v1.0");
        let mut page = Cursor(format!("{root}beta/users?$select=id,onPremisesObjectIdentifier&$top=500"));
        let mut all = Vec::new();
        loop {
            let found = permitted(self.list("/users", Some(&page), "", marked).await)?;
            let Some(ListPage { items, next }) = found else { return Ok(None) };
            all.extend(items);
            match next {
                Some(next) => page = next,
                None => return Ok(Some(all)),
            }
        }
    }

    /// Accounts that Entra Connect could not write whole, with each value that is in the way, as `property value`.
    /// <https://learn.microsoft.com/graph/api/resources/onpremisesprovisioningerror>
    ///
    /// # Errors
    /// The tenant does not answer.
    pub async fn provisioning_errors(&self) -> Result<Vec<(ObjectId, Vec<String>)>, TenantError> {
        let path = "/users?$select=id,onPremisesProvisioningErrors&$top=999";
        self.list_all("/users", path, |body| {
            items(body, |user: Quarantined, out| {
                let errors = user.errors.unwrap_or_default();
                let said = |error: ProvisioningError| {
                    let property = error.property.unwrap_or_else(|| "a property".to_owned());
                    format!("{property} {}", error.value.unwrap_or_default())
                };
                if !errors.is_empty() {
                    out.push((object_id(&user.id), errors.into_iter().map(said).collect()));
                }
                Some(())
            })
        })
        .await
    }

    /// Whether a device of the tenant is hybrid joined (`trustType` is `ServerAd`).
    /// <https://learn.microsoft.com/graph/api/device-list>
    ///
    /// # Errors
    /// The tenant does not answer.
    pub async fn has_hybrid_devices(&self) -> Result<Option<bool>, TenantError> {
        let path = "/devices?$filter=trustType%20eq%20'ServerAd'&$select=id&$top=1";
        let found = self.list("/devices", None, path, |body| {
            items(body, |_: IgnoredAny, out| {
                out.push(());
                Some(())
            })
        });
        Ok(permitted(found.await)?.map(|page| !page.items.is_empty()))
    }

    /// How a domain is federated; `None` also where nothing is configured.
    ///
    /// # Errors
    /// The tenant does not answer.
    pub async fn federation_of(&self, domain: &str) -> Result<Option<DomainFederation>, TenantError> {
        let name = crate::query::escaped(domain);
        let path = format!("/domains/{name}/federationConfiguration");
        let found = self.list_all("/domains/{id}/federationConfiguration", &path, |body| {
            items(body, |one: Federation, out| {
                out.push(DomainFederation {
                    protocol: one.protocol,
                    active: one.active.is_some_and(|address| !address.is_empty()),
                });
                Some(())
            })
        });
        Ok(permitted(found.await)?.and_then(|mut found| found.pop()))
    }
}

/// `None` where the permissions or the tenant do not have it.
fn permitted<T>(answer: Result<T, TenantError>) -> Result<Option<T>, TenantError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_forbidden() || matches!(error.status, 400 | 404 | 501) => Ok(None),
        Err(error) => Err(error),
    }
}

#[derive(Deserialize)]
struct Synchronization {
    features: Option<Features>,
}

#[derive(Default, Deserialize)]
struct Features {
    #[serde(rename = "allowOnPremUpdateOfOnPremisesObjectIdentifierEnabled")]
    object_identifier: Option<bool>,
    #[serde(rename = "blockCloudObjectTakeoverThroughHardMatchEnabled")]
    hard_match: Option<bool>,
    #[serde(rename = "blockSoftMatchEnabled")]
    soft_match: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    validating_domains: Option<Validating>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Validating {
    root_domains: Option<String>,
    domain_names: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Active {
    #[serde(rename = "signInActivity")]
    activity: Option<SignIns>,
}

#[derive(Default, Deserialize)]
struct SignIns {
    #[serde(rename = "lastSignInDateTime")]
    interactive: Option<String>,
    #[serde(rename = "lastNonInteractiveSignInDateTime")]
    other: Option<String>,
}

#[derive(Deserialize)]
struct Marked {
    id: String,
    #[serde(rename = "onPremisesObjectIdentifier")]
    identifier: Option<String>,
}

#[derive(Deserialize)]
struct Quarantined {
    id: String,
    #[serde(rename = "onPremisesProvisioningErrors")]
    errors: Option<Vec<ProvisioningError>>,
}

#[derive(Deserialize)]
struct ProvisioningError {
    #[serde(rename = "propertyCausingError")]
    property: Option<String>,
    value: Option<String>,
}

#[derive(Deserialize)]
struct Federation {
    #[serde(rename = "preferredAuthenticationProtocol")]
    protocol: Option<String>,
    #[serde(rename = "activeSignInUri")]
    active: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_validation_covers_domains_with_their_roots() {
        let policy =
            |kind: &str| TokenValidation { root_domains: kind.to_owned(), domains: vec!["fed.com".to_owned()] };
        for (kind, domain, covered) in [
            ("none", "fed.com", false),
            ("allManaged", "fed.com", false),
            ("all", "other.com", true),
            ("allFederated", "other.com", true),
            ("enumerated", "Fed.com", true),
            ("enumerated", "sub.fed.com", true),
            ("enumerated", "notfed.com", false),
            ("allManagedAndEnumeratedFederated", "other.com", false),
        ] {
            assert_eq!(policy(kind).covers(domain), covered, "{kind} {domain}");
        }
    }
}
