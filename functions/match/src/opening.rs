//! Opening a run, and accepting the plan it stopped at.

use hardmatch_domain::ids::{ConnectionId, PersonKey};
use hardmatch_ports::Doorbell;
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::run::{Accepted, Intent, Phase, Run, Status, Stop};
use hardmatch_store::connection::Meta;
use hardmatch_store::runs::RunPlace;
use hardmatch_store::{Store, Stored};

use crate::{MatchError, MatchPorts};

/// What a new run shall be.
#[derive(Clone, Debug)]
pub struct Opening {
    /// A name that sorts by time: a ULID.
    pub id: String,
    /// Whose.
    pub connection: ConnectionId,
    /// Whether it may write.
    pub intent: Intent,
    /// Accept the stop of a first run or of a widened policy: never the guard, never an approval.
    pub accept: Accept,
    /// Decide everybody again.
    pub everybody: bool,
    /// One person only.
    pub only: Option<PersonKey>,
    /// Take the source's columns and keys as they are now.
    pub accept_source: bool,
    /// Send again now what the tenant refused lately.
    pub retry: bool,
    /// Who asks, for the record.
    pub by: String,
}

/// Whether a stop at the plan is accepted beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accept {
    /// Stop and show.
    Nothing,
    /// `--yes`.
    TheStop,
}

/// Opens a run and notifies its observation. A run over everybody abandons the one of the connection that is still open:
/// what it had decided is decided again, because everybody it concerned is still marked. A run about one person leaves the
/// others alone, and abandons only an older one about the same person.
pub async fn open_run(
    store: &Store,
    doorbell: &dyn Doorbell,
    opening: &Opening,
    now_ms: i64,
) -> Result<Run, MatchError> {
    loop {
        let meta = store.meta(&opening.connection).await?;
        if let Some(run) = enter(store, opening, &meta, None, now_ms).await? {
            notify_observers(doorbell, &run).await;
            return Ok(run);
        }
    }
}

