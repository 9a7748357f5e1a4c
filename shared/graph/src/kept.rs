//! Access tokens kept between two starts. A convenience: whatever goes wrong here, a fresh token does the work, so
//! trouble is counted, told once and otherwise passed over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hardmatch_ports::tokens::{Kept, KeptToken, TokenError, TokenKind, TokenStore};

/// A token store that cannot fail.
pub(crate) struct Pocket {
    token_store: Option<Arc<dyn TokenStore>>,
    failures: AtomicU64,
}

impl Pocket {
    pub(crate) fn new(token_store: Option<Arc<dyn TokenStore>>) -> Self {
        Self { token_store, failures: AtomicU64::new(0) }
    }

    /// How often the token store failed us.
    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// The kept access token and its revision.
    pub(crate) async fn load(&self) -> Option<(KeptToken, u64)> {
        self.noted(self.token_store.as_ref()?.load(TokenKind::Access).await).flatten()
    }

    /// Keeps an access token in place of the one of revision `seen`.
    pub(crate) async fn keep(&self, token: &KeptToken, seen: Option<u64>) -> Option<Kept> {
        self.noted(self.token_store.as_ref()?.keep(TokenKind::Access, token, seen).await)
    }

    /// Forgets all tokens, refresh tokens too. The one act whose failure somebody must know of: it was asked for.
    pub(crate) async fn forget(&self) -> Result<(), TokenError> {
        match &self.token_store {
            Some(token_store) => token_store.forget().await,
            None => Ok(()),
        }
    }

    fn noted<T>(&self, result: Result<T, TokenError>) -> Option<T> {
        result
            .inspect_err(|error| {
                if self.failures.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::warn!(
                        "Access tokens cannot be kept between two starts, so each start asks for one: {error}"
                    );
                }
            })
            .ok()
    }
}
