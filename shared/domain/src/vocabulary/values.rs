//! What values Microsoft 365 takes: lengths and characters. Knows nothing of people and accounts.
//! <https://learn.microsoft.com/graph/api/resources/user>

use crate::vocabulary::attribute::Attr;
use crate::vocabulary::ids::ImmutableId;

/// Longest part of a sign-in name before the `@`.
const UPN_LOCAL_MAX: usize = 64;
/// Longest part after it.
const UPN_DOMAIN_MAX: usize = 48;
/// Entra Connect keeps anchors below this many characters.
/// <https://learn.microsoft.com/entra/identity/hybrid/connect/plan-connect-design-concepts>
const ID_MAX: usize = 60;

/// How the temporary sign-in names begin that a repair gives on its way. Nobody is called so; an account that still is
/// belongs to a repair that was not finished.
pub const TEMPORARY_UPN: &str = "hardmatch-repair-";

/// Whether a sign-in name is one that a repair gave on its way.
pub fn is_temporary(upn: &str) -> bool {
    upn.get(..TEMPORARY_UPN.len()).is_some_and(|start| start.eq_ignore_ascii_case(TEMPORARY_UPN))
}

/// What is wrong with a value of the attribute, in words without the value; `None` when it can be written.
pub fn problem(attr: Attr, value: &str) -> Option<&'static str> {
    // A street address may have several lines, as directories keep it.
    let break_of_lines = |byte: u8| attr == Attr::StreetAddress && matches!(byte, b'\n' | b'\r' | b'\t');
    if value.bytes().any(|byte| (byte < 0x20 && !break_of_lines(byte)) || byte == 0x7f) {
        return Some("has control characters");
    }
    if value.len() > attr.max_chars() && value.chars().count() > attr.max_chars() {
        return Some("is too long");
    }
    match attr {
        Attr::UserPrincipalName => upn_problem(value),
        Attr::MailNickname => nickname_problem(value),
        Attr::UsageLocation if !is_country(value) => Some("is not a two-letter country of ISO 3166"),
        Attr::PreferredLanguage if !value.is_empty() && !is_language(value) => {
            Some("is not a language of ISO 639-1, such as de or en-US")
        }
        Attr::Mail => mail_problem(value),
        Attr::OtherMails => {
            let mut addresses = attr.parts(value);
            let long = attr.parts(value).count() > 250 || attr.parts(value).any(|address| address.len() > 250);
            if long { Some("has too many or too long addresses") } else { addresses.find_map(mail_problem) }
        }
        Attr::PasswordPolicies => {
            let known = |part: &str| matches!(part, "DisablePasswordExpiration" | "DisableStrongPassword");
            let alone = value == "None";
            (!alone && !attr.parts(value).all(known)).then_some(
                "is not DisablePasswordExpiration, DisableStrongPassword, both with a comma between them, or None",
            )
        }
        _ => None,
    }
}

/// What is wrong with an immutable ID.
pub fn id_problem(id: &ImmutableId) -> Option<&'static str> {
    let id = id.as_str();
    if id.is_empty() || id.len() >= ID_MAX {
        return Some("is empty or too long");
    }
    let forbidden = |c: char| matches!(c, '$' | '_') || c.is_whitespace() || c.is_control() || !c.is_ascii();
    id.contains(forbidden).then_some("has characters that an immutable ID must not have")
}

/// Whether Microsoft 365 takes the value as a country of use: assigned by ISO 3166-1 (the United Kingdom is GB, not UK).
/// <https://learn.microsoft.com/graph/api/resources/user#properties>
pub fn is_country(code: &str) -> bool {
    code.len() == 2 && rust_iso3166::from_alpha2(&code.to_ascii_uppercase()).is_some()
}

/// A language of ISO 639-1, and after hyphens a script, a country or a variant.
/// <https://learn.microsoft.com/graph/api/resources/user#properties>
fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let language = parts.next().unwrap_or_default();
    isolang::Language::from_639_1(&language.to_ascii_lowercase()).is_some()
        && parts.all(|part| match part.len() {
            2 => is_country(part),
            3..=8 => part.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            _ => false,
        })
}

/// An SMTP address of unquoted parts. <https://www.rfc-editor.org/rfc/rfc5321#section-4.1.2>
fn mail_problem(address: &str) -> Option<&'static str> {
    const PROBLEM: Option<&str> = Some("is not an address Microsoft 365 takes");
    let Some((local, domain)) = address.split_once('@') else { return PROBLEM };
    let taken = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte);
    let dots = local.starts_with('.') || local.ends_with('.') || local.contains("..");
    if local.is_empty() || local.len() > UPN_LOCAL_MAX || dots || !local.bytes().all(taken) {
        return PROBLEM;
    }
    if is_domain(domain) { None } else { PROBLEM }
}

/// Labels of letters, digits and inner hyphens, and at least two of them.
fn is_domain(domain: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain.len() <= 255 && domain.contains('.') && domain.split('.').all(label)
}

fn upn_problem(upn: &str) -> Option<&'static str> {
    let Some((local, domain)) = upn.split_once('@') else {
        return Some("has no domain");
    };
    if local.is_empty() || domain.is_empty() {
        return Some("has no name or no domain");
    }
    if local.len() > UPN_LOCAL_MAX || domain.len() > UPN_DOMAIN_MAX {
        return Some("is too long");
    }
    if local.starts_with('.') || local.ends_with('.') || local.contains("..") {
        return Some("has a full stop at its start, before the @ or beside another");
    }
    let taken = |byte: u8| byte.is_ascii_alphanumeric() || b"'.-_!#^~".contains(&byte);
    if !local.bytes().all(taken) {
        return Some("has characters that a sign-in name must not have");
    }
    if is_domain(domain) { None } else { Some("has a domain that cannot be one") }
}

