//! Deciding one slice and bringing it into the table: the open change of each person, marks, clocks and timers. The
//! slice itself is deleted last: it is the unit of retry.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hardmatch_domain::change::{Action, Decision};
use hardmatch_domain::decide::Context;
use hardmatch_domain::ids::{ConnectionId, PersonKey};
use hardmatch_domain::link::Link;
use hardmatch_domain::person::{Manager, PersonRecord};
use hardmatch_domain::policy::Policy;
use hardmatch_domain::reason::{Code, Wakes, Weight};
use hardmatch_ports::run::{Run, Stop};
use hardmatch_ports::{Condition, TableError, Write};
use hardmatch_store::PersonHash;
use hardmatch_store::changes::{ChangeState, LastChange, OpenChange};
use hardmatch_store::timers::Timer;

use crate::phase::decide::load_facts::{Refusals, decide_all, row};
use crate::{MatchError, MatchPorts, plan};

/// The policy of a revision.
pub(crate) async fn policy(
    ports: &MatchPorts,
    connection: &ConnectionId,
    revision: u64,
) -> Result<Arc<Policy>, MatchError> {
    let text = ports
        .store
        .policy(connection, revision)
        .await?
        .ok_or_else(|| MatchError::Broken(format!("policy {revision} of {connection} is not stored")))?;
    ports.policies.compile(&text, revision).map_err(MatchError::Broken)
}

/// Decides a slice.
pub(crate) async fn decide(
    ports: &MatchPorts,
    run: &Run,
    context: &Context<'_>,
    slice: usize,
    pids: &[PersonHash],
) -> Result<(), MatchError> {
    // Marks are read before the facts: a person who is marked after this is to be decided again.
    let mut marks = ports.store.marks(&run.connection, pids).await?;
    let people: Vec<_> = ports.store.people(&run.connection, pids).await?;
    let records: Vec<_> = people.iter().map(|(_, record)| record.clone()).collect();
    let refusals = if run.retry { Refusals::SentAgain } else { Refusals::Withheld };
    let decisions = decide_all(ports, &records, context, refusals).await?;
    let lasts = ports.store.last_changes(&run.connection, pids).await?;
    let accepted = accepted_before(ports, run, people.iter().map(|(pid, _)| *pid).zip(&decisions), &lasts).await?;
    let decided = people.iter().map(|(pid, _)| *pid).zip(&decisions);
    mark(ports, run, decided, &mut marks).await?;
    let mut writes = Vec::new();
    let mut settled = Vec::new();
    for ((pid, record), decision) in people.iter().zip(&decisions) {
        let mark = marks.get(pid).copied();
        let last = lasts.get(pid);
        keep_change(ports, run, *pid, last, (mark, accepted.contains(pid)), decision, &mut writes);
        if is_settled(decision) {
            settled.extend(mark.map(|mark| ports.store.clear_dirty(&run.connection, *pid, mark)));
        }
        keep_clocks(ports, run, *pid, decision, &mut writes).await?;
        writes.extend(awaited(record, decision).map(|target| {
            let target = ports.store.secret().pid(target);
            ports.store.note_waiting(&run.connection, *pid, target)
        }));
    }
    // Marked, but never stored: a mark left behind by a person who was refused before anybody understood them.
    let known: BTreeSet<PersonHash> = people.iter().map(|(pid, _)| *pid).collect();
    let nobody = marks.iter().filter(|(pid, _)| !known.contains(pid));
    settled.extend(nobody.map(|(pid, mark)| ports.store.clear_dirty(&run.connection, *pid, *mark)));
    store(ports, writes).await?;
    // Marked again since: that mark stays, and nothing is to be done anew for it.
    ports.store.each_if(settled).await?;
    let rows = people.iter().zip(decisions).map(|((pid, record), decision)| hardmatch_ports::run::PlanRow {
        accepted: accepted.contains(pid),
        ..row(record, decision)
    });
    let rows: Vec<_> = rows.collect();
    plan::put_slice(ports, &run.id, slice, &rows).await?;
    ports.store.delete_slice(&run.id, slice).await?;
    Ok(())
}

