//! The `hardmatch` command: the same handlers as on AWS, in one process on embedded state.

mod args;
mod background;
mod commands;
mod connection;
mod engine;
mod fail;
mod installation;
mod lanes;
#[cfg(test)]
mod mentioned;
mod operator;
mod output;
mod passwords;
mod progress;
mod schedules;
mod simulated_state;
#[cfg(feature = "aws")]
mod stack;
mod tenant_side;
mod tokens;
mod webhook;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{AuthCommand, Cli, Command};
use crate::fail::{Exit, Failure};
use crate::installation::installation;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return unparsed(&error),
    };
    if cli.quiet {
        output::be_quiet();
    }
    let level = match cli.verbose {
        0 => "error",
        1 => "info",
        _ => "debug",
    };
    if let Err(error) = hardmatch_runtime::telemetry::start(hardmatch_runtime::telemetry::LogFormat::Compact, level) {
        output::error(format!("hardmatch: {error}"));
        return ExitCode::from(2);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::error(format!("hardmatch: cannot start: {error}"));
            return ExitCode::from(1);
        }
    };
    let ended = runtime.block_on(async {
        // Stops by itself when it is told to, its last pages served.
        if let Command::Serve(args) = cli.command {
            return commands::serve::serve(args).await;
        }
        tokio::select! {
            ended = run(cli.command) => ended,
            _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted(
                "stopped. Whatever was written is remembered; the same command goes on where it was".to_owned(),
            )),
        }
    });
    let code = match ended {
        Ok(exit) => exit.code(),
        Err(failure) => failed(&failure),
    };
    ended_with(code)
}

/// Flushes the result. A result that did not get there whole is an error, whatever the command did.
fn ended_with(code: u8) -> ExitCode {
    match output::finish() {
        None => ExitCode::from(code),
        Some(why) => {
            output::error(format!("hardmatch: the result could not be written to standard output: {why}"));
            ExitCode::from(if code == 0 { 1 } else { code })
        }
    }
}

/// Says why a command ended: for people on standard error, and for a program that waits for a document on standard
/// output, where it has none yet.
fn failed(failure: &Failure) -> u8 {
    output::error(format!("hardmatch: {failure}"));
    if wants_json() && !output::has_printed() {
        output::document(&error_document(&failure.to_string(), failure.code()));
    }
    failure.code()
}

/// Help and version, or words that are not understood.
fn unparsed(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        output::help(error);
        return ended_with(0);
    }
    // Where standard error cannot be written nobody is left to tell; the exit status says it.
    let _ = error.print();
    if wants_json() {
        output::document(&error_document(error.to_string().trim_end(), 2));
    }
    ended_with(2)
}

/// Whether `--json` was asked for, also by a command line that is not understood.
fn wants_json() -> bool {
    std::env::args_os().skip(1).take_while(|word| word != "--").any(|word| word == "--json")
}

fn error_document(message: &str, exit_status: u8) -> serde_json::Value {
    serde_json::json!({ "v": 1, "error": { "message": message, "exit_status": exit_status } })
}

async fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Plan(args) => installation(&args.common)?.plan(&args).await,
        Command::Apply(args) => installation(&args.common)?.apply(&args).await,
        Command::Sync(args) => commands::everywhere::sync(&args).await,
        Command::Explain(args) => commands::explain::explain(args).await,
        Command::Repair(command) => Box::pin(commands::repair::repair(command)).await,
        Command::Runs(command) => commands::runs::runs(command).await,
        Command::Config(command) => Box::pin(commands::config::config(command)).await,
        Command::Init(args) => commands::init::init(args).await,
        Command::Doctor(args) if args.permissions => commands::doctor::permissions(&args.common),
        Command::Doctor(args) => installation(&args.common)?.doctor(&args.common).await,
        Command::Connection(command) => commands::connection::connection(command).await,
        Command::Deploy(args) => commands::deploy::deploy(&args),
        Command::Auth(AuthCommand::Connect(args)) => installation(&args.common)?.connect(&args).await,
        Command::Auth(AuthCommand::Certificate(args)) => commands::auth::certificate(&args),
        Command::Auth(AuthCommand::Status(common)) => installation(&common)?.auth_status(&common).await,
        Command::Auth(AuthCommand::Reset(common)) => installation(&common)?.auth_reset(&common).await,
        Command::Auth(AuthCommand::Tokens(command)) => commands::auth::tokens(command).await,
        Command::Auth(AuthCommand::Disconnect(common)) => installation(&common)?.auth_disconnect(&common).await,
        Command::Serve(args) => Box::pin(commands::serve::serve(args)).await,
        Command::Demo(args) => Box::pin(commands::demo::demo(args)).await,
        Command::Approvals(command) => Box::pin(commands::approvals::approvals(command)).await,
        Command::Acknowledge(args) => commands::acknowledge::acknowledge(args).await,
        Command::Schedule(args) => commands::schedule::schedule(&args),
        Command::Completions(args) => commands::schedule::completions(&args),
    }
}
