//! The clients of many connections in one process: made when first needed, made anew when a configuration changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_graph::GraphClient;
use hardmatch_ports::TenantWrite as _;
use hardmatch_ports::credentials::Credential;
use hardmatch_ports::tenant::Counters;
use jiff::Timestamp;

use crate::connections::Opened;
use crate::tokens::TokenHome;
use crate::{Unfit, tenant};

/// A throttled read is repeated after this at most. A longer wait is a message's: the table holds the work, and nobody pays for
/// a function that sleeps.
const MOMENT: Duration = Duration::from_secs(2);

/// A connection's client, and the application it speaks as.
#[derive(Clone)]
pub struct Client {
    /// The client.
    pub graph: Arc<GraphClient>,
    /// The application (client id).
    pub client_id: String,
    /// How it proves itself.
    credential: Arc<dyn Credential>,
}

/// Clients by connection, revision of its configuration, and how often its tokens were forgotten.
pub struct Clients {
    tokens: TokenHome,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    clients: BTreeMap<ConnectionId, ((u64, u64), Client)>,
    /// Of clients that were replaced.
    past: Counters,
}

impl Clients {
    /// Tokens are kept where `tokens` says.
    pub fn new(tokens: TokenHome) -> Self {
        Self { tokens, known: Mutex::default() }
    }

    /// The client of a connection as it is configured now.
    pub fn of(&self, connection: &ConnectionId, opened: &Opened) -> Result<Client, Unfit> {
        let revision = (opened.meta.policy.revision, opened.meta.credential.forgotten);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, client)) = known.clients.get(connection)
            && *of == revision
        {
            return Ok(client.clone());
        }
        let (client_id, mut options) = tenant::whole(&opened.config, &self.tokens.means(connection))?;
        options.longest_wait = MOMENT;
        let credential = Arc::clone(&options.credential);
        let client = Client { graph: Arc::new(tenant::client(options)?), client_id, credential };
        if let Some((_, old)) = known.clients.insert(connection.clone(), (revision, client.clone())) {
            known.past = known.past.plus(old.graph.counters());
        }
        Ok(client)
    }

    /// When the credential of a connection ends, where its client was made and the end is known.
    pub async fn credential_ends(&self, connection: &ConnectionId) -> Option<Timestamp> {
        let credential = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.clients.get(connection).map(|(_, client)| Arc::clone(&client.credential))
        };
        credential?.expires().await
    }

    /// Calls to all tenants, by this process.
    pub fn calls(&self) -> Counters {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.clients.values().fold(known.past, |sum, (_, client)| sum.plus(client.graph.counters()))
    }
}
