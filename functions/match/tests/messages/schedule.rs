//! Schedules, ticks and timers: which runs they start, and how often.

use std::time::Duration;

use hardmatch_domain::ids::PersonKey;
use hardmatch_match::{NewRun, PassedBy, Started, answer, nightly, open_run, start_scheduled};
use hardmatch_ports::doorbell::{Message, MessageKind, Queue};
use hardmatch_ports::run::{Intent, Phase, Status};
use hardmatch_ports::{Clock as _, TableError};
use hardmatch_store::PersonHash;
use hardmatch_store::changes::LanePhase;
use hardmatch_store::connection::{ConnectionState, ConnectionStatus};
use jiff::Timestamp;

use super::fixture::{Fixture, NOON, SLOT, contoso};

fn start(slot: &str) -> MessageKind {
    MessageKind::Start { slot: slot.to_owned() }
}

#[tokio::test]
async fn a_slot_starts_one_run_however_it_is_spelled() {
    let fixture = Fixture::new(&["contoso"]).await;
    let run = fixture.opened(SLOT).await;
    assert_eq!((run.slot.as_deref(), run.intent, run.phase), (Some(SLOT), Intent::Sync, Phase::Observing));
    assert_eq!(fixture.kinds(), [MessageKind::ObserveTenant, MessageKind::ObserveSource]);
    for again in [SLOT, "2026-01-15T13:00:00+01:00", "2026-01-15T12:00:00.7Z"] {
        assert_eq!(fixture.started(again).await, Started::Already(run.id.clone()), "{again}");
        assert_eq!(
            fixture.kinds(),
            [MessageKind::ObserveTenant, MessageKind::ObserveSource],
            "its messages may have been lost"
        );
    }
    // One that was late is not made up for: a newer run has seen everything since.
    assert_eq!(fixture.started("2026-01-14T12:00:00Z").await, Started::Already(run.id.clone()));
    assert!(fixture.notified().is_empty());
    assert!(start_scheduled(&fixture.ports, &contoso(), "noon").await.is_err());
    assert_eq!(fixture.store.run_ids(&contoso(), 10).await.unwrap(), [run.id]);
}

#[tokio::test]
async fn two_messages_for_one_slot_start_one_run() {
    let fixture = Fixture::new(&["contoso"]).await;
    let (one, two, three) = tokio::join!(fixture.started(SLOT), fixture.started(SLOT), fixture.started(SLOT));
    let started = [one, two, three];
    let opened = started.iter().filter(|started| matches!(started, Started::Opened(_))).count();
    assert_eq!((opened, fixture.store.run_ids(&contoso(), 10).await.unwrap().len()), (1, 1), "{started:?}");
    let run = fixture.store.meta(&contoso()).await.unwrap().schedule.run.unwrap();
    assert_eq!(fixture.run(&run).await.phase, Phase::Observing, "nobody abandoned it");
}

#[tokio::test]
async fn an_open_run_is_abandoned_when_the_next_begins() {
    let fixture = Fixture::new(&["contoso"]).await;
    let first = fixture.opened(SLOT).await;
    fixture.clock.advance(Duration::from_hours(24));
    let second = fixture.opened("2026-01-16T12:00:00Z").await;
    let first = fixture.run(&first.id).await;
    assert_eq!((first.phase, first.status), (Phase::Closed, Some(Status::Abandoned)));
    assert_eq!(fixture.store.meta(&contoso()).await.unwrap().schedule.run, Some(second.id));
}

