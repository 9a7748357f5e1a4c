//! Single values: clean text, numbers, lists. Faults name the shape of a value and never the value.

use std::borrow::Cow;

use hardmatch_domain::ids::ImmutableId;
use unicode_normalization::{UnicodeNormalization as _, is_nfc};

use crate::row::EntryFault;

/// The longest value that is kept: nobody's name or address comes near it, and what a person is stored in has an end.
pub const LONGEST: usize = 64 * 1024;

/// Which control characters a value may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// None.
    One,
    /// Line breaks and tabs become one space: people press Alt+Enter in a title.
    Joined,
    /// Line breaks and tabs: postal addresses, free text.
    Many,
}

/// Trimmed, in Unicode normalization form C, without control characters.
pub fn clean(value: &[u8], lines: Lines) -> Result<Cow<'_, str>, EntryFault> {
    let text = std::str::from_utf8(value).map_err(|error| {
        EntryFault::new(
            format!("Byte {} of the value is not text in the file's encoding", error.valid_up_to() + 1),
            "Write the file in one encoding (UTF-8), or set `encoding` in [source]",
        )
    })?;
    if value.len() > LONGEST {
        let problem = format!("The value is longer than {} KiB", LONGEST / 1024);
        return Err(EntryFault::new(problem, "Shorten it at the source, or leave the column out of the export"));
    }
    // Before anything is trimmed or joined: half of a letter may look like a space or a line break.
    if has_halves(text) {
        return Err(doubled_letters());
    }
    let text = text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
    let plain = text.bytes().all(|byte| matches!(byte, 0x20..0x7f));
    if plain {
        return Ok(Cow::Borrowed(text));
    }
    for c in text.chars() {
        if c == char::REPLACEMENT_CHARACTER {
            return Err(EntryFault::new(
                "The value has a character that could not be decoded (U+FFFD)",
                "Write the file again from the directory, as UTF-8",
            ));
        }
        let line = match lines {
            Lines::One => false,
            Lines::Joined => is_break(c),
            Lines::Many => matches!(c, '\n' | '\r' | '\t'),
        };
        if c.is_control() && !line {
            let problem = format!("The value has a control character (U+{:04X})", u32::from(c));
            let fault = EntryFault::new(problem, "Remove it at the source");
            return Err(if matches!(c, '\n' | '\r') { fault.near() } else { fault });
        }
    }
    if lines == Lines::Joined && text.contains(is_break) {
        let words: Vec<&str> = text.split(is_break).map(str::trim).filter(|word| !word.is_empty()).collect();
        return Ok(Cow::Owned(words.join(" ").nfc().collect()));
    }
    Ok(if is_nfc(text) { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) })
}

/// UTF-8 that a program took for ISO 8859-1 and wrote once more: a letter that begins a sequence of UTF-8, and behind it a
/// sign that no text has there. The second half of `Å` is a line break then, that of `à` a space.
fn has_halves(text: &str) -> bool {
    let halves = |(lead, next): (char, char)| {
        let begins = ('\u{c2}'..='\u{f4}').contains(&lead);
        (begins && ('\u{80}'..='\u{9f}').contains(&next)) || (matches!(lead, 'Â' | 'Ã') && next == '\u{a0}')
    };
    !text.is_ascii() && text.chars().zip(text.chars().skip(1)).any(halves)
}

/// A value that was encoded twice.
pub fn doubled_letters() -> EntryFault {
    EntryFault::new(
        "The value is UTF-8 that a program took for another encoding and wrote once more: it has two signs for one letter",
        "Export the file again as UTF-8, and do not open and save it in between",
    )
}

