//! The attributes of a resource as they are kept: by their names in the schema, of the kinds of the schema, without what
//! nobody announced. Vendors write booleans as texts, lists as single values and references as bare texts; all of it is
//! understood here, once.

use serde_json::{Map, Value};

use super::schema::{Attribute, COMMON, Kind, ResourceType, find};
use crate::error::ScimError;

/// Attributes by name.
pub(crate) type Attributes = Map<String, Value>;

/// The longest single value, in bytes.
const LONGEST_VALUE: usize = 32 * 1024;

/// The attributes of a whole resource as somebody sent it. What only we write is left out, and so is what no schema knows.
pub(crate) fn read(of: ResourceType, sent: &Value) -> Result<Attributes, ScimError> {
    let sent = sent.as_object().ok_or_else(|| ScimError::syntax("The body must be a JSON object."))?;
    let mut kept = Attributes::new();
    for (name, value) in sent {
        if let Some(schema) = of.extension(name) {
            let Some(parts) = value.as_object() else { continue };
            let parts = object(schema.attributes, parts, schema.urn)?;
            if !parts.is_empty() {
                kept.insert(schema.urn.to_owned(), Value::Object(parts));
            }
        } else if let Some(attribute) = of.core(name).filter(|attribute| !attribute.read_only)
            && let Some(value) = value_of(attribute, value, attribute.name)?
        {
            kept.insert(attribute.name.to_owned(), value);
        }
    }
    Ok(kept)
}

/// What a resource must have.
pub(crate) fn complete(of: ResourceType, kept: &Attributes) -> Result<(), ScimError> {
    for attribute in of.schema().attributes.iter().filter(|attribute| attribute.required) {
        let filled = kept.get(attribute.name).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty());
        if !filled {
            return Err(ScimError::value(format!("{} is required.", attribute.name)));
        }
    }
    Ok(())
}

/// The values of an object by the attributes that it may have.
pub(crate) fn object(
    attributes: &'static [Attribute],
    sent: &Map<String, Value>,
    at: &str,
) -> Result<Attributes, ScimError> {
    let mut kept = Attributes::new();
    for (name, value) in sent {
        let Some(attribute) = find(attributes, name).filter(|attribute| !attribute.read_only) else { continue };
        if let Some(value) = value_of(attribute, value, &format!("{at}.{}", attribute.name))? {
            kept.insert(attribute.name.to_owned(), value);
        }
    }
    Ok(kept)
}

/// A value of an attribute, of one or of many; `None` where it says that there is none.
pub(crate) fn value_of(attribute: &Attribute, sent: &Value, at: &str) -> Result<Option<Value>, ScimError> {
    if !attribute.many {
        return match sent {
            // A list of one is that one.
            Value::Array(values) if values.len() == 1 => one(attribute, &values[0], at),
            Value::Array(values) if values.is_empty() => Ok(None),
            sent => one(attribute, sent, at),
        };
    }
    let mut kept: Vec<Value> = Vec::new();
    let sent = match sent {
        Value::Array(values) => values.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    };
    for value in sent {
        if let Some(value) = one(attribute, value, at)?
            && !kept.contains(&value)
        {
            kept.push(value);
        }
    }
    one_primary(&mut kept, None);
    Ok((!kept.is_empty()).then_some(Value::Array(kept)))
}

/// Leaves at most one value marked as primary: that of the index where it is given, else the first.
pub(crate) fn one_primary(values: &mut [Value], keep: Option<usize>) {
    let primary = |value: &Value| value.get("primary") == Some(&Value::Bool(true));
    let Some(kept) = keep.or_else(|| values.iter().position(primary)) else { return };
    for (index, value) in values.iter_mut().enumerate() {
        if index != kept
            && primary(value)
            && let Some(value) = value.as_object_mut()
        {
            value.insert("primary".to_owned(), Value::Bool(false));
        }
    }
}

/// One value.
pub(crate) fn one(attribute: &Attribute, sent: &Value, at: &str) -> Result<Option<Value>, ScimError> {
    if sent.is_null() {
        return Ok(None);
    }
    let wrong = |wanted: &str| ScimError::value(format!("{at} must be {wanted}."));
    match attribute.kind {
        Kind::Switch => switch(sent).map(|switch| Some(Value::Bool(switch))).ok_or_else(|| wrong("true or false")),
        Kind::Text | Kind::Reference | Kind::Moment => {
            let text = match sent {
                Value::String(text) => text.clone(),
                // An employee number is a number to some.
                Value::Number(number) => number.to_string(),
                Value::Bool(switch) => switch.to_string(),
                _ => return Err(wrong("a text")),
            };
            if text.len() > LONGEST_VALUE {
                return Err(ScimError::value(format!("{at} is longer than {LONGEST_VALUE} bytes.")));
            }
            if text.contains('\0') {
                return Err(ScimError::value(format!("{at} contains a NUL character.")));
            }
            Ok(Some(Value::String(text)))
        }
        Kind::Complex(parts) => match sent {
            Value::Object(sent) => {
                let kept = object(parts, sent, at)?;
                Ok((!kept.is_empty()).then_some(Value::Object(kept)))
            }
            // A manager as a bare text, a mail address without its kind.
            Value::String(text) if text.is_empty() => Ok(None),
            Value::String(_) | Value::Number(_) => {
                let part = find(parts, "value").ok_or_else(|| wrong("an object"))?;
                let value = one(part, sent, at)?;
                Ok(value.map(|value| Value::Object([(part.name.to_owned(), value)].into_iter().collect())))
            }
            _ => Err(wrong("an object")),
        },
    }
}

/// Yes or no, as a text too: Entra writes `"False"`.
pub(crate) fn switch(sent: &Value) -> Option<bool> {
    match sent {
        Value::Bool(switch) => Some(*switch),
        Value::String(text) if text.trim().eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.trim().eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Whether an attribute is one that only we write although somebody may send it back.
pub(crate) fn is_common(name: &str) -> bool {
    find(COMMON, name).is_some_and(|attribute| attribute.read_only)
}
