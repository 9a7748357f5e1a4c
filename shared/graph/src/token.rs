//! The access token: asked for once for all tasks, renewed in time, and after a 401.
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hardmatch_ports::clock::Clock;
use hardmatch_ports::credentials::{Credential, Proof};
use hardmatch_ports::tenant::{Retry, TenantError};
use jiff::Timestamp;
use oauth2::basic::BasicClient;
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, RequestTokenError, Scope,
    TokenResponse, TokenUrl,
};
use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use crate::backoff::Backoff;
use crate::{retry_after, token_error};

/// Asked so often before the trouble is reported.
const TRIES: u32 = 3;
/// A wait longer than this is the caller's to plan.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// After a renewal that failed while the old token is still good.
const RENEW_AGAIN: Duration = Duration::from_mins(1);
/// When the answer does not say how long a token lives: short of the shortest life a tenant can set.
/// <https://learn.microsoft.com/entra/identity-platform/configurable-token-lifetimes>
const SHORTEST_LIFE: Duration = Duration::from_mins(10);

/// A token and its number; a higher number is a newer one.
pub(crate) struct Token {
    pub(crate) secret: SecretString,
    number: u64,
    renew_at: Timestamp,
    ends_at: Timestamp,
}

/// Where tokens come from.
pub(crate) struct Tokens {
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    credential: Arc<dyn Credential>,
    client_id: String,
    token_url: String,
    scope: String,
    backoff: Arc<Backoff>,
    asked: AtomicU64,
    /// How many fetches were finished: who waited for one that failed shares its failure.
    rounds: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Arc<Token>>,
    failure: Option<TenantError>,
    /// The login service said when to come back.
    not_before: Option<Timestamp>,
    /// Of the last token.
    number: u64,
}

impl Tokens {
    pub(crate) fn new(
        http: reqwest::Client,
        clock: Arc<dyn Clock>,
        credential: Arc<dyn Credential>,
        client_id: String,
        token_url: String,
        scope: String,
        backoff: Arc<Backoff>,
    ) -> Self {
        let (asked, rounds, state) = (AtomicU64::new(0), AtomicU64::new(0), Mutex::default());
        Self { http, clock, credential, client_id, token_url, scope, backoff, asked, rounds, state }
    }

    /// Tokens asked for.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// A good token.
    pub(crate) async fn get(&self) -> Result<Arc<Token>, TenantError> {
        self.renewed(None, None).await
    }

    /// A token newer than one that was refused; `claims` is what Graph's challenge demands.
    pub(crate) async fn after(&self, refused: &Token, claims: Option<String>) -> Result<Arc<Token>, TenantError> {
        self.renewed(Some(refused.number), claims).await
    }

    async fn renewed(&self, refused: Option<u64>, claims: Option<String>) -> Result<Arc<Token>, TenantError> {
        let round = self.rounds.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        let now = self.clock.now();
        let usable = state.token.clone().filter(|token| refused.is_none_or(|number| token.number > number));
        if let Some(token) = usable.as_ref().filter(|token| now < token.renew_at) {
            return Ok(Arc::clone(token));
        }
        if let Some(failure) = &state.failure {
            let shared = self.rounds.load(Ordering::Acquire) != round;
            let wait = state.not_before.map_or(Duration::ZERO, |until| until_then(now, until));
            if shared || wait > Duration::ZERO {
                let retry = if wait > Duration::ZERO { Retry::After(wait) } else { failure.retry };
                return Err(TenantError { retry, ..failure.clone() });
            }
        }
        let fetched = self.fetch(state.number + 1, claims).await;
        self.rounds.fetch_add(1, Ordering::Release);
        let now = self.clock.now();
        match fetched {
            Ok(token) => {
                let token = Arc::new(token);
                *state =
                    State { number: token.number, token: Some(Arc::clone(&token)), failure: None, not_before: None };
                Ok(token)
            }
            Err(failure) => {
                if let Retry::After(wait) = failure.retry {
                    state.not_before = now.checked_add(wait).ok();
                }
                state.failure = Some(failure.clone());
                // The old one serves a little longer when the trouble may pass.
                let still = usable.filter(|token| failure.retry != Retry::Never && now < token.ends_at);
                let Some(old) = still else { return Err(failure) };
                let again = Token {
                    secret: old.secret.clone(),
                    number: old.number,
                    renew_at: now.saturating_add(RENEW_AGAIN).unwrap_or(now).min(old.ends_at),
                    ends_at: old.ends_at,
                };
                let again = Arc::new(again);
                state.token = Some(Arc::clone(&again));
                Ok(again)
            }
        }
    }

