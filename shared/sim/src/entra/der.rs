//! As much of X.509 as checking an assertion takes: the public key and the time of validity
//! (<https://datatracker.ietf.org/doc/html/rfc5280#section-4.1>).

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// A certificate read.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    der: Vec<u8>,
    /// `SubjectPublicKeyInfo`, whole.
    pub(crate) public_key: Vec<u8>,
    /// Milliseconds since the epoch.
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
}

impl Certificate {
    /// Reads PEM, or base64 of DER.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let inner = match text.split_once("-----BEGIN CERTIFICATE-----") {
            Some((_, rest)) => rest.split_once("-----END CERTIFICATE-----")?.0,
            None => text,
        };
        let plain: String = inner.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        Self::parse(STANDARD.decode(plain).ok()?)
    }

    fn parse(der: Vec<u8>) -> Option<Self> {
        let (certificate, _) = expect(&der, SEQUENCE)?;
        let (mut rest, _) = expect(certificate.content, SEQUENCE).map(|(t, r)| (t.content, r))?;
        if let Some((version, after)) = element(rest)
            && version.tag == VERSION
        {
            rest = after;
        }
        let (_serial, rest) = expect(rest, INTEGER)?;
        let (_algorithm, rest) = expect(rest, SEQUENCE)?;
        let (_issuer, rest) = expect(rest, SEQUENCE)?;
        let (validity, rest) = expect(rest, SEQUENCE)?;
        let (_subject, rest) = expect(rest, SEQUENCE)?;
        let (public_key, _) = expect(rest, SEQUENCE)?;
        let (not_before, after) = element(validity.content)?;
        let (not_after, _) = element(after)?;
        let (not_before, not_after) = (time(&not_before)?, time(&not_after)?);
        let public_key = public_key.whole.to_vec();
        Some(Self { der, public_key, not_before, not_after })
    }

    /// As `x5t#S256` writes it.
    pub(crate) fn thumbprint_sha256(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, &self.der))
    }

    /// As `x5t` writes it.
    pub(crate) fn thumbprint_sha1(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &self.der))
    }
}

/// Modulus and exponent of an RSA public key (`RSAPublicKey` of RFC 8017), without leading zeros.
pub(crate) fn rsa_public_key(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (key, _) = expect(der, SEQUENCE)?;
    let (n, rest) = expect(key.content, INTEGER)?;
    let (e, _) = expect(rest, INTEGER)?;
    Some((positive(n.content), positive(e.content)))
}

fn positive(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|b| **b == 0).count();
    &bytes[zeros..]
}

struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    whole: &'a [u8],
}

fn expect(input: &[u8], tag: u8) -> Option<(Element<'_>, &[u8])> {
    element(input).filter(|(e, _)| e.tag == tag)
}

/// The first element, and what follows it.
fn element(input: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let tag = *input.first()?;
    let first = *input.get(1)?;
    let (length, header) = if first < 0x80 {
        (usize::from(first), 2)
    } else {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return None;
        }
        let bytes = input.get(2..2 + count)?;
        (bytes.iter().fold(0usize, |n, b| n << 8 | usize::from(*b)), 2 + count)
    };
    let end = header.checked_add(length)?;
    let content = input.get(header..end)?;
    Some((Element { tag, content, whole: &input[..end] }, &input[end..]))
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`, in milliseconds since the epoch.
fn time(element: &Element<'_>) -> Option<i64> {
    let text = std::str::from_utf8(element.content).ok()?;
    let full = match element.tag {
        GENERALIZED_TIME => text.to_owned(),
        // RFC 5280: two digits from 50 on are of the last century.
        UTC_TIME => format!("{}{text}", if text.get(..2)? >= "50" { "19" } else { "20" }),
        _ => return None,
    };
    let at = |from: usize, to: usize| full.get(from..to);
    let iso = format!("{}-{}-{}T{}:{}:{}Z", at(0, 4)?, at(4, 6)?, at(6, 8)?, at(8, 10)?, at(10, 12)?, at(12, 14)?);
    iso.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::{Certificate, element};

    #[test]
    fn what_is_cut_off_or_is_no_certificate_is_not_read() {
        assert!(Certificate::read("").is_none());
        assert!(Certificate::read("bm8gY2VydGlmaWNhdGU=").is_none());
        assert!(Certificate::read("-----BEGIN CERTIFICATE-----\nMIIB").is_none());
        for bytes in [&[0x30][..], &[0x30, 5, 1], &[0x30, 0x80], &[0x30, 0x85, 1, 1, 1, 1, 1], &[0x30, 0x82, 1]] {
            assert!(element(bytes).is_none(), "{bytes:?}");
        }
    }
}
