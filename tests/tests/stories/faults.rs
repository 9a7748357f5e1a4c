//! What the network, the tenant, the queues and the machine may do to a run, and the one end it comes to.

use std::time::Duration;

use hardmatch_embedded::doorbell::Faults;
use hardmatch_match::Accept;
use hardmatch_ports::run::{OutcomeKind, Status};
use hardmatch_sim::{CONTOSO_CLIENT_ID, Fault, FaultRule, Place, Seed};
use hardmatch_tests::{CorruptAnswer, KillAt, Stopped, World, invariants};
use serde_json::json;

/// Six people, nobody of them with an account; the plan is made.
async fn planned(policy: &str) -> (World, String) {
    let mut world = World::with(Seed::contoso(), policy).await;
    for name in ["ada", "bea", "cleo", "dora", "emma", "fay"] {
        world.people.hire(name);
    }
    for name in ["bea", "cleo", "dora"] {
        world.people.set(name, "manager", "ada@contoso.com");
    }
    let hash = world.plan().await.hash();
    (world, hash)
}

fn status(status: u16) -> Fault {
    Fault::Status { status, code: None, message: None, retry_after: None, applied: false }
}

/// Everybody has exactly one account, their manager, and the next run writes nothing.
async fn is_settled(world: &mut World) {
    world.tenant.clear_faults();
    let mut last = world.sync().await;
    for _ in 0..3 {
        if last.writes.is_empty() && last.status() == Some(Status::Converged) {
            break;
        }
        world.pass(Duration::from_hours(1));
        last = world.sync().await;
    }
    assert_eq!((last.status(), last.writes.len()), (Some(Status::Converged), 0), "{:?} {:?}", last.rows, last.outcomes);
    assert_eq!(world.accounts().len(), 6);
    assert_eq!(invariants::twice(&world.accounts()), Vec::<String>::new());
    let boss = world.account("ada@contoso.com").id().to_owned();
    for name in ["bea", "cleo", "dora"] {
        assert_eq!(world.account(&format!("{name}@contoso.com")).text("manager"), boss, "{name}");
    }
}

#[tokio::test]
async fn a_lost_answer_of_a_creation_leads_to_exactly_one_account() {
    for place in [Place::Inner, Place::Outer] {
        let (mut world, hash) = planned("").await;
        let route = if place == Place::Inner { "POST /users" } else { "POST /$batch" };
        world.tenant.inject(FaultRule::new(route, Fault::DroppedAfter).times(3).only(place));
        let ran = world.apply(&hash).await;
        assert_eq!(ran.count(OutcomeKind::Done), 6, "{place:?}: {:?}", ran.outcomes);
        is_settled(&mut world).await;
    }
}

#[tokio::test]
async fn a_creation_that_never_arrived_is_sent_again() {
    for fault in [Fault::Dropped, status(502), status(503), status(504), Fault::Truncated] {
        let (mut world, hash) = planned("").await;
        world.tenant.inject(FaultRule::new("POST /*", fault).times(3));
        let ran = world.apply(&hash).await;
        assert_eq!(ran.count(OutcomeKind::Done), 6, "{:?}", ran.outcomes);
        is_settled(&mut world).await;
    }
}

#[tokio::test]
async fn a_lost_answer_of_every_kind_of_write_is_found_out() {
    let policy = "[lifecycle]\nabsent = \"delete\"\nrevoke_sessions = true\n[actions]\ndelete = \"on\"\n[guard]\nalways_allow = 100";
    let (mut world, hash) = planned(policy).await;
    world.apply(&hash).await;
    world.pass_days(1);
    let lost = |route: &str| FaultRule::new(route, Fault::DroppedAfter).times(1).only(Place::Inner);
    for route in ["PATCH /users/{id}", "PUT /users/{id}/manager/$ref", "DELETE /users/{id}", "POST /users/{id}/*"] {
        world.tenant.inject(lost(route));
    }
    world
        .people
        .set("bea", "title", "Lead")
        .set("cleo", "manager", "emma@contoso.com")
        .rename("fay", "fey@contoso.com");
    let emma = world.people.remove("emma").unwrap();
    world.people.put_back("emma", emma);
    world.people.remove("dora");
    for _ in 0..3 {
        world.sync().await;
        world.pass(Duration::from_mins(1));
    }
    assert_eq!(world.account("bea@contoso.com").text("jobTitle"), "Lead");
    assert_eq!(world.account("cleo@contoso.com").text("manager"), world.account("emma@contoso.com").id());
    assert_eq!(world.account("fey@contoso.com").text("displayName"), "Fay Contoso");
    assert!(world.account("dora@contoso.com").deleted());
    assert!(world.sync().await.writes.is_empty());
}

