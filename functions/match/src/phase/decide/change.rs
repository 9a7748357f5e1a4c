//! What a decision makes of a person's open change: new, kept, or ended.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::change::{Action, Decision};
use hardmatch_domain::reason::{Code, Reason, Wakes, Weight};
use hardmatch_ports::Write;
use hardmatch_ports::run::{Outcome, OutcomeKind, Run};
use hardmatch_store::PersonHash;
use hardmatch_store::changes::{ChangeState, LastChange, OpenChange};

use crate::acceptance::was_accepted;
use crate::error::MatchError;
use crate::ports::MatchPorts;

/// People whose very change was let through before and is not written yet: the guard does not count them again.
#[derive(Default)]
pub(super) struct LetThrough {
    /// An accepted plan showed the change.
    accepted: BTreeSet<PersonHash>,
    /// An approval covers it now.
    approved: BTreeSet<PersonHash>,
}

impl LetThrough {
    /// By an accepted plan.
    pub(super) fn by_plan(&self, pid: PersonHash) -> bool {
        self.accepted.contains(&pid)
    }

    /// By an accepted plan, or by an approval that covers the change now.
    pub(super) fn now(&self, pid: PersonHash) -> bool {
        self.accepted.contains(&pid) || self.approved.contains(&pid)
    }
}

/// Whose change was let through before.
pub(super) async fn let_through(
    ports: &MatchPorts,
    run: &Run,
    decided: impl Iterator<Item = (PersonHash, &Decision)>,
    lasts: &BTreeMap<PersonHash, LastChange>,
) -> Result<LetThrough, MatchError> {
    let mut runs: BTreeMap<String, bool> = BTreeMap::new();
    let mut found = LetThrough::default();
    let mut approved: Option<BTreeSet<String>> = None;
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
            found.accepted.insert(pid);
            continue;
        }
        if approved.is_none() {
            approved = Some(ports.store.approved(&run.connection, ports.clock.now().as_millisecond()).await?);
        }
        if approved.as_ref().is_some_and(|approved| approved.contains(change.id.as_str())) {
            found.approved.insert(pid);
        }
    }
    Ok(found)
}

/// The one open change of a person: new, kept with its progress when the decision is the same, or ended.
pub(super) fn keep_change(
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
            // Nobody knows what came of a change that cannot be read. A change that was sent under an older fence may have been done: the next writer looks before it repeats the
            // change, whatever was decided since.
            let unreadable = last.is_some_and(|last| last.unreadable);
            let unknown = unreadable || had.is_some_and(|had| matches!(had.state, ChangeState::Sending(_)));
            // A change that was taken apart since counts its steps otherwise.
            let same = had.filter(|had| had.change.id == change.id && had.change.steps.len() == change.steps.len());
            // A plan that somebody is looking at, or has accepted, shows this very change. The run holds what it decides, so
            // the change stays the other run's, which writes it.
            if run.is_held_at_stop() && same.is_some_and(|had| had.run != run.id) {
                return;
            }
            if same.is_none() {
                keep_written(ports, run, pid, had, writes);
            }
            let mut change = change.clone();
            if let Some(had) = same {
                // Steps that are done name the groups and managers that they were done with.
                let done = had.done.min(change.steps.len());
                change.steps[..done].clone_from_slice(&had.change.steps[..done]);
            }
            let next = OpenChange {
                v: 1,
                change,
                run: run.id.clone(),
                state: if unknown { ChangeState::Sending(0) } else { ChangeState::Ready },
                done: same.map_or(0, |had| had.done),
                attempts: 0,
                not_before_ms: 0,
                manager_pending: same.and_then(|had| had.manager_pending.clone()),
                refusal: None,
                refused_parts: Vec::new(),
                unwritten: same.map_or_else(Vec::new, |had| had.unwritten.clone()),
                password_unknown: same.is_some_and(|had| had.password_unknown),
                decided_ms: ports.clock.now().as_millisecond(),
                account_revision: None,
                keep_open: needs_more(decision) || stands_alone(decision.action) || decision.undoes(),
                account_id: same.and_then(|had| had.account_id.clone()),
                lost: unknown || same.is_some_and(|had| had.lost),
                accepted,
                mark,
            };
            store.put_decided(connection, pid, last, &next, writes);
        }
        (None, Some(last)) if had.is_some() || last.unreadable => {
            keep_written(ports, run, pid, had, writes);
            writes.push(store.delete_change(connection, pid, last.revision));
        }
        (None, _) => {}
    }
}

/// What was written of a change that another decision replaces goes into the history, beside the run that wrote it. Where
/// this run did, what becomes of its next change takes that place.
fn keep_written(ports: &MatchPorts, run: &Run, pid: PersonHash, had: Option<&OpenChange>, writes: &mut Vec<Write>) {
    let Some(had) = had.filter(|had| had.run != run.id) else { return };
    let Some(written) = had.written() else { return };
    let outcome = Outcome {
        v: 1,
        run: had.run.clone(),
        key: had.change.person.key.clone(),
        change: had.change.id.clone(),
        result: OutcomeKind::FactsMoved,
        account: had.account_id.clone().or_else(|| had.change.account.clone()),
        reason: Some(Reason::plain(Code::FactsMoved)),
        also: Vec::new(),
        refusal: had.refusal.clone(),
        at_ms: had.decided_ms,
        written: Some(Box::new(written)),
    };
    ports.store.put_outcome(&run.connection, pid, &outcome, writes);
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
pub(super) fn needs_more(decision: &Decision) -> bool {
    // Until the source shows what it was given.
    !decision.write_back.is_empty()
        || decision.reasons.iter().any(|reason| match reason.code.weight() {
            Weight::Note | Weight::Reported => false,
            Weight::Refused => true,
            Weight::Held => match reason.code.wakes() {
                // A timer brings the person back, or the change itself ends the reason.
                Wakes::Timer | Wakes::Approval | Wakes::Change => false,
                Wakes::Another | Wakes::Nobody => true,
            },
        })
}
