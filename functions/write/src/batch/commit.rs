//! Storing the effects of a batch. Only what must hold under a condition is written under one, and by itself: a transaction
//! would cost twice as much. What is written before it may be repeated, what is written after it may be left out, so a
//! process may be killed between any two of these writes.

use hardmatch_domain::reason::{Code, Reason};
use hardmatch_ports::Write;
use hardmatch_ports::run::OutcomeKind;

use super::BatchResult;
use super::settle::{self, Effects};
use crate::task::Task;
use crate::{WriteError, WritePorts};

/// Stores the effects of a batch, everybody's together, step by step: facts; claims of accounts; what leads to them; the
/// journal, with what became of changes that ended. Nobody's lost condition takes another person along.
pub(crate) async fn commit(
    ports: &WritePorts,
    mut all_effects: Vec<(Task, Effects)>,
    result: &mut BatchResult,
) -> Result<(), WriteError> {
    let facts = all_effects.iter_mut().flat_map(|(_, effects)| std::mem::take(&mut effects.facts)).collect();
    together(ports, facts).await?;

    let (kept, lost) = under_condition(ports, all_effects, |effects| effects.claim.take()).await?;
    let pointers = kept.iter().flat_map(|(_, effects, _)| effects.pointers.iter().cloned()).collect();
    together(ports, pointers).await?;

    let all_effects = kept.into_iter().map(|(task, effects, _)| (task, effects)).collect();
    let (kept, replaced) = under_condition(ports, all_effects, |effects| effects.journal.take()).await?;

    let mut again = Vec::new();
    // The account was claimed by somebody faster: what was said of the change is not so.
    for (task, _) in &lost {
        let reason = Some(Reason::plain(Code::FactsMoved));
        let outcome = settle::outcome(ports, task, OutcomeKind::FactsMoved, reason, None);
        ports.store.put_outcome(&task.open.change.person.connection, task.pid, &outcome, &mut again);
    }
    // In the place of the change there is a newer one: what became of it goes where it would have gone then.
    for (task, effects) in &replaced {
        if let Some(ended) = &effects.ended {
            ports.store.put_outcome(&task.open.change.person.connection, task.pid, ended, &mut again);
        }
    }
    // These, and whoever was decided anew in the meantime, are looked at again.
    for (task, _) in lost.iter().chain(&replaced) {
        again.push(ports.store.mark_dirty(&task.open.change.person.connection, task.pid));
        result.settled.push(task.pid);
    }
    together(ports, again).await?;

    for (mut task, effects, revision) in kept {
        result.deferred_deletes.extend(effects.deferred_deletes);
        if effects.outcome.is_some() {
            result.settled.push(task.pid);
            continue;
        }
        if let Some(revision) = revision {
            task.revision = revision;
        }
        result.tasks.push(task);
    }
    Ok(())
}

async fn together(ports: &WritePorts, writes: Vec<Write>) -> Result<(), WriteError> {
    if !writes.is_empty() {
        ports.store.table().batch_write(writes).await?;
    }
    Ok(())
}

type Kept = Vec<(Task, Effects, Option<u64>)>;
type Lost = Vec<(Task, Effects)>;

/// Makes everybody's conditional write of one kind: those for whom it held, or who had none, with the new revision, and
/// the others.
async fn under_condition(
    ports: &WritePorts,
    mut all_effects: Vec<(Task, Effects)>,
    which: impl Fn(&mut Effects) -> Option<Write>,
) -> Result<(Kept, Lost), WriteError> {
    let writes: Vec<Option<Write>> = all_effects.iter_mut().map(|(_, effects)| which(effects)).collect();
    let asked: Vec<bool> = writes.iter().map(Option::is_some).collect();
    let mut answers = ports.store.each_if(writes.into_iter().flatten().collect()).await?.into_iter();
    let (mut kept, mut lost) = (Vec::with_capacity(all_effects.len()), Vec::new());
    for ((task, effects), asked) in all_effects.into_iter().zip(asked) {
        match asked.then(|| answers.next().flatten()) {
            Some(None) => lost.push((task, effects)),
            Some(revision @ Some(_)) => kept.push((task, effects, revision)),
            None => kept.push((task, effects, None)),
        }
    }
    Ok((kept, lost))
}
