//! The seal on AWS KMS. Knows wrapped keys and contexts; never what is sealed.

use async_trait::async_trait;
use aws_sdk_kms::Client;
use aws_sdk_kms::error::ProvideErrorMetadata as _;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use hardmatch_ports::{DataKey, Seal, SealContext, SealError};
use zeroize::{Zeroize as _, Zeroizing};

use crate::failure::sentence;

/// Data keys of one KMS key.
#[derive(Clone, Debug)]
pub struct KmsSeal {
    client: Client,
    key: String,
}

impl KmsSeal {
    /// A key by id, ARN or alias.
    pub fn new(client: Client, key: impl Into<String>) -> Self {
        Self { client, key: key.into() }
    }
}

#[async_trait]
impl Seal for KmsSeal {
    async fn data_key(&self, context: &SealContext) -> Result<DataKey, SealError> {
        let mut request = self.client.generate_data_key().key_id(&self.key).key_spec(DataKeySpec::Aes256);
        for (name, value) in context.pairs() {
            request = request.encryption_context(name, value);
        }
        let made = request
            .send()
            .await
            .map_err(|error| SealError::Unavailable(sentence("kms:GenerateDataKey", &self.key, &error)))?;
        let (Some(plain), Some(wrapped)) = (made.plaintext, made.ciphertext_blob) else {
            return Err(SealError::Unavailable(format!("{} gave a data key without its halves", self.key)));
        };
        Ok(DataKey { plain: bits(plain)?, wrapped: wrapped.into_inner() })
    }

    async fn unwrap_key(&self, wrapped: &[u8], context: &SealContext) -> Result<Zeroizing<[u8; 32]>, SealError> {
        // Named, so that a key wrapped by somebody else's key is refused and not quietly opened.
        let mut request = self.client.decrypt().key_id(&self.key).ciphertext_blob(Blob::new(wrapped));
        for (name, value) in context.pairs() {
            request = request.encryption_context(name, value);
        }
        let opened = request.send().await.map_err(|error| {
            let text = sentence("kms:Decrypt", &self.key, &error);
            match error.code() {
                // Only these say that what was wrapped is wrong. A key that is switched off, or a role that may not use
                // it, is the operator's to put right, and what was sealed is not to be given up for it.
                Some("InvalidCiphertextException" | "IncorrectKeyException") => SealError::Refused(text),
                _ => SealError::Unavailable(text),
            }
        })?;
        bits(opened.plaintext.unwrap_or_else(|| Blob::new([])))
    }
}

fn bits(plain: Blob) -> Result<Zeroizing<[u8; 32]>, SealError> {
    let mut plain = plain.into_inner();
    let mut key = Zeroizing::new([0; 32]);
    let fits = plain.len() == key.len();
    if fits {
        key.copy_from_slice(&plain);
    }
    plain.zeroize();
    if fits { Ok(key) } else { Err(SealError::Refused("the wrapped key is not one of 256 bits".to_owned())) }
}
