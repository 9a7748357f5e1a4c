//! JSON Web Tokens of others, read and verified (<https://datatracker.ietf.org/doc/html/rfc7515>). What a failure
//! means is decided by the caller.

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Rs256,
    Ps256,
}

/// A token taken apart. Nothing in it is verified yet.
#[derive(Debug)]
pub(crate) struct Jwt<'a> {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Jwt<'a> {
    pub(crate) fn read(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let object = |part: &str| -> Option<Value> {
            let value: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()?;
            value.is_object().then_some(value)
        };
        Some(Self {
            header: object(header)?,
            claims: object(claims)?,
            signed,
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    pub(crate) fn algorithm(&self) -> Option<Algorithm> {
        match self.header["alg"].as_str() {
            Some("RS256") => Some(Algorithm::Rs256),
            Some("PS256") => Some(Algorithm::Ps256),
            _ => None,
        }
    }

    pub(crate) fn text(&self, claim: &str) -> &str {
        self.claims[claim].as_str().unwrap_or_default()
    }

    /// `aud` is a text or a list of texts.
    pub(crate) fn audiences(&self) -> Vec<&str> {
        match &self.claims["aud"] {
            Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
            one => one.as_str().into_iter().collect(),
        }
    }

    /// Whether `now` (milliseconds) lies between `nbf` and `exp`, give or take `skew` seconds.
    pub(crate) fn in_time(&self, now: i64, skew: u32) -> bool {
        let (now, skew) = (now / 1000, i64::from(skew));
        let begun = self.claims.get("nbf").is_none_or(|nbf| nbf.as_i64().is_some_and(|nbf| nbf <= now + skew));
        begun && self.claims["exp"].as_i64().is_some_and(|exp| exp > now - skew)
    }

    /// Verifies with a `SubjectPublicKeyInfo`.
    pub(crate) fn signed_by(&self, algorithm: Algorithm, public_key: &[u8]) -> bool {
        let scheme = match algorithm {
            Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
        };
        UnparsedPublicKey::new(scheme, public_key).verify(self.signed.as_bytes(), &self.signature).is_ok()
    }

    /// Verifies with the keys of a JSON Web Key Set: the one that `kid` names, or any when it names none.
    pub(crate) fn signed_by_any(&self, jwks: &Value) -> bool {
        let kid = self.header.get("kid");
        jwks["keys"].as_array().into_iter().flatten().filter(|key| kid.is_none() || key.get("kid") == kid).any(|key| {
            modulus_and_exponent(key).is_some_and(|(n, e)| {
                RsaPublicKeyComponents { n, e }
                    .verify(&RSA_PKCS1_2048_8192_SHA256, self.signed.as_bytes(), &self.signature)
                    .is_ok()
            })
        })
    }
}

/// The numbers of an RSA key in a key set; none for keys of another kind.
pub(crate) fn modulus_and_exponent(key: &Value) -> Option<(Vec<u8>, Vec<u8>)> {
    let number = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str()?).ok();
    (key["kty"] == "RSA").then_some(())?;
    Some((number("n")?, number("e")?))
}
