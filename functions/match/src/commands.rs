//! Doing what an operator asks for. A request that was handed over twice is done once.

pub(crate) mod disconnect;

use std::time::Duration;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::command::{Command, CommandAuthority, Reply, Stops};
use hardmatch_ports::doorbell::{Message, MessageKind};
use hardmatch_ports::run::Intent;
use hardmatch_ports::tenant_request::TenantQuery;
use hardmatch_store::PersonHash;
use hardmatch_store::connecting::{TICKET_SECONDS, Ticket};
use hardmatch_store::connection::{ConnectionState, Meta};
use jiff::Timestamp;

use self::disconnect::disconnect;
use crate::opening::{Accept, Acceptance, Opening, accept, open_run};
use crate::{MatchError, MatchPorts, tick};

/// A request, and who stands behind it.
#[derive(Clone, Debug)]
pub struct Request<'r> {
    /// Whose connection.
    pub connection: &'r ConnectionId,
    /// The name for a run that it opens.
    pub run: &'r str,
    /// For what.
    pub command: &'r Command,
    /// What the queue it came through stands for.
    pub authority: CommandAuthority,
    /// Who asks, as the platform knows them.
    pub by: &'r str,
    /// Under this name whoever asks looks for the reply.
    pub reply: &'r str,
}

/// What became of a request here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handled {
    /// It is done, or refused.
    Replied(Reply),
    /// It was passed on to the side that reaches the tenant, which leaves the reply.
    PassedOn,
}

/// Does it. [`Command::Configure`] is not for this: it makes what the ports are made from.
pub async fn handle_command(ports: &MatchPorts, request: &Request<'_>) -> Result<Handled, MatchError> {
    if request.authority < request.command.needs() {
        return Ok(Handled::Replied(refused(
            "this takes an approver. Ask somebody whose role has the stack's approver policy to run the same command",
        )));
    }
    match request.command {
        Command::Status => pass_on(ports, request, TenantQuery::Status).await,
        Command::Checks => pass_on(ports, request, TenantQuery::Checks).await,
        Command::Reset => pass_on(ports, request, TenantQuery::Reset).await,
        Command::Disconnect => {
            // Disconnected first: whatever happens to the tokens, nothing is done with them any more.
            let now_ms = ports.clock.now().as_millisecond();
            let disconnected = disconnect(&ports.store, Some(&ports.scope), request.connection, now_ms).await?;
            pass_on(ports, request, TenantQuery::Forget { disconnected }).await
        }
        Command::Configure { .. }
        | Command::Open { .. }
        | Command::Accept { .. }
        | Command::Connect { .. }
        | Command::Pause
        | Command::Resume
        | Command::SwitchOff { .. }
        | Command::SwitchOn { .. }
        | Command::Release
        | Command::Redrive
        | Command::Wake => replied(ports, request).await.map(Handled::Replied),
    }
}

/// Sends a message to the side that has the tokens: nobody here has a way to them.
async fn pass_on(ports: &MatchPorts, request: &Request<'_>, query: TenantQuery) -> Result<Handled, MatchError> {
    let kind = MessageKind::TenantRequest { reply: request.reply.to_owned(), query };
    let notified = ports.doorbell.notify(Message::new(request.connection.clone(), "", kind), Duration::ZERO).await;
    notified.map_err(|error| MatchError::Broken(error.to_string()))?;
    Ok(Handled::PassedOn)
}

