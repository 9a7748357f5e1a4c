//! Tokens of an administrator who signed in: got with the kept refresh token, which is replaced at each use.
//! <https://learn.microsoft.com/entra/identity-platform/refresh-tokens>
//!
//! Two processes may refresh at once. The platform does not revoke a refresh token by its use, but others do, and so
//! may it: a refused token is looked up again before anybody is told to sign in, because the other process may have
//! replaced it in between. What is kept is never overwritten unseen.

use std::sync::Arc;
use std::time::Duration;

use hardmatch_ports::tenant::{Retry, TenantError};
use hardmatch_ports::tokens::{KeptToken, TokenError, TokenKind, TokenStore};
use secrecy::ExposeSecret;
use tokio::sync::Mutex;

use crate::endpoint::{Ask, Endpoint, Issued, Patience};
use crate::token_error::{self, Refusal};

/// The token store's trouble is expected to pass.
const TOKEN_STORE_AGAIN: Duration = Duration::from_secs(5);

/// The refresh token of one connection.
pub(crate) struct Delegated {
    token_store: Arc<dyn TokenStore>,
    scopes: Vec<String>,
    /// A new refresh token that could not be kept yet, and the revision it replaces. It may be the only good one.
    unkept: Mutex<Option<(KeptToken, u64)>>,
}

impl Delegated {
    pub(crate) fn new(token_store: Arc<dyn TokenStore>, scopes: Vec<String>) -> Self {
        Self { token_store, scopes, unkept: Mutex::default() }
    }

    /// Forgets what could not be kept.
    pub(crate) async fn reset(&self) {
        *self.unkept.lock().await = None;
    }

    /// A fresh access token. The refresh token that came with it is kept by then.
    pub(crate) async fn refresh(&self, endpoint: &Endpoint, claims: Option<&str>) -> Result<Issued, Box<Refusal>> {
        let mut unkept = self.unkept.lock().await;
        if let Some((token, seen)) = unkept.clone() {
            // Kept, or replaced by somebody else: either way the token store knows a good one now.
            self.token_store.keep(TokenKind::Refresh, &token, Some(seen)).await.map_err(token_store_failed)?;
            *unkept = None;
        }
        let (mut token, mut seen) = self.load().await?.ok_or_else(not_connected)?;
        let mut looked_again = false;
        let issued = loop {
            let ask = Ask::Refresh { token: &token.secret, scopes: &self.scopes };
            let refusal = match endpoint.ask(&ask, claims, Patience::Ordinary).await {
                Ok(issued) => break issued,
                Err(refusal) => refusal,
            };
            if !refusal.is_invalid_grant || looked_again {
                return Err(refusal);
            }
            looked_again = true;
            // The process that used the token before us gets a moment to store its successor.
            endpoint.clock.sleep(endpoint.backoff.wait(1)).await;
            match self.load().await? {
                Some((other, revision)) if other.secret.expose_secret() != token.secret.expose_secret() => {
                    (token, seen) = (other, revision);
                }
                _ => return Err(refusal),
            }
        };
        if let Some(secret) = &issued.refresh {
            let expires = issued.refresh_life.and_then(|life| issued.obtained.checked_add(life).ok());
            let new = KeptToken { secret: secret.clone(), obtained: issued.obtained, expires, mark: None };
            // Where somebody else kept theirs meanwhile, theirs stays: it is as good as ours.
            if let Err(error) = self.token_store.keep(TokenKind::Refresh, &new, Some(seen)).await {
                *unkept = Some((new, seen));
                return Err(token_store_failed(error).into());
            }
        }
        Ok(issued)
    }

    async fn load(&self) -> Result<Option<(KeptToken, u64)>, TenantError> {
        self.token_store.load(TokenKind::Refresh).await.map_err(token_store_failed)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of map_err")]
fn token_store_failed(error: TokenError) -> TenantError {
    let message = format!(
        "No token: the refresh token of the administrator could not be read or kept: {error} It is tried again; if it \
         goes on, check the table and the key of tokens with `hardmatch doctor`."
    );
    token_error::local(Retry::After(TOKEN_STORE_AGAIN), "token_store", message)
}

fn not_connected() -> TenantError {
    token_error::local(
        Retry::Never,
        "not_connected",
        "No token: no administrator has signed in for this connection, or the sign-in has lapsed. Run `hardmatch auth \
         connect` and sign in.",
    )
}
