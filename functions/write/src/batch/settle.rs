//! Bringing a verdict into the table: mirror, link, ledger, journal and history of one task, as writes.

use std::time::Duration;

use hardmatch_domain::account::Account;
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::change::{Revisions, Step};
use hardmatch_domain::ids::ObjectId;
use hardmatch_domain::link::Link;
use hardmatch_domain::reason::{Code, Reason};
use hardmatch_domain::refused::{Cure, Refusals, Refused};
use hardmatch_ports::Write;
use hardmatch_ports::run::{Outcome, OutcomeKind};
use hardmatch_ports::tenant::{Refusal, RefusalKind};
use hardmatch_store::accounts::AccountItem;
use hardmatch_store::changes::{ChangeState, LanePhase};

use super::mirror;
use crate::task::{Task, carries_the_rest};
use crate::{WriteError, WritePorts};

/// The writes of one task in the order in which they are made, and whether it is finished in this phase.
#[derive(Default)]
pub(crate) struct Effects {
    /// What is true of the tenant now and what is said of it, whoever decides what next. May be repeated.
    pub(crate) facts: Vec<Write>,
    /// The link: only if nobody else claimed the account.
    pub(crate) claim: Option<Write>,
    /// What leads to the link, and rests on the claim.
    pub(crate) pointers: Vec<Write>,
    /// The journal: only if nobody decided anew in the meantime.
    pub(crate) journal: Option<Write>,
    /// Marks that are not needed any more. Left behind they cost a look, nothing else.
    pub(crate) deferred_deletes: Vec<Write>,
    /// What became of the change, when it is finished or waits.
    pub(crate) outcome: Option<OutcomeKind>,
    /// The same as the journal says it, when it is finished.
    pub(crate) ended: Option<Outcome>,
}

impl Effects {
    /// Whether there is anything that the next call must wait for.
    pub(crate) fn must_come_first(&self) -> bool {
        !self.facts.is_empty() || self.claim.is_some()
    }
}

/// The step is done: mirror, link and ledger follow it, and the journal moves on.
pub(crate) async fn step_done(
    ports: &WritePorts,
    task: &mut Task,
    answer: Option<Account>,
    other: Option<ObjectId>,
    all_effects: &mut Effects,
) -> Result<(), WriteError> {
    let Some(step) = task.step().cloned() else { return Ok(()) };
    let now = ports.clock.now_seconds();
    let stamp = ports.clock.now().to_string();
    if let Step::Purge { account } = &step {
        if let Some(old) = ports.store.account(&ports.scope, account).await? {
            ports.store.delete_account(&ports.scope, &old.account, &mut all_effects.facts);
        }
    } else if let Step::Create { .. } = &step {
        let Some(id) = answer.as_ref().map(|account| account.id.clone()) else { return Ok(()) };
        let mut account = mirror::created(&step, answer, id.clone(), other.clone());
        let old = ports.store.account(&ports.scope, &id).await?;
        if let Some(old) = &old {
            account.memberships.clone_from(&old.account.memberships);
        }
        let base = AccountItem { account, wrote: None };
        let item = mirror::after(&base, &step, None, now, &stamp);
        ports.store.put_account(&ports.scope, old.as_ref().map(|old| &old.account), &item, &mut all_effects.facts);
        task.open.account_revision = Some(item.account.revision);
        task.open.account_id = Some(id);
    } else if let Some(id) = task.account().cloned() {
        if let Some(old) = ports.store.account(&ports.scope, &id).await? {
            let item = mirror::after(&old, &step, other.as_ref(), now, &stamp);
            // What somebody else did to the mirror in between is not ours: the difference stays to be seen.
            if task.known_revision() == old.account.revision {
                task.open.account_revision = Some(item.account.revision);
            }
            if item != old && !matches!(step, Step::Link | Step::RevokeSessions) {
                ports.store.put_account(&ports.scope, Some(&old.account), &item, &mut all_effects.facts);
            }
        }
        // Should somebody undo it before the group is read again, its list is the one that was read last.
        if let Some(group) = mirror::group_of(&step, other.as_ref()) {
            all_effects.facts.push(ports.store.note_membership(&ports.scope, group, &id));
        }
        task.open.account_id = Some(id);
    }
    put_link(ports, task, &step, other.as_ref(), now, all_effects).await?;
    task.open.done += 1;
    task.open.attempts = 0;
    task.open.state = ChangeState::Ready;
    Ok(())
}

