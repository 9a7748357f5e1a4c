//! `[attributes]`: what differs from the default flow.

use std::collections::BTreeMap;

use hardmatch_domain::attribute::{Attr, DirectoryExtension};
use hardmatch_domain::policy::{FlowManager, FlowWhen, WhenEmpty};
use toml::Spanned;
use toml::de::DeValue;

use super::expression;
use crate::config::Override;
use crate::expression::Wanted;
use crate::keys::{self, NOT_MAPPABLE};
use crate::names::nearest;
use crate::problem::ProblemKind;
use crate::tree::{Reader, Section, Value};

/// What an empty value of an attribute means when the file does not say.
///
/// Empty is a statement of the source, unlike a missing column, so it clears; the guard counts that as a removal. Where
/// the tenant refuses to clear an attribute, its value is kept.
pub(crate) fn default_when_empty(attr: Attr) -> WhenEmpty {
    if attr.keeps_a_value() { WhenEmpty::Keep } else { WhenEmpty::Clear }
}

pub(super) fn attributes<'t>(reader: &mut Reader<'t>, root: &Section<'t>) -> (BTreeMap<Attr, Override>, FlowManager) {
    let mut mappings = BTreeMap::new();
    let mut manager = FlowManager { when: FlowWhen::Always, when_empty: WhenEmpty::Clear };
    let Some(value) = root.get("attributes") else { return (mappings, manager) };
    let DeValue::Table(table) = value.get_ref() else {
        reader.wrong_type(value, value.get_ref(), "[attributes]", "a table");
        return (mappings, manager);
    };
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        if name == "manager" {
            if let Some(flow) = manager_flow(reader, value) {
                manager = flow;
            }
        } else if let Some(attr) = Attr::ALL.iter().copied().find(|attr| attr.name() == name) {
            if let Some(mapping) = mapping(reader, attr, value) {
                mappings.insert(attr, mapping);
            }
        } else if let Some(extension) = DirectoryExtension::parse(name) {
            let attr = Attr::Directory(extension);
            if let Some(mapping) = extension_mapping(reader, attr, key, value) {
                mappings.insert(attr, mapping);
            }
        } else if let (true, DeValue::Table(members)) = (name == ORG_DATA, value.get_ref()) {
            // Written as a table, or as a dotted key without quotes.
            for (member, value) in members {
                match Attr::parse(&format!("{ORG_DATA}.{}", member.get_ref())) {
                    Some(attr) => mappings.extend(mapping(reader, attr, value).map(|mapping| (attr, mapping))),
                    None => refuse(reader, member, value),
                }
            }
        } else {
            refuse(reader, key, value);
        }
    }
    count_extensions(reader, &mappings, value.span());
    (mappings, manager)
}

/// Directory extensions that one configuration may map. Graph takes 100 values of all applications on one object, and each
/// name makes every request for accounts longer.
/// <https://learn.microsoft.com/graph/api/resources/extensionproperty>
pub(crate) const MOST_EXTENSIONS: usize = 32;

/// How the name of every directory extension begins.
const EXTENSION: &str = "extension_";

/// A mapping of a directory extension, whose value no source has under the same name.
fn extension_mapping<'t>(
    reader: &mut Reader<'t>,
    attr: Attr,
    key: &Spanned<std::borrow::Cow<'t, str>>,
    value: &'t Value<'t>,
) -> Option<Override> {
    let mapping = mapping(reader, attr, value)?;
    if mapping.from.is_none() && mapping.flow != FlowWhen::Never {
        reader.problem(
            ProblemKind::MissingKey,
            key.span(),
            format!(
                "`attributes.{attr}` does not say where its value comes from: no source has an attribute of that name"
            ),
            "from is missing",
            "add from = \"person.source['COLUMN']\", or another expression",
        );
        return None;
    }
    Some(mapping)
}

