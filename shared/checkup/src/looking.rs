//! For commands that look whether the credentials work *now*: an administrator's sign-in is taken from what is kept, an access
//! token never.

use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_policy::Config;
use hardmatch_ports::{Kept, KeptToken, TokenError, TokenKind, TokenStore};

use crate::tenant::is_delegated;

/// What a look takes of the tokens that are kept: `None` where it takes none.
pub fn looking(config: &Config, kept: Option<Arc<dyn TokenStore>>) -> Option<Arc<dyn TokenStore>> {
    is_delegated(config).then(|| Arc::new(SignInOnly(kept)) as Arc<dyn TokenStore>)
}

/// For a tenant whose tokens are not kept.
pub fn keeps_nothing() -> Arc<dyn TokenStore> {
    Arc::new(SignInOnly(None))
}

/// Keeps the administrator's sign-in, and no access token.
struct SignInOnly(Option<Arc<dyn TokenStore>>);

#[async_trait]
impl TokenStore for SignInOnly {
    async fn load(&self, kind: TokenKind) -> Result<Option<(KeptToken, u64)>, TokenError> {
        match (&self.0, kind) {
            (Some(kept), TokenKind::Refresh) => kept.load(kind).await,
            (None, _) | (_, TokenKind::Access) => Ok(None),
        }
    }

    async fn keep(&self, kind: TokenKind, token: &KeptToken, seen: Option<u64>) -> Result<Kept, TokenError> {
        match (&self.0, kind) {
            (Some(kept), TokenKind::Refresh) => kept.keep(kind, token, seen).await,
            (None, _) | (_, TokenKind::Access) => Ok(Kept::Ours(0)),
        }
    }

    async fn forget(&self) -> Result<(), TokenError> {
        match &self.0 {
            Some(kept) => kept.forget().await,
            None => Ok(()),
        }
    }
}
