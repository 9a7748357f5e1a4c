//! Distinguished names as text. <https://www.rfc-editor.org/rfc/rfc4514>

/// Whether the text looks like a DN: a type, `=`, a value.
pub fn is_dn(text: &str) -> bool {
    let Some((kind, _)) = text.split_once('=') else { return false };
    let kind = kind.trim();
    !kind.is_empty()
        && kind.starts_with(|c: char| c.is_ascii_alphanumeric())
        && kind.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
}

/// The value of the first RDN, without escapes: the name of a group.
pub(crate) fn first_value(dn: &str) -> Option<String> {
    if !is_dn(dn) {
        return None;
    }
    let first = split(dn, |c| matches!(c, ',' | '+')).next()?;
    let (_, value) = first.split_once('=')?;
    Some(unescape(value)).filter(|name| !name.is_empty())
}

/// Whether the text is more than one DN: a common name behind the end of a suffix, or behind a space in it.
pub(crate) fn holds_another(dn: &str) -> bool {
    let mut ended = false;
    for rdn in split(dn, |c| c == ',') {
        let (kind, value) = rdn.split_once('=').unwrap_or(("", rdn));
        let kind = kind.trim().to_ascii_lowercase();
        if ended && !matches!(kind.as_str(), "dc" | "c" | "o" | "st" | "l") {
            return true;
        }
        ended |= matches!(kind.as_str(), "dc" | "o" | "c");
        let inner = ["CN=", "OU=", "DC=", "UID="];
        if value.split_whitespace().skip(1).any(|word| {
            inner.iter().any(|name| word.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))
        }) {
            return true;
        }
    }
    false
}

/// One text for all spellings of a DN: lower case, no spaces beside separators, no escapes.
pub fn canonical(dn: &str) -> String {
    let mut text = String::with_capacity(dn.len() + 8);
    for part in split(dn, |c| c == ',') {
        let (kind, value) = part.split_once('=').unwrap_or(("", part));
        push_lower(&mut text, kind.trim());
        text.push('=');
        if value.contains('\\') {
            push_lower(&mut text, &unescape(value));
        } else {
            push_lower(&mut text, value.trim_matches(' '));
        }
        // No value holds it: control characters are refused.
        text.push('\u{1f}');
    }
    text
}

fn push_lower(to: &mut String, text: &str) {
    let start = to.len();
    if text.is_ascii() {
        to.push_str(text);
        to[start..].make_ascii_lowercase();
    } else {
        to.push_str(&text.to_lowercase());
    }
}

/// The parts between separators that are not escaped.
pub(crate) fn split(text: &str, separates: impl Fn(char) -> bool) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let whole = rest?;
        let mut escaped = false;
        for (at, c) in whole.char_indices() {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if separates(c) {
                rest = Some(&whole[at + c.len_utf8()..]);
                return Some(&whole[..at]);
            }
        }
        rest = None;
        Some(whole)
    })
}

fn unescape(value: &str) -> String {
    let mut value = value.trim_start();
    // A space that is escaped belongs to the value.
    while let Some(shorter) = value.strip_suffix(' ').filter(|shorter| !shorter.ends_with('\\')) {
        value = shorter;
    }
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let pair = after.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        if let Some(byte) = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            bytes.push(byte);
            rest = &after[2..];
        } else if let Some((&byte, after)) = after.split_first() {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_group() {
        for (dn, name) in [
            ("CN=Office 365,OU=Groups,DC=example,DC=com", Some("Office 365")),
            (r"CN=Smith\, Jane,OU=x", Some("Smith, Jane")),
            (r"cn=Caf\C3\A9 \+ Bar\ ,ou=x", Some("Café + Bar ")),
            ("Sales", None),
            ("=x", None),
            ("a b=c", None),
        ] {
            assert_eq!(first_value(dn).as_deref(), name, "{dn}");
        }
    }

    #[test]
    fn spellings_of_one_dn_are_one() {
        for (one, other) in [
            ("CN=Jane Doe,OU=Sales,DC=x", "cn=jane doe, ou = SALES ,dc=X"),
            (r"CN=Smith\, Jane,DC=x", r"CN=Smith\2C Jane,DC=x"),
        ] {
            assert_eq!(canonical(one), canonical(other));
        }
        assert_ne!(canonical("CN=a,DC=x"), canonical("CN=b,DC=x"));
        assert_ne!(canonical(r"CN=a\,DC=x"), canonical("CN=a,DC=x"));
    }
}
