//! What the side that reaches the tenant is asked about reaching it, and what it says. Asked by `match`, which has no way
//! to the tenant and none to tokens; never a token or a secret, in either direction.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "wish")]
pub enum TenantQuery {
    /// Say how the tenant is reached: what is kept, until when, and what was granted.
    Status,
    /// Look at everything that reaching it takes.
    Checks,
    /// Forget the kept access token.
    Reset,
    /// Forget every token, if the connection is still disconnected.
    Forget {
        /// What disconnecting left behind, for the reply.
        disconnected: DisconnectResult,
    },
    /// Note when the application's proof ends. Nobody waits for it.
    Expiry,
}

/// What disconnecting left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DisconnectResult {
    /// Whether it was connected until now.
    pub new: bool,
    /// Links that wait, as the last run left them.
    pub links: u64,
    /// Runs that were given up.
    pub abandoned: u64,
}

/// How the tenant is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// The application (client id).
    pub client_id: String,
    /// When its proof ends, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Timestamp>,
    /// The tokens that are kept and alive.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<Alive>,
    /// What was granted.
    pub granted: KnownGrant,
}

/// A kept token, without itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alive {
    /// `access-token` or `refresh-token`.
    pub kind: String,
    /// When it was given.
    pub obtained: Timestamp,
    /// When it ends, where the giver said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// What was granted, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "known")]
pub enum KnownGrant {
    /// A token says so.
    Told {
        /// Names of permissions.
        permissions: BTreeSet<String>,
    },
    /// There is no token, and why.
    Untold {
        /// A sentence or two; ends with the cure.
        why: String,
    },
}

/// From so many days on an end is told.
pub const SOON_DAYS: i64 = 30;

const DAY: i64 = 24 * 60 * 60;

/// Whole days until an end (both Unix seconds); negative once it has come.
pub fn days_left(ends: i64, now: i64) -> i64 {
    (ends - now).div_euclid(DAY)
}

/// Whether somebody must know: it ends soon, or has ended.
pub fn is_soon(ends: i64, now: i64) -> bool {
    days_left(ends, now) < SOON_DAYS
}
