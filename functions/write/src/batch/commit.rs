//! Storing the effects of a batch. Only what must hold under a condition is written under one, and by itself: a transaction
//! would cost twice as much. What is written before it may be repeated, what is written after it may be left out, so a
//! process may be killed between any two of these writes.

use hardmatch_domain::reason::{Code, Reason};
use hardmatch_ports::Write;
use hardmatch_ports::run::{Outcome, OutcomeKind};
use hardmatch_store::accounts::AccountItem;
use hardmatch_store::leases::LeaseProof;

use super::context::BatchResult;
use super::effects::{Effects, Facts, Journal, Mirror, Written};
use super::outcome;
use crate::task::Task;
use crate::{WriteError, WritePorts};

/// Stores the effects of a batch, those of all people together, step by step: facts; claims of accounts; what leads to them;
/// the journal, with what became of changes that ended. A condition that is lost for one person takes nobody else along.
pub(crate) async fn commit(
    ports: &WritePorts,
    _: &LeaseProof,
    mut all_effects: Vec<(Task, Effects)>,
    result: &mut BatchResult,
) -> Result<(), WriteError> {
    if all_effects.is_empty() {
        return Ok(());
    }
    let facts: Vec<(&Task, Facts)> =
        all_effects.iter_mut().map(|(task, effects)| (&*task, std::mem::take(&mut effects.facts))).collect();
    store_facts(ports, facts).await?;

    let claim = |_: &Task, effects: &mut Effects| {
        effects.claim.take().map(|claim| ports.store.claim(&ports.scope, claim.had.as_ref(), &claim.link))
    };
    let (kept, lost) = under_condition(ports, all_effects, claim).await?;
    let pointers = kept.iter().flat_map(|(_, effects, _)| pointers(ports, effects)).collect();
    together(ports, pointers).await?;

    let all_effects = kept.into_iter().map(|(task, effects, _)| (task, effects)).collect();
    let (kept, replaced) = under_condition(ports, all_effects, |task, effects| journal(ports, task, effects)).await?;

    let mut again = Vec::new();
    // The account was claimed by another person: what was said of the change is not so.
    for (task, _) in &lost {
        let (reason, at) = (Some(Reason::plain(Code::FactsMoved)), ports.clock.now());
        let outcome = outcome::of(task, OutcomeKind::FactsMoved, reason, None, at);
        put_outcome(ports, task, &outcome, &mut again);
        say(task, &outcome);
    }
    // In the place of the change there is a newer one: what became of the older goes where it would have gone then.
    for (task, effects) in &replaced {
        if let Journal::End(ended) = &effects.journal {
            put_outcome(ports, task, ended, &mut again);
            say(task, ended);
        }
    }
    // Both are decided again, and so are people who were decided anew in the meantime.
    for (task, _) in lost.iter().chain(&replaced) {
        again.push(ports.store.mark_dirty(&task.open.change.person.connection, task.pid));
        result.settled.push(task.pid);
    }
    together(ports, again).await?;

    let now_ms = ports.clock.now().as_millisecond();
    for (mut task, effects, revision) in kept {
        if let Some(mark) = effects.clear_mark {
            let connection = &task.open.change.person.connection;
            result.deferred_deletes.push(ports.store.clear_dirty(connection, task.pid, mark));
        }
        if let Journal::End(ended) = &effects.journal {
            say(&task, ended);
        }
        if effects.outcome.is_some() {
            result.settled.push(task.pid);
            continue;
        }
        if let Some(revision) = revision {
            (task.revision, task.known_at_ms) = (revision, now_ms);
        }
        result.tasks.push(task);
    }
    Ok(())
}

/// Stores facts so that a process that is killed in between does it again: what accounts are found by first, accounts last.
async fn store_facts(ports: &WritePorts, facts: Vec<(&Task, Facts)>) -> Result<(), WriteError> {
    let store = &ports.store;
    let (mut writes, mut accounts, mut forgotten) = (Vec::new(), Vec::new(), Vec::new());
    for (task, facts) in facts {
        let connection = &task.open.change.person.connection;
        match facts.mirror {
            Some(Mirror::After(written)) => accounts.push(*written),
            Some(Mirror::Forget(old)) => store.delete_account(&ports.scope, &old, &mut forgotten),
            None => {}
        }
        if let Some((group, account)) = &facts.membership {
            writes.push(store.note_membership(&ports.scope, group, account));
        }
        if facts.held {
            writes.push(store.put_held(&task.open.run, task.pid));
        }
        if let Some(refused) = &facts.refused {
            writes.push(store.put_refused(connection, task.pid, refused));
        }
        if let Some(said) = &facts.said {
            put_outcome(ports, task, said, &mut writes);
            say(task, said);
        }
        if facts.mark {
            writes.push(store.mark_dirty(connection, task.pid));
        }
    }
    let mut conditional = Vec::with_capacity(accounts.len());
    for written in &accounts {
        let before = written.before.as_ref();
        let Some(item) = written.over(before.map(|stored| &stored.value)) else { continue };
        conditional.push((written, item, before.map(|stored| stored.revision)));
    }
    for (written, item, _) in &conditional {
        let old = written.before.as_ref().map(|stored| &stored.value.account);
        store.move_account_lookups(&ports.scope, old, &item.account, &mut writes);
    }
    together(ports, writes).await?;
    together(ports, forgotten).await?;
    store_accounts(ports, conditional).await
}

