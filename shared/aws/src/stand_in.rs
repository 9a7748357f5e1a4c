//! A stand-in for AWS on this machine, for tests: [ministack](https://pypi.org/project/ministack/), installed under
//! `target/` the first time, started once for all tests of a process, gone when the process is. Every test has an account
//! of its own, so that names never collide.

mod install;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use hardmatch_ports::Clock;

use crate::aws::Aws;
use crate::table::DynamoTable;

pub use self::install::{PACKAGES, venv};

const SERVER: &str = include_str!("stand_in/server.py");
/// The region of every account.
pub const REGION: &str = "us-east-1";

/// Whether roles and policies count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StandInPolicies {
    /// Everybody may do everything.
    #[default]
    Ignored,
    /// As on AWS: functions may do what their roles allow.
    Enforced,
}

/// A server that runs until this value is dropped, or the process has ended.
pub struct StandIn {
    server: Mutex<Server>,
    endpoint: String,
    log: PathBuf,
    /// What it unpacks there, functions among it, goes with it.
    room: PathBuf,
    accounts: AtomicU64,
}

/// The process. It ends when its input does.
struct Server {
    child: Child,
    tell: Option<ChildStdin>,
    hear: BufReader<ChildStdout>,
}

/// The stand-in could not be had; the message says what is missing.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct StandInError(pub(crate) String);

impl StandIn {
    /// The one server of this process, started when it is first asked for. Policies are ignored.
    pub fn shared() -> Result<&'static Self, StandInError> {
        static SHARED: OnceLock<Result<StandIn, StandInError>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(StandInPolicies::Ignored)).as_ref().map_err(Clone::clone)
    }

    /// A server of one's own.
    pub fn start(policies: StandInPolicies) -> Result<Self, StandInError> {
        static STARTED: AtomicU64 = AtomicU64::new(0);
        let venv = venv(&PACKAGES)?;
        let failed =
            |what: &str, error: &dyn std::fmt::Display| StandInError(format!("the AWS stand-in {what}: {error}"));
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let scratch = venv.join("scratch");
        let room = scratch.join(format!("room-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&room).map_err(|error| failed("has no room", &error))?;
        let log = scratch.join(format!("server-{}-{number}.log", std::process::id()));
        let mut child = Command::new(venv.join("bin/python3"))
            .args(["-c", SERVER])
            .arg(&log)
            .env("AUTH", if policies == StandInPolicies::Enforced { "true" } else { "false" })
            .env("TMPDIR", &room)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| failed("does not start", &error))?;
        let (Some(tell), Some(out)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed("has no pipes; its log", &log.display()));
        };
        let mut server = Server { child, tell: Some(tell), hear: BufReader::new(out) };
        let mut line = String::new();
        server.hear.read_line(&mut line).map_err(|error| failed("says nothing", &error))?;
        let Some(port) = line.trim().strip_prefix("ready ") else {
            // The end of its output is the end of it: nothing is waited for long.
            server.end();
            return Err(failed("did not get ready; its log", &log.display()));
        };
        Ok(Self {
            server: Mutex::new(server),
            endpoint: format!("http://127.0.0.1:{port}"),
            log,
            room,
            accounts: AtomicU64::new(100_000_000_001),
        })
    }

    /// What `AWS_ENDPOINT_URL` is to be for other processes.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What the server has to say.
    pub fn log(&self) -> &std::path::Path {
        &self.log
    }

    /// Ends the processes of a function that are at work now, with SIGKILL: what a host does that fails. How many.
    pub fn kill(&self, function: &str) -> Result<usize, StandInError> {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |error: &dyn std::fmt::Display| StandInError(format!("the AWS stand-in does not kill: {error}"));
        let Some(tell) = &mut server.tell else { return Err(failed(&"it has ended")) };
        writeln!(tell, "kill {function}").map_err(|error| failed(&error))?;
        let mut line = String::new();
        server.hear.read_line(&mut line).map_err(|error| failed(&error))?;
        let count = line.trim().strip_prefix("killed ").and_then(|count| count.parse().ok());
        count.ok_or_else(|| failed(&line.trim()))
    }

    /// An account that nobody has used.
    pub fn account(&self) -> StandInAccount {
        StandInAccount { endpoint: self.endpoint.clone(), id: self.accounts.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.server.get_mut().unwrap_or_else(PoisonError::into_inner).end();
        let _ = std::fs::remove_dir_all(&self.room);
    }
}

