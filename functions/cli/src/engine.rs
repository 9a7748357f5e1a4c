//! The functions in one process: the same handlers as on AWS, the doorbell and the queues played by the pump.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_embedded::{ProcessDoorbell, ProcessLock};
use hardmatch_ingest::{SourcePorts, TenantPorts};
use hardmatch_match::MatchPorts;
use hardmatch_policy::Endpoints;
use hardmatch_ports::doorbell::{After, BellKind, Queue};
use hardmatch_ports::run::{Phase, Run};
use hardmatch_ports::{Bell, Clock};
use hardmatch_runtime::pump::{Pump, Serving};
use hardmatch_runtime::run_batch;
use hardmatch_store::connection::Meta;
use hardmatch_store::{Scope, Store};
use hardmatch_wiring::CompiledPolicies;
use hardmatch_wiring::connections::scope;
use hardmatch_wiring::source::source;
use hardmatch_write::WritePorts;
use tokio::sync::Notify;

use crate::connection::{ProcessMeter, State, TenantSide, password_sink, said, tenant_id};
use crate::fail::Failure;
use crate::progress::Progress;

const MINUTE: Duration = Duration::from_mins(1);

/// A connection with both sides wired.
pub(crate) struct Engine {
    pub(crate) state: State,
    pub(crate) side: TenantSide,
    pub(crate) deciding: MatchPorts,
    doorbell: Arc<ProcessDoorbell>,
    source: SourcePorts,
    tenant: TenantPorts,
    writing: WritePorts,
    /// No other process drives while this one does.
    _lock: ProcessLock,
}

impl Engine {
    /// Wires everything. Asks the tenant for its id when nobody knows it yet.
    pub(crate) async fn open(state: State, lock: ProcessLock, side: TenantSide, meta: &Meta) -> Result<Self, Failure> {
        let config = &state.loaded.config;
        let tenant = tenant_id(&state, meta, &side).await?;
        let scope = scope(config, &tenant);
        let doorbell = Arc::new(ProcessDoorbell::new(Arc::clone(&state.clock)));
        let deciding = deciding(&state, &scope, &doorbell, Some(&side));
        let source = SourcePorts {
            store: state.store.clone(),
            scope: scope.clone(),
            source: source(config, &state.clock)?,
            policies: Arc::clone(&deciding.policies),
            clock: Arc::clone(&state.clock),
            doorbell: doorbell.clone(),
            until: None,
        };
        let tenant = TenantPorts {
            store: state.store.clone(),
            scope: scope.clone(),
            tenant: side.client.clone(),
            policies: Arc::clone(&deciding.policies),
            clock: Arc::clone(&state.clock),
            doorbell: doorbell.clone(),
            blobs: Arc::clone(&state.blobs),
            until: None,
        };
        let writing = WritePorts {
            store: state.store.clone(),
            scope,
            client: side.client_id.clone(),
            tenant: side.client.clone(),
            passwords: password_sink(config),
            clock: Arc::clone(&state.clock),
            doorbell: doorbell.clone(),
            holder: format!("process {}", std::process::id()),
            until: None,
        };
        // The lanes' leases are taken by processes that hold the lock. This one has it, so their holder is gone.
        hardmatch_write::release_lane(&writing).await?;
        Ok(Self { state, side, deciding, doorbell, source, tenant, writing, _lock: lock })
    }

    pub(crate) fn connection(&self) -> &ConnectionId {
        &self.state.loaded.config.connection
    }

    pub(crate) fn store(&self) -> &Store {
        &self.state.store
    }

    pub(crate) fn doorbell(&self) -> &ProcessDoorbell {
        &self.doorbell
    }

    /// Drives a run until it rests: planned or closed, or writing when an operator paused the connection meanwhile.
    pub(crate) async fn drive(&self, run: &str, progress: &Progress) -> Result<Run, Failure> {
        let connection = self.connection().clone();
        let trouble = Arc::new(Trouble::default());
        let mut idle = 0;
        loop {
            let now = self.run(&connection, run).await?;
            if matches!(now.phase, Phase::Planned | Phase::Closed) {
                return Ok(now);
            }
            let before = (now.phase, self.store().slices(run, None, 1).await?.first().map(|(slice, _)| *slice));
            hardmatch_match::ring_left_over(&self.deciding, &now).await?;
            let pump = self.pump(&trouble, progress);
            tokio::select! {
                _ = pump.run_dry_or_until(trouble.came.notified()) => {}
                failure = self.look_after(&connection, run) => return Err(failure),
            }
            let then = self.run(&connection, run).await?;
            let after = (then.phase, self.store().slices(run, None, 1).await?.first().map(|(slice, _)| *slice));
            idle = if before == after { idle + 1 } else { 0 };
            match trouble.take() {
                Some(Ended::Failed(said)) => return Err(Failure::run(said)),
                Some(Ended::Paused) => return Ok(then),
                None => {}
            }
            if idle > 2 {
                return Err(Failure::run(format!(
                    "run {run} does not go on in phase {:?}. Run the same command again; if it stays, look at `hardmatch runs show {run}`",
                    then.phase
                )));
            }
        }
    }

    /// Each minute, as a timer does on AWS every few: a run of hours looks at the tenant again each hour. Ends with what
    /// went wrong.
    async fn look_after(&self, connection: &ConnectionId, run: &str) -> Failure {
        loop {
            self.state.clock.sleep(MINUTE).await;
            let looked = async {
                let run = self.run(connection, run).await?;
                hardmatch_match::ring_to_look_again(&self.deciding, &run).await.map_err(Failure::from)
            };
            if let Err(failure) = looked.await {
                return failure;
            }
        }
    }