fn nickname_problem(nickname: &str) -> Option<&'static str> {
    if nickname.is_empty() {
        return Some("is empty");
    }
    let forbidden = |byte: u8| !byte.is_ascii_graphic() || b"@()\\[]\";:<>,".contains(&byte);
    nickname.bytes().any(forbidden).then_some("has characters that a mail alias must not have")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_graphs() {
        let long = |n: usize| "x".repeat(n);
        let cases: &[(Attr, String, bool)] = &[
            (Attr::EmployeeId, long(16), true),
            (Attr::EmployeeId, long(17), false),
            (Attr::GivenName, "é".repeat(64), true),
            (Attr::GivenName, "é".repeat(65), false),
            (Attr::City, "a\u{7}b".into(), false),
            (Attr::City, "a\nb".into(), false),
            (Attr::StreetAddress, "Floor 2\r\nHigh Street 1".into(), true),
            (Attr::StreetAddress, "a\u{7}b".into(), false),
            (Attr::UserPrincipalName, format!("{}@contoso.com", long(64)), true),
            (Attr::UserPrincipalName, format!("{}@contoso.com", long(65)), false),
            (Attr::UserPrincipalName, format!("a@{}.com", long(44)), true),
            (Attr::UserPrincipalName, format!("a@{}.com", long(45)), false),
            (Attr::UserPrincipalName, "o'brien.x-_!#^~1@contoso.com".into(), true),
            (Attr::UserPrincipalName, "josé@contoso.com".into(), false),
            (Attr::UserPrincipalName, "ada.@contoso.com".into(), false),
            (Attr::UserPrincipalName, "a b@contoso.com".into(), false),
            (Attr::UserPrincipalName, "a@b@contoso.com".into(), false),
            (Attr::UserPrincipalName, "ada".into(), false),
            (Attr::UserPrincipalName, "@contoso.com".into(), false),
            (Attr::MailNickname, "ada.l".into(), true),
            (Attr::MailNickname, "ada l".into(), false),
            (Attr::MailNickname, "ada;l".into(), false),
            (Attr::MailNickname, "adå".into(), false),
            (Attr::MailNickname, long(65), false),
            (Attr::UsageLocation, "se".into(), true),
            (Attr::UsageLocation, "SWE".into(), false),
            (Attr::UsageLocation, "S1".into(), false),
            (Attr::UsageLocation, "UK".into(), false),
            (Attr::UsageLocation, "EN".into(), false),
            (Attr::UsageLocation, "GB".into(), true),
            (Attr::PreferredLanguage, "de".into(), true),
            (Attr::PreferredLanguage, "en-US".into(), true),
            (Attr::PreferredLanguage, "zh-Hant-TW".into(), true),
            (Attr::PreferredLanguage, String::new(), true),
            (Attr::PreferredLanguage, "german".into(), false),
            (Attr::PreferredLanguage, "en_US".into(), false),
            (Attr::PreferredLanguage, "de, en;q=0.8".into(), false),
            (Attr::Mail, "a..b@contoso.com".into(), false),
            (Attr::Mail, "a@b@contoso.com".into(), false),
            (Attr::Mail, "a b@contoso.com".into(), false),
            (Attr::Mail, "a;b@contoso.com".into(), false),
            (Attr::Mail, "a@contoso".into(), false),
            (Attr::Mail, "a@-contoso.com".into(), false),
            (Attr::Mail, "o'brien+x@contoso.com".into(), true),
            (Attr::UserPrincipalName, ".ada@contoso.com".into(), false),
            (Attr::UserPrincipalName, "a..b@contoso.com".into(), false),
            (Attr::UserPrincipalName, "ada@-contoso.com".into(), false),
            (Attr::UserPrincipalName, "ada@contoso..com".into(), false),
            (Attr::Mail, "ada@contoso.com".into(), true),
            (Attr::Mail, "adå@contoso.com".into(), false),
        ];
        for (attr, value, good) in cases {
            assert_eq!(problem(*attr, value).is_none(), *good, "{attr} {value}");
        }
    }

    #[test]
    fn a_repairs_temporary_name_is_known_by_its_beginning() {
        let upn = format!("{TEMPORARY_UPN}0a1b@contoso.onmicrosoft.com");
        assert!(is_temporary(&upn) && is_temporary(&upn.to_uppercase()));
        assert!(problem(Attr::UserPrincipalName, &upn).is_none(), "it can be written");
        assert!(!is_temporary("hardmatch@contoso.com") && !is_temporary("é") && !is_temporary("ada@contoso.com"));
    }

    #[test]
    fn ids_keep_to_their_characters() {
        for (id, good) in [
            ("Z0UjAauJ780BI0VniavN7w==", true),
            ("E-1001", true),
            ("a$b", false),
            ("a_b", false),
            ("a b", false),
            ("", false),
        ] {
            assert_eq!(id_problem(&ImmutableId::from(id)).is_none(), good, "{id}");
        }
        assert!(id_problem(&ImmutableId::new("x".repeat(60))).is_some());
    }
}
