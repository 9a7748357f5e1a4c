//! Wires match on AWS: the store, blobs and queues, and no way to anybody else.

mod redrive;
mod run_costs;

use std::sync::Arc;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_match::{
    Admission, After, Handled, MatchError, MatchPorts, Request, admit, handle_command, is_taken, look_after, nightly,
    start_due, tick_all, watch_credential,
};
use hardmatch_ports::command::{Command, CommandAuthority, Reply};
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_runtime::Metrics;
use hardmatch_store::TenantKey;
use hardmatch_store::connection::Meta;
use hardmatch_wiring::lambda::{Begun, Delivery, Error, Home, MessageHandler, Timestamp, serve};
use hardmatch_wiring::policy::Schedule;
use hardmatch_wiring::{ConnectionError, Push};

use crate::run_costs::{HealthNotes, RunCosts};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let home = Home::open().await?;
    serve(home.clone(), Matching { home }).await
}

/// Begins the run of the connection's own schedule, where one is due.
async fn begin_due(
    ports: &MatchPorts,
    connection: &ConnectionId,
    meta: &Meta,
    schedule: &Schedule,
) -> Result<(), MatchError> {
    let due = schedule.last(ports.clock.now_seconds());
    if is_taken(meta, due) {
        return Ok(());
    }
    let started = start_due(ports, connection, due, false).await?;
    tracing::info!(connection.id = %connection, run.started = ?started, "a time of the connection's schedule has come");
    Ok(())
}

struct Matching {
    home: Home,
}

impl MessageHandler for Matching {
    async fn answer(&self, delivery: Delivery) -> Result<After, String> {
        let authority = match admit(&delivery.queue, &delivery.message) {
            Admission::Work => None,
            Admission::Command(authority) => Some(authority),
            Admission::Misplaced => {
                tracing::warn!(
                    sender.id = delivery.principal(),
                    "a command was in a queue of work and is not carried out"
                );
                return self.misplaced(&delivery).await;
            }
            Admission::Refused(why) => {
                tracing::warn!(sender.id = delivery.principal(), "a message was left undone: {why}");
                return Ok(After::Done);
            }
        };
        match &delivery.message.kind {
            // A tick is about all connections. A connection that cannot be opened takes none along.
            MessageKind::Tick => {
                let health = HealthNotes::default();
                let tick = |connection| self.tick(connection, delivery.begun, delivery.deadline, health.clone());
                let failed = tick_all(&self.home.store, tick).await.map_err(|error| error.to_string())?;
                let now = self.home.clock.now();
                self.home.metrics.write(&Metrics::of_tick(&health.of_stack(failed), now), now);
                Ok(After::Done)
            }
            MessageKind::OperatorCommand { reply, command } => match authority {
                Some(authority) => self.asked(&delivery, reply, command, authority).await,
                None => Ok(After::Done),
            },
            MessageKind::Nightly { slot } => {
                let home = &self.home;
                let sent = delivery.sent.or_else(|| Some(home.clock.now()));
                let notified = nightly(&home.store, &*home.doorbell, slot, sent, home.clock.now_seconds()).await;
                notified.map(|()| After::Done).map_err(|error| error.to_string())
            }
            MessageKind::Start { .. }
            | MessageKind::Match
            | MessageKind::Advance
            | MessageKind::ObserveSource
            | MessageKind::SyncPeople
            | MessageKind::ObserveTenant
            | MessageKind::TenantRequest { .. }
            | MessageKind::Write
            | MessageKind::WriteBack => {
                let ports = self.ports(&delivery.message.connection, delivery.begun, delivery.deadline).await?;
                hardmatch_match::answer(&ports, &delivery.message).await.map_err(|error| error.to_string())
            }
        }
    }
}