/// The link after a step: made by a creation or a link step, kept in step by the others.
async fn put_link(
    ports: &WritePorts,
    task: &Task,
    step: &Step,
    other: Option<&ObjectId>,
    now: i64,
    all_effects: &mut Effects,
) -> Result<(), WriteError> {
    let Some(account) = task.account() else { return Ok(()) };
    let change = &task.open.change;
    let had = ports.store.link_to(&ports.scope, account).await?;
    let makes = matches!(step, Step::Create { .. } | Step::Link);
    let ours = had.as_ref().is_some_and(|had| had.value.person == change.person);
    if !makes && !ours {
        // The link step comes later in this change; until then there is no ledger to keep.
        return Ok(());
    }
    let immutable_id = match step {
        Step::Create { immutable_id, .. } => immutable_id.clone(),
        Step::Update { immutable_id: Some(id), .. } => Some(id.clone()),
        _ => match &had {
            Some(had) if ours => had.value.immutable_id.clone(),
            Some(_) | None => ports
                .store
                .account(&ports.scope, account)
                .await?
                .and_then(|item| item.account.immutable_id)
                .or_else(|| written_id(change.steps.as_slice())),
        },
    };
    // A link that moves to a person's new key or anchor takes along what we gave and blocked; the clock of leaving was the
    // gone person's.
    let moves = had.as_ref().is_some_and(|had| change.link_from.as_ref() == Some(&had.value.person));
    let base = had.as_ref().filter(|_| ours || moves).map(|had| had.value.ledger.clone()).unwrap_or_default();
    // A link made after the writes of a takeover owns what those writes set.
    let mut ledger = base;
    if moves {
        (ledger.leaving_since, ledger.leaving_cause) = (None, None);
    }
    if matches!(step, Step::Link) && !ours {
        for earlier in &change.steps[..task.open.done.min(change.steps.len())] {
            ledger = mirror::owned(&ledger, earlier, None, now);
        }
    }
    let ledger = mirror::owned(&ledger, step, other, now);
    let joined_by = match step {
        Step::Create { .. } => hardmatch_domain::link::JoinRule::Created,
        Step::Link => change.joined_by,
        _ => had.as_ref().map_or(change.joined_by, |had| had.value.joined_by),
    };
    let revision = had.as_ref().map_or(1, |had| had.value.revision + 1);
    let link =
        Link { person: change.person.clone(), account: account.clone(), immutable_id, joined_by, ledger, revision };
    if let Some(had) = &had
        && had.value.person != link.person
    {
        all_effects.pointers.push(ports.store.delete_link_pointer(&had.value.person));
    }
    let same = had.as_ref().is_some_and(|had| link == Link { revision, ..had.value.clone() });
    if !same {
        all_effects.claim = Some(ports.store.claim(&ports.scope, had.as_ref(), &link));
    }
    if makes {
        // Also when the link is ours already: a writer may have stopped between the two.
        all_effects.pointers.push(ports.store.put_link_pointer(&link.person, &link.account));
    }
    Ok(())
}

fn written_id(steps: &[Step]) -> Option<hardmatch_domain::ids::ImmutableId> {
    steps.iter().find_map(|step| match step {
        Step::Update { immutable_id, .. } => immutable_id.clone(),
        _ => None,
    })
}

/// The step was refused: the refusal is kept, and what does not rest on the step goes on.
pub(crate) fn step_refused(task: &mut Task, refusal: Refusal, phase: LanePhase) {
    let rest = task.step().is_none_or(carries_the_rest);
    match task.step().cloned() {
        Some(step) if !rest => left_out(task, step, refusal),
        Some(_) | None => _ = task.open.refusal.get_or_insert(refusal),
    }
    task.open.done = if rest { task.open.change.steps.len().max(task.end(phase)) } else { task.open.done + 1 };
    task.open.attempts = 0;
    task.open.state = ChangeState::Ready;
}

/// Part of a change, as a step of its own, is refused; what does not rest on it goes on.
pub(crate) fn left_out(task: &mut Task, part: Step, refusal: Refusal) {
    task.open.refusal.get_or_insert_with(|| refusal.clone());
    task.open.refused_parts.push((part, refusal));
}

/// The phase has no more steps for this task: to the gate, or to the history.
pub(crate) async fn settle(
    ports: &WritePorts,
    task: &mut Task,
    phase: LanePhase,
    all_effects: &mut Effects,
) -> Result<(), WriteError> {
    let change = &task.open.change;
    if phase == LanePhase::Write && task.open.done < change.steps.len() {
        task.open.state = ChangeState::Held;
        let connection = &change.person.connection;
        all_effects.facts.push(ports.store.put_held(&task.open.run, task.pid));
        all_effects.journal = Some(ports.store.put_change(connection, task.pid, task.revision, &task.open));
        all_effects.outcome = Some(OutcomeKind::Held);
        return Ok(());
    }
    let kind = match &task.open.refusal {
        Some(_) => {
            all_effects.facts.push(remembered(ports, task).await?);
            OutcomeKind::Refused
        }
        None => OutcomeKind::Done,
    };
    close(ports, task, kind, None, all_effects);
    Ok(())
}

