//! Where a connection is at work: on this machine, or in a deployed stack. Commands are the same words for both.

mod local;
#[cfg(feature = "aws")]
mod stack;

use async_trait::async_trait;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::command::{Command, Reply};
use hardmatch_ports::run::Undo;

use crate::args::{ApplyArgs, Common, ConnectArgs, PlanArgs, RepairStartArgs, RunsUndoArgs, SyncArgs};
use crate::commands::repair::Audited;
use crate::connection::State;
use crate::fail::{Exit, Failure};

/// What the command line asks of the place where a connection is at work.
#[async_trait(?Send)]
pub(crate) trait Installation {
    /// The connection's state, to be read.
    async fn state(&self, common: &Common) -> Result<State, Failure>;
    /// Under which address others reach the connection, where it is always the same.
    async fn url(&self) -> Result<Option<String>, Failure>;
    async fn plan(&self, args: &PlanArgs) -> Result<Exit, Failure>;
    async fn apply(&self, args: &ApplyArgs) -> Result<Exit, Failure>;
    /// `None`: nobody of the connection is called as the command names one person.
    async fn sync(&self, args: &SyncArgs) -> Result<Option<Exit>, Failure>;
    /// Every connection of this place, as options name it.
    async fn connections(&self, common: &Common) -> Result<Vec<Common>, Failure>;
    /// Plans how to undo what was written.
    async fn undo(&self, args: &RunsUndoArgs, undo: Undo) -> Result<Exit, Failure>;
    /// Lists every broken or suspicious join.
    async fn repair_audit(&self, common: &Common) -> Result<Exit, Failure>;
    /// Approves repairs and carries them out: of the person whom the command names, or of an audit's.
    async fn start_repairs(&self, args: &RepairStartArgs, audited: Option<Audited>) -> Result<Exit, Failure>;
    async fn doctor(&self, common: &Common) -> Result<Exit, Failure>;
    async fn connect(&self, args: &ConnectArgs) -> Result<Exit, Failure>;
    async fn auth_status(&self, common: &Common) -> Result<Exit, Failure>;
    async fn auth_reset(&self, common: &Common) -> Result<Exit, Failure>;
    async fn auth_disconnect(&self, common: &Common) -> Result<Exit, Failure>;
    /// Stores the file's configuration where the connection is at work.
    async fn push(&self, common: &Common) -> Result<Exit, Failure>;
    /// Gives a command about the connection; its reply, or an error where it is refused.
    async fn ask(&self, common: &Common, command: Command) -> Result<Reply, Failure>;
    /// Gives a command about the connection and says which connection that is; an error where it is refused.
    async fn command(&self, common: &Common, command: Command) -> Result<ConnectionId, Failure>;
}

/// The installation that the options name.
#[cfg_attr(
    feature = "aws",
    expect(clippy::unnecessary_wraps, reason = "a build that does not know AWS refuses a stack")
)]
pub(crate) fn installation(common: &Common) -> Result<Box<dyn Installation>, Failure> {
    match &common.stack {
        None => Ok(Box::new(local::Local)),
        #[cfg(feature = "aws")]
        Some(name) => Ok(Box::new(stack::Deployed(name.clone()))),
        #[cfg(not(feature = "aws"))]
        Some(_) => Err(no_aws()),
    }
}

/// This build cannot reach AWS.
#[cfg(not(feature = "aws"))]
pub(crate) fn no_aws() -> Failure {
    Failure::usage(
        "this build does not know AWS. Build one that does: cargo build --release -p hardmatch --features aws",
    )
}
