//! How one attribute flows from a person to their account.

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::vocabulary::attribute::Attr;
use crate::vocabulary::person::Person;

/// An expression over a person that gives a text.
pub trait Expression: Debug + Send + Sync {
    /// The value; empty means the attribute is known to be empty.
    fn eval(&self, person: &Person) -> Result<String, RuleError>;
    /// As the operator wrote it.
    fn text(&self) -> &str;
}

/// An expression failed for this person. The message names functions and types, never values.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct RuleError(pub String);

/// How one attribute flows.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// The account's attribute.
    pub to: Attr,
    /// Where its value comes from.
    pub from: FlowFrom,
    /// When it is written.
    pub when: FlowWhen,
    /// What an empty source value means.
    pub when_empty: WhenEmpty,
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub enum FlowFrom {
    /// The person's attribute of the same name; absent there means nothing is said.
    Same,
    /// The value of an expression over the person.
    Expression(Arc<dyn Expression>),
}

/// `flow`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlowWhen {
    /// At creation, and whenever it differs.
    Always,
    /// At creation or first join only, when the account has none.
    Initial,
    /// Not at all.
    Never,
}

/// `when_empty`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenEmpty {
    /// Leave what the account has.
    Keep,
    /// Clear the attribute.
    Clear,
}

/// Whether and how the manager flows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlowManager {
    /// When the value is written.
    pub when: FlowWhen,
    /// What a source without a manager means.
    pub when_empty: WhenEmpty,
}

impl Mapping {
    /// The value that the mapping gives a person; `None` when the source says nothing.
    ///
    /// # Errors
    ///
    /// The expression fails for this person.
    pub fn value<'a>(&self, person: &'a Person) -> Result<Option<Cow<'a, str>>, RuleError> {
        match &self.from {
            FlowFrom::Same => Ok(person.attributes.get(self.to).map(Cow::Borrowed)),
            FlowFrom::Expression(expression) => expression.eval(person).map(|value| Some(Cow::Owned(value))),
        }
    }
}
