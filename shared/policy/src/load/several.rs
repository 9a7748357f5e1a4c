//! `[[source]]`, several times, and `[sources]`: which sources a connection has, and which of them counts for what.

use std::collections::BTreeMap;
use std::path::Path;

use hardmatch_domain::attribute::Attr;
use toml::de::DeValue;

use super::connect;
use crate::config::AnchorSettings;
use crate::keys::{self, PRECEDENCE_BESIDE};
use crate::names::nearest;
use crate::problem::ProblemKind;
use crate::sources::{DisabledIn, Location, SamePerson, SeveralSources, SourceKind, SourcePart, SourceSettings};
use crate::tree::{At, Reader, Section};

/// The longest name of a source.
const LONGEST_NAME: usize = 32;

/// Sources as they are declared; what they are joined by is settled when the anchors are known.
pub(super) enum Declared<'t> {
    One(Box<SourceSettings>),
    Several(Vec<Part<'t>>),
}

/// One `[[source]]`.
pub(super) struct Part<'t> {
    name: String,
    section: Section<'t>,
    settings: SourceSettings,
}

pub(super) fn declared<'t>(reader: &mut Reader<'t>, root: &Section<'t>, base_dir: &Path) -> Option<Declared<'t>> {
    let array = match root.get("source").map(toml::Spanned::get_ref) {
        Some(DeValue::Array(array)) if !array.is_empty() => array,
        _ => return connect::source(reader, root, base_dir).map(|source| Declared::One(Box::new(source))),
    };
    let mut parts: Vec<Part<'t>> = Vec::new();
    let mut whole = true;
    for item in array {
        let DeValue::Table(table) = item.get_ref() else {
            reader.wrong_type(item, item.get_ref(), "[[source]]", "a table");
            whole = false;
            continue;
        };
        let section = reader.open("[[source]]", &keys::SOURCE, table, item.span());
        let name = part_name(reader, &section, &parts);
        let settings = connect::one_source(reader, &section, base_dir);
        if settings.as_ref().is_some_and(|settings| settings.kind == SourceKind::Scim) {
            let span = section.get("kind").map_or(item.span(), toml::Spanned::span);
            reader.problem(
                ProblemKind::BadValue,
                span,
                "people who are pushed cannot be one of several sources",
                "not among several",
                "give them a connection of their own, with [source] kind = \"scim\"",
            );
        }
        match (name, settings) {
            (Some(name), Some(settings)) => parts.push(Part { name, section, settings }),
            _ => whole = false,
        }
    }
    whole.then_some(Declared::Several(parts))
}

fn part_name<'t>(reader: &mut Reader<'t>, section: &Section<'t>, before: &[Part<'t>]) -> Option<String> {
    let name = reader.required_text(section, "name")?;
    let text = name.value.trim();
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let fits = text.len() <= LONGEST_NAME
        && text.bytes().next().is_some_and(inner)
        && text.bytes().all(|byte| inner(byte) || matches!(byte, b'-' | b'_'));
    if !fits {
        reader.problem(
            ProblemKind::BadValue,
            name.span,
            "the source's name has characters that keys and file names do not take, or is too long",
            "not a name",
            format!("use lower case letters, digits, - _ and at most {LONGEST_NAME} of them"),
        );
        return None;
    }
    if before.iter().any(|part| part.name == text) {
        reader.problem(
            ProblemKind::BadValue,
            name.span,
            format!("two sources are called {text}"),
            "again",
            "give each source a name of its own",
        );
        return None;
    }
    Some(text.to_owned())
}

/// The sources with `[sources]`, which says how they belong together.
pub(super) fn settled<'t>(
    reader: &mut Reader<'t>,
    root: &Section<'t>,
    declared: Option<Declared<'t>>,
    anchor: &AnchorSettings,
) -> Option<SourceSettings> {
    let section = reader.section(root, "sources");
    let everywhere = reader.text(&section, "same_person").map(|text| same_person(&text, anchor));
    let disabled = reader.choice_or(&section, "disabled", DisabledIn::First);
    let listed = precedence(reader, &section);
    let parts = match declared? {
        Declared::One(source) => {
            if let Some(value) = root.get("sources") {
                reader.problem(
                    ProblemKind::BadValue,
                    value.span(),
                    "[sources] says how several sources belong together, and there is one",
                    "one source",
                    "remove it, or write [[source]] twice or more, each with a name",
                );
            }
            return Some(*source);
        }
        Declared::Several(parts) => parts,
    };
    let names: Vec<String> = parts.iter().map(|part| part.name.clone()).collect();
    let mut precedence = BTreeMap::new();
    for (attribute, texts) in listed {
        let places = places(reader, &attribute, texts, &names);
        precedence.insert(attribute, places);
    }
    let mut settled = Vec::new();
    for (at, Part { name, section, settings }) in parts.into_iter().enumerate() {
        let own = reader.text(&section, "same_person").map(|text| same_person(&text, anchor));
        // Who was read when there was one source keeps the key.
        let keys = if at == 0 { "plain" } else { "named" };
        settled.push(SourcePart {
            adds_people: reader.flag(&section, "people", true),
            plain_keys: reader.choice_or(&section, "keys", keys.to_owned()) == "plain",
            same_person: own.or_else(|| everywhere.clone()),
            name,
            settings,
        });
    }
    check_people(reader, root, &section, &settled);
    let kind = settled.first()?.settings.kind;
    let several = SeveralSources { parts: settled, disabled, precedence };
    Some(SourceSettings {
        kind,
        location: Location::Several(Box::new(several)),
        format: None,
        columns: BTreeMap::new(),
        words: BTreeMap::new(),
        delimiter: None,
        encoding: None,
        key: None,
        directory: None,
    })
}

