//! Work that is left over: what a tick notifies, and how often messages are sent again that find nothing moved.

use std::sync::atomic::Ordering;
use std::time::Duration;

use hardmatch_ports::Clock as _;

use super::{
    After, Lab, LanePhase, MatchPorts, Message, MessageKind, NOON, PersonHash, Phase, Requeue, SLOT, Timer, answer,
    contoso,
};

#[tokio::test]
async fn a_tick_takes_what_is_due_and_nothing_else_once() {
    let lab = Lab::new(&["contoso"]).await;
    let c = contoso();
    lab.opened(SLOT).await;
    let [due, older, later] = [1, 2, 3].map(|n| PersonHash::from_bytes([n; 16]));
    lab.store.update_meta(&c, |meta| meta.timers_seen = Some(NOON)).await.unwrap();
    let timers = [(due, 60 * 60), (older, 3 * 24 * 60 * 60), (later, 3 * 24 * 60 * 60 + 1)];
    let writes = timers.map(|(pid, after)| lab.store.put_timer(&c, Timer::Person(pid), NOON + after));
    lab.store.table().batch_write(writes.into()).await.unwrap();
    lab.clock.advance(Duration::from_hours(72));
    for _ in 0..2 {
        lab.tick().await;
        assert_eq!(lab.store.dirty_people(&c).await.unwrap(), [due, older]);
    }
    let left: Vec<Timer> = lab.store.due(&c, NOON, NOON * 2).await.unwrap().into_iter().map(|due| due.timer).collect();
    assert_eq!(left, [Timer::Person(later)]);
}

#[tokio::test]
async fn a_tick_rings_for_what_each_phase_has_left() {
    let lab = Lab::new(&["contoso"]).await;
    let run = lab.opened(SLOT).await;
    lab.notified();
    for phase in [Phase::Deciding, Phase::Writing, Phase::Removing] {
        lab.enter(&run, phase).await;
        lab.tick().await;
        assert_eq!(lab.kinds(), [MessageKind::Advance], "{phase:?} has ended, and nobody said so");
    }
    lab.work(&run).await;
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
        lab.enter(&run, phase).await;
        answer(&lab.ports, &Message::for_all(MessageKind::Tick)).await.unwrap();
        assert_eq!(lab.kinds(), kinds, "{phase:?}");
    }
}

#[tokio::test]
async fn a_run_that_writes_for_hours_looks_at_the_tenant_each_hour() {
    let lab = Lab::new(&["contoso"]).await;
    let tenant = serde_json::json!({
        "v": 1, "delta_at": NOON,
        "tenant": {
            "id": "t1", "domains": {}, "roles": null, "users_complete": true, "deleted_complete": true,
            "groups_complete": true, "contacts_complete": true, "directory_sync": null
        }
    });
    let item = serde_json::from_value(tenant).unwrap();
    lab.store.put_tenant(&lab.ports.scope, &item).await.unwrap();
    let run = lab.opened(SLOT).await;
    lab.notified();
    lab.work(&run).await;
    for phase in [Phase::Writing, Phase::Removing] {
        lab.enter(&run, phase).await;
        lab.clock.advance(Duration::from_mins(59));
        lab.tick().await;
        assert_eq!(lab.kinds(), [MessageKind::Write]);
        lab.clock.advance(Duration::from_mins(1));
        lab.tick().await;
        assert_eq!(lab.kinds(), [MessageKind::Write, MessageKind::ObserveTenant]);
        let looked = hardmatch_store::accounts::TenantItem { delta_at: lab.now(), ..item.clone() };
        lab.store.put_tenant(&lab.ports.scope, &looked).await.unwrap();
    }
    lab.enter(&run, Phase::Deciding).await;
    lab.clock.advance(Duration::from_hours(5));
    lab.tick().await;
    assert_eq!(lab.kinds(), [MessageKind::Match], "nothing is being written");
}

