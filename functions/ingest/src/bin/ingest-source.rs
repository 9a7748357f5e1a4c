//! Wires the source side on AWS. No way to the tenant is linked here, and nothing that opens a credential.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_ingest::copied::{Bring, Copied};
use hardmatch_ingest::{After, SourcePorts, observe_source, observe_source_now, write_back};
use hardmatch_ports::doorbell::{MessageKind, Urgency};
use hardmatch_ports::{Source as PeopleSource, SourceError};
use hardmatch_wiring::lambda::{Delivery, Error, Home, MessageHandler, serve};
use hardmatch_wiring::policy::Location;
use hardmatch_wiring::pushed::PushedPeople;
use hardmatch_wiring::source::source_at;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let home = Home::open().await?;
    serve(home.clone(), Source { home }).await
}

struct Source {
    home: Home,
}

impl MessageHandler for Source {
    async fn answer(&self, delivery: Delivery) -> Result<After, String> {
        let writes = delivery.message.kind == MessageKind::WriteBack;
        if !writes && delivery.message.kind != MessageKind::ObserveSource {
            return Ok(After::Done);
        }
        let connection = &delivery.message.connection;
        let opened = self.home.connections.open(connection).await.map_err(|error| error.to_string())?;
        let copy = copy_of(connection.as_str());
        let source: Arc<dyn PeopleSource> = match &opened.config.source.location {
            Location::S3 { bucket, key } => {
                let file = PeoplesFile {
                    home: self.home.clone(),
                    bucket: bucket.clone(),
                    key: key.clone(),
                    copy: copy.clone(),
                };
                Arc::new(Copied::new(file, source_at(&opened.config, copy.clone(), &self.home.clock)))
            }
            Location::Pushed => Arc::new(PushedPeople::new(&opened.config, &self.home.store)),
            Location::File(_) | Location::Directory(_) | Location::Program { .. } | Location::Several(_) => {
                return Err("the source is a file of some machine, or a directory; functions read people from s3://BUCKET/KEY, or people who are pushed. Put the people there and store the configuration again".to_owned());
            }
        };
        let ports = SourcePorts {
            store: self.home.store.clone(),
            scope: opened.scope,
            source,
            policies: Arc::clone(&self.home.policies),
            clock: Arc::clone(&self.home.clock),
            doorbell: Arc::clone(&self.home.doorbell),
            deadline: Some(delivery.deadline),
        };
        let run = &delivery.message.run;
        let after = match delivery.message.urgency {
            _ if writes => write_back(&ports, connection, run).await,
            Urgency::Scheduled => observe_source(&ports, connection, run).await,
            Urgency::Now => observe_source_now(&ports, connection, run).await,
        };
        let after = after.map_err(|error| error.to_string());
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
struct PeoplesFile {
    home: Home,
    bucket: String,
    key: String,
    copy: PathBuf,
}

#[async_trait]
impl Bring for PeoplesFile {
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
