//! The identity platform for the connect function: where a browser is sent for consent and sign-in, what comes back for
//! a code, and the proof that consent was given.
//!
//! Every URL is built from the configured login root; none is taken from an answer.
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow>

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_ports::identity::{Authorization, Explained, Grant, IdentityPlatform, SignedIn};
use hardmatch_ports::tenant::{Retry, TenantError};
use hardmatch_ports::tokens::KeptToken;
use oauth2::basic::BasicClient;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::claims::claims_of;
use crate::endpoint::{Ask, Endpoint, Patience};
use crate::options::{GraphOptions, OptionsError, root, with_resource};
use crate::{aadsts, id_token, token_error};

/// Below the half minute that a function behind an HTTP API has to answer.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
const SETTLE: Duration = Duration::from_secs(20);

/// The Microsoft identity platform, for one connection.
pub struct EntraPlatform {
    pub(crate) endpoint: Endpoint,
    /// The login root.
    pub(crate) login: Url,
    /// As it is configured.
    pub(crate) tenant: String,
    /// The directory id, where it is configured by it.
    tenant_id: Option<String>,
    scope: String,
    settle: Duration,
}

impl EntraPlatform {
    /// From the options of the connection's client, checked as there. The token store and the grant are not looked at: nothing is
    /// read from, or kept in, a cache here. Sends nothing yet.
    ///
    /// # Errors
    /// The options cannot make a client.
    pub fn new(options: &GraphOptions) -> Result<Self, OptionsError> {
        root("graph", &options.graph)?;
        Ok(Self {
            endpoint: options.endpoint(options.http()?, options.backoff())?,
            login: options.login.clone(),
            tenant: options.tenant.clone(),
            tenant_id: options.tenant_id(),
            scope: options.default_scope()?,
            settle: SETTLE,
        })
    }

    /// How long [`IdentityPlatform::prove`] bears what passes once a consent or a federated credential has spread:
    /// 20 seconds unless said otherwise. Zero suits who looks at a connection that was set up long ago.
    #[must_use]
    pub fn settling(mut self, settle: Duration) -> Self {
        self.settle = settle;
        self
    }

    /// A page of the login service for the configured tenant.
    pub(crate) fn page(&self, path: &str) -> Url {
        let mut url = self.login.clone();
        url.set_path(&format!("/{}{path}", self.tenant));
        url
    }

    /// A token of another tenant than the configured one proves nothing about it.
    fn check_tenant(&self, tenant: &str) -> Result<(), TenantError> {
        match &self.tenant_id {
            Some(ours) if ours != tenant => Err(token_error::local(
                Retry::Never,
                "wrong_tenant",
                "The token is for another tenant than tenant.id names. Sign in with an account of that tenant, or correct \
                 tenant.id, and run `hardmatch auth connect` again.",
            )),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl IdentityPlatform for EntraPlatform {
    fn consent_url(&self, redirect: &Url, state: &str) -> Url {
        let mut url = self.page("/v2.0/adminconsent");
        url.query_pairs_mut()
            .append_pair("client_id", &self.endpoint.client_id)
            .append_pair("scope", &self.scope)
            .append_pair("redirect_uri", redirect.as_str())
            .append_pair("state", state);
        url
    }

    /// # Panics
    /// When the verifier is shorter or longer than the 43 to 128 characters it must have.
    fn sign_in_url(&self, authorization: &Authorization, scopes: &BTreeSet<String>) -> Url {
        let client = BasicClient::new(ClientId::new(self.endpoint.client_id.clone()))
            .set_auth_uri(AuthUrl::from_url(self.page("/oauth2/v2.0/authorize")));
        let verifier = PkceCodeVerifier::new(authorization.verifier.expose_secret().to_owned());
        let asked = ["openid", "profile"].map(str::to_owned).into_iter().chain(with_resource(&self.scope, scopes));
        let (url, _) = client
            .authorize_url(|| CsrfToken::new(authorization.state.clone()))
            .set_redirect_uri(Cow::Owned(RedirectUrl::from_url(authorization.redirect.clone())))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .add_scopes(asked.map(Scope::new))
            .add_extra_param("nonce", authorization.nonce.as_str())
            .add_extra_param("response_mode", "query")
            // Who has several accounts open would otherwise connect whichever was used last.
            .add_extra_param("prompt", "select_account")
            .url();
        url
    }

    async fn redeem(&self, authorization: &Authorization, code: &SecretString) -> Result<SignedIn, TenantError> {
        let ask = Ask::Code { code, redirect: &authorization.redirect, verifier: &authorization.verifier };
        let issued = self.endpoint.ask(&ask, None, Patience::Once).await.map_err(|refusal| refusal.error)?;
        let expected = id_token::Expected {
            client: &self.endpoint.client_id,
            nonce: &authorization.nonce,
            login: &self.login,
            now: self.endpoint.clock.now(),
        };
        let id_token = issued.id_token.as_ref().ok_or_else(|| id_token::refused("it did not come"))?;
        let tenant = id_token::tenant_of(id_token, &expected)?;
        let grant = claims_of(&issued.access)?;
        self.check_tenant(&tenant)?;
        if grant.tenant != tenant {
            return Err(id_token::refused("it is for another tenant than the access token"));
        }
        let ends = |life| issued.obtained.checked_add(life).ok();
        let refresh = issued.refresh.ok_or_else(no_refresh_token)?;
        Ok(SignedIn {
            grant,
            access: KeptToken {
                secret: issued.access,
                obtained: issued.obtained,
                expires: ends(issued.life),
                mark: None,
            },
            refresh: KeptToken {
                secret: refresh,
                obtained: issued.obtained,
                expires: issued.refresh_life.and_then(ends),
                mark: None,
            },
        })
    }

    /// A consent that was just given takes a while to reach every server of the platform: until then the application is
    /// unknown, its consent missing, or its token without a permission. That is borne for a bounded time
    /// ([`EntraPlatform::settling`]); a token that carries nothing even then is returned as it is.
    async fn prove(&self) -> Result<Grant, TenantError> {
        let clock = &self.endpoint.clock;
        let until = clock.now().saturating_add(self.settle).unwrap_or_else(|_| clock.now());
        let patience = if self.settle.is_zero() { Patience::Ordinary } else { Patience::JustSetUp(until) };
        let mut tries = 0;
        loop {
            tries += 1;
            let ask = Ask::Application { scope: &self.scope };
            let issued = self.endpoint.ask(&ask, None, patience).await.map_err(|refusal| refusal.error)?;
            let grant = claims_of(&issued.access)?;
            self.check_tenant(&grant.tenant)?;
            let wait = self.endpoint.backoff.wait(tries);
            let too_late = clock.now().saturating_add(wait).is_ok_and(|at| at > until);
            if !grant.permissions.is_empty() || too_late {
                return Ok(grant);
            }
            clock.sleep(wait).await;
        }
    }

    fn explain(&self, error: &str, description: &str) -> Explained {
        aadsts::explain(error, description).1
    }
}

fn no_refresh_token() -> TenantError {
    token_error::local(
        Retry::Never,
        "no_refresh_token",
        "The sign-in brought no refresh token, so it would end within the hour. Add the delegated permission \
         offline_access under App registrations, API permissions, and run `hardmatch auth connect` again.",
    )
}

impl fmt::Debug for EntraPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntraPlatform")
            .field("login", &self.login.as_str())
            .field("tenant", &self.tenant)
            .field("client_id", &self.endpoint.client_id)
            .finish_non_exhaustive()
    }
}