    async fn run(&self, connection: &ConnectionId, run: &str) -> Result<Run, Failure> {
        self.store()
            .run(connection, run)
            .await?
            .map(|stored| stored.value)
            .ok_or_else(|| Failure::run(format!("there is no run {run} of this connection")))
    }

    fn pump(&self, trouble: &Arc<Trouble>, progress: &Progress) -> Pump {
        let clock: Arc<dyn Clock> = Arc::clone(&self.state.clock);
        let one = Serving { batch: 1, at_once: 1 };
        let queue = self.doorbell.clone();
        let mut pump = Pump::new(queue, clock);
        for side in Queue::ALL {
            let rooms = Rooms {
                source: self.source.clone(),
                tenant: self.tenant.clone(),
                deciding: self.deciding.clone(),
                writing: self.writing.clone(),
                trouble: Arc::clone(trouble),
                endpoints: self.side.endpoints.clone(),
                progress: progress.clone(),
            };
            let doorbell = self.doorbell.clone();
            pump = pump.serve(side, one, move |event| {
                let (rooms, doorbell) = (rooms.clone(), doorbell.clone());
                async move { run_batch(event, &*doorbell, |bell| rooms.answer(bell)).await }
            });
        }
        pump
    }

    /// Stops what was started.
    pub(crate) async fn stop(self) {
        self.side.stop().await;
    }
}

/// What deciding needs, with or without the tenant at hand.
pub(crate) fn deciding(
    state: &State,
    scope: &Scope,
    doorbell: &Arc<ProcessDoorbell>,
    side: Option<&TenantSide>,
) -> MatchPorts {
    MatchPorts {
        store: state.store.clone(),
        scope: scope.clone(),
        blobs: Arc::clone(&state.blobs),
        clock: Arc::clone(&state.clock),
        doorbell: doorbell.clone(),
        policies: Arc::new(CompiledPolicies::new(crate::connection::folder(&state.loaded.path))),
        meter: Arc::new(ProcessMeter {
            client: side.map(|side| Arc::clone(&side.client)),
            table: Arc::clone(&state.table),
        }),
        until: None,
    }
}

/// What ended the work: the first is told, and the pump is stopped.
#[derive(Default)]
struct Trouble {
    ended: Mutex<Option<Ended>>,
    came: Notify,
}

/// Why the work ended before the run rested.
enum Ended {
    /// It failed, and why.
    Failed(String),
    /// An operator paused the connection: nothing is written until it goes on.
    Paused,
}

impl Trouble {
    fn tell(&self, ended: Ended) {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(ended);
        self.came.notify_one();
    }

    fn take(&self) -> Option<Ended> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The functions, each with its own ports.
#[derive(Clone)]
struct Rooms {
    source: SourcePorts,
    tenant: TenantPorts,
    deciding: MatchPorts,
    writing: WritePorts,
    trouble: Arc<Trouble>,
    endpoints: Endpoints,
    progress: Progress,
}

impl Rooms {
    async fn answer(&self, bell: Bell) -> Result<After, String> {
        let answer = self.hand(&bell).await;
        if let Ok(Some(run)) = self.deciding.store.run(&bell.connection, &bell.run).await
            && let Ok(spent) = self.deciding.meter.read(&bell.run).await
        {
            self.progress.show(&run.value, &spent.calls);
        }
        // On AWS the queue would hand the bell over again; here somebody is waiting and is told, and the next start goes
        // on where this one was.
        Ok(answer.unwrap_or_else(|error| {
            self.trouble.tell(Ended::Failed(error));
            After::Done
        }))
    }

    /// A source that is to be asked again is waited for when it is there, as a file that is being written is; one that
    /// is not there is somebody's to cure.
    async fn source_answers(&self) -> Result<(), String> {
        match self.source.source.open().await {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("the source {} cannot be read: {error}", self.source.source.location())),
        }
    }

    /// A tenant that throttles is waited for; one that cannot be reached is not.
    async fn tenant_answers(&self) -> Result<(), String> {
        match self.tenant.tenant.organization().await {
            Err(error) if error.code == "unreachable" => Err(said(&self.endpoints, &error)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    async fn hand(&self, bell: &Bell) -> Result<After, String> {
        let (connection, run) = (&bell.connection, bell.run.as_str());
        match bell.kind {
            BellKind::ObserveSource => {
                let observed = hardmatch_ingest::observe_source(&self.source, connection, run).await;
                let after = observed.map_err(|error| error.to_string())?;
                if let After::Again(_) = after {
                    self.source_answers().await?;
                }
                Ok(after)
            }
            BellKind::ObserveTenant => {
                let observed = hardmatch_ingest::observe_tenant(&self.tenant, connection, run).await;
                let after = observed.map_err(|error| error.to_string())?;
                if let After::Again(_) = after {
                    self.tenant_answers().await?;
                }
                Ok(after)
            }
            BellKind::Match
            | BellKind::Advance
            | BellKind::Start { .. }
            | BellKind::Nightly { .. }
            | BellKind::Tick
            | BellKind::Ask { .. }
            | BellKind::Reach { .. } => {
                hardmatch_match::answer(&self.deciding, bell).await.map_err(|error| error.to_string())
            }
            BellKind::Write => {
                let drained = hardmatch_write::drain(&self.writing, connection, run).await;
                let after = drained.map_err(|error| error.to_string())?;
                // On AWS the queue waits until the connection goes on; here somebody is waiting.
                let meta = self.writing.store.meta(connection).await.map_err(|error| error.to_string())?.value;
                if !meta.may_write() && matches!(after, After::Again(_)) {
                    self.trouble.tell(Ended::Paused);
                }
                Ok(after)
            }
        }
    }
}
