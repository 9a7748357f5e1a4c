//! Single values: clean text, numbers, lists. Faults name the shape of a value and never the value.

use std::borrow::Cow;

use hardmatch_domain::ids::ImmutableId;
use unicode_normalization::{UnicodeNormalization as _, is_nfc};

use crate::row::Fault;

/// The longest value that is kept: nobody's name or address comes near it, and what a person is stored in has an end.
pub(crate) const LONGEST: usize = 64 * 1024;

/// Which control characters a value may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lines {
    /// None.
    One,
    /// Line breaks and tabs become one space: people press Alt+Enter in a title.
    Joined,
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
    if value.len() > LONGEST {
        let problem = format!("The value is longer than {} KiB", LONGEST / 1024);
        return Err(Fault::new(problem, "Shorten it at the source, or leave the column out of the export"));
    }
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
        let line = lines != Lines::One && matches!(c, '\n' | '\r' | '\t');
        if c.is_control() && !line {
            let problem = format!("The value has a control character (U+{:04X})", u32::from(c));
            let fault = Fault::new(problem, "Remove it at the source");
            return Err(if matches!(c, '\n' | '\r') { fault.near() } else { fault });
        }
    }
    if lines == Lines::Joined && text.contains(['\n', '\r', '\t']) {
        let words: Vec<&str> = text.split(['\n', '\r', '\t']).map(str::trim).filter(|word| !word.is_empty()).collect();
        return Ok(Cow::Owned(words.join(" ").nfc().collect()));
    }
    Ok(if is_nfc(text) { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) })
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

/// What a spreadsheet or a database writes where there is no value: nobody's text.
pub(crate) fn refuse_error_text(text: &str) -> Result<(), Fault> {
    const ERRORS: [&str; 13] = [
        "#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!", "#SPILL!", "#CALC!", "#ERROR!", "NULL",
        "(null)", "N/A",
    ];
    let error = ERRORS.contains(&text) || text.eq_ignore_ascii_case("n/a") || text.eq_ignore_ascii_case("#n/v");
    if error || (text.len() > 1 && text.bytes().all(|byte| byte == b'#')) {
        return Err(Fault::new(
            "The value is what a spreadsheet or a database shows where it has no value",
            "Leave the cell empty, or correct the formula or the query that fills it",
        ));
    }
    Ok(())
}

/// A number that is somebody's name and that a spreadsheet altered: a formula around it, an exponent, decimals, digits
/// lost behind the fifteenth. What it was before cannot be told.
/// <https://support.microsoft.com/office/floating-point-arithmetic-may-give-inaccurate-result-in-excel>
pub(crate) fn refuse_altered(text: &str) -> Result<(), Fault> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let decimal =
        |text: &str| text.split_once(['.', ',']).map_or_else(|| digits(text), |(a, b)| digits(a) && digits(b));
    let exponent = text.split_once(['E', 'e']).is_some_and(|(number, power)| {
        let signed = power.strip_prefix(['+', '-']);
        decimal(number) && (signed.is_some_and(digits) || (number.contains(['.', ',']) && digits(power)))
    });
    let decimals = text
        .split_once(['.', ','])
        .is_some_and(|(number, rest)| digits(number) && !rest.is_empty() && rest.bytes().all(|byte| byte == b'0'));
    let rounded = text.len() > 15 && digits(text) && text[15..].bytes().all(|byte| byte == b'0');
    if text.starts_with('=') || exponent || decimals || rounded {
        return Err(Fault::new(
            "The number is not as it was: a spreadsheet made a formula, an exponent, decimals or zeros of it",
            "Export the column as text (in a spreadsheet: import it as Text, not as General)",
        ));
    }
    Ok(())
}

/// Question marks where a program could not write a letter: `M?ller`, and in a name also `Ren?` and `?zil`.
pub(crate) fn refuse_lost_letters(text: &str, name: bool) -> Result<(), Fault> {
    let lost = text.split_whitespace().any(|word| {
        let mut before = None;
        let mut run: Option<Option<char>> = None;
        for c in word.chars() {
            if c == '?' {
                run.get_or_insert(before);
            } else if let Some(from) = run.take()
                && c.is_alphabetic()
                && (name || from.is_some_and(char::is_alphabetic))
            {
                return true;
            }
            before = Some(c);
        }
        name && run.flatten().is_some_and(char::is_alphabetic)
    });
    if lost {
        return Err(Fault::new(
            "The value has question marks where letters were: the export could not write them",
            "Export as UTF-8 (PowerShell: Export-Csv -Encoding utf8)",
        ));
    }
    Ok(())
}

/// Letters that were written as UTF-8, read in another encoding and written once more: `JÃ¶rg`. In text that is no name,
/// only the pairs that begin with `Ã` count: no language has these.
pub(crate) fn refuse_doubled_letters(text: &str, name: bool) -> Result<(), Fault> {
    let mut letters = text.chars().peekable();
    while let Some(lead) = letters.next() {
        let first: u32 = match lead {
            'Ã' => 0xc3,
            'Ä' if name => 0xc4,
            'Å' if name => 0xc5,
            _ => continue,
        };
        let second = letters.peek().and_then(|next| windows_1252(*next)).filter(|byte| (0x80..0xc0).contains(byte));
        let letter = second.and_then(|second| char::from_u32((first & 0x1f) << 6 | u32::from(second) & 0x3f));
        if letter.is_some_and(char::is_alphabetic) {
            return Err(Fault::new(
                "The value is UTF-8 that a program took for another encoding and wrote once more: it has two signs for one letter",
                "Export the file again as UTF-8, and do not open and save it in between",
            ));
        }
    }
    Ok(())
}