/// Characters of no width that texts bring along from chats and web pages, and a byte order mark inside a file. At the
/// end of a key or an address nobody sees them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Line breaks and tabs, those of word processors too.
fn is_break(c: char) -> bool {
    matches!(c, '\t'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// A bit field or a FILETIME: decimal, or hexadecimal after `0x`.
pub fn number(text: &str) -> Result<i64, EntryFault> {
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    // Programs that count in fractions write 512.0.
    let whole = text.split_once(['.', ',']).filter(|(_, rest)| !rest.is_empty() && rest.bytes().all(|b| b == b'0'));
    let text = whole.map_or(text, |(whole, _)| whole);
    let number = hex.map_or_else(|| text.parse(), |digits| i64::from_str_radix(digits, 16));
    number.map_err(|_| {
        EntryFault::new("The value is not a whole number", "Export the attribute as the directory stores it")
    })
}

/// `accountExpires`: whether the account has expired by `now` (Unix seconds).
/// 0 and the largest number mean never. <https://learn.microsoft.com/windows/win32/adschema/a-accountexpires>
pub fn has_expired(filetime: i64, now: i64) -> bool {
    /// Seconds from 1601 to 1970.
    const EPOCH: i64 = 11_644_473_600;
    filetime > 0 && filetime != i64::MAX && filetime / 10_000_000 - EPOCH <= now
}

/// A day as exports write it: ISO 8601, `31.01.2020`, or with slashes in an order that the column shows. A time behind
/// it is left out.
pub fn day(text: &str, order: DayOrder) -> Option<WrittenDay> {
    let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, ""));
    if !time.chars().all(|c| c.is_ascii_digit() || ":. +-AaMmPpZ\u{202f}".contains(c)) {
        return None;
    }
    let separator = date.chars().find(|c| !c.is_ascii_digit())?;
    let parts: Vec<&str> = date.split(separator).collect();
    let [one, two, three] = parts.as_slice() else { return None };
    let number = |text: &str| text.parse::<i16>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let (one_, two_, three_) = (number(one)?, number(two)?, number(three)?);
    let at = |year: i16, month: i16, day: i16| {
        jiff::civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
    };
    if one.len() == 4 {
        return at(one_, two_, three_).map(WrittenDay::At);
    }
    if three.len() != 4 || !matches!(separator, '.' | '/' | '-') {
        return None;
    }
    let order = if separator == '.' { DayOrder::DayFirst } else { order };
    let (day_first, month_first) = (at(three_, two_, one_), at(three_, one_, two_));
    match (order, day_first, month_first) {
        (DayOrder::DayFirst, Some(day), _) | (DayOrder::MonthFirst, _, Some(day)) => Some(WrittenDay::At(day)),
        (DayOrder::Unknown, Some(one), Some(other)) if one != other => Some(WrittenDay::Either(one, other)),
        (DayOrder::Unknown, one, other) => one.or(other).map(WrittenDay::At),
        (DayOrder::DayFirst | DayOrder::MonthFirst, ..) => None,
    }
}

/// A day without separators: `20201231`, or LDAP's generalized time `20201231235959.0Z`.
/// <https://www.rfc-editor.org/rfc/rfc4517#section-3.3.13>
fn generalized(text: &str) -> Option<jiff::civil::Date> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (date, rest) = text.split_at_checked(8).filter(|_| matches!(digits, 8 | 10 | 12 | 14))?;
    if !rest.chars().all(|c| c.is_ascii_digit() || ".,Z+-".contains(c)) {
        return None;
    }
    let at = |from: usize, to: usize| date[from..to].parse::<i16>().ok();
    let (year, month, day) = (at(0, 4)?, i8::try_from(at(4, 6)?).ok()?, i8::try_from(at(6, 8)?).ok()?);
    (year >= 1900).then(|| jiff::civil::Date::new(year, month, day).ok()).flatten()
}

/// In which order a column writes day and month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DayOrder {
    /// No value of the column tells.
    #[default]
    Unknown,
    /// 31/01/2020.
    DayFirst,
    /// 01/31/2020.
    MonthFirst,
}

/// A day, or one of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrittenDay {
    /// This day.
    At(jiff::civil::Date),
    /// The day of either order.
    Either(jiff::civil::Date, jiff::civil::Date),
}

/// When somebody's account ends: a FILETIME, or a day. `None` where the day may be one of two that say different things.
pub fn has_ended(text: &str, order: DayOrder, now: i64) -> Result<bool, EntryFault> {
    /// A FILETIME below it lies before 1632: it is a day of a spreadsheet (45000), Unix time, or `20201231`.
    const FIRST: i64 = 10_000_000_000_000_000;
    let filetime = number(text).ok().filter(|filetime| *filetime <= 0 || *filetime >= FIRST);
    if let Some(filetime) = filetime {
        return Ok(has_expired(filetime, now));
    }
    let over = |day: jiff::civil::Date| {
        // The day is over everywhere: nobody knows in which zone it was written.
        let zone = jiff::tz::Offset::constant(-12).to_time_zone();
        day.to_zoned(zone).map_or(i64::MAX, |start| start.timestamp().as_second()) <= now
    };
    let unclear = || {
        EntryFault::new(
            "The value is no date whose order of day and month is certain",
            "Write dates as 2026-01-31, or export accountExpires as the directory stores it",
        )
    };
    if text.eq_ignore_ascii_case("never") {
        return Ok(false);
    }
    let written = day(text, order).or_else(|| generalized(text).map(WrittenDay::At));
    match written.ok_or_else(unclear)? {
        WrittenDay::At(day) => Ok(over(day)),
        WrittenDay::Either(one, other) if over(one) == over(other) => Ok(over(one)),
        WrittenDay::Either(..) => Err(unclear()),
    }
}

