//! What our own token says about us. Read without verifying: it is shown, and never trusted for anything.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hardmatch_ports::tenant::Granted;
use serde::Deserialize;

use crate::user::object_id;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Claims {
    roles: Vec<String>,
    oid: Option<String>,
    tid: Option<String>,
}

/// Permissions, principal and tenant of a token; nothing for a token that is no JWT.
/// <https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>
pub(crate) fn granted(token: &str) -> Granted {
    let claims = token
        .split('.')
        .nth(1)
        .and_then(|payload| URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok())
        .and_then(|payload| serde_json::from_slice::<Claims>(&payload).ok())
        .unwrap_or_default();
    let mut permissions = claims.roles;
    permissions.sort();
    Granted { permissions, principal: claims.oid.as_deref().map(object_id), tenant: claims.tid }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_and_sorted() {
        let payload = r#"{"roles":["User.ReadWrite.All","Domain.Read.All"],"oid":"AA000000-0000-0000-0000-000000000001","tid":"t"}"#;
        let token = format!("e30.{}.x", URL_SAFE_NO_PAD.encode(payload));
        let granted = granted(&token);
        assert_eq!(granted.permissions, ["Domain.Read.All", "User.ReadWrite.All"]);
        assert_eq!(granted.principal.unwrap().as_str(), "aa000000-0000-0000-0000-000000000001");
        assert_eq!(granted.tenant.as_deref(), Some("t"));
    }

    #[test]
    fn a_token_that_is_no_jwt_grants_nothing_and_is_no_error() {
        for token in ["opaque", "", "a.b.c", "..", "e30.e30.e30"] {
            assert_eq!(granted(token), Granted { permissions: vec![], principal: None, tenant: None }, "{token}");
        }
    }
}
