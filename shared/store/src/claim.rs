//! Values that pushed resources claim, or are found by.

use serde::{Deserialize, Serialize};

/// A value of an attribute, in the form in which values are compared.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Claim {
    /// The attribute's name.
    pub attribute: String,
    /// The value as it is compared: in lower case where case does not count.
    pub value: String,
}

/// Personal data: only which attribute it is.
impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Claim({})", self.attribute)
    }
}

impl Claim {
    /// The value of an attribute.
    pub fn new(attribute: &str, value: impl Into<String>) -> Self {
        Self { attribute: attribute.to_owned(), value: value.into() }
    }
}
