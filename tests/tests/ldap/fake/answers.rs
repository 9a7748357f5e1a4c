//! What a controller answers: which entries a filter fits, and what is shown of one.

use std::collections::BTreeMap;

use ldap3_proto::proto::{LdapFilter, LdapPartialAttribute, LdapSearchResultEntry};

use super::tree::Entry;

/// Groups by the names of their members, in small letters.
pub(crate) type Groups = BTreeMap<String, Vec<Vec<u8>>>;

/// The values of an attribute, those that are computed too.
fn values_of(groups: &Groups, entry: &Entry, name: &str) -> Vec<Vec<u8>> {
    match name.to_lowercase().as_str() {
        "objectguid" => vec![entry.guid.clone().into_bytes()],
        "distinguishedname" => vec![entry.dn.clone().into_bytes()],
        "usnchanged" => vec![entry.usn.to_string().into_bytes()],
        "memberof" => groups.get(&entry.dn.to_lowercase()).cloned().unwrap_or_default(),
        _ => entry.values(name).to_vec(),
    }
}

/// Whether an entry fits a filter.
pub(crate) fn fits(groups: &Groups, entry: &Entry, filter: &LdapFilter) -> bool {
    match filter {
        LdapFilter::And(all) => all.iter().all(|one| fits(groups, entry, one)),
        LdapFilter::Or(any) => any.iter().any(|one| fits(groups, entry, one)),
        LdapFilter::Not(not) => !fits(groups, entry, not),
        LdapFilter::Present(name) => {
            name.eq_ignore_ascii_case("objectClass") || !values_of(groups, entry, name).is_empty()
        }
        LdapFilter::Equality(name, value) => values_of(groups, entry, name).iter().any(|have| {
            have == value.as_bytes() || std::str::from_utf8(have).is_ok_and(|have| have.eq_ignore_ascii_case(value))
        }),
        LdapFilter::GreaterOrEqual(name, value) => {
            let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<u64>().ok());
            let least = number(value.as_bytes());
            values_of(groups, entry, name).iter().any(|have| number(have) >= least)
        }
        other => panic!("nobody asks by {other:?}"),
    }
}

/// What is shown of an entry, of each attribute so many values at most. The attributes are those that changed behind
/// `since`, those that lost their values included; all that have values without it.
pub(crate) fn shown(
    groups: &Groups,
    entry: &Entry,
    wanted: &[String],
    most: usize,
    since: Option<u64>,
) -> LdapSearchResultEntry {
    let mut attributes = Vec::new();
    for one in wanted {
        let (name, option) = one.split_once(';').unwrap_or((one, ""));
        if let Some(since) = since {
            if let Some(attribute) = entry.attributes.get(&name.to_lowercase()).filter(|have| have.usn > since) {
                attributes.push(LdapPartialAttribute { atype: attribute.name.clone(), vals: attribute.values.clone() });
            } else if name.eq_ignore_ascii_case("objectGUID") {
                attributes.push(LdapPartialAttribute { atype: name.to_owned(), vals: values_of(groups, entry, name) });
            }
            continue;
        }
        let mut vals = values_of(groups, entry, name);
        let from = option.strip_prefix("range=").and_then(|range| range.split('-').next()?.parse::<usize>().ok());
        let (all, from) = (vals.len(), from.unwrap_or_default());
        if vals.is_empty() || from >= all {
            continue;
        }
        let mut atype = name.to_owned();
        vals.drain(..from);
        vals.truncate(most);
        if from > 0 || vals.len() < all {
            let end = from + vals.len();
            // The plain name stands beside it, without values.
            attributes.push(LdapPartialAttribute { atype: name.to_owned(), vals: Vec::new() });
            let last = if end == all { "*".to_owned() } else { (end - 1).to_string() };
            atype = format!("{name};range={from}-{last}");
        }
        attributes.push(LdapPartialAttribute { atype, vals });
    }
    LdapSearchResultEntry { dn: entry.dn.clone(), attributes }
}
