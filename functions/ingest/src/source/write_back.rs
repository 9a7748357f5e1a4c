//! The source is given what its people lack: values of their accounts, in attributes that have none.
//!
//! Why nothing is written twice, over a value, or unknown:
//! 1. The values are those of the account as it is kept now, and only of an account that is linked to the person.
//! 2. What is to be sent is journaled first, the answer after it; then the list is counted in the run, and then it goes.
//! 3. A source adds a value where there is none, and looks before it adds. A message that was killed is answered again: what it
//!    had written is found, and the journal says that it was ours.
//! 4. The person stays dirty until a reading shows the value, so what was refused is planned again by the next run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hardmatch_domain::due_write_backs;
use hardmatch_domain::ids::{ConnectionId, ObjectId, PersonKey};
use hardmatch_domain::link::JoinRule;
use hardmatch_domain::person::SourceStatus;
use hardmatch_domain::policy::Policy;
use hardmatch_domain::write_back::PlannedWriteBack;
use hardmatch_ports::doorbell::{After, MessageKind};
use hardmatch_ports::run::{Phase, Run, SourceWrite, SourceWriteResult, SourceWrites, WriteBackNote};
use hardmatch_ports::source::{WriteBack, WrittenBack};
use hardmatch_store::changes::Pointer;
use hardmatch_store::leases::{Acquire, RunLease};
use hardmatch_store::requeue::Requeue;
use hardmatch_store::{PersonHash, StoreError};

use crate::deadline::deadline_near;
use crate::ports::{ObserveError, SourcePorts};
use crate::run::{is_connected, policy};

/// After so many refusals, and not one value taken, the source is not asked again in this run: a right is missing.
const HOPELESS: u64 = 50;
/// Reasons that are kept in the run.
const REASONS: usize = 20;
/// Runs of before in which a value whose answer was lost is looked for.
const LOOKED_BACK: usize = 5;

/// Gives the source what a run has listed, and notifies the run's driver when the lists are worked off.
///
/// # Errors
///
/// The table cannot be read or written. What the source refuses is no error: the run is told.
pub async fn write_back(ports: &SourcePorts, connection: &ConnectionId, run: &str) -> Result<After, ObserveError> {
    let name = format!("write-back~{connection}");
    let lease = match RunLease::acquire(&ports.store, &*ports.clock, ports.deadline, name, run).await? {
        Acquire::Acquired(lease) => lease,
        Acquire::HeldByOther(after) => return Ok(after),
    };
    let after = write_lists(ports, connection, run).await;
    lease.release(&ports.store).await;
    after
}

async fn write_lists(ports: &SourcePorts, connection: &ConnectionId, run: &str) -> Result<After, ObserveError> {
    let store = &ports.store;
    let open = store.run(connection, run).await?.map(|stored| stored.value);
    let Some(mut open) = open.filter(|open| open.phase == Phase::WritingBack) else { return Ok(After::Done) };
    if !is_connected(store, connection).await? {
        return Ok(After::Done);
    }
    let policy = policy(store, &*ports.policies, connection, open.policy_revision).await?;
    let mut units = 0;
    while let Some(list) = store.write_backs(run, 1).await?.pop() {
        if units > 0 && deadline_near(&*ports.clock, ports.deadline) {
            let now_ms = ports.clock.now().as_millisecond();
            return Ok(match store.note_progress(connection, run, units, now_ms).await? {
                Requeue::Continue => After::Again(Duration::ZERO),
                Requeue::GiveUp => After::Done,
            });
        }
        let counted = open.write_back.clone().unwrap_or_default();
        if counted.after < list.key.sk {
            let note = match (&policy, stopped(ports, &counted, connection).await?) {
                (Err(problem), _) => Note::left(&list, Some(problem.clone())),
                (Ok(_), Some(Stopped::Paused)) => Note::left(&list, Some(PAUSED.to_owned())),
                // Why was said when it was refused.
                (Ok(_), Some(Stopped::Refused)) => Note::left(&list, None),
                (Ok(policy), None) => write_list(ports, policy, &open, &list).await?,
            };
            let Some(next) = count(ports, &open, &list, note).await? else { return Ok(After::Done) };
            open = next;
        }
        store.delete_keys(vec![list.key]).await?;
        units += 1;
    }
    let message = open.message(MessageKind::Advance);
    if let Err(error) = ports.doorbell.notify(message, Duration::ZERO).await {
        tracing::warn!(run.id = run, error = %error, "the message could not be sent");
    }
    Ok(After::Done)
}

