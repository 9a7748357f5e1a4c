//! This machine: the functions' own handlers in this process, over the connection's state file.

use std::path::PathBuf;

use async_trait::async_trait;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_embedded::Missing;
use hardmatch_ports::command::{Command, Reply};
use hardmatch_ports::run::Undo;

use super::Installation;
use crate::args::{ApplyArgs, Common, ConnectArgs, PlanArgs, RepairStartArgs, RunsUndoArgs, SyncArgs};
use crate::commands::auth::{connect, give_up, status};
use crate::commands::repair::{Audited, audit_here, start_here};
use crate::commands::{doctor, run, scheduled, standing};
use crate::connection::{State, folder, load, open_state};
use crate::fail::{Exit, Failure};

/// This machine.
pub(super) struct Local;

#[async_trait(?Send)]
impl Installation for Local {
    async fn state(&self, common: &Common) -> Result<State, Failure> {
        open_state(load(&common.config)?, Missing::Refuse).await
    }

    async fn url(&self) -> Result<Option<String>, Failure> {
        Ok(None)
    }

    async fn plan(&self, args: &PlanArgs) -> Result<Exit, Failure> {
        Box::pin(run::plan(args)).await
    }

    async fn apply(&self, args: &ApplyArgs) -> Result<Exit, Failure> {
        Box::pin(run::apply(args)).await
    }

    async fn sync(&self, args: &SyncArgs) -> Result<Option<Exit>, Failure> {
        if args.scheduled {
            return Box::pin(scheduled::sync(args)).await.map(Some);
        }
        Box::pin(run::sync(args)).await
    }

    async fn connections(&self, common: &Common) -> Result<Vec<Common>, Failure> {
        let folder = folder(&common.config);
        let entries = std::fs::read_dir(folder)
            .map_err(|error| Failure::usage(format!("cannot read the folder {}: {error}", folder.display())))?;
        let is_file = |path: &PathBuf| path.extension().is_some_and(|end| end == "toml") && load(path).is_ok();
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_file).collect();
        files.sort();
        Ok(files.into_iter().map(|config| Common { config, ..common.clone() }).collect())
    }

    async fn undo(&self, args: &RunsUndoArgs, undo: Undo) -> Result<Exit, Failure> {
        Box::pin(run::undo(args, undo)).await
    }

    async fn repair_audit(&self, common: &Common) -> Result<Exit, Failure> {
        Box::pin(audit_here(common)).await
    }

    async fn start_repairs(&self, args: &RepairStartArgs, audited: Option<Audited>) -> Result<Exit, Failure> {
        Box::pin(start_here(args, audited)).await
    }

    async fn doctor(&self, common: &Common) -> Result<Exit, Failure> {
        doctor::doctor(common).await
    }

    async fn connect(&self, args: &ConnectArgs) -> Result<Exit, Failure> {
        connect::connect(args).await
    }

    async fn auth_status(&self, common: &Common) -> Result<Exit, Failure> {
        status::status(common).await
    }

    async fn auth_reset(&self, common: &Common) -> Result<Exit, Failure> {
        give_up::reset(common).await
    }

    async fn auth_disconnect(&self, common: &Common) -> Result<Exit, Failure> {
        give_up::disconnect(common).await
    }

    async fn push(&self, _: &Common) -> Result<Exit, Failure> {
        Err(Failure::usage("name the stack with --stack; on this machine a run reads the file by itself"))
    }

    async fn ask(&self, common: &Common, command: Command) -> Result<Reply, Failure> {
        Ok(standing::ask(common, &command).await?.1)
    }

    async fn command(&self, common: &Common, command: Command) -> Result<ConnectionId, Failure> {
        standing::command(common, &command).await
    }
}
