//! Wires match on AWS: the store, blobs and queues, and no way to anybody else.

use std::sync::Arc;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_match::{After, MatchPorts, Meter};
use hardmatch_ports::doorbell::BellKind;
use hardmatch_ports::table::Units;
use hardmatch_ports::tenant::Counters;
use hardmatch_runtime::Outcome;
use hardmatch_store::costs::Cost;
use hardmatch_wiring::lambda::{Answer, Error, Home, Ring, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let home = Home::open().await?;
    serve(home.clone(), Matching { home }).await
}

struct Matching {
    home: Home,
}

impl Answer for Matching {
    async fn answer(&self, ring: Ring) -> Result<Outcome, String> {
        match &ring.bell.kind {
            // About all connections: each by itself, and one that cannot be opened takes none along.
            BellKind::Tick => {
                let connections = self.home.store.connections().await.map_err(|error| error.to_string())?;
                for connection in connections {
                    if let Err(error) = self.tick(&connection).await {
                        tracing::error!(connection.id = %connection, error, "a connection could not be looked after");
                    }
                }
                Ok(Outcome::Done)
            }
            _ => {
                let ports = self.ports(&ring.bell.connection, &ring.bell.run).await?;
                let after = hardmatch_match::answer(&ports, &ring.bell).await.map_err(|error| error.to_string())?;
                Ok(match after {
                    After::Done => Outcome::Done,
                    After::Again(delay) => Outcome::Again(delay),
                })
            }
        }
    }
}

impl Matching {
    async fn tick(&self, connection: &ConnectionId) -> Result<(), String> {
        let ports = self.ports(connection, "").await?;
        hardmatch_match::tick(&ports, connection).await.map_err(|error| error.to_string())
    }

    async fn ports(&self, connection: &ConnectionId, run: &str) -> Result<MatchPorts, String> {
        let home = &self.home;
        let opened = home.connections.open(connection).await.map_err(|error| error.to_string())?;
        Ok(MatchPorts {
            store: home.store.clone(),
            scope: opened.scope,
            blobs: Arc::clone(&home.blobs),
            clock: Arc::clone(&home.clock),
            doorbell: Arc::clone(&home.doorbell),
            policies: Arc::clone(&home.policies),
            meter: Arc::new(Noted::of(home, run).await?),
        })
    }
}

/// What the bells of a run have noted so far.
struct Noted(Cost);

impl Noted {
    async fn of(home: &Home, run: &str) -> Result<Self, String> {
        if run.is_empty() {
            return Ok(Self(Cost::default()));
        }
        home.store.costs(run).await.map(Self).map_err(|error| error.to_string())
    }
}

impl Meter for Noted {
    fn read(&self) -> (Counters, Units) {
        (self.0.calls, self.0.units)
    }
}
