//! Which attributes an answer has: `attributes` and `excludedAttributes`.
//! <https://www.rfc-editor.org/rfc/rfc7644#section-3.9>

use serde_json::{Map, Value};

use super::schema::{Attribute, ResourceType, find};

/// What somebody asked to be told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Select {
    only: Vec<Path>,
    without: Vec<Path>,
}

/// An attribute, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Path {
    extension: Option<&'static str>,
    /// Empty: the whole extension.
    attribute: Option<&'static Attribute>,
    part: Option<&'static Attribute>,
}

impl Select {
    /// From lists of names, separated by commas. Names that nobody knows select nothing.
    pub(crate) fn new<'n>(
        of: ResourceType,
        only: impl IntoIterator<Item = &'n str>,
        without: impl IntoIterator<Item = &'n str>,
    ) -> Self {
        let mut asked = false;
        let mut paths = |names: &mut dyn Iterator<Item = &'n str>, counts: bool| {
            let names = names.flat_map(|names| names.split(',')).map(str::trim).filter(|name| !name.is_empty());
            names.inspect(|_| asked |= counts).filter_map(|name| path(of, name)).collect::<Vec<Path>>()
        };
        let mut only = paths(&mut only.into_iter(), true);
        let without = paths(&mut without.into_iter(), false);
        // A client that asked for unknown attributes alone is told what is always told.
        if asked && only.is_empty() {
            only.extend(path(of, "id"));
        }
        Self { only, without }
    }

    /// Whether an attribute of the resource itself is told at all.
    pub(crate) fn tells(&self, name: &str) -> bool {
        let is =
            |path: &Path| path.extension.is_none() && path.attribute.is_some_and(|attribute| attribute.name == name);
        if self.only.is_empty() {
            !self.without.iter().any(|path| is(path) && path.part.is_none())
        } else {
            self.only.iter().any(is)
        }
    }

    /// Whether an attribute of an extension, or the whole extension, was asked for by its name.
    pub(crate) fn asks_for(&self, urn: &str, name: &str) -> bool {
        let is =
            |path: &Path| path.extension == Some(urn) && path.attribute.is_none_or(|attribute| attribute.name == name);
        self.only.iter().any(is)
    }

    /// The resource with what was asked for.
    pub(crate) fn of(&self, resource: Value) -> Value {
        let Value::Object(resource) = resource else { return resource };
        if self.only.is_empty() && self.without.is_empty() {
            return Value::Object(resource);
        }
        let mut told = Map::new();
        if !self.only.is_empty() {
            for always in ["schemas", "id"] {
                told.extend(resource.get(always).map(|value| (always.to_owned(), value.clone())));
            }
            for path in &self.only {
                let from = match path.extension {
                    Some(urn) => resource.get(urn).and_then(Value::as_object),
                    None => Some(&resource),
                };
                let Some(from) = from else { continue };
                let into = match path.extension {
                    Some(urn) => {
                        let slot = told.entry(urn).or_insert_with(|| Value::Object(Map::new()));
                        let Some(slot) = slot.as_object_mut() else { continue };
                        slot
                    }
                    None => &mut told,
                };
                match path.attribute {
                    None => into.extend(from.clone()),
                    Some(attribute) => {
                        let Some(value) = from.get(attribute.name) else { continue };
                        match path.part {
                            None => _ = into.insert(attribute.name.to_owned(), value.clone()),
                            Some(part) => keep_part(into, attribute, part, value),
                        }
                    }
                }
            }
            return Value::Object(told);
        }
        told = resource;
        for path in &self.without {
            let holder = match path.extension {
                Some(urn) if path.attribute.is_none() => {
                    told.remove(urn);
                    continue;
                }
                Some(urn) => told.get_mut(urn).and_then(Value::as_object_mut),
                None => Some(&mut told),
            };
            let (Some(holder), Some(attribute)) = (holder, path.attribute) else { continue };
            if matches!(attribute.name, "id" | "schemas") {
                continue;
            }
            match path.part {
                None => _ = holder.remove(attribute.name),
                Some(part) => match holder.get_mut(attribute.name) {
                    Some(Value::Array(values)) => {
                        for value in values.iter_mut().filter_map(Value::as_object_mut) {
                            value.remove(part.name);
                        }
                    }
                    Some(Value::Object(value)) => _ = value.remove(part.name),
                    _ => {}
                },
            }
        }
        Value::Object(told)
    }
}

/// Adds one part of a value to what is told of the attribute already.
fn keep_part(into: &mut Map<String, Value>, attribute: &Attribute, part: &Attribute, value: &Value) {
    let pick = |from: &Value, to: &mut Value| {
        if let (Some(picked), Some(to)) = (from.get(part.name), to.as_object_mut()) {
            to.insert(part.name.to_owned(), picked.clone());
        }
    };
    let empty = || Value::Object(Map::new());
    match value {
        Value::Array(values) => {
            let slot = into.entry(attribute.name).or_insert_with(|| Value::Array(vec![empty(); values.len()]));
            for (from, to) in values.iter().zip(slot.as_array_mut().into_iter().flatten()) {
                pick(from, to);
            }
        }
        one => pick(one, into.entry(attribute.name).or_insert_with(empty)),
    }
}

fn path(of: ResourceType, name: &str) -> Option<Path> {
    if let Some(schema) = of.extension(name) {
        return Some(Path { extension: Some(schema.urn), attribute: None, part: None });
    }
    let (extension, rest) = match name.rsplit_once(':') {
        Some((urn, rest)) if urn.eq_ignore_ascii_case(of.schema().urn) => (None, rest),
        Some((urn, rest)) => (Some(of.extension(urn)?), rest),
        None => (None, name),
    };
    let (attribute, part) = rest.split_once('.').map_or((rest, None), |(name, part)| (name, Some(part)));
    let attribute = match extension {
        Some(schema) => find(schema.attributes, attribute)?,
        None => of.core(attribute)?,
    };
    let part = match part {
        Some(part) => Some(attribute.part(part)?),
        None => None,
    };
    Some(Path { extension: extension.map(|schema| schema.urn), attribute: Some(attribute), part })
}