/// Says which extensions are one too many.
fn count_extensions(reader: &mut Reader<'_>, mappings: &BTreeMap<Attr, Override>, at: std::ops::Range<usize>) {
    let count = mappings.keys().filter(|attr| attr.directory_extension().is_some()).count();
    if count > MOST_EXTENSIONS {
        reader.problem(
            ProblemKind::BadValue,
            at,
            format!("[attributes] maps {count} directory extensions: one configuration maps at most {MOST_EXTENSIONS}"),
            "too many directory extensions",
            "leave out those that are not needed, or map some of extensionAttribute1 to extensionAttribute15 instead",
        );
    }
}

/// The property of Graph with members of its own.
const ORG_DATA: &str = "employeeOrgData";

fn refuse<'t>(reader: &mut Reader<'t>, key: &Spanned<std::borrow::Cow<'t, str>>, value: &Value<'t>) {
    let name = key.get_ref().as_ref();
    if let Some((name, why)) = NOT_MAPPABLE.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        reader.problem(
            ProblemKind::BadValue,
            key.span(),
            format!("`{name}` cannot be mapped: {why}"),
            "cannot be mapped",
            "remove the line",
        );
        return;
    }
    if name.get(..EXTENSION.len()).is_some_and(|start| start.eq_ignore_ascii_case(EXTENSION)) {
        reader.problem(
            ProblemKind::BadValue,
            key.span(),
            format!(
                "`{name}` is not the name of a directory extension: after `extension_` stand the application's id, 32 lower-case digits without hyphens, an underscore, and the extension's own name of letters, digits and underscores"
            ),
            "not a name",
            "copy the name from the application: Microsoft Entra admin center, or GET /applications/{id}/extensionProperties",
        );
        return;
    }
    let known = Attr::ALL.iter().map(|attr| attr.name()).chain(["manager"]);
    let cure = match nearest(name, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "left of = stands an attribute as Microsoft Graph names it, such as jobTitle".to_owned(),
    };
    reader.unknown_key("[attributes]", key, value, &cure);
}

fn mapping<'t>(reader: &mut Reader<'t>, attr: Attr, value: &'t Value<'t>) -> Option<Override> {
    let default = default_when_empty(attr);
    match value.get_ref() {
        DeValue::String(_) => {
            let text = reader.text_value(value, &format!("`attributes.{attr}`"))?;
            let from = expression(reader, &text, Wanted::Text)?;
            Some(Override { from: Some(from), flow: FlowWhen::Always, when_empty: default })
        }
        DeValue::Table(table) => {
            let section = reader.open(&format!("[attributes.{attr}]"), &keys::MAPPING, table, value.span());
            let text = reader.text(&section, "from");
            let from = text.as_ref().map(|text| expression(reader, text, Wanted::Text));
            let flow = reader.choice_or(&section, "flow", FlowWhen::Always);
            let when_empty = reader.choice_or(&section, "when_empty", default);
            if when_empty == WhenEmpty::Clear && attr.keeps_a_value() {
                let span = section.get("when_empty").map_or_else(|| value.span(), Spanned::span);
                reader.problem(
                    ProblemKind::BadValue,
                    span,
                    format!("`{attr}` cannot be cleared in Microsoft 365"),
                    "cannot be cleared",
                    "use when_empty = \"keep\"",
                );
            }
            match from {
                None => Some(Override { from: None, flow, when_empty }),
                Some(compiled) => Some(Override { from: Some(compiled?), flow, when_empty }),
            }
        }
        other => {
            reader.wrong_type(value, other, &format!("`attributes.{attr}`"), "an expression in quotes or a table");
            None
        }
    }
}

fn manager_flow<'t>(reader: &mut Reader<'t>, value: &'t Value<'t>) -> Option<FlowManager> {
    if let DeValue::Table(table) = value.get_ref() {
        let section = reader.open("[attributes.manager]", &keys::MANAGER, table, value.span());
        Some(FlowManager {
            when: reader.choice_or(&section, "flow", FlowWhen::Always),
            when_empty: reader.choice_or(&section, "when_empty", WhenEmpty::Clear),
        })
    } else {
        reader.problem(
            ProblemKind::BadValue,
            value.span(),
            "`attributes.manager` is not an expression: the manager is another person, found by the source's own reference",
            "not a text",
            "write manager = { flow = \"always\" } or { flow = \"never\" }; the column is named in [source.columns]",
        );
        None
    }
}
