//! What operators ask for. A request that is handed over twice is done once.

mod accept;
mod acknowledge;
mod approvals;
mod clear_id;
mod connect;
mod disconnect;
mod open;
mod pause;
mod release;
mod remove;
mod repair;
mod request;
mod switch;
mod tenant;
mod tokens;
mod undo;

use hardmatch_ports::command::Command;
use hardmatch_ports::tenant_request::TenantQuery;

use self::request::{done, refused};
use crate::error::MatchError;
use crate::ports::MatchPorts;

pub use self::acknowledge::MOST_DAYS;
use self::approvals::Judging;
pub use self::approvals::{set_hash, still_planned};
pub use self::disconnect::disconnect;
pub use self::pause::paused;
pub use self::request::{Handled, Request};

/// Carries a request out. [`Command::Configure`] and [`Command::Redrive`] are refused: the ports are made from what the one
/// stores, and the other is about queues, which only a function has.
pub async fn handle_command(ports: &MatchPorts, request: &Request<'_>) -> Result<Handled, MatchError> {
    if request.authority < request.command.needs() {
        return Ok(Handled::Replied(refused(
            "this takes an approver. Ask somebody whose role has the stack's approver policy to run the same command",
        )));
    }
    let meta = ports.store.meta(request.connection).await?;
    ports.store.take_up(request.connection, &meta.status).await?;
    let reply = match request.command {
        Command::Status => return tenant::pass_on(ports, request, TenantQuery::Status).await,
        Command::Checks => return tenant::pass_on(ports, request, TenantQuery::Checks).await,
        Command::Reset => return tenant::pass_on(ports, request, TenantQuery::Reset).await,
        Command::Disconnect => return disconnect::handle(ports, request).await,
        Command::Open { .. } => open::handle(ports, request).await?,
        Command::Undo { undo } => undo::handle(ports, request, undo).await?,
        Command::Accept { hash } => accept::handle(ports, request, hash).await?,
        Command::Judge { approve, changes, set, comment } => {
            let judging = Judging { approve: *approve, changes, set: set.as_deref(), comment: comment.as_deref() };
            approvals::handle(ports, request, &judging).await?
        }
        Command::Connect { ticket } => connect::handle(ports, request, ticket).await?,
        Command::Pause => pause::pause(ports, request).await?,
        Command::Resume => pause::resume(ports, request).await?,
        Command::SwitchOff { action } => switch::off(ports, request, *action).await?,
        Command::SwitchOn { action } => switch::on(ports, request, *action).await?,
        Command::Acknowledge { person, facts, until, comment } => {
            acknowledge::acknowledge(ports, request, &acknowledge::Said { person, facts, until: *until, comment })
                .await?
        }
        Command::WithdrawAcknowledgment { person } => acknowledge::withdraw(ports, request, person).await?,
        Command::KeepToken { token, signing } => tokens::keep(ports, request, token, signing.as_ref()).await?,
        Command::RevokeToken { id } => tokens::revoke(ports, request, id).await?,
        Command::Release => release::handle(ports, request).await?,
        Command::RepairRollback { repair } => repair::roll_back(ports, request, repair).await?,
        Command::RepairLink { person, account } => repair::link(ports, request, person, account).await?,
        Command::RepairClear { account, leftover } => clear_id::clear(ports, request, account, *leftover).await?,
        Command::Remove => remove::handle(ports, request).await?,
        Command::Configure { .. } => refused("a configuration is stored before anything else is done with it"),
        Command::Redrive => refused("dead letters lie in the queues of a stack. Name the stack with --stack"),
        Command::Wake => done(None),
    };
    Ok(Handled::Replied(reply))
}
