//! Wires the source side on AWS. No way to the tenant is linked here, and nothing that opens a credential.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_ingest::copied::{Bring, Copied};
use hardmatch_ingest::within::Within;
use hardmatch_ingest::{After, SourcePorts, observe_source, observe_source_now, write_back};
use hardmatch_ports::doorbell::{MessageKind, Urgency};
use hardmatch_ports::{Source as PeopleSource, SourceError};
use hardmatch_wiring::lambda::{Delivery, Error, Home, MessageHandler, SecretsManager, serve};
use hardmatch_wiring::policy::{AuthorityRef, Config, Location, SecretRef};
use hardmatch_wiring::pushed::PushedPeople;
use hardmatch_wiring::source::{DirectoryMeans, directory_by, source_at};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let home = Home::open().await?;
    let secrets = Arc::new(home.aws.secrets());
    serve(home.clone(), Source { home, secrets }).await
}

struct Source {
    home: Home,
    /// Passwords of directories, and certificates that are kept beside them.
    secrets: Arc<SecretsManager>,
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
                {
                    let people = source_at(&opened.config, copy.clone(), &self.home.clock);
                    Arc::new(Copied::new(file, people, Arc::clone(&self.home.clock)))
                }
            }
            Location::Pushed => Arc::new(PushedPeople::new(&opened.config, &self.home.store)),
            Location::Directory(_) => {
                let directory = self.directory(connection.as_str(), &opened.config)?;
                Arc::new(Within::new(directory, Arc::clone(&self.home.clock), delivery.deadline))
            }
            Location::File(_) | Location::Program { .. } | Location::Several(_) => {
                return Err("the source is a file or a program of some machine, or several sources; functions read people from s3://BUCKET/KEY, from a directory, or people who are pushed. Put the people there and store the configuration again".to_owned());
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

impl Source {
    /// A directory, with the certificates of its authorities brought here when it is asked.
    fn directory(&self, connection: &str, config: &Config) -> Result<Arc<dyn PeopleSource>, String> {
        let authorities = PathBuf::from("/tmp").join(format!("authorities-of-{connection}-{}", std::process::id()));
        let means = DirectoryMeans { secrets: Some(self.secrets.clone()), authorities: Some(authorities.clone()) };
        let found = directory_by(config, &means, &self.home.clock, &self.home.blobs);
        let (Some(found), Some(settings)) = (found, &config.source.directory) else {
            return Err("the configuration does not say how one signs in at the directory".to_owned());
        };
        // Refused when the configuration was opened; nothing else is asked for, whatever a configuration says.
        let own = |key: &str, arn: &str| self.home.limits.source_secret(&config.connection, key, arn);
        if let SecretRef::SecretsManager(arn) = &settings.password {
            own("source.password", arn)?;
        }
        if let AuthorityRef::SecretsManager(arn) = &settings.ca {
            own("source.ca", arn)?;
        }
        let bring = Authorities {
            home: self.home.clone(),
            secrets: Arc::clone(&self.secrets),
            from: settings.ca.clone(),
            to: authorities,
            location: config.source.location.to_string(),
        };
        let found = found.map_err(|error| error.to_string())?;
        Ok(Arc::new(Copied::new(bring, found, Arc::clone(&self.home.clock))))
    }
}

/// The certificates of a directory's authorities. They are no secret, and stay in a warm function.
struct Authorities {
    home: Home,
    secrets: Arc<SecretsManager>,
    from: AuthorityRef,
    to: PathBuf,
    location: String,
}

#[async_trait]
impl Bring for Authorities {
    async fn bring(&self) -> Result<Option<i64>, SourceError> {
        let told = |problem: String, retry: bool| SourceError {
            problem: format!("[source] ca: {}", problem.trim_end_matches('.')),
            cure: "The next run looks again".to_owned(),
            retry,
        };
        match &self.from {
            AuthorityRef::S3 { bucket, key } => {
                let fetched = self.home.aws.fetch(bucket, key, &self.to).await;
                fetched.map_err(|error| told(error.to_string(), error.passes()))?;
            }
            AuthorityRef::SecretsManager(arn) => {
                self.secrets.copy(arn, &self.to).await.map_err(|error| told(error.0, false))?;
            }
            AuthorityRef::File(_) => return Err(told("it is a file of some machine".to_owned(), false)),
        }
        // Certificates do not grow old as people do.
        Ok(None)
    }

    fn location(&self) -> String {
        self.location.clone()
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
    async fn bring(&self) -> Result<Option<i64>, SourceError> {
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
