//! Wires match on AWS: the store, blobs and queues, and no way to anybody else.

use std::sync::Arc;
use std::time::Duration;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_match::{After, MatchPorts, Meter, Obeyed, Request, Upkeep, obey};
use hardmatch_ports::command::{Authority, Command, Reply};
use hardmatch_ports::doorbell::{Bell, BellKind};
use hardmatch_ports::run::{Effort, Run};
use hardmatch_ports::table::Units;
use hardmatch_ports::tenant::Counters;
use hardmatch_runtime::Metrics;
use hardmatch_store::Scope;
use hardmatch_store::costs::Cost;
use hardmatch_wiring::ConnectionError;
use hardmatch_wiring::lambda::{Answer, Error, Home, Ring, serve};
use jiff::Timestamp;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let home = Home::open().await?;
    serve(home.clone(), Matching { home }).await
}

struct Matching {
    home: Home,
}

impl Answer for Matching {
    async fn answer(&self, ring: Ring) -> Result<After, String> {
        match &ring.bell.kind {
            // About all connections: each by itself, and one that cannot be opened takes none along.
            BellKind::Tick => {
                let connections = self.home.store.connections().await.map_err(|error| error.to_string())?;
                for connection in connections {
                    if let Err(error) = self.tick(&connection).await {
                        tracing::error!(connection.id = %connection, error, "a connection could not be looked after");
                    }
                }
                Ok(After::Done)
            }
            BellKind::Ask { reply, command } => self.asked(&ring, reply, command).await,
            BellKind::Nightly { slot } => self.nightly(&ring, slot).await,
            BellKind::Start { .. }
            | BellKind::Match
            | BellKind::Advance
            | BellKind::ObserveSource
            | BellKind::ObserveTenant
            | BellKind::Reach { .. }
            | BellKind::Write => {
                let ports = self.ports(&ring.bell.connection, &ring.bell.run).await?;
                hardmatch_match::answer(&ports, &ring.bell).await.map_err(|error| error.to_string())
            }
        }
    }
}

/// What only approvers may ring, by the end of its name.
const APPROVE: &str = "-approve";

impl Matching {
    /// Does what an operator asks for, and leaves a reply. What cannot be done is said there; only trouble of our own
    /// leaves the bell in its queue.
    async fn asked(&self, ring: &Ring, reply: &str, command: &Command) -> Result<After, String> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        let connection = &ring.bell.connection;
        let authority = if ring.queue.ends_with(APPROVE) { Authority::Approver } else { Authority::Operator };
        let answer = match command {
            Command::Configure { text, tenant } => self.configured(connection, text, tenant).await?,
            _ => match self.home.connections.open(connection).await {
                Ok(opened) => {
                    let request = Request {
                        connection,
                        run: &ring.bell.run,
                        command,
                        authority,
                        by: &ring.sender,
                        client: opened.client_id(),
                        reply,
                    };
                    let ports = self.ports_of(opened.scope.clone(), "").await?;
                    match obey(&ports, &request).await.map_err(|error| said(&error))? {
                        Obeyed::Replied(answer) => answer,
                        Obeyed::PassedOn => {
                            tracing::info!(connection.id = %connection, by = ring.sender, reply, "an operator's request was passed on");
                            return Ok(After::Done);
                        }
                    }
                }
                Err(ConnectionError::Store(error)) => return Err(said(&error)),
                Err(unfit) => Reply::Refused { why: said(&unfit) },
            },
        };
        let now = self.home.clock.now_seconds();
        self.home.store.put_reply(connection, reply, &answer, now).await.map_err(|error| said(&error))?;
        tracing::info!(connection.id = %connection, sender.id = ring.principal(), reply.id = reply, "an operator's request was answered");
        Ok(After::Done)
    }

    async fn configured(&self, connection: &ConnectionId, text: &str, tenant: &str) -> Result<Reply, String> {
        match self.home.connections.configure(connection, text, tenant).await {
            Ok(_) => Ok(Reply::Done { run: None }),
            Err(ConnectionError::Store(error)) => Err(error.to_string()),
            Err(unfit) => Ok(Reply::Refused { why: unfit.to_string() }),
        }
    }

    /// Rings for the run of each connection. A schedule that does not say for when has it from the queue: by the minute, so
    /// that a start that is told twice is one.
    async fn nightly(&self, ring: &Ring, slot: &str) -> Result<After, String> {
        let slot = match slot.parse::<Timestamp>() {
            Ok(at) => at,
            Err(_) => ring.sent.unwrap_or_else(|| self.home.clock.now()),
        };
        let minute = slot.as_second() - slot.as_second().rem_euclid(60);
        let slot = Timestamp::from_second(minute).map_err(|error| error.to_string())?.to_string();
        for connection in self.home.store.connections().await.map_err(|error| error.to_string())? {
            let bell = Bell::new(connection, "", BellKind::Start { slot: slot.clone() });
            self.home.doorbell.ring(bell, Duration::ZERO).await.map_err(|error| error.to_string())?;
        }
        Ok(After::Done)
    }

    async fn tick(&self, connection: &ConnectionId) -> Result<(), String> {
        let ports = self.ports(connection, "").await?;
        hardmatch_match::tick(&ports, connection).await.map_err(|error| error.to_string())?;
        hardmatch_match::watch_credential(&ports, connection).await.map_err(|error| error.to_string())
    }

    async fn ports(&self, connection: &ConnectionId, run: &str) -> Result<MatchPorts, String> {
        let opened = self.home.connections.open(connection).await.map_err(|error| error.to_string())?;
        self.ports_of(opened.scope, run).await
    }

    async fn ports_of(&self, scope: Scope, run: &str) -> Result<MatchPorts, String> {
        let home = &self.home;
        Ok(MatchPorts {
            store: home.store.clone(),
            scope,
            blobs: Arc::clone(&home.blobs),
            clock: Arc::clone(&home.clock),
            doorbell: Arc::clone(&home.doorbell),
            policies: Arc::clone(&home.policies),
            meter: Arc::new(Noted::of(home, run).await?),
        })
    }
}

/// What the bells of a run have noted so far; and tells CloudWatch what becomes of runs.
struct Noted {
    cost: Cost,
    home: Home,
}

impl Noted {
    async fn of(home: &Home, run: &str) -> Result<Self, String> {
        let cost = match run {
            "" => Cost::default(),
            run => home.store.costs(run).await.map_err(|error| error.to_string())?,
        };
        Ok(Self { cost, home: home.clone() })
    }

    fn write(&self, metrics: &Metrics) {
        self.home.metrics.write(metrics, self.home.clock.now());
    }
}

impl Meter for Noted {
    fn read(&self) -> (Counters, Units) {
        (self.cost.calls, self.cost.units)
    }

    fn effort(&self) -> Option<Effort> {
        Some(Effort { bells: self.cost.bells, worked_ms: self.cost.worked_ms })
    }

    fn rested(&self, run: &Run) {
        for metrics in Metrics::of_run(run).iter().chain(&Metrics::of_run_by_kind(run)) {
            self.write(metrics);
        }
    }

    fn ticked(&self, upkeep: &Upkeep) {
        self.write(&Metrics::of_tick(&upkeep.connection, upkeep.stuck_runs, upkeep.quarantined));
        if let Some(ends) = upkeep.credential_ends.and_then(|ends| Timestamp::from_second(ends).ok()) {
            self.write(&Metrics::of_credential(&upkeep.connection, ends, self.home.clock.now()));
        }
    }
}
