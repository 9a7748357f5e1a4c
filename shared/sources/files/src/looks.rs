//! What the values of a column look like, for columns whose names say nothing. Knows no name.

use std::collections::BTreeMap;

use hardmatch_sources_entry::guid;
use hardmatch_sources_entry::switch;

/// Different values that are remembered of a column: more are no list of words.
const MAX_WORDS: usize = 16;
/// Values that are kept to tell in which form dates are written.
const MAX_SAMPLES: usize = 400;

/// What is known of the values of a column, empty ones left aside.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    pub(crate) filled: u64,
    emails: u64,
    countries: u64,
    phones: u64,
    dates: u64,
    guids: u64,
    numbers: u64,
    /// How often each different value is there, as long as there are few.
    words: BTreeMap<String, u64>,
    too_many_words: bool,
    pub(crate) samples: Vec<String>,
}

/// What a column looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Email,
    Country,
    Phone,
    Switch,
    Date,
    Guid,
    Number,
    Text,
}

impl Looks {
    pub(crate) fn feed(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.filled += 1;
        self.emails += u64::from(is_email(text));
        self.countries += u64::from(is_country(text));
        self.phones += u64::from(is_phone(text));
        self.dates += u64::from(is_date(text));
        self.guids += u64::from(text.len() > 20 && guid::parse(text.as_bytes()).is_some());
        self.numbers += u64::from(text.bytes().all(|byte| byte.is_ascii_digit()));
        if !self.too_many_words {
            *self.words.entry(text.to_owned()).or_default() += 1;
            if self.words.len() > MAX_WORDS {
                self.too_many_words = true;
                self.words.clear();
            }
        }
        if self.samples.len() < MAX_SAMPLES {
            self.samples.push(text.to_owned());
        }
    }

    /// Nine of ten values that are there say the same. One bad cell does not hide what a column is.
    pub(crate) fn kind(&self) -> Kind {
        let most = |count: u64| self.filled > 0 && count * 10 >= self.filled * 9;
        if most(self.emails) {
            Kind::Email
        } else if most(self.guids) {
            Kind::Guid
        } else if most(self.dates) {
            Kind::Date
        } else if self.is_switch() {
            Kind::Switch
        } else if most(self.countries) {
            Kind::Country
        } else if most(self.numbers) {
            Kind::Number
        } else if most(self.phones) {
            Kind::Phone
        } else {
            Kind::Text
        }
    }

    /// Nine of ten values are several words, as whole names are.
    pub(crate) fn are_several_words(&self) -> bool {
        let several = self.samples.iter().filter(|text| text.trim().contains(' ')).count();
        !self.samples.is_empty() && several * 10 >= self.samples.len() * 9
    }

    /// The different values, when there are few.
    pub(crate) fn words(&self) -> impl Iterator<Item = (&str, u64)> {
        self.words.iter().map(|(word, count)| (word.as_str(), *count))
    }

    /// Few different words, and nearly every value is one that means yes or no.
    fn is_switch(&self) -> bool {
        let understood: u64 =
            self.words().filter(|(word, _)| switch::usual(word).is_some()).map(|(_, count)| count).sum();
        !self.too_many_words && self.words.len() >= 2 && understood * 10 >= self.filled * 7
    }

    /// Whether no two values are known to be the same: only then can it say who somebody is.
    pub(crate) fn is_many(&self) -> bool {
        self.too_many_words || self.words.values().all(|count| *count == 1)
    }
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    !local.is_empty()
        && !local.contains([' ', ',', ';', ':'])
        && domain.contains('.')
        && !domain.contains(['@', ' ', ',', ';', '+'])
        && !domain.starts_with('.')
        && !domain.ends_with('.')
}

fn is_phone(text: &str) -> bool {
    // As word processors write them: spaces that do not break, dashes of every length.
    let gap = |c: char| c.is_whitespace() || matches!(c, '/' | '-' | '\u{2010}'..='\u{2015}');
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let shaped = text.chars().all(|c| c.is_ascii_digit() || gap(c) || "+().x".contains(c));
    let marked = text.starts_with(['+', '(', '0']) || text.contains(gap);
    shaped && marked && (6..=17).contains(&digits)
}

/// Three parts between `.`, `/` or `-`, or eight digits of this or the last century; a time may follow.
fn is_date(text: &str) -> bool {
    let day = text.split(['T', ' ']).next().unwrap_or_default();
    let number = |part: &str, most: u32| part.parse::<u32>().is_ok_and(|n| (1..=most).contains(&n));
    if day.len() == 8 && day.bytes().all(|byte| byte.is_ascii_digit()) {
        return (day.starts_with("19") || day.starts_with("20")) && number(&day[4..6], 12) && number(&day[6..], 31);
    }
    for separator in ['.', '/', '-'] {
        let parts: Vec<&str> = day.split(separator).collect();
        if let [one, two, three] = parts.as_slice() {
            let year = |part: &str| part.len() == 4 && number(part, 9999) || part.len() == 2;
            let month =
                |part: &str| number(part, 31) || part.len() == 3 && part.bytes().all(|byte| byte.is_ascii_alphabetic());
            return (year(one) && one.len() == 4 && number(two, 12) && number(three, 31))
                || (number(one, 31) && month(two) && year(three));
        }
    }
    false
}

fn is_country(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    upper.len() == 2 && upper.is_ascii() && COUNTRIES.split(' ').any(|code| code == upper)
}

/// ISO 3166-1 alpha-2. <https://www.iso.org/obp/ui/#search/code/>
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT \
BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO \
FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE \
KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW \
MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE \
SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE \
VG VI VN VU WF WS YE YT ZA ZM ZW";

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(values: &[&str]) -> Kind {
        let mut looks = Looks::default();
        for value in values {
            looks.feed(value);
        }
        looks.kind()
    }

    #[test]
    fn values_say_what_a_column_is() {
        assert_eq!(kind(&["a@x.example", "b@x.example", ""]), Kind::Email);
        assert_eq!(kind(&["DE", "fr", "AT"]), Kind::Country);
        assert_eq!(kind(&["+49 30 1234567", "030/123456", "(555) 010-1234"]), Kind::Phone);
        assert_eq!(kind(&["+49\u{a0}221\u{a0}5550\u{2013}12", "0221 / 555 01 - 12"]), Kind::Phone);
        assert_eq!(kind(&["Aktiv", "Ausgetreten", "Aktiv"]), Kind::Switch);
        assert_eq!(kind(&["01.02.2024", "3.12.2023"]), Kind::Date);
        assert_eq!(kind(&["2024-02-01T00:00:00", "1/2/2024", "01-Feb-2024", "20240201"]), Kind::Date);
        assert_eq!(kind(&["1001", "1002", "1003"]), Kind::Number);
        assert_eq!(kind(&["2d72cb73-b186-4c1d-9d1c-0a1b2c3d4e5f"]), Kind::Guid);
        assert_eq!(kind(&["Sales", "Yes Men Inc", "Head of No. 10"]), Kind::Text);
        assert_eq!(kind(&[]), Kind::Text);
    }
}