/// The byte of a character in windows-1252, or in ISO 8859-1, which differs where windows-1252 has no control characters.
fn windows_1252(letter: char) -> Option<u8> {
    if let Ok(byte) = u8::try_from(letter) {
        return Some(byte);
    }
    let mut text = [0; 4];
    let (bytes, _, lacks) = encoding_rs::WINDOWS_1252.encode(letter.encode_utf8(&mut text));
    if lacks { None } else { bytes.first().copied() }
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

/// A day as exports write it: ISO 8601, `31.01.2020`, or with slashes in an order that the column shows. A time behind
/// it is left out.
pub(crate) fn day(text: &str, order: DayOrder) -> Option<Day> {
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
        return at(one_, two_, three_).map(Day::At);
    }
    if three.len() != 4 || !matches!(separator, '.' | '/' | '-') {
        return None;
    }
    let order = if separator == '.' { DayOrder::DayFirst } else { order };
    let (day_first, month_first) = (at(three_, two_, one_), at(three_, one_, two_));
    match (order, day_first, month_first) {
        (DayOrder::DayFirst, Some(day), _) | (DayOrder::MonthFirst, _, Some(day)) => Some(Day::At(day)),
        (DayOrder::Unknown, Some(one), Some(other)) if one != other => Some(Day::Either(one, other)),
        (DayOrder::Unknown, one, other) => one.or(other).map(Day::At),
        (DayOrder::DayFirst | DayOrder::MonthFirst, ..) => None,
    }
}

/// In which order a column writes day and month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DayOrder {
    /// No value of the column tells.
    #[default]
    Unknown,
    DayFirst,
    MonthFirst,
}

/// A day, or one of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Day {
    At(jiff::civil::Date),
    Either(jiff::civil::Date, jiff::civil::Date),
}

/// When somebody's account ends: a FILETIME, or a day. `None` where the day may be one of two that say different things.
pub(crate) fn has_ended(text: &str, order: DayOrder, now: i64) -> Result<bool, Fault> {
    if let Ok(filetime) = number(text) {
        return Ok(has_expired(filetime, now));
    }
    let over = |day: jiff::civil::Date| {
        // The day is over everywhere: nobody knows in which zone it was written.
        let zone = jiff::tz::Offset::constant(-12).to_time_zone();
        day.to_zoned(zone).map_or(i64::MAX, |start| start.timestamp().as_second()) <= now
    };
    let unclear = || {
        Fault::new(
            "The value is no date whose order of day and month is certain",
            "Write dates as 2026-01-31, or export accountExpires as the directory stores it",
        )
    };
    if text.eq_ignore_ascii_case("never") {
        return Ok(false);
    }
    match day(text, order).ok_or_else(unclear)? {
        Day::At(day) => Ok(over(day)),
        Day::Either(one, other) if over(one) == over(other) => Ok(over(one)),
        Day::Either(..) => Err(unclear()),
    }
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
    fn numbers_that_a_spreadsheet_altered_are_known() {
        for bad in
            ["=\"0012\"", "=12", "1.2E+11", "1,2E+11", "1E+05", "1.2e11", "1001.0", "12,00", "1234567890123450000"]
        {
            assert!(refuse_altered(bad).is_err(), "{bad}");
        }
        for good in ["0012", "12E4", "E1001", "1001", "A=1", "12.5", "1234567890123456", "", "12-4"] {
            assert!(refuse_altered(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn letters_that_were_encoded_twice_are_known() {
        for bad in [
            "J\u{c3}\u{b6}rg",
            "Wei\u{c3}\u{9f}",
            "Wei\u{c3}\u{178}",
            "M\u{c3}\u{bc}ller",
            "\u{c3}\u{2013}berg",
            "\u{c5}\u{81}ukasz",
            "\u{c5}\u{a0}a\u{c5}\u{a1}a",
        ] {
            assert!(refuse_doubled_letters(bad, true).is_err(), "{bad}");
        }
        assert!(refuse_doubled_letters("FÃ¶rderung", false).is_err());
        for good in ["Jörg", "JOÃO", "SÃO PAULO", "Ångström", "Ästhetik", "Åse", "Müller", "Łukasz", "BLÅ", "Ã", "ÄÖÜ"]
        {
            assert!(refuse_doubled_letters(good, true).is_ok(), "{good}");
        }
    }

    #[test]
    fn letters_that_became_question_marks_are_known() {
        for bad in ["J?rg", "N??ez", "Ren?", "?zil", "Anna J?rg"] {
            assert!(refuse_lost_letters(bad, true).is_err(), "{bad}");
        }
        assert!(refuse_lost_letters("F?rderung", false).is_err());
        for good in ["Who? What", "?", "Ready?", "Anna ? Berg", "a/?b"] {
            assert!(refuse_lost_letters(good, false).is_ok(), "{good}");
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
        ] {
            assert_eq!(has_ended(text, order, now).ok(), ended, "{text} {order:?}");
        }
    }

    #[test]
    fn numbers() {
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
