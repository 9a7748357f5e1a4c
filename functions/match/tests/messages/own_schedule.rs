//! A connection's own schedule: which of its times begin a run, and which are skipped for an open one.

use std::time::Duration;

use hardmatch_domain::policy::ScheduledTime;
use hardmatch_match::{NewRun, PassedBy, Started, is_taken, open_run, start_due};
use hardmatch_ports::doorbell::{Message, MessageKind};
use hardmatch_ports::run::{Intent, Phase, Run, Status, Stop};
use hardmatch_store::PersonHash;
use hardmatch_store::connection::ScheduleState;
use hardmatch_store::timers::Timer;

use super::fixture::{Fixture, NOON, contoso};

const MINUTE: i64 = 60;

/// Every five minutes, and whole at half past two.
fn often(at: i64) -> ScheduledTime {
    let whole = at - (at - NOON).rem_euclid(24 * 60 * MINUTE) + 14 * 60 * MINUTE + 30 * MINUTE;
    let full = if whole > at { whole - 24 * 60 * MINUTE } else { whole };
    ScheduledTime { at: at - at.rem_euclid(5 * MINUTE), full, daily: false }
}

impl Fixture {
    /// What the schedule begins now.
    async fn due(&self) -> Started {
        start_due(&self.ports, &contoso(), often(self.now()), false).await.unwrap()
    }

    async fn due_opened(&self) -> Run {
        match self.due().await {
            Started::Opened(id) => self.run(&id).await,
            other => panic!("{other:?}"),
        }
    }

    fn pass(&self, minutes: u64) {
        self.clock.advance(Duration::from_mins(minutes));
    }

    /// Ends a run now.
    async fn end(&self, run: &Run) {
        self.end_as(run, Status::Failed).await;
    }

    async fn end_as(&self, run: &Run, status: Status) {
        let now_ms = self.now() * 1000;
        self.change(run, |run| {
            (run.phase, run.status, run.closed_ms) = (Phase::Closed, Some(status), Some(now_ms));
        })
        .await;
    }

    /// A connection whose last run came to its end under its policy, five minutes ago.
    async fn at_rest() -> (Self, Run) {
        let fixture = Self::new(&["contoso"]).await;
        let run = fixture.due_opened().await;
        fixture.end_as(&run, Status::Attention).await;
        fixture
            .store
            .update_together(&contoso(), |meta| {
                meta.policy.decided = meta.policy.revision;
                meta.history.timers_seen = Some(NOON);
            })
            .await
            .unwrap();
        fixture.notified();
        fixture.pass(5);
        (fixture, run)
    }
}

#[tokio::test]
async fn a_time_that_is_due_begins_one_run() {
    let fixture = Fixture::new(&["contoso"]).await;
    let run = fixture.due_opened().await;
    assert_eq!((run.slot.as_deref(), run.intent), (Some("2026-01-15T12:00:00Z"), Intent::Sync));
    assert_eq!(fixture.kinds(), [MessageKind::ObserveTenant, MessageKind::ObserveSource]);
    fixture.pass(1);
    fixture.end(&run).await;
    fixture.pass(2);
    assert_eq!(fixture.due().await, Started::Already(run.id.clone()));
    let meta = fixture.store.meta(&contoso()).await.unwrap();
    assert!(is_taken(&meta, often(fixture.now())) && !is_taken(&meta, often(fixture.now() + 2 * MINUTE)));
    fixture.pass(2);
    assert_eq!(fixture.due_opened().await.slot.as_deref(), Some("2026-01-15T12:05:00Z"));
}

