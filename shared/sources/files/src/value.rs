//! Single values: clean text, numbers, switches, lists. Faults name the shape of a value and never the value.

use std::borrow::Cow;

use hardmatch_domain::ids::ImmutableId;
use unicode_normalization::{UnicodeNormalization as _, is_nfc};

use crate::dn;
use crate::row::Fault;

/// Which control characters a value may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lines {
    /// None.
    One,
    /// Line breaks and tabs: postal addresses, free text.
    Many,
}

/// Trimmed, in Unicode normalization form C, without control characters.
pub(crate) fn clean(value: &[u8], lines: Lines) -> Result<Cow<'_, str>, Fault> {
    let text = std::str::from_utf8(value).map_err(|error| {
        Fault::new(
            format!("Byte {} of the value is not text in the file's encoding", error.valid_up_to() + 1),
            "Write the file in one encoding (UTF-8), or set `encoding` in [source]",
        )
    })?;
    let text = text.trim();
    let plain = text.bytes().all(|byte| matches!(byte, 0x20..0x7f));
    if plain {
        return Ok(Cow::Borrowed(text));
    }
    for c in text.chars() {
        if c == char::REPLACEMENT_CHARACTER {
            return Err(Fault::new(
                "The value has a character that could not be decoded (U+FFFD)",
                "Write the file again from the directory, as UTF-8",
            ));
        }
        let line = lines == Lines::Many && matches!(c, '\n' | '\r' | '\t');
        if c.is_control() && !line {
            let problem = format!("The value has a control character (U+{:04X})", u32::from(c));
            let fault = Fault::new(problem, "Remove it at the source");
            return Err(if matches!(c, '\n' | '\r') { fault.near() } else { fault });
        }
    }
    Ok(if is_nfc(text) { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) })
}

/// The parts of a list in one CSV cell, separated by `;`. A DN may hold an escaped one.
pub(crate) fn list(cell: &str) -> impl Iterator<Item = &str> {
    dn::split(cell, |c| c == ';').map(str::trim).filter(|part| !part.is_empty())
}

/// A value that a script wrote instead of the values themselves.
pub(crate) fn refuse_type_name(text: &str) -> Result<(), Fault> {
    let named = ["Microsoft.ActiveDirectory.", "System."].iter().any(|prefix| text.starts_with(prefix));
    if named && (text.ends_with("Collection") || text.ends_with("[]")) {
        return Err(Fault::new(
            "The cell has the name of a PowerShell type instead of values",
            "Join them in the export: Select-Object @{n='memberOf';e={$_.memberOf -join ';'}}",
        ));
    }
    Ok(())
}

/// A yes or no.
pub(crate) fn switch(text: &str) -> Result<bool, Fault> {
    const YES: [&str; 6] = ["true", "yes", "1", "enabled", "active", "y"];
    const NO: [&str; 7] = ["false", "no", "0", "disabled", "inactive", "n", "suspended"];
    if YES.iter().any(|word| word.eq_ignore_ascii_case(text)) {
        Ok(true)
    } else if NO.iter().any(|word| word.eq_ignore_ascii_case(text)) {
        Ok(false)
    } else {
        Err(Fault::new("The value is neither yes nor no", "Write true or false"))
    }
}

/// A bit field or a FILETIME: decimal, or hexadecimal after `0x`.
pub(crate) fn number(text: &str) -> Result<i64, Fault> {
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let number = hex.map_or_else(|| text.parse(), |digits| i64::from_str_radix(digits, 16));
    number.map_err(|_| Fault::new("The value is not a whole number", "Export the attribute as the directory stores it"))
}

/// `accountExpires`: whether the account has expired by `now` (Unix seconds).
/// 0 and the largest number mean never. <https://learn.microsoft.com/windows/win32/adschema/a-accountexpires>
pub(crate) fn has_expired(filetime: i64, now: i64) -> bool {
    /// Seconds from 1601 to 1970.
    const EPOCH: i64 = 11_644_473_600;
    filetime > 0 && filetime != i64::MAX && filetime / 10_000_000 - EPOCH <= now
}

