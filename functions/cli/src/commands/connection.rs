//! `connection`: what an operator does to a connection between runs, deployed or on this machine.

use hardmatch_domain::change::Action;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::command::{Command, Reply};
use hardmatch_store::connection::Meta;
use hardmatch_webhook::WebhookAddresses;
use serde_json::{Value, json};

use crate::args::{Common, ConnectionCommand, RemoveArgs};
use crate::fail::{Exit, Failure};
use crate::installation::installation;
use crate::output;

#[cfg(feature = "aws")]
mod letters;

pub(crate) async fn connection(command: ConnectionCommand) -> Result<Exit, Failure> {
    match command {
        ConnectionCommand::Show(common) => show(&common).await,
        ConnectionCommand::Pause(common) => ask(&common, Command::Pause, "is paused").await,
        ConnectionCommand::Resume(common) => ask(&common, Command::Resume, "goes on").await,
        ConnectionCommand::SwitchOff(args) => {
            let action = action(&args.action)?;
            ask(&args.common, Command::SwitchOff { action }, &format!("does no {} any more", args.action)).await
        }
        ConnectionCommand::SwitchOn(args) => {
            let action = action(&args.action)?;
            ask(&args.common, Command::SwitchOn { action }, &format!("does {} again", args.action)).await
        }
        ConnectionCommand::Release(common) => ask(&common, Command::Release, "is in no quarantine").await,
        ConnectionCommand::Remove(args) => remove(&args).await,
        #[cfg(feature = "aws")]
        ConnectionCommand::List(args) => deployed::list(&args).await,
        #[cfg(feature = "aws")]
        ConnectionCommand::DeadLetters(args) => letters::dead_letters(&args).await,
        #[cfg(feature = "aws")]
        ConnectionCommand::Redrive(args) => deployed::redrive(&args).await,
        #[cfg(not(feature = "aws"))]
        ConnectionCommand::List(_) | ConnectionCommand::DeadLetters(_) | ConnectionCommand::Redrive(_) => {
            Err(crate::installation::no_aws())
        }
    }
}

/// What is known of a connection without asking its tenant.
fn known(connection: &ConnectionId, meta: &Meta) -> Value {
    json!({
        "connection": connection,
        "standing": meta.status.state,
        "quarantine": meta.quarantine.as_ref().map(|quarantine| &quarantine.why),
        "last_success": meta.history.last_success,
        "people": meta.listing.people,
        "links": meta.history.links,
        "configuration": meta.policy.revision,
    })
}

/// The same in a line.
fn line(known: &Value) -> String {
    let text = |name: &str| known[name].as_str().unwrap_or("-").to_owned();
    format!(
        "{}: {}, {} people, {} links, configuration {}{}",
        text("connection"),
        text("standing"),
        known["people"],
        known["links"],
        known["configuration"],
        known["quarantine"].as_str().map(|why| format!(", quarantined: {why}")).unwrap_or_default()
    )
}

async fn show(common: &Common) -> Result<Exit, Failure> {
    let place = installation(common)?;
    let state = place.state(common).await?;
    let connection = &state.loaded.config.connection;
    let mut told = known(connection, &state.store.meta(connection).await?);
    let addresses = place.url().await?.map(|url| WebhookAddresses::of(&url, connection));
    if common.json {
        told["v"] = json!(1);
        told["webhook"] = addresses.as_ref().map_or(Value::Null, crate::webhook::addresses);
        output::document(&told);
        return Ok(Exit::Converged);
    }
    output::line(line(&told));
    let Some(WebhookAddresses { scim, bulk_upload, hooks, people }) = addresses else {
        output::note("`hardmatch serve` prints the addresses to which others push people.");
        return Ok(Exit::Converged);
    };
    for (what, address) in [("SCIM 2.0", scim), ("bulk upload", bulk_upload), ("hooks", hooks), ("people", people)] {
        output::line(format!("{what:<12} {address}"));
    }
    Ok(Exit::Converged)
}

