//! Seals and opens envelopes with data keys that somebody else wraps, and keeps a few of those keys for a few minutes so
//! that the key service is not asked for each item.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hardmatch_ports::clock::Clock;
use hardmatch_ports::seal::{DataKey, Seal, SealContext, SealError};
use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use crate::envelope::{self, Envelope, NONCE, Plain, Shut};

/// How long a data key stays in memory. A key that is disabled at the key service still opens for so long.
const MAX_AGE: SignedDuration = SignedDuration::from_mins(5);
/// How many stay.
const MAX_KEYS: usize = 32;
/// How many envelopes are sealed under one key. Random nonces are safe for four billion; there is no need to come near.
/// <https://csrc.nist.gov/pubs/sp/800/38/d/final>
const MAX_SEALED: u32 = 1000;

/// Why an envelope could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// A newer version sealed it; this one leaves it alone.
    #[error("it was sealed by a newer hardmatch (envelope {version}; this one knows up to {known}). Use the newer version", known = envelope::VERSION)]
    Newer {
        /// Its version.
        version: u8,
    },
    /// The key is gone, it belongs elsewhere, or it was changed. Trying again does not help.
    #[error("{0}")]
    Refused(String),
    /// The key service did not answer. May be tried again.
    #[error("{0}")]
    Unavailable(String),
}

/// Seals and opens. Prints nothing of what it keeps.
pub struct Sealer {
    seal: Arc<dyn Seal>,
    clock: Arc<dyn Clock>,
    known: Mutex<Vec<Known>>,
}

/// A data key in memory; wiped when it is dropped.
struct Known {
    context: SealContext,
    wrapped: Vec<u8>,
    plain: Plain,
    since: Timestamp,
    /// How many envelopes were sealed under it; `None` for a key that only opens.
    sealed: Option<u32>,
}

impl Sealer {
    /// With keys that `seal` makes and unwraps.
    pub fn new(seal: Arc<dyn Seal>, clock: Arc<dyn Clock>) -> Self {
        Self { seal, clock, known: Mutex::new(Vec::new()) }
    }

    /// Seals bytes for one item of one context.
    pub async fn seal(&self, context: &SealContext, item: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let (wrapped, key) = if let Some(known) = self.key_to_seal(context) {
            known
        } else {
            let DataKey { plain, wrapped } = self.seal.data_key(context).await?;
            self.remember(context, &wrapped, &plain, Some(1));
            (wrapped, plain)
        };
        let mut nonce = [0; NONCE];
        let failed = |_| SealError::Unavailable("the random numbers of this machine failed; try again".to_owned());
        aws_lc_rs::rand::fill(&mut nonce).map_err(failed)?;
        envelope::seal(&key, &wrapped, nonce, context, item, plain).map_err(|_| {
            SealError::Refused("the key service gave a key that cannot be used; check which key it is".to_owned())
        })
    }

    /// Opens an envelope of this item and context.
    pub async fn open(
        &self,
        context: &SealContext,
        item: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let envelope = Envelope::parse(sealed).map_err(shut)?;
        let key = if let Some(key) = self.key_to_open(context, envelope.wrapped) {
            key
        } else {
            let key = self.seal.unwrap_key(envelope.wrapped, context).await.map_err(|error| match error {
                SealError::Refused(why) => OpenError::Refused(why),
                SealError::Unavailable(why) => OpenError::Unavailable(why),
            })?;
            self.remember(context, envelope.wrapped, &key, None);
            key
        };
        envelope.open(&key, context, item).map_err(shut)
    }

    fn key_to_seal(&self, context: &SealContext) -> Option<(Vec<u8>, Plain)> {
        self.fresh().iter_mut().find_map(|known| {
            let sealed = known.sealed.filter(|sealed| *sealed < MAX_SEALED && known.context == *context)?;
            known.sealed = Some(sealed + 1);
            Some((known.wrapped.clone(), known.plain.clone()))
        })
    }

    /// Only under the context it was unwrapped for: a key out of memory must open nothing that the key service would
    /// have refused.
    fn key_to_open(&self, context: &SealContext, wrapped: &[u8]) -> Option<Plain> {
        self.fresh()
            .iter()
            .find(|known| known.wrapped == wrapped && known.context == *context)
            .map(|known| known.plain.clone())
    }

    fn remember(&self, context: &SealContext, wrapped: &[u8], plain: &Plain, sealed: Option<u32>) {
        let since = self.clock.now();
        let mut known = self.fresh();
        if known.len() >= MAX_KEYS {
            // The oldest stands first.
            known.remove(0);
        }
        let (context, wrapped, plain) = (context.clone(), wrapped.to_vec(), plain.clone());
        known.push(Known { context, wrapped, plain, since, sealed });
    }

    /// What is kept, without what is too old. A clock that was set back makes everything too old.
    fn fresh(&self) -> MutexGuard<'_, Vec<Known>> {
        let now = self.clock.now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|known| {
            let age = now.duration_since(known.since);
            !age.is_negative() && age < MAX_AGE
        });
        known
    }
}

fn shut(shut: Shut) -> OpenError {
    match shut {
        Shut::Newer(version) => OpenError::Newer { version },
        Shut::NotOurs => OpenError::Refused("it is no envelope of hardmatch, or was cut off".to_owned()),
        Shut::Refused => {
            OpenError::Refused("it was changed, moved here from elsewhere, or sealed under another key".to_owned())
        }
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(…)")
    }
}
