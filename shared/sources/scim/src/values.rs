//! Values of kept attributes, as texts.

use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization as _;

/// A text in its usual form: composed letters, no blanks around it, one line.
pub(crate) fn clean(text: &str) -> String {
    let one_line: String = text.nfc().map(|c| if c.is_control() { ' ' } else { c }).collect();
    one_line.trim().to_owned()
}

/// The filled text of an attribute.
pub(crate) fn text(of: &Map<String, Value>, name: &str) -> Option<String> {
    of.get(name).and_then(Value::as_str).map(clean).filter(|text| !text.is_empty())
}

/// The filled text of an attribute of an extension.
pub(crate) fn extended(of: &Map<String, Value>, urn: &str, name: &str) -> Option<String> {
    text(of.get(urn)?.as_object()?, name)
}

/// One of several values.
pub(crate) struct Element<'v>(&'v Map<String, Value>);

impl Element<'_> {
    pub(crate) fn is_of(&self, kind: &str) -> bool {
        self.0.get("type").and_then(Value::as_str).is_some_and(|have| have.trim().eq_ignore_ascii_case(kind))
    }

    pub(crate) fn is_primary(&self) -> bool {
        self.0.get("primary") == Some(&Value::Bool(true))
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        text(self.0, name)
    }
}

/// The values of an attribute that has several.
pub(crate) fn elements<'v>(of: &'v Map<String, Value>, name: &str) -> impl Iterator<Item = Element<'v>> {
    of.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object).map(Element)
}

/// The first value of its kind.
pub(crate) fn element<'v>(
    of: &'v Map<String, Value>,
    name: &str,
    is: impl Fn(&Element<'v>) -> bool,
) -> Option<Element<'v>> {
    elements(of, name).find(|element| is(element))
}

/// The value of an attribute by the name that a configuration gives it: of the resource or of an extension, with a part
/// behind a point. Several values are joined.
pub(crate) fn named(of: &Map<String, Value>, name: &str) -> Option<String> {
    let name = name.rsplit(':').next().unwrap_or(name);
    let (name, part) = name.split_once('.').map_or((name, None), |(name, part)| (name, Some(part)));
    let is = |(have, _): &(&String, &Value)| have.eq_ignore_ascii_case(name);
    let extensions = of.iter().filter(|(name, _)| name.starts_with("urn:")).filter_map(|(_, value)| value.as_object());
    let value = of.iter().find(is).or_else(|| extensions.into_iter().find_map(|parts| parts.iter().find(is)))?.1;
    let joined = told(value, part);
    (!joined.is_empty()).then_some(joined)
}

fn told(value: &Value, part: Option<&str>) -> String {
    match value {
        Value::String(text) => clean(text),
        Value::Bool(switch) => switch.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Array(values) => {
            let texts: Vec<String> =
                values.iter().map(|value| told(value, part)).filter(|text| !text.is_empty()).collect();
            texts.join(";")
        }
        Value::Object(parts) => {
            let wanted = part.unwrap_or("value");
            let found = parts.iter().find(|(have, _)| have.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| told(value, None)).unwrap_or_default()
        }
        Value::Null => String::new(),
    }
}
