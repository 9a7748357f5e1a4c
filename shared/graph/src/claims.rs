//! What a token says about us. Read without verifying its signature: access tokens are for Graph to verify, and what is
//! read here came over TLS from the token endpoint in answer to our own request. It is shown and compared with what we
//! asked for; it never lets anybody else in.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hardmatch_ports::identity::Grant;
use hardmatch_ports::tenant::{Granted, Retry, TenantError};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::token_error;
use crate::user::object_id;

/// Padded or not.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
pub(crate) const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
pub(crate) const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Of an access token.
/// <https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Claims {
    roles: Vec<String>,
    scp: Option<String>,
    oid: Option<String>,
    tid: Option<String>,
    exp: Option<i64>,
    /// Client id in tokens of version 1.0, which Graph's are.
    appid: Option<String>,
    /// Client id in tokens of version 2.0.
    azp: Option<String>,
}

impl Claims {
    /// Nothing for a token that is no JWT.
    pub(crate) fn of(token: &str) -> Option<Self> {
        payload(token)
    }

    /// Whether it is for an administrator who signed in, not for the application itself.
    pub(crate) fn is_delegated(&self) -> bool {
        self.scp.is_some()
    }

    pub(crate) fn tenant(&self) -> Option<&str> {
        self.tid.as_deref()
    }

    pub(crate) fn client(&self) -> Option<&str> {
        self.appid.as_deref().or(self.azp.as_deref())
    }

    fn permissions(&self) -> BTreeSet<String> {
        match &self.scp {
            Some(scopes) => scopes.split_whitespace().map(str::to_owned).collect(),
            None => self.roles.iter().cloned().collect(),
        }
    }
}

/// The claims of a JWT; the encoding may be padded, and of either alphabet.
pub(crate) fn payload<T: DeserializeOwned>(token: &str) -> Option<T> {
    let payload = token.split('.').nth(1)?;
    let bytes = URL_SAFE.decode(payload).or_else(|_| STANDARD.decode(payload)).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Permissions, principal and tenant of a token; nothing for a token that is no JWT.
pub(crate) fn granted(token: &str) -> Granted {
    let claims = Claims::of(token).unwrap_or_default();
    let permissions = claims.permissions().into_iter().collect();
    Granted { permissions, principal: claims.oid.as_deref().map(object_id), tenant: claims.tid }
}

/// What an access token carries: tenant, permissions (application or delegated), end.
///
/// # Errors
/// A token that cannot be read, as those of a stand-in or of another resource than Graph may be: nothing is known about
/// it then, least of all that consent was given.
pub fn claims_of(access: &SecretString) -> Result<Grant, TenantError> {
    let claims = Claims::of(access.expose_secret()).ok_or_else(opaque)?;
    let permissions = claims.permissions();
    let expires = claims.exp.and_then(|exp| Timestamp::from_second(exp).ok());
    match (claims.tid, expires) {
        (Some(tenant), Some(expires)) => Ok(Grant { tenant: tenant.to_ascii_lowercase(), permissions, expires }),
        _ => Err(opaque()),
    }
}

fn opaque() -> TenantError {
    token_error::local(
        Retry::Never,
        "opaque_token",
        "The access token cannot be read, so its tenant and permissions are unknown. Check that the Graph URL of \
         tenant.cloud is Microsoft Graph's: tokens for it can be read.",
    )
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{URL_SAFE as PADDED, URL_SAFE_NO_PAD};

    use super::*;

    const APPLICATION: &str = r#"{"roles":["User.ReadWrite.All","Domain.Read.All"],"oid":"AA000000-0000-0000-0000-000000000001","tid":"T","exp":1768482000}"#;

    fn secret(payload: &str) -> SecretString {
        SecretString::from(format!("e30.{}.x", URL_SAFE_NO_PAD.encode(payload)))
    }

    #[test]
    fn roles_are_read_and_sorted() {
        let granted = granted(secret(APPLICATION).expose_secret());
        assert_eq!(granted.permissions, ["Domain.Read.All", "User.ReadWrite.All"]);
        assert_eq!(granted.principal.unwrap().as_str(), "aa000000-0000-0000-0000-000000000001");
        assert_eq!(granted.tenant.as_deref(), Some("T"));
    }

    #[test]
    fn a_token_that_is_no_jwt_grants_nothing_and_is_no_error() {
        for token in ["opaque", "", "a.b.c", "..", "e30.e30.e30"] {
            assert_eq!(granted(token), Granted { permissions: vec![], principal: None, tenant: None }, "{token}");
        }
    }

    #[test]
    fn a_grant_names_tenant_permissions_and_end() {
        let grant = claims_of(&secret(APPLICATION)).unwrap();
        assert_eq!(grant.tenant, "t");
        assert_eq!(
            grant.permissions.iter().map(String::as_str).collect::<Vec<_>>(),
            ["Domain.Read.All", "User.ReadWrite.All"]
        );
        assert_eq!(grant.expires.as_second(), 1_768_482_000);
        let delegated =
            secret(r#"{"scp":"User.ReadWrite.All Domain.Read.All","tid":"t","exp":1768482000,"roles":["x"]}"#);
        assert_eq!(claims_of(&delegated).unwrap().permissions, grant.permissions);
    }

    #[test]
    fn padding_and_the_other_alphabet_are_read_too() {
        let text = r#"{"tid":"t??>","exp":1768482000,"a":"??>"}"#;
        let padded = PADDED.encode(text);
        let standard = base64::engine::general_purpose::STANDARD.encode(text);
        assert!(standard != padded && padded.ends_with('='), "{standard}");
        for payload in [padded, standard] {
            let token = SecretString::from(format!("e30.{payload}.x"));
            assert_eq!(claims_of(&token).unwrap().tenant, "t??>");
        }
    }

    #[test]
    fn an_opaque_token_is_an_error_with_a_remedy() {
        for token in ["opaque", "e30.e30.e30", "a.b.c"] {
            let error = claims_of(&SecretString::from(token)).unwrap_err();
            assert_eq!((error.code.as_str(), error.retry), ("opaque_token", Retry::Never));
            assert!(error.message.contains("tenant.cloud"));
        }
        let endless = secret(r#"{"tid":"t"}"#);
        assert_eq!(claims_of(&endless).unwrap_err().code, "opaque_token");
    }
}
