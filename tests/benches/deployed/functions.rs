//! The functions, built as they are shipped, and the environment that the template gives each.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use hardmatch_aws::stand_in::venv;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::doorbell::{Message, MessageKind};
use hardmatch_runtime::env::{self, Variable};
use serde_json::json;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// The profile of `infra/README.md`.
pub(crate) const PROFILE: &str = "lambda";
const X86_TARGET: &str = "x86_64-unknown-linux-gnu";
/// Where functions for arm64 are put, below the folder that cargo builds into.
const ARM_FOLDER: &str = "arm64-functions";
/// What builds for arm64 on a machine that is none. It brings Zig along, whose linker knows every version of glibc.
const CROSS: [&str; 2] = ["cargo-lambda==1.9.2", "ziglang==0.17.1"];

/// What a function is built for: the template's parameter of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Architecture {
    /// `x86_64`
    X86,
    /// `arm64`
    Arm64,
}

impl Architecture {
    /// As AWS calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

/// A function of the stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Function {
    /// As the stack names it, and as its binary is called.
    pub(crate) name: &'static str,
    package: &'static str,
    /// Makes the binary a function.
    feature: &'static str,
    /// What it alone is told.
    own: &'static [(Variable, &'static str)],
    /// Something it may be asked, as Lambda hands it over.
    pub(crate) event: fn() -> String,
}

const TOKENS: [(Variable, &str); 2] =
    [(env::TOKEN_TABLE, "tokens"), (env::KEY, "arn:aws:kms:us-east-1:111122223333:key/bench")];

/// All functions.
pub(crate) const FUNCTIONS: [Function; 6] = [
    Function {
        name: "ingest-source",
        package: "hardmatch-ingest",
        feature: "lambda-source",
        own: &[],
        event: || message(&of_run(MessageKind::ObserveSource)),
    },
    Function {
        name: "ingest-tenant",
        package: "hardmatch-ingest",
        feature: "lambda-tenant",
        own: &TOKENS,
        event: || message(&of_run(MessageKind::ObserveTenant)),
    },
    Function {
        name: "match",
        package: "hardmatch-match",
        feature: "lambda",
        own: &[],
        event: || message(&Message::for_all(MessageKind::Tick)),
    },
    Function {
        name: "write",
        package: "hardmatch-write",
        feature: "lambda",
        own: &TOKENS,
        event: || message(&of_run(MessageKind::Write)),
    },
    Function {
        name: "connect",
        package: "hardmatch-connect",
        feature: "lambda",
        own: &[TOKENS[0], TOKENS[1], (env::URL, "https://pages.example.com")],
        event: || request("/connect/nobody", "ANY /connect/{proxy+}"),
    },
    Function {
        name: "webhook",
        package: "hardmatch-webhook",
        feature: "lambda",
        own: &[(env::URL, "https://pages.example.com")],
        event: || request("/connections/nobody/scim/v2/Users", "ANY /connections/{proxy+}"),
    },
];

/// What every function is told.
const EVERY: [(Variable, &str); 10] = [
    (env::ALLOWED_HOSTS, "login.microsoftonline.com,graph.microsoft.com,127.0.0.1:*"),
    (env::STACK, "bench"),
    (env::TABLE, "work"),
    (env::BUCKET, "plans"),
    (env::QUEUE_SOURCE, "https://sqs.us-east-1.amazonaws.com/111122223333/source"),
    (env::QUEUE_TENANT, "https://sqs.us-east-1.amazonaws.com/111122223333/tenant"),
    (env::QUEUE_MATCH, "https://sqs.us-east-1.amazonaws.com/111122223333/match"),
    (env::QUEUE_WRITE, "https://sqs.us-east-1.amazonaws.com/111122223333/write"),
    (env::LOG, "warn,hardmatch=info,ingest=info,match=info,write=info,connect=info,webhook=info"),
    (env::LOG_FORMAT, "json"),
];

impl Function {
    /// Where its binary lies, once it is built.
    pub(crate) fn binary(&self, architecture: Architecture) -> PathBuf {
        match architecture {
            Architecture::X86 => target().join(X86_TARGET).join(PROFILE).join(self.name),
            Architecture::Arm64 => target().join(ARM_FOLDER).join(self.name).join("bootstrap"),
        }
    }

    /// Its process as Lambda starts it, with the two services of this machine.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
    pub(crate) fn command(&self, runtime: &str, aws: &str) -> Command {
        let mut command = Command::new(self.binary(Architecture::X86));
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

/// A message for work of a connection that nobody has configured.
fn of_run(kind: MessageKind) -> Message {
    Message::new(ConnectionId::new("contoso"), "r1", kind)
}

/// One SQS record with a message in it.
fn message(message: &Message) -> String {
    json!({"Records": [{
        "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "receiptHandle": "receipt",
        "body": json!(message).to_string(),
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

/// Somebody who calls with a ticket, or a token, that nobody knows.
fn request(path: &str, route: &str) -> String {
    json!({
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "pages.example.com", "accept": "text/html"},
        "requestContext": {
            "accountId": "111122223333", "apiId": "bench", "domainName": "pages.example.com",
            "domainPrefix": "pages", "requestId": "r1", "routeKey": route, "stage": "$default",
            "time": "11/Oct/2026:02:00:00 +0000", "timeEpoch": 1_791_684_000_000_i64,
            "http": {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "a browser"},
        },
        "isBase64Encoded": false,
    })
    .to_string()
}

/// Builds each as the README of `infra` says for the architecture; what is built already is not built again.
pub(crate) fn build(architecture: Architecture) -> anyhow::Result<()> {
    let mut search = std::env::var_os("PATH").unwrap_or_default();
    if architecture == Architecture::Arm64 {
        // Before all others: what is measured is built with these versions.
        let tools = venv(&CROSS)?.join("bin");
        search = std::env::join_paths([tools].into_iter().chain(std::env::split_paths(&search)))?;
    }
    for function in FUNCTIONS {
        crate::table::note(&format!("  building {} for {}", function.name, architecture.name()));
        let mut cargo = Command::new("cargo");
        cargo.args(match architecture {
            Architecture::X86 => &["build", "--target", X86_TARGET][..],
            Architecture::Arm64 => &["lambda", "build", "--arm64", "--lambda-dir"],
        });
        if architecture == Architecture::Arm64 {
            cargo.arg(target().join(ARM_FOLDER));
        }
        let built = cargo
            .args(["--quiet", "--locked", "--profile", PROFILE, "-p", function.package, "--features", function.feature])
            .args(["--bin", function.name])
            // Not as an argument, which cargo lambda hands on to where none is taken.
            .env("CARGO_TARGET_DIR", target())
            .env("PATH", &search)
            .current_dir(ROOT)
            .status()
            .context("cargo")?;
        ensure!(built.success(), "{} could not be built for {}", function.name, architecture.name());
    }
    Ok(())
}

/// The folder that cargo builds into: it marks it, and the program that runs lies in it.
pub(crate) fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let marked = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    marked.map_or_else(|| Path::new(ROOT).join("target"), Path::to_path_buf)
}
