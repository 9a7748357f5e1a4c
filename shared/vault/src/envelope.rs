//! The envelope: how sealed bytes lie in an item. The form is in the README and in golden files; it is ours, it is
//! versioned, and it is the same for every keeper of the key.
//!
//! ```text
//! "HMV" version(1) | length of wrapped key (2, big-endian) | wrapped key | nonce (12) | AES-256-GCM ciphertext and tag (16)
//! ```
//!
//! Associated data are the first four bytes, and then connection, kind and item, each as length (4, big-endian) and
//! bytes: an envelope that is moved to another item, kind or connection stays shut.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use hardmatch_ports::seal::SealContext;
use zeroize::Zeroizing;

/// The version of the envelope that is written. Older ones are read; newer ones are left alone.
pub const VERSION: u8 = 1;

const MAGIC: [u8; 3] = *b"HMV";
const TAG: usize = 16;
/// Magic, version, length of the wrapped key.
const HEAD: usize = MAGIC.len() + 1 + 2;

/// Bytes of a nonce.
pub(crate) const NONCE: usize = NONCE_LEN;

/// A key in clear.
pub(crate) type Plain = Zeroizing<[u8; 32]>;

/// Why an envelope stays shut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shut {
    /// No envelope, or cut off.
    NotOurs,
    /// Written by a newer version.
    Newer(u8),
    /// Changed, moved, or sealed under another key.
    Refused,
}

/// An envelope taken apart.
pub(crate) struct Envelope<'a> {
    /// The key it was sealed under, as only a `Seal` can unwrap it.
    pub(crate) wrapped: &'a [u8],
    nonce: [u8; NONCE],
    sealed: &'a [u8],
}

impl<'a> Envelope<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Shut> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(Shut::NotOurs)?;
        let (&version, rest) = rest.split_first().ok_or(Shut::NotOurs)?;
        if version > VERSION {
            return Err(Shut::Newer(version));
        }
        if version != VERSION {
            return Err(Shut::NotOurs);
        }
        let (length, rest) = rest.split_first_chunk().ok_or(Shut::NotOurs)?;
        let (wrapped, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(Shut::NotOurs)?;
        let (nonce, sealed) = rest.split_first_chunk().ok_or(Shut::NotOurs)?;
        if sealed.len() < TAG {
            return Err(Shut::NotOurs);
        }
        Ok(Self { wrapped, nonce: *nonce, sealed })
    }

    pub(crate) fn open(&self, key: &Plain, context: &SealContext, item: &str) -> Result<Zeroizing<Vec<u8>>, Shut> {
        let mut bytes = Zeroizing::new(self.sealed.to_vec());
        let length = aead(key)?
            .open_in_place(Nonce::assume_unique_for_key(self.nonce), Aad::from(associated(context, item)), &mut bytes)
            .map_err(|_| Shut::Refused)?
            .len();
        bytes.truncate(length);
        Ok(bytes)
    }
}

/// Seals. The nonce must be new for the key.
pub(crate) fn seal(
    key: &Plain,
    wrapped: &[u8],
    nonce: [u8; NONCE],
    context: &SealContext,
    item: &str,
    plain: &[u8],
) -> Result<Vec<u8>, Shut> {
    let length = u16::try_from(wrapped.len()).map_err(|_| Shut::NotOurs)?;
    // Long enough from the start: a buffer that moves leaves the plain text behind.
    let mut bytes = Vec::with_capacity(plain.len() + TAG);
    bytes.extend_from_slice(plain);
    aead(key)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(associated(context, item)), &mut bytes)
        .map_err(|_| Shut::Refused)?;
    let mut out = Vec::with_capacity(HEAD + wrapped.len() + NONCE + bytes.len());
    out.extend_from_slice(&MAGIC);
    out.push(VERSION);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(wrapped);
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&bytes);
    Ok(out)
}

pub(crate) fn aead(key: &Plain) -> Result<LessSafeKey, Shut> {
    UnboundKey::new(&AES_256_GCM, key.as_slice()).map(LessSafeKey::new).map_err(|_| Shut::Refused)
}

fn associated(context: &SealContext, item: &str) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.push(VERSION);
    for part in [context.connection.as_str(), context.kind, item] {
        append(&mut out, part);
    }
    out
}