/// An operator switched the action off: the change stays as it was decided, and its person marked, so that the next run
/// decides them again.
pub(crate) fn switched_off(ports: &WritePorts, task: &mut Task, all_effects: &mut Effects) {
    task.open.state = ChangeState::Held;
    let connection = &task.open.change.person.connection;
    let reason = Reason::with(Code::ActionOff, "switched off by an operator; decided again by the next run");
    let outcome = outcome(ports, task, OutcomeKind::Held, Some(reason), None);
    ports.store.put_outcome(connection, task.pid, &outcome, &mut all_effects.facts);
    all_effects.journal = Some(ports.store.put_change(connection, task.pid, task.revision, &task.open));
    all_effects.outcome = Some(OutcomeKind::Held);
}

/// The write that remembers refusals, so that the same is not asked for every night.
async fn remembered(ports: &WritePorts, task: &Task) -> Result<Write, WriteError> {
    let change = &task.open.change;
    let connection = &change.person.connection;
    let before = ports.store.refused(connection, task.pid).await?;
    let now = ports.clock.now_seconds();
    let whole = whole_refusal(task).map(|refusal| (reason_of(None, refusal), cure_of(None, refusal.kind)));
    let parts = task.open.refused_parts.iter();
    let parts =
        parts.map(|(part, refusal)| (part.clone(), reason_of(Some(part), refusal), cure_of(Some(part), refusal.kind)));
    let on = Revisions { account: task.known_revision(), ..change.decided_on };
    let refusals = Refusals { whole, parts: parts.collect(), on };
    let mut refused = Refused::after(before.as_ref(), change, &refusals, now);
    let dated = |reason: &mut Reason, next: i64| {
        let wait = Duration::from_secs(u64::try_from(next - now).unwrap_or(0));
        if !wait.is_zero()
            && let Ok(next) = ports.clock.now().checked_add(wait)
        {
            let said = reason.detail.as_deref().unwrap_or_default();
            *reason =
                Reason::with(reason.code, format!("{said}; sent again after {next:.0}, or when something changes"));
        }
    };
    dated(&mut refused.reason, refused.next);
    for part in refused.parts.iter_mut().filter(|part| part.at == now) {
        dated(&mut part.reason, part.next);
    }
    Ok(ports.store.put_refused(connection, task.pid, &refused))
}

/// The refusal that took the rest of the change along, when the first one is not a part's.
fn whole_refusal(task: &Task) -> Option<&Refusal> {
    let first = task.open.refused_parts.first().map(|(_, refusal)| refusal);
    task.open.refusal.as_ref().filter(|refusal| first != Some(refusal))
}

/// What could make the tenant answer otherwise.
fn cure_of(part: Option<&Step>, kind: RefusalKind) -> Cure {
    match kind {
        RefusalKind::Conflict => Cure::Elsewhere,
        RefusalKind::NoSeats => Cure::Seat,
        RefusalKind::InvalidValue | RefusalKind::LicenseConflict => Cure::Value,
        // Everything else of the same account was written: it is this property, and not a permission that is missing.
        RefusalKind::Forbidden if part.is_some_and(is_sensitive) => Cure::Value,
        RefusalKind::GroupType
        | RefusalKind::LicenseInherited
        | RefusalKind::Forbidden
        | RefusalKind::Quota
        | RefusalKind::Credentials => Cure::ByHand,
        // The text of federated domains is said of any value.
        RefusalKind::Federated if part.is_some_and(is_values) => Cure::Value,
        RefusalKind::DomainNotVerified
        | RefusalKind::Federated
        | RefusalKind::Mastered
        | RefusalKind::ExternalMaster
        | RefusalKind::Password
        | RefusalKind::ManagerBind
        | RefusalKind::UsageLocation
        | RefusalKind::Other => Cure::Here,
    }
}

/// Whether a part writes sensitive properties and nothing else.
fn is_sensitive(part: &Step) -> bool {
    match part {
        Step::Update { immutable_id: None, after, .. } => after.iter().all(|(attr, _)| attr.is_sensitive()),
        _ => false,
    }
}

fn is_values(part: &Step) -> bool {
    matches!(part, Step::Update { immutable_id: None, .. })
}

/// Ends the change with an outcome.
pub(crate) fn finish(
    ports: &WritePorts,
    task: &Task,
    kind: OutcomeKind,
    reason: Option<Reason>,
    all_effects: &mut Effects,
) {
    close(ports, task, kind, reason, all_effects);
}

