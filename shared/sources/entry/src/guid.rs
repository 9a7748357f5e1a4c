//! The forms in which exports write the 16 bytes of a GUID.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hardmatch_domain::ids::Guid;

/// Reads a GUID.
///
/// - `2d72cb73-b186-4abc-86dc-…`, also in braces: text, whose first three fields are swapped to AD's byte order;
/// - base64 of 16 bytes: the bytes as they are;
/// - 32 hex digits without hyphens, or 16 pairs with `\`, `-`, `:` or spaces between, or after `0x` or `X'…'`: a dump of
///   the bytes as they are;
/// - 16 bytes (LDIF only: no text form is that short).
pub fn parse(value: &[u8]) -> Option<Guid> {
    if let Ok(bytes) = <[u8; 16]>::try_from(value) {
        return Some(Guid::from_ad_bytes(bytes));
    }
    parse_text(std::str::from_utf8(value).ok()?)
}

/// Reads a GUID from text.
pub fn parse_text(text: &str) -> Option<Guid> {
    let text = text.trim();
    if text.starts_with('{') || (text.len() == 36 && text.as_bytes()[8] == b'-') {
        return Guid::parse(text);
    }
    let decoded = match text.len() {
        22 => STANDARD_NO_PAD.decode(text).ok(),
        24 => STANDARD.decode(text).ok(),
        _ => hex(text),
    };
    Some(Guid::from_ad_bytes(decoded?.try_into().ok()?))
}

/// The canonical text, as `Display` gives it, without a formatter: keys are made by the hundred thousand.
pub fn text(guid: &Guid) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(36);
    for (at, byte) in guid.text_bytes().into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// Sixteen pairs of hex digits, whatever stands between them.
fn hex(text: &str) -> Option<Vec<u8>> {
    let text = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let text = text.strip_prefix("X'").and_then(|t| t.strip_suffix('\'')).unwrap_or(text);
    let mut bytes = Vec::with_capacity(16);
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        if matches!(rest[0], b'\\' | b'-' | b':' | b' ') {
            rest = &rest[1..];
        }
        let (pair, after) = rest.split_at_checked(2)?;
        let digit = |byte: u8| (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(digit(pair[0])? << 4 | digit(pair[1])?);
        rest = after;
    }
    (bytes.len() == 16).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hardmatch_domain::ids::ImmutableId;

    #[test]
    fn k9_known_guid_in_every_form_gives_the_known_id() {
        for (form, id) in [
            ("01234567-89ab-cdef-0123-456789abcdef", "Z0UjAauJ780BI0VniavN7w=="),
            (" {01234567-89AB-CDEF-0123-456789ABCDEF} ", "Z0UjAauJ780BI0VniavN7w=="),
            ("{0123456789abcdef0123456789abcdef}", "Z0UjAauJ780BI0VniavN7w=="),
            ("Z0UjAauJ780BI0VniavN7w==", "Z0UjAauJ780BI0VniavN7w=="),
            ("Z0UjAauJ780BI0VniavN7w", "Z0UjAauJ780BI0VniavN7w=="),
            ("67452301ab89efcd0123456789abcdef", "Z0UjAauJ780BI0VniavN7w=="),
            ("0x67452301AB89EFCD0123456789ABCDEF", "Z0UjAauJ780BI0VniavN7w=="),
            ("X'67452301ab89efcd0123456789abcdef'", "Z0UjAauJ780BI0VniavN7w=="),
            (r"\67\45\23\01\ab\89\ef\cd\01\23\45\67\89\ab\cd\ef", "Z0UjAauJ780BI0VniavN7w=="),
            ("67 45 23 01 ab 89 ef cd 01 23 45 67 89 ab cd ef", "Z0UjAauJ780BI0VniavN7w=="),
            ("67-45-23-01-ab-89-ef-cd-01-23-45-67-89-ab-cd-ef", "Z0UjAauJ780BI0VniavN7w=="),
            ("9c5923e9-de52-33ea-88de-7ebc8633b9cc", "6SNZnFLe6jOI3n68hjO5zA=="),
            ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", "4AQlP4lP0xGaDAMF6CwzAQ=="),
            ("897485c7-81a7-42e3-97c6-37ed73077b1f", "x4V0iaeB40KXxjftcwd7Hw=="),
        ] {
            let guid = parse(form.as_bytes()).unwrap_or_else(|| panic!("{form}"));
            assert_eq!(ImmutableId::from_guid(&guid).as_str(), id, "{form}");
            assert_eq!(text(&guid), guid.to_string());
        }
    }

    #[test]
    fn sixteen_bytes_are_the_bytes() {
        let raw = [0x67, 0x45, 0x23, 1, 0xab, 0x89, 0xef, 0xcd, 1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
        assert_eq!(parse(&raw).unwrap().to_string(), "01234567-89ab-cdef-0123-456789abcdef");
    }

    #[test]
    fn half_a_guid_is_none() {
        for text in ["", "System.Byte[]", "0123", "01234567-89ab-cdef-0123-456789abcde", "Z0UjAauJ780BI0VniavN7x=="] {
            assert_eq!(parse_text(text), None, "{text}");
        }
    }
}
