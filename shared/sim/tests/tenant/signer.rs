//! Somebody else's keys and certificates, and tokens signed with them.

use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// A key with its certificate, good through the year 2026.
pub(crate) struct Signer {
    pair: RsaKeyPair,
    pub(crate) pem: String,
    pub(crate) der: Vec<u8>,
}

impl Signer {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.not_before = rcgen::date_time_ymd(2025, 1, 1);
        params.not_after = rcgen::date_time_ymd(2027, 1, 1);
        let certificate = params.self_signed(&key).unwrap();
        let pair = RsaKeyPair::from_pkcs8(&key.serialize_der()).unwrap();
        let der = certificate.der().to_vec();
        let text = STANDARD.encode(&der);
        let lines: Vec<&str> = (0..text.len()).step_by(64).map(|i| &text[i..text.len().min(i + 64)]).collect();
        let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"));
        Self { pair, pem, der }
    }

    /// The registered one.
    pub(crate) fn ours() -> &'static Self {
        static OURS: OnceLock<Signer> = OnceLock::new();
        OURS.get_or_init(Self::new)
    }

    /// Another one.
    pub(crate) fn theirs() -> &'static Self {
        static THEIRS: OnceLock<Signer> = OnceLock::new();
        THEIRS.get_or_init(Self::new)
    }

    pub(crate) fn base64(&self) -> String {
        STANDARD.encode(&self.der)
    }

    pub(crate) fn sha256(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, &self.der))
    }

    pub(crate) fn sha1(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &self.der))
    }

    /// The public key as a key set with this `kid`.
    pub(crate) fn jwks(&self, kid: &str) -> Value {
        // SEQUENCE, 4 bytes; INTEGER n of 257 bytes, its first zero; INTEGER e.
        let der = self.pair.public_key().as_ref();
        let (n, e) = (&der[9..265], &der[267..]);
        json!({ "keys": [
            { "kty": "EC", "kid": "curve" },
            { "kty": "RSA", "kid": kid, "n": URL_SAFE_NO_PAD.encode(n), "e": URL_SAFE_NO_PAD.encode(e) },
        ] })
    }

    /// A token; the algorithm in the header decides how it is signed.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |v: &Value| URL_SAFE_NO_PAD.encode(v.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let scheme: &'static dyn RsaEncoding =
            if header["alg"] == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(scheme, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
