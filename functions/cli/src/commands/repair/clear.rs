//! `repair clear`: the immutable ID of one account that stays is taken, by a repair with a journal of its own.

use hardmatch_domain::facts::By;
use hardmatch_domain::ids::ObjectId;
use hardmatch_domain::repair::journal::{Journal, RepairState};
use hardmatch_match::MatchPorts;
use hardmatch_ports::command::Command;
use serde_json::json;

use super::calls::words;
use super::{begin, journals};
use crate::args::RepairClearArgs;
use crate::commands::run::engine;
use crate::commands::standing;
use crate::engine::Engine;
use crate::fail::{Exit, Failure};
use crate::installation::installation;
use crate::output;
use crate::progress::Progress;

pub(super) async fn clear(args: &RepairClearArgs) -> Result<Exit, Failure> {
    if args.common.stack.is_some() {
        return ask_stack(args).await;
    }
    let (engine, _) = engine(&args.common).await?;
    if let Some(exit) = standing::is_paused(&engine.state, &args.common).await? {
        engine.stop().await;
        return Ok(exit);
    }
    let result = Box::pin(here(&engine, &args.account)).await;
    engine.stop().await;
    let Some(journal) = result? else {
        output::note(format!("The account {} has no immutable ID. Nothing was written.", args.account));
        return Ok(Exit::Converged);
    };
    if args.common.json {
        output::document(&json!({ "v": 1, "connection": journal.connection, "repair": journal }));
    } else {
        output::line(journals::line(&journal));
        for call in &journal.calls {
            output::line(format!("  {}", words(call)));
        }
        output::note(format!("To set it again: hardmatch repair rollback {}{}", journal.id, args.common.options()));
    }
    Ok(if journal.state == RepairState::Repaired { Exit::Converged } else { Exit::Attention })
}

/// On a stack its own writer carries it out.
async fn ask_stack(args: &RepairClearArgs) -> Result<Exit, Failure> {
    let place = installation(&args.common)?;
    let state = place.state(&args.common).await?;
    let meta = state.store.meta(&state.loaded.config.connection).await?;
    let Some(ports) = state.deciding(&meta) else { return Err(unread()) };
    let account = account(&ports, &args.account).await?;
    drop(state);
    let command = Command::RepairClear { account: account.as_str().to_owned(), leftover: false };
    let connection = place.command(&args.common, command).await?;
    if args.common.json {
        output::document(&json!({ "v": 1, "connection": connection, "account": account, "begun": true }));
    } else {
        output::line(format!(
            "The repair of the account {account} has begun. How far it is: hardmatch repair list{}",
            args.common.options()
        ));
    }
    Ok(Exit::Converged)
}

async fn here(engine: &Engine, named: &str) -> Result<Option<Journal>, Failure> {
    let id = account(&engine.deciding, named).await?;
    let known = engine.store().account(&engine.deciding.scope, &id).await?;
    if known.is_some_and(|item| item.account.immutable_id.is_none()) {
        return Ok(None);
    }
    begin::clear_id(engine, &id, false).await?;
    engine.repair(&Progress::start()).await?;
    journals::of_account(&engine.deciding, engine.connection(), &id).await
}

/// The account of an object id or a sign-in name.
async fn account(ports: &MatchPorts, named: &str) -> Result<ObjectId, Failure> {
    if !named.contains('@') {
        return Ok(ObjectId::new(named.to_lowercase()));
    }
    let mut found = Vec::new();
    for id in ports.store.accounts_by(&ports.scope, By::Upn, named).await? {
        let live = ports.store.account(&ports.scope, &id).await?.is_some_and(|item| !item.account.is_deleted());
        found.extend(live.then_some(id));
    }
    match (found.pop(), found.is_empty()) {
        (Some(id), true) => Ok(id),
        (Some(_), false) => {
            Err(Failure::usage(format!("several accounts have the sign-in name {named}. Give the object id of one")))
        }
        (None, _) => Err(Failure::run(format!(
            "no account has the sign-in name {named}. Give its object id, or make a plan, so that it is read: hardmatch plan"
        ))),
    }
}

fn unread() -> Failure {
    Failure::run("nothing is known of the tenant yet. Make a plan with `hardmatch plan` first")
}
