//! The file's form as JSON Schema, for editors: made from the same table of keys that the loader reads.

use hardmatch_domain::attribute::Attr;
use serde_json::{Map, Value, json};

use hardmatch_domain::write_back::TenantValue;

use crate::keys::{self, Key, Kind, NOT_MAPPABLE, Need, SOURCE_ATTRIBUTES, Table};

/// JSON Schema (2020-12) of `hardmatch.toml`.
pub fn json_schema() -> Value {
    let mut schema = table(&keys::ROOT);
    if let Value::Object(root) = &mut schema {
        root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        root.insert("title".to_owned(), json!("hardmatch.toml"));
    }
    schema
}

fn table(table: &'static Table) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for key in table.keys {
        properties.insert(key.name.to_owned(), property(key));
        if matches!(key.need, Need::Required) {
            required.push(key.name);
        }
    }
    let mut schema = json!({
        "type": "object",
        "description": table.doc,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    if std::ptr::eq(table, &raw const keys::TENANT) {
        schema["allOf"] = json!([
            {
                "if": { "properties": { "cloud": { "const": "custom" } }, "required": ["cloud"] },
                "then": { "required": ["login", "graph"] },
                "else": { "properties": { "login": false, "graph": false } },
            },
            {
                "if": { "properties": { "cloud": { "const": "simulated" } }, "required": ["cloud"] },
                "then": {},
                "else": { "required": ["auth"], "properties": { "seed": false } },
            },
        ]);
    }
    if std::ptr::eq(table, &raw const keys::GROUP) {
        schema["oneOf"] = json!([{ "required": ["when"] }, { "required": ["members_of"] }]);
    }
    if std::ptr::eq(table, &raw const keys::AUTH) {
        schema["allOf"] = Value::Array(methods());
        schema["dependentRequired"] = json!({ "key": ["certificate"], "secret_expires": ["secret"] });
        schema["not"] = json!({ "required": ["secret", "certificate"] });
    }
    schema
}

/// What each method of signing in needs, and what it has no use for.
fn methods() -> Vec<Value> {
    let only = |method: &str, needs: &[&str]| {
        let unused: Map<String, Value> = keys::AUTH_KEYS
            .iter()
            .filter(|(_, methods)| !methods.contains(&method))
            .map(|(key, _)| ((*key).to_owned(), json!(false)))
            .collect();
        // Without the word the default holds.
        let said = if method == "secret" { json!([]) } else { json!(["method"]) };
        json!({
            "if": { "properties": { "method": { "const": method } }, "required": said },
            "then": { "required": needs, "properties": unused },
        })
    };
    vec![
        only("secret", &["secret"]),
        only("certificate", &["certificate"]),
        only("federated", &[]),
        only("delegated", &[]),
    ]
}

fn property(key: &'static Key) -> Value {
    let mut schema = match &key.kind {
        Kind::Text => match key.name {
            "connection" => json!({ "type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$" }),
            "after" => json!({ "type": "string", "pattern": "^[0-9]+[dhm]$" }),
            "deliver_to" => json!({ "type": "string", "pattern": "^(discard|file:.+)$" }),
            "every" => json!({ "type": "string", "pattern": "^[0-9]+[hm]$" }),
            "full" => json!({ "type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$" }),
            "token" => json!({ "type": "string", "pattern": "^(file|command):.+$" }),
            _ => json!({ "type": "string", "minLength": 1 }),
        },
        Kind::Rule => json!({ "type": "string", "minLength": 1, "maxLength": crate::MAX_CHARS }),
        Kind::Choice(known, _) => json!({ "enum": known }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Number(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Words(known) => json!({ "type": "array", "items": { "enum": known }, "uniqueItems": true }),
        Kind::Attributes => {
            let names: Vec<&str> = Attr::ALL
                .iter()
                .filter(|attr| !matches!(attr, Attr::UserPrincipalName | Attr::Mail | Attr::MailNickname))
                .map(|attr| attr.name())
                .collect();
            json!({ "type": "array", "items": { "enum": names }, "uniqueItems": true })
        }
        Kind::OneOrMore => json!({ "oneOf": [
            { "type": "string", "minLength": 1 },
            { "type": "array", "items": { "type": "string", "minLength": 1 }, "minItems": 1, "uniqueItems": true },
        ] }),
        Kind::Leaving => json!({ "oneOf": [
            { "enum": ["ignore", "suspend", "remove-licenses", "delete"] },
            table(&keys::STAGE),
            { "type": "array", "minItems": 1, "maxItems": 3, "items": { "oneOf": [
                { "enum": ["suspend", "remove-licenses", "delete"] },
                table(&keys::STAGE),
            ] } },
        ] }),
        Kind::Table(below) => table(below),
        Kind::Tables(each) => json!({ "type": "array", "items": table(each) }),
        Kind::OneOrSeveral(each) => several(each),
        Kind::Precedence => precedence(),
        Kind::Columns => columns(),
        Kind::Mappings => mappings(),
        Kind::WriteBacks => write_backs(),
        Kind::Place => {
            json!({ "type": "string", "pattern": "^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+|secretsmanager:arn:.+)$" })
        }
        Kind::Day => json!({ "type": "string", "format": "date" }),
    };
    schema["description"] = json!(key.doc);
    if let Need::Default(default) = key.need {
        // A default that is not JSON would show in the test of all defaults.
        schema["default"] = serde_json::from_str(default).unwrap_or(Value::Null);
    }
    schema
}

/// One table, or a list of them with names. A single one has nothing that belongs to several.
fn several(each: &'static Table) -> Value {
    let mut one = table(each);
    if let Some(properties) = one["properties"].as_object_mut() {
        properties.retain(|name, _| !keys::OF_SEVERAL.contains(&name.as_str()));
    }
    let mut named = table(each);
    if let Some(required) = named["required"].as_array_mut() {
        required.push(json!("name"));
    }
    named["properties"]["name"]["pattern"] = json!("^[a-z0-9][a-z0-9_-]{0,31}$");
    json!({ "oneOf": [one, { "type": "array", "minItems": 1, "items": named }] })
}

fn precedence() -> Value {
    let names = Attr::ALL.iter().map(|attr| attr.name()).chain(keys::PRECEDENCE_BESIDE.iter().copied());
    let list = json!({ "oneOf": [
        { "type": "string", "minLength": 1 },
        { "type": "array", "items": { "type": "string", "minLength": 1 }, "minItems": 1, "uniqueItems": true },
    ], "description": "The sources that give it, the first that has a value." });
    let properties: Map<String, Value> = names.map(|name| (name.to_owned(), list.clone())).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn columns() -> Value {
    let properties: Map<String, Value> = SOURCE_ATTRIBUTES
        .iter()
        .map(|name| {
            let text = json!({ "type": "string", "minLength": 1 });
            let switch = keys::SWITCHES.contains(name);
            let schema = if switch { json!({ "oneOf": [text, table(&keys::SWITCH_COLUMN)] }) } else { text };
            ((*name).to_owned(), schema)
        })
        .collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn write_backs() -> Value {
    let never: Vec<&str> = keys::NOT_WRITTEN_BACK.iter().map(|(name, _)| *name).collect();
    let mut values =
        json!({ "type": "object", "additionalProperties": { "enum": TenantValue::ALL.map(TenantValue::name) } });
    values["propertyNames"] = json!({ "pattern": "^[A-Za-z][A-Za-z0-9-]{0,63}$", "not": { "enum": never } });
    values
}

/// The names of directory extensions.
const EXTENSION: &str = "^extension_[0-9a-f]{32}_[A-Za-z0-9_]+$";

fn mappings() -> Value {
    let mut properties = Map::new();
    let text = json!({ "type": "string", "minLength": 1, "maxLength": crate::MAX_CHARS, "description": "A CEL expression that gives a text." });
    for attr in Attr::ALL {
        let mut long = table(&keys::MAPPING);
        if attr.keeps_a_value() {
            long["properties"]["when_empty"] =
                json!({ "enum": ["keep"], "default": "keep", "description": "This attribute cannot be cleared." });
        }
        properties.insert(attr.name().to_owned(), json!({ "oneOf": [text.clone(), long] }));
    }
    let members: Map<String, Value> = Attr::ALL
        .iter()
        .filter_map(|attr| Some((attr.member().1?.to_owned(), properties[attr.name()].clone())))
        .collect();
    properties.insert(
        "employeeOrgData".to_owned(),
        json!({ "type": "object", "properties": members, "additionalProperties": false }),
    );
    properties.insert("manager".to_owned(), table(&keys::MANAGER));
    let never: Vec<&str> = NOT_MAPPABLE.iter().map(|(name, _)| *name).collect();
    json!({
        "type": "object",
        "properties": properties,
        "patternProperties": { EXTENSION: { "oneOf": [text, table(&keys::MAPPING)] } },
        "additionalProperties": false,
        "$comment": format!("never mapped: {}", never.join(", ")),
    })
}
