//! The token endpoint: one request for tokens, with the proof of the application in its body.
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>,
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow>

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hardmatch_ports::clock::Clock;
use hardmatch_ports::credentials::{Credential, Proof};
use hardmatch_ports::tenant::Retry;
use jiff::Timestamp;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AsyncHttpClient, AuthType, AuthorizationCode, Client, ClientId, ClientSecret, ExtraTokenFields, HttpRequest,
    HttpResponse, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope, StandardRevocableToken,
    StandardTokenResponse, TokenResponse, TokenUrl,
};
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::backoff::Backoff;
use crate::limit::{self, Body};
use crate::retry_after;
use crate::token_error::{self, Again, Refusal};

/// Asked so often before the trouble is reported.
const TRIES: u32 = 3;
/// A wait longer than this is the caller's to plan.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// When the answer does not say how long a token lives: short of the shortest life a tenant can set.
/// <https://learn.microsoft.com/entra/identity-platform/configurable-token-lifetimes>
pub(crate) const SHORTEST_LIFE: Duration = Duration::from_mins(10);

const NO_TOKEN: &str = "No token";

/// What a token is asked for with.
pub(crate) enum Ask<'a> {
    /// As the application itself.
    Application { scope: &'a str },
    /// As an administrator who signed in before.
    Refresh { token: &'a SecretString, scopes: &'a [String] },
    /// As an administrator who just signed in.
    Code { code: &'a SecretString, redirect: &'a Url, verifier: &'a SecretString },
}

/// How long refusals are borne that pass once a change has spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// A few tries.
    Ordinary,
    /// Somebody consented a moment ago: until this time.
    JustSetUp(Timestamp),
    /// Sent once: what it carries is good for one use.
    Once,
}

/// Tokens, as they were issued.
pub(crate) struct Issued {
    pub(crate) access: SecretString,
    /// Before the request was sent, so that the life counted from here is never too long.
    pub(crate) obtained: Timestamp,
    pub(crate) life: Duration,
    pub(crate) refresh: Option<SecretString>,
    pub(crate) refresh_life: Option<Duration>,
    pub(crate) id_token: Option<SecretString>,
}

/// The token endpoint of one tenant, for one application.
pub(crate) struct Endpoint {
    pub(crate) http: reqwest::Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) credential: Arc<dyn Credential>,
    pub(crate) client_id: String,
    pub(crate) token_url: String,
    pub(crate) backoff: Arc<Backoff>,
    pub(crate) asked: AtomicU64,
}

impl Endpoint {
    /// Asks, and asks again where that can help. Waits longer than half a minute are returned, not slept.
    pub(crate) async fn ask(
        &self,
        ask: &Ask<'_>,
        claims: Option<&str>,
        patience: Patience,
    ) -> Result<Issued, Box<Refusal>> {
        let (mut tries, mut minted_again) = (0, false);
        loop {
            tries += 1;
            let mut refusal = match self.ask_once(ask, claims).await {
                Ok(issued) => return Ok(issued),
                Err(refusal) => refusal,
            };
            let until = match (refusal.again, patience) {
                (Again::Remint, _) if !minted_again => {
                    minted_again = true;
                    continue;
                }
                (Again::AfterConsent | Again::Spreading | Again::Soon, Patience::JustSetUp(until)) => Some(until),
                (Again::Spreading | Again::Soon | Again::LongPause, Patience::Ordinary) if tries < TRIES => None,
                (
                    Again::Never
                    | Again::Remint
                    | Again::AfterConsent
                    | Again::Spreading
                    | Again::Soon
                    | Again::LongPause,
                    Patience::Ordinary | Patience::JustSetUp(_) | Patience::Once,
                ) => return Err(refusal),
            };
            let stated = match (refusal.error.retry, refusal.again) {
                // How long it takes to spread is a guess of ours, and no reason to wait that long between two tries.
                (Retry::After(wait), Again::Soon | Again::LongPause) => wait,
                _ => Duration::ZERO,
            };
            let wait = stated.max(self.backoff.wait(tries));
            let too_late = until.is_some_and(|until| self.clock.now().saturating_add(wait).is_ok_and(|at| at > until));
            if wait > LONGEST_WAIT || too_late {
                // The caller may ask again later, even where the refusal looks final to other callers.
                if refusal.again == Again::AfterConsent {
                    refusal.error.retry = Retry::After(token_error::AFTER_CHANGE);
                }
                return Err(refusal);
            }
            self.clock.sleep(wait).await;
        }
    }