/// The manager whom the source names and who has no account that could be entered: whoever waits is decided again with
/// them.
fn awaited<'r>(record: &'r PersonRecord, decision: &Decision) -> Option<&'r PersonKey> {
    let waits = decision.reasons.iter().any(|reason| reason.code == Code::ReferenceOutOfScope);
    match &record.person.manager {
        Some(Manager::Person(key)) if waits => Some(key),
        Some(Manager::Person(_) | Manager::Nobody | Manager::Unknown(_)) | None => None,
    }
}

/// Marks people who need more than this decision and are not marked, and enters their marks' revisions. A person whom
/// another process marks at the same moment keeps that mark.
async fn mark<'d>(
    ports: &MatchPorts,
    run: &Run,
    decided: impl Iterator<Item = (PersonHash, &'d Decision)>,
    marks: &mut BTreeMap<PersonHash, u64>,
) -> Result<(), MatchError> {
    let unmarked = decided.filter(|(pid, decision)| !marks.contains_key(pid) && !is_settled(decision));
    let unmarked: Vec<PersonHash> = unmarked.map(|(pid, _)| pid).collect();
    let writes = unmarked.iter().map(|pid| ports.store.mark_new(&run.connection, *pid)).collect();
    let revisions = ports.store.each_if(writes).await?;
    marks.extend(unmarked.into_iter().zip(revisions).filter_map(|(pid, revision)| Some((pid, revision?))));
    Ok(())
}

/// Whether there is nothing to write for a person and nothing to look at again.
fn is_settled(decision: &Decision) -> bool {
    decision.change.is_none() && !needs_more(decision)
}

/// Unconditional writes together, then the conditional ones, each by itself: none rests on another, and a transaction
/// would cost twice as much. When one does not hold, somebody else decided or wrote meanwhile: the whole is done again on
/// what is true then.
pub(crate) async fn store(ports: &MatchPorts, writes: Vec<Write>) -> Result<(), MatchError> {
    let (plain, conditional): (Vec<Write>, Vec<Write>) = writes.into_iter().partition(|write| match write {
        Write::Put { condition, .. } | Write::Delete { condition, .. } | Write::Check { condition, .. } => {
            *condition == Condition::None
        }
    });
    if !plain.is_empty() {
        ports.store.table().batch_write(plain).await?;
    }
    let held = ports.store.each_if(conditional).await?;
    match held.iter().position(Option::is_none) {
        None => Ok(()),
        Some(at) => Err(TableError::Conflict { at }.into()),
    }
}

/// People whose very change an accepted plan showed, and whom an earlier run did not come to: the guard does not count
/// them again.
async fn accepted_before(
    ports: &MatchPorts,
    run: &Run,
    decided: impl Iterator<Item = (PersonHash, &Decision)>,
    lasts: &BTreeMap<PersonHash, LastChange>,
) -> Result<BTreeSet<PersonHash>, MatchError> {
    let mut runs: BTreeMap<String, bool> = BTreeMap::new();
    let mut accepted = BTreeSet::new();
    for (pid, decision) in decided {
        let Some(change) = decision.change.as_deref() else { continue };
        let Some(had) = lasts.get(&pid).and_then(|last| last.open.as_ref()) else { continue };
        if had.change.id != change.id {
            continue;
        }
        let known = had.accepted || runs.get(&had.run).copied().unwrap_or(false);
        let is_accepted = if known || had.run == run.id || runs.contains_key(&had.run) {
            known
        } else {
            let earlier = ports.store.run(&run.connection, &had.run).await?;
            let is = earlier.is_some_and(|earlier| was_accepted(&earlier.value));
            runs.insert(had.run.clone(), is);
            is
        };
        if is_accepted {
            accepted.insert(pid);
        }
    }
    Ok(accepted)
}

/// Whether an operator accepted a run's plan: by its hash, or the stop of a first run.
fn was_accepted(run: &Run) -> bool {
    let first = matches!(run.stop, Some(Stop::FirstRun | Stop::StateLost));
    run.accepted.as_ref().is_some_and(|accepted| accepted.by_hash || first)
}

