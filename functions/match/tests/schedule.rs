//! Schedules, ticks, timers and requeued messages over an embedded table: what is notified, and how often.

#![cfg(test)]

#[path = "schedule/left_over.rs"]
mod left_over;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_domain::ids::{ConnectionId, PersonKey};
use hardmatch_domain::policy::Policy;
use hardmatch_embedded::{FileTable, FolderBlobs};
use hardmatch_match::{
    Accept, After, MatchPorts, Opening, PassedBy, RunCost, RunMetrics, Started, answer, nightly, open_run,
    start_scheduled, tick,
};
use hardmatch_ports::doorbell::{Doorbell, DoorbellError, Message, MessageKind, Queue};
use hardmatch_ports::run::{Intent, Phase, Run, Status};
use hardmatch_ports::table::Units;
use hardmatch_ports::{Clock as _, Item, Key, Page, Policies, Query, Table, TableError, Write};
use hardmatch_runtime::ManualClock;
use hardmatch_store::changes::LanePhase;
use hardmatch_store::connection::ConnectionState;
use hardmatch_store::requeue::Requeue;
use hardmatch_store::timers::Timer;
use hardmatch_store::{PersonHash, Store, StoreError, TenantKey};
use jiff::Timestamp;
use tempfile::TempDir;

/// Noon on 15 January 2026, UTC.
const NOON: i64 = 1_768_478_400;
const SLOT: &str = "2026-01-15T12:00:00Z";

/// A table that forgets where work was, while it is told to.
struct Forgetful(FileTable, AtomicBool);

