//! The access token: asked for once for all tasks, kept between two starts, renewed in time, and after a 401.
//! <https://learn.microsoft.com/entra/identity-platform/access-tokens#token-lifetime>

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hardmatch_ports::clock::Clock;
use hardmatch_ports::credentials::CredentialError;
use hardmatch_ports::tenant::{Retry, TenantError};
use hardmatch_ports::tokens::{Kept, KeptToken, TokenError};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use crate::claims::Claims;
use crate::delegated::Delegated;
use crate::endpoint::{Ask, Endpoint, Issued, Patience, SHORTEST_LIFE};
use crate::kept::Pocket;
use crate::token_error::Refusal;

/// After a renewal that failed while the old token is still good.
const RENEW_AGAIN: Duration = Duration::from_mins(1);

/// A token and its number; a higher number is a newer one.
pub(crate) struct Token {
    pub(crate) secret: SecretString,
    number: u64,
    obtained: Timestamp,
    renew_at: Timestamp,
    ends_at: Timestamp,
    /// Of the proof it was got with.
    mark: Option<String>,
}

impl Token {
    /// What becomes of a token that an earlier start, or somebody else, kept.
    fn of_kept(kept: &KeptToken, number: u64) -> Self {
        let ends_at = kept.expires.unwrap_or_else(|| later(kept.obtained, SHORTEST_LIFE));
        let renew_at = later(kept.obtained, renewal(until_then(kept.obtained, ends_at))).min(ends_at);
        let mark = kept.mark.clone();
        Self { secret: kept.secret.clone(), number, obtained: kept.obtained, renew_at, ends_at, mark }
    }

    fn of_issued(issued: Issued, number: u64, mark: Option<String>) -> Self {
        let at = |life| later(issued.obtained, life);
        let (renew_at, ends_at) = (at(renewal(issued.life)), at(issued.life));
        Self { secret: issued.access, number, obtained: issued.obtained, renew_at, ends_at, mark }
    }

    fn to_keep(&self) -> KeptToken {
        KeptToken {
            secret: self.secret.clone(),
            obtained: self.obtained,
            expires: Some(self.ends_at),
            mark: self.mark.clone(),
        }
    }
}

/// Who a token speaks for.
pub(crate) enum Source {
    /// The application itself.
    Application(Scopes),
    /// An administrator who signed in.
    Administrator(Delegated),
}

/// The scope of the application, and another for a login service that does not know it.
pub(crate) struct Scopes {
    first: String,
    other: Option<String>,
    /// The first was refused and the other was not.
    is_other: AtomicBool,
}

impl Scopes {
    pub(crate) fn new(first: String, other: Option<String>) -> Self {
        Self { first, other, is_other: AtomicBool::new(false) }
    }

    async fn ask(&self, endpoint: &Endpoint, claims: Option<&str>) -> Result<Issued, Box<Refusal>> {
        let ask = async |scope| endpoint.ask(&Ask::Application { scope }, claims, Patience::Ordinary).await;
        let Some(other) = &self.other else { return ask(&self.first).await };
        if !self.is_other.load(Ordering::Relaxed) {
            match ask(&self.first).await {
                Err(refusal) if refusal.is_wrong_scope => {}
                came => return came,
            }
        }
        let came = ask(other).await;
        self.is_other.store(came.is_ok(), Ordering::Relaxed);
        came
    }
}

/// Where tokens come from.
pub(crate) struct Tokens {
    endpoint: Endpoint,
    source: Source,
    pocket: Pocket,
    /// The tenant's directory id, where it is configured by it.
    tenant: Option<String>,
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
    /// Of the kept token, as we last saw it.
    revision: Option<u64>,
}

impl State {
    fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }
}

impl Tokens {
    pub(crate) fn new(endpoint: Endpoint, source: Source, pocket: Pocket, tenant: Option<String>) -> Self {
        Self { endpoint, source, pocket, tenant, rounds: AtomicU64::new(0), state: Mutex::default() }
    }

    fn clock(&self) -> &dyn Clock {
        &*self.endpoint.clock
    }

    /// Tokens asked for.
    pub(crate) fn asked(&self) -> u64 {
        self.endpoint.asked.load(Ordering::Relaxed)
    }

    /// How often the token store of access tokens failed.
    pub(crate) fn token_store_failures(&self) -> u64 {
        self.pocket.failures()
    }

