//! Values by which people are found.

use hardmatch_store::pushed::Claim;

/// A mail address as people are found by it.
pub(super) fn email_claim(address: &str) -> Claim {
    Claim::new("emails", address.to_lowercase())
}