#[tokio::test]
async fn whom_the_tenant_fails_for_ever_is_told_of_and_takes_nobody_along() {
    let (mut world, hash) = planned("").await;
    world.apply(&hash).await;
    world.pass_days(1);
    let ada = world.account("ada@contoso.com").id().to_owned();
    for name in ["ada", "bea", "cleo"] {
        world.people.set(name, "title", "Lead");
    }
    let route = "PATCH /users/{id}";
    for (fault, others) in [(status(500), 2), (status(503), 0), (Fault::Dropped, 0)] {
        world.tenant.take_counters();
        world.tenant.inject(FaultRule::new(&format!("PATCH /users/{ada}"), fault));
        let ran = world.sync().await;
        let told = (ran.status(), ran.outcome("ada@contoso.com"), ran.count(OutcomeKind::Done));
        assert_eq!(
            told,
            (Some(Status::Attention), "unavailable: unavailable".to_owned(), others),
            "{:?}",
            ran.outcomes
        );
        // Sent some times with longer and longer rests, then left to the next run; each rest is a message.
        let sent = world.tenant.counters().requests[route] - others as u64;
        assert!((3..=8).contains(&sent), "sent {sent} times");
        assert!(ran.messages <= 20, "{} messages", ran.messages);
        world.tenant.clear_faults();
        world.pass_days(1);
    }
    is_settled(&mut world).await;
    assert_eq!(world.account("ada@contoso.com").text("jobTitle"), "Lead");
}

#[tokio::test]
async fn creations_that_the_tenant_fails_for_ever_are_left_to_the_next_run() {
    let (mut world, hash) = planned("").await;
    world.tenant.inject(FaultRule::new("POST /users", status(500)));
    let ran = world.apply(&hash).await;
    assert_eq!((ran.status(), ran.count(OutcomeKind::Unavailable)), (Some(Status::Attention), 6), "{:?}", ran.outcomes);
    let sent = world.tenant.counters().requests["POST /users"];
    assert!((6..=6 * 8).contains(&sent), "sent {sent} times");
    is_settled(&mut world).await;
}

#[tokio::test]
async fn c_13_a_token_that_expires_in_the_middle_is_renewed() {
    let (mut world, hash) = planned("").await;
    for call in [3, 12] {
        world.tenant.inject(FaultRule::once("*", Fault::TokenExpired).from_call(call));
    }
    let before = world.tenant.counters().tokens_issued;
    let ran = world.apply(&hash).await;
    assert_eq!(ran.count(OutcomeKind::Done), 6, "{:?}", ran.outcomes);
    assert!(world.tenant.counters().tokens_issued - before >= 2);
    is_settled(&mut world).await;
}

#[tokio::test]
async fn short_lived_tokens_are_renewed_before_they_end() {
    let (mut world, hash) = planned("").await;
    world.tenant.configure(|options| options.token_seconds = 400);
    world.tenant.inject(FaultRule::new("*", Fault::Throttled { retry_after: Some("200".to_owned()) }).times(4));
    let ran = world.apply(&hash).await;
    assert_eq!(ran.count(OutcomeKind::Done), 6);
    assert!(world.tenant.requests().iter().all(|request| request.status != 401));
    is_settled(&mut world).await;
}

#[tokio::test]
async fn c_11_storms_of_throttling_are_waited_out_to_the_second() {
    for retry_after in [Some("10"), Some("2.128"), Some("date:30"), None] {
        let (mut world, hash) = planned("").await;
        let fault = Fault::Throttled { retry_after: retry_after.map(str::to_owned) };
        world.tenant.inject(FaultRule::new("*", fault).with_probability(0.4).times(25));
        let ran = world.apply(&hash).await;
        assert_eq!(ran.count(OutcomeKind::Done), 6, "{:?}", ran.outcomes);
        is_settled(&mut world).await;
        assert_eq!(world.tenant.counters().early_calls, 0, "{retry_after:?}");
        assert!(world.tenant.counters().throttled > 0);
    }
}

#[tokio::test]
async fn a_small_quota_is_kept_to() {
    let mut world = World::with(
        Seed::contoso().with(|options| {
            options.throttle.writes = 30;
            options.throttle.writes_seconds = 60;
        }),
        "",
    )
    .await;
    for number in 0..90 {
        world.people.hire(&format!("p{number:02}"));
    }
    let hash = world.plan().await.hash();
    let ran = world.apply(&hash).await;
    assert_eq!(ran.count(OutcomeKind::Done), 90, "{:?}", ran.run.outcomes);
    assert_eq!(world.accounts().len(), 90);
    // The hands that were under way when the first of them was told to wait, and none after them.
    assert!(world.tenant.counters().early_calls < 8, "{}", world.tenant.counters().early_calls);
}

