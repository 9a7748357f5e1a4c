//! How texts are compared: as look-ups keep them, as sign-in names, as identity numbers.

use std::fmt::Write as _;

/// The form in which look-up values are compared and stored: trimmed and lower case.
pub fn lookup_form(value: &str) -> String {
    value.trim().to_lowercase()
}

/// Whether two texts are the same sign-in name or address: upper and lower case do not count.
pub(crate) fn same_name(one: &str, other: &str) -> bool {
    one == other || (one.len() == other.len() && one.eq_ignore_ascii_case(other)) || {
        !(one.is_ascii() && other.is_ascii()) && one.to_lowercase() == other.to_lowercase()
    }
}

/// An identity number without what spreadsheets drop or add: leading zeros, upper case, spaces, points between groups of
/// three digits. `0012` and `12`, `1.001` and `1001` are one number written twice, and so may be one person.
pub(crate) fn number_form(value: &str) -> String {
    let text: String = value.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect();
    let mut groups = text.split(['.', ',', '\'', '’']);
    let digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let grouped = groups.next().is_some_and(|first| matches!(first.len(), 1..=3) && digits(first))
        && groups.all(|group| group.len() == 3 && digits(group));
    let text = if grouped { text.replace(['.', ',', '\'', '’'], "") } else { text };
    let bare = text.trim_start_matches('0');
    if bare.is_empty() && !text.is_empty() { "0".to_owned() } else { bare.to_owned() }
}

/// Whether two identity numbers are equal but for zeros, case and spaces.
pub(crate) fn same_number(one: &str, other: &str) -> bool {
    one == other || number_form(one) == number_form(other)
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_alike_but_for_zeros_case_and_spaces() {
        for (one, other, same) in [
            ("0012", "12", true),
            ("12", "0012", true),
            ("e12", "E 12", true),
            ("000", "0", true),
            ("1.001", "1001", true),
            ("1,234,567", "1234567", true),
            ("1.2", "12", false),
            ("12.3456", "123456", false),
            ("12", "120", false),
            ("1012", "12", false),
            ("E0012", "E12", false),
            ("0", "", false),
        ] {
            assert_eq!(same_number(one, other), same, "{one} {other}");
        }
    }
}
