//! `repair`: broken joins found, repaired, and taken back.

mod audit;
mod begin;
mod calls;
mod checks;
mod clear;
mod clinic;
mod finding;
mod journals;
mod learned;
mod listed;
mod sign_ins;
mod start;

use hardmatch_domain::facts::By;
use hardmatch_domain::ids::PersonRef;
use hardmatch_match::MatchPorts;
use hardmatch_ports::command::Command;
use serde_json::json;

use crate::args::{RepairCommand, RepairLinkArgs, RepairNamedArgs};
use crate::commands::who;
use crate::fail::{Exit, Failure};
use crate::installation::installation;
use crate::output;

pub(crate) use self::audit::audit_here;
#[cfg(feature = "aws")]
pub(crate) use self::audit::show as show_audit;
#[cfg(feature = "aws")]
pub(crate) use self::checks::AfterRepair;
#[cfg(feature = "aws")]
pub(crate) use self::clinic::Tenant;
pub(crate) use self::start::{Audited, start_here};
#[cfg(feature = "aws")]
pub(crate) use self::start::{RepairRuns, start_by};

pub(crate) async fn repair(command: RepairCommand) -> Result<Exit, Failure> {
    match command {
        RepairCommand::Audit(common) => installation(&common)?.repair_audit(&common).await,
        RepairCommand::Start(args) => {
            let audited = args.from.as_deref().map(Audited::read).transpose()?;
            installation(&args.common)?.start_repairs(&args, audited).await
        }
        RepairCommand::Link(args) => link(&args).await,
        RepairCommand::Learned(args) => learned::learned(&args).await,
        RepairCommand::Clear(args) => clear::clear(&args).await,
        RepairCommand::Rollback(args) => roll_back(&args).await,
        RepairCommand::List(common) => listed::list(&common).await,
        RepairCommand::Show(args) => listed::show(&args).await,
    }
}

async fn roll_back(args: &RepairNamedArgs) -> Result<Exit, Failure> {
    let command = Command::RepairRollback { repair: args.repair.clone() };
    let connection = installation(&args.common)?.command(&args.common, command).await?;
    if args.common.json {
        output::document(&json!({ "v": 1, "connection": connection, "repair": args.repair, "done": true }));
    } else {
        output::line(format!(
            "The repair {} is turned back. The next run that writes takes back what it wrote: hardmatch sync{}",
            args.repair,
            args.common.options()
        ));
    }
    Ok(Exit::Converged)
}

async fn link(args: &RepairLinkArgs) -> Result<Exit, Failure> {
    let place = installation(&args.common)?;
    let state = place.state(&args.common).await?;
    let connection = state.loaded.config.connection.clone();
    let meta = state.store.meta(&connection).await?;
    let Some(ports) = state.deciding(&meta) else {
        return Err(Failure::run("nothing is known of anybody yet. Make a plan first: `hardmatch plan`"));
    };
    let Some(found) = who::find(&ports, &connection, &args.person).await? else {
        return Err(who::nobody(&args.person, &[]));
    };
    if let Some(wanted) = &args.immutable_id {
        let id = hardmatch_domain::ids::ObjectId::new(args.account.to_lowercase());
        let mirrored = ports.store.account(&ports.scope, &id).await?.map(|item| item.account);
        let carries = mirrored.as_ref().and_then(|account| account.immutable_id.as_ref());
        if carries.is_none_or(|id| id.as_str() != wanted) {
            let has = carries.map_or("none", |id| id.as_str());
            let owners = owners(&ports, wanted, &found).await?;
            return Err(Failure::usage(format!(
                "the account {id}, which shall be {}'s, carries the immutable ID {has}, not {wanted}{owners}. A link writes no ID: link the account without --immutable-id, and the next plan shows what [anchor] on_conflict makes of the difference",
                found.key.as_str()
            )));
        }
    }
    let command = Command::RepairLink { person: ports.store.pid(&found).hex(), account: args.account.clone() };
    drop(state);
    place.command(&args.common, command).await?;
    if args.common.json {
        output::document(&json!({ "v": 1, "connection": connection, "account": args.account, "linked": true }));
    } else {
        output::line(format!(
            "Linked to the account {}. What is next for this person: hardmatch sync {}{}",
            args.account,
            args.person,
            args.common.options()
        ));
    }
    Ok(Exit::Converged)
}

/// Whose an immutable ID is: accounts that carry it, and people of any connection who have it at their source.
async fn owners(ports: &MatchPorts, id: &str, but: &PersonRef) -> Result<String, Failure> {
    let mut owners = Vec::new();
    for account in ports.store.accounts_by(&ports.scope, By::ImmutableId, id).await? {
        let carries =
            ports.store.account(&ports.scope, &account).await?.and_then(|item| item.account.immutable_id.clone());
        if carries.is_some_and(|carried| carried.as_str() == id) {
            owners.push(format!("the account {account}"));
        }
    }
    for person in ports.store.people_by(&ports.scope, By::ImmutableId, id).await? {
        if person != *but {
            owners.push(format!("{} of connection {}", person.key.as_str(), person.connection));
        }
    }
    Ok(if owners.is_empty() { String::new() } else { format!(", which {} has", owners.join(" and ")) })
}
