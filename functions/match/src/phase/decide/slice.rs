//! Deciding one slice and bringing it into the table: the open change of each person, marks, clocks and timers. The slice
//! itself is deleted last: it is the unit of retry.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::change::Decision;
use hardmatch_domain::decide::Context;
use hardmatch_domain::ids::PersonKey;
use hardmatch_domain::person::{Manager, PersonRecord};
use hardmatch_domain::reason::Code;
use hardmatch_ports::run::{PlanRow, Run};
use hardmatch_store::PersonHash;
use hardmatch_store::changes::LastChange;
use hardmatch_store::leases::LeasedRun;

use super::change::{keep_change, let_through, needs_more};
use super::clocks::keep_clocks;
use super::load_facts::{Refusals, Stored, decide_all, row};
use crate::commit::commit;
use crate::error::MatchError;
use crate::plan;
use crate::ports::MatchPorts;
use crate::undo;

/// Decides a slice.
pub(super) async fn decide(
    ports: &MatchPorts,
    run: &LeasedRun<'_>,
    context: &Context<'_>,
    slice: usize,
    pids: &[PersonHash],
) -> Result<(), MatchError> {
    // Marks are read before the facts: a person who is marked after this is to be decided again.
    let mut marks = ports.store.marks(&run.connection, pids).await?;
    let mut items = ports.store.person_items(&run.connection, pids).await?;
    let refusals = if run.retry { Refusals::SentAgain } else { Refusals::Withheld };
    let records: Vec<PersonRecord> = match &run.undo {
        Some(_) => items.values().filter_map(|items| items.record.clone()).collect(),
        None => Vec::new(),
    };
    let decisions = match &run.undo {
        Some(what) => undo::decide(ports, run, what, &records, context).await?,
        None => decide_all(Stored { store: &ports.store, scope: &ports.scope }, &items, context, refusals).await?,
    };
    let lasts: BTreeMap<PersonHash, LastChange> =
        items.iter_mut().filter_map(|(pid, items)| Some((*pid, items.last.take()?))).collect();
    let people: Vec<(PersonHash, PersonRecord)> =
        items.into_iter().filter_map(|(pid, items)| Some((pid, items.record?))).collect();
    let let_through = let_through(ports, run, people.iter().map(|(pid, _)| *pid).zip(&decisions), &lasts).await?;
    let decided = people.iter().map(|(pid, _)| *pid).zip(&decisions);
    mark(ports, run, decided, &mut marks).await?;
    let mut writes = Vec::new();
    let mut settled = Vec::new();
    for ((pid, record), decision) in people.iter().zip(&decisions) {
        let mark = marks.get(pid).copied();
        let last = lasts.get(pid);
        keep_change(ports, run, *pid, last, (mark, let_through.by_plan(*pid)), decision, &mut writes);
        if run.undo.is_some() {
            continue;
        }
        if is_settled(decision) {
            settled.extend(mark.map(|mark| ports.store.clear_dirty(&run.connection, *pid, mark)));
        }
        keep_clocks(ports, run, *pid, decision, &mut writes).await?;
        writes.extend(awaited(record, decision).map(|target| {
            let target = ports.store.secret().pid(target);
            ports.store.note_waiting(&run.connection, *pid, target)
        }));
    }
    // Marked, but never stored: such a mark is left behind by a person whose entry was refused.
    let known: BTreeSet<PersonHash> = people.iter().map(|(pid, _)| *pid).collect();
    let nobody = marks.iter().filter(|(pid, _)| !known.contains(pid));
    settled.extend(nobody.map(|(pid, mark)| ports.store.clear_dirty(&run.connection, *pid, *mark)));
    commit(ports, writes).await?;
    for ((pid, _), decision) in people.iter().zip(&decisions) {
        say(run, *pid, decision);
    }
    // The mark of a person who was marked again since stays: its revision is another.
    ports.store.each_if(settled).await?;
    let rows = people
        .iter()
        .zip(decisions)
        .map(|((pid, record), decision)| PlanRow { accepted: let_through.now(*pid), ..row(record, decision) });
    let rows: Vec<_> = rows.collect();
    plan::put_slice(ports, &run.id, slice, &rows).await?;
    ports.store.delete_slice(&run.id, slice).await?;
    Ok(())
}

/// Says what was decided for a person, by hash: what follows is found under the same hash and the change's name.
fn say(run: &Run, pid: PersonHash, decision: &Decision) {
    tracing::info!(
        connection.id = %run.connection,
        run.id = run.id,
        person.hash = pid.hex(),
        change.id = decision.change.as_deref().map(|change| change.id.as_str()),
        change.action = decision.action.name(),
        reason.code = decision.reasons.first().map(|reason| reason.code.as_str()),
        "a person was decided"
    );
}

/// The manager whom the source names and who has no account that could be entered: the person is decided again when that
/// manager is.
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
