//! What a step that was done or refused leaves to be stored: mirror, link, ledger, and in the end the change itself. Pure.

use hardmatch_domain::account::Account;
use hardmatch_domain::change::{ManagerTarget, Step};
use hardmatch_domain::ids::{ImmutableId, ObjectId};
use hardmatch_domain::link::{JoinRule, Ledger, Link};
use hardmatch_domain::reason::{Code, Reason};
use hardmatch_domain::refused::Refused;
use hardmatch_ports::run::OutcomeKind;
use hardmatch_ports::tenant::Refusal;
use hardmatch_store::Stored;
use hardmatch_store::changes::{ChangeState, LanePhase};
use jiff::Timestamp;

use super::effects::{Claim, Effects, Journal, Mirror, Written};
use super::load::Snapshot;
use super::{mirror, outcome};
use crate::task::{Next, Task};

/// The step is done: mirror, link and ledger follow it, and the task moves on. `made` is the answer to a creation, `other`
/// the account or group that the step names.
pub(crate) fn step_done(
    task: &mut Task,
    made: Option<Account>,
    other: Option<&ObjectId>,
    at: Timestamp,
    snapshot: &Snapshot,
    effects: &mut Effects,
) {
    let Some(step) = task.step().cloned() else { return };
    match &step {
        Step::Purge { account } => {
            let old = snapshot.account(account).map(|item| item.account.clone());
            effects.facts.mirror = old.map(|old| Mirror::Forget(Box::new(old)));
        }
        Step::Create { .. } => {
            let Some(id) = made.as_ref().map(|account| account.id.clone()) else { return };
            write_mirror(task, &step, id.clone(), made, other, at, snapshot, effects);
            task.open.account_id = Some(id);
        }
        _ => {
            if let Some(id) = task.account().cloned() {
                write_mirror(task, &step, id.clone(), None, other, at, snapshot, effects);
                // Should the membership be undone before the group is read again, its list is the one that was read last.
                let group = mirror::group_of(&step, other);
                effects.facts.membership = group.map(|group| (group.clone(), id.clone()));
                task.open.account_id = Some(id);
            }
        }
    }
    put_link(task, &step, other, at.as_second(), snapshot, effects);
    if let Some(present) = task.open.change.steps.get_mut(task.open.done) {
        *present = as_found(step, other);
    }
    task.advance();
}

/// The step with the manager's account or the group that it was done with, for the history.
fn as_found(mut step: Step, other: Option<&ObjectId>) -> Step {
    match &mut step {
        Step::Create { manager, .. } => *manager = other.cloned().map(ManagerTarget::Account),
        Step::SetManager { after: Some(target), .. } => {
            if let Some(found) = other {
                *target = ManagerTarget::Account(found.clone());
            }
        }
        Step::JoinGroup { group } => group.id = other.cloned().or_else(|| group.id.take()),
        _ => {}
    }
    step
}

#[expect(clippy::too_many_arguments, reason = "a write of the mirror is made of all of these")]
fn write_mirror(
    task: &mut Task,
    step: &Step,
    id: ObjectId,
    made: Option<Account>,
    other: Option<&ObjectId>,
    at: Timestamp,
    snapshot: &Snapshot,
    effects: &mut Effects,
) {
    let before = snapshot.accounts.get(&id).cloned();
    let creates = matches!(step, Step::Create { .. });
    let known = before.as_ref().map(|stored| stored.value.account.revision);
    let other = other.cloned();
    let written = Written { id, step: step.clone(), made, other, at, before };
    let old = written.before.as_ref().map(|stored| &stored.value);
    let Some(item) = written.over(old) else { return };
    // What somebody else did to the mirror in between is not ours: the difference stays to be seen.
    if creates || known == Some(task.known_revision()) {
        task.open.account_revision = Some(item.account.revision);
    }
    if old != Some(&item) && !matches!(step, Step::Link | Step::Unlink | Step::RevokeSessions) {
        effects.facts.mirror = Some(Mirror::After(Box::new(written)));
    }
}

/// The link after a step: made by a creation or a link step, kept up by the others.
fn put_link(task: &Task, step: &Step, other: Option<&ObjectId>, now: i64, snapshot: &Snapshot, effects: &mut Effects) {
    let Some(account) = task.account() else { return };
    let change = &task.open.change;
    let had = snapshot.links.get(account);
    if *step == Step::Unlink {
        // Somebody else's link is not ours to end.
        effects.unlinked = had.map(|had| had.value.clone()).filter(|link| link.person == change.person);
        return;
    }
    let makes = matches!(step, Step::Create { .. } | Step::Link);
    let ours = had.is_some_and(|had| had.value.person == change.person);
    if !makes && !ours {
        // The link step comes later in this change; until then there is no ledger to keep.
        return;
    }
    let known_id = || {
        let mirrored = snapshot.account(account).and_then(|item| item.account.immutable_id.clone());
        if let Some(had) = had.filter(|_| ours) {
            let had = had.value.immutable_id.clone();
            // A link step confirms the ID that the account has now; every other step leaves the confirmed one.
            return if *step == Step::Link { mirrored.or(had) } else { had };
        }
        mirrored.or_else(|| written_id(&change.steps))
    };
    let immutable_id = match step {
        Step::Create { immutable_id, .. } => immutable_id.clone(),
        Step::Update { immutable_id: Some(id), .. } => Some(id.clone()),
        Step::ClearId { .. } => None,
        _ => known_id(),
    };
    let ledger = mirror::owned(&base_ledger(task, step, had, ours, now), step, other, now);
    let joined_by = match step {
        Step::Create { .. } => JoinRule::Created,
        Step::Link => change.joined_by,
        _ => had.map_or(change.joined_by, |had| had.value.joined_by),
    };
    let revision = had.map_or(1, |had| had.value.revision + 1);
    let link =
        Link { person: change.person.clone(), account: account.clone(), immutable_id, joined_by, ledger, revision };
    effects.pointers.ended = had.map(|had| &had.value.person).filter(|person| **person != link.person).cloned();
    if makes {
        // Also when the link is this person's already: a writer may have stopped between the two.
        effects.pointers.made = Some((link.person.clone(), link.account.clone()));
    }
    let same = had.is_some_and(|had| link == Link { revision, ..had.value.clone() });
    effects.claim = (!same).then(|| Claim { had: had.cloned(), link });
}

