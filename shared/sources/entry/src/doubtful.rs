//! Texts that do not mean what they look like: what a program wrote in place of a value, numbers that a spreadsheet
//! altered, letters that were lost or read in the wrong encoding. Refused, not guessed: a wrong value is worse than none.

use std::sync::LazyLock;

use crate::codepage::CodePage;
use crate::row::EntryFault;
use crate::value::{self, DayOrder};

/// A value that a script wrote instead of the values themselves.
pub(crate) fn refuse_type_name(text: &str) -> Result<(), EntryFault> {
    let dotted = ["Microsoft.", "System.", "Deserialized."].iter().any(|prefix| text.starts_with(prefix));
    let listed = text.ends_with("Collection") || text.ends_with("[]") || text.ends_with("Object") || text.contains('`');
    let object = text.starts_with("@{") && text.contains('=') && text.ends_with('}');
    if (dotted && listed && !text.contains(' ')) || object || text == "[object Object]" {
        return Err(EntryFault::new(
            "The cell has the name of a type instead of values",
            "Join them in the export: Select-Object @{n='memberOf';e={$_.memberOf -join ';'}}",
        ));
    }
    Ok(())
}

/// What a spreadsheet, a database or a program writes where there is no value: nobody's text. Names may be `None`.
pub(crate) fn refuse_error_text(text: &str, name: bool) -> Result<(), EntryFault> {
    const EMPTY: [&str; 16] = [
        "#N/A",
        "#NV",
        "#N/V",
        "#N/D",
        "#ND",
        "NULL",
        "null",
        "(null)",
        "<null>",
        "<NULL>",
        "\\N",
        "N/A",
        "n/a",
        "undefined",
        "NaN",
        "Loading...",
    ];
    // #REF! in any language: #BEZUG!, #¡REF!, #NOMBRE?
    let error = text.strip_prefix('#').and_then(|rest| rest.strip_suffix(['!', '?'])).is_some_and(|word| {
        let word = word.trim_start_matches(['¡', '¿']);
        !word.is_empty() && word.chars().all(|c| c.is_uppercase() || matches!(c, '/' | '0'))
    });
    let hashes = text.len() > 1 && text.bytes().all(|byte| byte == b'#');
    let absent = EMPTY.contains(&text) || text.eq_ignore_ascii_case("n/a") || text.eq_ignore_ascii_case("#n/v");
    let python = !name && matches!(text, "None" | "nan" | "NaT");
    let formula = text.strip_prefix('=').is_some_and(|rest| !rest.is_empty() && !rest.starts_with([' ', '=', '>']));
    if error || hashes || absent || python || formula {
        return Err(EntryFault::new(
            "The value is what a spreadsheet, a database or a program shows where it has no value, or a formula",
            "Leave the cell empty, or correct the formula or the query that fills it",
        ));
    }
    Ok(())
}

fn altered() -> EntryFault {
    EntryFault::new(
        "The number is not as it was: a spreadsheet made a formula, an exponent, decimals, zeros, groups or a date of it",
        "Export the column as text (in a spreadsheet: import it as Text, not as General)",
    )
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A number (a telephone, a postal code, an identity) that a spreadsheet altered: a formula or an apostrophe around it,
/// an exponent, decimals, digits lost behind the fifteenth. What it was before cannot be told.
/// <https://support.microsoft.com/office/floating-point-arithmetic-may-give-inaccurate-result-in-excel>
pub(crate) fn refuse_altered(text: &str) -> Result<(), EntryFault> {
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
    if text.starts_with(['=', '\'']) || exponent || decimals || rounded { Err(altered()) } else { Ok(()) }
}

/// A number that is somebody's name, altered in more ways: digits in groups (`1,001`), or a day (`4-Mar`, from 3-4).
/// Groups by points or spaces may be the company's own way to write it, and are compared with what was known.
pub(crate) fn refuse_altered_identity(text: &str) -> Result<(), EntryFault> {
    refuse_altered(text)?;
    let mut groups = text.split([',', '\'', '’', '\u{a0}', '\u{202f}']);
    let grouped = groups.next().is_some_and(|first| digits(first) && first.len() <= 3) && {
        let rest: Vec<&str> = groups.collect();
        !rest.is_empty() && rest.iter().all(|group| digits(group) && group.len() == 3)
    };
    let pointed = text.strip_suffix(['.', ',']).is_some_and(digits);
    let dated = text.contains(['/', '.', ':']) && value::day(text, DayOrder::Unknown).is_some();
    if grouped || pointed || dated || is_day_of_month(text) { Err(altered()) } else { Ok(()) }
}

/// `4-Mar`, `04. Mrz`, `Mar-04`, as spreadsheets write days: the month in small letters behind a capital.
fn is_day_of_month(text: &str) -> bool {
    const MONTHS: [&str; 36] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "mrz", "mär", "mai", "okt",
        "dez", "janv", "févr", "avr", "juin", "juil", "août", "sept", "déc", "ene", "abr", "ago", "dic", "gen", "mag",
        "giu", "lug", "set", "ott", "mars",
    ];
    let parts: Vec<&str> = text.split(['-', '.', ' ']).filter(|part| !part.is_empty()).collect();
    let [one, two] = parts.as_slice() else { return false };
    let month =
        |part: &str| part.chars().skip(1).all(char::is_lowercase) && MONTHS.contains(&part.to_lowercase().as_str());
    let number = |part: &str| digits(part) && part.len() <= 2;
    (number(one) && month(two)) || (month(one) && number(two))
}