    async fn fetch(&self, number: u64, claims: Option<String>) -> Result<Token, TenantError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let failure = match self.ask(number, claims.as_deref()).await {
                Ok(token) => return Ok(token),
                Err(failure) => failure,
            };
            let Retry::After(wait) = failure.retry else { return Err(failure) };
            if tries == TRIES || wait > LONGEST_WAIT {
                return Err(failure);
            }
            self.clock.sleep(wait.max(self.backoff.wait(tries))).await;
        }
    }

    async fn ask(&self, number: u64, claims: Option<&str>) -> Result<Token, TenantError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let proof = self.credential.proof(&self.client_id, &self.token_url).await.map_err(|error| TenantError {
            retry: Retry::Never,
            status: 0,
            code: "credential".to_owned(),
            message: format!("No token: {error}"),
            request_id: String::new(),
        })?;
        let url = TokenUrl::new(self.token_url.clone()).map_err(|_| bad_answer())?;
        let mut client = BasicClient::new(ClientId::new(self.client_id.clone()))
            .set_token_uri(url)
            .set_auth_type(AuthType::RequestBody);
        let mut parameters: Vec<(&str, String)> = Vec::new();
        match proof {
            Proof::Secret(secret) => {
                client = client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()));
            }
            Proof::Public => {}
            Proof::Assertion(jwt) => parameters.extend([
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned()),
                ("client_assertion", jwt.expose_secret().to_owned()),
            ]),
        }
        if let Some(claims) = claims {
            parameters.push(("claims", claims.to_owned()));
        }
        let mut request = client.exchange_client_credentials().add_scope(Scope::new(self.scope.clone()));
        for (name, value) in parameters {
            request = request.add_extra_param(name, value);
        }
        let post = Post { http: &self.http, now: self.clock.now() };
        let answer = request.request_async(&post).await.map_err(|error| match error {
            RequestTokenError::Request(Refused(error)) => *error,
            RequestTokenError::ServerResponse(_) | RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                bad_answer()
            }
        })?;
        let life = answer.expires_in().unwrap_or(SHORTEST_LIFE);
        let now = self.clock.now();
        let at = |life: Duration| now.saturating_add(life).unwrap_or(now);
        Ok(Token {
            secret: SecretString::from(answer.access_token().secret().as_str()),
            number,
            renew_at: at(renewal(life)),
            ends_at: at(life),
        })
    }
}

/// 80 % of the life or five minutes before its end, whichever is later: a short-lived token is used for most of its
/// life too. <https://learn.microsoft.com/entra/identity-platform/access-tokens#token-lifetime>
fn renewal(life: Duration) -> Duration {
    (life * 4 / 5).max(life.saturating_sub(Duration::from_mins(5)))
}

fn until_then(now: Timestamp, then: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(now)).unwrap_or(Duration::ZERO)
}

fn bad_answer() -> TenantError {
    TenantError {
        retry: Retry::After(token_error::SOON),
        status: 0,
        code: "bad_answer".to_owned(),
        message:
            "No token: the login service's answer could not be read. Check the login URL and any proxy on the way."
                .to_owned(),
        request_id: String::new(),
    }
}

/// An error the login service answered with, already explained.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(Box<TenantError>);

/// The HTTP client of the `oauth2` crate, over ours.
struct Post<'h> {
    http: &'h reqwest::Client,
    now: Timestamp,
}

impl<'c> AsyncHttpClient<'c> for Post<'_> {
    type Error = Refused;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Refused>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let sending = self.http.post(parts.uri.to_string()).headers(parts.headers).body(body);
            let answer = sending.send().await.map_err(|error| unreachable(&error))?;
            let status = answer.status();
            let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let wait = wait.and_then(|text| retry_after::parse(text, self.now));
            let body = answer.bytes().await.map_err(|error| unreachable(&error))?;
            if status != StatusCode::OK {
                return Err(Refused(Box::new(token_error::explain(status.as_u16(), wait, &body))));
            }
            Ok(HttpResponse::new(body.to_vec()))
        })
    }
}

fn unreachable(error: &reqwest::Error) -> Refused {
    let what = if error.is_timeout() { "did not answer in time" } else { "could not be reached" };
    Refused(Box::new(TenantError {
        retry: Retry::After(token_error::SOON),
        status: 0,
        code: "unreachable".to_owned(),
        message: format!("No token: the login service {what}. Check the network, the proxy and the login URL."),
        request_id: String::new(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_lives_are_used_for_most_of_their_length() {
        let check = |life: u64, renew: u64| {
            assert_eq!(renewal(Duration::from_secs(life)), Duration::from_secs(renew), "{life}");
        };
        check(3600, 3300);
        check(600, 480);
        check(60, 48);
        check(86_400, 86_100);
    }
}
