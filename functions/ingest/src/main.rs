//! Wires ingest on AWS. One binary, deployed twice: the source side has no credentials for the tenant, the tenant side
//! has no way to the source.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_checkup::{Desk, answer, note_expiry};
use hardmatch_ingest::copied::{Bring, Copied};
use hardmatch_ingest::{After, SourcePorts, TenantPorts, observe_source, observe_tenant};
use hardmatch_ports::SourceError;
use hardmatch_ports::doorbell::BellKind;
use hardmatch_ports::tenant::Counters;
use hardmatch_runtime::env;
use hardmatch_wiring::clients::Clients;
use hardmatch_wiring::lambda::{Answer, Error, Home, Ring, Timestamp, needed, serve};
use hardmatch_wiring::policy::Location;
use hardmatch_wiring::source::source_at;
use hardmatch_wiring::tokens::TokenHome;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let side = needed(env::SIDE)?;
    let home = Home::open().await?;
    match side.as_str() {
        "source" => serve(home.clone(), Source { home }).await,
        "tenant" => {
            let tokens = TokenHome::open(&home)?;
            let clients = Clients::new(tokens.clone());
            serve(home.clone(), Tenant { home, clients, tokens }).await
        }
        other => Err(format!("{} is {other}; it must be source or tenant", env::SIDE.name).into()),
    }
}

struct Source {
    home: Home,
}

impl Answer for Source {
    async fn answer(&self, ring: Ring) -> Result<After, String> {
        let BellKind::ObserveSource = ring.bell.kind else { return Ok(After::Done) };
        let connection = &ring.bell.connection;
        let opened = self.home.connections.open(connection).await.map_err(|error| error.to_string())?;
        let Location::S3 { bucket, key } = &opened.config.source.location else {
            return Err("the source is a file of some machine; functions read people from s3://BUCKET/KEY. Put the file there and store the configuration again".to_owned());
        };
        let copy = copy_of(connection.as_str());
        let bucket = Bucket { home: self.home.clone(), bucket: bucket.clone(), key: key.clone(), copy: copy.clone() };
        let source = source_at(&opened.config, copy.clone(), &self.home.clock);
        let ports = SourcePorts {
            store: self.home.store.clone(),
            scope: opened.scope,
            source: Arc::new(Copied::new(bucket, source)),
            policies: Arc::clone(&self.home.policies),
            clock: Arc::clone(&self.home.clock),
            doorbell: Arc::clone(&self.home.doorbell),
            until: Some(ring.until),
        };
        let after = observe_source(&ports, connection, &ring.bell.run).await.map_err(|error| error.to_string());
        // The next one brings its own; people's records do not lie around in a warm function. There may be none.
        drop(tokio::fs::remove_file(&copy).await);
        after
    }
}

/// Where a source's file lies while it is read: each process has its own.
fn copy_of(connection: &str) -> PathBuf {
    PathBuf::from("/tmp").join(format!("people-of-{connection}-{}", std::process::id()))
}

/// The file of a source.
struct Bucket {
    home: Home,
    bucket: String,
    key: String,
    copy: PathBuf,
}

#[async_trait]
impl Bring for Bucket {
    async fn bring(&self) -> Result<(), SourceError> {
        self.home.aws.fetch(&self.bucket, &self.key, &self.copy).await.map_err(|error| SourceError {
            retry: error.passes(),
            problem: error.to_string(),
            cure: "What is there is read by the next run".to_owned(),
        })
    }

    fn location(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }
}

struct Tenant {
    home: Home,
    clients: Clients,
    tokens: TokenHome,
}

impl Answer for Tenant {
    async fn answer(&self, ring: Ring) -> Result<After, String> {
        let connection = &ring.bell.connection;
        let opened = self.home.connections.open(connection).await.map_err(|error| error.to_string())?;
        match &ring.bell.kind {
            BellKind::ObserveTenant => {}
            BellKind::Reach { reply, wish } => {
                let desk = Desk {
                    store: self.home.store.clone(),
                    vault: self.tokens.vault(connection),
                    means: self.tokens.means(connection),
                    clock: Arc::clone(&self.home.clock),
                };
                answer(&desk, connection, &opened, wish, reply).await.map_err(|error| error.to_string())?;
                return Ok(After::Done);
            }
            BellKind::ObserveSource
            | BellKind::Match
            | BellKind::Write
            | BellKind::Advance
            | BellKind::Start { .. }
            | BellKind::Nightly { .. }
            | BellKind::Tick
            | BellKind::Ask { .. } => return Ok(After::Done),
        }
        let client = self.clients.of(connection, &opened).map_err(|error| error.to_string())?;
        let ends = self.clients.credential_ends(connection).await;
        if opened.meta.credential_ends != ends.map(Timestamp::as_second) {
            note_expiry(&self.home.store, connection, ends).await.map_err(|error| error.to_string())?;
        }
        let ports = TenantPorts {
            store: self.home.store.clone(),
            scope: opened.scope,
            tenant: client.graph,
            policies: Arc::clone(&self.home.policies),
            clock: Arc::clone(&self.home.clock),
            doorbell: Arc::clone(&self.home.doorbell),
            blobs: Arc::clone(&self.home.blobs),
            until: Some(ring.until),
        };
        observe_tenant(&ports, connection, &ring.bell.run).await.map_err(|error| error.to_string())
    }

    fn calls(&self) -> Counters {
        self.clients.calls()
    }
}
