//! What is looked at after a repair: whether the person can sign in, as far as that shows without signing in.

use hardmatch_domain::ids::{ImmutableId, PersonKey, PersonRef};
use hardmatch_ports::{TenantRead as _, TenantWrite as _};
use serde::Serialize;

use crate::engine::Engine;
use crate::fail::Failure;

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(crate) struct AfterRepair {
    what: &'static str,
    pub(super) ok: bool,
    pub(super) said: String,
}

/// Looks at a person's account as the tenant has it now; empty where they have none.
pub(super) async fn after(engine: &Engine, key: &PersonKey) -> Result<Vec<AfterRepair>, Failure> {
    let who = PersonRef { connection: engine.connection().clone(), key: key.clone() };
    let (store, scope) = (engine.store(), &engine.deciding.scope);
    let linked = (store.person(&who).await?, store.link_of(scope, &who).await?);
    let (Some(record), Some(link)) = linked else { return Ok(Vec::new()) };
    let client = &engine.side.client;
    let account = client.account(&link.value.account).await.map_err(|error| Failure::run(engine.side.said(&error)))?;
    let Some(account) = account else { return Ok(Vec::new()) };
    let person = &record.person;
    let upn = account.upn().unwrap_or_default();
    let mut checks = Vec::new();
    let mut look = |what, ok, said| checks.push(AfterRepair { what, ok, said });
    let theirs = account.immutable_id.as_ref().map_or("none", ImmutableId::as_str);
    match person.immutable_id() {
        Some(ours) => look(
            "immutable_id",
            theirs == ours.as_str(),
            format!("the source says the immutable ID {}, the tenant has {theirs}", ours.as_str()),
        ),
        None => look("immutable_id", true, format!("the source has no immutable ID, the tenant has {theirs}")),
    }
    if let Some(ours) = person.upn() {
        look(
            "sign_in_name",
            ours.to_lowercase() == upn.to_lowercase(),
            format!("the source says the sign-in name {ours}, the tenant has {upn}"),
        );
    }
    match (account.enabled, person.enabled) {
        (Some(true), _) => look("enabled", true, "sign-in is allowed".to_owned()),
        (_, Some(false)) => look("enabled", true, "sign-in is blocked, as the source says".to_owned()),
        _ => look("enabled", false, "sign-in is blocked".to_owned()),
    }
    let domain = upn.rsplit_once('@').map(|(_, domain)| domain.to_lowercase()).unwrap_or_default();
    let domains = client.domains().await.map_err(|error| Failure::run(engine.side.said(&error)))?;
    let found = domains.get(&domain);
    look("domain", found.is_some_and(|domain| domain.verified), format!("{domain} is verified"));
    if found.is_some_and(|domain| domain.federated) {
        let federation = client.federation_of(&domain).await.map_err(|error| Failure::run(engine.side.said(&error)))?;
        let said = match federation.as_ref().map(|federation| federation.protocol.as_deref()) {
            Some(protocol) => format!("{domain} signs in by {}", protocol.unwrap_or("an unknown protocol")),
            None => format!("{domain} is federated, and how is not configured or may not be read"),
        };
        look("federation", federation.is_some(), said);
    }
    Ok(checks)
}
