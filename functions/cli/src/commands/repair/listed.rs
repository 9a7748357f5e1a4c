//! `repair list` and `repair show`: the journals, read.

use hardmatch_domain::repair::journal::Journal;
use serde_json::json;

use super::calls::{id, words};
use super::journals::{line, of};
use crate::args::{Common, RepairNamedArgs};
use crate::fail::{Exit, Failure};
use crate::installation::installation;
use crate::output;

/// The connection's repairs, open ones first.
async fn all(common: &Common) -> Result<Vec<Journal>, Failure> {
    let state = installation(common)?.state(common).await?;
    let connection = state.loaded.config.connection.clone();
    let meta = state.store.meta(&connection).await?;
    match state.deciding(&meta) {
        Some(ports) => of(&ports, &connection).await,
        None => Ok(Vec::new()),
    }
}

pub(super) async fn list(common: &Common) -> Result<Exit, Failure> {
    let repairs = all(common).await?;
    let waits = repairs.iter().any(|journal| !journal.state.is_closed());
    if common.json {
        output::document(&json!({ "v": 1, "repairs": repairs }));
    } else if repairs.is_empty() {
        output::note("No repair is open, and none has ended.");
    } else {
        for journal in &repairs {
            output::line(line(journal));
        }
    }
    Ok(if waits { Exit::Attention } else { Exit::Converged })
}

pub(super) async fn show(args: &RepairNamedArgs) -> Result<Exit, Failure> {
    let fits = |journal: &&Journal| args.repair.len() >= 8 && journal.id.starts_with(&args.repair);
    let repairs = all(&args.common).await?;
    let mut fitting = repairs.iter().filter(fits);
    let (Some(journal), None) = (fitting.next(), fitting.next()) else {
        return Err(Failure::usage(format!(
            "no repair, or more than one, begins with {}. `hardmatch repair list` names them in full",
            args.repair
        )));
    };
    if args.common.json {
        output::document(&json!({ "v": 1, "repair": journal }));
        return Ok(Exit::Converged);
    }
    output::line(line(journal));
    for (number, call) in journal.calls.iter().enumerate() {
        let state = if number < journal.done { "written" } else { "not written" };
        output::line(format!("  {}. {} ({state})", number + 1, words(call)));
    }
    for original in &journal.originals {
        output::line(format!(
            "  before: account {}, sign-in name {}, immutable ID {}{}",
            original.account,
            original.upn.as_deref().unwrap_or("none"),
            id(original.immutable_id.as_ref()),
            if original.deleted { ", in the recycle bin" } else { "" }
        ));
    }
    for name in &journal.left {
        output::line(format!("  somebody else changed {name} meanwhile; theirs was left"));
    }
    Ok(Exit::Converged)
}