/// Why the source is asked for nothing more in a run.
enum Stopped {
    /// An operator paused the connection.
    Paused,
    /// It refused everything so far.
    Refused,
}

const PAUSED: &str = "the connection is paused; the next run plans it again";

async fn stopped(
    ports: &SourcePorts,
    counted: &WriteBackNote,
    connection: &ConnectionId,
) -> Result<Option<Stopped>, StoreError> {
    if !ports.store.meta(connection).await?.status.may_write() {
        return Ok(Some(Stopped::Paused));
    }
    let hopeless = counted.refused >= HOPELESS && counted.written + counted.already_there == 0;
    Ok(hopeless.then_some(Stopped::Refused))
}

/// What became of one list.
#[derive(Default)]
struct Note {
    written: u64,
    already_there: u64,
    kept: u64,
    refused: u64,
    why: Vec<String>,
}

impl Note {
    /// Nobody of the list was written to.
    fn left(list: &Pointer, why: Option<String>) -> Self {
        Self { refused: list.pids.len() as u64, why: why.into_iter().collect(), ..Self::default() }
    }

    fn of(journal: &BTreeMap<PersonHash, SourceWrites>) -> Self {
        let mut note = Self::default();
        for value in journal.values().flat_map(|writes| &writes.values) {
            match value.result {
                Some(SourceWriteResult::Written) => note.written += 1,
                Some(SourceWriteResult::AlreadyThere) => note.already_there += 1,
                Some(SourceWriteResult::Kept) => note.kept += 1,
                Some(SourceWriteResult::Refused) | None => note.refused += 1,
            }
            note.why.extend(value.problem.clone().filter(|problem| !note.why.contains(problem)));
        }
        note
    }
}

/// Counts a list in its run, once. `None` where the run is in another phase by now.
async fn count(ports: &SourcePorts, open: &Run, list: &Pointer, note: Note) -> Result<Option<Run>, StoreError> {
    let entered = ports.store.update_run(&open.connection, &open.id, |run| {
        let here = run.phase == Phase::WritingBack;
        let counted = run.write_back.get_or_insert_default();
        if here && counted.after < list.key.sk {
            counted.written += note.written;
            counted.already_there += note.already_there;
            counted.kept += note.kept;
            counted.refused += note.refused;
            let new: Vec<String> = note.why.iter().filter(|why| !counted.why.contains(why)).cloned().collect();
            counted.why.extend(new);
            counted.why.truncate(REASONS);
            counted.after.clone_from(&list.key.sk);
        }
        here
    });
    entered.await
}

/// Writes to the entries of a list's people.
async fn write_list(ports: &SourcePorts, policy: &Policy, open: &Run, list: &Pointer) -> Result<Note, StoreError> {
    let (store, c) = (&ports.store, &open.connection);
    let mut journal = store.source_writes_of(c, &open.id, &list.pids).await?;
    // What a message of before journaled and did not answer: it may have been sent.
    let resumed: BTreeSet<PersonHash> =
        journal.iter().filter(|(_, writes)| is_unknown(writes)).map(|(pid, _)| *pid).collect();
    for (pid, due) in due(ports, policy, c, &list.pids).await? {
        journal.entry(pid).or_insert_with(|| SourceWrites {
            v: 1,
            run: open.id.clone(),
            key: due.key,
            account: due.account,
            joined_by: due.joined_by,
            at_ms: ports.clock.now().as_millisecond(),
            values: due.values.into_iter().map(|value| SourceWrite { value, result: None, problem: None }).collect(),
        });
    }
    if !journal.values().any(is_unknown) {
        return Ok(Note::of(&journal));
    }
    put(ports, c, &journal).await?;
    let mut asked = Vec::new();
    let mut values = Vec::new();
    for (pid, writes) in &journal {
        for (at, value) in writes.values.iter().enumerate().filter(|(_, value)| value.result.is_none()) {
            let Some(stored) = value.value.stored() else { continue };
            asked.push((*pid, at));
            let attribute = value.value.attribute.clone();
            values.push(WriteBack { key: writes.key.clone(), attribute, values: stored });
        }
    }
    let mut answer = ports.source.write_back(&values).await;
    // A connection that broke may have carried some of them: asked again, the source looks first.
    let again = answer.as_ref().is_err_and(|error| error.retry);
    if again {
        answer = ports.source.write_back(&values).await;
    }
    let lost = match answer {
        Ok(answers) => {
            for ((pid, at), answer) in asked.into_iter().zip(answers) {
                let Some(writes) = journal.get_mut(&pid) else { continue };
                let ours = answer == WrittenBack::AlreadyThere
                    && (again || resumed.contains(&pid) || was_sent(ports, c, pid, writes, at).await?);
                if let Some(value) = writes.values.get_mut(at) {
                    settle(value, answer, ours);
                }
            }
            None
        }
        // Nobody knows what was taken: that stays open in the journal, and the next run finds it.
        Err(error) => Some(error.to_string()),
    };
    put(ports, c, &journal).await?;
    let mut note = Note::of(&journal);
    note.why.extend(lost);
    Ok(note)
}

