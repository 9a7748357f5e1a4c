//! Entries of people: which attributes are asked for, and their values by name.

use hardmatch_sources_entry::dn::canonical;
use hardmatch_sources_entry::known::known_attributes;
use hardmatch_sources_entry::names::Names;

use crate::groups::Groups;
use crate::rows::RowValue;
use crate::settings::LdapSettings;
use crate::wire::{WireEntry, put_bytes};

/// The attributes that are read of people, as they are asked for.
pub(crate) fn attributes(settings: &LdapSettings) -> Vec<String> {
    let mapping = &settings.mapping;
    let configured = mapping.columns.values().map(String::as_str).chain(mapping.key.as_deref());
    let mut names: Vec<&str> = known_attributes().collect();
    names.extend(configured);
    names.extend(mapping.anchor_from.iter().map(AsRef::<str>::as_ref));
    names.extend(mapping.extra.iter().map(String::as_str));
    let mut wanted: Vec<String> = Vec::new();
    for name in names {
        let name = name.trim();
        // The name of an entry comes with it.
        if is_attribute(name)
            && !name.eq_ignore_ascii_case("dn")
            && !wanted.iter().any(|have| have.eq_ignore_ascii_case(name))
        {
            wanted.push(name.to_owned());
        }
    }
    wanted
}

/// The attributes that name a manager.
pub(crate) fn manager_attributes(settings: &LdapSettings) -> Vec<&str> {
    let mut names = vec!["manager"];
    let configured = settings.mapping.columns.get("manager").map(String::as_str);
    names.extend(configured.filter(|name| !name.eq_ignore_ascii_case("manager") && is_attribute(name)));
    names
}

/// Whether a text can be the name of an attribute.
fn is_attribute(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

/// What is asked of a directory, as a digest.
pub(crate) fn question(settings: &LdapSettings) -> [u8; 16] {
    let mut asked = Vec::new();
    put_bytes(&mut asked, settings.base.as_bytes());
    put_bytes(&mut asked, settings.filter.as_deref().unwrap_or_default().as_bytes());
    put_bytes(&mut asked, settings.bind.as_bytes());
    for name in attributes(settings) {
        put_bytes(&mut asked, name.as_bytes());
    }
    blake3::hash(&asked).as_bytes().as_chunks::<16>().0[0]
}

/// The DN of what an entry is below.
pub(crate) fn parent(dn: &str) -> &str {
    let mut escaped = false;
    for (at, byte) in dn.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b',' => return dn[at + 1..].trim_start(),
            _ => {}
        }
    }
    ""
}

/// Whether a DN lies below a base, or is it.
pub(crate) fn is_below(name: &str, base: &str) -> bool {
    let (name, base) = (canonical(name), canonical(base));
    name.strip_suffix(&base).is_some_and(|rest| rest.is_empty() || rest.ends_with('\u{1f}'))
}

/// The values of an entry by the number of their name, its groups with the groups of those. Values in a certain language
/// come last. `None` where it has names without number.
pub(crate) fn values(entry: WireEntry, groups: &Groups, names: &mut Names) -> Option<Vec<RowValue>> {
    let in_groups = groups.of(&entry);
    let mut values = vec![RowValue::plain(names.number("dn")?, entry.dn.into_bytes())];
    let mut translated = Vec::new();
    for attribute in entry.attributes {
        if attribute.base().eq_ignore_ascii_case("memberOf") || attribute.values.is_empty() {
            continue;
        }
        let column = names.number(attribute.base())?;
        let to = if attribute.is_translated() { &mut translated } else { &mut values };
        let language = attribute.is_translated();
        to.extend(attribute.values.into_iter().map(|bytes| RowValue { column, translated: language, bytes }));
    }
    for group in in_groups {
        values.push(RowValue::plain(names.number("memberOf")?, group.into_bytes()));
    }
    values.extend(translated);
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_settings_ask_another_question() {
        let settings = |base: &str| LdapSettings {
            servers: vec!["ldaps://dc1".to_owned()],
            base: base.to_owned(),
            filter: None,
            bind: "cn=svc".to_owned(),
            ca: "ca.pem".into(),
            mapping: hardmatch_sources_entry::ColumnMapping::default(),
            nameserver: None,
            limits: crate::settings::TimeLimits::default(),
        };
        let asked = question(&settings("ou=a"));
        assert_eq!(asked, question(&LdapSettings { servers: Vec::new(), ..settings("ou=a") }));
        let mut mapped = settings("ou=a");
        mapped.mapping.key = Some("employeeBadge".to_owned());
        for other in [
            settings("ou=b"),
            LdapSettings { filter: Some("(a=b)".to_owned()), ..settings("ou=a") },
            LdapSettings { bind: "cn=other".to_owned(), ..settings("ou=a") },
            mapped,
        ] {
            assert_ne!(asked, question(&other));
        }
    }

    #[test]
    fn a_part_is_what_stands_behind_the_first_comma_that_is_not_escaped() {
        assert_eq!(parent("CN=Doe\\, Jane,OU=Sales,DC=x"), "OU=Sales,DC=x");
        assert_eq!(parent("uid=a, ou=b"), "ou=b");
        assert_eq!(parent("DC=x"), "");
        assert!(is_below("cn=a,OU=People, dc=x", "ou=people,DC=x"));
        assert!(is_below("OU=People,DC=x", "ou=people,dc=x"));
        assert!(!is_below("cn=a,ou=otherpeople,dc=x", "people,dc=x"));
        assert!(!is_below("cn=a,ou=morepeople,dc=x", "ou=people,dc=x"));
    }
}