    async fn ask_once(&self, ask: &Ask<'_>, claims: Option<&str>) -> Result<Issued, Box<Refusal>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let proof = self
            .credential
            .proof(&self.client_id, &self.token_url)
            .await
            .map_err(|error| token_error::local(Retry::Never, "credential", format!("{NO_TOKEN}: {error}")))?;
        let unreadable = || token_error::bad_answer(NO_TOKEN);
        let url = TokenUrl::new(self.token_url.clone()).map_err(|_| unreadable())?;
        let mut client =
            OAuth::new(ClientId::new(self.client_id.clone())).set_token_uri(url).set_auth_type(AuthType::RequestBody);
        let mut extra: Vec<(&str, String)> = Vec::new();
        match proof {
            Proof::Secret(secret) => {
                client = client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()));
            }
            Proof::Public => {}
            Proof::Assertion(jwt) => extra.extend([
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned()),
                ("client_assertion", jwt.expose_secret().to_owned()),
            ]),
        }
        extra.extend(claims.map(|claims| ("claims", claims.to_owned())));
        let obtained = self.clock.now();
        let post = Post { http: &self.http, clock: &*self.clock };
        // Each request is a type of its own, with the same methods.
        macro_rules! sent {
            ($request:expr) => {{
                let mut request = $request;
                for (name, value) in extra {
                    request = request.add_extra_param(name, value);
                }
                request.request_async(&post).await
            }};
        }
        let answer = match ask {
            Ask::Application { scope } => {
                sent!(client.exchange_client_credentials().add_scope(Scope::new((*scope).to_owned())))
            }
            Ask::Refresh { token, scopes } => {
                let token = RefreshToken::new(token.expose_secret().to_owned());
                sent!(client.exchange_refresh_token(&token).add_scopes(scopes.iter().cloned().map(Scope::new)))
            }
            Ask::Code { code, redirect, verifier } => {
                let code = AuthorizationCode::new(code.expose_secret().to_owned());
                let redirect = RedirectUrl::from_url((*redirect).clone());
                let verifier = PkceCodeVerifier::new(verifier.expose_secret().to_owned());
                sent!(client.exchange_code(code).set_redirect_uri(Cow::Owned(redirect)).set_pkce_verifier(verifier))
            }
        };
        let answer = answer.map_err(|error| match error {
            RequestTokenError::Request(Refused(refusal)) => refusal,
            RequestTokenError::ServerResponse(_) | RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                unreadable().into()
            }
        })?;
        let extra = answer.extra_fields();
        Ok(Issued {
            access: SecretString::from(answer.access_token().secret().as_str()),
            obtained,
            life: answer.expires_in().unwrap_or(SHORTEST_LIFE),
            refresh: answer.refresh_token().map(|token| SecretString::from(token.secret().as_str())),
            refresh_life: extra
                .refresh_token_expires_in
                .as_ref()
                .and_then(serde_json::Value::as_u64)
                .map(Duration::from_secs),
            id_token: extra.id_token.as_ref().map(|hidden| SecretString::from(hidden.0.as_str())),
        })
    }
}

type OAuth = Client<
    BasicErrorResponse,
    StandardTokenResponse<Extra, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

/// What an answer holds beside the fields every OAuth answer has.
#[derive(Debug, Serialize, Deserialize)]
struct Extra {
    id_token: Option<Hidden>,
    /// Taken as it comes: a form we do not expect must not make the tokens unreadable.
    refresh_token_expires_in: Option<serde_json::Value>,
}

impl ExtraTokenFields for Extra {}

#[derive(Serialize, Deserialize)]
struct Hidden(String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(…)")
    }
}

/// An error the login service answered with, already explained.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.error)]
struct Refused(Box<Refusal>);

/// The HTTP client of the `oauth2` crate, over ours.
struct Post<'h> {
    http: &'h reqwest::Client,
    clock: &'h dyn Clock,
}

impl<'c> AsyncHttpClient<'c> for Post<'_> {
    type Error = Refused;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Refused>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let lost = |error: reqwest::Error| Refused(token_error::unreachable(NO_TOKEN, &error).into());
            let (parts, body) = request.into_parts();
            let sending = self.http.post(parts.uri.to_string()).headers(parts.headers).body(body);
            let answer = sending.send().await.map_err(lost)?;
            let (status, now) = (answer.status(), self.clock.now());
            let wait = text(answer.headers(), &RETRY_AFTER).and_then(|text| retry_after::parse(text, now));
            let date = text(answer.headers(), &DATE).and_then(retry_after::date);
            let body = match limit::read(answer, limit::SMALL_BYTES).await.map_err(lost)? {
                Body::Whole(body) => body,
                Body::TooLarge => return Err(Refused(token_error::too_large(NO_TOKEN).into())),
            };
            if status == StatusCode::OK {
                return Ok(HttpResponse::new(body.to_vec()));
            }
            let mut refusal = token_error::explain(NO_TOKEN, status.as_u16(), wait, &body);
            if let (Again::Remint, Some(theirs)) = (refusal.again, date) {
                let off = now.duration_since(theirs).as_secs();
                let (off, side) = (off.unsigned_abs(), if off < 0 { "behind" } else { "ahead of" });
                let message = refusal.error.message;
                refusal.error.message =
                    format!("{message} This machine's clock is {off} s {side} the login service's.");
            }
            Err(Refused(Box::new(refusal)))
        })
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