#[tokio::test]
async fn c_36_a_lost_delta_token_reads_everything_again_and_removes_nobody() {
    let (mut world, hash) = planned("").await;
    world.apply(&hash).await;
    world.pass_days(1);
    world.tenant.reset_delta();
    let ran = world.sync().await;
    assert_eq!((ran.status(), ran.writes.len()), (Some(Status::Converged), 0), "{:?}", ran.run.problems);
    world.pass_days(9);
    assert!(world.sync().await.writes.is_empty(), "the token outlived its seven days");
    world.tenant.inject(FaultRule::once("GET /users/delta*", Fault::Gone));
    assert!(world.sync().await.writes.is_empty());
    is_settled(&mut world).await;
}

#[tokio::test]
async fn c_2_a_tenant_that_cannot_be_read_decides_nobody() {
    let (mut world, hash) = planned("").await;
    world.apply(&hash).await;
    world.people.remove("ada");
    world.people.hire("gwen");
    world.tenant.change_app(CONTOSO_CLIENT_ID, |app| app.roles.retain(|role| !role.starts_with("User."))).unwrap();
    let ran = world.sync().await;
    assert_eq!((ran.status(), ran.writes.len(), ran.rows.len()), (Some(Status::Incomplete), 0, 0));
    assert!(ran.run.problems.iter().any(|problem| problem.contains("request")), "{:?}", ran.run.problems);
}

#[tokio::test]
async fn a_secret_that_expired_writes_nothing_and_says_so() {
    let (mut world, hash) = planned("").await;
    world.tenant.change_app(CONTOSO_CLIENT_ID, |app| app.secret_expired = true).unwrap();
    let ran = world.try_apply(&hash).await;
    match ran {
        Ok(ran) => assert_eq!((ran.status(), ran.writes.len()), (Some(Status::Incomplete), 0)),
        Err(stopped) => assert!(matches!(stopped, Stopped::Failed(_))),
    }
    assert!(world.accounts().is_empty());
    world.tenant.change_app(CONTOSO_CLIENT_ID, |app| app.secret_expired = false).unwrap();
    world.apply(&hash).await;
    is_settled(&mut world).await;
}

#[tokio::test]
async fn lost_doubled_and_disordered_messages_change_nothing() {
    for (lose, duplicate, reorder) in [(60, 0, 0), (0, 80, 0), (0, 50, 90), (40, 40, 40)] {
        for at_once in [1, 3] {
            let (mut world, hash) = planned("").await;
            world.at_once = at_once;
            world.habits.faults = Faults { seed: 11, lose, duplicate, reorder };
            let ran = world.apply(&hash).await;
            assert_eq!(ran.count(OutcomeKind::Done), 6, "{lose} {duplicate} {reorder}: {:?}", ran.outcomes);
            assert_eq!(ran.writes.len(), 6);
            is_settled(&mut world).await;
        }
    }
}

/// Does the same until nobody is killed any more.
async fn again_and_again(world: &mut World, hash: &str) {
    for _ in 0..4 {
        let ended = world.try_apply(hash).await.map(drop);
        assert!(!matches!(ended, Err(Stopped::Failed(_))), "{ended:?}");
        if ended.is_ok() {
            return;
        }
    }
}

#[tokio::test]
async fn d19_a_process_killed_at_each_write_goes_on_where_it_was() {
    let (mut world, hash) = planned("").await;
    let writes = world.apply(&hash).await.table_writes;
    assert!(writes > 10);
    for at in 1..=writes {
        for spoil in [CorruptAnswer::Lost, CorruptAnswer::Done] {
            let (mut world, hash) = planned("").await;
            world.cut = Some(KillAt { at, spoil });
            again_and_again(&mut world, &hash).await;
            is_settled(&mut world).await;
            let created = world.tenant.counters().requests.get("POST /users").copied().unwrap_or(0);
            assert!(created <= 12, "killed at write {at} ({spoil:?}): {created} creations sent");
        }
    }
}

