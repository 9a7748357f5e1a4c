//! Opaque tokens: pages, delta, refresh. They carry their own state, so that they survive a restart.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::rng::{Rng, hash};

/// Makes a token unreadable and a changed one invalid. Nothing here is a secret.
const KEY: u64 = 0x68_61_72_64_6d_61_74_63;

/// What a token remembers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Cursor {
    /// A list: position, where the collection ended, when issued.
    Page { at: u64, end: u64, issued: i64 },
    /// Delta.
    Delta(Round),
}

/// A round of delta.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Round {
    /// `users`, `groups` or `contacts`.
    pub(crate) set: String,
    /// Log positions: changes from here …
    pub(crate) from: u64,
    /// … to here. A delta link has only `from`.
    pub(crate) to: u64,
    /// The next position: in the collection in a first round, in the log later.
    pub(crate) at: u64,
    /// Where a first round ends; absent later.
    pub(crate) end: Option<u64>,
    /// The page is a delta link (a new round starts), not a next link.
    pub(crate) link: bool,
    pub(crate) issued: i64,
    pub(crate) epoch: u32,
    /// Tracked properties, as hexadecimal; absent is the default set.
    pub(crate) select: Option<String>,
    pub(crate) ids: Vec<uuid::Uuid>,
    /// How many pages came before, so that empty pages do not go on for ever.
    pub(crate) page: u32,
}

impl Cursor {
    pub(crate) fn encode(&self) -> String {
        seal(self)
    }

    pub(crate) fn decode(token: &str) -> Option<Self> {
        open(token)
    }
}

/// Makes an opaque token that carries its own state.
pub(crate) fn seal(value: &impl Serialize) -> String {
    let mut bytes = serde_json::to_vec(value).unwrap_or_default();
    let mut sealed = hash((KEY, bytes.as_slice())).to_be_bytes().to_vec();
    scramble(&mut bytes);
    sealed.extend(bytes);
    URL_SAFE_NO_PAD.encode(sealed)
}

/// Reads what [`seal`] made; none if it was changed.
pub(crate) fn open<T: for<'a> Deserialize<'a>>(token: &str) -> Option<T> {
    let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (check, bytes) = sealed.split_at_checked(8)?;
    let mut bytes = bytes.to_vec();
    scramble(&mut bytes);
    if hash((KEY, bytes.as_slice())).to_be_bytes() != *check {
        return None;
    }
    serde_json::from_slice(&bytes).ok()
}

fn scramble(bytes: &mut [u8]) {
    let mut stream = Rng::new(KEY);
    for chunk in bytes.chunks_mut(8) {
        for (byte, mask) in chunk.iter_mut().zip(stream.next().to_be_bytes()) {
            *byte ^= mask;
        }
    }
}