/// The one open change of a person: new, kept as it is when it is the same, or ended.
fn keep_change(
    ports: &MatchPorts,
    run: &Run,
    pid: PersonHash,
    last: Option<&LastChange>,
    (mark, accepted): (Option<u64>, bool),
    decision: &Decision,
    writes: &mut Vec<Write>,
) {
    let (connection, store) = (&run.connection, &ports.store);
    let had = last.and_then(|last| last.open.as_ref());
    match (decision.change.as_deref(), last) {
        (Some(change), last) => {
            // A change that was handed to the tenant under an older fence may have been done: whoever writes next
            // looks before repeating, whatever was decided since.
            let unknown = had.is_some_and(|had| matches!(had.state, ChangeState::Sending(_)));
            // One that was taken apart since counts its steps otherwise.
            let same = had.filter(|had| had.change.id == change.id && had.change.steps.len() == change.steps.len());
            let next = OpenChange {
                v: 1,
                change: change.clone(),
                run: run.id.clone(),
                state: if unknown { ChangeState::Sending(0) } else { ChangeState::Ready },
                done: same.map_or(0, |had| had.done),
                attempts: 0,
                not_before_ms: 0,
                manager_pending: same.and_then(|had| had.manager_pending.clone()),
                refusal: None,
                refused_parts: Vec::new(),
                password_unknown: same.is_some_and(|had| had.password_unknown),
                decided_ms: ports.clock.now().as_millisecond(),
                account_revision: None,
                keep_open: needs_more(decision) || stands_alone(change.action),
                account_id: same.and_then(|had| had.account_id.clone()),
                lost: unknown || same.is_some_and(|had| had.lost),
                accepted,
                mark,
            };
            store.put_decided(connection, pid, last, &next, writes);
        }
        (None, Some(last)) if had.is_some() => writes.push(store.delete_change(connection, pid, last.revision)),
        (None, _) => {}
    }
}

/// Whether an action is planned without the rest of what the person needs, so that they are decided again after it.
fn stands_alone(action: Action) -> bool {
    match action {
        Action::Repair | Action::Merge | Action::Purge => true,
        Action::None
        | Action::Create
        | Action::Takeover
        | Action::Link
        | Action::Update
        | Action::License
        | Action::Membership
        | Action::Rename
        | Action::Enable
        | Action::Suspend
        | Action::Restore
        | Action::Delete => false,
    }
}

/// Whether something besides the change needs attention, so that the person stays marked after it is written.
fn needs_more(decision: &Decision) -> bool {
    decision.reasons.iter().any(|reason| match reason.code.weight() {
        Weight::Note | Weight::Reported => false,
        Weight::Refused => true,
        Weight::Held => match reason.code.wakes() {
            // A timer brings these back, or the change itself ends them.
            Wakes::Timer | Wakes::Approval | Wakes::Change => false,
            Wakes::Another | Wakes::Nobody => true,
        },
    })
}

/// The ledger after the decision, and when to look again.
async fn keep_clocks(
    ports: &MatchPorts,
    run: &Run,
    pid: PersonHash,
    decision: &Decision,
    writes: &mut Vec<Write>,
) -> Result<(), MatchError> {
    if let Some(at) = decision.look_again_at {
        writes.push(ports.store.put_timer(&run.connection, Timer::Person(pid), at));
    }
    let Some(change) = &decision.ledger else { return Ok(()) };
    let who = hardmatch_domain::ids::PersonRef { connection: run.connection.clone(), key: decision.key.clone() };
    let Some(link) = ports.store.link_of(&ports.scope, &who).await? else { return Ok(()) };
    let mut next: Link = link.value.clone();
    change.apply(&mut next.ledger);
    if next.ledger != link.value.ledger {
        next.revision += 1;
        // The person's pointer leads there already.
        writes.push(ports.store.claim(&ports.scope, Some(&link), &next));
    }
    Ok(())
}
