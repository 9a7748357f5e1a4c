//! Wires the source side on AWS. No way to the tenant is linked here, and nothing that opens a credential.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_ingest::copied::{Bring, Copied};
use hardmatch_ingest::within::Within;
use hardmatch_ingest::{After, SourcePorts, observe_source, observe_source_now, write_back};
use hardmatch_ports::doorbell::{MessageKind, Urgency};
use hardmatch_ports::{Source as PeopleSource, SourceError};
use hardmatch_wiring::lambda::{Delivery, Error, Home, MessageHandler, SecretsManager, serve};
use hardmatch_wiring::policy::{AuthorityRef, Config, Location, SecretRef, SourceSettings};
use hardmatch_wiring::pushed::PushedPeople;
use hardmatch_wiring::source::{DirectoryMeans, directory_by, each_source, source_at};
use jiff::Timestamp;

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
        // The next message brings its own; people's records do not lie around in a warm function.
        let copies = tempfile::tempdir().map_err(|error| format!("no place for copies of the sources: {error}"))?;
        let source =
            self.opened(&opened.config, copies.path(), delivery.deadline).map_err(|error| error.to_string())?;
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
        after.map_err(|error| error.to_string())
    }
}

impl Source {
    /// What a configuration reads people from. Files and certificates are brought into the folder when they are asked for.
    fn opened(
        &self,
        config: &Config,
        copies: &Path,
        deadline: Timestamp,
    ) -> Result<Arc<dyn PeopleSource>, SourceError> {
        let source = each_source(config, Some(&self.home.blobs), |part, settings| {
            // A single source has no name, and a name of several begins with no dot.
            let copies = copies.join(part.unwrap_or(".one"));
            match &settings.location {
                Location::S3 { bucket, key } => {
                    let people = source_at(config, settings, copies.clone(), &self.home.clock);
                    let (home, bucket, key) = (self.home.clone(), bucket.clone(), key.clone());
                    let file = PeoplesFile { home, bucket, key, copy: copies };
                    Ok(Arc::new(Copied::new(file, people, Arc::clone(&self.home.clock))) as Arc<dyn PeopleSource>)
                }
                Location::Pushed => Ok(Arc::new(PushedPeople::new(config, &self.home.store))),
                Location::Directory(_) => self.directory(config, settings, part, copies),
                Location::File(_) | Location::Program { .. } | Location::Several(_) => Err(unfit(
                    "it is a file or a program of some machine; functions read people from s3://BUCKET/KEY, from a directory, or people who are pushed",
                )),
            }
        })?;
        Ok(match &config.source.location {
            Location::S3 { .. } | Location::Pushed => source,
            _ => Arc::new(Within::new(source, Arc::clone(&self.home.clock), deadline)),
        })
    }

    /// A directory, with the certificates of its authorities brought to a file when it is asked.
    fn directory(
        &self,
        config: &Config,
        settings: &SourceSettings,
        part: Option<&str>,
        authorities: PathBuf,
    ) -> Result<Arc<dyn PeopleSource>, SourceError> {
        let means = DirectoryMeans { secrets: Some(self.secrets.clone()), authorities: Some(authorities.clone()) };
        let found = directory_by(config, settings, part, &means, &self.home.clock, &self.home.blobs);
        let (Some(found), Some(directory)) = (found, &settings.directory) else {
            return Err(unfit("the configuration does not say how one signs in at the directory"));
        };
        // Refused when the configuration was opened; nothing else is asked for, whatever a configuration says.
        let own = |key: &str, arn: &str| {
            self.home.limits.source_secret(&config.connection, key, arn).map_err(|said| unfit(&said))
        };
        if let SecretRef::SecretsManager(arn) = &directory.password {
            own("source.password", arn)?;
        }
        if let AuthorityRef::SecretsManager(arn) = &directory.ca {
            own("source.ca", arn)?;
        }
        let bring = Authorities {
            home: self.home.clone(),
            secrets: Arc::clone(&self.secrets),
            from: directory.ca.clone(),
            to: authorities,
            location: settings.location.to_string(),
        };
        Ok(Arc::new(Copied::new(bring, found?, Arc::clone(&self.home.clock))))
    }
}

/// A configuration that functions do not carry out.
fn unfit(problem: &str) -> SourceError {
    SourceError {
        problem: problem.trim_end_matches('.').to_owned(),
        cure: "Correct the configuration and store it again".to_owned(),
        retry: false,
    }
}

/// The certificates of a directory's authorities.
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
