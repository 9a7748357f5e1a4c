//! Work that is left over: what a tick sends, and how often messages are sent again that find nothing moved.

use std::time::Duration;

use hardmatch_match::{After, MatchPorts, answer};
use hardmatch_ports::Clock as _;
use hardmatch_ports::doorbell::{Message, MessageKind};
use hardmatch_ports::run::Phase;
use hardmatch_store::PersonHash;
use hardmatch_store::changes::LanePhase;
use hardmatch_store::connection::RunHistory;
use hardmatch_store::requeue::Requeue;
use hardmatch_store::timers::Timer;

use super::fixture::{Fixture, NOON, SLOT, contoso};

#[tokio::test]
async fn a_tick_takes_each_due_timer_once() {
    let fixture = Fixture::new(&["contoso"]).await;
    let c = contoso();
    fixture.opened(SLOT).await;
    let [due, older, later] = [1, 2, 3].map(|n| PersonHash::from_bytes([n; 16]));
    fixture.store.update(&c, |history: &mut RunHistory| history.timers_seen = Some(NOON)).await.unwrap();
    let timers = [(due, 60 * 60), (older, 3 * 24 * 60 * 60), (later, 3 * 24 * 60 * 60 + 1)];
    let writes = timers.map(|(pid, after)| fixture.store.put_timer(&c, Timer::Person(pid), NOON + after));
    fixture.store.write_all(writes.into()).await.unwrap();
    fixture.clock.advance(Duration::from_hours(72));
    for _ in 0..2 {
        fixture.tick().await;
        assert_eq!(fixture.store.dirty_people(&c).await.unwrap(), [due, older]);
    }
    let left: Vec<Timer> =
        fixture.store.due(&c, NOON, NOON * 2).await.unwrap().into_iter().map(|due| due.timer).collect();
    assert_eq!(left, [Timer::Person(later)]);
}

#[tokio::test]
async fn a_tick_sends_messages_for_each_phases_left_work() {
    let fixture = Fixture::new(&["contoso"]).await;
    let run = fixture.opened(SLOT).await;
    fixture.notified();
    for phase in [Phase::Deciding, Phase::Writing, Phase::Removing] {
        fixture.enter(&run, phase).await;
        fixture.tick().await;
        assert_eq!(fixture.kinds(), [MessageKind::Advance], "{phase:?} has ended, and nobody said so");
    }
    fixture.work(&run).await;
    for (phase, kinds) in [
        (Phase::Observing, vec![MessageKind::ObserveTenant, MessageKind::ObserveSource]),
        (Phase::Deciding, vec![MessageKind::Match]),
        (Phase::Planned, vec![]),
        (Phase::Writing, vec![MessageKind::Write]),
        (Phase::Gate, vec![MessageKind::Advance]),
        (Phase::Removing, vec![MessageKind::Write]),
        (Phase::Reporting, vec![MessageKind::Advance]),
        (Phase::Closed, vec![]),
    ] {
        fixture.enter(&run, phase).await;
        answer(&fixture.ports, &Message::for_all(MessageKind::Tick)).await.unwrap();
        assert_eq!(fixture.kinds(), kinds, "{phase:?}");
    }
}

#[tokio::test]
async fn a_long_run_looks_at_the_tenant_each_hour() {
    let fixture = Fixture::new(&["contoso"]).await;
    let tenant = serde_json::json!({
        "v": 1, "delta_at": NOON,
        "tenant": {
            "id": "t1", "domains": {}, "roles": null, "users_complete": true, "deleted_complete": true,
            "groups_complete": true, "contacts_complete": true, "directory_sync": null
        }
    });
    let item = serde_json::from_value(tenant).unwrap();
    fixture.store.put_tenant(&fixture.ports.scope, &item).await.unwrap();
    let run = fixture.opened(SLOT).await;
    fixture.notified();
    fixture.work(&run).await;
    for phase in [Phase::Writing, Phase::Removing] {
        fixture.enter(&run, phase).await;
        fixture.clock.advance(Duration::from_mins(59));
        fixture.tick().await;
        assert_eq!(fixture.kinds(), [MessageKind::Write]);
        fixture.clock.advance(Duration::from_mins(1));
        fixture.tick().await;
        assert_eq!(fixture.kinds(), [MessageKind::Write, MessageKind::ObserveTenant]);
        let looked = hardmatch_store::accounts::TenantItem { delta_at: fixture.now(), ..item.clone() };
        fixture.store.put_tenant(&fixture.ports.scope, &looked).await.unwrap();
    }
    fixture.enter(&run, Phase::Deciding).await;
    fixture.clock.advance(Duration::from_hours(5));
    fixture.tick().await;
    assert_eq!(fixture.kinds(), [MessageKind::Match], "nothing is being written");
}

