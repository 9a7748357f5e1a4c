//! PATCH: one ordered list of operations on one resource, all or none, in the dialects that vendors really send. Okta sends
//! operations without a path; Entra writes `Add`, booleans as texts, dotted and URN keys inside of values, value paths of
//! elements that do not exist yet, and lists of members to remove; others write `$ref: null`.
//! <https://www.rfc-editor.org/rfc/rfc7644#section-3.5.2>

use scim_v2::filter::{AttrExp, CompValue, CompareOp, PatchPath, ValFilter};
use serde_json::{Map, Value};

use super::filter::{LONGEST, value_holds};
use super::resource::{Attributes, complete, is_common, object, one, one_primary, value_of};
use super::schema::{Attribute, Kind, ResourceType, Schema, find};
use crate::error::ScimError;

/// Operations of one request.
const MOST_OPERATIONS: usize = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Add,
    Replace,
    Remove,
}

/// Where an operation acts.
#[derive(Debug)]
struct Target {
    /// The extension that the attribute is of.
    extension: Option<&'static Schema>,
    attribute: &'static Attribute,
    filter: Option<ValFilter>,
    part: Option<&'static Attribute>,
}

/// What a path leads to.
#[derive(Debug)]
enum Place {
    Attribute(Target),
    /// A whole extension, or the resource itself.
    Whole(Option<&'static Schema>),
    /// What only we write and somebody sent back: nothing happens.
    Ignored,
}

/// Carries out the operations of a body on the attributes of a resource.
pub(crate) fn apply(of: ResourceType, kept: &mut Attributes, body: &Value) -> Result<(), ScimError> {
    let operations = body
        .as_object()
        .and_then(|body| body.iter().find(|(name, _)| name.eq_ignore_ascii_case("operations")))
        .and_then(|(_, operations)| operations.as_array())
        .ok_or_else(|| ScimError::syntax("A PATCH needs a list of Operations."))?;
    if operations.len() > MOST_OPERATIONS {
        return Err(ScimError::value(format!("A PATCH has at most {MOST_OPERATIONS} operations.")));
    }
    let mut changed = kept.clone();
    for operation in operations {
        apply_one(of, &mut changed, operation)?;
    }
    complete(of, &changed)?;
    *kept = changed;
    Ok(())
}

fn apply_one(of: ResourceType, kept: &mut Attributes, operation: &Value) -> Result<(), ScimError> {
    let operation = operation.as_object().ok_or_else(|| ScimError::syntax("An operation is an object."))?;
    let member =
        |name: &str| operation.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let op = match member("op").and_then(Value::as_str).map(str::to_ascii_lowercase).as_deref() {
        Some("add") => Op::Add,
        Some("replace") => Op::Replace,
        Some("remove") => Op::Remove,
        _ => return Err(ScimError::syntax("op must be add, replace or remove.")),
    };
    let value = member("value");
    let path = match member("path") {
        None | Some(Value::Null) => "",
        Some(Value::String(path)) => path.trim(),
        Some(_) => return Err(ScimError::path("A path is a text.")),
    };
    let place = if path.is_empty() { Place::Whole(None) } else { place(of, path)? };
    match place {
        Place::Attribute(target) => act(kept, op, &target, value),
        Place::Whole(schema) => whole(of, kept, op, schema, value),
        Place::Ignored => Ok(()),
    }
}

/// An operation on the resource itself or on one of its extensions: each member of the value is an operation of its own.
fn whole(
    of: ResourceType,
    kept: &mut Attributes,
    op: Op,
    schema: Option<&'static Schema>,
    value: Option<&Value>,
) -> Result<(), ScimError> {
    if op == Op::Remove {
        return match (schema, value) {
            (Some(schema), _) => {
                kept.remove(schema.urn);
                Ok(())
            }
            (None, _) => Err(ScimError::no_target("A remove needs a path.")),
        };
    }
    let Some(Value::Object(members)) = value else {
        return Err(ScimError::value("An operation without a path needs an object of attributes as its value."));
    };
    for (name, value) in members {
        if let Some(extension) = of.extension(name).filter(|_| schema.is_none()) {
            whole(of, kept, op, Some(extension), Some(value))?;
            continue;
        }
        let target = match schema {
            Some(schema) => place(of, &format!("{}:{name}", schema.urn)),
            None => place(of, name),
        };
        match target {
            Ok(Place::Attribute(target)) => {
                // A key that names elements sets them whatever there was.
                let op = if target.filter.is_some() { Op::Add } else { op };
                act(kept, op, &target, Some(value))?;
            }
            Ok(Place::Whole(extension)) => whole(of, kept, op, extension, Some(value))?,
            // Unknown attributes in a value are left alone, as in a whole resource.
            Ok(Place::Ignored) | Err(_) => {}
        }
    }
    Ok(())
}

/// What a path names.
fn place(of: ResourceType, path: &str) -> Result<Place, ScimError> {
    if path.len() > LONGEST {
        return Err(ScimError::path(format!("The path is longer than {LONGEST} bytes.")));
    }
    if let Some(schema) = of.extension(path) {
        return Ok(Place::Whole(Some(schema)));
    }
    if path.eq_ignore_ascii_case(of.schema().urn) {
        return Ok(Place::Whole(None));
    }
    // The grammar's names have no `$`.
    let parsed: PatchPath = path
        .replace("$ref", "ref-")
        .parse()
        .map_err(|_| ScimError::path("The path cannot be read. Write it as in RFC 7644, section 3.5.2."))?;
    let (path, filter, part) = match parsed {
        PatchPath::Attr(path) => {
            let part = path.sub_attr.clone();
            (path, None, part)
        }
        PatchPath::Value(value) => (value.attr, Some(value.filter), value.sub_attr),
    };
    let unknown = || ScimError::path("The path names an attribute that is not kept. /Schemas lists those that are.");
    let extension = match path.uri.as_deref() {
        Some(uri) if !uri.eq_ignore_ascii_case(of.schema().urn) => match of.extension(uri) {
            Some(schema) => Some(schema),
            // A schema of somebody else's: kept nowhere.
            None => return Ok(Place::Ignored),
        },
        _ => None,
    };
    let attribute = match extension {
        Some(schema) => find(schema.attributes, &path.name),
        None => of.core(&path.name),
    };
    let Some(attribute) = attribute else {
        return if extension.is_none() && is_unkept(&path.name) { Ok(Place::Ignored) } else { Err(unknown()) };
    };
    if attribute.read_only {
        // What comes back with a resource is no attempt to change it.
        let comes_back = extension.is_none() && (attribute.name == "schemas" || attribute.name == "meta");
        return if comes_back { Ok(Place::Ignored) } else { Err(read_only(attribute)) };
    }
    let part = match part.as_deref() {
        Some("ref-") => Some(attribute.part("$ref").ok_or_else(unknown)?),
        Some(name) => Some(attribute.part(name).ok_or_else(unknown)?),
        None => None,
    };
    if let Some(part) = part.filter(|part| part.read_only) {
        return Err(read_only(part));
    }
    if filter.is_some() && !attribute.many {
        return Err(ScimError::path(format!("{} has one value, which no filter selects.", attribute.name)));
    }
    Ok(Place::Attribute(Target { extension, attribute, filter, part }))
}

fn read_only(attribute: &Attribute) -> ScimError {
    ScimError::mutability(format!("{} is written by hardmatch alone.", attribute.name))
}

/// Attributes of the standard's that are not kept: sent by many, and no mistake.
fn is_unkept(name: &str) -> bool {
    let unkept = ["password", "roles", "entitlements", "photos", "ims", "x509Certificates", "profileUrl"];
    unkept.iter().any(|unkept| unkept.eq_ignore_ascii_case(name)) || is_common(name)
}

fn act(kept: &mut Attributes, op: Op, target: &Target, value: Option<&Value>) -> Result<(), ScimError> {
    let holder = match target.extension {
        Some(schema) => {
            let slot = kept.entry(schema.urn).or_insert_with(|| Value::Object(Map::new()));
            match slot.as_object_mut() {
                Some(slot) => slot,
                None => return Err(ScimError::path("The extension is damaged.")),
            }
        }
        None => &mut *kept,
    };
    if op != Op::Remove && value.is_none() {
        return Err(ScimError::value("An add or a replace needs a value."));
    }
    let value = value.unwrap_or(&Value::Null);
    if target.attribute.many {
        many(holder, op, target, value)?;
    } else {
        single(holder, op, target, value)?;
    }
    if let Some(schema) = target.extension
        && kept.get(schema.urn).and_then(Value::as_object).is_some_and(Map::is_empty)
    {
        kept.remove(schema.urn);
    }
    Ok(())
}

/// An attribute with one value.
fn single(holder: &mut Attributes, op: Op, target: &Target, value: &Value) -> Result<(), ScimError> {
    let name = target.attribute.name;
    let Some(part) = target.part else {
        if op == Op::Remove {
            holder.remove(name);
            return Ok(());
        }
        match value_of(target.attribute, value, name)? {
            // Parts that the value does not name stay as they are.
            Some(Value::Object(new)) => {
                let slot = holder.entry(name).or_insert_with(|| Value::Object(Map::new()));
                if let Some(slot) = slot.as_object_mut() {
                    slot.extend(new);
                }
                for (gone, _) in value.as_object().into_iter().flatten().filter(|(_, value)| value.is_null()) {
                    if let (Some(part), Some(slot)) =
                        (target.attribute.part(gone), holder.get_mut(name).and_then(Value::as_object_mut))
                    {
                        slot.remove(part.name);
                    }
                }
            }
            Some(new) => _ = holder.insert(name.to_owned(), new),
            None => _ = holder.remove(name),
        }
        return Ok(());
    };
    let new = if op == Op::Remove { None } else { one(part, value, &format!("{name}.{}", part.name))? };
    match new {
        Some(new) => {
            let slot = holder.entry(name).or_insert_with(|| Value::Object(Map::new()));
            if let Some(slot) = slot.as_object_mut() {
                slot.insert(part.name.to_owned(), new);
            }
        }
        None => {
            if let Some(slot) = holder.get_mut(name).and_then(Value::as_object_mut) {
                slot.remove(part.name);
                if slot.is_empty() {
                    holder.remove(name);
                }
            }
        }
    }
    Ok(())
}

/// An attribute with several values.
fn many(holder: &mut Attributes, op: Op, target: &Target, value: &Value) -> Result<(), ScimError> {
    let attribute = target.attribute;
    let mut values = match holder.remove(attribute.name) {
        Some(Value::Array(values)) => values,
        _ => Vec::new(),
    };
    let result = match (&target.filter, target.part) {
        (None, None) => all_values(&mut values, op, attribute, value),
        (filter, part) => some_values(&mut values, op, attribute, filter.as_ref(), part, value),
    };
    if !values.is_empty() {
        holder.insert(attribute.name.to_owned(), Value::Array(values));
    }
    result
}

/// Without a filter: a list is added to, replaced, or removed; with a value, a remove takes these alone.
fn all_values(values: &mut Vec<Value>, op: Op, attribute: &Attribute, sent: &Value) -> Result<(), ScimError> {
    let new = match value_of(attribute, sent, attribute.name)? {
        Some(Value::Array(new)) => new,
        _ => Vec::new(),
    };
    match op {
        Op::Replace => *values = new,
        Op::Remove if sent.is_null() => values.clear(),
        Op::Remove => {
            // Elements are named by their value alone: what else is sent of them may be of yesterday.
            let gone = |have: &Value| {
                new.iter().any(|gone| match gone.get("value") {
                    Some(value) => same_text(attribute, have.get("value"), Some(value)),
                    None => have == gone,
                })
            };
            values.retain(|have| !gone(have));
        }
        Op::Add => {
            for added in new {
                let same = |have: &Value| match (added.get("value"), attribute.name) {
                    // A member is a member once, however they are described.
                    (Some(value), "members") => same_text(attribute, have.get("value"), Some(value)),
                    _ => *have == added,
                };
                if values.iter().any(same) {
                    continue;
                }
                let primary = added.get("primary") == Some(&Value::Bool(true));
                values.push(added);
                if primary {
                    let last = values.len() - 1;
                    one_primary(values, Some(last));
                }
            }
        }
    }
    Ok(())
}

fn same_text(attribute: &Attribute, a: Option<&Value>, b: Option<&Value>) -> bool {
    let exact = attribute.part("value").is_some_and(|part| part.exact);
    match (a.and_then(Value::as_str), b.and_then(Value::as_str)) {
        (Some(a), Some(b)) => a == b || !exact && a.to_lowercase() == b.to_lowercase(),
        _ => false,
    }
}

/// The elements that a filter selects, or a part of all elements.
fn some_values(
    values: &mut Vec<Value>,
    op: Op,
    attribute: &'static Attribute,
    filter: Option<&ValFilter>,
    part: Option<&'static Attribute>,
    sent: &Value,
) -> Result<(), ScimError> {
    let selected: Vec<usize> = (0..values.len())
        .filter(|at| filter.is_none_or(|filter| value_holds(attribute, filter, &values[*at])))
        .collect();
    if op == Op::Remove {
        match part {
            // A removed element that is not there is removed.
            None => {
                let mut at = 0;
                values.retain(|_| {
                    at += 1;
                    !selected.contains(&(at - 1))
                });
            }
            Some(part) => {
                for at in selected {
                    if let Some(element) = values[at].as_object_mut() {
                        element.remove(part.name);
                    }
                }
                drop_empty(values, part);
            }
        }
        return Ok(());
    }
    let selected = if selected.is_empty() {
        if op == Op::Replace {
            return Err(ScimError::no_target(format!("No element of {} is selected by the path.", attribute.name)));
        }
        // The element that the path describes is made.
        let mut made = Map::new();
        described(attribute, filter, &mut made)?;
        values.push(Value::Object(made));
        vec![values.len() - 1]
    } else {
        selected
    };
    let at = attribute.name;
    let mut primary = None;
    for index in &selected {
        let Some(element) = values[*index].as_object_mut() else { continue };
        match part {
            Some(part) => match one(part, sent, &format!("{at}.{}", part.name))? {
                Some(new) => _ = element.insert(part.name.to_owned(), new),
                None => _ = element.remove(part.name),
            },
            None => match (&attribute.kind, sent) {
                (Kind::Complex(parts), Value::Object(sent)) => element.extend(object(parts, sent, at)?),
                (_, sent) => {
                    if let Some(Value::Object(new)) = one(attribute, sent, at)? {
                        element.extend(new);
                    }
                }
            },
        }
        if element.get("primary") == Some(&Value::Bool(true)) {
            primary = primary.or(Some(*index));
        }
    }
    one_primary(values, primary);
    if let Some(part) = part {
        drop_empty(values, part);
    }
    Ok(())
}

/// An element that has lost its value is no element.
fn drop_empty(values: &mut Vec<Value>, part: &Attribute) {
    values.retain(|value| {
        let Some(element) = value.as_object() else { return true };
        let says = |name: &String| !matches!(name.as_str(), "type" | "primary" | "display");
        !element.is_empty() && (part.name != "value" || element.keys().any(says))
    });
}

/// What an element must be so that the filter selects it: its equalities.
fn described(
    attribute: &'static Attribute,
    filter: Option<&ValFilter>,
    made: &mut Map<String, Value>,
) -> Result<(), ScimError> {
    match filter {
        None => Ok(()),
        Some(ValFilter::And(parts)) => parts.iter().try_for_each(|filter| described(attribute, Some(filter), made)),
        Some(ValFilter::Attr(AttrExp::Comparison(path, CompareOp::Eq, wanted))) => {
            let part = attribute
                .part(&path.name)
                .ok_or_else(|| ScimError::path(format!("{} has no part of the name in the path.", attribute.name)))?;
            let value = match wanted {
                CompValue::Str(text) => Value::String(text.clone()),
                CompValue::True => Value::Bool(true),
                CompValue::False => Value::Bool(false),
                CompValue::Number(number) => Value::Number(number.clone()),
                CompValue::Null => return Ok(()),
            };
            if let Some(value) = one(part, &value, part.name)? {
                made.insert(part.name.to_owned(), value);
            }
            Ok(())
        }
        Some(ValFilter::Attr(_) | ValFilter::Or(_) | ValFilter::Not(_)) => {
            Err(ScimError::no_target(format!("No element of {} is selected by the path.", attribute.name)))
        }
    }
}
