//! Filters: the whole grammar, with the forms that vendors send beside it, and what they mean for a resource.
//! <https://www.rfc-editor.org/rfc/rfc7644#section-3.4.2.2>

use std::cmp::Ordering;

use jiff::Timestamp;
use scim_v2::filter::{AttrExp, AttrPath, CompValue, CompareOp, Filter, ValFilter};
use serde_json::Value;

use super::schema::{Attribute, Kind, ResourceType};
use crate::error::ScimError;

/// The longest filter or path, in bytes.
pub(crate) const LONGEST: usize = 16 * 1024;

/// A filter over resources of a type.
#[derive(Debug)]
pub(crate) struct ResourceFilter {
    of: ResourceType,
    filter: Filter,
}

/// A value that every resource must have which a filter lets through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Id(String),
    ExternalId(String),
    UserName(String),
    GroupName(String),
    /// A mail address.
    Email(String),
}

impl ResourceFilter {
    /// Reads a filter. What cannot be read is told without a word of the values in it.
    pub(crate) fn parse(of: ResourceType, text: &str) -> Result<Self, ScimError> {
        if text.len() > LONGEST {
            return Err(ScimError::filter(format!("The filter is longer than {LONGEST} bytes.")));
        }
        let unread = || ScimError::filter("The filter cannot be read. Write it as in RFC 7644, section 3.4.2.2.");
        let filter: Filter = value_paths_inside(text).parse().map_err(|_| unread())?;
        Ok(Self { of, filter })
    }

    /// Whether a resource, as it is told, is one of those.
    pub(crate) fn is_met_by(&self, resource: &Value) -> bool {
        holds(self.of, &self.filter, resource)
    }

    /// A value by which the resources can be looked up, where every one of them must have it.
    pub(crate) fn wanted(&self) -> Option<Wanted> {
        wanted(self.of, &self.filter)
    }
}

fn wanted(of: ResourceType, filter: &Filter) -> Option<Wanted> {
    match filter {
        Filter::And(parts) => parts.iter().find_map(|part| wanted(of, part)),
        Filter::Attr(AttrExp::Comparison(path, CompareOp::Eq, CompValue::Str(value))) => {
            if path.uri.as_ref().is_some_and(|uri| !uri.eq_ignore_ascii_case(of.schema().urn)) {
                return None;
            }
            let name = path.name.to_ascii_lowercase();
            let value = value.clone();
            match (of, name.as_str(), path.sub_attr.as_deref()) {
                (_, "id", None) => Some(Wanted::Id(value)),
                (_, "externalid", None) => Some(Wanted::ExternalId(value)),
                (ResourceType::User, "username", None) => Some(Wanted::UserName(value)),
                (ResourceType::Group, "displayname", None) => Some(Wanted::GroupName(value)),
                (ResourceType::User, "emails", sub) if sub.is_none_or(|sub| sub.eq_ignore_ascii_case("value")) => {
                    Some(Wanted::Email(value))
                }
                _ => None,
            }
        }
        Filter::ValuePath(path) if of == ResourceType::User && path.attr.name.eq_ignore_ascii_case("emails") => {
            wanted_email(&path.filter)
        }
        Filter::Attr(_) | Filter::ValuePath(_) | Filter::Not(_) | Filter::Or(_) => None,
    }
}

fn wanted_email(filter: &ValFilter) -> Option<Wanted> {
    match filter {
        ValFilter::And(parts) => parts.iter().find_map(wanted_email),
        ValFilter::Attr(AttrExp::Comparison(path, CompareOp::Eq, CompValue::Str(value)))
            if path.name.eq_ignore_ascii_case("value") =>
        {
            Some(Wanted::Email(value.clone()))
        }
        ValFilter::Attr(_) | ValFilter::Not(_) | ValFilter::Or(_) => None,
    }
}

/// `emails[type eq "work"].value eq "x"`, which Entra sends and the grammar does not have, means
/// `emails[type eq "work" and value eq "x"]`.
fn value_paths_inside(text: &str) -> String {
    let Some(close) = outside_of_texts(text).find(|(at, c)| *c == ']' && text[at + 1..].starts_with('.')) else {
        return text.to_owned();
    };
    let (inside, rest) = (&text[..close.0], &text[close.0 + 2..]);
    let open = outside_of_texts(inside).filter(|(_, c)| *c == '[').last().map(|(at, _)| at);
    let Some(open) = open else { return text.to_owned() };
    let end = end_of_comparison(rest);
    let (comparison, after) = rest.split_at(end);
    let (before, within) = (&inside[..=open], &inside[open + 1..]);
    format!("{before}({within}) and {comparison}]{}", value_paths_inside(after))
}

/// Characters that stand in no text, with their places.
fn outside_of_texts(text: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    let (mut quoted, mut escaped) = (false, false);
    text.char_indices().filter(move |(_, c)| {
        let outside = !quoted && *c != '"';
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        outside
    })
}

