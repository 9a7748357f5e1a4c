//! A tenant that listens: started, stopped, and reached by its URL.

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::clock::SimClock;
use crate::error::SimError;
use crate::http::{Cutter, Wires, handle};
use crate::journal::Journal;
use crate::persist;
use crate::seed::Seed;
use crate::state::State;
use crate::world::World;

/// Starts simulated tenants.
#[derive(Debug)]
pub struct Sim {
    seed: Seed,
    clock: SimClock,
    state: Option<PathBuf>,
}

impl Sim {
    /// A tenant that starts from this seed.
    pub fn new(seed: Seed) -> Self {
        Self { seed, clock: SimClock::Real, state: None }
    }

    /// Uses another clock than the machine's.
    #[must_use]
    pub fn clock(mut self, clock: SimClock) -> Self {
        self.clock = clock;
        self
    }

    /// Keeps the tenant in this directory; what is already there wins over the objects of the seed.
    #[must_use]
    pub fn state(mut self, directory: impl Into<PathBuf>) -> Self {
        self.state = Some(directory.into());
        self
    }

    /// Listens on a loopback address; port 0 takes any free one.
    pub async fn start(self, addr: SocketAddr) -> Result<Running, SimError> {
        if !addr.ip().is_loopback() {
            return Err(SimError::NotLoopback(addr));
        }
        let mut seed = self.seed;
        if self.state.as_deref().is_some_and(Journal::exists) {
            // Reading them twice would only cost time: what happened wins.
            seed.users.clear();
            seed.groups.clear();
            seed.contacts.clear();
        }
        let mut state = State::new(seed, self.clock)?;
        if let Some(directory) = self.state {
            persist::open(&directory, &mut state)?;
        }
        let listener = TcpListener::bind(addr).await.map_err(SimError::io(format!("listening on {addr}")))?;
        let addr = listener.local_addr().map_err(SimError::io("reading the listener's address"))?;
        let url = format!("http://{addr}");
        state.base.clone_from(&url);
        let world = World::of(state);
        let app = axum::Router::new()
            .fallback(handle)
            .with_state(world.clone())
            .into_make_service_with_connect_info::<Cutter>();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let until = async move {
                let _ = stopped.await;
            };
            axum::serve(Wires(listener), app).with_graceful_shutdown(until).await
        });
        Ok(Running { url, addr, world, stop: Some(stop), task })
    }

    /// Listens on any free port of 127.0.0.1.
    pub async fn start_local(self) -> Result<Running, SimError> {
        self.start(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }
}

/// Calls under way are given so long to end.
const LAST_CALLS: std::time::Duration = std::time::Duration::from_secs(2);

/// A tenant that answers. Dropping it stops it.
#[derive(Debug)]
pub struct Running {
    url: String,
    addr: SocketAddr,
    world: World,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Running {
    /// `http://127.0.0.1:PORT`: login authority and Graph root at once.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The tenant behind it.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Stops listening and waits for calls under way. A client may hold a connection open on which it never asked
    /// anything; nobody waits for that.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if tokio::time::timeout(LAST_CALLS, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Without `stop`, connections end at once, as when the machine goes down.
        if self.stop.is_some() {
            self.task.abort();
        }
    }
}
