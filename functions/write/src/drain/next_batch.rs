//! The next batch: people are read from the lane in order, put into batches, and wait for a time or for one another.

use std::collections::VecDeque;
use std::time::Duration;

use hardmatch_domain::change::Step;
use hardmatch_ports::Write;
use hardmatch_ports::tenant::MAX_CALLS;
use hardmatch_store::PersonHash;
use hardmatch_store::changes::ChangeState;

use super::Drain;
use crate::binding::Binding;
use crate::task::{Joining, OtherLane, Sent, Task};
use crate::{After, WriteError, repair};

/// People who wait for the tenant's answer about managers while others go first, at most.
const AHEAD: usize = 200;
/// Pointers read at a time.
const POINTERS: usize = 32;

impl Drain<'_> {
    pub(super) fn wake(&mut self, now: i64) {
        let (due, later) =
            std::mem::take(&mut self.waiting).into_iter().partition(|task| task.open.not_before_ms <= now);
        self.waiting = later;
        self.ready.extend::<Vec<Task>>(due);
    }

    /// The next task of the lane: one that is ready, or the first of the next people in order, whose changes are read only
    /// now, so that they need not be read once more before they are sent.
    async fn next_task(&mut self) -> Result<Option<Task>, WriteError> {
        loop {
            if let Some(task) = self.ready.pop_front() {
                return Ok(Some(task));
            }
            if self.unread.is_empty() && !self.exhausted {
                self.read_pointers().await?;
            } else if self.unread.is_empty() {
                return Ok(None);
            }
            self.read_changes().await?;
        }
    }

    /// Reads on in the lane.
    async fn read_pointers(&mut self) -> Result<(), WriteError> {
        let pointers = self.ports.store.pointers(self.run, self.phase, self.cursor.as_deref(), POINTERS).await?;
        self.exhausted = pointers.len() < POINTERS;
        self.cursor = pointers.last().map(|pointer| pointer.key.sk.clone()).or(self.cursor.take());
        for pointer in pointers {
            let mut people = pointer.pids;
            people.retain(|pid| !self.pointer_of.contains_key(pid));
            if people.is_empty() {
                self.deferred_deletes.push(Write::delete(pointer.key));
                continue;
            }
            self.pointer_of.extend(people.iter().map(|pid| (*pid, pointer.key.clone())));
            self.pointed.insert(pointer.key, people.len());
            self.unread.extend(people);
        }
        Ok(())
    }

    /// Reads the changes of the next people, as many as go into one batch.
    async fn read_changes(&mut self) -> Result<(), WriteError> {
        let pids: Vec<PersonHash> = self.unread.drain(..self.unread.len().min(MAX_CALLS)).collect();
        let mut people = self.ports.store.person_items(self.connection, &pids).await?;
        let known_at_ms = self.ports.clock.now().as_millisecond();
        for pid in pids {
            // Settled before, or decided anew by another run: left over. What cannot be read is decided anew by the next run.
            let person = people.remove(&pid).unwrap_or_default();
            let open = person.last.and_then(|last| Some((last.open?, last.revision)));
            let Some((mut open, revision)) = open.filter(|(open, _)| open.run == self.run) else {
                self.unpoint(pid);
                continue;
            };
            if self.unknown.contains(&pid) {
                open.state = ChangeState::Sending(0);
            }
            let unanswered = open.lost || matches!(open.state, ChangeState::Sending(_));
            self.ready.push_back(Task {
                pid,
                revision,
                known_at_ms,
                person_revision: person.record.map(|record| record.revision),
                open,
                reread: false,
                manager_separate: false,
                joining: Joining::Together,
                other_lane: OtherLane::Free,
                password: None,
                sent: if unanswered { Sent::ByOthersToo } else { Sent::Answered },
                after_pause: false,
            });
        }
        Ok(())
    }

    /// Takes up to twenty people whose turn it is.
    pub(super) async fn next_batch(&mut self, now: i64) -> Result<Option<(Vec<Task>, bool)>, WriteError> {
        let mut batch = Vec::with_capacity(MAX_CALLS);
        let mut put_back = VecDeque::new();
        let mut probe = false;
        while batch.len() < MAX_CALLS && put_back.len() < AHEAD {
            let Some(task) = self.next_task().await? else { break };
            if task.open.not_before_ms > now {
                self.waiting.push(task);
                continue;
            }
            if self.waits_for_somebody(&task).await? {
                self.waiting.push(task);
                continue;
            }
            let binds = self.binding == Binding::Unknown
                && matches!(task.step(), Some(Step::Create { manager: Some(_), .. }))
                && task.open.state == ChangeState::Ready;
            if binds {
                if self.probing || probe {
                    put_back.push_back(task);
                    continue;
                }
                probe = true;
            }
            // A repair goes alone.
            if repair::of(&task, self.phase).is_some() {
                if batch.is_empty() && put_back.is_empty() {
                    batch.push(task);
                } else {
                    put_back.push_back(task);
                }
                break;
            }
            batch.push(task);
        }
        while let Some(task) = put_back.pop_back() {
            self.ready.push_front(task);
        }
        Ok((!batch.is_empty()).then_some((batch, probe)))
    }

    /// A person is done with in this phase.
    pub(super) fn settle(&mut self, pid: PersonHash) {
        self.changes_settled += 1;
        self.settled.insert(pid);
        self.unknown.remove(&pid);
        self.unpoint(pid);
    }

    /// A pointer goes with the last person whom it points at.
    fn unpoint(&mut self, pid: PersonHash) {
        let Some(key) = self.pointer_of.remove(&pid) else { return };
        if let Some(left) = self.pointed.get_mut(&key) {
            *left -= 1;
            if *left == 0 {
                self.pointed.remove(&key);
                self.deferred_deletes.push(Write::delete(key));
            }
        }
    }

    /// Nothing is in flight and nothing was sent: done, or how long to wait; `None`: go on, people who waited for somebody
    /// who will not come go first.
    pub(super) fn rest(&mut self, now: i64, starved_until: Option<i64>) -> Option<After> {
        if self.ready.is_empty() && self.waiting.is_empty() && self.unread.is_empty() && self.exhausted {
            return Some(After::Done);
        }
        let mut until = self.waiting.iter().map(|task| task.open.not_before_ms).filter(|at| *at > now).min();
        if self.closed_until_ms > now {
            until = Some(self.closed_until_ms);
        }
        if let Some(starved) = starved_until.filter(|starved| *starved > now) {
            until = Some(until.map_or(starved, |until| until.min(starved)).max(self.closed_until_ms));
        }
        if let Some(until) = until {
            return Some(After::Again(Duration::from_millis(u64::try_from(until - now).unwrap_or(1).max(1))));
        }
        // Only people who wait for one another are left: nobody will come first. Each goes on alone.
        for task in std::mem::take(&mut self.waiting) {
            let awaited = task.awaited();
            self.settled.extend(task.open.change.after.iter().chain(&awaited).map(|who| self.ports.store.pid(who)));
            self.ready.push_back(task);
        }
        None
    }

    /// Whether somebody's change must be settled first.
    async fn waits_for_somebody(&mut self, task: &Task) -> Result<bool, WriteError> {
        let awaited = task.awaited();
        let before = if task.open.done > 0 { awaited.as_slice() } else { task.open.change.after.as_slice() };
        for who in before {
            let pid = self.ports.store.pid(who);
            if self.settled.contains(&pid) || self.is_there(pid) {
                continue;
            }
            if self.pointer_of.contains_key(&pid) {
                // In this lane, and not settled yet.
                return Ok(true);
            }
            let found = self.ports.store.changes(&who.connection, &[pid]).await?;
            let open = found
                .first()
                .is_some_and(|(_, other)| other.value.run == self.run && other.value.state != ChangeState::Held);
            if open {
                return Ok(true);
            }
            self.settled.insert(pid);
        }
        Ok(false)
    }

    /// Whether somebody has their account and their name, and waits themselves for a manager who may wait for them.
    fn is_there(&self, pid: PersonHash) -> bool {
        self.ready.iter().chain(&self.waiting).any(|task| task.pid == pid && task.awaited().is_some())
    }
}