/// Enters a run into the table after abandoning the one whose place it takes; `None` when somebody else was faster.
/// `meta` was read before anything the decision to open rests on.
pub(crate) async fn enter(
    store: &Store,
    opening: &Opening,
    meta: &Stored<Meta>,
    slot: Option<&str>,
    now_ms: i64,
) -> Result<Option<Run>, MatchError> {
    let connection = &opening.connection;
    let (place, before) = match &opening.only {
        None => (RunPlace::Connection(Box::new(meta.clone())), meta.value.run.clone()),
        Some(key) => {
            let pid = store.secret().pid(key);
            let held = store.now_run(connection, pid).await?;
            let before = held.as_ref().map(|held| held.value.clone());
            (RunPlace::Person(pid, held), before)
        }
    };
    if let Some(before) = &before {
        abandon(store, connection, before, now_ms).await?;
    }
    let run = Run { slot: slot.map(str::to_owned), ..fresh(opening, &meta.value, now_ms) };
    match store.open_run(&run, &place).await {
        Ok(()) => Ok(Some(run)),
        Err(error) if error.is_conflict() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A run that has not begun.
fn fresh(opening: &Opening, meta: &Meta, now_ms: i64) -> Run {
    let stop = stop(opening.intent, meta, now_ms / 1000);
    // Beforehand nobody releases a quarantine; that takes a look at the plan.
    let accepted =
        opening.accept == Accept::TheStop && opening.intent == Intent::Sync && stop != Some(Stop::Quarantined);
    Run {
        v: 1,
        id: opening.id.clone(),
        connection: opening.connection.clone(),
        intent: opening.intent,
        phase: Phase::Observing,
        status: None,
        policy_revision: meta.policy_revision,
        started_ms: now_ms,
        closed_ms: None,
        everybody: opening.everybody || meta.reconnected || meta.decided_policy != meta.policy_revision,
        full: opening.everybody,
        only: opening.only.clone(),
        accept_source: opening.accept_source,
        // Whoever asks for one person has looked at what was in their way.
        retry: opening.retry || opening.only.is_some(),
        collections: std::collections::BTreeMap::new(),
        refused_entries: Vec::new(),
        left_out: Vec::new(),
        plan: None,
        stop,
        accepted: accepted.then(|| Accepted { by_hash: false, at_ms: now_ms, by: opening.by.clone() }),
        outcomes: std::collections::BTreeMap::new(),
        changes: std::collections::BTreeMap::new(),
        refusals: std::collections::BTreeMap::new(),
        guard: None,
        problems: Vec::new(),
        tenant_calls: hardmatch_ports::tenant::Counters::default(),
        units: hardmatch_ports::table::Units::default(),
        compute: None,
        report: None,
        slot: None,
        stalled: None,
    }
}

/// Why the run stops at its plan.
fn stop(intent: Intent, meta: &Meta, now: i64) -> Option<Stop> {
    let quarantined = meta.quarantine.as_ref().is_some_and(|quarantine| now < quarantine.next);
    match (intent, meta.first_accepted) {
        (Intent::Plan, _) => Some(Stop::Asked),
        (Intent::Sync, _) if quarantined => Some(Stop::Quarantined),
        (Intent::Sync, None) => Some(Stop::FirstRun),
        // Connected again: whatever happened meanwhile is looked at before anything is written.
        (Intent::Sync, Some(_)) if meta.reconnected => Some(Stop::FirstRun),
        (Intent::Sync, Some(_)) => meta.widened.then_some(Stop::PolicyWidened),
    }
}

/// Gives a run up with what it had decided; whether it was open.
pub(crate) async fn abandon(
    store: &Store,
    connection: &ConnectionId,
    id: &str,
    now_ms: i64,
) -> Result<bool, MatchError> {
    let closed = store
        .update_run(connection, id, |run| {
            let open = run.phase != Phase::Closed;
            if open {
                run.phase = Phase::Closed;
                run.status = Some(Status::Abandoned);
                run.closed_ms = Some(now_ms);
            }
            open
        })
        .await?;
    if closed.is_some() {
        store.clear_run(id).await?;
    }
    Ok(closed.is_some())
}

/// Both sides. A lost message is sent again by whoever looks at the run next.
pub(crate) async fn notify_observers(doorbell: &dyn Doorbell, run: &Run) {
    for kind in [MessageKind::ObserveTenant, MessageKind::ObserveSource] {
        if let Err(error) = doorbell.notify(run.message(kind), std::time::Duration::ZERO).await {
            tracing::warn!(run.id = %run.id, error = %error, "the message could not be sent");
        }
    }
}

/// What became of an acceptance.
#[derive(Clone, Debug, PartialEq)]
pub enum Acceptance {
    /// The run goes on; both sides are looked at once more before anything is written.
    GoesOn(Box<Run>),
    /// It was accepted before and is not finished: it goes on where it was.
    Resumes(Box<Run>),
    /// It was applied before.
    Applied(Box<Run>),
    /// It was made too long ago, or applying it was begun too long ago: the facts it rests on are old. Make a new one.
    Expired(Box<Run>),
    /// No plan of this connection has the hash. The newest plan that waits, if any.
    Unknown {
        /// Its hash.
        waiting: Option<String>,
    },
}

/// A plan can be applied for so long (milliseconds): an approval of what was true then.
const PLAN_LASTS_MS: i64 = 7 * DAY_MS;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Whether a run was begun, or its plan accepted, more than a day ago: it is not resumed by an operator's word.
fn is_left_behind(run: &Run, now_ms: i64) -> bool {
    let begun = run.accepted.as_ref().map_or(run.started_ms, |accepted| accepted.at_ms.max(run.started_ms));
    now_ms - begun > DAY_MS
}

/// Accepts the plan with this hash: what it shows, removals and approvals included.
pub async fn accept(
    ports: &MatchPorts,
    connection: &ConnectionId,
    hash: &str,
    by: &str,
) -> Result<Acceptance, MatchError> {
    let now_ms = ports.clock.now().as_millisecond();
    let mut waiting = None;
    for id in ports.store.run_ids(connection, 100).await? {
        let Some(stored) = ports.store.run(connection, &id).await? else { continue };
        let run = stored.value;
        let Some(plan) = &run.plan else { continue };
        if run.phase == Phase::Planned {
            waiting.get_or_insert_with(|| plan.hash.clone());
        }
        if !is_hash(&plan.hash, hash) {
            continue;
        }
        return Ok(match (run.phase, run.status) {
            (Phase::Closed, Some(Status::Abandoned)) => continue,
            (Phase::Planned, _) if now_ms - run.started_ms > PLAN_LASTS_MS => Acceptance::Expired(Box::new(run)),
            (Phase::Closed, _) => Acceptance::Applied(Box::new(run)),
            (Phase::Planned, _) => {
                let accepted = Accepted { by_hash: true, at_ms: now_ms, by: by.to_owned() };
                let run = ports
                    .store
                    .update_run(connection, &id, |run| {
                        run.accepted = Some(accepted.clone());
                        run.intent = Intent::Sync;
                        run.phase = Phase::Observing;
                        run.collections.clear();
                        run.problems.clear();
                        true
                    })
                    .await?
                    .ok_or_else(|| MatchError::Broken(format!("run {id} is gone")))?;
                notify_observers(&*ports.doorbell, &run).await;
                Acceptance::GoesOn(Box::new(run))
            }
            (
                Phase::Observing | Phase::Deciding | Phase::Writing | Phase::Gate | Phase::Removing | Phase::Reporting,
                _,
            ) if is_left_behind(&run, now_ms) => Acceptance::Expired(Box::new(run)),
            (
                Phase::Observing | Phase::Deciding | Phase::Writing | Phase::Gate | Phase::Removing | Phase::Reporting,
                _,
            ) => Acceptance::Resumes(Box::new(run)),
        });
    }
    Ok(Acceptance::Unknown { waiting })
}

/// A hash may be shortened to eight digits or more.
fn is_hash(whole: &str, given: &str) -> bool {
    given.len() >= 8 && whole.starts_with(&given.to_ascii_lowercase())
}