/// An anchor taken as it is. It is longer than nothing and shorter than 60 characters; Microsoft's own sync refuses
/// most punctuation, but not in what is base64 already.
/// <https://learn.microsoft.com/entra/identity/hybrid/connect/plan-connect-design-concepts>
pub fn immutable_text(text: &str) -> Result<ImmutableId, EntryFault> {
    use base64::Engine as _;
    if text.chars().count() >= 60 {
        return Err(EntryFault::new(
            "The value is too long for an immutable ID",
            "Anchor by an attribute of fewer than 60 characters",
        ));
    }
    let encoded = text.len().is_multiple_of(4) && base64::engine::general_purpose::STANDARD.decode(text).is_ok();
    let odd = |c: char| c.is_whitespace() || "\\!#$%&*+/=?^`{}|~<>()';:,[]\"@_".contains(c);
    match text.chars().find(|c| odd(*c)) {
        Some(c) if !encoded => Err(EntryFault::new(
            format!("The value has a character that an immutable ID may not have ({c:?})"),
            "Anchor by another attribute, such as objectGUID",
        )),
        _ => Ok(ImmutableId::new(text)),
    }
}

/// A security identifier as text. <https://learn.microsoft.com/windows/win32/secauthz/sid-components>
pub fn sid(bytes: &[u8]) -> Option<String> {
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
    fn letters_whose_second_half_looks_like_space_are_refused() {
        for bad in ["\u{c3}\u{85}sa Lang", "BL\u{c3}\u{85}", "Voil\u{c3}\u{a0}", "\u{c3}\u{96}zil", "x\u{c2}\u{a0}y"] {
            for lines in [Lines::One, Lines::Joined, Lines::Many] {
                let fault = clean(bad.as_bytes(), lines).unwrap_err();
                assert!(fault.problem.contains("once more"), "{bad:?}: {}", fault.problem);
            }
        }
        for good in ["Åsa Lang", "BLÃ", "SÃO PAULO", "first\u{85}second", "Jo\u{e3}o\u{a0}Silva"] {
            assert!(clean(good.as_bytes(), Lines::Joined).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn text_is_trimmed_and_composed() {
        for (value, expected) in [
            (" Jane ", "Jane"),
            ("\u{feff}Jane\u{200b}", "Jane"),
            ("Cafe\u{301}", "Café"),
            ("\u{a0}x\u{a0}", "x"),
            ("", ""),
            ("日本", "日本"),
        ] {
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
    fn a_day_is_read_in_the_order_of_its_column() {
        let now = jiff::civil::date(2026, 11, 21).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_second();
        for (text, order, ended) in [
            ("01/31/2020 00:00:00", DayOrder::Unknown, Some(true)),
            ("1/31/2020 12:00:00 AM", DayOrder::Unknown, Some(true)),
            ("31.01.2020 00:00", DayOrder::Unknown, Some(true)),
            ("2020-01-31T00:00:00", DayOrder::Unknown, Some(true)),
            ("2099-01-31", DayOrder::Unknown, Some(false)),
            ("03/04/2020", DayOrder::Unknown, Some(true)),
            ("01/12/2026", DayOrder::Unknown, None),
            ("01/12/2026", DayOrder::DayFirst, Some(false)),
            ("01/12/2026", DayOrder::MonthFirst, Some(true)),
            ("Never", DayOrder::Unknown, Some(false)),
            ("soon", DayOrder::Unknown, None),
            ("99/99/2020", DayOrder::Unknown, None),
            ("20200131", DayOrder::Unknown, Some(true)),
            ("20991231235959.0Z", DayOrder::Unknown, Some(false)),
            ("20991231000000Z", DayOrder::Unknown, Some(false)),
            ("47848", DayOrder::Unknown, None),
            ("4102358400", DayOrder::Unknown, None),
            ("130000000000000000", DayOrder::Unknown, Some(true)),
            ("9223372036854770000", DayOrder::Unknown, Some(false)),
        ] {
            assert_eq!(has_ended(text, order, now).ok(), ended, "{text} {order:?}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(number("514"), Ok(514));
        assert_eq!(number("0x202"), Ok(514));
        assert_eq!((number("514.0"), number("514,00")), (Ok(514), Ok(514)));
        assert!(number("66.048").is_err() && number("514.").is_err());
        assert!(number("five").is_err());
    }

    #[test]
    fn a_sid_is_readable() {
        let bytes = [1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0xf4, 1, 0, 0];
        assert_eq!(sid(&bytes).as_deref(), Some("S-1-5-21-1-2-3-500"));
        assert_eq!(sid(&bytes[..20]), None);
    }
}
