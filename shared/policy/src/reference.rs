//! The reference page of `hardmatch.toml`, written from the tables that the loader reads.

use std::fmt::Write as _;

use crate::compile::DEFAULT_FLOW;
use crate::expression::{FIELDS, FUNCTIONS};
use crate::keys::{self, Key, Kind, Need, SOURCE_ATTRIBUTES, Table};
use crate::load::MOST_EXTENSIONS;
use hardmatch_domain::attribute::{Attr, DirectoryExtension};
use hardmatch_domain::write_back::TenantValue;

/// `docs/configuration.md`: keys, attributes and what expressions may use, as Markdown.
pub fn reference() -> String {
    let mut page = "# hardmatch.toml\n\nWritten by `hardmatch config reference` from the tables that the program reads. `hardmatch config check` finds\nevery problem in a file, `hardmatch config explain` says in words what it does, and `hardmatch config schema` prints a\nJSON Schema for editors.\n\n## Keys\n".to_owned();
    table(&mut page, &keys::ROOT);
    page.push_str("\n## Attributes\n\nRight of `=` in `[source.columns]` stands the source's own name, left one of these (upper and lower case do not count):\n\n");
    let names: Vec<String> = SOURCE_ATTRIBUTES.iter().map(|name| format!("`{name}`")).collect();
    page.push_str(&names.join(", "));
    page.push_str(".\n\nWhat an account may be given under `[attributes]`, and whether it flows from the source when nothing is said:\n\n| Attribute | Flows by default | At most |\n|---|---|---|\n");
    for attr in Attr::ALL {
        let flows = if DEFAULT_FLOW.contains(attr) { "yes" } else { "no" };
        line(&mut page, &format!("| `{}` | {flows} | {} characters |", attr.name(), attr.max_chars()));
    }
    line(
        &mut page,
        &format!("| `extension_<application id>_<name>` | no | {} characters |", DirectoryExtension::MAX_CHARS),
    );
    line(
        &mut page,
        &format!(
            "\nA directory extension is mapped under its whole name, such as\n`extension_b7d8e648520f41d3b9c0fdeb91768a0a_costKey = \"person.source['costKey']\"`: at most {MOST_EXTENSIONS} of them, each of type\nString, of one value, and registered for users in the tenant. Its `from` is required. Connections of one tenant should map\nthe same extensions: a connection whose list is another's reads all users again."
        ),
    );
    page.push_str("\n## Values for the directory\n\nUnder `[write_back]`, left of `=` stands an attribute as the directory calls it, and right of it the value of the account that\na person gets who has none: ");
    let values: Vec<String> = TenantValue::ALL.iter().map(|value| format!("`{}`", value.name())).collect();
    page.push_str(&values.join(", "));
    page.push_str(".\nA value that is there is never changed. Never written to are ");
    let never: Vec<String> = keys::NOT_WRITTEN_BACK.iter().map(|(name, _)| format!("`{name}`")).collect();
    page.push_str(&never.join(", "));
    page.push_str(".\n");
    page.push_str("\n## Expressions\n\nRules and mappings are written in CEL (<https://cel.dev>) over one `person`. They know no time: the first and the last day\nbelong to `[lifecycle]`.\n\n| `person.` | | |\n|---|---|---|\n");
    for field in FIELDS {
        line(&mut page, &format!("| `{}` | {} | {} |", field.name, field.kind, field.meaning));
    }
    page.push_str("| any attribute above | text | as the source has it |\n\n| Function | Gives |\n|---|---|\n");
    for function in FUNCTIONS {
        line(&mut page, &format!("| `{}` | {} |", function.usage, function.meaning.replace('|', "\\|")));
    }
    page
}

fn line(page: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(page, "{text}");
}

fn table(page: &mut String, table_of: &Table) {
    let title = if table_of.path.is_empty() { "At the top".to_owned() } else { format!("`[{}]`", table_of.path) };
    line(page, &format!("\n### {title}\n\n{}\n\n| Key | Default | |\n|---|---|---|", table_of.doc));
    for key in table_of.keys.iter().filter(|key| below(key).is_none()) {
        let default = match key.need {
            Need::Required => "required".to_owned(),
            Need::Optional => String::new(),
            Need::Default(default) => format!("`{default}`"),
        };
        line(page, &format!("| `{}` | {default} | {} |", key.name, key.doc.replace('|', "\\|")));
    }
    for key in table_of.keys {
        if let Some(inner) = below(key) {
            table(page, inner);
        }
    }
}

fn below(key: &Key) -> Option<&'static Table> {
    match key.kind {
        Kind::Table(inner) | Kind::Tables(inner) | Kind::OneOrSeveral(inner) => Some(inner),
        _ => None,
    }
}