/// Stores accounts as steps left them, each under the condition that its mirror is as it was read. Where an observation came
/// between, what the step changed is laid over the observation, so that neither is lost.
async fn store_accounts(
    ports: &WritePorts,
    mut accounts: Vec<(&Written, AccountItem, Option<u64>)>,
) -> Result<(), WriteError> {
    let store = &ports.store;
    while !accounts.is_empty() {
        let writes = accounts.iter().map(|(_, item, had)| store.put_account_if(&ports.scope, *had, item)).collect();
        let held = store.each_if(writes).await?;
        let missed: Vec<_> =
            accounts.into_iter().zip(held).filter(|(_, held)| held.is_none()).map(|(one, _)| one).collect();
        let ids: Vec<_> = missed.iter().map(|(written, ..)| written.id.clone()).collect();
        let observed = store.stored_accounts(&ports.scope, &ids).await?;
        let mut lookups = Vec::new();
        accounts = Vec::with_capacity(missed.len());
        for (written, meant, _) in missed {
            let now = observed.iter().find(|stored| stored.value.account.id == written.id);
            let Some(item) = written.over(now.map(|stored| &stored.value)) else {
                store.delete_account(&ports.scope, &meant.account, &mut lookups);
                continue;
            };
            // The look-ups were moved to what was meant; from there and from what was observed they go to what is so.
            for had in [Some(&meant.account), now.map(|stored| &stored.value.account), None] {
                store.move_account_lookups(&ports.scope, had, &item.account, &mut lookups);
            }
            accounts.push((written, item, now.map(|stored| stored.revision)));
        }
        together(ports, lookups).await?;
    }
    Ok(())
}

fn pointers(ports: &WritePorts, effects: &Effects) -> Vec<Write> {
    let ended = effects.pointers.ended.as_ref().map(|who| ports.store.delete_link_pointer(who));
    let made = effects.pointers.made.as_ref();
    let made = made.map(|(who, account)| ports.store.put_link_pointer(who, account));
    let mut writes: Vec<Write> = ended.into_iter().chain(made).collect();
    if let Some(link) = &effects.unlinked {
        ports.store.delete_link(&ports.scope, link, &mut writes);
    }
    writes
}

fn journal(ports: &WritePorts, task: &Task, effects: &mut Effects) -> Option<Write> {
    let connection = &task.open.change.person.connection;
    match &effects.journal {
        Journal::Same => None,
        Journal::Put => Some(ports.store.put_change(connection, task.pid, task.revision, &task.open)),
        Journal::End(ended) => Some(ports.store.end_change(connection, task.pid, task.revision, ended)),
    }
}

fn put_outcome(ports: &WritePorts, task: &Task, outcome: &Outcome, writes: &mut Vec<Write>) {
    ports.store.put_outcome(&task.open.change.person.connection, task.pid, outcome, writes);
}

/// Says what became of a person's change, by hash.
fn say(task: &Task, outcome: &Outcome) {
    let change = &task.open.change;
    tracing::info!(
        connection.id = %change.person.connection,
        run.id = outcome.run,
        person.hash = task.pid.hex(),
        change.id = outcome.change.as_str(),
        change.action = change.action.name(),
        change.result = outcome.result.name(),
        reason.code = outcome.reason.as_ref().map(|reason| reason.code.as_str()),
        "a change has ended"
    );
}

async fn together(ports: &WritePorts, writes: Vec<Write>) -> Result<(), WriteError> {
    ports.store.write_all(writes).await?;
    Ok(())
}

/// Effects whose condition held, or that had none, with the new revision.
type Kept = Vec<(Task, Effects, Option<u64>)>;
/// Effects whose condition did not hold.
type Lost = Vec<(Task, Effects)>;

/// Makes the conditional writes of one kind.
async fn under_condition(
    ports: &WritePorts,
    mut all_effects: Vec<(Task, Effects)>,
    which: impl Fn(&Task, &mut Effects) -> Option<Write>,
) -> Result<(Kept, Lost), WriteError> {
    let writes: Vec<Option<Write>> = all_effects.iter_mut().map(|(task, effects)| which(task, effects)).collect();
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
