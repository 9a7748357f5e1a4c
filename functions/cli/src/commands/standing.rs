//! What an operator says about a connection on this machine: paused, switched off, released. The same words as for a stack,
//! answered by the same handler.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_embedded::Missing;
use hardmatch_match::{Handled, Request, handle_command, paused};
use hardmatch_ports::command::{Command, CommandAuthority, Reply};
use hardmatch_ports::run::{Phase, Run};
use hardmatch_store::connection::{ConnectionState, Meta};
use serde_json::json;

use crate::args::Common;
use crate::connection::{State, load, open_state};
use crate::fail::{Exit, Failure};
use crate::operator::operator;
use crate::output;

/// Does it on the state of this machine.
pub(crate) async fn command(common: &Common, command: &Command) -> Result<ConnectionId, Failure> {
    Ok(ask(common, command).await?.0)
}

/// Does it on the state of this machine, and gives the connection and the reply.
pub(crate) async fn ask(common: &Common, command: &Command) -> Result<(ConnectionId, Reply), Failure> {
    let state = open_state(load(&common.config)?, Missing::Refuse).await?;
    let connection = &state.loaded.config.connection;
    let meta = state.store.meta(connection).await?;
    let Some(deciding) = state.deciding(&meta) else {
        return Err(Failure::run("nothing is known of the tenant yet. Make a plan with `hardmatch plan` first"));
    };
    let by = operator();
    let request = Request { connection, run: "", command, authority: CommandAuthority::Approver, by: &by, reply: "" };
    match handle_command(&deciding, &request).await? {
        Handled::Replied(Reply::Refused { why }) => Err(Failure::run(why)),
        Handled::Replied(reply) => Ok((connection.clone(), reply)),
        Handled::PassedOn => Ok((connection.clone(), Reply::Done { run: None })),
    }
}

/// A paused connection is written for by nobody: says so, and whether work is left waiting. `None`: it is not paused.
pub(crate) async fn is_paused(state: &State, common: &Common) -> Result<Option<Exit>, Failure> {
    let meta = state.store.meta(&state.loaded.config.connection).await?;
    match meta.status.state {
        ConnectionState::Paused => {}
        ConnectionState::Active | ConnectionState::Disconnected => return Ok(None),
    }
    let run = match &meta.schedule.run {
        Some(id) => state.store.run(&state.loaded.config.connection, id).await?.map(|stored| stored.value),
        None => None,
    };
    tell(&meta, run.as_ref().filter(|run| waits(run)), common).map(Some)
}

/// A run whose connection was paused by another command while this one wrote: says who paused it, and how it goes on.
pub(crate) async fn stopped(state: &State, run: &Run, common: &Common) -> Result<Exit, Failure> {
    match is_paused(state, common).await? {
        Some(exit) => Ok(exit),
        // It was let go on at once.
        None => Err(Failure::run(format!(
            "the connection was paused, and run {} waits with its work. The same command goes on where it was",
            run.id
        ))),
    }
}

/// Whether something was decided that somebody wants written.
fn waits(run: &Run) -> bool {
    match run.phase {
        Phase::Observing | Phase::Deciding | Phase::Planned | Phase::Writing | Phase::Gate | Phase::Removing => true,
        // What is left there is planned again.
        Phase::WritingBack | Phase::Reporting | Phase::Closed => false,
    }
}

/// Says who paused, since when, and how to go on: with work left waiting that is where the command ends, without any it did
/// not do what it was asked.
fn tell(meta: &Meta, waiting: Option<&Run>, common: &Common) -> Result<Exit, Failure> {
    let why = format!("{}: hardmatch connection resume{}", paused(meta), common.place());
    let Some(run) = waiting else { return Err(Failure::run(why)) };
    let why = format!("{why}\nRun {} waits with its work. After that the same command goes on where it was", run.id);
    if common.json {
        let paused = meta.status.paused.as_ref().map(|paused| json!({ "by": paused.by, "since": paused.at }));
        output::document(&json!({ "v": 1, "connection": run.connection, "run": run.id, "paused": paused }));
    }
    output::note(format!("hardmatch: {why}"));
    Ok(Exit::Attention)
}