impl Server {
    fn end(&mut self) {
        drop(self.tell.take());
        let _ = self.child.wait();
    }
}

/// An empty account.
#[derive(Clone, Debug)]
pub struct StandInAccount {
    endpoint: String,
    id: u64,
}

impl StandInAccount {
    /// Its number, which is also its access key; the secret key is `test`.
    pub fn id(&self) -> String {
        self.id.to_string()
    }

    /// The configuration of its clients.
    pub async fn config(&self) -> SdkConfig {
        aws_config::defaults(BehaviorVersion::latest())
            .endpoint_url(&self.endpoint)
            .region(Region::from_static(REGION))
            .credentials_provider(Credentials::new(self.id(), "test", None, None, "stand-in"))
            .empty_test_environment()
            .load()
            .await
    }

    /// Its adapters.
    pub async fn aws(&self, clock: Arc<dyn Clock>) -> Aws {
        Aws::with(self.config().await, clock)
    }

    /// Makes a table and gives the adapter.
    pub async fn table(&self, name: &str, clock: Arc<dyn Clock>) -> Result<DynamoTable, StandInError> {
        let aws = self.aws(clock).await;
        let text = |name: &str| {
            AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build()
        };
        let part = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
        aws_sdk_dynamodb::Client::new(aws.config())
            .create_table()
            .table_name(name)
            .billing_mode(BillingMode::PayPerRequest)
            .attribute_definitions(text("pk").map_err(made)?)
            .attribute_definitions(text("sk").map_err(made)?)
            .key_schema(part("pk", KeyType::Hash).map_err(made)?)
            .key_schema(part("sk", KeyType::Range).map_err(made)?)
            .send()
            .await
            .map_err(made)?;
        Ok(aws.table(name))
    }

    /// Makes a bucket.
    pub async fn bucket(&self, name: &str) -> Result<(), StandInError> {
        let config = aws_sdk_s3::config::Builder::from(&self.config().await).force_path_style(true).build();
        aws_sdk_s3::Client::from_conf(config).create_bucket().bucket(name).send().await.map_err(made)?;
        Ok(())
    }

    /// Makes a queue and gives its URL.
    pub async fn queue(&self, name: &str) -> Result<String, StandInError> {
        let made_queue = aws_sdk_sqs::Client::new(&self.config().await)
            .create_queue()
            .queue_name(name)
            .send()
            .await
            .map_err(made)?;
        Ok(made_queue.queue_url.unwrap_or_default())
    }

    /// Makes a key and gives its ARN.
    pub async fn key(&self) -> Result<String, StandInError> {
        let made_key = aws_sdk_kms::Client::new(&self.config().await).create_key().send().await.map_err(made)?;
        Ok(made_key.key_metadata.and_then(|key| key.arn).unwrap_or_default())
    }

    /// Makes a secret and gives its ARN.
    pub async fn secret(&self, name: &str, value: &str) -> Result<String, StandInError> {
        let client = aws_sdk_secretsmanager::Client::new(&self.config().await);
        let made_secret = client.create_secret().name(name).secret_string(value).send().await.map_err(made)?;
        Ok(made_secret.arn.unwrap_or_default())
    }
}

fn made(error: impl std::error::Error) -> StandInError {
    let mut text = format!("the AWS stand-in did not make it: {error}");
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    StandInError(text)
}
