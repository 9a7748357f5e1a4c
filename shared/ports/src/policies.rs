//! Policies by revision. A run pins one; how its text is read is the policy crate's business.

use std::sync::Arc;

use hardmatch_domain::policy::Policy;

/// Compiles stored policies.
pub trait Policies: Send + Sync {
    /// The policy stored under the revision as this text; an error is for people, and names no values.
    fn compile(&self, text: &str, revision: u64) -> Result<Arc<Policy>, String>;

    /// What the newer of two texts says otherwise, in words for operators.
    fn changes(&self, _old: &str, _new: &str) -> Vec<String> {
        Vec::new()
    }

    /// The application that a connection of this text writes as; `None` where the text cannot be read.
    fn application(&self, _text: &str) -> Option<String> {
        None
    }

    /// The address that an account's object id is put behind to open the account in the admin center of the policy's
    /// cloud; `None` where there is none.
    fn portal(&self, _text: &str) -> Option<&'static str> {
        None
    }
}
