//! The query string: OData options, and nothing Graph would not know.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::answer::{Outcome, Refusal};
use crate::object::Mask;
use crate::schema::{Access, Kind, at};

/// Characters that may stay in a query value of our own links.
const KEEP: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b',').remove(b'(').remove(b')');

/// System query options, in the order they are written into links.
const KNOWN: [&str; 9] =
    ["$select", "$filter", "$expand", "$orderby", "$search", "$count", "$top", "$skiptoken", "$deltatoken"];

/// A parsed query string.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    values: Vec<(String, String)>,
}

impl Query {
    pub(crate) fn parse(raw: &str) -> Outcome<Self> {
        let mut values: Vec<(String, String)> = Vec::new();
        for pair in raw.split('&').filter(|p| !p.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            // Graph accepts the options without their dollar sign too; our own client always writes it.
            if !KNOWN.contains(&name.as_str()) {
                return Err(Refusal::unknown(format!("the query parameter '{name}'")));
            }
            if values.iter().any(|(n, _)| *n == name) {
                return Err(Refusal::bad(format!("Query option '{name}' was specified more than once.")));
            }
            values.push((name, value));
        }
        Ok(Self { values })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Refuses options that the operation does not support.
    pub(crate) fn only(&self, allowed: &[&str]) -> Outcome<()> {
        match self.values.iter().find(|(n, _)| !allowed.contains(&n.as_str())) {
            None => Ok(()),
            Some((name, _)) => Err(Refusal::unsupported_query(format!(
                "The query option '{name}' is not supported by this operation."
            ))
            .violating(format!("the query option '{name}' where it is not supported"))),
        }
    }

    /// The same query as a link continues it.
    pub(crate) fn with_skiptoken(&self, token: &str) -> String {
        let mut parts: Vec<String> = self
            .values
            .iter()
            .filter(|(n, _)| n != "$skiptoken")
            .map(|(n, v)| format!("{n}={}", utf8_percent_encode(v, KEEP)))
            .collect();
        parts.push(format!("$skiptoken={token}"));
        parts.join("&")
    }

    pub(crate) fn top(&self, default: usize, max: usize) -> Outcome<usize> {
        match self.get("$top") {
            None => Ok(default),
            Some(text) => match text.parse::<usize>() {
                Ok(n) if (1..=max).contains(&n) => Ok(n),
                _ => Err(Refusal::bad(format!(
                    "Invalid page size specified: '{text}'. Must be between 1 and {max} inclusive."
                ))),
            },
        }
    }

    /// Whether a property is asked for by name.
    pub(crate) fn selects(&self, property: &str) -> bool {
        self.get("$select").is_some_and(|text| text.split(',').any(|name| name.trim() == property))
    }

    /// The selected properties, `id` included; the defaults when nothing is selected.
    pub(crate) fn select(&self, kind: Kind, beta: bool, collection: bool) -> Outcome<Mask> {
        let Some(text) = self.get("$select") else { return Ok(Mask(kind.defaults())) };
        let mut mask = Mask::of(&[at::ID]);
        for name in text.split(',').map(str::trim) {
            let missing = || {
                let refusal = Refusal::new(
                    400,
                    "BadRequest",
                    format!(
                        "Parsing OData Select and Expand failed: Could not find a property named '{name}' on type 'microsoft.graph.{}'.",
                        kind.odata().trim_start_matches("#microsoft.graph.")
                    ),
                );
                if crate::extensions::is_name(name) {
                    refusal
                } else {
                    refusal.violating(format!("the property '{name}' in $select"))
                }
            };
            let prop = kind.find(name).ok_or_else(missing)?;
            match kind.props()[prop as usize].access {
                Access::Foreign if collection => {
                    return Err(Refusal::new(501, "NotImplemented", "This operation target is not yet supported.")
                        .violating(format!("the property '{name}' of a collection")));
                }
                Access::BetaOnly if !beta => return Err(missing()),
                _ => mask.add(prop),
            }
        }
        Ok(mask)
    }
}

fn decode(text: &str) -> Outcome<String> {
    // A bare plus is a space: base64 in a filter must be percent-encoded.
    let text = text.replace('+', " ");
    percent_decode_str(&text)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Refusal::bad("The request URI is not valid UTF-8."))
}