/// Some source has people, and a source that only adds to them says to whom.
fn check_people(reader: &mut Reader<'_>, root: &Section<'_>, section: &Section<'_>, parts: &[SourcePart]) {
    if parts.iter().all(|part| !part.adds_people) {
        reader.problem(
            ProblemKind::BadValue,
            root.get("source").map_or(0..0, toml::Spanned::span),
            "no source has people: each says people = false",
            "nobody",
            "leave people = false out of the source whose entries are the people",
        );
    }
    for part in parts.iter().filter(|part| !part.adds_people && part.same_person.is_none()) {
        reader.problem(
            ProblemKind::MissingKey,
            if section.exists() { section.span.clone() } else { 0..0 },
            format!("the source {} adds to people of others, and nothing says to whom", part.name),
            "no `same_person`",
            "write same_person = \"employeeId\" below [sources], or another attribute that both have",
        );
    }
}

/// What an attribute's name means: an account attribute, an anchor, or an attribute of the source.
fn same_person(text: &At<&str>, anchor: &AnchorSettings) -> SamePerson {
    let name = text.value.trim();
    if let Some(attr) = Attr::ALL.iter().copied().find(|attr| attr.name().eq_ignore_ascii_case(name)) {
        return SamePerson::Attribute(attr);
    }
    match anchor.from.iter().find(|from| from.eq_ignore_ascii_case(name)) {
        Some(from) => SamePerson::Anchor(from.clone()),
        None => SamePerson::Source(name.to_owned()),
    }
}

/// `[sources.precedence]`: attribute to names of sources.
fn precedence<'t>(reader: &mut Reader<'t>, section: &Section<'t>) -> BTreeMap<String, Vec<At<&'t str>>> {
    let mut found = BTreeMap::new();
    let Some(value) = section.get("precedence") else { return found };
    let DeValue::Table(table) = value.get_ref() else {
        reader.wrong_type(value, value.get_ref(), "[sources.precedence]", "a table");
        return found;
    };
    let known: Vec<&str> = Attr::ALL.iter().map(|attr| attr.name()).chain(PRECEDENCE_BESIDE.iter().copied()).collect();
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let Some(known) = known.iter().find(|known| known.eq_ignore_ascii_case(name)) else {
            let cure = match nearest(name, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => {
                    "use the names of [attributes], such as department, or manager, groups, enabled, anchor".to_owned()
                }
            };
            reader.unknown_key("[sources.precedence]", key, value, &cure);
            continue;
        };
        let full = format!("`sources.precedence.{known}`");
        let listed: Vec<At<&str>> = match value.get_ref() {
            DeValue::Array(array) => {
                array.iter().filter_map(|item| reader.text_value(item, &format!("an element of {full}"))).collect()
            }
            _ => reader.text_value(value, &full).into_iter().collect(),
        };
        if matches!(value.get_ref(), DeValue::Array(array) if array.is_empty()) {
            reader.problem(
                ProblemKind::BadValue,
                value.span(),
                format!("{full} names no source"),
                "empty",
                "name at least one, or remove the key: then the order of the sources counts",
            );
        }
        found.insert((*known).to_owned(), listed);
    }
    found
}

/// The places of sources that are named.
fn places(reader: &mut Reader<'_>, attribute: &str, named: Vec<At<&str>>, names: &[String]) -> Vec<usize> {
    let mut places: Vec<usize> = Vec::new();
    for text in named {
        let (message, label, cure) = match names.iter().position(|name| name == text.value.trim()) {
            Some(at) if !places.contains(&at) => {
                places.push(at);
                continue;
            }
            Some(_) => ("names it twice", "again", "name it once".to_owned()),
            None => ("names a source that there is not", "not a source", format!("there is {}", names.join(", "))),
        };
        let message = format!("`sources.precedence.{attribute}` {message}");
        reader.problem(ProblemKind::BadValue, text.span, message, label, cure);
    }
    places
}
