//! The functions, built as they are shipped, and the environment that the template gives each.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::doorbell::{Bell, BellKind};
use hardmatch_runtime::env::{self, Variable};
use serde_json::json;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// The profile of `infra/README.md`.
const PROFILE: &str = "lambda";
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The binaries; `ingest` is deployed twice.
pub(crate) const BINARIES: [&str; 4] = ["ingest", "match", "write", "connect"];

/// A function of the stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Function {
    /// As the stack names it.
    pub(crate) name: &'static str,
    /// Whose binary it runs.
    pub(crate) binary: &'static str,
    /// What it alone is told.
    own: &'static [(Variable, &'static str)],
    /// Something it may be asked, as Lambda hands it over.
    pub(crate) event: fn() -> String,
}

const TOKENS: [(Variable, &str); 2] =
    [(env::TOKEN_TABLE, "tokens"), (env::KEY, "arn:aws:kms:us-east-1:111122223333:key/bench")];

/// All functions.
pub(crate) const FUNCTIONS: [Function; 5] = [
    Function {
        name: "ingest-source",
        binary: "ingest",
        own: &[(env::SIDE, "source")],
        event: || bell(&of_run(BellKind::ObserveSource)),
    },
    Function {
        name: "ingest-tenant",
        binary: "ingest",
        own: &[(env::SIDE, "tenant"), TOKENS[0], TOKENS[1]],
        event: || bell(&of_run(BellKind::ObserveTenant)),
    },
    Function { name: "match", binary: "match", own: &[], event: || bell(&Bell::for_all(BellKind::Tick)) },
    Function { name: "write", binary: "write", own: &TOKENS, event: || bell(&of_run(BellKind::Write)) },
    Function {
        name: "connect",
        binary: "connect",
        own: &[TOKENS[0], TOKENS[1], (env::URL, "https://pages.example.com")],
        event: request,
    },
];

/// What every function is told.
const EVERY: [(Variable, &str); 11] = [
    (env::STACK, "bench"),
    (env::TABLE, "work"),
    (env::BUCKET, "plans"),
    (env::QUEUE_SOURCE, "https://sqs.us-east-1.amazonaws.com/111122223333/source"),
    (env::QUEUE_TENANT, "https://sqs.us-east-1.amazonaws.com/111122223333/tenant"),
    (env::QUEUE_MATCH, "https://sqs.us-east-1.amazonaws.com/111122223333/match"),
    (env::QUEUE_MATCH_NOW, "https://sqs.us-east-1.amazonaws.com/111122223333/match-now"),
    (env::QUEUE_WRITE, "https://sqs.us-east-1.amazonaws.com/111122223333/write"),
    (env::QUEUE_WRITE_NOW, "https://sqs.us-east-1.amazonaws.com/111122223333/write-now"),
    (env::LOG, "warn,hardmatch=info,ingest=info,match=info,write=info,connect=info"),
    (env::LOG_FORMAT, "json"),
];

impl Function {
    /// Its process as Lambda starts it, with the two services of this machine.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
    pub(crate) fn command(&self, runtime: &str, aws: &str) -> Command {
        let mut command = Command::new(binary(self.binary));
        command.env_clear();
        for (variable, value) in EVERY.iter().chain(self.own) {
            command.env(variable.name, value);
        }
        command.envs([
            ("AWS_LAMBDA_RUNTIME_API", runtime),
            ("AWS_LAMBDA_FUNCTION_NAME", self.name),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/hardmatch/bench"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("_HANDLER", "bootstrap"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "a secret of nobody"),
            ("AWS_SESSION_TOKEN", "a session of nobody"),
            ("AWS_ENDPOINT_URL", aws),
            ("HOME", "/nonexistent"),
            ("PATH", "/usr/bin:/bin"),
        ]);
        command
    }
}

/// A bell for work of a connection that nobody has configured.
fn of_run(kind: BellKind) -> Bell {
    Bell::new(ConnectionId::new("contoso"), "r1", kind)
}

/// One message of a queue, with a bell in it.
fn bell(bell: &Bell) -> String {
    json!({"Records": [{
        "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "receiptHandle": "receipt",
        "body": json!(bell).to_string(),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1791684000000",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1791684000001",
        },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:111122223333:bench-match",
        "awsRegion": "us-east-1",
    }]})
    .to_string()
}

/// A browser that opens a link whose ticket nobody knows.
fn request() -> String {
    json!({
        "version": "2.0",
        "routeKey": "ANY /connect/{proxy+}",
        "rawPath": "/connect/nobody",
        "rawQueryString": "",
        "headers": {"host": "pages.example.com", "accept": "text/html"},
        "requestContext": {
            "accountId": "111122223333", "apiId": "bench", "domainName": "pages.example.com",
            "domainPrefix": "pages", "requestId": "r1", "routeKey": "ANY /connect/{proxy+}", "stage": "$default",
            "time": "11/Oct/2026:02:00:00 +0000", "timeEpoch": 1_791_684_000_000_i64,
            "http": {"method": "GET", "path": "/connect/nobody", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "a browser"},
        },
        "isBase64Encoded": false,
    })
    .to_string()
}

/// Builds each as the README of `infra` says for x86_64; what is built already is not built again.
pub(crate) fn build() -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    for name in BINARIES {
        crate::table::note(&format!("  building {name}"));
        let package = format!("hardmatch-{name}");
        let built = Command::new(&cargo)
            .args(["build", "--quiet", "--locked", "--profile", PROFILE, "--target", TARGET])
            .args(["-p", &package, "--features", "lambda", "--target-dir"])
            .arg(target())
            .current_dir(ROOT)
            .status()
            .context("cargo")?;
        ensure!(built.success(), "{package} could not be built");
    }
    Ok(())
}

/// Where a binary lies, once it is built.
pub(crate) fn binary(name: &str) -> PathBuf {
    target().join(TARGET).join(PROFILE).join(name)
}

/// The folder that cargo builds into: it marks it, and the program that runs lies in it.
pub(crate) fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let marked = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    marked.map_or_else(|| Path::new(ROOT).join("target"), Path::to_path_buf)
}