    /// Forgets the token in memory and everything kept.
    pub(crate) async fn reset(&self) -> Result<(), TokenError> {
        let mut state = self.state.lock().await;
        // The number goes on: tasks may still hold tokens of lower ones.
        *state = State { number: state.number, ..State::default() };
        match &self.source {
            Source::Application(_) => {}
            Source::Administrator(delegated) => delegated.reset().await,
        }
        self.pocket.forget().await
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
        let now = self.clock().now();
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
        // A refused token may be the kept one, so nothing kept is good then.
        let kept = if refused.is_none() { self.kept(&mut state).await } else { None };
        if let Some(token) = kept.as_ref().filter(|token| now < token.renew_at) {
            return Ok(state.adopt(Arc::clone(token)));
        }
        let fetched = self.fetch(claims.as_deref()).await;
        self.rounds.fetch_add(1, Ordering::Release);
        match fetched {
            Ok(issued) => {
                let token = Token::of_issued(issued, state.next_number(), self.mark().await.ok().flatten());
                let token = self.share(&mut state, token, now, claims.is_some()).await;
                Ok(state.adopt(Arc::new(token)))
            }
            Err(failure) => {
                let now = self.clock().now();
                if let Retry::After(wait) = failure.retry {
                    state.not_before = now.checked_add(wait).ok();
                }
                state.failure = Some(failure.clone());
                // The old one serves a little longer when the trouble may pass.
                let old = usable.into_iter().chain(kept).max_by_key(|token| token.ends_at);
                let still = old.filter(|token| failure.retry != Retry::Never && now < token.ends_at);
                let Some(old) = still else { return Err(failure) };
                let again = Token {
                    secret: old.secret.clone(),
                    number: old.number,
                    obtained: old.obtained,
                    renew_at: later(now, RENEW_AGAIN).min(old.ends_at),
                    ends_at: old.ends_at,
                    mark: old.mark.clone(),
                };
                let again = Arc::new(again);
                state.token = Some(Arc::clone(&again));
                Ok(again)
            }
        }
    }

    /// The token another start kept, unless it is not ours to use. It may be over.
    async fn kept(&self, state: &mut State) -> Option<Arc<Token>> {
        let (kept, revision) = self.pocket.load().await?;
        state.revision = Some(revision);
        let token = Token::of_kept(&kept, state.number + 1);
        state.number = token.number;
        self.is_ours(&kept).await.then(|| Arc::new(token))
    }

    async fn mark(&self) -> Result<Option<String>, CredentialError> {
        self.endpoint.credential.mark().await
    }

    /// Whether a kept token is for the tenant, the application, the way of signing in and the proof that are configured
    /// now. One that cannot be read says nothing against itself. A proof that cannot be had is told of by the caller that asks
    /// for a token with it.
    async fn is_ours(&self, kept: &KeptToken) -> bool {
        let Ok(mark) = self.mark().await else { return false };
        if kept.mark.is_some() && kept.mark != mark {
            return false;
        }
        let Some(claims) = Claims::of(kept.secret.expose_secret()) else { return true };
        let same = |ours: &str, theirs: Option<&str>| theirs.is_none_or(|theirs| theirs.eq_ignore_ascii_case(ours));
        self.tenant.as_deref().is_none_or(|tenant| same(tenant, claims.tenant()))
            && same(&self.endpoint.client_id, claims.client())
            && claims.is_delegated() == matches!(self.source, Source::Administrator(_))
    }

    /// Keeps a fresh token for others. Somebody else who fetched one since `began` has kept theirs: that is used, so that
    /// all share one, unless ours had to meet a demand of its own.
    async fn share(&self, state: &mut State, token: Token, began: Timestamp, demanded: bool) -> Token {
        let ours = token.to_keep();
        match self.pocket.keep(&ours, state.revision).await {
            None => token,
            Some(Kept::Ours(revision)) => {
                state.revision = Some(revision);
                token
            }
            Some(Kept::Theirs(kept, revision)) => {
                let theirs = Token::of_kept(&kept, token.number);
                let newer = theirs.obtained >= began && self.clock().now() < theirs.renew_at;
                if newer && !demanded && self.is_ours(&kept).await {
                    state.revision = Some(revision);
                    return theirs;
                }
                // Once: who loses again has lost to somebody as new.
                state.revision = match self.pocket.keep(&ours, Some(revision)).await {
                    Some(Kept::Ours(revision) | Kept::Theirs(_, revision)) => Some(revision),
                    None => Some(revision),
                };
                token
            }
        }
    }

    async fn fetch(&self, claims: Option<&str>) -> Result<Issued, TenantError> {
        let issued = match &self.source {
            Source::Application(scopes) => scopes.ask(&self.endpoint, claims).await,
            Source::Administrator(delegated) => delegated.refresh(&self.endpoint, claims).await,
        };
        issued.map_err(|refusal| refusal.error)
    }
}

impl State {
    /// From now on this one.
    fn adopt(&mut self, token: Arc<Token>) -> Arc<Token> {
        self.token = Some(Arc::clone(&token));
        (self.failure, self.not_before) = (None, None);
        token
    }
}

/// 80 % of the life or five minutes before its end, whichever is later: a short-lived token is used for most of its
/// life too. <https://learn.microsoft.com/entra/identity-platform/access-tokens#token-lifetime>
fn renewal(life: Duration) -> Duration {
    (life * 4 / 5).max(life.saturating_sub(Duration::from_mins(5)))
}

fn later(than: Timestamp, by: Duration) -> Timestamp {
    than.saturating_add(by).unwrap_or(than)
}

fn until_then(now: Timestamp, then: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(now)).unwrap_or(Duration::ZERO)
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
