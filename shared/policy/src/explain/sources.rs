//! Where people come from, in words.

use super::kept;
use crate::sources::{DisabledIn, SeveralSources, SourceKind, SourcePart, SourceSettings};

/// Where the people of one source are read from, and how.
pub(super) fn one(source: &SourceSettings) -> Vec<String> {
    let kind = match source.kind {
        SourceKind::Csv => "the CSV file",
        SourceKind::Jsonl => "the JSON Lines file",
        SourceKind::Ldif => "the LDIF file",
        SourceKind::Ldap => "the directory",
        SourceKind::Command => "what a program prints:",
        SourceKind::Scim => {
            return vec![
                "People are pushed by an identity provider, by SCIM 2.0. Who is deleted there is gone; nobody else is."
                    .to_owned(),
            ];
        }
    };
    let mut lines = vec![format!("People are read from {kind} {}.", source.location)];
    if let Some(directory) = &source.directory {
        let filter = directory.filter.as_ref().map(|filter| format!(" and that {filter} fits")).unwrap_or_default();
        lines.push(format!("These are the people below {}{filter}.", directory.base));
        lines.push(format!("{} reads them; its password is in {}.", directory.bind, kept(&directory.password)));
    }
    match &source.key {
        Some(key) => lines.push(format!("`{key}` is the key that never changes for a person.")),
        None => lines.push("The key that never changes for a person is the first there is of objectGUID, entryUUID, the anchor attributes, employeeID, employeeNumber and id.".to_owned()),
    }
    for (attribute, column) in &source.columns {
        lines.push(match source.words.get(attribute) {
            Some(words) => format!(
                "{attribute} is read from `{column}`: {} means yes, {} means no.",
                words.yes.join(", "),
                words.no.join(", ")
            ),
            None => format!("{attribute} is read from `{column}`."),
        });
    }
    lines
}

/// Several sources, and how they belong together.
pub(super) fn several(several: &SeveralSources) -> Vec<String> {
    let names = |places: &[usize]| {
        let names: Vec<&str> =
            places.iter().filter_map(|place| several.parts.get(*place)).map(|part| part.name.as_str()).collect();
        names.join(", then ")
    };
    let mut lines = Vec::new();
    for part in &several.parts {
        lines.extend(one(&part.settings).into_iter().map(|line| format!("{}: {line}", part.name)));
        lines.push(format!("{}: {}", part.name, joined(part)));
        if !part.adds_people {
            lines.push(format!("{}: An entry that no other source has is nobody.", part.name));
        }
    }
    let all: Vec<usize> = (0..several.parts.len()).collect();
    lines.push(format!(
        "What several sources have of a person is taken from {}: the first that has a value.",
        names(&all)
    ));
    for (attribute, places) in &several.precedence {
        lines.push(format!("{attribute} is taken from {}, and from no other source.", names(places)));
    }
    lines.push(
        match several.disabled {
            DisabledIn::First => {
                "Whether a person of several sources is disabled says the first of them that says anything."
            }
            DisabledIn::Any => "A person who is disabled in any source is disabled.",
            DisabledIn::All => "A person is disabled when every source that says anything says so.",
        }
        .to_owned(),
    );
    lines
}

fn joined(part: &SourcePart) -> String {
    match &part.same_person {
        Some(by) => format!("Entries of one person are found by {}.", by.name()),
        None => "A person who stands in another source, too, is refused: nothing says that they are one.".to_owned(),
    }
}
