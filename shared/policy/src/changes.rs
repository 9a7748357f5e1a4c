//! What a newer version of a file says otherwise, in words for operators.

use std::collections::BTreeMap;

use toml::{Table, Value};

/// Changes that are named; the rest is counted.
const NAMED: usize = 20;

/// What differs between two versions of a file, one sentence each; nothing where either cannot be read. Of what belongs to
/// a secret only the place is named.
pub fn changes(old: &str, new: &str) -> Vec<String> {
    let read = |text: &str| toml::from_str::<Table>(text.strip_prefix('\u{feff}').unwrap_or(text)).ok();
    let (Some(old), Some(new)) = (read(old), read(new)) else { return Vec::new() };
    let (old, new) = (settings(&old), settings(&new));
    let mut places: Vec<&String> = old.keys().chain(new.keys()).collect();
    places.sort_unstable();
    places.dedup();
    let differs = places.into_iter().filter(|place| old.get(*place) != new.get(*place));
    let mut said: Vec<String> = differs.map(|place| sentence(place, old.get(place), new.get(place))).collect();
    let more = said.len().saturating_sub(NAMED);
    if more > 0 {
        said.truncate(NAMED);
        said.push(format!("and {more} more"));
    }
    said
}

fn sentence(place: &str, old: Option<&String>, new: Option<&String>) -> String {
    let secret = ["tenant.auth", "secret", "token", "password"].iter().any(|word| place.contains(word));
    match (old, new) {
        _ if secret => format!("{place} is another"),
        (Some(old), Some(new)) => format!("{place}: {old} → {new}"),
        (None, Some(new)) => format!("{place} is new: {new}"),
        (Some(old), None) => format!("{place} is gone; it was {old}"),
        (None, None) => place.to_owned(),
    }
}

/// Every setting by its place. A rule of a list is one setting, under what it is about.
fn settings(table: &Table) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    gather("", table, &mut found);
    found
}

fn gather(above: &str, table: &Table, found: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let place = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        match value {
            Value::Table(inner) => gather(&place, inner, found),
            Value::Array(rules) if rules.iter().any(Value::is_table) => {
                for rule in rules {
                    let about = ["sku", "name", "action"].iter().find_map(|name| rule.get(*name)?.as_str());
                    let place = format!("[[{place}]] {}", about.unwrap_or_default());
                    let nth = (1..).map(|n| if n == 1 { place.clone() } else { format!("{place} ({n})") });
                    let free = nth.into_iter().find(|place| !found.contains_key(place));
                    found.insert(free.unwrap_or(place), words(rule));
                }
            }
            value => {
                found.insert(place, words(value));
            }
        }
    }
}

/// A value as an operator wrote it; the members of a rule one after the other.
fn words(value: &Value) -> String {
    match value {
        Value::Table(members) => {
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("{name} = {}", words(value))).collect();
            members.join(", ")
        }
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o33_what_changed_is_said_by_place_and_value() {
        let old = "connection = 'x'\n[scope]\ninclude = \"person.city == 'York'\"\n[tenant.auth]\nclient_secret = 'env:A'\n[[license]]\nsku = 'E3'\nwhen = 'true'\n[[group]]\nname = 'Sales'\nwhen = 'true'\n";
        let new = "# a remark\nconnection = 'x'\n[scope]\ninclude = \"true\"\n[tenant.auth]\nclient_secret = 'env:B'\n[[license]]\nsku = 'E3'\nwhen = 'false'\n[[license]]\nsku = 'E3'\nwhen = 'true'\n[attributes]\ncity = 'person.city'\n";
        assert_eq!(
            changes(old, new),
            [
                "[[group]] Sales is gone; it was name = \"Sales\", when = \"true\"",
                "[[license]] E3: sku = \"E3\", when = \"true\" → sku = \"E3\", when = \"false\"",
                "[[license]] E3 (2) is new: sku = \"E3\", when = \"true\"",
                "attributes.city is new: \"person.city\"",
                "scope.include: \"person.city == 'York'\" → \"true\"",
                "tenant.auth.client_secret is another",
            ]
        );
        assert!(changes(old, old).is_empty() && changes(old, "no toml [").is_empty());
    }

    #[test]
    fn many_changes_are_counted() {
        let file = |value: u32| (0..30).map(|n| format!("k{n:02} = {value}")).collect::<Vec<_>>().join("\n");
        let said = changes(&file(1), &file(2));
        assert_eq!((said.len(), said.last().map(String::as_str)), (NAMED + 1, Some("and 10 more")));
    }
}