impl Matching {
    /// Carries out what an operator asks for, and leaves a reply. A request that cannot be carried out is refused in the
    /// reply; only a failure of our own leaves the message in its queue.
    async fn asked(
        &self,
        delivery: &Delivery,
        reply: &str,
        command: &Command,
        authority: CommandAuthority,
    ) -> Result<After, String> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        let connection = &delivery.message.connection;
        // A request that is delivered twice is answered once: an old request does not undo what was asked for since.
        if self.home.store.reply(connection, reply).await.map_err(|error| said(&error))?.is_some() {
            return Ok(After::Done);
        }
        let answer = match command {
            Command::Configure { text, tenant } => {
                self.configured(&Push { connection, text, tenant, authority }).await?
            }
            Command::Redrive => redrive::redrive(&self.home, delivery.deadline).await,
            // The table was opened when this process began; it may have been emptied since.
            Command::Wake if connection.as_str().is_empty() => {
                self.home.store.restore_secret().await.map_err(|error| said(&error))?;
                Reply::Done { run: None }
            }
            _ => match self.home.connections.open(connection).await {
                Ok(opened) => {
                    let request = Request {
                        connection,
                        run: &delivery.message.run,
                        command,
                        authority,
                        by: &delivery.sender,
                        reply,
                    };
                    let ports = self.ports_of(opened.scope.clone(), delivery.begun, delivery.deadline);
                    match handle_command(&ports, &request).await.map_err(|error| said(&error))? {
                        Handled::Replied(answer) => answer,
                        Handled::PassedOn => {
                            tracing::info!(connection.id = %connection, sender.id = delivery.principal(), reply.id = reply, "an operator's request was passed on");
                            return Ok(After::Done);
                        }
                    }
                }
                Err(ConnectionError::Store(error)) => return Err(said(&error)),
                Err(unfit) => Reply::Refused { why: said(&unfit) },
            },
        };
        self.replied(delivery, reply, &answer).await?;
        tracing::info!(connection.id = %connection, sender.id = delivery.principal(), reply.id = reply, "an operator's request was answered");
        Ok(After::Done)
    }

    /// Replies where commands belong, for a command line of an earlier version that sends them elsewhere.
    async fn misplaced(&self, delivery: &Delivery) -> Result<After, String> {
        let MessageKind::OperatorCommand { reply, .. } = &delivery.message.kind else { return Ok(After::Done) };
        let why = "commands are taken from the stack's queue of commands alone. Use the `hardmatch` of the version that is deployed";
        self.replied(delivery, reply, &Reply::Refused { why: why.to_owned() }).await?;
        Ok(After::Done)
    }

    async fn replied(&self, delivery: &Delivery, name: &str, reply: &Reply) -> Result<(), String> {
        let now = self.home.clock.now_seconds();
        let put = self.home.store.put_reply(&delivery.message.connection, name, reply, now).await;
        put.map_err(|error| error.to_string())
    }

    async fn configured(&self, push: &Push<'_>) -> Result<Reply, String> {
        match self.home.connections.configure(push).await {
            Ok(_) => Ok(Reply::Done { run: None }),
            Err(ConnectionError::Store(error)) => Err(error.to_string()),
            Err(unfit) => Ok(Reply::Refused { why: unfit.to_string() }),
        }
    }

    async fn tick(
        &self,
        connection: ConnectionId,
        begun: Begun,
        deadline: Timestamp,
        health: HealthNotes,
    ) -> Result<(), String> {
        let opened = self.home.connections.open(&connection).await.map_err(|error| error.to_string())?;
        let mut ports = self.ports_of(opened.scope, begun, deadline);
        ports.metrics = Arc::new(RunCosts::since(&self.home, begun).noting(health));
        look_after(&ports, &connection, &opened.meta).await.map_err(|error| error.to_string())?;
        if let Some(schedule) = &opened.config.schedule {
            begin_due(&ports, &connection, &opened.meta, schedule).await.map_err(|error| error.to_string())?;
        }
        watch_credential(&ports, &connection, &opened.meta).await.map_err(|error| error.to_string())
    }

    async fn ports(&self, connection: &ConnectionId, begun: Begun, deadline: Timestamp) -> Result<MatchPorts, String> {
        let opened = self.home.connections.open(connection).await.map_err(|error| error.to_string())?;
        Ok(self.ports_of(opened.scope, begun, deadline))
    }

    fn ports_of(&self, scope: TenantKey, begun: Begun, deadline: Timestamp) -> MatchPorts {
        let home = &self.home;
        MatchPorts {
            store: home.store.clone(),
            scope,
            blobs: Arc::clone(&home.blobs),
            clock: Arc::clone(&home.clock),
            doorbell: Arc::clone(&home.doorbell),
            policies: Arc::clone(&home.policies),
            metrics: Arc::new(RunCosts::since(home, begun)),
            deadline: Some(deadline),
        }
    }
}
