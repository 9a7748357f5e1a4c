//! The pages of the connect function on a port of this machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hardmatch_connect::{Configured, Connection, Ports, PublicUrl, SignInMeans};
use hardmatch_policy::{Config, Method};
use hardmatch_ports::TokenStore;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use url::{Host, Url};

use crate::connection::State;
use crate::fail::Failure;
use crate::tenant_side::TenantSide;
use crate::tokens::Tokens;

/// A last page still reaches its browser.
const LAST_PAGE: Duration = Duration::from_secs(3);

/// Where the pages listen, and where browsers reach them.
pub(crate) struct Place {
    listener: TcpListener,
    pub(crate) url: PublicUrl,
}

impl Place {
    /// On loopback. The redirect of the configuration decides how browsers reach us, and the port where it names one.
    pub(crate) async fn on_this_machine(config: &Config, port: Option<u16>) -> Result<Self, Failure> {
        let redirect = match config.tenant.auth.as_ref().map(|auth| &auth.method) {
            Some(Method::Delegated { redirect: Some(redirect), .. }) => Some(origin(redirect)?),
            _ => None,
        };
        let local = redirect.as_ref().filter(|url| is_local(url));
        let port = port.or(local.and_then(Url::port)).unwrap_or(0);
        let listener = listen(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)).await?;
        let url = match redirect {
            Some(url) if !is_local(&url) => url,
            _ => local_url(&listener)?,
        };
        Self::at(listener, &url)
    }

    /// Where the caller says.
    pub(crate) async fn listening(at: SocketAddr, url: Option<&str>) -> Result<Self, Failure> {
        let listener = listen(at).await?;
        let url = match url {
            Some(text) => Url::parse(text).map_err(|error| Failure::usage(format!("--url {text}: {error}")))?,
            None => local_url(&listener)?,
        };
        Self::at(listener, &url)
    }

    fn at(listener: TcpListener, url: &Url) -> Result<Self, Failure> {
        Ok(Self { listener, url: PublicUrl::new(url).map_err(Failure::usage)? })
    }
}

async fn listen(at: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(at)
        .await
        .map_err(|error| Failure::run(format!("cannot listen on {at}: {error}. Choose another port with --port")))
}

/// The platform ignores the port of `http://localhost` when it compares redirect URIs, not that of 127.0.0.1.
/// <https://learn.microsoft.com/entra/identity-platform/reply-url#localhost-exceptions>
fn local_url(listener: &TcpListener) -> Result<Url, Failure> {
    let port = listener.local_addr()?.port();
    Url::parse(&format!("http://localhost:{port}")).map_err(Failure::run)
}

fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// The origin of a configured redirect, which must lead to our page.
fn origin(redirect: &str) -> Result<Url, Failure> {
    let parsed = Url::parse(redirect).map_err(|error| Failure::usage(format!("tenant.auth.redirect: {error}")))?;
    let mut origin = parsed.clone();
    origin.set_path("");
    origin.set_query(None);
    origin.set_fragment(None);
    let ours = PublicUrl::new(&origin).map_err(Failure::usage)?;
    if ours.redirect() == parsed {
        Ok(origin)
    } else {
        Err(Failure::usage(format!(
            "tenant.auth.redirect must lead to the page /connect/return: write {}, and register the same with the application",
            ours.redirect()
        )))
    }
}

/// A connection as its pages need it.
pub(crate) fn connection(config: &Config, side: &TenantSide, tokens: Option<&Tokens>) -> Connection {
    let token_store: Arc<dyn TokenStore> = match tokens {
        Some(tokens) => tokens.token_store(),
        None => hardmatch_checkup::keeps_nothing(),
    };
    let means = match tokens.filter(|_| hardmatch_checkup::is_delegated(config)) {
        Some(tokens) => SignInMeans::SignIn { sealed: tokens.sealed() },
        None => SignInMeans::Consent,
    };
    Connection {
        id: config.connection.clone(),
        tenant: config.tenant.id.clone(),
        client_id: side.client_id.clone(),
        features: config.features(),
        platform: side.platform.clone(),
        tokens: token_store,
        means,
    }
}

/// Pages that are being served.
pub(crate) struct Pages {
    server: JoinHandle<std::io::Result<()>>,
    stop: oneshot::Sender<()>,
}

impl Pages {
    /// Serves them until they are stopped.
    pub(crate) fn serve(state: &State, place: Place, connections: Vec<Connection>) -> Self {
        Self::serve_beside(state, place, connections, axum::Router::new())
    }

    /// Serves them beside other addresses.
    pub(crate) fn serve_beside(
        state: &State,
        place: Place,
        connections: Vec<Connection>,
        others: axum::Router,
    ) -> Self {
        let connections: Configured = connections.into_iter().collect();
        let router = hardmatch_connect::router(Ports {
            store: state.store.clone(),
            clock: Arc::clone(&state.clock),
            connections: Arc::new(connections),
            url: place.url,
            takes_up: true,
        });
        let router = router.merge(others);
        let (stop, stopped) = oneshot::channel();
        let serving = axum::serve(place.listener, router).with_graceful_shutdown(async {
            // Stopped by its word, or because the process that could say it is gone.
            let _ = stopped.await;
        });
        Self { server: tokio::spawn(async move { serving.await }), stop }
    }

    /// Takes no more requests and lets those under way end.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        // A browser that holds its connection open is not waited for.
        let _ = tokio::time::timeout(LAST_PAGE, self.server).await;
    }
}
