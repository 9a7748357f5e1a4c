//! The words of the command line.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::fail::Failure;

/// Keeps Microsoft 365 accounts in step with your directory, joins people to the accounts they already have, and
/// explains every decision.
///
/// Exit status: 0 nothing is left to do, 1 could not run, 2 usage or configuration, 3 finished but people need attention
/// or approval, 4 the plan has changes (with --detailed-exitcode), 130 stopped with Ctrl-C.
#[derive(Debug, Parser)]
#[command(
    name = "hardmatch",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = "Examples:\n  hardmatch demo\n  hardmatch init --from people.csv\n  hardmatch plan\n  hardmatch apply 4f1c9a02b3aa"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Say nothing but results and errors
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Log what is done to standard error; twice for more
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// The connection's file when none is named.
fn default_config() -> PathBuf {
    let named = hardmatch_runtime::env::read(hardmatch_runtime::env::CONFIG.name).ok().flatten();
    named.filter(|name| !name.is_empty()).map_or_else(|| PathBuf::from("hardmatch.toml"), PathBuf::from)
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show hardmatch at work on a sample company and a simulated tenant; nothing leaves this machine
    #[command(after_help = "Examples:\n  hardmatch demo\n  hardmatch demo --keep")]
    Demo(DemoArgs),
    /// Write a hardmatch.toml to start from
    #[command(
        after_help = "Examples:\n  hardmatch init --from people.csv\n  hardmatch init --from export.csv --domain contoso.com --yes"
    )]
    Init(InitArgs),
    /// Read both sides and show what would be done; writes nothing to the tenant
    #[command(
        after_help = "Examples:\n  hardmatch plan\n  hardmatch plan --all > plan.txt\n  hardmatch plan --detailed-exitcode --quiet"
    )]
    Plan(PlanArgs),
    /// Do exactly what a plan shows, removals and approvals included
    #[command(after_help = "Examples:\n  hardmatch apply 4f1c9a02b3aa")]
    Apply(ApplyArgs),
    /// Read both sides, plan, and write
    #[command(
        after_help = "Examples:\n  hardmatch sync\n  hardmatch sync ada@contoso.com\n  hardmatch sync ada@contoso.com --all-connections"
    )]
    Sync(SyncArgs),
    /// Explain the decision about one person, from what was read last
    #[command(
        after_help = "Examples:\n  hardmatch explain ada@contoso.com\n  hardmatch explain karl\n  hardmatch explain karl --account\n  hardmatch explain --reason anchor_conflict"
    )]
    Explain(ExplainArgs),
    /// List changes that wait for an approval, approve or reject them
    #[command(subcommand)]
    #[command(
        after_help = "Examples:\n  hardmatch approvals list\n  hardmatch approvals approve 4f1c9a02b3aa --comment \"seen with HR\"\n  hardmatch approvals approve --action delete\n  hardmatch approvals reject --person ada@contoso.com"
    )]
    Approvals(ApprovalsCommand),
    /// Acknowledge what is known of one person: until a day, or until the facts change, it does not set the exit status
    #[command(
        after_help = "Examples:\n  hardmatch acknowledge ada@contoso.com --until 2026-12-31 --comment \"HR corrects the address\"\n  hardmatch acknowledge ada@contoso.com --withdraw"
    )]
    Acknowledge(AcknowledgeArgs),
    /// Check credentials, permissions, domains, licences and the source; writes nothing
    #[command(
        after_help = "Examples:\n  hardmatch doctor\n  hardmatch doctor --permissions\n  hardmatch doctor --json"
    )]
    Doctor(DoctorArgs),
    /// Connect the tenant, see how it is connected, give it up
    #[command(subcommand)]
    #[command(after_help = "Examples:\n  hardmatch auth status\n  hardmatch auth connect")]
    Auth(AuthCommand),
    /// Serve what others push, by SCIM, bulk upload and hooks, and the pages for connecting tenants, until ctrl-c
    #[command(after_help = "Examples:\n  hardmatch serve --port 8443\n  hardmatch serve --port 8080 --json")]
    Serve(ServeArgs),
    /// Find broken joins of people and accounts, and repair them
    #[command(subcommand)]
    #[command(
        after_help = "Examples:\n  hardmatch repair audit\n  hardmatch repair start ada@contoso.com\n  hardmatch repair list"
    )]
    Repair(RepairCommand),
    /// List and show past runs
    #[command(subcommand)]
    #[command(after_help = "Examples:\n  hardmatch runs list\n  hardmatch runs show")]
    Runs(RunsCommand),
    /// Check, explain and test the configuration
    #[command(subcommand)]
    #[command(after_help = "Examples:\n  hardmatch config check\n  hardmatch config explain")]
    Config(ConfigCommand),
    /// Pause a deployed connection, switch actions off, end a quarantine, put dead letters back
    #[command(subcommand)]
    #[command(after_help = "Examples:\n  hardmatch connection pause\n  hardmatch connection resume")]
    Connection(ConnectionCommand),
    /// Print the commands that build and deploy the functions with the AWS command line
    #[command(after_help = "Examples:\n  hardmatch deploy --bucket my-artifacts")]
    Deploy(DeployArgs),
    /// Print lines that run hardmatch by its [schedule], or every night: cron, systemd, Windows Task Scheduler
    #[command(after_help = "Examples:\n  hardmatch schedule\n  hardmatch schedule --for cron --at 01:15")]
    Schedule(ScheduleArgs),
    /// Print a script that completes commands in a shell
    #[command(
        after_help = "Examples:\n  hardmatch completions bash > /etc/bash_completion.d/hardmatch\n  hardmatch completions powershell >> $PROFILE"
    )]
    Completions(CompletionsArgs),
}

