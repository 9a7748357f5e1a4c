//! The engine as a command has it: a connection with both sides wired, for a person who waits.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_embedded::{ProcessDoorbell, ProcessLock};
use hardmatch_local::{Functions, Hooks, Parts, Stopped};
use hardmatch_match::MatchPorts;
use hardmatch_policy::Endpoints;
use hardmatch_ports::doorbell::{After, MessageKind};
use hardmatch_ports::run::Run;
use hardmatch_ports::{Doorbell as _, Message};
use hardmatch_store::Store;
use hardmatch_store::connection::Meta;
use hardmatch_wiring::connections::scope;
use hardmatch_wiring::source::source_over;
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::connection::State;
use crate::fail::Failure;
use crate::lanes::release_lanes;
use crate::passwords::password_sink;
use crate::progress::Progress;
use crate::tenant_side::{TenantSide, said, tenant_id};

/// A command waits so long for a tenant that asks it to, and then ends with its work kept.
const LONGEST_WAIT: Duration = Duration::from_mins(15);
/// Waits up to this are nothing to speak of.
const QUIET_WAIT: Duration = Duration::from_secs(20);
/// Rounds without progress after which a person is told rather than kept waiting.
const PATIENCE: usize = 2;

/// A connection with both sides wired.
pub(crate) struct Engine {
    pub(crate) state: State,
    pub(crate) side: TenantSide,
    pub(crate) deciding: MatchPorts,
    doorbell: Arc<ProcessDoorbell>,
    functions: Functions,
    /// No other process drives while this one does.
    _lock: ProcessLock,
}

impl Engine {
    /// Wires everything. Asks the tenant for its id when nobody knows it yet.
    pub(crate) async fn open(state: State, lock: ProcessLock, side: TenantSide, meta: &Meta) -> Result<Self, Failure> {
        let doorbell = Arc::new(ProcessDoorbell::new(Arc::clone(&state.clock)));
        let functions = functions(&state, &doorbell, &side, meta).await?;
        let deciding = functions.deciding.clone();
        // The lanes' leases are taken by processes that hold a lock. This one has it, so their holder is gone.
        release_lanes(&state, &functions).await?;
        Ok(Self { state, side, deciding, doorbell, functions, _lock: lock })
    }

    pub(crate) fn connection(&self) -> &ConnectionId {
        &self.state.loaded.config.connection
    }

    pub(crate) fn store(&self) -> &Store {
        &self.state.store
    }

    pub(crate) fn source(&self) -> &dyn hardmatch_ports::Source {
        &*self.functions.source.source
    }

    pub(crate) fn doorbell(&self) -> &ProcessDoorbell {
        &self.doorbell
    }

    /// Drives a run until it rests: planned or closed, or writing when an operator paused the connection meanwhile.
    pub(crate) async fn drive(&self, run: &str, progress: &Progress) -> Result<Run, Failure> {
        let engine = self.attended(progress);
        let connection = self.connection();
        match engine.drive(connection, run).await {
            Ok(run) => Ok(run),
            Err(Stopped::Paused) => engine.run(connection, run).await.map_err(|stopped| failure(run, &stopped)),
            Err(stopped) => Err(failure(run, &stopped)),
        }
    }

    /// Goes on with the connection's open repairs until each has ended, waits for somebody, or cannot go on now.
    pub(crate) async fn repair(&self, progress: &Progress) -> Result<(), Failure> {
        let engine = self.attended(progress);
        let message = Message::new(self.connection().clone(), "", MessageKind::Write);
        let sent = self.doorbell.notify(message, Duration::ZERO).await;
        sent.map_err(|error| Failure::run(error.to_string()))?;
        engine.serve().await;
        match engine.hooks.stopped() {
            Some(Stopped::Failed(said)) => Err(Failure::run(said)),
            Some(Stopped::Unknown | Stopped::Stuck(_) | Stopped::Killed | Stopped::Paused) | None => Ok(()),
        }
    }

    /// Lets the source be looked at, as was asked, and gives the run that was begun where it has changed.
    pub(crate) async fn look(&self, progress: &Progress) -> Result<Option<String>, Failure> {
        let engine = self.attended(progress);
        engine.serve().await;
        if let Some(Stopped::Failed(said)) = engine.hooks.stopped() {
            return Err(Failure::run(said));
        }
        let meta = self.store().meta(self.connection()).await?;
        Ok(meta.schedule.slot.map(|slot| slot.run).filter(|run| !run.is_empty()))
    }

    /// The functions and their queues, with somebody in front of them.
    fn attended(&self, progress: &Progress) -> hardmatch_local::Engine {
        let attended = Attended {
            endpoints: self.side.endpoints.clone(),
            progress: progress.clone(),
            ended: Mutex::default(),
            came: Notify::new(),
        };
        hardmatch_local::Engine {
            functions: self.functions.clone(),
            queues: self.doorbell.clone(),
            at_once: 1,
            patience: PATIENCE,
            hooks: Arc::new(attended),
        }
    }

    /// Stops what was started.
    pub(crate) async fn stop(self) {
        self.side.stop().await;
    }
}