/// Length and bytes, so that no two lists of texts look alike.
pub(crate) fn append(out: &mut Vec<u8>, part: &str) {
    // Names of connections, kinds and keys have a few hundred bytes at most.
    out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(part.as_bytes());
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        key: String,
        wrapped: String,
        nonce: String,
        connection: String,
        kind: String,
        item: String,
        plain: String,
        envelope: String,
    }

    fn decoded(text: &str) -> Vec<u8> {
        STANDARD.decode(text).unwrap()
    }

    fn context(connection: &str, kind: &str) -> SealContext {
        let kind = ["access-token", "refresh-token", "secret"].into_iter().find(|known| *known == kind).unwrap();
        SealContext { connection: connection.to_owned(), kind }
    }

    fn key(byte: u8) -> Plain {
        Zeroizing::new([byte; 32])
    }

    /// Made with another implementation of AES-256-GCM than the one that is tested.
    #[test]
    fn the_golden_envelopes_are_made_and_opened() {
        let vectors: Vec<Vector> = serde_json::from_str(include_str!("../tests/golden/envelope-v1.json")).unwrap();
        assert!(vectors.len() >= 3);
        for vector in vectors {
            let key = Zeroizing::new(<[u8; 32]>::try_from(decoded(&vector.key)).unwrap());
            let nonce = <[u8; NONCE]>::try_from(decoded(&vector.nonce)).unwrap();
            let (wrapped, plain, want) = (decoded(&vector.wrapped), decoded(&vector.plain), decoded(&vector.envelope));
            let context = context(&vector.connection, &vector.kind);
            let made = seal(&key, &wrapped, nonce, &context, &vector.item, &plain).unwrap();
            assert_eq!(STANDARD.encode(&made), STANDARD.encode(&want), "{}", vector.name);
            let envelope = Envelope::parse(&want).unwrap();
            assert_eq!(envelope.wrapped, wrapped, "{}", vector.name);
            assert_eq!(*envelope.open(&key, &context, &vector.item).unwrap(), plain, "{}", vector.name);
        }
    }

    #[test]
    fn a_byte_that_was_changed_keeps_it_shut() {
        let context = context("contoso", "access-token");
        let good = seal(&key(1), b"wrapped", [2; NONCE], &context, "item", b"a token").unwrap();
        let opened = |bytes: &[u8]| -> Result<Vec<u8>, Shut> {
            let envelope = Envelope::parse(bytes)?;
            // The service that unwraps keys refuses a key that was changed.
            if envelope.wrapped != b"wrapped" {
                return Err(Shut::Refused);
            }
            envelope.open(&key(1), &context, "item").map(|plain| plain.to_vec())
        };
        assert_eq!(opened(&good).as_deref(), Ok(b"a token".as_slice()));
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert!(opened(&bad).is_err(), "byte {at} bit {bit}");
            }
        }
        for length in 0..good.len() {
            assert!(opened(&good[..length]).is_err(), "cut to {length}");
        }
        assert!(opened(&[good.as_slice(), b"x"].concat()).is_err());
    }

    #[test]
    fn an_envelope_that_was_moved_stays_shut() {
        let here = context("contoso", "access-token");
        let sealed = seal(&key(1), b"w", [2; NONCE], &here, "item", b"a token").unwrap();
        let envelope = Envelope::parse(&sealed).unwrap();
        for (connection, kind, item) in [
            ("contosx", "access-token", "item"),
            ("contoso", "refresh-token", "item"),
            ("contoso", "access-token", "item2"),
            ("contoso", "access-token", ""),
        ] {
            assert_eq!(envelope.open(&key(1), &context(connection, kind), item), Err(Shut::Refused));
        }
        assert_eq!(envelope.open(&key(3), &here, "item"), Err(Shut::Refused));
        // What stands at the border of two names belongs to one of them.
        assert_ne!(associated(&context("ab", "secret"), "c"), associated(&context("a", "secret"), "bc"));
    }

    #[test]
    fn a_newer_version_is_told_from_rubbish() {
        let mut sealed = seal(&key(1), b"w", [2; NONCE], &context("c", "secret"), "i", b"x").unwrap();
        sealed[3] = VERSION + 1;
        assert_eq!(Envelope::parse(&sealed).err(), Some(Shut::Newer(VERSION + 1)));
        sealed[3] = 0;
        assert_eq!(Envelope::parse(&sealed).err(), Some(Shut::NotOurs));
        assert_eq!(Envelope::parse(b"{}").err(), Some(Shut::NotOurs));
    }

    proptest::proptest! {
        #[test]
        fn rubbish_is_refused_without_a_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let mut bytes = bytes;
            if let Some(head) = bytes.first_chunk_mut::<4>() {
                *head = *b"HMV\x01";
            }
            if let Ok(envelope) = Envelope::parse(&bytes) {
                proptest::prop_assert!(envelope.open(&key(1), &context("c", "secret"), "i").is_err());
            }
        }
    }
}
