//! The `hardmatch` command: the same handlers as on AWS, in one process on embedded state.

mod args;
mod commands;
mod connection;
mod engine;
mod fail;
mod output;
mod progress;
#[cfg(feature = "aws")]
mod stack;
mod tokens;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Cli, Command};
use crate::fail::{Exit, Failure};

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = hardmatch_runtime::telemetry::start(hardmatch_runtime::telemetry::Format::Compact, "error") {
        output::note(format!("hardmatch: {error}"));
        return ExitCode::from(2);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::note(format!("hardmatch: cannot start: {error}"));
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
            _ = tokio::signal::ctrl_c() => Err(Failure::run(
                "stopped. Whatever was written is remembered; the same command goes on where it was",
            )),
        }
    });
    match ended {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(failure) => {
            output::note(format!("hardmatch: {failure}"));
            ExitCode::from(failure.code())
        }
    }
}

async fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Plan(args) => Box::pin(commands::run::plan(args)).await,
        Command::Apply(args) => Box::pin(commands::run::apply(args)).await,
        Command::Sync(args) => Box::pin(commands::run::sync(args)).await,
        Command::Explain(args) => commands::explain::explain(args).await,
        Command::Runs(command) => commands::runs::runs(command).await,
        Command::Config(command) => commands::config::config(command).await,
        Command::Init(args) => commands::init::init(args).await,
        Command::Doctor(common) => commands::doctor::doctor(common).await,
        Command::Connection(command) => commands::connection::connection(command).await,
        Command::Deploy(args) => commands::deploy::deploy(&args),
        Command::Auth(command) => commands::auth::auth(command).await,
        Command::Serve(args) => commands::serve::serve(args).await,
        Command::Demo(args) => commands::demo::demo(args).await,
    }
}
