//! Wires match on AWS: the store, blobs and queues, and no way to anybody else.

mod noted;
mod redrive;

use std::sync::Arc;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_match::{
    Admission, After, MatchPorts, Obeyed, Request, admit, nightly, obey, tick, tick_all, watch_credential,
};
use hardmatch_ports::command::{Authority, Command, Reply};
use hardmatch_ports::doorbell::BellKind;
use hardmatch_store::Scope;
use hardmatch_wiring::lambda::{Answer, Begun, Error, Home, Ring, Timestamp, serve};
use hardmatch_wiring::{ConnectionError, Push};

use crate::noted::Noted;

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
        let authority = match admit(&ring.queue, &ring.bell) {
            Admission::Work => None,
            Admission::Command(authority) => Some(authority),
            Admission::Misplaced => {
                tracing::warn!(sender.id = ring.principal(), "a command was in a queue of work and is not carried out");
                return self.misplaced(&ring).await;
            }
            Admission::Refused(why) => {
                tracing::warn!(sender.id = ring.principal(), "a message was left undone: {why}");
                return Ok(After::Done);
            }
        };
        match &ring.bell.kind {
            // About all connections: each by itself, and one that cannot be opened takes none along.
            BellKind::Tick => {
                let tick = |connection| self.tick(connection, ring.begun, ring.until);
                tick_all(&self.home.store, tick).await.map(|()| After::Done).map_err(|error| error.to_string())
            }
            BellKind::Ask { reply, command } => match authority {
                Some(authority) => self.asked(&ring, reply, command, authority).await,
                None => Ok(After::Done),
            },
            BellKind::Nightly { slot } => {
                let home = &self.home;
                let sent = ring.sent.or_else(|| Some(home.clock.now()));
                let rung = nightly(&home.store, &*home.doorbell, slot, sent).await;
                rung.map(|()| After::Done).map_err(|error| error.to_string())
            }
            BellKind::Start { .. }
            | BellKind::Match
            | BellKind::Advance
            | BellKind::ObserveSource
            | BellKind::ObserveTenant
            | BellKind::Reach { .. }
            | BellKind::Write => {
                let ports = self.ports(&ring.bell.connection, ring.begun, ring.until).await?;
                hardmatch_match::answer(&ports, &ring.bell).await.map_err(|error| error.to_string())
            }
        }
    }
}

impl Matching {
    /// Does what an operator asks for, and leaves a reply. What cannot be done is said there; only trouble of our own
    /// leaves the bell in its queue.
    async fn asked(&self, ring: &Ring, reply: &str, command: &Command, authority: Authority) -> Result<After, String> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        let connection = &ring.bell.connection;
        // Handed over again: an old request does not undo what somebody asked for since.
        if self.home.store.reply(connection, reply).await.map_err(|error| said(&error))?.is_some() {
            return Ok(After::Done);
        }
        let answer = match command {
            Command::Configure { text, tenant } => {
                self.configured(&Push { connection, text, tenant, authority }).await?
            }
            Command::Redrive => redrive::redrive(&self.home, ring.until).await,
            Command::Wake => Reply::Done { run: None },
            _ => match self.home.connections.open(connection).await {
                Ok(opened) => {
                    let request =
                        Request { connection, run: &ring.bell.run, command, authority, by: &ring.sender, reply };
                    let ports = self.ports_of(opened.scope.clone(), ring.begun, ring.until);
                    match obey(&ports, &request).await.map_err(|error| said(&error))? {
                        Obeyed::Replied(answer) => answer,
                        Obeyed::PassedOn => {
                            tracing::info!(connection.id = %connection, sender.id = ring.principal(), reply.id = reply, "an operator's request was passed on");
                            return Ok(After::Done);
                        }
                    }
                }
                Err(ConnectionError::Store(error)) => return Err(said(&error)),
                Err(unfit) => Reply::Refused { why: said(&unfit) },
            },
        };
        self.replied(ring, reply, &answer).await?;
        tracing::info!(connection.id = %connection, sender.id = ring.principal(), reply.id = reply, "an operator's request was answered");
        Ok(After::Done)
    }

    /// Says where commands belong: to a command line of an earlier version, which sends them elsewhere.
    async fn misplaced(&self, ring: &Ring) -> Result<After, String> {
        let BellKind::Ask { reply, .. } = &ring.bell.kind else { return Ok(After::Done) };
        let why = "commands are taken from the stack's queue of commands alone. Use the `hardmatch` of the version that is deployed";
        self.replied(ring, reply, &Reply::Refused { why: why.to_owned() }).await?;
        Ok(After::Done)
    }

    async fn replied(&self, ring: &Ring, name: &str, reply: &Reply) -> Result<(), String> {
        let now = self.home.clock.now_seconds();
        let put = self.home.store.put_reply(&ring.bell.connection, name, reply, now).await;
        put.map_err(|error| error.to_string())
    }

    async fn configured(&self, push: &Push<'_>) -> Result<Reply, String> {
        match self.home.connections.configure(push).await {
            Ok(_) => Ok(Reply::Done { run: None }),
            Err(ConnectionError::Store(error)) => Err(error.to_string()),
            Err(unfit) => Ok(Reply::Refused { why: unfit.to_string() }),
        }
    }

    async fn tick(&self, connection: ConnectionId, begun: Begun, until: Timestamp) -> Result<(), String> {
        let ports = self.ports(&connection, begun, until).await?;
        tick(&ports, &connection).await.map_err(|error| error.to_string())?;
        watch_credential(&ports, &connection).await.map_err(|error| error.to_string())
    }

    async fn ports(&self, connection: &ConnectionId, begun: Begun, until: Timestamp) -> Result<MatchPorts, String> {
        let opened = self.home.connections.open(connection).await.map_err(|error| error.to_string())?;
        Ok(self.ports_of(opened.scope, begun, until))
    }

    fn ports_of(&self, scope: Scope, begun: Begun, until: Timestamp) -> MatchPorts {
        let home = &self.home;
        MatchPorts {
            store: home.store.clone(),
            scope,
            blobs: Arc::clone(&home.blobs),
            clock: Arc::clone(&home.clock),
            doorbell: Arc::clone(&home.doorbell),
            policies: Arc::clone(&home.policies),
            meter: Arc::new(Noted::since(home, begun)),
            until: Some(until),
        }
    }
}
