//! What a client learns before it signs anybody in: endpoints and keys
//! (<https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc>).

use serde_json::{Value, json};

use super::codes::{Granted, plainly};
use super::keys::SigningKey;
use crate::answer::Answer;
use crate::state::State;

impl State {
    /// `/{tenant}/v2.0/.well-known/openid-configuration`.
    pub(crate) fn metadata(&mut self, tenant: &str) -> Answer {
        if let Err(why) = self.check_named_or_alias(tenant) {
            return self.denial(&why);
        }
        let base = &self.base;
        // Where no tenant is named, neither is an issuer.
        let (at, issuer) = if Self::is_alias(tenant) {
            (tenant.to_ascii_lowercase(), format!("{base}/{{tenantid}}/v2.0"))
        } else {
            (self.tenant.id.clone(), self.issuer())
        };
        let endpoint = |path: &str| format!("{base}/{at}/{path}");
        Answer::json(
            200,
            &json!({
                "issuer": issuer,
                "authorization_endpoint": endpoint("oauth2/v2.0/authorize"),
                "token_endpoint": endpoint("oauth2/v2.0/token"),
                "jwks_uri": endpoint("discovery/v2.0/keys"),
                "token_endpoint_auth_methods_supported":
                    ["client_secret_post", "private_key_jwt", "client_secret_basic"],
                "response_modes_supported": ["query", "fragment", "form_post"],
                "response_types_supported": ["code"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "preferred_username", "name", "tid", "ver", "email"],
                "tenant_region_scope": if Self::is_alias(tenant) { Value::Null } else { json!("EU") },
                "cloud_instance_name": "microsoftonline.com",
                "msgraph_host": "graph.microsoft.com",
            }),
        )
    }

    /// `/{tenant}/discovery/v2.0/keys`: the key in use, and the one before it.
    pub(crate) fn signing_keys(&mut self, tenant: &str) -> Answer {
        if let Err(why) = self.check_named_or_alias(tenant) {
            return self.denial(&why);
        }
        let issuer = self.issuer();
        let last = self.entra.rollovers;
        let keys: Option<Vec<Value>> =
            (last.saturating_sub(1)..=last).map(|n| SigningKey::after(n)?.public(&issuer)).collect();
        match keys {
            Some(keys) => Answer::json(200, &json!({ "keys": keys })),
            None => self.denial(&plainly(90033)),
        }
    }

    fn check_named_or_alias(&self, tenant: &str) -> Granted<()> {
        if Self::is_alias(tenant) { Ok(()) } else { self.check_tenant(tenant) }
    }
}