#[tokio::test]
async fn bells_that_find_nothing_moved_stop_after_three_and_a_move_starts_them_again() {
    let lab = Lab::new(&["contoso"]).await;
    let run = lab.opened(SLOT).await;
    lab.notified();
    let run = lab.enter(&run, Phase::Writing).await;
    let people = [1, 2].map(|n| PersonHash::from_bytes([n; 16]));
    let lane = lab.store.put_pointers(&run.id, LanePhase::Write, 0, 0, &people);
    lab.store.table().batch_write(lane).await.unwrap();
    let advance = run.message(MessageKind::Advance);
    for expected in [1, 1, 0, 0] {
        answer(&lab.ports, &advance).await.unwrap();
        assert_eq!(lab.kinds(), vec![MessageKind::Write; expected]);
    }
    let stuck = lab.run(&run.id).await;
    assert!(stuck.is_stuck(), "{:?}", stuck.stalled);

    // The tick sends a message all the same, a pass at a time.
    lab.tick().await;
    assert_eq!(lab.kinds(), [MessageKind::Write]);
    // Something moves.
    let lane = lab.store.put_pointers(&run.id, LanePhase::Write, 0, 1, &people[..1]);
    lab.store.table().batch_write(lane).await.unwrap();
    answer(&lab.ports, &advance).await.unwrap();
    assert_eq!(lab.kinds(), [MessageKind::Write]);
    assert!(!lab.run(&run.id).await.is_stuck());
    // So does a new word of the tenant about when to come again.
    for (news, hop) in [(7, Requeue::Continue), (7, Requeue::Continue), (7, Requeue::GiveUp), (8, Requeue::Continue)] {
        assert_eq!(lab.store.note_progress(&contoso(), &run.id, news, NOON).await.unwrap(), hop);
    }
}

#[tokio::test]
async fn work_that_is_cut_and_gets_no_further_is_left_to_the_tick_after_three_bells() {
    let lab = Lab::new(&["contoso"]).await;
    let run = lab.opened(SLOT).await;
    let run = lab.enter(&run, Phase::Gate).await;
    lab.notified();
    // Two readings of the gate, judged by an earlier message.
    let held = (0..150).map(|n| lab.store.put_held(&run.id, PersonHash::from_bytes([n; 16])));
    lab.store.table().batch_write(held.collect()).await.unwrap();
    let judged = serde_json::json!({
        "note": {"released": false, "removals": 150, "before": 0, "links": 10, "sentence": "They wait."},
        "code": "guarded", "after": null, "units": 0, "lane": {}
    });
    lab.store.put_note(&format!("{}#place", run.id), "gate#0", judged.to_string().into_bytes()).await.unwrap();
    let (message, time_is_up) =
        (run.message(MessageKind::Advance), MatchPorts { deadline: Some(lab.clock.now()), ..lab.ports.clone() });
    lab.table.1.store(true, Ordering::SeqCst);
    for after in [After::Again(Duration::ZERO), After::Again(Duration::ZERO), After::Done] {
        assert_eq!(answer(&time_is_up, &message).await.unwrap(), after);
    }
    let stuck = lab.run(&run.id).await;
    assert!(stuck.is_stuck() && stuck.phase == Phase::Gate, "{:?}", stuck.stalled);
    assert!(lab.notified().is_empty());
    lab.tick().await;
    assert_eq!(lab.kinds(), [MessageKind::Advance]);

    // As soon as something stays, the ticks' messages get further, and it goes on by itself.
    lab.table.1.store(false, Ordering::SeqCst);
    assert_eq!(answer(&time_is_up, &message).await.unwrap(), After::Done, "as far as before, but kept");
    let mut messages = 0;
    while answer(&time_is_up, &message).await.unwrap() != After::Done {
        messages += 1;
    }
    let closed = lab.run(&run.id).await;
    assert_eq!(
        (closed.phase, closed.stalled, messages),
        (Phase::Closed, None, 2),
        "one more reading, and one more step"
    );
    assert_eq!(closed.guard.map(|guard| guard.removals), Some(150), "judged once");
}
