//! `[[license]]` and `[[group]]`: who is given what beside the account itself.

use std::sync::Arc;

use hardmatch_domain::group::GroupKind;
use hardmatch_domain::ids::Guid;
use toml::de::DeValue;

use super::{one_or_more, rule};
use crate::config::{GroupTable, LicenseTable};
use crate::expression::{Compiled, Wanted};
use crate::keys::{GROUP, LICENSE, Table};
use crate::problem::ProblemKind;
use crate::roles::is_directory_role;
use crate::tree::{At, Reader, Section, Value};

pub(super) fn licenses<'t>(reader: &mut Reader<'t>, root: &Section<'t>) -> Vec<LicenseTable> {
    let mut rules: Vec<LicenseTable> = Vec::new();
    for section in tables(reader, root, "license", &LICENSE) {
        let sku = reader.required_text(&section, "sku");
        let without = one_or_more(reader, &section, "disabled_plans").unwrap_or_default();
        let when = required_rule(reader, &section);
        if let Some(sku) = &sku {
            refuse_role(reader, sku, "license.sku");
        }
        let (Some(sku), Some(when)) = (sku, when) else { continue };
        let named =
            LicenseTable { sku: name(sku.value), without: without.iter().map(|plan| name(plan)).collect(), when };
        if rules.iter().any(|above| above.is_of(&named) && above.when.written() == named.when.written()) {
            reader.problem(
                ProblemKind::BadValue,
                sku.span,
                format!("another rule above gives {} to the same people, so this one is never reached", named.sku),
                "never reached",
                "the first rule of a licence that fits says which plans stay off: make one rule of the two, or give this one another `when`",
            );
        }
        rules.push(named);
    }
    rules
}

/// In characters. <https://learn.microsoft.com/graph/api/resources/group>
const LONGEST_NAME: usize = 256;

pub(super) fn groups<'t>(reader: &mut Reader<'t>, root: &Section<'t>) -> Vec<GroupTable> {
    let mut rules: Vec<GroupTable> = Vec::new();
    for section in tables(reader, root, "group", &GROUP) {
        let name = reader.required_text(&section, "name");
        let kind = reader.choice::<GroupKind>(&section, "kind");
        let when = members(reader, &section);
        let Some(name) = name else { continue };
        let length = name.value.trim().chars().count();
        if length > LONGEST_NAME {
            reader.problem(
                ProblemKind::BadValue,
                name.span.clone(),
                format!("`group.name` has {length} characters, and Microsoft 365 takes at most {LONGEST_NAME}"),
                "too long",
                "give the group a shorter name",
            );
        }
        refuse_role(reader, &name, "group.name");
        let (Ok(kind), Some(when)) = (kind, when) else { continue };
        let kind = kind.map_or(GroupKind::Security, |kind| kind.value);
        let named = GroupTable { name: self::name(name.value), kind, when };
        let clash = rules.iter().filter(|above| above.is_of(&named)).find_map(|above| clash(above, &named));
        if let Some((message, label, cure)) = clash {
            reader.problem(ProblemKind::BadValue, name.span, message, label, cure);
        }
        rules.push(named);
    }
    rules
}

/// Who is a member: by a rule, or as in a group of the directory.
fn members<'t>(reader: &mut Reader<'t>, section: &Section<'t>) -> Option<Arc<Compiled>> {
    let Some(text) = reader.text(section, "members_of") else {
        // What is wrong with a value was said.
        return if section.has("members_of") { None } else { required_rule(reader, section) };
    };
    if section.has("when") {
        reader.problem(
            ProblemKind::BadValue,
            text.span,
            "`group.members_of` and `group.when` both say who is a member",
            "twice",
            "write one of the two; a rule may name the group, too: \"'GUID' in person.groups\"",
        );
        return None;
    }
    let Some(id) = Guid::parse(text.value.trim()) else {
        reader.problem(
            ProblemKind::BadValue,
            text.span,
            "`group.members_of` is no GUID",
            "not a GUID",
            "write the group's objectGUID, or its entryUUID: names change. For a group by its name write when = \"'NAME' in person.groups\"",
        );
        return None;
    };
    let rule = format!("'{id}' in person.groups");
    super::expression(reader, &At { value: rule.as_str(), span: text.span }, Wanted::Rule)
}

/// A directory role has the name: a group so called would not give it, and a rule must not.
fn refuse_role(reader: &mut Reader<'_>, name: &At<&str>, key: &str) {
    if is_directory_role(name.value) {
        reader.problem(
            ProblemKind::BadValue,
            name.span.clone(),
            format!("`{key}` names the directory role {}, and roles are never given by rule", name.value.trim()),
            "a directory role",
            "give roles by hand in the tenant; if a group bears this name, give it another",
        );
    }
}

/// What two rules of one group must not differ in, and what they must: a person whom either of them fits is a member. A message,
/// a label and a cure.
fn clash(above: &GroupTable, this: &GroupTable) -> Option<(String, &'static str, String)> {
    if above.kind != this.kind {
        let (name, was, is) = (&above.name, above.kind.name(), this.kind.name());
        Some((
            format!("a rule above takes {name} for a {was} group, and this one for a {is} group"),
            "another kind",
            "give all rules of the group the same `kind` (where nothing is said it is security), or rename one of two groups that bear one name".to_owned(),
        ))
    } else if above.name != this.name {
        Some((
            format!("a rule above names the same group {}", above.name),
            "written otherwise",
            format!("write {} in both: to Microsoft 365 upper and lower case are the same", above.name),
        ))
    } else if above.when.written() == this.when.written() {
        Some(("the rule stands above already".to_owned(), "again", "remove one of the two".to_owned()))
    } else {
        None
    }
}

/// The tables of a name: `[[name]]`, however many.
fn tables<'t>(reader: &mut Reader<'t>, root: &Section<'t>, key: &str, keys: &'static Table) -> Vec<Section<'t>> {
    let Some(value) = root.get(key) else { return Vec::new() };
    let name = format!("[[{key}]]");
    let items: Vec<&'t Value<'t>> = match value.get_ref() {
        DeValue::Array(array) => array.iter().collect(),
        DeValue::Table(_) => {
            reader.problem(
                ProblemKind::WrongType,
                value.span(),
                format!("[{key}] is a single table, where a list of rules belongs"),
                "one table",
                format!("write {name}, with two brackets, above each rule"),
            );
            vec![value]
        }
        _ => vec![value],
    };
    let mut sections = Vec::new();
    for item in items {
        match item.get_ref() {
            DeValue::Table(table) => sections.push(reader.open(&name, keys, table, item.span())),
            other => reader.wrong_type(item, other, &name, "a table"),
        }
    }
    sections
}

fn required_rule<'t>(reader: &mut Reader<'t>, section: &Section<'t>) -> Option<Arc<Compiled>> {
    if let Some(value) = section.get("when") {
        return rule(reader, value, &section.full_name("when"));
    }
    reader.missing(section, "when");
    None
}

/// A name as it is written; an id as the tenant writes it.
fn name(text: &str) -> String {
    let text = text.trim();
    Guid::parse(text).map_or_else(|| text.to_owned(), |id| id.to_string())
}
