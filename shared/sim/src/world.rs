//! The tenant itself: served, looked at, and acted on as an administrator would.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::answer::{Answer, Ids, Refusal};
use crate::serve::{Call, Reply};
use crate::state::State;

/// The tenant. Clones share it.
#[derive(Clone, Debug)]
pub struct World {
    state: Arc<Mutex<State>>,
}

impl World {
    pub(crate) fn of(state: State) -> Self {
        Self { state: Arc::new(Mutex::new(state)) }
    }

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
        let id = state.rng.uuid().to_string();
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
