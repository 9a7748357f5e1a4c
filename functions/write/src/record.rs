//! Storing the books of a hand: few transactions, and nobody's conflict takes another person along.

use std::collections::BTreeMap;

use hardmatch_ports::{TableError, Write};

use crate::hand::Played;
use crate::settle::Books;
use crate::task::Task;
use crate::{WriteError, WritePorts};

/// Stores the books of a hand: as few transactions as fit, and each person's on its own where one was decided anew.
pub(crate) async fn record(
    ports: &WritePorts,
    books: Vec<(Task, Books)>,
    played: &mut Played,
) -> Result<(), WriteError> {
    let mut group: Vec<(Task, Books)> = Vec::new();
    let mut size = 0;
    for (task, book) in books {
        let more = book.facts.len() + book.journal.len();
        if size + more > hardmatch_ports::table::MAX_TRANSACT && !group.is_empty() {
            record_group(ports, std::mem::take(&mut group), played).await?;
            size = 0;
        }
        size += more;
        group.push((task, book));
    }
    record_group(ports, group, played).await
}

async fn record_group(ports: &WritePorts, group: Vec<(Task, Books)>, played: &mut Played) -> Result<(), WriteError> {
    if group.is_empty() {
        return Ok(());
    }
    let table = ports.store.table();
    let all: Vec<Write> = group.iter().flat_map(|(_, book)| book.facts.iter().chain(&book.journal).cloned()).collect();
    let together = match table.transact(distinct(all)).await {
        Ok(()) => true,
        Err(TableError::Conflict { .. } | TableError::Invalid(_)) => false,
        Err(error) => return Err(error.into()),
    };
    for (mut task, book) in group {
        let mut kept = true;
        if !together {
            let own: Vec<Write> = book.facts.iter().chain(&book.journal).cloned().collect();
            match table.transact(distinct(own)).await {
                Ok(()) => {}
                Err(TableError::Conflict { .. }) => {
                    // Decided anew, or the account was claimed by somebody faster: what is true stays true, and the
                    // person is looked at again.
                    let mut facts: Vec<Write> = book.facts.into_iter().filter(unconditional).collect();
                    facts.push(ports.store.mark_open(&task.open.change.person.connection, task.pid));
                    facts.push(Write::delete(task.pointer.clone()));
                    table.batch_write(facts).await?;
                    kept = false;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if !kept || book.outcome.is_some() {
            played.settled.push(task.pid);
            continue;
        }
        if book.journal.iter().any(|write| matches!(write, Write::Put { .. })) {
            task.revision += 1;
        }
        played.tasks.push(task);
    }
    Ok(())
}

fn unconditional(write: &Write) -> bool {
    match write {
        Write::Put { condition, .. } | Write::Delete { condition, .. } | Write::Check { condition, .. } => {
            *condition == hardmatch_ports::Condition::None
        }
    }
}

/// A transaction may name an item once; the last word wins.
fn distinct(writes: Vec<Write>) -> Vec<Write> {
    let mut last = BTreeMap::new();
    for write in writes {
        last.insert(write.key().clone(), write);
    }
    last.into_values().collect()
}
