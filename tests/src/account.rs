//! Accounts of the simulated tenant, read for assertions.

use hardmatch_domain::ids::{Guid, ImmutableId};
use serde_json::{Value, json};

/// The immutable ID of a GUID in text.
pub fn immutable_id(guid: &str) -> String {
    Guid::parse(guid).map(|guid| ImmutableId::from_guid(&guid).as_str().to_owned()).unwrap_or_default()
}

/// A person's account as a cloud team would have made it by hand.
pub fn by_hand(name: &str) -> Value {
    json!({ "userPrincipalName": format!("{name}@contoso.com"), "mail": format!("{name}@contoso.com"), "displayName": name })
}

/// An account as the tenant has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen(pub Value);

impl Seen {
    /// A property as text; empty when it has none.
    pub fn text(&self, property: &str) -> &str {
        self.0.get(property).and_then(Value::as_str).unwrap_or_default()
    }

    /// The object id.
    pub fn id(&self) -> &str {
        self.text("id")
    }

    /// The sign-in name. A deleted account's is mangled.
    pub fn upn(&self) -> &str {
        self.text("userPrincipalName")
    }

    /// Whether sign-in is allowed.
    pub fn enabled(&self) -> bool {
        self.0.get("accountEnabled").and_then(Value::as_bool).unwrap_or(false)
    }

    /// Whether it is in the recycle bin.
    pub fn deleted(&self) -> bool {
        self.0.get("deleted").is_some()
    }

    /// Whether Entra Connect masters it.
    pub fn synced(&self) -> bool {
        self.0.get("onPremisesSyncEnabled").and_then(Value::as_bool).unwrap_or(false)
    }

    /// Whether it is a guest.
    pub fn guest(&self) -> bool {
        self.text("userType") == "Guest"
    }

    /// Whether it holds a directory role.
    pub fn privileged(&self) -> bool {
        self.0.get("roles").and_then(Value::as_array).is_some_and(|roles| !roles.is_empty())
    }

    /// Its immutable ID.
    pub fn immutable_id(&self) -> Option<&str> {
        self.0.get("onPremisesImmutableId").and_then(Value::as_str)
    }
}
