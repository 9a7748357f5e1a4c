//! What a batch is sent under, and what comes back of it.

use hardmatch_ports::Write;
use hardmatch_ports::credentials::CredentialError;
use hardmatch_ports::tenant::Refusal;
use hardmatch_store::PersonHash;
use hardmatch_store::changes::LanePhase;
use hardmatch_store::leases::LeaseProof;

use crate::binding::Binding;
use crate::lane::Lane;
use crate::task::Task;

/// What a batch is sent under.
#[derive(Clone, Debug)]
pub(crate) struct BatchContext {
    pub(crate) lane: Lane,
    pub(crate) phase: LanePhase,
    /// The lease of the lane: nothing is sent after it is over.
    pub(crate) lease: LeaseProof,
    /// The slot under which the people of the batch are noted before anything is sent.
    pub(crate) slot: usize,
    pub(crate) binding: Binding,
    /// The batch tries whether the tenant takes a manager inline.
    pub(crate) probe: bool,
}

/// What came back of one batch.
#[derive(Default)]
pub(crate) struct BatchResult {
    /// Changes that are still under way.
    pub(crate) tasks: Vec<Task>,
    /// People whose change is settled in this phase.
    pub(crate) settled: Vec<PersonHash>,
    /// Deletions that may wait for others.
    pub(crate) deferred_deletes: Vec<Write>,
    pub(crate) closed_until_ms: i64,
    pub(crate) binding: Option<Binding>,
    /// The write budget gave nothing for so many milliseconds: nothing was sent.
    pub(crate) starved_ms: Option<i64>,
    /// An operator paused the connection: nothing was sent.
    pub(crate) paused: bool,
    pub(crate) probe: bool,
    /// The slot that is free again.
    pub(crate) slot: usize,
    /// How many calls were sent, and how many of them failed on the side of the service.
    pub(crate) sent: usize,
    pub(crate) failed: usize,
    /// Whether the tenant said anything; `None` when it was asked nothing.
    pub(crate) heard: Option<bool>,
    /// The tenant does not take the application's credentials.
    pub(crate) locked_out: Option<Refusal>,
    /// A password could not be handed over.
    pub(crate) undelivered: Option<CredentialError>,
}