/// The functions of a connection, with both sides wired.
pub(crate) async fn functions(
    state: &State,
    doorbell: &Arc<ProcessDoorbell>,
    side: &TenantSide,
    meta: &Meta,
) -> Result<Functions, Failure> {
    let config = &state.loaded.config;
    let tenant = tenant_id(state, meta, side).await?;
    let scope = scope(config, &tenant);
    let deciding = state.ports(&scope, doorbell, Some(&side.client));
    Ok(Functions::new(Parts {
        store: state.store.clone(),
        blobs: Arc::clone(&state.blobs),
        scope,
        source: source_over(config, &state.clock, &state.store, &state.blobs)?,
        tenant: side.client.clone(),
        writer: side.client.clone(),
        client_id: side.client_id.clone(),
        passwords: password_sink(config),
        policies: deciding.policies,
        metrics: deciding.metrics,
        clock: Arc::clone(&state.clock),
        doorbell: doorbell.clone(),
        holder: format!("process {}", std::process::id()),
    }))
}

fn failure(run: &str, stopped: &Stopped) -> Failure {
    Failure::run(match stopped {
        Stopped::Failed(said) => said.clone(),
        Stopped::Unknown => format!("there is no run {run} of this connection"),
        Stopped::Stuck(phase) => format!(
            "run {run} does not go on in phase {phase:?}. Run the same command again; if it stays, look at `hardmatch runs show {run}`"
        ),
        Stopped::Killed | Stopped::Paused => format!("run {run} was stopped. The same command goes on where it was"),
    })
}

/// Somebody waits in front of the work: the first error ends it and is told, and the next start goes on where it was.
struct Attended {
    endpoints: Endpoints,
    progress: Progress,
    ended: Mutex<Option<Stopped>>,
    came: Notify,
}

#[async_trait]
impl Hooks for Attended {
    async fn answer(&self, functions: &Functions, message: Message) -> Result<After, String> {
        let answer = self.answered(functions, &message).await;
        if let Ok(Some(run)) = functions.deciding.store.run(&message.connection, &message.run).await
            && let Ok(spent) = functions.deciding.metrics.read(&message.run).await
        {
            self.progress.show(&run.value, &spent.calls);
        }
        if let Ok(After::Again(wait)) = &answer
            && matches!(message.kind, MessageKind::ObserveTenant | MessageKind::Write)
        {
            self.tell_wait(functions, *wait);
        }
        // On AWS the queue would deliver the message again.
        Ok(answer.unwrap_or_else(|error| {
            self.end(Stopped::Failed(error));
            After::Done
        }))
    }

    async fn stop(&self) {
        self.came.notified().await;
    }

    fn stopped(&self) -> Option<Stopped> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Attended {
    fn end(&self, stopped: Stopped) {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(stopped);
        self.came.notify_one();
    }

    /// Somebody sits in front of this: a wait is told, and a long one is not sat out.
    fn tell_wait(&self, functions: &Functions, wait: Duration) {
        let until = functions.tenant.clock.now().saturating_add(wait).unwrap_or(Timestamp::MAX);
        let until = until.strftime("%Y-%m-%d %H:%M:%S UTC");
        let host = &self.endpoints.graph;
        if wait > LONGEST_WAIT {
            self.end(Stopped::Failed(format!(
                "the tenant ({host}) asks to be left alone until {until}, which is longer than this command waits. What \
                 was read and written is remembered: run the same command again after that time"
            )));
        } else if wait > QUIET_WAIT {
            self.progress.say(&format!("The tenant ({host}) is not asked before {until}; waiting."));
        }
    }

    async fn answered(&self, functions: &Functions, message: &Message) -> Result<After, String> {
        let after = functions.answer_or_fail(message).await?;
        if let After::Again(_) = after {
            match message.kind {
                MessageKind::ObserveSource => source_answers(functions).await?,
                MessageKind::ObserveTenant => self.tenant_answers(functions).await?,
                MessageKind::Write => self.may_write(functions, message).await?,
                MessageKind::Match
                | MessageKind::Advance
                | MessageKind::WriteBack
                | MessageKind::SyncPeople
                | MessageKind::Start { .. }
                | MessageKind::Nightly { .. }
                | MessageKind::Tick
                | MessageKind::OperatorCommand { .. }
                | MessageKind::TenantRequest { .. } => {}
            }
        }
        Ok(after)
    }

    /// A tenant that throttles is waited for; one that cannot be reached is not.
    async fn tenant_answers(&self, functions: &Functions) -> Result<(), String> {
        match functions.tenant.tenant.organization().await {
            Err(error) if matches!(error.code.as_str(), "unreachable" | "bad_answer" | "answer_too_large") => {
                Err(said(&self.endpoints, &error))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// On AWS the queue waits until a paused connection goes on; here somebody is waiting.
    async fn may_write(&self, functions: &Functions, message: &Message) -> Result<(), String> {
        let meta = functions.writing.store.meta(&message.connection).await.map_err(|error| error.to_string())?;
        if !meta.status.may_write() {
            self.end(Stopped::Paused);
        }
        Ok(())
    }
}

/// A source that is to be asked again is waited for when it is there, as a file that is being written is; one that is not
/// there is somebody's to cure.
async fn source_answers(functions: &Functions) -> Result<(), String> {
    let source = &functions.source.source;
    match source.probe().await {
        Ok(()) => Ok(()),
        Err(error) => Err(format!("the source {} cannot be read: {error}", source.location())),
    }
}