/// Question marks where a program could not write a letter: `M?ller`, and in a name also `Ren?` and `?zil`.
pub(crate) fn refuse_lost_letters(text: &str, name: bool) -> Result<(), EntryFault> {
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
        return Err(EntryFault::new(
            "The value has question marks where letters were: the export could not write them",
            "Export as UTF-8 (PowerShell: Export-Csv -Encoding utf8)",
        ));
    }
    Ok(())
}

/// Letters that were written as UTF-8, read in another encoding and written once more: `JÃ¶rg`. In text that is no name,
/// only the pairs that begin with `Ã` count: no language has these.
pub(crate) fn refuse_doubled_letters(text: &str, name: bool) -> Result<(), EntryFault> {
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
            return Err(value::doubled_letters());
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

/// Letters that were read in the wrong encoding before they came into the file (`MÃ¼ller`, `M├╝ller`), and such as stand
/// in web pages (`M&uuml;ller`). A file in valid UTF-8 can hold them.
pub(crate) fn refuse_misread(text: &str) -> Result<(), EntryFault> {
    if has_entity(text) || (!text.is_ascii() && PAGES.iter().any(|page| is_misread(text, page))) {
        return Err(EntryFault::new(
            "The value has letters that were read in another encoding than they were written in, or the text of a web page",
            "Look for the program that reads UTF-8 as something else before it writes the export, and export again",
        ));
    }
    Ok(())
}

fn has_entity(text: &str) -> bool {
    const ENDINGS: [&str; 16] = [
        "amp", "lt", "gt", "quot", "apos", "nbsp", "uml", "acute", "grave", "circ", "tilde", "cedil", "ring", "slash",
        "caron", "lig",
    ];
    text.match_indices('&').any(|(at, _)| {
        let Some((name, _)) = text[at + 1..].split_once(';') else { return false };
        match name.strip_prefix('#') {
            Some(number) => digits(number.trim_start_matches(['x', 'X'])),
            None => name.len() <= 8 && !name.contains(' ') && ENDINGS.iter().any(|ending| name.ends_with(ending)),
        }
    })
}

/// The characters above ASCII of the encodings that UTF-8 is mistaken for.
static PAGES: LazyLock<[Vec<char>; 4]> = LazyLock::new(|| {
    ["windows-1252", "macintosh", "cp850", "cp437"].map(|name| {
        let page = CodePage::named(name);
        (0x80..=0xff_u8).filter_map(|byte| page.and_then(|page| page.decode(&[byte]).chars().next())).collect()
    })
});

/// Whether characters beside each other are the bytes of one letter of UTF-8.
fn is_misread(text: &str, page: &[char]) -> bool {
    let byte = |c: char| page.iter().position(|have| *have == c).and_then(|at| u8::try_from(at + 0x80).ok());
    text.split(|c: char| c.is_ascii()).filter(|run| run.chars().nth(1).is_some()).any(|run| {
        let bytes: Option<Vec<u8>> = run.chars().map(byte).collect();
        let Some(read) = bytes.and_then(|bytes| String::from_utf8(bytes).ok()) else { return false };
        let latin = |c: char| matches!(c, '\u{a0}'..='\u{24f}' | '\u{2010}'..='\u{2026}' | '€');
        let eastern = |c: char| matches!(c, '\u{370}'..='\u{4ff}');
        read.chars().all(latin) || (read.chars().count() > 1 && read.chars().all(eastern))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn identity_numbers_in_groups_and_days_are_known() {
        for bad in [
            "1,001",
            "1'001",
            "12\u{a0}345",
            "0012.",
            "'0012",
            "4-Mar",
            "04. Mrz",
            "Mar-04",
            "04.03.2026",
            "3/4/2026 00:00",
        ] {
            assert!(refuse_altered_identity(bad).is_err(), "{bad}");
        }
        for good in ["1.001", "1 001", "MAR-04", "E-4", "2024-01-17", "12-4", "A4 Mar", "1,01", "0012"] {
            assert!(refuse_altered_identity(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn texts_of_programs_are_known_in_any_language() {
        for bad in [
            "#BEZUG!",
            "#¡REF!",
            "#NOMBRE?",
            "#DIV/0!",
            "#NV",
            "####",
            "undefined",
            "\\N",
            "null",
            "=VLOOKUP(A1;B2)",
            "None",
        ] {
            assert!(refuse_error_text(bad, false).is_err(), "{bad}");
        }
        for good in ["#1 in sales!", "Null", "#Team!", "= Lead", "A=B", "Nanny"] {
            assert!(refuse_error_text(good, false).is_ok(), "{good}");
        }
        assert!(refuse_error_text("None", true).is_ok());
        for bad in ["System.Object[]", "Microsoft.ActiveDirectory.Management.ADPropertyValueCollection", "@{Name=X}"] {
            assert!(refuse_type_name(bad).is_err(), "{bad}");
        }
        assert!(refuse_type_name("System. Administration").is_ok());
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
    fn letters_read_in_another_encoding_are_known() {
        for bad in [
            "JÃ¶rg MÃ¼ller",
            "Liam Oâ€™Brien",
            "M√ºller",
            "M├╝ller",
            "Ð\u{98}Ð²Ð°Ð½",
            "M&uuml;ller",
            "R&amp;D",
            "O&#39;Brien",
        ] {
            let shown = bad.replace('\u{98}', "˜");
            assert!(refuse_misread(&shown).is_err(), "{bad}");
        }
        for good in [
            "Jörg Müller",
            "«Weiß»",
            "Müller–Ärzte",
            "R&D; Sales",
            "Ångström",
            "Łukasz Żółć",
            "Иван",
            "日本",
            "ÀÉ",
            "Smith & Sons;",
        ] {
            assert!(refuse_misread(good).is_ok(), "{good}");
        }
    }
}
