//! The handle on a running tenant: start, stop, look, and act as an administrator would.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::answer::{Answer, Ids, Refusal};
use crate::clock::Clock;
use crate::error::SimError;
use crate::http::{Cutter, Wires, handle};
use crate::journal::Journal;
use crate::seed::Seed;
use crate::serve::{Call, Reply};
use crate::state::State;

/// Starts simulated tenants.
#[derive(Debug)]
pub struct Sim {
    seed: Seed,
    clock: Clock,
    state: Option<PathBuf>,
}

impl Sim {
    /// A tenant that starts from this seed.
    pub fn new(seed: Seed) -> Self {
        Self { seed, clock: Clock::Real, state: None }
    }

    /// Uses another clock than the machine's.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
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
            Journal::open(&directory, &mut state)?;
        }
        let listener = TcpListener::bind(addr).await.map_err(SimError::io(format!("listening on {addr}")))?;
        let addr = listener.local_addr().map_err(SimError::io("reading the listener's address"))?;
        let url = format!("http://{addr}");
        state.base.clone_from(&url);
        let world = World { state: Arc::new(Mutex::new(state)) };
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

/// The tenant. Clones share it.
#[derive(Clone, Debug)]
pub struct World {
    state: Arc<Mutex<State>>,
}

impl World {
    /// A tenant without a listener, to be looked at.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A poisoned lock means a test failed inside; the state is still worth looking at.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A path outside Graph.
    pub(crate) fn sign_in(&self, call: &Call) -> Reply {
        let answered = self.lock().sign_in(call);
        answered.unwrap_or_else(|| Reply::Send { answer: self.lost(&call.method, &call.path), latency_ms: 0 })
    }

    pub(crate) fn serve(&self, call: &Call) -> Reply {
        let mut state = self.lock();
        let reply = state.serve(call);
        // An answer may leave only when what it promises is on disk.
        match state.persist() {
            Ok(()) => reply,
            Err(error) => {
                tracing::error!(%error, "the state could not be written");
                Reply::Send { answer: Answer::empty(500), latency_ms: 0 }
            }
        }
    }

    /// A path that is nobody's.
    fn lost(&self, method: &str, path: &str) -> Answer {
        let mut state = self.lock();
        let first = path.split('/').nth(1).unwrap_or_default();
        let what = format!("{method} /{first}/…, which is neither /v1.0, /beta nor an endpoint of sign-in");
        state.records.violations.push(what.clone());
        let id = state.dice.uuid().to_string();
        let now = state.now();
        Refusal::unknown(what).render(&Ids { request: &id, client: &id, now })
    }

    pub(crate) fn waits(&self) -> bool {
        self.lock().clock.is_real()
    }

    /// Everything as JSON: for assertions on the final state.
    pub fn dump(&self) -> Value {
        self.lock().dump()
    }
}
