//! A connection's tenant as it is reached from here.

use std::sync::Arc;
use std::time::Duration;

use hardmatch_graph::{EntraPlatform, GraphClient};
use hardmatch_policy::{Config, Endpoints};
use hardmatch_ports::TenantError;
use hardmatch_ports::credentials::Credential;
use hardmatch_wiring::Unfit;
use hardmatch_wiring::tenant::{self as wiring, TenantMeans};

/// What answers for the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TenantLook {
    /// Microsoft's hosts, or others that the configuration names.
    Hosts,
    /// A simulated one, started with the command.
    Simulated,
}

/// The tenant's client and what belongs to it.
pub struct Side {
    /// Graph.
    pub client: Arc<GraphClient>,
    /// The application (client id).
    pub client_id: String,
    /// Where the login service and Graph are.
    pub endpoints: Endpoints,
    /// The login service, as connecting and checking need it.
    pub platform: Arc<EntraPlatform>,
    /// How the application proves itself.
    pub credential: Arc<dyn Credential>,
    tenant: TenantLook,
}

impl Side {
    /// As a configuration says, with what the place where we run has to offer.
    pub fn new(
        config: &Config,
        endpoints: Endpoints,
        (client_id, credential): (String, Arc<dyn Credential>),
        means: &TenantMeans,
        tenant: TenantLook,
    ) -> Result<Self, Unfit> {
        let options = wiring::options(config, &endpoints, &client_id, Arc::clone(&credential), means)?;
        // Somebody sits in front of this and asks again when it is time.
        let platform = Arc::new(wiring::platform(&options)?.settling(Duration::ZERO));
        let client = Arc::new(wiring::client(options)?);
        Ok(Self { client, client_id, endpoints, platform, credential, tenant })
    }

    /// Of a configuration that says everything itself, as the ones of functions do.
    pub fn whole(config: &Config, means: &TenantMeans) -> Result<Self, Unfit> {
        let (client_id, options) = wiring::whole(config, means)?;
        let endpoints = config.tenant.cloud.endpoints();
        let endpoints = endpoints.ok_or_else(|| Unfit("tenant.cloud names no host".to_owned()))?;
        Self::new(config, endpoints, (client_id, options.credential), means, TenantLook::Hosts)
    }

    /// A failed call as a person needs it.
    pub fn said(&self, error: &TenantError) -> String {
        said(&self.endpoints, error)
    }

    /// Whether the tenant is simulated in this process.
    pub fn is_simulated(&self) -> bool {
        self.tenant == TenantLook::Simulated
    }
}

/// A failed call as a person needs it: with the hosts when nobody answered, with the request id when somebody did.
pub fn said(endpoints: &Endpoints, error: &TenantError) -> String {
    let Endpoints { login, graph } = endpoints;
    match (error.code.as_str(), error.request_id.as_str()) {
        ("unreachable", _) => format!("{} (login {login}, Graph {graph})", error.message),
        (_, "") => error.message.clone(),
        (_, id) => format!("{} (request {id})", error.message),
    }
}
