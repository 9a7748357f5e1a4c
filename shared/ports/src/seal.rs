//! Who may open what the vault has sealed: a key service, or a key of this machine.

use async_trait::async_trait;
use zeroize::Zeroizing;

/// A fresh key for one envelope: in clear for the moment of sealing, and wrapped for keeping.
pub struct DataKey {
    /// 256 bits in clear; forgotten when dropped.
    pub plain: Zeroizing<[u8; 32]>,
    /// The key as only the [`Seal`] can unwrap it.
    pub wrapped: Vec<u8>,
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey(…)")
    }
}

/// What a key is bound to. A key made for one context opens in no other: a sealed token that is moved to another
/// connection's item stays shut. Names only, never a secret and never personal data; they show in the key service's
/// log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealContext {
    /// The connection that the sealed text belongs to.
    pub connection: String,
    /// What for: `access-token`, `refresh-token`, `secret`.
    pub kind: &'static str,
}

impl SealContext {
    /// As pairs in the order of their names: the encryption context of AWS KMS.
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html>
    pub fn pairs(&self) -> [(&'static str, &str); 2] {
        [("hardmatch:connection", &self.connection), ("hardmatch:kind", self.kind)]
    }
}

/// Makes and unwraps data keys.
#[async_trait]
pub trait Seal: Send + Sync {
    /// A new key for this context.
    async fn data_key(&self, context: &SealContext) -> Result<DataKey, SealError>;

    /// The key that was wrapped for this context.
    async fn unwrap_key(&self, wrapped: &[u8], context: &SealContext) -> Result<Zeroizing<[u8; 32]>, SealError>;
}

/// The key could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// It was wrapped by another key, for another context, or was changed since. Trying again does not help.
    #[error("{0}")]
    Refused(String),
    /// The key service did not answer. May be tried again.
    #[error("{0}")]
    Unavailable(String),
}
