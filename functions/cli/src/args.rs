//! The words of the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Keeps Microsoft 365 accounts in step with your directory, joins people to the accounts they already have, and
/// explains every decision.
///
/// Exit status: 0 converged, 1 could not run, 2 usage or configuration, 3 finished but people need attention or
/// approval.
#[derive(Debug, Parser)]
#[command(name = "hardmatch", version, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show hardmatch at work on a sample company and a simulated tenant; nothing leaves this machine
    Demo(DemoArgs),
    /// Write a hardmatch.toml to start from
    Init(InitArgs),
    /// Read both sides and show what would be done; writes nothing to the tenant
    Plan(PlanArgs),
    /// Do exactly what a plan shows, removals and approvals included
    Apply(ApplyArgs),
    /// Read both sides, plan, and write
    Sync(SyncArgs),
    /// Explain the decision about one person, from what was read last
    Explain(ExplainArgs),
    /// Check credentials, permissions, domains, licences and the source; writes nothing
    Doctor(Common),
    /// List and show past runs
    #[command(subcommand)]
    Runs(RunsCommand),
    /// Check, explain and test the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// Which connection, and how to answer.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// The connection's file
    #[arg(long, short, value_name = "FILE", default_value = "hardmatch.toml")]
    pub(crate) config: PathBuf,
    /// Print one JSON document on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Keep playing: use the folder of the last demo, or this one, and do not start anew
    #[arg(long)]
    pub(crate) keep: bool,
    /// Where the demo's files, tenant and state lie
    #[arg(long, value_name = "DIR", default_value = "hardmatch-demo")]
    pub(crate) folder: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// A people file to look at: its form and columns are entered
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    /// Where to write
    #[arg(long, short, value_name = "FILE", default_value = "hardmatch.toml")]
    pub(crate) config: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Decide everybody again, not only those whose facts changed
    #[arg(long)]
    pub(crate) full: bool,
    /// Take the source's columns and keys as they are now, whatever they were before
    #[arg(long)]
    pub(crate) accept_source: bool,
    /// With --json: include a row for each person
    #[arg(long)]
    pub(crate) rows: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// The plan's hash; eight digits or more
    pub(crate) hash: String,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct SyncArgs {
    /// One person only: key, sign-in name, address or object id
    pub(crate) who: Option<String>,
    #[command(flatten)]
    pub(crate) common: Common,
    /// Accept the stop of a first run or of a widened policy; never the guard, never an approval
    #[arg(long)]
    pub(crate) yes: bool,
    /// Decide everybody again, not only those whose facts changed
    #[arg(long)]
    pub(crate) full: bool,
    /// Take the source's columns and keys as they are now, whatever they were before
    #[arg(long)]
    pub(crate) accept_source: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Key, sign-in name, address or object id
    #[arg(required_unless_present = "reason")]
    pub(crate) who: Option<String>,
    #[command(flatten)]
    pub(crate) common: Common,
    /// Show what became of the person's changes
    #[arg(long)]
    pub(crate) history: bool,
    /// Explain a reason code instead
    #[arg(long, value_name = "CODE", conflicts_with = "who")]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// The connection's runs, newest first
    List(Common),
    /// One run
    Show(RunsShowArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RunsShowArgs {
    /// The run; the newest when left out
    pub(crate) run: Option<String>,
    #[command(flatten)]
    pub(crate) common: Common,
    /// Print where the HTML report lies
    #[arg(long)]
    pub(crate) html: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Find every problem in the file
    Check(Common),
    /// Say in words what the file will do
    Explain(Common),
    /// Print the file's JSON Schema, for editors
    Schema,
    /// Show what each expression gives for people of the source
    Test(ConfigTestArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ConfigTestArgs {
    /// People: key, sign-in name or address; the first three of the source when left out
    pub(crate) who: Vec<String>,
    #[command(flatten)]
    pub(crate) common: Common,
}