/// What the store alone answers.
async fn replied(ports: &MatchPorts, request: &Request<'_>) -> Result<Reply, MatchError> {
    let store = &ports.store;
    let connection = request.connection;
    match request.command {
        Command::Configure { .. } => Ok(refused("a configuration is stored before anything else is done with it")),
        Command::Open { intent, stops, everybody, only, accept_source, retry } => {
            if let Some(run) = store.run(connection, request.run).await? {
                tick::notify_left_over(ports, &run.value).await?;
                return Ok(done(request.run));
            }
            let meta = store.meta(connection).await?.value;
            match meta.standing {
                ConnectionState::Disconnected => {
                    return Ok(refused(
                        "the connection is disconnected. Connect it again with `hardmatch auth connect`",
                    ));
                }
                ConnectionState::Paused if *intent == Intent::Sync => {
                    return Ok(refused(format!("{} `hardmatch connection resume`", paused(&meta))));
                }
                ConnectionState::Paused | ConnectionState::Active => {}
            }
            let only = match only {
                None => None,
                Some(hex) => {
                    let pid = PersonHash::parse(hex);
                    let found = match pid {
                        Some(pid) => store.people(connection, &[pid]).await?.into_iter().next(),
                        None => None,
                    };
                    let Some((_, record)) = found else {
                        return Ok(refused("nobody of that name is known any more. Look them up again"));
                    };
                    Some(record.person.key.clone())
                }
            };
            let opening = Opening {
                id: request.run.to_owned(),
                connection: connection.clone(),
                intent: *intent,
                accept: match stops {
                    Stops::Kept => Accept::Nothing,
                    Stops::Passed => Accept::TheStop,
                },
                everybody: *everybody,
                only,
                accept_source: *accept_source,
                retry: *retry,
                by: request.by.to_owned(),
            };
            let run = open_run(store, &*ports.doorbell, &opening, ports.clock.now().as_millisecond()).await?;
            Ok(done(&run.id))
        }
        Command::Accept { hash } => {
            let meta = store.meta(connection).await?.value;
            if meta.standing == ConnectionState::Paused {
                return Ok(refused(format!("{} `hardmatch connection resume`", paused(&meta))));
            }
            Ok(accepted(hash, accept(ports, connection, hash, request.by).await?))
        }
        Command::Connect { ticket: id } => {
            if id.len() != 64 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Ok(refused("the link's hash is no hash. Use the `hardmatch` of this version"));
            }
            let now = ports.clock.now_seconds();
            let ticket = Ticket { v: 1, connection: connection.clone(), expires: now + TICKET_SECONDS };
            store.put_ticket(id, &ticket, now).await?;
            Ok(Reply::Done { run: None })
        }
        Command::Pause => {
            let now = ports.clock.now_seconds();
            store.update_meta(connection, |meta| meta.pause(request.by, now)).await?;
            Ok(Reply::Done { run: None })
        }
        Command::Resume => {
            store.update_meta(connection, Meta::resume).await?;
            tick::tick(ports, connection).await?;
            Ok(Reply::Done { run: None })
        }
        Command::SwitchOff { action } => {
            store.update_meta(connection, |meta| _ = meta.off.insert(*action)).await?;
            Ok(Reply::Done { run: None })
        }
        Command::SwitchOn { action } => {
            store.update_meta(connection, |meta| _ = meta.off.remove(action)).await?;
            tick::tick(ports, connection).await?;
            Ok(Reply::Done { run: None })
        }
        Command::Release => {
            store.release_quarantine(connection).await?;
            Ok(Reply::Done { run: None })
        }
        Command::Status | Command::Checks | Command::Reset | Command::Disconnect => {
            Ok(refused("the side that reaches the tenant answers this"))
        }
        Command::Redrive => Ok(refused("dead letters lie in the queues of a stack. Name the stack with --stack")),
        Command::Wake => Ok(Reply::Done { run: None }),
    }
}

/// That nothing is written for a paused connection, by whose word, and since when. Whoever says it adds how it goes on.
pub fn paused(meta: &Meta) -> String {
    let since = |at: i64| Timestamp::from_second(at).map_or_else(|_| at.to_string(), |at| at.to_string());
    let who = meta.paused.as_ref().map(|paused| format!(" by {} since {}", paused.by, since(paused.at)));
    format!(
        "the connection is paused{}. Nothing is written for it, and what was decided waits. Let it go on with",
        who.unwrap_or_default()
    )
}

/// What became of an acceptance, in words.
fn accepted(hash: &str, acceptance: Acceptance) -> Reply {
    match acceptance {
        Acceptance::GoesOn(run) | Acceptance::Resumes(run) | Acceptance::Applied(run) => done(&run.id),
        Acceptance::Expired(run) => refused(format!(
            "the plan {hash} (run {}) is too old: a plan can be applied for seven days, and what was begun for one. Make a new plan with `hardmatch plan`",
            run.id
        )),
        Acceptance::Unknown { waiting: Some(waiting) } => refused(format!(
            "no plan of this connection that waits has the hash {hash}. The plan that waits is {waiting}; look at it with `hardmatch runs show`"
        )),
        Acceptance::Unknown { waiting: None } => refused(format!(
            "no plan of this connection waits under the hash {hash}: a newer run took its place. Make a plan with `hardmatch plan`"
        )),
    }
}

fn done(run: &str) -> Reply {
    Reply::Done { run: Some(run.to_owned()) }
}

fn refused(why: impl Into<String>) -> Reply {
    Reply::Refused { why: why.into() }
}