#[tokio::test]
async fn the_nightly_message_starts_each_connection_once() {
    let fixture = Fixture::new(&["contoso", "fabrikam"]).await;
    let nightly = Message::for_all(MessageKind::Nightly { slot: SLOT.to_owned() });
    assert_eq!(nightly.queue(), Queue::Match);
    answer(&fixture.ports, &nightly).await.unwrap();
    let notified = fixture.notified();
    let expected = ["contoso", "fabrikam"].map(|name| Message::new(name.into(), "", start(SLOT)));
    assert_eq!(notified, expected);
    for message in notified.iter().chain(&notified) {
        answer(&fixture.ports, message).await.unwrap();
    }
    for name in ["contoso", "fabrikam"] {
        assert_eq!(fixture.store.run_ids(&name.into(), 10).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn schedules_skip_connections_paused_disconnected_or_without_policy() {
    let fixture = Fixture::new(&["contoso"]).await;
    for (standing, why) in
        [(ConnectionState::Paused, PassedBy::Paused), (ConnectionState::Disconnected, PassedBy::Disconnected)]
    {
        fixture.store.update(&contoso(), |status: &mut ConnectionStatus| status.state = standing).await.unwrap();
        assert_eq!(fixture.started(SLOT).await, Started::PassedBy(why));
    }
    let nobody = start_scheduled(&fixture.ports, &"fabrikam".into(), SLOT).await.unwrap();
    assert_eq!(nobody, Started::PassedBy(PassedBy::NoPolicy));
    assert!(fixture.notified().is_empty());
    // Taken up again, the same slot is still to be had.
    fixture
        .store
        .update(&contoso(), |status: &mut ConnectionStatus| status.state = ConnectionState::Active)
        .await
        .unwrap();
    fixture.opened(SLOT).await;
}

#[tokio::test]
async fn a_quarantined_connection_is_retried_after_6_12_24_hours() {
    let fixture = Fixture::new(&["contoso"]).await;
    let mut hours = Vec::new();
    for attempt in 1..=4 {
        let run = format!("run-{attempt}");
        let held = fixture.store.quarantine(&contoso(), &run, "the secret has expired", fixture.now()).await.unwrap();
        let told_again =
            fixture.store.quarantine(&contoso(), &run, "the secret has expired", fixture.now()).await.unwrap();
        assert_eq!((&held, held.attempts), (&told_again, attempt), "a run counts once");
        hours.push((held.next - fixture.now()) / 3600);

        let before = held.next - fixture.now() - 1;
        fixture.clock.advance(Duration::from_secs(before.unsigned_abs()));
        let slot = fixture.clock.now().to_string();
        assert_eq!(fixture.started(&slot).await, Started::PassedBy(PassedBy::Quarantined));
        fixture.tick().await;
        assert_eq!(fixture.kinds(), [], "one second too early");

        fixture.clock.advance(Duration::from_secs(1));
        fixture.tick().await;
        let next = start(&fixture.clock.now().to_string());
        assert_eq!(fixture.kinds(), std::slice::from_ref(&next));
        fixture.tick().await;
        let begun = [MessageKind::ObserveTenant, MessageKind::ObserveSource];
        assert_eq!(fixture.kinds(), begun, "what no message began, the tick begins");
        answer(&fixture.ports, &Message::new(contoso(), "", next)).await.unwrap();
        let open = fixture.store.meta(&contoso()).await.unwrap().schedule.run.unwrap();
        assert_eq!(fixture.run(&open).await.stop, None, "an attempt that is due may write");
        fixture.enter(&fixture.run(&open).await, Phase::Closed).await;
        fixture.notified();
    }
    assert_eq!(hours, [6, 12, 24, 24]);
}

#[tokio::test]
async fn the_timer_of_a_released_quarantine_does_nothing() {
    let fixture = Fixture::new(&["contoso"]).await;
    fixture.store.quarantine(&contoso(), "run", "the secret has expired", fixture.now()).await.unwrap();
    assert!(fixture.store.release_quarantine(&contoso()).await.unwrap());
    assert!(!fixture.store.release_quarantine(&contoso()).await.unwrap());
    fixture.clock.advance(Duration::from_hours(7));
    fixture.tick().await;
    assert_eq!(fixture.kinds(), []);
    fixture.opened("2026-01-15T19:00:00Z").await;
}

#[tokio::test]
async fn a_postponed_attempt_is_not_made_at_its_old_time() {
    let fixture = Fixture::new(&["contoso"]).await;
    fixture.store.quarantine(&contoso(), "one", "the secret has expired", fixture.now()).await.unwrap();
    fixture.clock.advance(Duration::from_hours(1));
    fixture.store.quarantine(&contoso(), "two", "the secret has expired", fixture.now()).await.unwrap();
    fixture.clock.advance(Duration::from_hours(5));
    fixture.tick().await;
    assert_eq!(fixture.kinds(), []);
    fixture.clock.advance(Duration::from_hours(7));
    fixture.tick().await;
    assert_eq!(fixture.kinds(), [start(&fixture.clock.now().to_string())]);
}

#[tokio::test]
async fn a_schedule_without_a_time_takes_its_messages_minute() {
    let fixture = Fixture::new(&["contoso"]).await;
    let sent = |seconds: i64| Timestamp::from_second(NOON + seconds).ok();
    for seconds in [7, 59] {
        nightly(&fixture.store, &*fixture.outbox, "<aws.scheduler.scheduled-time>", sent(seconds), 0).await.unwrap();
    }
    assert_eq!(fixture.kinds(), [start(SLOT), start(SLOT)], "told twice it is one");
    nightly(&fixture.store, &*fixture.outbox, "2026-01-15T13:00:00+01:00", sent(500), 0).await.unwrap();
    assert_eq!(fixture.kinds(), [start(SLOT)], "what it says counts");
    assert!(nightly(&fixture.store, &*fixture.outbox, "noon", None, 0).await.is_err());
}

#[tokio::test]
async fn a_quarantined_run_ends_without_its_unwritten_work() {
    let fixture = Fixture::new(&["contoso"]).await;
    let run = fixture.opened(SLOT).await;
    let run = fixture.enter(&run, Phase::Writing).await;
    let lane = fixture.store.put_pointers(&run.id, LanePhase::Write, 0, 0, &[PersonHash::from_bytes([1; 16])]);
    fixture.store.write_all(lane).await.unwrap();
    fixture.store.quarantine(&contoso(), &run.id, "the secret has expired", NOON).await.unwrap();
    fixture.notified();
    fixture.tick().await;
    let notified = fixture.notified();
    assert_eq!(notified, [run.message(MessageKind::Advance)], "the writer is not asked again");
    answer(&fixture.ports, &notified[0]).await.unwrap();
    let run = fixture.run(&run.id).await;
    assert_eq!((run.phase, run.problems.len()), (Phase::Closed, 1), "{:?}", run.problems);
    let meta = fixture.store.meta(&contoso()).await.unwrap();
    assert!(meta.quarantine.is_some() && meta.history.last_success.is_none(), "its end is no success");
    assert!(fixture.store.pointers(&run.id, LanePhase::Write, None, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_run_about_one_person_replaces_their_older_run_only() {
    let fixture = Fixture::new(&["contoso"]).await;
    let nightly = fixture.opened(SLOT).await;
    fixture.notified();
    let mut ids = Vec::new();
    for (number, key) in ["ada", "bea", "ada"].into_iter().enumerate() {
        let new = NewRun {
            only: Some(PersonKey::new(key)),
            ..NewRun::new(format!("now-{number}"), contoso(), Intent::Sync, "a hook".to_owned())
        };
        ids.push(open_run(&fixture.store, &*fixture.outbox, &new, NOON * 1000).await.unwrap().id);
    }
    assert_eq!(fixture.run(&nightly.id).await.phase, Phase::Observing);
    let mut phases = Vec::new();
    for id in &ids {
        phases.push(fixture.run(id).await.phase);
    }
    assert_eq!(phases, [Phase::Closed, Phase::Observing, Phase::Observing]);
    fixture.notified();

    // The tick knows all of them, and its messages for single people go past the company's.
    for id in ids[1..].iter().chain([&nightly.id]) {
        let run = fixture.enter(&fixture.run(id).await, Phase::Deciding).await;
        fixture.work(&run).await;
    }
    fixture.tick().await;
    let mut queues: Vec<Queue> = fixture.notified().iter().map(Message::queue).collect();
    queues.sort();
    assert_eq!(queues, [Queue::Match, Queue::MatchNow, Queue::MatchNow]);

    // Whose place was not given back by a kill is given back by the tick.
    for id in &ids[1..] {
        fixture.enter(&fixture.run(id).await, Phase::Closed).await;
    }
    fixture.tick().await;
    assert!(fixture.store.now_runs(&contoso()).await.unwrap().is_empty());
}

/// A table that refuses everything, as one does that cannot be reached.
struct Away;

#[async_trait::async_trait]
impl hardmatch_ports::Table for Away {
    async fn get(&self, _: &hardmatch_ports::Key) -> Result<Option<hardmatch_ports::Item>, TableError> {
        Err(away())
    }

    async fn batch_get(&self, _: &[hardmatch_ports::Key]) -> Result<Vec<hardmatch_ports::Item>, TableError> {
        Err(away())
    }

    async fn query(&self, _: &hardmatch_ports::Query) -> Result<hardmatch_ports::Page, TableError> {
        Err(away())
    }

    async fn write(&self, _: hardmatch_ports::Write) -> Result<u64, TableError> {
        Err(away())
    }

    async fn batch_write(&self, _: Vec<hardmatch_ports::Write>) -> Result<(), TableError> {
        Err(away())
    }

    async fn transact(&self, _: Vec<hardmatch_ports::Write>) -> Result<(), TableError> {
        Err(away())
    }

    fn units(&self) -> hardmatch_ports::table::Units {
        hardmatch_ports::table::Units::default()
    }
}

fn away() -> TableError {
    TableError::Unavailable("no route to the table".to_owned())
}

#[tokio::test]
async fn a_night_that_cannot_be_entered_is_asked_for_again_and_never_given_up() {
    let fixture = Fixture::new(&["contoso"]).await;
    let store = fixture.store.through(std::sync::Arc::new(Away));
    let at: Timestamp = SLOT.parse().unwrap();
    // However often it fails: each time is another message, so that no queue counts to five.
    for minutes in [0, 1, 5, 60, 11 * 60] {
        let now = at.as_second() + minutes * 60;
        nightly(&store, &*fixture.outbox, SLOT, None, now).await.unwrap();
    }
    let asked = fixture.kinds();
    assert_eq!(asked.len(), 5);
    assert!(asked.iter().all(|kind| matches!(kind, MessageKind::Nightly { slot } if slot == SLOT)), "{asked:?}");
    // Half a day later the next night is nearer.
    assert!(nightly(&store, &*fixture.outbox, SLOT, None, at.as_second() + 12 * 60 * 60).await.is_err());
    // A message without a time keeps the one that it was sent at.
    let sent = at.saturating_add(std::time::Duration::from_secs(30)).ok();
    nightly(&store, &*fixture.outbox, "<aws.scheduler.scheduled-time>", sent, at.as_second() + 600).await.unwrap();
    assert_eq!(fixture.kinds().last(), Some(&MessageKind::Nightly { slot: SLOT.to_owned() }));
}
