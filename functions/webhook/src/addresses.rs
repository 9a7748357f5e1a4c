//! Where everything of a connection is.

use hardmatch_domain::ids::ConnectionId;

/// The addresses of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookAddresses {
    /// Base of SCIM 2.0.
    pub scim: String,
    /// Where Entra's API-driven inbound provisioning bodies go.
    pub bulk_upload: String,
    /// Where hooks go.
    pub hooks: String,
    /// Base of single people; `/KEY/sync` follows.
    pub people: String,
}

impl WebhookAddresses {
    /// Under the address by which others reach us.
    pub fn of(url: &str, connection: &ConnectionId) -> Self {
        let base = format!("{}/connections/{connection}", url.trim_end_matches('/'));
        Self {
            scim: format!("{base}/scim/v2"),
            bulk_upload: format!("{base}/bulkUpload"),
            hooks: format!("{base}/hooks"),
            people: format!("{base}/people"),
        }
    }
}
