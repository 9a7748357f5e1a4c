//! `auth`: connects a tenant, says how it is connected, gives it up.

mod certificate;
mod connect;
pub(crate) mod expiry;
mod give_up;
pub(crate) mod pages;
mod status;

use crate::args::AuthCommand;
use crate::fail::{Exit, Failure};

pub(crate) async fn auth(command: AuthCommand) -> Result<Exit, Failure> {
    const INSTEAD: &str = "For a stack there is `hardmatch auth connect --stack NAME`";
    match &command {
        AuthCommand::Connect(args) => {
            if let Some(stack) = &args.common.stack {
                return super::remote::connect(stack, args).await;
            }
        }
        AuthCommand::Status(common) | AuthCommand::Reset(common) | AuthCommand::Disconnect(common) => {
            common.here("auth", INSTEAD)?;
        }
        AuthCommand::Certificate(_) => {}
    }
    match command {
        AuthCommand::Connect(args) => connect::connect(args).await,
        AuthCommand::Certificate(args) => certificate::certificate(&args),
        AuthCommand::Status(common) => status::status(&common).await,
        AuthCommand::Reset(common) => give_up::reset(&common).await,
        AuthCommand::Disconnect(common) => give_up::disconnect(&common).await,
    }
}
