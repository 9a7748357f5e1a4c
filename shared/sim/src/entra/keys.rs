//! The service's own signing keys. Made once per process and shared by its tenants: making one takes time, and a
//! tenant is told from another by the claims.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::der::rsa_public_key;

/// A key that signs id tokens.
#[derive(Debug)]
pub(crate) struct SigningKey {
    pair: RsaKeyPair,
    kid: String,
}

static POOL: Mutex<Vec<Arc<SigningKey>>> = Mutex::new(Vec::new());

impl SigningKey {
    /// The key in use after so many rollovers; none when the library cannot make one.
    pub(crate) fn after(rollovers: usize) -> Option<Arc<Self>> {
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        while pool.len() <= rollovers {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).ok()?;
            let kid = URL_SAFE_NO_PAD.encode(&digest(&SHA256, pair.public_key().as_ref()).as_ref()[..20]);
            pool.push(Arc::new(Self { pair, kid }));
        }
        pool.get(rollovers).cloned()
    }

    /// A token with these claims.
    pub(crate) fn sign(&self, claims: &Value) -> Option<String> {
        let header = json!({ "typ": "JWT", "alg": "RS256", "kid": self.kid });
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).ok()?;
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// As the key set publishes it.
    pub(crate) fn public(&self, issuer: &str) -> Option<Value> {
        let (n, e) = rsa_public_key(self.pair.public_key().as_ref())?;
        Some(json!({
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.kid,
            "n": URL_SAFE_NO_PAD.encode(n),
            "e": URL_SAFE_NO_PAD.encode(e),
            "issuer": issuer,
        }))
    }
}
