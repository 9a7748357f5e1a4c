//! A token store of tokens in memory, as two processes would share one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hardmatch_ports::tokens::{Kept, KeptToken, TokenError, TokenKind, TokenStore};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

/// Shared by all its copies.
#[derive(Clone, Default)]
pub(crate) struct Drawer(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    tokens: BTreeMap<TokenKind, (KeptToken, u64)>,
    revision: u64,
    loads: usize,
    /// Each token handed over, whatever became of it.
    handed: Vec<(TokenKind, String)>,
    trouble: Trouble,
}

/// What is the matter with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Trouble {
    #[default]
    None,
    /// Nothing works.
    Broken,
    /// Nothing new is kept.
    Full,
}

impl Drawer {
    /// Another process keeps a token, unconditionally.
    pub(crate) fn put(&self, kind: TokenKind, secret: &str, obtained: Timestamp, expires: Option<Timestamp>) {
        let mut inside = self.0.lock().unwrap();
        inside.revision += 1;
        let revision = inside.revision;
        let token = KeptToken { secret: SecretString::from(secret), obtained, expires, mark: None };
        inside.tokens.insert(kind, (token, revision));
    }

    pub(crate) fn set(&self, trouble: Trouble) {
        self.0.lock().unwrap().trouble = trouble;
    }

    /// The kept token.
    pub(crate) fn kept(&self, kind: TokenKind) -> Option<String> {
        self.0.lock().unwrap().tokens.get(&kind).map(|(token, _)| token.secret.expose_secret().to_owned())
    }

    pub(crate) fn expires(&self, kind: TokenKind) -> Option<Timestamp> {
        self.0.lock().unwrap().tokens.get(&kind).and_then(|(token, _)| token.expires)
    }

    pub(crate) fn loads(&self) -> usize {
        self.0.lock().unwrap().loads
    }

    pub(crate) fn handed(&self) -> Vec<(TokenKind, String)> {
        self.0.lock().unwrap().handed.clone()
    }
}

fn broken() -> TokenError {
    TokenError("the drawer is stuck.".to_owned())
}

#[async_trait]
impl TokenStore for Drawer {
    async fn load(&self, kind: TokenKind) -> Result<Option<(KeptToken, u64)>, TokenError> {
        let mut inside = self.0.lock().unwrap();
        inside.loads += 1;
        if inside.trouble == Trouble::Broken {
            return Err(broken());
        }
        // Even a token past its life is handed out: its user must look.
        Ok(inside.tokens.get(&kind).cloned())
    }

    async fn keep(&self, kind: TokenKind, token: &KeptToken, seen: Option<u64>) -> Result<Kept, TokenError> {
        let mut inside = self.0.lock().unwrap();
        inside.handed.push((kind, token.secret.expose_secret().to_owned()));
        if inside.trouble != Trouble::None {
            return Err(broken());
        }
        match inside.tokens.get(&kind) {
            Some((theirs, revision)) if Some(*revision) != seen => Ok(Kept::Theirs(theirs.clone(), *revision)),
            _ => {
                inside.revision += 1;
                let revision = inside.revision;
                inside.tokens.insert(kind, (token.clone(), revision));
                Ok(Kept::Ours(revision))
            }
        }
    }

    async fn forget(&self) -> Result<(), TokenError> {
        let mut inside = self.0.lock().unwrap();
        if inside.trouble != Trouble::None {
            return Err(broken());
        }
        inside.tokens.clear();
        Ok(())
    }
}
