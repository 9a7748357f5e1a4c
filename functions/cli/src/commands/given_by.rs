//! Which of several sources gave a person, and which of them counts for what.

use std::collections::BTreeMap;

use hardmatch_domain::person::GivenBy;
use hardmatch_policy::{Config, Location};
use serde_json::{Value, json};

/// As lines below a heading.
pub(super) fn lines(given: &GivenBy, config: &Config) -> Vec<String> {
    let sources: Vec<&str> = given.sources.iter().collect();
    let mut lines = vec![match sources.as_slice() {
        [] => return Vec::new(),
        [one] => format!("  Only source {one} has the person."),
        [first, ..] => format!("  {} have the person. What is not named here is from {first}.", sources.join(", ")),
    }];
    for (source, attributes) in others(given) {
        lines.push(format!("  From {source}: {}.", attributes.join(", ")));
    }
    if let (Location::Several(several), true) = (&config.source.location, sources.len() > 1) {
        for (attribute, places) in &several.precedence {
            let names: Vec<&str> =
                places.iter().filter_map(|place| several.parts.get(*place)).map(|part| part.name.as_str()).collect();
            lines.push(format!("  [sources.precedence] takes {attribute} from {}.", names.join(", then ")));
        }
    }
    lines
}

/// For programs: the sources in their order, and the attributes that others than the first gave.
pub(super) fn document(given: &GivenBy) -> Value {
    json!({ "sources": given.sources.iter().collect::<Vec<_>>(), "others": given.others })
}

fn others(given: &GivenBy) -> BTreeMap<&str, Vec<&str>> {
    let mut by_source: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (attribute, source) in given.others.iter() {
        by_source.entry(source).or_default().push(attribute);
    }
    by_source
}
