//! `auth`: connects a tenant, says how it is connected, gives it up.

mod certificate;
mod connect;
pub(crate) mod give_up;
pub(crate) mod pages;
pub(crate) mod status;

use crate::args::AuthCommand;
use crate::commands::remote;
use crate::fail::{Exit, Failure};

pub(crate) async fn auth(command: AuthCommand) -> Result<Exit, Failure> {
    let stack = match &command {
        AuthCommand::Connect(args) => args.common.stack.clone(),
        AuthCommand::Status(common) | AuthCommand::Reset(common) | AuthCommand::Disconnect(common) => {
            common.stack.clone()
        }
        AuthCommand::Certificate(_) => None,
    };
    match (command, stack) {
        (AuthCommand::Connect(args), None) => connect::connect(args).await,
        (AuthCommand::Connect(args), Some(stack)) => remote::connect(&stack, &args).await,
        (AuthCommand::Certificate(args), _) => certificate::certificate(&args),
        (AuthCommand::Status(common), None) => status::status(&common).await,
        (AuthCommand::Status(common), Some(stack)) => remote::status(&stack, &common).await,
        (AuthCommand::Reset(common), None) => give_up::reset(&common).await,
        (AuthCommand::Reset(common), Some(stack)) => remote::reset(&stack, &common).await,
        (AuthCommand::Disconnect(common), None) => give_up::disconnect(&common).await,
        (AuthCommand::Disconnect(common), Some(stack)) => remote::disconnect(&stack, &common).await,
    }
}