/// Where one comparison ends: at a closing bracket, or at a word that joins it with the next.
fn end_of_comparison(text: &str) -> usize {
    for (at, c) in outside_of_texts(text) {
        if c == ')' {
            return at;
        }
        if c == ' ' {
            let rest = text[at..].trim_start();
            let joins = |word: &str| {
                rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
                    && rest[word.len()..].starts_with(' ')
            };
            if joins("and") || joins("or") {
                return at;
            }
        }
    }
    text.len()
}

fn holds(of: ResourceType, filter: &Filter, resource: &Value) -> bool {
    match filter {
        Filter::And(parts) => parts.iter().all(|part| holds(of, part, resource)),
        Filter::Or(parts) => parts.iter().any(|part| holds(of, part, resource)),
        Filter::Not(inner) => !holds(of, inner, resource),
        Filter::Attr(expression) => {
            let Some(found) = Found::of(of, resource, path(expression)) else {
                return is_met(expression, None, &[]);
            };
            is_met(expression, Some(found.attribute), &found.values)
        }
        Filter::ValuePath(path) => {
            let Some(found) = Found::of(of, resource, &path.attr) else { return false };
            found.values.iter().any(|value| value_holds(found.attribute, &path.filter, value))
        }
    }
}

/// Whether a filter in brackets holds for one value of an attribute.
pub(crate) fn value_holds(attribute: &'static Attribute, filter: &ValFilter, value: &Value) -> bool {
    match filter {
        ValFilter::And(parts) => parts.iter().all(|part| value_holds(attribute, part, value)),
        ValFilter::Or(parts) => parts.iter().any(|part| value_holds(attribute, part, value)),
        ValFilter::Not(inner) => !value_holds(attribute, inner, value),
        ValFilter::Attr(expression) => {
            let name = &path(expression).name;
            match attribute.part(name) {
                Some(part) => {
                    let values: Vec<&Value> = value.get(part.name).into_iter().collect();
                    is_met(expression, Some(part), &values)
                }
                // A list of texts is asked by `value`.
                None if attribute.parts().is_empty() && name.eq_ignore_ascii_case("value") => {
                    is_met(expression, Some(attribute), &[value])
                }
                None => is_met(expression, None, &[]),
            }
        }
    }
}

fn path(expression: &AttrExp) -> &AttrPath {
    match expression {
        AttrExp::Present(path) | AttrExp::Comparison(path, _, _) => path,
    }
}

/// What an attribute path leads to.
struct Found<'v> {
    attribute: &'static Attribute,
    values: Vec<&'v Value>,
}

impl<'v> Found<'v> {
    fn of(of: ResourceType, resource: &'v Value, path: &AttrPath) -> Option<Self> {
        let (holder, attribute) = match path.uri.as_deref() {
            Some(uri) if !uri.eq_ignore_ascii_case(of.schema().urn) => {
                let schema = of.extension(uri)?;
                (resource.get(schema.urn), super::schema::find(schema.attributes, &path.name)?)
            }
            _ => (Some(resource), of.core(&path.name)?),
        };
        let held = holder.and_then(|holder| holder.get(attribute.name));
        let mut values: Vec<&Value> = match held {
            Some(Value::Array(values)) => values.iter().collect(),
            Some(value) => vec![value],
            None => Vec::new(),
        };
        // Without a part named, what is compared of an object is its value.
        let part = match path.sub_attr.as_deref() {
            Some(name) => Some(attribute.part(name)?),
            None => None,
        };
        match part {
            Some(part) => {
                values = values.into_iter().filter_map(|value| value.get(part.name)).collect();
                Some(Self { attribute: part, values })
            }
            None => Some(Self { attribute, values }),
        }
    }
}

/// Whether a comparison holds for any of the values.
fn is_met(expression: &AttrExp, attribute: Option<&'static Attribute>, values: &[&Value]) -> bool {
    let filled = |value: &&Value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => !values.is_empty(),
        Value::Object(parts) => !parts.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    };
    match expression {
        AttrExp::Present(_) => values.iter().any(&filled),
        AttrExp::Comparison(_, CompareOp::Eq, CompValue::Null) => !values.iter().any(&filled),
        AttrExp::Comparison(_, CompareOp::Ne, CompValue::Null) => values.iter().any(filled),
        AttrExp::Comparison(_, op, wanted) => {
            let Some(attribute) = attribute else { return *op == CompareOp::Ne };
            let (attribute, values) = match attribute.part("value") {
                Some(part) => (part, values.iter().filter_map(|value| value.get("value")).collect()),
                None => (attribute, values.to_vec()),
            };
            if *op == CompareOp::Ne {
                return !values.iter().any(|value| compares(attribute, value, &CompareOp::Eq, wanted));
            }
            values.iter().any(|value| compares(attribute, value, op, wanted))
        }
    }
}