/// Which connection, and how to answer.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// The connection's file; HARDMATCH_CONFIG names another default
    #[arg(long, short, value_name = "FILE", default_value_os_t = default_config())]
    pub(crate) config: PathBuf,
    /// Act on a deployed stack, with your own AWS credentials, instead of on this machine
    #[arg(long, value_name = "NAME")]
    pub(crate) stack: Option<String>,
    /// With --stack: the connection as it is stored there, instead of a file
    #[arg(long, value_name = "NAME", requires = "stack", conflicts_with = "config")]
    pub(crate) connection: Option<String>,
    /// Print one JSON document on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Print which permissions each enabled feature needs, and why; asks nobody
    #[arg(long)]
    pub(crate) permissions: bool,
}

impl Common {
    /// The file, where the command line itself names one.
    pub(crate) fn named_config(&self) -> Option<&Path> {
        let names = |word: std::ffi::OsString| {
            let word = word.to_string_lossy();
            word.starts_with("--config") || (word.starts_with("-c") && !word.starts_with("--"))
        };
        std::env::args_os().any(names).then_some(&*self.config)
    }

    /// For a command that acts on this machine alone: a stack that is named must not be ignored.
    pub(crate) fn here(&self, command: &str, instead: &str) -> Result<(), Failure> {
        match &self.stack {
            None => Ok(()),
            Some(_) => {
                Err(Failure::usage(format!("`{command}` acts on this machine and does not take --stack. {instead}")))
            }
        }
    }

    /// How to name the same connection in another command.
    pub(crate) fn place(&self) -> String {
        match (&self.stack, &self.connection) {
            (None, _) => format!(" --config {}", self.config.display()),
            (Some(stack), None) => format!(" --stack {stack} --config {}", self.config.display()),
            (Some(stack), Some(connection)) => format!(" --stack {stack} --connection {connection}"),
        }
    }
}