#[tokio::test]
async fn a_sync_killed_at_each_write_removes_only_who_left() {
    let policy = "[lifecycle]\nabsent = \"delete\"\n[actions]\ndelete = \"on\"\n[guard]\nalways_allow = 100";
    let mut at = 1;
    loop {
        let (mut world, hash) = planned(policy).await;
        world.apply(&hash).await;
        world.pass_days(1);
        world.people.remove("fay");
        world.people.rename("emma", "emmy@contoso.com").set("bea", "title", "Lead");
        world.people.hire("gwen").set("gwen", "manager", "emmy@contoso.com");
        world.cut = Some(KillAt { at, spoil: if at % 2 == 0 { CorruptAnswer::Lost } else { CorruptAnswer::Done } });
        let cut = world.try_sync(Accept::Nothing).await;
        for _ in 0..4 {
            world.sync().await;
        }
        let ran = world.sync().await;
        assert_eq!(
            (ran.status(), ran.writes.len()),
            (Some(Status::Converged), 0),
            "killed at write {at}: {:?}",
            ran.rows
        );
        assert!(world.account("fay@contoso.com").deleted(), "killed at write {at}");
        let live = world.accounts().iter().filter(|account| !account.deleted() && account.enabled()).count();
        assert_eq!((live, world.accounts().len()), (6, 7), "killed at write {at}");
        assert_eq!(world.account("gwen@contoso.com").text("manager"), world.account("emmy@contoso.com").id());
        if cut.is_ok() {
            break;
        }
        at += 3;
    }
    assert!(at > 30);
}

#[tokio::test]
async fn c_28_replicas_that_lag_lead_to_no_second_account() {
    let (mut world, hash) = planned("").await;
    world.tenant.configure(|options| {
        options.lag.reads_ms = 20_000;
        options.lag.lists_ms = 40_000;
        options.lag.delta_ms = 60_000;
        options.lag.writes_ms = 5_000;
        options.lag.replicas = 3;
    });
    world.tenant.inject(FaultRule::new("POST /users", Fault::DroppedAfter).times(2).only(Place::Inner));
    world.apply(&hash).await;
    world.pass(Duration::from_mins(5));
    is_settled(&mut world).await;
}

#[tokio::test]
async fn c_28_an_account_that_a_lost_call_made_is_found_by_the_same_run_when_replicas_show_it() {
    let (mut world, hash) = planned("").await;
    world.tenant.configure(|options| {
        options.lag.reads_ms = 20_000;
        options.lag.lists_ms = 20_000;
    });
    world.tenant.inject(FaultRule::new("POST /users", Fault::DroppedAfter).times(4).only(Place::Inner));
    let ran = world.apply(&hash).await;
    assert_eq!(ran.count(OutcomeKind::Done), 6, "{:?}", ran.outcomes);
    world.pass(Duration::from_mins(5));
    is_settled(&mut world).await;
}

#[tokio::test]
async fn an_administrator_at_work_at_the_same_time_is_not_overwritten_unseen() {
    let (mut world, hash) = planned("").await;
    world.apply(&hash).await;
    world.pass_days(1);
    world.people.remove("fay");
    let hash = world.plan().await.hash();
    // Fay's account was given to somebody: another anchor.
    world.tenant.set_user("fay@contoso.com", json!({ "onPremisesImmutableId": "c29tZWJvZHkgZWxzZSBoZQ==" })).unwrap();
    let ran = world.apply(&hash).await;
    assert_eq!(ran.outcome("fay@contoso.com"), "facts_moved: facts_moved");
    assert!(world.account("fay@contoso.com").enabled() && ran.writes.is_empty());
}

#[tokio::test]
async fn functions_that_are_ended_after_every_step_come_to_the_same_end() {
    let policy = "[guard]\nalways_allow = 100";
    let mut ends = Vec::new();
    for time in [None, Some(Duration::ZERO)] {
        let (mut world, hash) = planned(policy).await;
        world.time = time;
        let made = world.apply(&hash).await;
        world.pass_days(1);
        world.people.set("bea", "title", "Lead").hire("gina");
        world.people.remove("fay");
        let changed = world.sync().await;
        // A look at the whole tenant, and at everybody.
        world.pass_days(8);
        let looked = world.plan_everybody().await;
        assert!(looked.rows.iter().all(|row| row.decision.change.is_none()), "{:?}", looked.rows);
        let mut accounts: Vec<_> = world
            .accounts()
            .iter()
            .map(|seen| {
                ["userPrincipalName", "jobTitle", "accountEnabled"].map(|property| seen.text(property).to_owned())
            })
            .collect();
        accounts.sort();
        let messages = [made.messages, changed.messages, looked.messages];
        ends.push((accounts, made.writes.len() + changed.writes.len(), messages));
    }
    let (whole, cut) = (&ends[0], &ends[1]);
    assert_eq!(whole.0, cut.0);
    assert_eq!(whole.1, cut.1, "nothing is written twice");
    for (whole, cut) in whole.2.iter().zip(&cut.2) {
        assert!(cut > whole && *cut <= whole + 30, "{cut} messages instead of {whole}");
    }
}