#[tokio::test]
async fn messages_without_progress_stop_after_three_until_work_moves() {
    let fixture = Fixture::new(&["contoso"]).await;
    let run = fixture.opened(SLOT).await;
    fixture.notified();
    let run = fixture.enter(&run, Phase::Writing).await;
    let people = [1, 2].map(|n| PersonHash::from_bytes([n; 16]));
    let lane = fixture.store.put_pointers(&run.id, LanePhase::Write, 0, 0, &people);
    fixture.store.write_all(lane).await.unwrap();
    let advance = run.message(MessageKind::Advance);
    for expected in [1, 1, 0, 0] {
        answer(&fixture.ports, &advance).await.unwrap();
        assert_eq!(fixture.kinds(), vec![MessageKind::Write; expected]);
    }
    let stuck = fixture.run(&run.id).await;
    assert!(stuck.is_stuck(), "{:?}", stuck.stalled);

    // The tick sends a message all the same, a pass at a time.
    fixture.tick().await;
    assert_eq!(fixture.kinds(), [MessageKind::Write]);
    // Something moves.
    let lane = fixture.store.put_pointers(&run.id, LanePhase::Write, 0, 1, &people[..1]);
    fixture.store.write_all(lane).await.unwrap();
    answer(&fixture.ports, &advance).await.unwrap();
    assert_eq!(fixture.kinds(), [MessageKind::Write]);
    assert!(!fixture.run(&run.id).await.is_stuck());
    // So does a new word of the tenant about when to come again.
    for (token, requeue) in
        [(7, Requeue::Continue), (7, Requeue::Continue), (7, Requeue::GiveUp), (8, Requeue::Continue)]
    {
        assert_eq!(fixture.store.note_progress(&contoso(), &run.id, token, NOON).await.unwrap(), requeue);
    }
}

#[tokio::test]
async fn cut_work_without_progress_is_left_to_the_tick() {
    let fixture = Fixture::new(&["contoso"]).await;
    let run = fixture.opened(SLOT).await;
    let run = fixture.enter(&run, Phase::Gate).await;
    fixture.notified();
    // Two readings of the gate, judged by an earlier message.
    let held = (0..150).map(|n| fixture.store.put_held(&run.id, PersonHash::from_bytes([n; 16])));
    fixture.store.write_all(held.collect()).await.unwrap();
    let judged = serde_json::json!({
        "note": {"released": false, "removals": 150, "before": 0, "links": 10, "sentence": "They wait."},
        "code": "guarded", "after": null, "units": 0, "lane": {}
    });
    fixture
        .store
        .put_note(&hardmatch_store::NoteList::checkpoints(&run.id), "gate#0", judged.to_string().into_bytes())
        .await
        .unwrap();
    let (message, time_is_up) = (
        run.message(MessageKind::Advance),
        MatchPorts { deadline: Some(fixture.clock.now()), ..fixture.ports.clone() },
    );
    fixture.table.drop_checkpoints(true);
    for after in [After::Again(Duration::ZERO), After::Again(Duration::ZERO), After::Done] {
        assert_eq!(answer(&time_is_up, &message).await.unwrap(), after);
    }
    let stuck = fixture.run(&run.id).await;
    assert!(stuck.is_stuck() && stuck.phase == Phase::Gate, "{:?}", stuck.stalled);
    assert!(fixture.notified().is_empty());
    fixture.tick().await;
    assert_eq!(fixture.kinds(), [MessageKind::Advance]);

    // As soon as something stays, the ticks' messages get further, and it goes on by itself.
    fixture.table.drop_checkpoints(false);
    assert_eq!(answer(&time_is_up, &message).await.unwrap(), After::Done, "as far as before, but kept");
    let mut messages = 0;
    while answer(&time_is_up, &message).await.unwrap() != After::Done {
        messages += 1;
    }
    let closed = fixture.run(&run.id).await;
    assert_eq!(
        (closed.phase, closed.stalled, messages),
        (Phase::Closed, None, 2),
        "one more reading, and one more step"
    );
    assert_eq!(closed.guard.map(|guard| guard.removals), Some(150), "judged once");
}
