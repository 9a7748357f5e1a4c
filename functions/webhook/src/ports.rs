//! What the function may use, and what it has to know of a connection and of a person. Nothing here acts.

use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_domain::ids::{ConnectionId, PersonKey};
use hardmatch_ports::{Clock, Doorbell};
use hardmatch_store::Store;
use serde_json::Value;

use crate::limits::Limits;

/// What the function may use. No way to the tenant is among it: an answer never waits for Microsoft Graph.
#[derive(Clone)]
pub struct WebhookPorts {
    /// People, groups, tokens and requests.
    pub store: Store,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where it is said that somebody is wanted.
    pub doorbell: Arc<dyn Doorbell>,
    /// What is configured of connections.
    pub connections: Arc<dyn PushedConnections>,
    /// What is decided about people.
    pub people: Arc<dyn PersonStates>,
    /// The address under which others reach us, without a slash at its end.
    pub url: String,
    /// How much is taken from one client.
    pub limits: Arc<Limits>,
}

/// Where a connection's people come from, as far as a client may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushedSource {
    /// They are pushed: `[source] kind = "scim"`.
    Pushed,
    /// They are read from a directory, which can be asked for one person.
    Read,
}

/// Finds out where a connection's people come from.
#[async_trait]
pub trait PushedConnections: Send + Sync {
    /// `None` when nobody configured a connection of this name.
    async fn source(&self, connection: &ConnectionId) -> Result<Option<PushedSource>, NotKnown>;
}

/// Says what is decided about one person.
#[async_trait]
pub trait PersonStates: Send + Sync {
    /// What the stored facts say of a person; `None` where the person or the tenant is not known yet.
    async fn state(&self, connection: &ConnectionId, key: &PersonKey) -> Result<Option<PersonState>, NotKnown>;
}

/// It cannot be found out just now. Says nothing personal.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotKnown(pub String);

/// What became of a person in the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provisioning {
    /// Something is still to be decided or written.
    Pending,
    /// The account is as it should be.
    Provisioned,
    /// Nothing is done, for a reason.
    Refused,
    /// Something waits for an approval or for something else.
    Held,
}

impl Provisioning {
    /// As it stands in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Provisioned => "provisioned",
            Self::Refused => "refused",
            Self::Held => "held",
        }
    }
}

/// What the stored facts say of a person.
#[derive(Clone, Debug, PartialEq)]
pub struct PersonState {
    /// In one word.
    pub provisioning: Provisioning,
    /// The reason code of what is refused or held.
    pub reason: Option<String>,
    /// The reason in a sentence.
    pub detail: Option<String>,
    /// What to do about it.
    pub remedy: Option<String>,
    /// The object id of the account.
    pub account: Option<String>,
    /// The row that a plan would have, as `plan --json` tells it.
    pub row: Value,
}