fn compares(attribute: &Attribute, value: &Value, op: &CompareOp, wanted: &CompValue) -> bool {
    if attribute.kind == Kind::Switch {
        let wanted = match wanted {
            CompValue::True => Some(true),
            CompValue::False => Some(false),
            CompValue::Str(text) => super::resource::switch(&Value::String(text.clone())),
            CompValue::Number(_) | CompValue::Null => None,
        };
        return *op == CompareOp::Eq && wanted.is_some() && value.as_bool() == wanted;
    }
    let wanted = match wanted {
        CompValue::Str(text) => text.clone(),
        CompValue::Number(number) => number.to_string(),
        CompValue::True => "true".to_owned(),
        CompValue::False => "false".to_owned(),
        CompValue::Null => return false,
    };
    let Some(value) = value.as_str() else { return false };
    if attribute.kind == Kind::Moment {
        let (Ok(value), Ok(wanted)) = (value.parse::<Timestamp>(), wanted.parse::<Timestamp>()) else { return false };
        return ordered(op, value.cmp(&wanted)).unwrap_or(false);
    }
    let (value, wanted) =
        if attribute.exact { (value.to_owned(), wanted) } else { (value.to_lowercase(), wanted.to_lowercase()) };
    match op {
        CompareOp::Co => value.contains(&wanted),
        CompareOp::Sw => value.starts_with(&wanted),
        CompareOp::Ew => value.ends_with(&wanted),
        op => ordered(op, value.cmp(&wanted)).unwrap_or(false),
    }
}

fn ordered(op: &CompareOp, ordering: Ordering) -> Option<bool> {
    Some(match op {
        CompareOp::Eq => ordering.is_eq(),
        CompareOp::Ne => ordering.is_ne(),
        CompareOp::Gt => ordering.is_gt(),
        CompareOp::Ge => ordering.is_ge(),
        CompareOp::Lt => ordering.is_lt(),
        CompareOp::Le => ordering.is_le(),
        CompareOp::Co | CompareOp::Sw | CompareOp::Ew => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn met(filter: &str) -> bool {
        let ada = json!({
            "id": "01a", "externalId": "E-7", "userName": "Ada@contoso.com", "active": true,
            "name": { "givenName": "Ada", "familyName": "Love\"lace" },
            "emails": [{ "value": "ada@contoso.com", "type": "work", "primary": true },
                       { "value": "ada@home.example", "type": "home" }],
            "meta": { "lastModified": "2026-05-01T10:00:00Z" },
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "Engines" },
        });
        ResourceFilter::parse(ResourceType::User, filter)
            .unwrap_or_else(|error| panic!("{filter}: {error:?}"))
            .is_met_by(&ada)
    }

    #[test]
    fn every_operator_and_both_dialects_of_value_paths_are_understood() {
        for filter in [
            r#"userName eq "ADA@CONTOSO.COM""#,
            r#"USERNAME Eq "ada@contoso.com""#,
            r#"externalId eq "E-7""#,
            r#"userName co "@contoso""#,
            r#"userName sw "ada" and userName ew ".com""#,
            "title pr or active eq true",
            r#"active eq "True""#,
            "not (active eq false)",
            r#"name.familyName eq "Love\"lace""#,
            r#"emails eq "ada@home.example""#,
            r#"emails[type eq "work" and value co "@contoso.com"]"#,
            r#"emails[type eq "work"].value eq "ada@contoso.com""#,
            r#"(emails[type eq "work"].value eq "ada@contoso.com") and active eq true"#,
            r#"emails[type eq "work"].value eq "ada@contoso.com" and emails[type eq "home"].value ew "example""#,
            r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "engines""#,
            r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "ada""#,
            r#"meta.lastModified gt "2026-04-30T23:00:00-02:00""#,
            "title eq null",
            r#"title ne "Engineer""#,
            r#"nothing ne "x""#,
        ] {
            assert!(met(filter), "{filter}");
        }
        for filter in [
            r#"externalId eq "e-7""#,
            r#"userName eq "grace@contoso.com""#,
            r#"emails[type eq "home" and value co "@contoso.com"]"#,
            r#"emails[type eq "home"].value eq "ada@contoso.com""#,
            r#"nothing eq "x""#,
            r#"meta.lastModified lt "2026-05-01T10:00:00Z""#,
            r#"active eq "maybe""#,
        ] {
            assert!(!met(filter), "{filter}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused_without_its_values() {
        let deep = format!("{}userName pr{}", "(".repeat(500), ")".repeat(500));
        let long = format!("userName eq \"{}\"", "x".repeat(LONGEST));
        for filter in [
            "",
            "userName",
            "userName eq",
            "userName eq ada",
            r#"userName eq "a" and"#,
            "userName xx \"a\"",
            "]. [",
            &deep,
            &long,
        ] {
            let error = ResourceFilter::parse(ResourceType::User, filter).unwrap_err();
            assert_eq!(error.kind, Some("invalidFilter"), "{filter}");
            assert!(!error.detail.contains("ada"), "{}", error.detail);
        }
    }

    #[test]
    fn what_every_match_must_have_is_looked_up() {
        let wanted = |filter: &str| ResourceFilter::parse(ResourceType::User, filter).unwrap().wanted();
        assert_eq!(wanted(r#"active eq true and userName eq "a""#), Some(Wanted::UserName("a".into())));
        assert_eq!(wanted(r#"emails[type eq "work"].value eq "a@b""#), Some(Wanted::Email("a@b".into())));
        assert_eq!(wanted(r#"userName eq "a" or userName eq "b""#), None);
        assert_eq!(wanted(r#"not (userName eq "a")"#), None);
    }
}