/// Nothing is removed without `--yes`. What takes longer than a function has is asked for again.
async fn remove(args: &RemoveArgs) -> Result<Exit, Failure> {
    if !args.yes {
        return Err(Failure::usage(
            "links, history, runs, plans and reports of the connection cannot be had again; accounts stay as they are. Say --yes to remove it",
        ));
    }
    let installation = installation(&args.common)?;
    let mut removed = 0;
    loop {
        match installation.ask(&args.common, Command::Remove).await? {
            Reply::Removed { items, more } => {
                removed += items;
                if !more {
                    break;
                }
            }
            other => return Err(Failure::run(format!("something else was answered than was asked: {other:?}"))),
        }
    }
    if args.common.json {
        output::document(&json!({ "v": 1, "removed": true, "items": removed }));
    } else {
        output::line(format!("The connection is removed, and {removed} stored items with it. No account was touched."));
    }
    Ok(Exit::Converged)
}

async fn ask(common: &Common, command: Command, said: &str) -> Result<Exit, Failure> {
    let connection = installation(common)?.command(common, command).await?;
    if common.json {
        output::document(&json!({ "v": 1, "connection": connection, "done": true }));
    } else {
        output::line(format!("Connection {connection} {said}."));
    }
    Ok(Exit::Converged)
}

fn action(word: &str) -> Result<Action, Failure> {
    let named = serde_json::from_value::<Action>(json!(word));
    named.ok().filter(|action| *action != Action::None).ok_or_else(|| {
        Failure::usage(format!("{word} is no action. `hardmatch connection switch-off --help` names them"))
    })
}

#[cfg(feature = "aws")]
mod deployed {
    use std::collections::BTreeMap;

    use hardmatch_ports::Message;
    use hardmatch_ports::command::{Command, Reply};
    use hardmatch_ports::doorbell::Queue;
    use serde_json::json;

    use super::{Exit, Failure, known, line};
    use crate::args::StackArgs;
    use crate::output;
    use crate::stack::{Whole, strange};

    /// How often a function is asked to go on: what fails again and comes back meanwhile is not moved for ever.
    const ROUNDS: usize = 20;

    pub(crate) async fn list(args: &StackArgs) -> Result<Exit, Failure> {
        let whole = Whole::open(&args.stack).await?;
        let mut listed = Vec::new();
        for connection in whole.store.connections().await? {
            let meta = whole.store.meta(&connection).await?;
            listed.push(known(&connection, &meta));
        }
        if args.json {
            output::document(&json!({ "v": 1, "stack": args.stack, "connections": listed }));
        } else if listed.is_empty() {
            output::note("The stack has no connection yet. Store one: hardmatch config push --stack … --config …");
        } else {
            for one in &listed {
                output::line(line(one));
            }
        }
        Ok(Exit::Converged)
    }

    pub(crate) async fn redrive(args: &StackArgs) -> Result<Exit, Failure> {
        let whole = Whole::open(&args.stack).await?;
        let mut moved: BTreeMap<String, u64> = BTreeMap::new();
        let mut deleted = 0;
        for _ in 0..ROUNDS {
            let reply = whole.request(&Message::nobody(), "", Command::Redrive, None).await?;
            let Reply::Redriven { moved: now, deleted: gone, more, stopped } = reply else {
                return Err(strange(&reply));
            };
            deleted += gone;
            for (queue, count) in now {
                *moved.entry(queue).or_default() += count;
            }
            if let Some(why) = stopped {
                let all: u64 = moved.values().sum();
                return Err(Failure::run(format!("{all} dead letters were put back, then: {why}")));
            }
            if !more {
                break;
            }
        }
        // In the order of the work.
        let moved: Vec<_> =
            Queue::DEPLOYED.map(|queue| (queue.name(), moved.get(queue.name()).copied().unwrap_or(0))).into();
        if args.json {
            let by_queue: serde_json::Map<_, _> =
                moved.iter().map(|(name, n)| ((*name).to_owned(), json!(n))).collect();
            output::document(&json!({ "v": 1, "stack": args.stack, "moved": by_queue, "deleted": deleted }));
        } else {
            for (name, count) in moved.iter().filter(|(_, count)| *count > 0) {
                output::line(format!("{count} put back into {name}"));
            }
            if deleted > 0 {
                output::line(format!(
                    "{deleted} deleted: requests, which are asked for again, and what was no message"
                ));
            }
            if deleted == 0 && moved.iter().all(|(_, count)| *count == 0) {
                output::line("There are no dead letters.");
            }
        }
        Ok(Exit::Converged)
    }
}