impl Common {
    /// The options that name the connection in another command; empty where the default does.
    pub(crate) fn options(&self) -> String {
        let default = self.stack.is_none() && self.config == default_config();
        if default { String::new() } else { self.place() }
    }
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
    /// A people file to look at, or a directory (ldaps://HOST): its form and columns are entered
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) from: Option<PathBuf>,
    /// With a directory: the account that reads it, as a DN, user@domain or DOMAIN\user
    #[arg(long, value_name = "NAME", requires = "from")]
    pub(crate) bind: Option<String>,
    /// With a directory: where the account's password is kept, env:NAME or file:PATH; env:LDAP_PASSWORD when not said
    #[arg(long, value_name = "PLACE", requires = "from")]
    pub(crate) password: Option<String>,
    /// With a directory: the file with the certificate (PEM) of the authority that issued its own
    #[arg(long, value_name = "FILE", requires = "from")]
    pub(crate) ca: Option<PathBuf>,
    /// With a directory: the DN below which people are, instead of the part where most of them are
    #[arg(long, value_name = "DN", requires = "from")]
    pub(crate) base: Option<String>,
    /// Where to write
    #[arg(long, short, value_name = "FILE", default_value = "hardmatch.toml")]
    pub(crate) config: PathBuf,
    /// With --from: build sign-in names from login names and this domain, where the file has no sign-in names
    #[arg(long, value_name = "DOMAIN", requires = "from")]
    pub(crate) domain: Option<String>,
    /// Ask nothing; what is in doubt is left out and named
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Print one JSON document on standard output, and ask nothing
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Decide everybody again, not only those whose facts changed
    #[arg(long)]
    pub(crate) full: bool,
    /// Take the source's columns and keys as they are now, whatever they were before
    #[arg(long)]
    pub(crate) accept_source: bool,
    /// Send again now what the tenant refused lately, instead of waiting for its day
    #[arg(long)]
    pub(crate) retry: bool,
    /// With --json: include a row for each person
    #[arg(long)]
    pub(crate) rows: bool,
    /// Instead of the plan: the tenant's accounts that belong to nobody, as CSV
    #[arg(long, conflicts_with_all = ["rows", "stack"])]
    pub(crate) unmatched: bool,
    /// Keep the facts of this plan, everybody decided, in a new file; it holds personal data
    #[arg(long, value_name = "FILE", conflicts_with_all = ["unmatched", "from"])]
    pub(crate) record: Option<PathBuf>,
    /// Decide from recorded facts, and ask nobody; with --config, whom that configuration decides otherwise
    #[arg(long, value_name = "FILE", conflicts_with_all = ["stack", "unmatched", "full", "accept_source", "retry"])]
    pub(crate) from: Option<PathBuf>,
    /// Show everybody, however many
    #[arg(long)]
    pub(crate) all: bool,
    /// Exit with 4 when the plan has changes, 0 when it has none and nobody needs attention
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// The plan's hash; eight digits or more
    pub(crate) hash: String,
    #[command(flatten)]
    pub(crate) common: Common,
    /// Show everybody, however many
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct SyncArgs {
    /// One person only: key, sign-in name, address or object id
    pub(crate) who: Option<String>,
    #[command(flatten)]
    pub(crate) common: Common,
    /// With a person: of every connection of the stack, or of every file beside the connection's
    #[arg(long, requires = "who", conflicts_with_all = ["json", "connection"])]
    pub(crate) all_connections: bool,
    /// Accept the stop of a first run or of a widened policy; never the guard, never an approval
    #[arg(long)]
    pub(crate) yes: bool,
    /// Decide everybody again, not only those whose facts changed
    #[arg(long)]
    pub(crate) full: bool,
    /// Take the source's columns and keys as they are now, whatever they were before
    #[arg(long)]
    pub(crate) accept_source: bool,
    /// Send again now what the tenant refused lately, instead of waiting for its day
    #[arg(long)]
    pub(crate) retry: bool,
    /// Only when a time of the file's [schedule] has come; a time that comes while a run is open is skipped
    #[arg(long, conflicts_with_all = ["who", "yes", "full", "accept_source", "retry", "stack"])]
    pub(crate) scheduled: bool,
    /// Show everybody, however many
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApprovalsCommand {
    /// The changes that wait, with reason, old and new
    #[command(after_help = "Examples:\n  hardmatch approvals list\n  hardmatch approvals list --action delete --json")]
    List(ApprovalsListArgs),
    /// Approve changes: each for seven days, as long as it is planned unchanged
    #[command(
        after_help = "Examples:\n  hardmatch approvals approve 4f1c9a02b3aa\n  hardmatch approvals approve --set 8c02d1e55a10"
    )]
    Approve(ApprovalsJudgeArgs),
    /// Reject changes: none comes back before its facts or the policy change
    #[command(after_help = "Examples:\n  hardmatch approvals reject 4f1c9a02b3aa --comment \"stays until May\"")]
    Reject(ApprovalsJudgeArgs),
}