#[tokio::test]
async fn a_time_that_comes_while_a_run_is_open_is_skipped_and_not_made_up_for() {
    let fixture = Fixture::new(&["contoso"]).await;
    let run = fixture.due_opened().await;
    fixture.pass(6);
    assert_eq!(fixture.due().await, Started::PassedBy(PassedBy::RunOpen), "12:05 comes while the run is open");
    fixture.pass(1);
    fixture.end(&run).await;
    fixture.pass(1);
    assert_eq!(fixture.due().await, Started::PassedBy(PassedBy::RunOpen), "12:05 is not begun at 12:08");
    assert_eq!(fixture.run(&run.id).await.status, Some(Status::Failed), "nobody gave it up");
    fixture.pass(2);
    assert_eq!(fixture.due_opened().await.slot.as_deref(), Some("2026-01-15T12:10:00Z"));
    assert_eq!(fixture.store.run_ids(&contoso(), 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn times_that_nobody_looked_at_are_one_run() {
    let fixture = Fixture::new(&["contoso"]).await;
    let run = fixture.due_opened().await;
    fixture.end(&run).await;
    fixture.pass(3 * 60 + 2);
    let after = fixture.due_opened().await;
    assert_eq!(after.slot.as_deref(), Some("2026-01-15T15:00:00Z"));
    fixture.end(&after).await;
    fixture.pass(1);
    assert_eq!(fixture.due().await, Started::Already(after.id));
}

#[tokio::test]
async fn two_ticks_at_one_time_begin_one_run() {
    let fixture = Fixture::new(&["contoso"]).await;
    let (one, two) = tokio::join!(fixture.due(), fixture.due());
    let opened = [&one, &two].into_iter().filter(|started| matches!(started, Started::Opened(_))).count();
    assert_eq!((opened, fixture.store.run_ids(&contoso(), 10).await.unwrap().len()), (1, 1), "{one:?} {two:?}");
}

#[tokio::test]
async fn a_plan_that_waits_is_kept_until_the_whole_reading_of_the_day() {
    let fixture = Fixture::new(&["contoso"]).await;
    let run = fixture.due_opened().await;
    let waiting = fixture.change(&run, |run| (run.phase, run.stop) = (Phase::Planned, Some(Stop::PolicyWidened))).await;
    for _ in 0..20 {
        fixture.pass(30);
        assert_eq!(fixture.due().await, Started::PassedBy(PassedBy::RunOpen), "{}", fixture.now());
    }
    fixture.pass(4 * 60 + 29);
    assert_eq!(fixture.due().await, Started::PassedBy(PassedBy::RunOpen), "one minute before half past two");
    fixture.pass(1);
    let renewed = fixture.due_opened().await;
    assert_eq!(fixture.run(&waiting.id).await.status, Some(Status::Abandoned));
    assert_eq!(renewed.slot.as_deref(), Some("2026-01-16T02:30:00Z"));
}

#[tokio::test]
async fn a_plan_that_somebody_asked_for_holds_the_schedule_up_for_an_hour() {
    let fixture = Fixture::new(&["contoso"]).await;
    let first = fixture.due_opened().await;
    fixture.end(&first).await;
    let now_ms = fixture.now() * 1000;
    let new = NewRun::new(Fixture::RUN.to_owned(), contoso(), Intent::Plan, "ada".to_owned());
    let asked = open_run(&fixture.store, &*fixture.outbox, &new, now_ms).await.unwrap();
    fixture.enter(&asked, Phase::Planned).await;
    fixture.pass(55);
    assert_eq!(fixture.due().await, Started::PassedBy(PassedBy::RunOpen));
    fixture.pass(5);
    fixture.due_opened().await;
}

#[tokio::test]
async fn a_run_that_does_not_end_is_given_up_after_a_day() {
    let fixture = Fixture::new(&["contoso"]).await;
    let run = fixture.enter(&fixture.due_opened().await, Phase::Writing).await;
    fixture.pass(24 * 60 - 5);
    assert_eq!(fixture.due().await, Started::PassedBy(PassedBy::RunOpen));
    fixture.pass(5);
    fixture.due_opened().await;
    assert_eq!(fixture.run(&run.id).await.status, Some(Status::Abandoned));
    assert_eq!(fixture.told.ended().len(), 1, "that it was given up is told");
}

#[tokio::test]
async fn a_daily_time_that_comes_during_a_run_begins_when_it_has_ended() {
    let fixture = Fixture::new(&["contoso"]).await;
    let daily = |at: i64| ScheduledTime { at, full: at, daily: true };
    let begin = async |at: i64| start_due(&fixture.ports, &contoso(), daily(at), false).await.unwrap();
    let Started::Opened(first) = begin(NOON).await else { panic!("not begun") };
    fixture.pass(24 * 60 + 1);
    let next = NOON + 24 * 60 * MINUTE;
    let first = fixture.run(&first).await;
    fixture.change(&first, |run| run.started_ms = (next - MINUTE) * 1000).await;
    assert_eq!(begin(next).await, Started::PassedBy(PassedBy::RunOpen));
    fixture.end(&first).await;
    assert!(matches!(begin(next).await, Started::Opened(_)));
}

#[tokio::test]
async fn the_night_of_a_stack_gives_up_no_run_that_a_schedule_began_lately() {
    let fixture = Fixture::new(&["contoso"]).await;
    let run = fixture.due_opened().await;
    fixture.pass(1);
    assert_eq!(fixture.started("2026-01-15T12:01:00Z").await, Started::PassedBy(PassedBy::RunOpen));
    assert_eq!(fixture.run(&run.id).await.phase, Phase::Observing);
    fixture.pass(12 * 60);
    assert!(matches!(fixture.started("2026-01-16T00:01:00Z").await, Started::Opened(_)));
}

#[tokio::test]
async fn a_process_that_is_alone_gives_up_what_another_left() {
    let fixture = Fixture::new(&["contoso"]).await;
    let left = fixture.due_opened().await;
    fixture.pass(5);
    let begun = start_due(&fixture.ports, &contoso(), often(fixture.now()), true).await.unwrap();
    assert!(matches!(begun, Started::Opened(_)));
    assert_eq!(fixture.run(&left.id).await.status, Some(Status::Abandoned));
}

#[tokio::test]
async fn at_rest_the_source_is_asked_whether_anything_changed_and_no_run_is_opened() {
    let (fixture, run) = Fixture::at_rest().await;
    let before = fixture.store.meta(&contoso()).await.unwrap();
    assert_eq!(fixture.due().await, Started::Looks);
    assert_eq!(fixture.notified(), [Message::new(contoso(), "", MessageKind::ObserveSource)]);
    assert_eq!(fixture.due().await, Started::Already(String::new()), "once for each time");
    assert_eq!(fixture.store.run_ids(&contoso(), 10).await.unwrap(), std::slice::from_ref(&run.id));
    let after = fixture.store.meta(&contoso()).await.unwrap();
    assert_eq!((after.schedule.run, after.status), (Some(run.id), before.status), "nothing else was touched");
    // Where it changed, the source's function asks for the run of that time.
    let begun = fixture.opened("2026-01-15T12:05:00Z").await;
    assert_eq!(fixture.started("2026-01-15T12:05:00Z").await, Started::Already(begun.id));
    assert_eq!(fixture.store.run_ids(&contoso(), 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_due_besides_begins_a_run_at_once() {
    // The day's whole reading.
    let (fixture, _) = Fixture::at_rest().await;
    fixture.pass(14 * 60 + 25);
    fixture.due_opened().await;
    // Somebody's day.
    let (fixture, _) = Fixture::at_rest().await;
    let pid = PersonHash::from_bytes([1; 16]);
    let timer = fixture.store.put_timer(&contoso(), Timer::Person(pid), NOON + MINUTE);
    fixture.store.write_all(vec![timer]).await.unwrap();
    fixture.due_opened().await;
    // An approval.
    let (fixture, _) = Fixture::at_rest().await;
    fixture.store.update(&contoso(), |schedule: &mut ScheduleState| schedule.wanted = true).await.unwrap();
    fixture.due_opened().await;
    assert!(!fixture.store.meta(&contoso()).await.unwrap().schedule.wanted, "the run carries it out");
    // Another policy.
    let (fixture, _) = Fixture::at_rest().await;
    fixture.store.update_together(&contoso(), |meta| meta.policy.revision += 1).await.unwrap();
    fixture.due_opened().await;
    // A run that did not come to its end.
    let (fixture, run) = Fixture::at_rest().await;
    fixture.change(&run, |run| run.status = Some(Status::Incomplete)).await;
    fixture.due_opened().await;
}