/// What was ours of the account before the step. A link that moves to a person's new key or anchor takes along what was
/// given and blocked; the clock of leaving was the gone person's.
fn base_ledger(task: &Task, step: &Step, had: Option<&Stored<Link>>, ours: bool, now: i64) -> Ledger {
    let change = &task.open.change;
    let moves = had.is_some_and(|had| change.link_from.as_ref() == Some(&had.value.person));
    let mut ledger = had.filter(|_| ours || moves).map(|had| had.value.ledger.clone()).unwrap_or_default();
    if moves {
        (ledger.leaving_since, ledger.leaving_cause) = (None, None);
    }
    // A link made after the writes of a takeover owns what those writes set.
    if matches!(step, Step::Link) && !ours {
        for earlier in &change.steps[..task.open.done.min(change.steps.len())] {
            ledger = mirror::owned(&ledger, earlier, None, now);
        }
    }
    ledger
}

fn written_id(steps: &[Step]) -> Option<ImmutableId> {
    steps.iter().find_map(|step| match step {
        Step::Update { immutable_id, .. } => immutable_id.clone(),
        _ => None,
    })
}

/// The step was refused: the refusal is kept, and what does not rest on the step goes on.
pub(crate) fn step_refused(task: &mut Task, refusal: Refusal, phase: LanePhase) {
    let step = task.step().cloned();
    let takes_rest = step.as_ref().is_none_or(|step| step.traits().carries_rest);
    task.open.unwritten.push(task.open.done);
    match step.filter(|_| !takes_rest) {
        Some(step) => left_out(task, step, refusal),
        None => _ = task.open.refusal.get_or_insert(refusal),
    }
    task.advance();
    if takes_rest {
        let end = task.open.change.steps.len().max(task.end(phase));
        task.open.unwritten.extend(task.open.done..end);
        task.open.done = end;
    }
}

/// Part of a change, as a step of its own, is refused; what does not rest on it goes on.
pub(crate) fn left_out(task: &mut Task, part: Step, refusal: Refusal) {
    task.open.refusal.get_or_insert_with(|| refusal.clone());
    task.open.refused_parts.push((part, refusal));
}

/// The task is stored as it is now: settled when the phase has no more steps for it, and to be gone on with otherwise.
pub(crate) fn store(task: &mut Task, phase: LanePhase, at: Timestamp, snapshot: &Snapshot, effects: &mut Effects) {
    if task.next(phase) != Next::Settle {
        effects.journal = Journal::Put;
    } else if phase == LanePhase::Write && task.open.done < task.open.change.steps.len() {
        task.open.state = ChangeState::Held;
        effects.facts.held = true;
        effects.journal = Journal::Put;
        effects.outcome = Some(OutcomeKind::Held);
    } else if task.open.refusal.is_some() {
        let mut refused = outcome::remembered(task, snapshot.refusals.get(&task.pid), at);
        if let Some(undone) = task.open.change.undoes.as_deref() {
            refused = Refused::declining(Some(&refused), undone.clone());
        }
        effects.facts.refused = Some(refused);
        end(task, OutcomeKind::Refused, None, at, effects);
    } else {
        if let Some(undone) = task.open.change.undoes.as_deref() {
            effects.facts.refused = Some(Refused::declining(snapshot.refusals.get(&task.pid), undone.clone()));
        }
        end(task, OutcomeKind::Done, None, at, effects);
    }
}

/// An operator switched the action off: the change stays as it was decided and its person marked, so that the next run
/// decides them again.
pub(crate) fn switched_off(task: &mut Task, at: Timestamp, effects: &mut Effects) {
    task.open.state = ChangeState::Held;
    let reason = Reason::with(Code::ActionOff, "switched off by an operator; decided again by the next run");
    effects.facts.said = Some(outcome::of(task, OutcomeKind::Held, Some(reason), None, at));
    effects.journal = Journal::Put;
    effects.outcome = Some(OutcomeKind::Held);
}

/// The change ends.
pub(crate) fn end(task: &Task, kind: OutcomeKind, reason: Option<Reason>, at: Timestamp, effects: &mut Effects) {
    let mut said: Vec<Reason> = reason.into_iter().collect();
    said.extend(outcome::reasons(task));
    let mut said = said.into_iter();
    let mut ended = outcome::of(task, kind, said.next(), task.open.refusal.clone(), at);
    ended.also = said.collect();
    effects.journal = Journal::End(Box::new(ended));
    effects.outcome = Some(kind);
    let converged = kind == OutcomeKind::Done && !task.open.keep_open && !task.open.change.is_first_of_several();
    match task.open.mark {
        // Marked again since the decision: that mark stays, and the person is decided anew.
        Some(mark) if converged => effects.clear_mark = Some(mark),
        // The decision could not mark the person, since another process did at the same moment: that mark may be gone by now.
        None if kind == OutcomeKind::Done && !converged => effects.facts.mark = true,
        Some(_) | None => {}
    }
}
