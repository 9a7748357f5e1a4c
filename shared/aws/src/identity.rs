//! The role's own identity as a signed token, from AWS STS: what Entra ID trusts in place of a secret.

use async_trait::async_trait;
use aws_sdk_sts::Client;
use aws_sdk_sts::error::ProvideErrorMetadata as _;
use hardmatch_ports::credentials::{CredentialError, WebIdentity};
use secrecy::SecretString;

use crate::failure::sentence;

/// How long a token lives, in seconds: long enough for one token request, and the shortest default of the service.
const LIFE: i32 = 300;
/// What Entra ID verifies. <https://learn.microsoft.com/entra/workload-id/workload-identity-federation>
const ALGORITHM: &str = "RS256";

/// Tokens of `GetWebIdentityToken`, from the regional endpoint (the global one does not give them).
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html>
#[derive(Clone, Debug)]
pub struct StsWebIdentity {
    client: Client,
}

impl StsWebIdentity {
    /// Over a client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

#[async_trait]
impl WebIdentity for StsWebIdentity {
    async fn token(&self, audience: &str) -> Result<SecretString, CredentialError> {
        let request =
            self.client.get_web_identity_token().audience(audience).duration_seconds(LIFE).signing_algorithm(ALGORITHM);
        let answer = request.send().await.map_err(|error| {
            CredentialError(match error.code() {
                Some("OutboundWebIdentityFederationDisabled" | "OutboundWebIdentityFederationDisabledException") => {
                    "this AWS account gives its roles no tokens for other services. An administrator of the account \
                     switches it on once: aws iam enable-outbound-web-identity-federation"
                        .to_owned()
                }
                _ => sentence("sts:GetWebIdentityToken", &format!("the audience {audience}"), &error),
            })
        })?;
        answer
            .web_identity_token
            .map(SecretString::from)
            .ok_or_else(|| CredentialError("AWS STS answered without a token. Try again".to_owned()))
    }
}
