//! Storing the books of a hand. Only what must hold under a condition is written under one, and by itself: a transaction
//! would cost twice as much. What is written before it may be repeated, what is written after it may be left out, so a
//! process may be killed between any two of these writes.

use hardmatch_domain::reason::{Code, Reason};
use hardmatch_ports::Write;
use hardmatch_ports::run::OutcomeKind;

use crate::hand::Played;
use crate::settle::{self, Books};
use crate::task::Task;
use crate::{WriteError, WritePorts};

/// Stores the books of a hand, everybody's together, step by step: facts; claims of accounts; what leads to them; the
/// journal, with what became of changes that ended. Nobody's lost condition takes another person along.
pub(crate) async fn record(
    ports: &WritePorts,
    mut books: Vec<(Task, Books)>,
    played: &mut Played,
) -> Result<(), WriteError> {
    let facts = books.iter_mut().flat_map(|(_, book)| std::mem::take(&mut book.facts)).collect();
    together(ports, facts).await?;

    let (kept, lost) = under_condition(ports, books, |book| book.claim.take()).await?;
    let pointers = kept.iter().flat_map(|(_, book, _)| book.pointers.iter().cloned()).collect();
    together(ports, pointers).await?;

    let books = kept.into_iter().map(|(task, book, _)| (task, book)).collect();
    let (kept, replaced) = under_condition(ports, books, |book| book.journal.take()).await?;

    let mut again = Vec::new();
    // The account was claimed by somebody faster: what was said of the change is not so.
    for (task, _) in &lost {
        let reason = Some(Reason::plain(Code::FactsMoved));
        let outcome = settle::outcome(ports, task, OutcomeKind::FactsMoved, reason, None);
        ports.store.put_outcome(&task.open.change.person.connection, task.pid, &outcome, &mut again);
    }
    // In the place of the change there is a newer one: what became of it goes where it would have gone then.
    for (task, book) in &replaced {
        if let Some(ended) = &book.ended {
            ports.store.put_outcome(&task.open.change.person.connection, task.pid, ended, &mut again);
        }
    }
    // These, and whoever was decided anew in the meantime, are looked at again.
    for (task, _) in lost.iter().chain(&replaced) {
        again.push(ports.store.mark_open(&task.open.change.person.connection, task.pid));
        played.settled.push(task.pid);
    }
    together(ports, again).await?;

    for (mut task, book, revision) in kept {
        played.leftovers.extend(book.leftovers);
        if book.outcome.is_some() {
            played.settled.push(task.pid);
            continue;
        }
        if let Some(revision) = revision {
            task.revision = revision;
        }
        played.tasks.push(task);
    }
    Ok(())
}

async fn together(ports: &WritePorts, writes: Vec<Write>) -> Result<(), WriteError> {
    if !writes.is_empty() {
        ports.store.table().batch_write(writes).await?;
    }
    Ok(())
}

type Kept = Vec<(Task, Books, Option<u64>)>;
type Lost = Vec<(Task, Books)>;

/// Makes everybody's conditional write of one kind: those for whom it held, or who had none, with the new revision, and
/// the others.
async fn under_condition(
    ports: &WritePorts,
    mut books: Vec<(Task, Books)>,
    which: impl Fn(&mut Books) -> Option<Write>,
) -> Result<(Kept, Lost), WriteError> {
    let writes: Vec<Option<Write>> = books.iter_mut().map(|(_, book)| which(book)).collect();
    let asked: Vec<bool> = writes.iter().map(Option::is_some).collect();
    let mut answers = ports.store.each_if(writes.into_iter().flatten().collect()).await?.into_iter();
    let (mut kept, mut lost) = (Vec::with_capacity(books.len()), Vec::new());
    for ((task, book), asked) in books.into_iter().zip(asked) {
        match asked.then(|| answers.next().flatten()) {
            Some(None) => lost.push((task, book)),
            Some(revision @ Some(_)) => kept.push((task, book, revision)),
            None => kept.push((task, book, None)),
        }
    }
    Ok((kept, lost))
}