/// Which of the changes that wait.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ApprovalFilter {
    /// Changes of one person: key, sign-in name, address or object id
    #[arg(long, value_name = "WHO")]
    pub(crate) person: Option<String>,
    /// Changes of one action: delete, suspend, repair, merge, purge, takeover, …
    #[arg(long)]
    pub(crate) action: Option<String>,
    /// Changes with this reason code
    #[arg(long, value_name = "CODE")]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ApprovalsListArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) filter: ApprovalFilter,
    /// Those too that are approved, rejected, or planned no more
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ApprovalsJudgeArgs {
    /// Changes by name; eight digits or more of each
    pub(crate) changes: Vec<String>,
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) filter: ApprovalFilter,
    /// Everything that waits, by the hash that `approvals list` shows: refused when others wait by now
    #[arg(long, value_name = "HASH", conflicts_with_all = ["changes", "person", "action", "reason"])]
    pub(crate) set: Option<String>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AcknowledgeArgs {
    /// Key, sign-in name, address or object id
    pub(crate) who: String,
    /// The last day on which it holds, at most 90 days ahead
    #[arg(long, value_name = "DATE", required_unless_present = "withdraw")]
    pub(crate) until: Option<String>,
    /// Why, for readers of the report
    #[arg(long, value_name = "TEXT", required_unless_present = "withdraw")]
    pub(crate) comment: Option<String>,
    /// Take it back
    #[arg(long, conflicts_with_all = ["until", "comment"])]
    pub(crate) withdraw: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct ScheduleArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// When, by the clock of the machine that runs it; 02:30 when left out. The times of a file with [schedule] are its own
    #[arg(long, value_name = "HH:MM")]
    pub(crate) at: Option<String>,
    /// For one of them only
    #[arg(long = "for", value_name = "NAME", value_parser = ["cron", "systemd", "windows"])]
    pub(crate) only: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Key, sign-in name, address, object id, or a part of a name
    #[arg(required_unless_present = "reason")]
    pub(crate) who: Option<String>,
    #[command(flatten)]
    pub(crate) common: Common,
    /// Show what became of the person's changes
    #[arg(long)]
    pub(crate) history: bool,
    /// Show every property of the account that is read, and where each comes from
    #[arg(long)]
    pub(crate) account: bool,
    /// Explain a reason code instead
    #[arg(long, value_name = "CODE", conflicts_with = "who")]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RepairCommand {
    /// List every broken or suspicious join, with its evidence, the proposed repair and the cure; writes nothing
    #[command(after_help = "Examples:\n  hardmatch repair audit\n  hardmatch repair audit --json > broken.json")]
    Audit(Common),
    /// Approve the repairs of one person, or of an audit, and carry them out
    #[command(
        after_help = "Examples:\n  hardmatch repair start ada@contoso.com\n  hardmatch repair start --from broken.json"
    )]
    Start(RepairStartArgs),
    /// Link a person to an account that nobody has; its immutable ID stays as it is
    #[command(after_help = "Examples:\n  hardmatch repair link --person ada@contoso.com --account OBJECT-ID")]
    Link(RepairLinkArgs),
    /// Take the immutable ID from an account that stays; what was before is kept
    #[command(
        after_help = "In a federated domain nobody signs in without an ID, so the sign-in name moves to the tenant's initial domain.\n\nExamples:\n  hardmatch repair clear OBJECT-ID\n  hardmatch repair rollback 3f2a91c0   # sets it again"
    )]
    Clear(RepairClearArgs),
    /// List the immutable IDs that the tenant has and the source does not know, as CSV; --write hands them to the source
    #[command(after_help = "Examples:\n  hardmatch repair learned > learned.csv\n  hardmatch repair learned --write")]
    Learned(RepairLearnedArgs),
    /// Take a repair back that is not finished, or an ID that was cleared
    #[command(after_help = "Examples:\n  hardmatch repair rollback 3f2a91c0")]
    Rollback(RepairNamedArgs),
    /// Repairs that are open, and those that ended last
    #[command(after_help = "Examples:\n  hardmatch repair list\n  hardmatch repair list --json")]
    List(Common),
    /// One repair: its calls, how far it is, and what was before
    #[command(after_help = "Examples:\n  hardmatch repair show 3f2a91c0")]
    Show(RepairNamedArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RepairStartArgs {
    /// Key, sign-in name, address or object id
    #[arg(required_unless_present = "from", conflicts_with = "from")]
    pub(crate) who: Option<String>,
    /// The repairs of an audit, as `repair audit --json` printed it
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct RepairLinkArgs {
    /// Key, sign-in name, address or employee ID
    #[arg(long, value_name = "WHO")]
    pub(crate) person: String,
    /// The account's object id
    #[arg(long, value_name = "ID")]
    pub(crate) account: String,
    /// The immutable ID that the account must carry; refused when it carries another one
    #[arg(long, value_name = "TEXT")]
    pub(crate) immutable_id: Option<String>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct RepairClearArgs {
    /// The account's object id or sign-in name
    pub(crate) account: String,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct RepairLearnedArgs {
    /// Write them to the directory, where it has no value. A file is never written to
    #[arg(long)]
    pub(crate) write: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct RepairNamedArgs {
    /// The repair's name; eight characters or more
    pub(crate) repair: String,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// The connection's runs, newest first
    #[command(after_help = "Examples:\n  hardmatch runs list\n  hardmatch runs list --json")]
    List(Common),
    /// One run
    #[command(after_help = "Examples:\n  hardmatch runs show\n  hardmatch runs show 7XGM --html")]
    Show(RunsShowArgs),
    /// What was said of people over time, by reason code
    #[command(
        after_help = "Examples:\n  hardmatch runs reasons\n  hardmatch runs reasons address_in_use --days 7\n  hardmatch runs reasons --person ada@contoso.com --json"
    )]
    Reasons(RunsReasonsArgs),
    /// Plan how to undo what was written within thirty days: of a run, of a person, or of one change
    #[command(
        after_help = "Examples:\n  hardmatch runs undo 7XGM\n  hardmatch runs undo --person ada@contoso.com\n  hardmatch runs undo --change 4f1c9a02b3aa"
    )]
    Undo(RunsUndoArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RunsReasonsArgs {
    /// People of whom this was said, one a line; without a code people are counted by run and code
    pub(crate) code: Option<String>,
    /// What was said of one person: key, sign-in name, address or object id
    #[arg(long, value_name = "WHO")]
    pub(crate) person: Option<String>,
    /// Runs of so many days
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) days: u16,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct RunsUndoArgs {
    /// The run; with --person, of it what was written of that person
    pub(crate) run: Option<String>,
    #[command(flatten)]
    pub(crate) common: Common,
    /// What was written of one person: key, sign-in name, address or object id
    #[arg(long, value_name = "WHO")]
    pub(crate) person: Option<String>,
    /// One change, by its name: eight digits or more
    #[arg(long, value_name = "NAME", conflicts_with_all = ["run", "person"])]
    pub(crate) change: Option<String>,
    /// With --json: include a row for each person
    #[arg(long)]
    pub(crate) rows: bool,
    /// Show everybody, however many
    #[arg(long)]
    pub(crate) all: bool,
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
    /// Show everybody, however many
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Find every problem in the file
    #[command(after_help = "Examples:\n  hardmatch config check")]
    Check(Common),
    /// Say in words what the file will do
    #[command(after_help = "Examples:\n  hardmatch config explain")]
    Explain(Common),
    /// Print the file's JSON Schema, for editors
    #[command(after_help = "Examples:\n  hardmatch config schema > hardmatch.schema.json")]
    Schema,
    /// Print the reference of keys, attributes and functions, as Markdown
    #[command(after_help = "Examples:\n  hardmatch config reference")]
    Reference,
    /// Show what each expression gives for people of the source
    #[command(after_help = "Examples:\n  hardmatch config test ada@contoso.com\n  hardmatch config test jo")]
    Test(ConfigTestArgs),
    /// Store the file's configuration in a deployed stack
    #[command(after_help = "Examples:\n  hardmatch config push --stack hardmatch")]
    Push(Common),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConnectionCommand {
    /// The connections of a stack, and how they are
    #[command(after_help = "Examples:\n  hardmatch connection list --stack hardmatch")]
    List(StackArgs),
    /// How the connection is, and the addresses to which others push its people
    #[command(after_help = "Examples:\n  hardmatch connection show --stack hardmatch --connection contoso")]
    Show(Common),
    /// Schedules pass the connection by, and nothing is written for it: what was decided waits
    #[command(after_help = "Examples:\n  hardmatch connection pause")]
    Pause(Common),
    /// End a pause: schedules start runs again, and what waits is written
    #[command(after_help = "Examples:\n  hardmatch connection resume")]
    Resume(Common),
    /// Do nothing of one kind any more, decided changes included
    #[command(after_help = "Examples:\n  hardmatch connection switch-off delete")]
    SwitchOff(SwitchArgs),
    /// Do actions of this kind again, as the policy says
    #[command(after_help = "Examples:\n  hardmatch connection switch-on delete")]
    SwitchOn(SwitchArgs),
    /// End a quarantine by hand
    #[command(after_help = "Examples:\n  hardmatch connection release")]
    Release(Common),
    /// Forget everything that is kept of a disconnected connection; accounts stay as they are
    #[command(
        after_help = "Examples:\n  hardmatch connection remove --yes\n  hardmatch connection remove --stack hardmatch --yes"
    )]
    Remove(RemoveArgs),
    /// What was given up in a stack's queues, since when, and why
    #[command(after_help = "Examples:\n  hardmatch connection dead-letters --stack hardmatch")]
    DeadLetters(StackArgs),
    /// Put dead letters back into their queues, all of a stack
    #[command(after_help = "Examples:\n  hardmatch connection redrive --stack hardmatch")]
    Redrive(StackArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// Yes: links, history, runs, plans and reports of the connection cannot be had again
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct StackArgs {
    /// The stack
    #[arg(long, value_name = "NAME")]
    pub(crate) stack: String,
    /// Print one JSON document on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SwitchArgs {
    /// The action: create, takeover, link, update, rename, enable, suspend, restore, delete, purge, repair or merge
    pub(crate) action: String,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    /// The stack's name
    #[arg(long, value_name = "NAME", default_value = "hardmatch")]
    pub(crate) stack: String,
    /// A bucket of yours for the packaged functions
    #[arg(long, value_name = "NAME")]
    pub(crate) bucket: String,
    /// The processor: arm64 costs a fifth less, x86_64 builds without another toolchain
    #[arg(long, value_name = "NAME", default_value = "arm64", value_parser = ["arm64", "x86_64"])]
    pub(crate) architecture: String,
    /// A folder of released function zips and their SHA256SUMS: nothing is built then, and no Rust is needed
    #[arg(long, value_name = "DIR")]
    pub(crate) release: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigTestArgs {
    /// People: key, sign-in name, address or the first letters of a name; the first three of the source when left out
    pub(crate) who: Vec<String>,
    /// Compare with the verdicts that this file expects, for the checks of a team's own repository
    #[arg(long, value_name = "FILE", conflicts_with = "who")]
    pub(crate) expect: Option<PathBuf>,
    /// With --expect: the recorded facts (`plan --record`) that actions and reasons are decided from
    #[arg(long, value_name = "FILE", requires = "expect")]
    pub(crate) from: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuthCommand {
    /// Let an administrator grant what is needed, in a browser, and say what was granted
    ///
    /// Exit status: 0 connected, 3 connected with something optional missing or too much granted, 1 not connected.
    #[command(after_help = "Examples:\n  hardmatch auth connect")]
    Connect(ConnectArgs),
    /// Make a key and a certificate, and say what to upload
    #[command(after_help = "Examples:\n  hardmatch auth certificate --out hardmatch.pem")]
    Certificate(CertificateArgs),
    /// How the tenant is reached, until when, and what may be done there
    #[command(after_help = "Examples:\n  hardmatch auth status")]
    Status(Common),
    /// Forget the kept access token; the next call asks for a new one
    #[command(after_help = "Examples:\n  hardmatch auth reset")]
    Reset(Common),
    /// Make, list and revoke tokens with which others push people, send hooks or ask for a person
    #[command(subcommand)]
    #[command(
        after_help = "Examples:\n  hardmatch auth tokens create --name okta\n  hardmatch auth tokens list\n  hardmatch auth tokens revoke 4f1c9a02b3aa4f1c"
    )]
    Tokens(TokensCommand),
    /// Forget every token and disconnect all links; touches no account and calls nobody
    #[command(after_help = "Examples:\n  hardmatch auth disconnect")]
    Disconnect(Common),
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokensCommand {
    /// Make a token and print it; it is never printed again
    #[command(after_help = "Examples:\n  hardmatch auth tokens create --name okta --scope scim")]
    Create(TokenArgs),
    /// List tokens, without their secrets
    #[command(after_help = "Examples:\n  hardmatch auth tokens list --json")]
    List(Common),
    /// Revoke a token by its id
    #[command(after_help = "Examples:\n  hardmatch auth tokens revoke 4f1c9a02b3aa4f1c")]
    Revoke(RevokeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// What you call it, such as the identity provider that gets it
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
    /// What it may do: scim, hook, sync; may be given several times. All when left out
    #[arg(long = "scope", alias = "scopes", value_name = "SCOPE", value_delimiter = ',', value_parser = ["scim", "hook", "sync"])]
    pub(crate) scopes: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The token's id, as `auth tokens list` prints it
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Print the address where an administrator consents, and do not wait
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Do not open the browser of this machine
    #[arg(long)]
    pub(crate) no_browser: bool,
    /// Serve the page on this port; a free one when left out
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,
}

#[derive(Debug, Args)]
pub(crate) struct CertificateArgs {
    /// Where key and certificate go; the certificate to upload lies beside it, ending in .cer
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// How many days it is good for
    #[arg(long, value_name = "N", default_value_t = 180)]
    pub(crate) days: u16,
    /// How it is called in the application's list
    #[arg(long, value_name = "NAME", default_value = "hardmatch")]
    pub(crate) subject: String,
    /// Print one JSON document on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// A connection's file; may be given several times
    #[arg(long, short, value_name = "FILE", default_value = "hardmatch.toml")]
    pub(crate) config: Vec<PathBuf>,
    /// Listen on this port; a free one when left out
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub(crate) port: u16,
    /// Listen on this address instead of loopback; needs --url
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<IpAddr>,
    /// Print one JSON line with the addresses when it listens
    #[arg(long)]
    pub(crate) json: bool,
    /// Requests a second that each token may make, in the long run
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) rate: u32,
    /// How browsers reach the pages, when a proxy stands in front of them
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
}
