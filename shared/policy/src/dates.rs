//! Days as people and programs write them.

use jiff::civil::Date;

/// Why a text is no day. Never holds the text: it is personal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotADay {
    /// It could be the third of April or the fourth of March.
    Ambiguous,
    /// It is none at all.
    Unknown,
}

impl NotADay {
    /// In words, with what helps.
    pub(crate) fn words(self) -> &'static str {
        match self {
            NotADay::Ambiguous => {
                "the day and the month cannot be told apart; name the form: date(text, 'DD/MM/YYYY') or date(text, 'MM/DD/YYYY')"
            }
            NotADay::Unknown => {
                "the value is no date that is understood; name its form, such as date(text, 'DD.MM.YYYY')"
            }
        }
    }
}

/// In which form a column's days are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DateForm {
    /// `date(text)` reads all of them.
    Plain,
    /// All of them fit this form and no other.
    Form(&'static str),
    /// Day and month cannot be told apart in any of them.
    Ambiguous,
    /// Not days.
    None,
}

const DAY_FIRST: &str = "DD/MM/YYYY";
const MONTH_FIRST: &str = "MM/DD/YYYY";

/// The form of days by all the values at hand; empty ones say nothing.
pub fn date_form<'a>(values: impl Iterator<Item = &'a str> + Clone) -> DateForm {
    let values = values.map(str::trim).filter(|value| !value.is_empty());
    if values.clone().next().is_none() {
        return DateForm::None;
    }
    let all = |read: &dyn Fn(&str) -> bool| values.clone().all(read);
    if all(&|value| parse(value).is_ok()) {
        return DateForm::Plain;
    }
    match (all(&|value| parse_as(value, DAY_FIRST).is_ok()), all(&|value| parse_as(value, MONTH_FIRST).is_ok())) {
        (true, true) => DateForm::Ambiguous,
        (true, false) => DateForm::Form(DAY_FIRST),
        (false, true) => DateForm::Form(MONTH_FIRST),
        (false, false) => DateForm::None,
    }
}

/// A day in any form that leaves no doubt. A time after it is left aside: the day is what was written.
pub(crate) fn parse(text: &str) -> Result<Date, NotADay> {
    let text = text.trim();
    let whole = text.to_lowercase();
    if let Some(date) = named_month(&whole) {
        return Ok(date);
    }
    let day = text.split(['T', ' ', ',']).next().unwrap_or_default();
    if day.bytes().all(|byte| byte.is_ascii_digit()) {
        return match day.len() {
            // Excel's own count of days: 45292 is 2024-01-01.
            5 => day.parse::<i64>().ok().and_then(spreadsheet_day).ok_or(NotADay::Unknown),
            8 => digits(day),
            _ => Err(NotADay::Unknown),
        };
    }
    // LDAP's generalized time: 20261201000000Z, 20261201000000.0Z.
    if day.len() >= 15 && day.ends_with('Z') && day[..14].bytes().all(|byte| byte.is_ascii_digit()) {
        return digits(&day[..8]);
    }
    let (separator, parts) = split(day).ok_or(NotADay::Unknown)?;
    let [one, two, three] = parts;
    if one.len() == 4 {
        return civil(one, two, three);
    }
    // With dots the day comes first, wherever dates are written with dots.
    if separator == '.' {
        return civil(three, two, one);
    }
    match (civil(three, two, one), civil(three, one, two)) {
        (Ok(one), Ok(other)) if one == other => Ok(one),
        (Ok(_), Ok(_)) => Err(NotADay::Ambiguous),
        (Ok(date), Err(_)) | (Err(_), Ok(date)) => Ok(date),
        (Err(problem), Err(_)) => Err(problem),
    }
}

/// A day in one form: `DD`, `MM` and `YYYY` (or `YY`) in any order, with anything between them. Days and months may lack a
/// leading zero. Other unambiguous forms (2026-12-01) are read as well.
pub(crate) fn parse_as(text: &str, form: &str) -> Result<Date, NotADay> {
    let text = text.trim();
    let order = order(form).ok_or(NotADay::Unknown)?;
    let day = text.split(['T', ' ', ',']).next().unwrap_or_default();
    if let Some((_, parts)) = split(day)
        && (parts[0].len() == 4) == (order[0] == 'Y')
    {
        let part = |wanted: char| order.iter().position(|have| *have == wanted).map_or("", |at| parts[at]);
        return civil(part('Y'), part('M'), part('D'));
    }
    parse(text)
}

/// Which part comes first; `None` when the form does not name each part once.
fn order(form: &str) -> Option<[char; 3]> {
    let mut parts: Vec<char> = form.to_uppercase().chars().filter(|c| matches!(c, 'D' | 'M' | 'Y')).collect();
    parts.dedup();
    let parts: [char; 3] = parts.try_into().ok()?;
    let mut sorted = parts;
    sorted.sort_unstable();
    (sorted == ['D', 'M', 'Y']).then_some(parts)
}

fn split(day: &str) -> Option<(char, [&str; 3])> {
    let separator = ['.', '/', '-'].into_iter().find(|separator| day.contains(*separator))?;
    let parts: Vec<&str> = day.split(separator).collect();
    let parts: [&str; 3] = parts.try_into().ok()?;
    parts
        .iter()
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
        .then_some((separator, parts))
}

