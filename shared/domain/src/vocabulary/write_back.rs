//! Values of the tenant that the source is given where it has none.

use serde::{Deserialize, Serialize};

use crate::vocabulary::ids::ImmutableId;

/// The attribute of Active Directory that holds a source anchor: sixteen bytes, not text.
/// <https://learn.microsoft.com/entra/identity/hybrid/connect/plan-connect-design-concepts>
pub const CONSISTENCY_GUID: &str = "mS-DS-ConsistencyGuid";

/// A value of an account that a source may be given.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum TenantValue {
    /// The immutable ID.
    #[serde(rename = "immutableId")]
    ImmutableId,
    /// The account's object id.
    #[serde(rename = "id")]
    ObjectId,
    /// The sign-in name.
    #[serde(rename = "userPrincipalName")]
    UserPrincipalName,
    /// The primary SMTP address.
    #[serde(rename = "mail")]
    Mail,
    /// Every proxy address, with its prefix.
    #[serde(rename = "proxyAddresses")]
    ProxyAddresses,
}

impl TenantValue {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::ImmutableId, Self::ObjectId, Self::UserPrincipalName, Self::Mail, Self::ProxyAddresses];

    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::ImmutableId => "immutableId",
            Self::ObjectId => "id",
            Self::UserPrincipalName => "userPrincipalName",
            Self::Mail => "mail",
            Self::ProxyAddresses => "proxyAddresses",
        }
    }
}

/// An entry of `[write_back]`: an attribute of the source, and the value that it is given where it has none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WriteBackRule {
    /// The attribute, as the source calls it.
    pub attribute: Box<str>,
    /// The value.
    pub value: TenantValue,
}

/// What is to be written to one attribute of a person's entry in the source.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PlannedWriteBack {
    /// The attribute, as the source calls it.
    pub attribute: Box<str>,
    /// Which value of the account it is given.
    pub from: TenantValue,
    /// The values as text; of an immutable ID its base64 form. Empty where the run itself makes the value.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub values: Box<[Box<str>]>,
}

impl PlannedWriteBack {
    /// The values as the source stores them; `None` for an immutable ID that is no GUID, which [`CONSISTENCY_GUID`] does not
    /// hold.
    pub fn stored(&self) -> Option<Vec<Vec<u8>>> {
        self.values.iter().map(|value| stored_form(&self.attribute, value)).collect()
    }
}

/// A value as an attribute stores it: the sixteen bytes of a GUID in [`CONSISTENCY_GUID`], else text.
pub fn stored_form(attribute: &str, value: &str) -> Option<Vec<u8>> {
    if attribute.eq_ignore_ascii_case(CONSISTENCY_GUID) {
        return ImmutableId::new(value).to_guid().map(|guid| guid.ad_bytes().to_vec());
    }
    Some(value.as_bytes().to_vec())
}
