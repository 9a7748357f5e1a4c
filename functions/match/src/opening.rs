//! Opening a run: its place among the connection's runs, why it stops at its plan, and the messages to both sides.

use hardmatch_domain::ids::{ConnectionId, PersonKey};
use hardmatch_ports::Doorbell;
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::run::{Accepted, Intent, Phase, Run, Status, Stop, Undo};
use hardmatch_store::Store;
use hardmatch_store::asked::AskedPerson;
use hardmatch_store::connection::Meta;
use hardmatch_store::runs::RunPlace;

use crate::error::MatchError;

/// What a run that is to be opened shall do. [`NewRun::new`] is the plain case; its fields say what departs from it.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// A name that sorts by time: a ULID.
    pub id: String,
    /// The connection.
    pub connection: ConnectionId,
    /// Whether it may write.
    pub intent: Intent,
    /// Whether the stop of a first run or of a widened policy is accepted beforehand: never the guard, never an approval.
    pub accept: Accept,
    /// Decide everybody again.
    pub everybody: bool,
    /// One person only.
    pub only: Option<PersonKey>,
    /// Take the source's columns and keys as they are now.
    pub accept_source: bool,
    /// Send again now what the tenant refused lately.
    pub retry: bool,
    /// Who asks, for the run's record.
    pub by: String,
    /// Undo this, and decide nothing else.
    pub undo: Option<Undo>,
}

impl NewRun {
    /// A run over everybody that decides the changed people and stops where an operator has to agree.
    #[must_use]
    pub fn new(id: String, connection: ConnectionId, intent: Intent, by: String) -> Self {
        Self {
            id,
            connection,
            intent,
            accept: Accept::Nothing,
            everybody: false,
            only: None,
            accept_source: false,
            retry: false,
            by,
            undo: None,
        }
    }
}

/// Whether a stop at the plan is accepted beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accept {
    /// Stop and show.
    Nothing,
    /// `--yes`.
    TheStop,
}

/// Opens a run and asks both sides to observe. A run over everybody abandons the connection's open run: what that one had
/// decided is decided again, because everybody it concerned is still marked. A run about one person leaves other runs
/// alone, and abandons only an older run about the same person.
pub async fn open_run(store: &Store, doorbell: &dyn Doorbell, new: &NewRun, now_ms: i64) -> Result<Run, MatchError> {
    loop {
        let meta = store.meta(&new.connection).await?;
        if let Some(run) = enter(store, new, &meta, None, now_ms).await? {
            notify_observers(doorbell, &run).await;
            return Ok(run);
        }
    }
}

/// Enters a run into the table after abandoning the run whose place it takes; `None` when another process changed the
/// connection's state meanwhile. `meta` must have been read before anything else that the decision to open rests on.
pub(crate) async fn enter(
    store: &Store,
    new: &NewRun,
    meta: &Meta,
    slot: Option<&str>,
    now_ms: i64,
) -> Result<Option<Run>, MatchError> {
    let connection = &new.connection;
    let (place, before) = match &new.only {
        None => (RunPlace::Connection(Box::new(meta.clone())), meta.schedule.run.clone()),
        Some(key) => {
            let pid = store.secret().pid(key);
            let held = store.now_run(connection, pid).await?;
            let before = held.as_ref().map(|held| held.value.clone());
            let asked = store.put_asked(&new.id, &AskedPerson::new(key.clone(), None));
            store.write_all(vec![asked]).await?;
            (RunPlace::Person(pid, held), before)
        }
    };
    if let Some(before) = &before {
        abandon(store, connection, before, now_ms).await?;
    }
    let run = Run { slot: slot.map(str::to_owned), ..fresh(new, meta, now_ms) };
    match store.open_run(&run, &place).await {
        Ok(()) => Ok(Some(run)),
        Err(error) if error.is_conflict() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A run that has not begun.
pub(crate) fn fresh(new: &NewRun, meta: &Meta, now_ms: i64) -> Run {
    let stop = stop(new.intent, meta, now_ms / 1000);
    // A quarantine is not released beforehand: that takes a look at the plan.
    let accepted = new.accept == Accept::TheStop && new.intent == Intent::Sync && stop != Some(Stop::Quarantined);
    Run {
        v: 1,
        id: new.id.clone(),
        connection: new.connection.clone(),
        intent: new.intent,
        phase: Phase::Observing,
        status: None,
        policy_revision: meta.policy.revision,
        policy_before: Some(meta.policy.told)
            .filter(|told| *told > 0 && *told != meta.policy.revision && new.only.is_none()),
        policy_changes: Vec::new(),
        started_ms: now_ms,
        closed_ms: None,
        undo: new.undo.clone(),
        everybody: new.undo.is_none()
            && (new.everybody || meta.status.reconnected || meta.policy.decided != meta.policy.revision),
        full: new.everybody,
        only: new.only.clone(),
        requests: false,
        accept_source: new.accept_source,
        // An operator who asks for one person has looked at what was in their way.
        retry: new.retry || new.only.is_some(),
        collections: std::collections::BTreeMap::new(),
        refused_entries: Vec::new(),
        left_out: Vec::new(),
        plan: None,
        stop,
        accepted: accepted.then(|| Accepted { by_hash: false, at_ms: now_ms, by: new.by.clone() }),
        outcomes: std::collections::BTreeMap::new(),
        changes: std::collections::BTreeMap::new(),
        refusals: std::collections::BTreeMap::new(),
        attention: 0,
        acknowledged: 0,
        guard: None,
        limits: Vec::new(),
        lists: std::collections::BTreeMap::new(),
        problems: Vec::new(),
        tenant_calls: hardmatch_ports::tenant::Counters::default(),
        units: hardmatch_ports::table::Units::default(),
        compute: None,
        write_back: None,
        report: None,
        slot: None,
        stalled: None,
    }
}

/// Why a run that is opened now stops at its plan.
pub(crate) fn stop(intent: Intent, meta: &Meta, now: i64) -> Option<Stop> {
    let quarantined = meta.quarantine.as_ref().is_some_and(|quarantine| now < quarantine.next);
    match (intent, meta.history.first_accepted) {
        (Intent::Plan, _) => Some(Stop::Asked),
        (Intent::Sync, _) if quarantined => Some(Stop::Quarantined),
        (Intent::Sync, None) => Some(Stop::FirstRun),
        // Connected again: what happened meanwhile is looked at before anything is written.
        (Intent::Sync, Some(_)) if meta.status.reconnected => Some(Stop::FirstRun),
        (Intent::Sync, Some(_)) => meta.policy.widened.then_some(Stop::PolicyWidened),
    }
}

/// Gives a run up with what it had decided. Returns whether it was open.
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
    if let Some(closed) = &closed {
        store.clear_run(id).await?;
        if closed.is_partial() {
            store.clear_asked(id).await?;
        }
    }
    Ok(closed.is_some())
}

/// Asks both sides to observe. A message that cannot be sent is sent by the next tick. Where the run is about some people,
/// the tenant is asked for what these hold, so the source comes first, and the driver asks the other side when it was read.
pub(crate) async fn notify_observers(doorbell: &dyn Doorbell, run: &Run) {
    let both = [MessageKind::ObserveTenant, MessageKind::ObserveSource];
    for kind in both.into_iter().skip(usize::from(run.is_partial())) {
        if let Err(error) = doorbell.notify(run.message(kind), std::time::Duration::ZERO).await {
            tracing::warn!(run.id = %run.id, error = %error, "the message could not be sent");
        }
    }
}
