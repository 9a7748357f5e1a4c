//! The beginning of a repair that an operator asks for by name: its journal is stored, and the writer is not asked yet.

use hardmatch_domain::ids::ObjectId;
use hardmatch_match::{Handled, Request, handle_command};
use hardmatch_ports::command::{Command, CommandAuthority, Reply};
use hardmatch_store::runs::new_run_id;

use crate::engine::Engine;
use crate::fail::Failure;
use crate::operator::operator;

/// Begins to clear the immutable ID of an account. `leftover`: only where the account, and its ID, are nobody's.
pub(super) async fn clear_id(engine: &Engine, account: &ObjectId, leftover: bool) -> Result<(), Failure> {
    let command = Command::RepairClear { account: account.as_str().to_owned(), leftover };
    let (run, by) = (new_run_id(engine.state.clock.now().as_millisecond()), operator());
    let request = Request {
        connection: engine.connection(),
        run: &run,
        command: &command,
        authority: CommandAuthority::Approver,
        by: &by,
        reply: "",
    };
    match handle_command(&engine.deciding, &request).await? {
        Handled::Replied(Reply::Refused { why }) => Err(Failure::run(why)),
        Handled::Replied(_) | Handled::PassedOn => Ok(()),
    }
}
