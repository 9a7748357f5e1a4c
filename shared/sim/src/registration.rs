//! Applications as a tenant knows them: how they prove who they are, what they may, what was consented.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An application with its service principal in this tenant.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not a mode")]
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct App {
    /// The application (client) id.
    pub client_id: String,
    /// Shown for its service principal.
    #[serde(default)]
    pub display_name: String,
    /// The client secret.
    #[serde(default)]
    pub secret: Option<String>,
    /// More client secrets, each with its own end.
    #[serde(default)]
    pub secrets: Vec<AppSecret>,
    /// Certificates (<https://learn.microsoft.com/entra/identity-platform/certificate-credentials>).
    #[serde(default)]
    pub key_credentials: Vec<KeyCredential>,
    /// Trust in tokens of other issuers
    /// (<https://learn.microsoft.com/entra/workload-id/workload-identity-federation>).
    #[serde(default)]
    pub federated_identity_credentials: Vec<RegisteredCredential>,
    /// It has no credential and must not present one.
    #[serde(default)]
    pub public_client: bool,
    /// People of any tenant may sign in.
    #[serde(default)]
    pub multi_tenant: bool,
    /// Where codes and consent answers may go. Compared exactly, but for the port of a loopback address
    /// (<https://learn.microsoft.com/entra/identity-platform/reply-url>).
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Application permissions of the registration; once consented, the token's `roles`.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Delegated permissions of the registration; once consented, what `scp` may hold.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Whether an administrator has consented before the story begins. Default granted.
    #[serde(default)]
    pub consent: Consent,
    /// Permissions that consent leaves out.
    #[serde(default)]
    pub withheld: Vec<String>,
    /// Directory roles of its service principal, by name.
    #[serde(default)]
    pub directory_roles: Vec<String>,
    /// The secret has expired.
    #[serde(default)]
    pub secret_expired: bool,
    /// The application is disabled in the tenant.
    #[serde(default)]
    pub disabled: bool,
}

impl App {
    /// An app with these permissions, consented as application permissions.
    pub fn new(client_id: &str, secret: &str, roles: &[&str]) -> Self {
        Self {
            client_id: client_id.to_owned(),
            display_name: "hardmatch".to_owned(),
            secret: Some(secret.to_owned()),
            roles: roles.iter().map(|r| (*r).to_owned()).collect(),
            ..Self::default()
        }
    }
}

/// Whether an administrator agreed to what an application asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consent {
    /// Yes, long ago.
    #[default]
    Granted,
    /// Not yet: it takes the consent page, or [`crate::World::grant_consent`].
    Missing,
}

/// A client secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AppSecret {
    /// The secret itself.
    pub value: String,
    /// From then on it is refused, by the tenant's clock. Absent is never.
    #[serde(default)]
    pub expires: Option<jiff::Timestamp>,
}

/// A certificate registered on an application. The names are Graph's; only `key` matters here.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct KeyCredential {
    /// The certificate: PEM, or base64 of its DER bytes.
    pub key: String,
    /// Base64 of its thumbprint.
    #[serde(default)]
    pub custom_key_identifier: Option<String>,
    /// A name for people.
    #[serde(default)]
    pub display_name: Option<String>,
    /// A GUID.
    #[serde(default)]
    pub key_id: Option<String>,
    /// `AsymmetricX509Cert`.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// `Verify`.
    #[serde(default)]
    pub usage: Option<String>,
}

/// Trust in an issuer's tokens for one subject.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RegisteredCredential {
    /// A name for people.
    #[serde(default)]
    pub name: String,
    /// Equals the token's `iss`, to the letter.
    pub issuer: String,
    /// Equals the token's `sub`, to the letter.
    pub subject: String,
    /// Exactly one; equals the token's `aud`.
    #[serde(default = "exchange")]
    pub audiences: Vec<String>,
    /// The issuer's public keys, as a JSON Web Key Set.
    #[serde(default)]
    pub jwks: Option<Value>,
    /// Whether signatures are checked. Default verified.
    #[serde(default)]
    pub signature: Signature,
    /// When the record was made. Within [`crate::Options::federation_delay_seconds`] of it, token requests fail now
    /// and then.
    #[serde(default)]
    pub created: Option<jiff::Timestamp>,
}

/// The one audience that the documentation recommends.
fn exchange() -> Vec<String> {
    vec!["api://AzureADTokenExchange".to_owned()]
}

/// What is done about the signature of another issuer's token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signature {
    /// It is verified with the issuer's keys, as Entra does.
    #[default]
    Verified,
    /// It is not looked at: for local stand-ins of a token service, whose tokens nobody can verify.
    Unverified,
}
