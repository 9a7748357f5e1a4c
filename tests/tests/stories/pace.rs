//! What the service says of one person is that person's; what it says of everybody is the lane's.

use std::collections::BTreeMap;
use std::time::Duration;

use hardmatch_ports::Clock as _;
use hardmatch_ports::run::{OutcomeKind, Status};
use hardmatch_sim::{Fault, FaultRule, Place, Seed, SeenRequest};
use hardmatch_tests::World;

const UPDATE: &str = "/users/{id}";

/// So many people with accounts, and a new title for each.
async fn retitled(people: usize) -> World {
    let mut world = World::with(Seed::contoso(), "[guard]\nalways_allow = 1000").await;
    for number in 0..people {
        world.people.hire(&format!("p{number:03}"));
    }
    let hash = world.plan().await.hash();
    world.apply(&hash).await;
    world.pass_days(1);
    for number in 0..people {
        world.people.set(&format!("p{number:03}"), "title", "Lead");
    }
    world
}

fn put_off(seconds: &str) -> Fault {
    Fault::Status {
        status: 503,
        code: Some("serviceNotAvailable".to_owned()),
        message: None,
        retry_after: Some(seconds.to_owned()),
        applied: false,
    }
}

fn updates(world: &World) -> Vec<SeenRequest> {
    world.tenant.requests().into_iter().filter(|request| request.route == UPDATE).collect()
}

/// Milliseconds from the first to the last.
fn span(requests: &[SeenRequest]) -> i64 {
    let at = requests.iter().map(|request| request.at);
    at.clone().max().unwrap_or(0) - at.min().unwrap_or(0)
}

/// When each person was answered 503, and how many were asked for again before the time that was stated.
fn put_off_people(updates: &[SeenRequest], stated_ms: i64) -> (BTreeMap<String, Vec<i64>>, usize) {
    let mut struck: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let mut early = 0;
    for request in updates {
        let times = struck.entry(request.target.clone().unwrap_or_default()).or_default();
        early += times.iter().filter(|at| request.at - **at < stated_ms).count();
        if request.status == 503 {
            times.push(request.at);
        }
    }
    (struck, early)
}

const STATED_MS: i64 = 2_000;

#[tokio::test]
async fn a_503_delays_its_person_and_not_the_lane() {
    let mut world = retitled(400).await;
    world.tenant.inject(FaultRule::new("PATCH /users/{id}", put_off("2")).with_probability(0.05).only(Place::Inner));
    let ran = world.sync().await;
    assert_eq!((ran.count(OutcomeKind::Done), ran.status()), (400, Some(Status::Converged)), "{:?}", ran.run.outcomes);
    let updates = updates(&world);
    let (struck, early) = put_off_people(&updates, STATED_MS);
    assert_eq!(early, 0, "nobody is asked for again before their time");
    let often = struck.values().map(Vec::len).max().unwrap_or(0);
    assert!(often > 0 && struck.values().filter(|times| !times.is_empty()).count() > 10, "the fault struck {often}");
    // The person who was put off most often waits that often; everybody's quota suffices for the rest at once.
    let waits: i64 = (0..often).map(|nth| STATED_MS.max(1_000 << nth) + 10).sum();
    assert!(span(&updates) <= waits, "{} ms for {often} waits", span(&updates));
}

#[tokio::test]
async fn a_storm_of_503_lost_and_truncated_answers_lasts_as_long_as_its_unluckiest_person_waits() {
    let mut world = retitled(400).await;
    let update = |fault| FaultRule::new("PATCH /users/{id}", fault).with_probability(0.05).only(Place::Inner);
    world.tenant.inject(update(put_off("2")));
    world.tenant.inject(update(Fault::DroppedAfter));
    world.tenant.inject(FaultRule::new("POST /$batch", Fault::Truncated).with_probability(0.05).only(Place::Outer));
    let ran = world.sync().await;
    assert_eq!((ran.count(OutcomeKind::Done), ran.status()), (400, Some(Status::Converged)), "{:?}", ran.run.outcomes);
    let updates = updates(&world);
    // Whether somebody is asked for again too early is told by the storm of 503 alone: here an answer that put somebody off
    // may be lost with its batch, and who never heard of a wait does not keep it.
    let (struck, _) = put_off_people(&updates, STATED_MS);
    let struck = struck.values().filter(|times| !times.is_empty()).count();
    assert!(struck > 10, "{struck} put off");
    let mut of_each: BTreeMap<&str, Vec<SeenRequest>> = BTreeMap::new();
    for request in &updates {
        of_each.entry(request.target.as_deref().unwrap_or_default()).or_default().push(request.clone());
    }
    let longest = of_each.values().map(|theirs| span(theirs)).max().unwrap_or(0);
    eprintln!("{} ms in all, {longest} ms for the person who was put off most", span(&updates));
    // Four hundred writes are within the quota at once, so its ideal is no time at all.
    assert!(span(&updates) <= longest + longest / 10 + 1_000, "{} ms, {longest} ms", span(&updates));
}

#[tokio::test]
async fn a_person_who_is_put_off_for_years_is_left_to_the_next_run() {
    let mut world = retitled(6).await;
    let unlucky = world.account("p003@contoso.com").id().to_owned();
    let route = format!("PATCH /users/{unlucky}");
    world.tenant.inject(FaultRule::new(&route, put_off("1000000000")));
    let began = world.clock.now();
    let ran = world.sync().await;
    let told = (ran.count(OutcomeKind::Done), ran.outcome("p003@contoso.com"), ran.status());
    assert_eq!(told, (5, "unavailable: unavailable".to_owned(), Some(Status::Attention)), "{:?}", ran.outcomes);
    assert!(world.clock.now().duration_since(began) < jiff::SignedDuration::from_mins(5));
    world.tenant.clear_faults();
    world.pass_days(1);
    assert_eq!(world.sync().await.count(OutcomeKind::Done), 1);
}

#[tokio::test]
async fn a_service_that_fails_everybody_is_not_hammered() {
    let mut world = retitled(200).await;
    let fault = Fault::Status { status: 503, code: None, message: None, retry_after: None, applied: false };
    world.tenant.inject(FaultRule::new("PATCH /users/{id}", fault).times(400));
    let ran = world.sync().await;
    assert!(ran.count(OutcomeKind::Done) > 100, "{:?}", ran.run.outcomes);
    let updates = updates(&world);
    let first = updates.first().map_or(0, |request| request.at);
    let at_once = updates.iter().filter(|request| request.at - first < 500).count();
    assert!(at_once <= 200, "{at_once} updates before the lane rests");
    world.tenant.clear_faults();
    world.pass(Duration::from_hours(1));
    world.sync().await;
    assert_eq!(world.accounts().iter().filter(|account| account.text("jobTitle") == "Lead").count(), 200);
}

#[tokio::test]
async fn a_tenant_that_asks_to_wait_for_years_ends_the_run_with_nothing_removed() {
    let mut world = retitled(6).await;
    world.people.remove("p001");
    let throttled = Fault::Throttled { retry_after: Some("1000000000".to_owned()) };
    world.tenant.inject(FaultRule::new("GET /users/delta*", throttled).times(1));
    let ran = world.sync().await;
    assert_eq!((ran.status(), ran.writes.len()), (Some(Status::Incomplete), 0), "{:?}", ran.run.problems);
    let told = ran.run.problems.iter().any(|problem| problem.contains("/users/delta") && problem.contains("86400 s"));
    assert!(told, "{:?}", ran.run.problems);
}
