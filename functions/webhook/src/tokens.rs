//! Tokens: made once and told once, kept as hashes, compared in constant time.
//!
//! A token that may send hooks signs them, too. What HMAC-SHA256 needs to check a signature is not the key but the two
//! states of SHA-256 after the key was taken in: these are kept, and the token cannot be computed from them.
//! <https://www.rfc-editor.org/rfc/rfc2104#section-4>

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hardmatch_store::api_tokens::{ApiToken, SigningStates, TokenScope};
use hardmatch_store::hashes::hex;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::digest::common::hazmat::SerializableState as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// How every token begins, so that scanners of leaked secrets know it.
const PREFIX: &str = "hm_";
/// Characters of the public part.
const ID: usize = 16;
/// Characters of the secret part: 256 bits in base64 without padding.
const SECRET: usize = 43;
/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// A token that was just made: the only time that it is told.
pub struct NewToken {
    /// What is kept.
    pub kept: ApiToken,
    /// What signatures are checked with, where it may send hooks.
    pub signing: Option<SigningStates>,
    /// What is told.
    pub token: SecretString,
}

/// Makes a token.
pub fn make(name: &str, scopes: BTreeSet<TokenScope>, now_ms: i64) -> NewToken {
    let id = hex(&rand::random::<[u8; ID / 2]>());
    let token = format!("{PREFIX}{id}_{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
    let signing = scopes.contains(&TokenScope::Hook).then(|| SigningStates(signing_states(token.as_bytes())));
    let kept = ApiToken { id, name: name.to_owned(), scopes, hash: hash(&token), created_ms: now_ms };
    NewToken { kept, signing, token: SecretString::from(token) }
}

/// A token as a client sent it.
pub(crate) struct SentToken {
    id: String,
    whole: SecretString,
}

impl SentToken {
    /// From an authorization header: `Bearer` and the token, or the token alone.
    pub(crate) fn of_header(text: &str) -> Option<Self> {
        let text = text.trim();
        let token = match text.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            Some(_) => return None,
            None => text,
        };
        let (id, secret) = token.strip_prefix(PREFIX)?.split_once('_')?;
        let shaped = id.len() == ID && id.bytes().all(|byte| byte.is_ascii_hexdigit()) && secret.len() == SECRET;
        shaped.then(|| Self { id: id.to_owned(), whole: SecretString::from(token.to_owned()) })
    }

    /// What stands in for a token where none was sent: as long as one, and nobody's.
    pub(crate) fn nobodys() -> Self {
        Self {
            id: "0".repeat(ID),
            whole: SecretString::from(format!("{PREFIX}{}_{}", "0".repeat(ID), "0".repeat(SECRET))),
        }
    }

    /// The public part.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Whether it is the kept one. Takes as long where none is kept.
    pub(crate) fn is(&self, kept: Option<&ApiToken>) -> bool {
        let sent = hash(self.whole.expose_secret());
        let wanted = kept.map_or_else(|| "0".repeat(sent.len()), |kept| kept.hash.clone());
        let same: bool = sent.as_bytes().ct_eq(wanted.as_bytes()).into();
        same && kept.is_some()
    }
}

/// SHA-256 of a text, as hex. A token has 256 random bits: no slower hash makes it safer.
pub(crate) fn hash(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn signing_states(key: &[u8]) -> String {
    let mut block = [0u8; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let state = |pad: u8| {
        let mut hasher = Sha256::new();
        hasher.update(block.map(|byte| byte ^ pad));
        hex(&hasher.serialize())
    };
    format!("{}{}", state(0x36), state(0x5c))
}

/// HMAC-SHA256 over the parts of a message, by the kept states of a key. `None` where they cannot be read.
pub(crate) fn signature(states: &str, parts: &[&[u8]]) -> Option<[u8; 32]> {
    let bytes = unhex(states)?;
    let (inner, outer) = bytes.split_at(bytes.len() / 2);
    let open = |state: &[u8]| Sha256::deserialize(&state.try_into().ok()?).ok();
    let (mut inner, mut outer) = (open(inner)?, open(outer)?);
    for part in parts {
        inner.update(part);
    }
    outer.update(inner.finalize());
    Some(outer.finalize().into())
}

/// Whether two signatures are equal, in constant time.
pub(crate) fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.ct_eq(b).into()
}

/// The bytes of lower- or upper-case hex.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit as _, Mac as _};

    use super::*;

    #[test]
    fn a_token_is_known_by_its_hash_alone() {
        let made = make("okta", BTreeSet::from([TokenScope::Scim]), 7);
        let token = made.token.expose_secret();
        assert!(!format!("{:?}", made.kept).contains(&token[20..]), "only hashes are kept");
        let sent = SentToken::of_header(&format!("Bearer {token}")).unwrap();
        assert_eq!(sent.id(), made.kept.id);
        assert!(sent.is(Some(&made.kept)));
        assert!(!sent.is(None));
        assert!(!SentToken::nobodys().is(None));
        assert!(!SentToken::nobodys().is(Some(&made.kept)));
        assert!(made.signing.is_none());
        for text in ["", "Bearer", "Basic YTpi", "hm_", &format!("hm_{}_short", made.kept.id), "Bearer hm_é_ü"] {
            assert!(SentToken::of_header(text).is_none(), "{text}");
        }
    }

    #[test]
    fn kept_states_sign_as_the_token_does() {
        for length in [1, 32, 63, 64, 65, 200] {
            let key = "k".repeat(length);
            let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
            mac.update(b"v0:1:{\"a\":1}");
            let wanted: [u8; 32] = mac.finalize().into_bytes().into();
            let signed = signature(&signing_states(key.as_bytes()), &[b"v0:1:", b"{\"a\":1}"]).unwrap();
            assert!(same(&signed, &wanted), "{length}");
        }
        assert!(signature("", &[]).is_none());
        assert!(signature("zz", &[]).is_none());
    }
}