/// Whether something of it was to be sent, and no answer is known.
fn is_unknown(writes: &SourceWrites) -> bool {
    writes.values.iter().any(|value| value.result.is_none())
}

async fn put(
    ports: &SourcePorts,
    c: &ConnectionId,
    journal: &BTreeMap<PersonHash, SourceWrites>,
) -> Result<(), StoreError> {
    let writes = journal.iter().map(|(pid, writes)| ports.store.put_source_writes(c, *pid, writes)).collect();
    ports.store.write_all(writes).await
}

fn settle(value: &mut SourceWrite, answer: WrittenBack, ours: bool) {
    let (result, problem) = match answer {
        WrittenBack::Written => (SourceWriteResult::Written, None),
        WrittenBack::AlreadyThere if ours => (SourceWriteResult::Written, None),
        WrittenBack::AlreadyThere => (SourceWriteResult::AlreadyThere, None),
        WrittenBack::Kept => (SourceWriteResult::Kept, None),
        WrittenBack::ByHand => {
            let problem = "Nobody writes to this source. Its owner enters the values".to_owned();
            (SourceWriteResult::Refused, Some(problem))
        }
        WrittenBack::Refused { problem, cure } => (SourceWriteResult::Refused, Some(format!("{problem}. {cure}"))),
    };
    (value.result, value.problem) = (Some(result), problem);
}

/// Whether a value that is there was sent by a run of before, whose answer was lost.
async fn was_sent(
    ports: &SourcePorts,
    c: &ConnectionId,
    pid: PersonHash,
    writes: &SourceWrites,
    at: usize,
) -> Result<bool, StoreError> {
    let Some(value) = writes.values.get(at) else { return Ok(false) };
    let before = ports.store.source_writes(c, pid, LOOKED_BACK).await?;
    let mut open = before.iter().filter(|earlier| earlier.run != writes.run).flat_map(|earlier| &earlier.values);
    Ok(open.any(|earlier| earlier.result.is_none() && earlier.value == value.value))
}

/// What a person's entry lacks.
struct Due {
    key: PersonKey,
    account: ObjectId,
    joined_by: JoinRule,
    values: Vec<PlannedWriteBack>,
}

/// What is due of people whose account is linked to them: decided from what is kept now, not from what was planned.
async fn due(
    ports: &SourcePorts,
    policy: &Policy,
    c: &ConnectionId,
    pids: &[PersonHash],
) -> Result<Vec<(PersonHash, Due)>, StoreError> {
    let items = ports.store.person_items(c, pids).await?;
    let ids: Vec<ObjectId> = items.values().filter_map(|items| items.account.clone()).collect();
    let accounts = ports.store.account_items(&ports.scope, ids).await?;
    let mut found = Vec::new();
    for (pid, items) in items {
        let (Some(record), Some(id)) = (items.record, items.account) else { continue };
        let Some(held) = accounts.get(&id) else { continue };
        let (Some(account), Some(link)) = (&held.account, &held.link) else { continue };
        let (account, link) = (&account.value.account, &link.value);
        if link.person != record.reference() || record.standing != SourceStatus::Present {
            continue;
        }
        let values = due_write_backs(policy, &record.person, link, account);
        if !values.is_empty() {
            let due = Due {
                key: record.person.key.clone(),
                account: account.id.clone(),
                joined_by: link.joined_by,
                values: values.into_vec(),
            };
            found.push((pid, due));
        }
    }
    Ok(found)
}