/// An anchor taken as it is. It is longer than nothing and shorter than 60 characters; Microsoft's own sync refuses
/// most punctuation, but not in what is base64 already.
/// <https://learn.microsoft.com/entra/identity/hybrid/connect/plan-connect-design-concepts>
pub(crate) fn immutable_text(text: &str) -> Result<ImmutableId, Fault> {
    use base64::Engine as _;
    if text.chars().count() >= 60 {
        return Err(Fault::new(
            "The value is too long for an immutable ID",
            "Anchor by an attribute of fewer than 60 characters",
        ));
    }
    let encoded = text.len().is_multiple_of(4) && base64::engine::general_purpose::STANDARD.decode(text).is_ok();
    let odd = |c: char| c.is_whitespace() || "\\!#$%&*+/=?^`{}|~<>()';:,[]\"@_".contains(c);
    match text.chars().find(|c| odd(*c)) {
        Some(c) if !encoded => Err(Fault::new(
            format!("The value has a character that an immutable ID may not have ({c:?})"),
            "Anchor by another attribute, such as objectGUID",
        )),
        _ => Ok(ImmutableId::new(text)),
    }
}

/// A security identifier as text. <https://learn.microsoft.com/windows/win32/secauthz/sid-components>
pub(crate) fn sid(bytes: &[u8]) -> Option<String> {
    let (head, parts) = bytes.split_at_checked(8)?;
    if head[0] != 1 || parts.len() != 4 * usize::from(head[1]) {
        return None;
    }
    let authority = head[2..].iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    let mut text = format!("S-1-{authority}");
    for part in parts.as_chunks::<4>().0 {
        text.push('-');
        text.push_str(&u32::from_le_bytes(*part).to_string());
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_trimmed_and_composed() {
        for (value, expected) in
            [(" Jane ", "Jane"), ("Cafe\u{301}", "Café"), ("\u{a0}x\u{a0}", "x"), ("", ""), ("日本", "日本")]
        {
            assert_eq!(clean(value.as_bytes(), Lines::One).unwrap(), expected);
        }
        for (bad, expected) in [
            (&b"Jos\xe9"[..], "Byte 4"),
            (b"a\x00b", "U+0000"),
            (b"a\tb", "U+0009"),
            ("a\u{81}".as_bytes(), "U+0081"),
            ("a\u{fffd}".as_bytes(), "U+FFFD"),
        ] {
            let fault = clean(bad, Lines::One).unwrap_err();
            assert!(fault.problem.contains(expected), "{}", fault.problem);
        }
        assert_eq!(clean(b"1 High St\r\nYork", Lines::Many).unwrap(), "1 High St\r\nYork");
    }

    #[test]
    fn expiry_knows_the_two_nevers() {
        let now = 1_795_300_000;
        for (filetime, expired) in [
            (0, false),
            (i64::MAX, false),
            (130_000_000_000_000_000, true),
            ((now + 11_644_473_600) * 10_000_000, true),
            ((now + 11_644_473_601) * 10_000_000, false),
        ] {
            assert_eq!(has_expired(filetime, now), expired, "{filetime}");
        }
    }

    #[test]
    fn an_anchor_is_taken_as_it_is_or_refused() {
        for good in ["1001", "A-1.b", "Z0UjAauJ780BI0VniavN7w==", "ab+/"] {
            assert_eq!(immutable_text(good).unwrap().as_str(), good);
        }
        for bad in ["a b", "jane@example.com", "a_b", "a/b", &"x".repeat(60)] {
            assert!(immutable_text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn switches_and_numbers() {
        assert_eq!(switch("TRUE"), Ok(true));
        assert_eq!(switch("Disabled"), Ok(false));
        assert!(switch("maybe").is_err());
        assert_eq!(number("514"), Ok(514));
        assert_eq!(number("0x202"), Ok(514));
        assert!(number("five").is_err());
    }

    #[test]
    fn a_sid_is_readable() {
        let bytes = [1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0xf4, 1, 0, 0];
        assert_eq!(sid(&bytes).as_deref(), Some("S-1-5-21-1-2-3-500"));
        assert_eq!(sid(&bytes[..20]), None);
    }
}