fn civil(year: &str, month: &str, day: &str) -> Result<Date, NotADay> {
    let number = |text: &str| text.parse::<i16>().map_err(|_| NotADay::Unknown);
    let year = match (number(year)?, year.len()) {
        // 69 is 2069, 70 is 1970, as POSIX reads two digits.
        (short, 1 | 2) => short + if short < 70 { 2000 } else { 1900 },
        (year, 4) => year,
        _ => return Err(NotADay::Unknown),
    };
    let small = |number: i16| i8::try_from(number).map_err(|_| NotADay::Unknown);
    Date::new(year, small(number(month)?)?, small(number(day)?)?).map_err(|_| NotADay::Unknown)
}

fn digits(day: &str) -> Result<Date, NotADay> {
    civil(&day[..4], &day[4..6], &day[6..8])
}

fn spreadsheet_day(days: i64) -> Option<Date> {
    let plausible = (20_000..80_000).contains(&days);
    let epoch = Date::new(1899, 12, 30).ok()?;
    plausible.then(|| epoch.checked_add(jiff::Span::new().days(days)).ok()).flatten()
}

/// `1 Dec 2026`, `01-Dec-2026`, `December 1, 2026`, `1. Dezember 2026`, `1 décembre 2026`, `1 de diciembre de 2026`.
fn named_month(text: &str) -> Option<Date> {
    let words: Vec<&str> = text
        .split([' ', '-', '.', ',', '/'])
        .filter(|word| !matches!(*word, "" | "de" | "del" | "of" | "the"))
        .collect();
    let at = words.iter().take(2).position(|word| month(word).is_some())?;
    let (day, year) = match at {
        0 => (words.get(1)?, words.get(2)?),
        _ => (words.first()?, words.get(2)?),
    };
    let day = day.trim_end_matches(|c: char| c.is_alphabetic());
    let month = month(words[at])?.to_string();
    civil(year, &month, day).ok()
}

/// A month's name or its beginning, in five languages.
fn month(word: &str) -> Option<usize> {
    const MONTHS: [&[&str]; 12] = [
        &["january", "januar", "jänner", "janvier", "enero", "gennaio"],
        &["february", "februar", "février", "fevrier", "febrero", "febbraio"],
        &["march", "märz", "maerz", "mars", "marzo"],
        &["april", "avril", "abril", "aprile"],
        &["may", "mai", "mayo", "maggio"],
        &["june", "juni", "juin", "junio", "giugno"],
        &["july", "juli", "juillet", "julio", "luglio"],
        &["august", "août", "aout", "agosto"],
        &["september", "septembre", "septiembre", "setiembre", "settembre"],
        &["october", "oktober", "octobre", "octubre", "ottobre"],
        &["november", "novembre", "noviembre"],
        &["december", "dezember", "décembre", "decembre", "diciembre", "dicembre"],
    ];
    if word.chars().count() < 3 {
        return None;
    }
    let fits = |names: &&[&str]| names.iter().any(|name| name.starts_with(word));
    let mut found = MONTHS.iter().enumerate().filter(|(_, names)| fits(names)).map(|(at, _)| at + 1);
    // "jui" is June and July.
    let first = found.next();
    first.filter(|_| found.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_as_people_write_them() {
        let expected = Date::new(2026, 12, 1).unwrap();
        for text in [
            "2026-12-01",
            "2026/12/01",
            "20261201",
            "2026-12-01T00:00:00+01:00",
            "2026-12-01 00:00:00",
            "20261201000000.0Z",
            "1.12.2026",
            "01.12.26",
            "01-Dec-2026",
            "1 Dec 2026",
            "December 1, 2026",
            "Dec 1st, 2026",
            "1. Dezember 2026",
            "1 décembre 2026",
            "1 de diciembre de 2026",
            "46357",
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
        assert_eq!(parse("13/12/2026"), Ok(Date::new(2026, 12, 13).unwrap()));
        assert_eq!(parse("12/13/2026"), Ok(Date::new(2026, 12, 13).unwrap()));
        assert_eq!(parse("03/04/2026"), Err(NotADay::Ambiguous));
        for text in ["", "soon", "31.02.2026", "0000-00-00", "123", "2026"] {
            assert_eq!(parse(text), Err(NotADay::Unknown), "{text}");
        }
        assert_eq!(parse_as("03/04/2026", "DD/MM/YYYY"), Ok(Date::new(2026, 4, 3).unwrap()));
        assert_eq!(parse_as("3/4/26", "MM/DD/YY"), Ok(Date::new(2026, 3, 4).unwrap()));
        assert_eq!(parse_as("2026-04-03", "DD/MM/YYYY"), Ok(Date::new(2026, 4, 3).unwrap()));
    }

    #[test]
    fn a_column_of_days_tells_its_form() {
        let form = |values: &[&'static str]| date_form(values.iter().copied());
        assert_eq!(form(&["2026-12-01", "", "1.1.2025"]), DateForm::Plain);
        assert_eq!(form(&["03/04/2026", "25/12/2025"]), DateForm::Form("DD/MM/YYYY"));
        assert_eq!(form(&["03/04/2026", "12/25/2025"]), DateForm::Form("MM/DD/YYYY"));
        assert_eq!(form(&["03/04/2026", "05/06/2025"]), DateForm::Ambiguous);
        assert_eq!(form(&["03/04/2026", "soon"]), DateForm::None);
        assert_eq!(form(&[""]), DateForm::None);
    }
}