fn close(ports: &WritePorts, task: &Task, kind: OutcomeKind, reason: Option<Reason>, all_effects: &mut Effects) {
    let connection = &task.open.change.person.connection;
    let refusal = task.open.refusal.clone();
    let mut said: Vec<Reason> = reason.into_iter().collect();
    said.extend(whole_refusal(task).map(|refusal| reason_of(None, refusal)));
    said.extend(task.open.refused_parts.iter().map(|(part, refusal)| reason_of(Some(part), refusal)));
    if task.open.password_unknown {
        said.push(Reason::plain(Code::PasswordUnknown));
    }
    let mut said = said.into_iter();
    let mut outcome = outcome(ports, task, kind, said.next(), refusal);
    outcome.also = said.collect();
    all_effects.journal = Some(ports.store.end_change(connection, task.pid, task.revision, &outcome));
    all_effects.ended = Some(outcome);
    let converged = kind == OutcomeKind::Done && !task.open.keep_open && !task.open.change.is_first_of_several();
    match task.open.mark {
        // Marked again since the decision: that mark stays, and the person is decided anew.
        Some(mark) if converged => {
            all_effects.deferred_deletes.push(ports.store.clear_dirty(connection, task.pid, mark));
        }
        // The decision could not mark the person, since another process did at the same moment: that mark may be gone by now.
        None if kind == OutcomeKind::Done && !converged => {
            all_effects.facts.push(ports.store.mark_dirty(connection, task.pid));
        }
        Some(_) | None => {}
    }
    all_effects.outcome = Some(kind);
}

/// What became of a change, for the history and for the run.
pub(crate) fn outcome(
    ports: &WritePorts,
    task: &Task,
    kind: OutcomeKind,
    reason: Option<Reason>,
    refusal: Option<Refusal>,
) -> Outcome {
    Outcome {
        v: 1,
        run: task.open.run.clone(),
        key: task.open.change.person.key.clone(),
        change: task.open.change.id.clone(),
        result: kind,
        account: task.account().cloned(),
        reason,
        also: Vec::new(),
        refusal,
        at_ms: ports.clock.now().as_millisecond(),
    }
}

/// Graph's refusal in our words, of a part of the change or of the change itself.
fn reason_of(part: Option<&Step>, refusal: &Refusal) -> Reason {
    let code = match refusal.kind {
        RefusalKind::Conflict => Code::AddressInUse,
        RefusalKind::InvalidValue => Code::InvalidValue,
        RefusalKind::NoSeats => Code::NoSeats,
        RefusalKind::LicenseConflict => Code::LicenseConflict,
        RefusalKind::UsageLocation => Code::UsageLocationMissing,
        RefusalKind::LicenseInherited => Code::LicenseInherited,
        RefusalKind::GroupType => Code::UnsupportedGroupType,
        RefusalKind::DomainNotVerified => Code::DomainNotVerified,
        RefusalKind::Federated if part.is_some_and(is_values) => Code::InvalidValue,
        RefusalKind::Federated => Code::RepairNeeded,
        RefusalKind::Mastered => Code::MasteredElsewhere,
        RefusalKind::ExternalMaster => Code::MailMasteredElsewhere,
        RefusalKind::Forbidden if part.is_some_and(is_sensitive) => Code::Privileged,
        RefusalKind::Forbidden | RefusalKind::Credentials => Code::PermissionMissing,
        RefusalKind::Password | RefusalKind::ManagerBind | RefusalKind::Quota | RefusalKind::Other => {
            Code::TenantRefused
        }
    };
    let what = part.map(named).filter(|what| !what.is_empty()).map(|what| format!("{what}: ")).unwrap_or_default();
    let holder = refusal.conflict.as_ref().map(|holder| format!("; held by {holder}")).unwrap_or_default();
    let Refusal { status, code: graph, message, request_id, .. } = refusal;
    Reason::with(code, format!("{what}{status} {graph}: {message}{holder}; request {request_id}"))
}

/// What a part is about, by name: attributes, licences, a group.
fn named(part: &Step) -> String {
    match part {
        Step::Update { after, .. } => after.iter().map(|(attr, _)| attr.name()).collect::<Vec<_>>().join(", "),
        Step::Rename { .. } => Attr::UserPrincipalName.name().to_owned(),
        Step::SetEnabled { .. } => "accountEnabled".to_owned(),
        Step::SetManager { .. } => "manager".to_owned(),
        Step::SetLicenses { give, take } => {
            let all = give.iter().chain(take).map(|license| &*license.part_number);
            all.collect::<Vec<_>>().join(", ")
        }
        Step::JoinGroup { group } => group.name.to_string(),
        Step::LeaveGroup { name, .. } => name.to_string(),
        Step::Create { .. }
        | Step::Link
        | Step::RevokeSessions
        | Step::Restore
        | Step::Delete { .. }
        | Step::Purge { .. } => String::new(),
    }
}
