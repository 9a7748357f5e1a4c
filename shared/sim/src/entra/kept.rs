//! What the sign-in service remembers between requests. It forgets it all at a restart, but for refresh tokens, which
//! carry their own state.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};

use uuid::Uuid;

/// An authorization code that was handed out.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    pub(crate) client: String,
    pub(crate) user: Uuid,
    pub(crate) redirect_uri: String,
    /// Named permissions, then the OpenID scopes.
    pub(crate) scope: String,
    pub(crate) nonce: Option<String>,
    pub(crate) challenge: Option<Challenge>,
    pub(crate) issued: i64,
    pub(crate) redeemed: bool,
}

/// PKCE (<https://datatracker.ietf.org/doc/html/rfc7636>).
#[derive(Clone, Debug)]
pub(crate) enum Challenge {
    Plain(String),
    S256(String),
}

/// The sign-in service's memory.
#[derive(Debug)]
pub(crate) struct Kept {
    /// By the code itself.
    pub(crate) codes: HashMap<String, Code>,
    /// When an administrator consented, per client id in lower case.
    pub(crate) consents: HashMap<String, i64>,
    /// Assertions that were used, and when they end: (client, `jti`).
    pub(crate) used: BTreeMap<(String, String), i64>,
    /// Requests of a client in the current window: start, count.
    pub(crate) loops: HashMap<String, (i64, u32)>,
    /// Refresh tokens of this user up to this number are revoked.
    pub(crate) revoked: HashMap<Uuid, u64>,
    /// The number of the last refresh token.
    pub(crate) sequence: u64,
    /// Distinguishes this process's numbers from those of an earlier one.
    pub(crate) start: u64,
    /// How many times the signing key was rolled over.
    pub(crate) rollovers: usize,
    /// Everything secret that was issued or received.
    pub(crate) secrets: BTreeSet<String>,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            codes: HashMap::new(),
            consents: HashMap::new(),
            used: BTreeMap::new(),
            loops: HashMap::new(),
            revoked: HashMap::new(),
            sequence: 0,
            start: RandomState::new().hash_one("start"),
            rollovers: 0,
            secrets: BTreeSet::new(),
        }
    }
}

impl Kept {
    pub(crate) fn note(&mut self, secret: &str) {
        if !secret.is_empty() && !self.secrets.contains(secret) {
            self.secrets.insert(secret.to_owned());
        }
    }
}
