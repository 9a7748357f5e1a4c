//! What concerns immutable IDs and federated sign-in. What the permissions withhold is passed over: none of it is needed to
//! write accounts.

use hardmatch_ports::tenant::Organization;
use hardmatch_ports::{Check, CheckState};

use crate::{Side, check, good};

/// Domains that are looked at one by one.
const DOMAINS: usize = 10;

pub(crate) async fn look(side: &Side, organization: &Organization) -> Vec<Check> {
    let mut checks = vec![check(
        "anchors",
        CheckState::Ok,
        "Each account's immutable ID is looked at by the audit.",
        "hardmatch repair audit",
    )];
    let federated: Vec<&str> = organization
        .domains
        .iter()
        .filter(|(_, domain)| domain.federated && domain.verified)
        .map(|(name, _)| name.as_str())
        .collect();
    for name in federated.iter().take(DOMAINS) {
        let Ok(Some(federation)) = side.client.federation_of(name).await else { continue };
        let protocol = federation.protocol.as_deref().unwrap_or("an unknown protocol");
        checks.push(if federation.active {
            good("federation", format!("{name} signs in by {protocol}, and has an address for WS-Trust."))
        } else {
            check(
                "federation",
                CheckState::Ok,
                format!("{name} signs in by {protocol}, and has no address for WS-Trust (activeSignInUri)."),
                "Older clients and the hybrid join of devices need one: look whether the identity provider offers it.",
            )
        });
    }
    if !federated.is_empty()
        && let Ok(Some(validation)) = side.client.token_validation().await
    {
        let open: Vec<&str> = federated.iter().copied().filter(|name| !validation.covers(name)).collect();
        if !open.is_empty() {
            checks.push(check(
                "anchors",
                CheckState::Warn,
                format!("Federated tokens are not validated for {}: any federated identity provider of the tenant can assert any immutable ID.", open.join(", ")),
                "Set the policy before an immutable ID is written there: https://learn.microsoft.com/graph/api/resources/federatedtokenvalidationpolicy",
            ));
        }
    }
    if let Ok(Some(switches)) = side.client.sync_switches().await
        && switches.object_identifier_open
    {
        checks.push(check(
            "anchors",
            CheckState::Warn,
            "The opt-out of Microsoft's hardening is open (allowOnPremUpdateOfOnPremisesObjectIdentifierEnabled).",
            "Set it to false when the migration that needs it is over.",
        ));
    }
    if let Ok(Some(true)) = side.client.has_hybrid_devices().await {
        checks.push(check(
            "devices",
            CheckState::Ok,
            "Devices of the tenant are hybrid joined.",
            "Devices are not ours: hybrid join goes on through Entra Connect, which must stay for it.",
        ));
    }
    checks
}