#[async_trait]
impl Table for Forgetful {
    async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        self.0.get(key).await
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Item>, TableError> {
        self.0.batch_get(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        self.0.query(query).await
    }

    async fn write(&self, write: Write) -> Result<u64, TableError> {
        if self.1.load(Ordering::SeqCst) && write.key().pk.ends_with("#place") {
            return Ok(1);
        }
        self.0.write(write).await
    }

    async fn batch_write(&self, writes: Vec<Write>) -> Result<(), TableError> {
        self.0.batch_write(writes).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<(), TableError> {
        self.0.transact(writes).await
    }

    fn units(&self) -> Units {
        self.0.units()
    }
}

/// Keeps what is sent.
#[derive(Default)]
struct Notified(Mutex<Vec<Message>>);

#[async_trait]
impl Doorbell for Notified {
    async fn notify(&self, message: Message, _: Duration) -> Result<(), DoorbellError> {
        self.0.lock().unwrap().push(message);
        Ok(())
    }
}

struct Nothing;

impl Policies for Nothing {
    fn compile(&self, _: &str, _: u64) -> Result<Arc<Policy>, String> {
        Err("nobody is decided here".to_owned())
    }
}

#[async_trait]
impl RunMetrics for Nothing {
    async fn read(&self, _: &str) -> Result<RunCost, StoreError> {
        Ok(RunCost::default())
    }
}

struct Lab {
    clock: ManualClock,
    table: Arc<Forgetful>,
    store: Store,
    notified: Arc<Notified>,
    ports: MatchPorts,
    _folder: TempDir,
}

impl Lab {
    async fn new(connections: &[&str]) -> Self {
        let clock = ManualClock::new(Timestamp::from_second(NOON).unwrap());
        let table = Arc::new(Forgetful(FileTable::in_memory().unwrap(), AtomicBool::new(false)));
        let store = Store::open(table.clone()).await.unwrap();
        let (notified, folder) = (Arc::new(Notified::default()), tempfile::tempdir().unwrap());
        let ports = MatchPorts {
            store: store.clone(),
            scope: TenantKey::new("graph.test", "t1"),
            blobs: Arc::new(FolderBlobs::new(folder.path())),
            clock: Arc::new(clock.clone()),
            doorbell: notified.clone(),
            policies: Arc::new(Nothing),
            metrics: Arc::new(Nothing),
            deadline: None,
        };
        for name in connections {
            let name = ConnectionId::new(*name);
            let made = store.update_meta(&name, |meta| {
                (meta.policy_revision, meta.first_accepted) = (1, Some(NOON - 1));
            });
            made.await.unwrap();
        }
        Self { clock, table, store, notified, ports, _folder: folder }
    }

    fn now(&self) -> i64 {
        self.clock.now_seconds()
    }

    fn notified(&self) -> Vec<Message> {
        std::mem::take(&mut *self.notified.0.lock().unwrap())
    }

    fn kinds(&self) -> Vec<MessageKind> {
        self.notified().into_iter().map(|message| message.kind).collect()
    }

    async fn started(&self, slot: &str) -> Started {
        start_scheduled(&self.ports, &contoso(), slot).await.unwrap()
    }

    async fn run(&self, id: &str) -> Run {
        self.store.run(&contoso(), id).await.unwrap().unwrap().value
    }

    async fn opened(&self, slot: &str) -> Run {
        match self.started(slot).await {
            Started::Opened(id) => self.run(&id).await,
            other => panic!("{other:?}"),
        }
    }

    async fn enter(&self, run: &Run, phase: Phase) -> Run {
        let (contoso, enter) = (contoso(), |run: &mut Run| {
            run.phase = phase;
            true
        });
        self.store.update_run(&contoso, &run.id, enter).await.unwrap().unwrap()
    }

    /// Gives every phase of a run something to do.
    async fn work(&self, run: &Run) {
        let people = [PersonHash::from_bytes([1; 16])];
        self.store.put_slices(&run.id, 0, &people).await.unwrap();
        for phase in [LanePhase::Write, LanePhase::Remove] {
            let lane = self.store.put_pointers(&run.id, phase, 0, 0, &people);
            self.store.table().batch_write(lane).await.unwrap();
        }
    }

    async fn tick(&self) {
        tick(&self.ports, &contoso()).await.unwrap();
    }
}

fn contoso() -> ConnectionId {
    ConnectionId::new("contoso")
}

fn start(slot: &str) -> MessageKind {
    MessageKind::Start { slot: slot.to_owned() }
}

#[tokio::test]
async fn one_run_for_a_slot_however_it_is_spelled_and_however_often_it_comes() {
    let lab = Lab::new(&["contoso"]).await;
    let run = lab.opened(SLOT).await;
    assert_eq!((run.slot.as_deref(), run.intent, run.phase), (Some(SLOT), Intent::Sync, Phase::Observing));
    assert_eq!(lab.kinds(), [MessageKind::ObserveTenant, MessageKind::ObserveSource]);
    for again in [SLOT, "2026-01-15T13:00:00+01:00", "2026-01-15T12:00:00.7Z"] {
        assert_eq!(lab.started(again).await, Started::Already(run.id.clone()), "{again}");
        assert_eq!(
            lab.kinds(),
            [MessageKind::ObserveTenant, MessageKind::ObserveSource],
            "its messages may have been lost"
        );
    }
    // One that was late is not made up for: a newer run has seen everything since.
    assert_eq!(lab.started("2026-01-14T12:00:00Z").await, Started::Already(run.id.clone()));
    assert!(lab.notified().is_empty());
    assert!(start_scheduled(&lab.ports, &contoso(), "noon").await.is_err());
    assert_eq!(lab.store.run_ids(&contoso(), 10).await.unwrap(), [run.id]);
}

#[tokio::test]
async fn two_bells_of_a_slot_at_a_time_begin_one_run() {
    let lab = Lab::new(&["contoso"]).await;
    let (one, two, three) = tokio::join!(lab.started(SLOT), lab.started(SLOT), lab.started(SLOT));
    let started = [one, two, three];
    let opened = started.iter().filter(|started| matches!(started, Started::Opened(_))).count();
    assert_eq!((opened, lab.store.run_ids(&contoso(), 10).await.unwrap().len()), (1, 1), "{started:?}");
    let run = lab.store.meta(&contoso()).await.unwrap().value.run.unwrap();
    assert_eq!(lab.run(&run).await.phase, Phase::Observing, "nobody abandoned it");
}

#[tokio::test]
async fn a_run_that_is_open_when_the_next_begins_is_abandoned() {
    let lab = Lab::new(&["contoso"]).await;
    let first = lab.opened(SLOT).await;
    lab.clock.advance(Duration::from_hours(24));
    let second = lab.opened("2026-01-16T12:00:00Z").await;
    let first = lab.run(&first.id).await;
    assert_eq!((first.phase, first.status), (Phase::Closed, Some(Status::Abandoned)));
    assert_eq!(lab.store.meta(&contoso()).await.unwrap().value.run, Some(second.id));
}

#[tokio::test]
async fn the_nightly_bell_rings_once_for_each_connection() {
    let lab = Lab::new(&["contoso", "fabrikam"]).await;
    let nightly = Message::for_all(MessageKind::Nightly { slot: SLOT.to_owned() });
    assert_eq!(nightly.queue(), Queue::Match);
    answer(&lab.ports, &nightly).await.unwrap();
    let notified = lab.notified();
    let expected = ["contoso", "fabrikam"].map(|name| Message::new(name.into(), "", start(SLOT)));
    assert_eq!(notified, expected);
    for message in notified.iter().chain(&notified) {
        answer(&lab.ports, message).await.unwrap();
    }
    for name in ["contoso", "fabrikam"] {
        assert_eq!(lab.store.run_ids(&name.into(), 10).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_schedule_passes_by_who_is_paused_disconnected_or_without_a_policy() {
    let lab = Lab::new(&["contoso"]).await;
    for (standing, why) in
        [(ConnectionState::Paused, PassedBy::Paused), (ConnectionState::Disconnected, PassedBy::Disconnected)]
    {
        lab.store.update_meta(&contoso(), |meta| meta.standing = standing).await.unwrap();
        assert_eq!(lab.started(SLOT).await, Started::PassedBy(why));
    }
    let nobody = start_scheduled(&lab.ports, &"fabrikam".into(), SLOT).await.unwrap();
    assert_eq!(nobody, Started::PassedBy(PassedBy::NoPolicy));
    assert!(lab.notified().is_empty());
    // Taken up again, the same slot is still to be had.
    lab.store.update_meta(&contoso(), |meta| meta.standing = ConnectionState::Active).await.unwrap();
    lab.opened(SLOT).await;
}

#[tokio::test]
async fn a_quarantined_connection_is_tried_again_after_6_12_24_hours_and_then_daily() {
    let lab = Lab::new(&["contoso"]).await;
    let mut hours = Vec::new();
    for attempt in 1..=4 {
        let run = format!("run-{attempt}");
        let held = lab.store.quarantine(&contoso(), &run, "the secret has expired", lab.now()).await.unwrap();
        let told_again = lab.store.quarantine(&contoso(), &run, "the secret has expired", lab.now()).await.unwrap();
        assert_eq!((&held, held.attempts), (&told_again, attempt), "a run counts once");
        hours.push((held.next - lab.now()) / 3600);

        let before = held.next - lab.now() - 1;
        lab.clock.advance(Duration::from_secs(before.unsigned_abs()));
        let slot = lab.clock.now().to_string();
        assert_eq!(lab.started(&slot).await, Started::PassedBy(PassedBy::Quarantined));
        lab.tick().await;
        assert_eq!(lab.kinds(), [], "one second too early");

        lab.clock.advance(Duration::from_secs(1));
        lab.tick().await;
        let next = start(&lab.clock.now().to_string());
        assert_eq!(lab.kinds(), std::slice::from_ref(&next));
        lab.tick().await;
        assert_eq!(lab.kinds(), [], "each timer is taken once");
        answer(&lab.ports, &Message::new(contoso(), "", next)).await.unwrap();
        let open = lab.store.meta(&contoso()).await.unwrap().value.run.unwrap();
        assert_eq!(lab.run(&open).await.stop, None, "an attempt that is due may write");
        lab.enter(&lab.run(&open).await, Phase::Closed).await;
        lab.notified();
    }
    assert_eq!(hours, [6, 12, 24, 24]);
}

#[tokio::test]
async fn a_quarantine_released_by_hand_leaves_a_timer_that_does_nothing() {
    let lab = Lab::new(&["contoso"]).await;
    lab.store.quarantine(&contoso(), "run", "the secret has expired", lab.now()).await.unwrap();
    assert!(lab.store.release_quarantine(&contoso()).await.unwrap());
    assert!(!lab.store.release_quarantine(&contoso()).await.unwrap());
    lab.clock.advance(Duration::from_hours(7));
    lab.tick().await;
    assert_eq!(lab.kinds(), []);
    lab.opened("2026-01-15T19:00:00Z").await;
}

#[tokio::test]
async fn an_attempt_that_was_put_off_is_not_made_at_its_old_time() {
    let lab = Lab::new(&["contoso"]).await;
    lab.store.quarantine(&contoso(), "one", "the secret has expired", lab.now()).await.unwrap();
    lab.clock.advance(Duration::from_hours(1));
    lab.store.quarantine(&contoso(), "two", "the secret has expired", lab.now()).await.unwrap();
    lab.clock.advance(Duration::from_hours(5));
    lab.tick().await;
    assert_eq!(lab.kinds(), []);
    lab.clock.advance(Duration::from_hours(7));
    lab.tick().await;
    assert_eq!(lab.kinds(), [start(&lab.clock.now().to_string())]);
}

#[tokio::test]
async fn a_schedule_that_does_not_say_when_has_its_time_from_its_message_by_the_minute() {
    let lab = Lab::new(&["contoso"]).await;
    let sent = |seconds: i64| Timestamp::from_second(NOON + seconds).ok();
    for seconds in [7, 59] {
        nightly(&lab.store, &*lab.notified, "<aws.scheduler.scheduled-time>", sent(seconds)).await.unwrap();
    }
    assert_eq!(lab.kinds(), [start(SLOT), start(SLOT)], "told twice it is one");
    nightly(&lab.store, &*lab.notified, "2026-01-15T13:00:00+01:00", sent(500)).await.unwrap();
    assert_eq!(lab.kinds(), [start(SLOT)], "what it says counts");
    assert!(nightly(&lab.store, &*lab.notified, "noon", None).await.is_err());
}

#[tokio::test]
async fn a_run_that_was_turned_away_ends_without_what_it_had_left() {
    let lab = Lab::new(&["contoso"]).await;
    let run = lab.opened(SLOT).await;
    let run = lab.enter(&run, Phase::Writing).await;
    let lane = lab.store.put_pointers(&run.id, LanePhase::Write, 0, 0, &[PersonHash::from_bytes([1; 16])]);
    lab.store.table().batch_write(lane).await.unwrap();
    lab.store.quarantine(&contoso(), &run.id, "the secret has expired", NOON).await.unwrap();
    lab.notified();
    lab.tick().await;
    let notified = lab.notified();
    assert_eq!(notified, [run.message(MessageKind::Advance)], "the writer is not asked again");
    answer(&lab.ports, &notified[0]).await.unwrap();
    let run = lab.run(&run.id).await;
    assert_eq!((run.phase, run.problems.len()), (Phase::Closed, 1), "{:?}", run.problems);
    let meta = lab.store.meta(&contoso()).await.unwrap().value;
    assert!(meta.quarantine.is_some() && meta.last_success.is_none(), "its end is no success");
    assert!(lab.store.pointers(&run.id, LanePhase::Write, None, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn one_person_wanted_now_abandons_nobody_but_an_older_run_of_theirs() {
    let lab = Lab::new(&["contoso"]).await;
    let nightly = lab.opened(SLOT).await;
    lab.notified();
    let mut ids = Vec::new();
    for (number, key) in ["ada", "bea", "ada"].into_iter().enumerate() {
        let opening = Opening {
            id: format!("now-{number}"),
            connection: contoso(),
            intent: Intent::Sync,
            accept: Accept::Nothing,
            everybody: false,
            only: Some(PersonKey::new(key)),
            accept_source: false,
            retry: false,
            by: "a hook".to_owned(),
        };
        ids.push(open_run(&lab.store, &*lab.notified, &opening, NOON * 1000).await.unwrap().id);
    }
    assert_eq!(lab.run(&nightly.id).await.phase, Phase::Observing);
    let mut phases = Vec::new();
    for id in &ids {
        phases.push(lab.run(id).await.phase);
    }
    assert_eq!(phases, [Phase::Closed, Phase::Observing, Phase::Observing]);
    lab.notified();

    // The tick knows all of them, and its messages for single people go past the company's.
    for id in ids[1..].iter().chain([&nightly.id]) {
        let run = lab.enter(&lab.run(id).await, Phase::Deciding).await;
        lab.work(&run).await;
    }
    lab.tick().await;
    let mut queues: Vec<Queue> = lab.notified().iter().map(Message::queue).collect();
    queues.sort();
    assert_eq!(queues, [Queue::Match, Queue::MatchNow, Queue::MatchNow]);

    // Whose place was not given back by a kill is given back by the tick.
    for id in &ids[1..] {
        lab.enter(&lab.run(id).await, Phase::Closed).await;
    }
    lab.tick().await;
    assert!(lab.store.now_runs(&contoso()).await.unwrap().is_empty());
}
