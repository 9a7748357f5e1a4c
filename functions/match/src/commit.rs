//! Writes of one unit of work, brought into the table.

use hardmatch_ports::{Condition, TableError, Write};

use crate::error::MatchError;
use crate::ports::MatchPorts;

/// Makes unconditional writes together, then the conditional ones, each by itself: none rests on another, and a
/// transaction would cost twice as much. A condition that does not hold says that another process decided or wrote
/// meanwhile: the unit of work fails with a conflict and is done again on what is true then.
pub(crate) async fn commit(ports: &MatchPorts, writes: Vec<Write>) -> Result<(), MatchError> {
    let (plain, conditional): (Vec<Write>, Vec<Write>) = writes.into_iter().partition(|write| match write {
        Write::Put { condition, .. } | Write::Delete { condition, .. } | Write::Check { condition, .. } => {
            *condition == Condition::None
        }
    });
    commit_plain(ports, plain).await?;
    let held = ports.store.each_if(conditional).await?;
    match held.iter().position(Option::is_none) {
        None => Ok(()),
        Some(at) => Err(TableError::Conflict { at }.into()),
    }
}

/// Makes unconditional writes, if there are any.
pub(crate) async fn commit_plain(ports: &MatchPorts, writes: Vec<Write>) -> Result<(), MatchError> {
    ports.store.write_all(writes).await?;
    Ok(())
}
