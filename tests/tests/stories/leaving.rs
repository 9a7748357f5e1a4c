//! Leaving, returning, moving on: what happens to sign-in, names, managers and values, and when.

use std::time::Duration;

use hardmatch_match::Accept;
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::run::{OutcomeKind, Phase, Status};
use hardmatch_sim::{Fault, FaultRule, Place, Seed};
use hardmatch_tests::{CorruptAnswer, KillAt, Stopped, World};
use serde_json::json;

/// Ada, Bea, Cleo and Dora with accounts of ours, under a policy.
async fn four(policy: &str) -> World {
    let mut world = World::with(Seed::contoso(), policy).await;
    world.people.hire("ada").hire("bea").hire("cleo").hire("dora");
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.status(), Some(Status::Converged));
    world.pass_days(1);
    world
}

fn names(calls: &[hardmatch_sim::SeenRequest]) -> Vec<String> {
    calls.iter().map(|call| format!("{} {}", call.method, call.route)).collect()
}

#[tokio::test]
async fn j18_j19_leaving_the_scope_blocks_and_returning_allows_again() {
    let mut world = four("[scope]\ninclude = \"person.department == 'Research'\"").await;
    world.people.set("ada", "department", "Sales");
    let ran = world.sync().await;
    assert_eq!(names(&ran.writes), ["PATCH /users/{id}"]);
    assert_eq!(ran.writes[0].body, Some(json!({ "accountEnabled": false })));
    assert!(!world.account("ada@contoso.com").enabled());
    world.pass_days(3);
    world.people.set("ada", "department", "Research");
    let ran = world.sync().await;
    assert_eq!(ran.decided("ada@contoso.com"), "enable: returned");
    assert!(world.account("ada@contoso.com").enabled());
}

#[tokio::test]
async fn j18_sessions_are_revoked_where_policy_says_so() {
    let mut world = four("[lifecycle]\nrevoke_sessions = true").await;
    world.people.remove("ada");
    let ran = world.sync().await;
    assert_eq!(names(&ran.writes), ["PATCH /users/{id}", "POST /users/{id}/revokeSignInSessions"]);
}

#[tokio::test]
async fn j19_what_an_administrator_blocked_stays_blocked() {
    let mut world = four("").await;
    world.tenant.set_user("ada@contoso.com", json!({ "accountEnabled": false })).unwrap();
    world.people.set("ada", "title", "Lead");
    let ran = world.sync().await;
    assert!(ran.decided("ada@contoso.com").contains("blocked_elsewhere"), "{}", ran.decided("ada@contoso.com"));
    assert!(!world.account("ada@contoso.com").enabled());
    // Leaving and returning makes it no more ours.
    let ada = world.people.remove("ada").unwrap();
    world.sync().await;
    world.people.put_back("ada", ada);
    world.pass_days(1);
    world.sync().await;
    assert!(!world.account("ada@contoso.com").enabled());
}

#[tokio::test]
async fn j19_an_administrator_who_blocks_after_us_owns_the_block() {
    let mut world = four("").await;
    world.people.set("ada", "enabled", "false");
    world.sync().await;
    world.pass_days(1);
    // Allowed and blocked again by hand, each of it seen.
    world.tenant.set_user("ada@contoso.com", json!({ "accountEnabled": true })).unwrap();
    world.set_policy("[lifecycle]\ndisabled = \"ignore\"");
    world.sync_yes().await;
    world.pass_days(1);
    world.tenant.set_user("ada@contoso.com", json!({ "accountEnabled": false })).unwrap();
    world.sync().await;
    world.pass_days(1);
    world.people.set("ada", "enabled", "true");
    world.sync().await;
    assert!(!world.account("ada@contoso.com").enabled(), "the last word was the administrator's");
}

#[tokio::test]
async fn j28_j29_an_expired_password_blocks_and_a_new_one_allows_again() {
    let mut world = four("[lifecycle]\npassword_expired = \"suspend\"").await;
    world.people.set("ada", "passwordExpired", "true");
    let ran = world.sync().await;
    assert_eq!(ran.decided("ada@contoso.com"), "suspend: source_password_expired");
    assert!(!world.account("ada@contoso.com").enabled());
    world.pass_days(1);
    world.people.set("ada", "passwordExpired", "false");
    world.sync().await;
    assert!(world.account("ada@contoso.com").enabled());
}

#[tokio::test]
async fn o19_ignore_leaves_the_account_as_it_is() {
    let mut world = four("[lifecycle]\nabsent = \"ignore\"").await;
    world.people.remove("ada");
    let ran = world.sync().await;
    assert_eq!(ran.decided("ada@contoso.com"), "none: leaving_ignored");
    assert!(ran.writes.is_empty());
}

#[tokio::test]
async fn o19_suspend_blocks_and_keeps() {
    let mut world = four("").await;
    let ada = world.people.remove("ada").unwrap();
    let ran = world.sync().await;
    assert_eq!(ran.decided("ada@contoso.com"), "suspend: source_absent");
    world.pass_days(400);
    assert!(world.sync().await.writes.is_empty());
    assert!(!world.account("ada@contoso.com").deleted());
    world.people.put_back("ada", ada);
    world.sync().await;
    assert!(world.account("ada@contoso.com").enabled());
}

#[tokio::test]
async fn o19_delete_blocks_first_and_deletes_softly_after_the_grace_by_itself() {
    let policy = "[lifecycle]\nabsent = [{ action = \"suspend\" }, { action = \"delete\", after = \"30d\" }]\n[actions]\ndelete = \"on\"";
    let mut world = four(policy).await;
    let id = world.account("ada@contoso.com").id().to_owned();
    let ada = world.people.remove("ada").unwrap();
    let ran = world.sync().await;
    assert!(ran.decided("ada@contoso.com").starts_with("suspend: source_absent"));
    assert_eq!(ran.status(), Some(Status::Converged));
    world.pass_days(29);
    assert!(world.sync().await.writes.is_empty());
    world.pass_days(1);
    let ran = world.sync().await;
    assert_eq!(names(&ran.writes), ["DELETE /users/{id}"], "{}", ran.decided("ada@contoso.com"));
    assert!(world.account("ada@contoso.com").deleted());
    assert!(world.sync().await.writes.is_empty());
    // Back within the recycle bin's time: the same account.
    world.pass_days(10);
    world.people.put_back("ada", ada);
    let ran = world.sync().await;
    let ada = world.account("ada@contoso.com");
    assert_eq!((ada.id(), ada.deleted()), (id.as_str(), false), "{}", ran.decided("ada@contoso.com"));
    world.sync().await;
    assert!(world.account("ada@contoso.com").enabled());
    assert_eq!(world.sync().await.status(), Some(Status::Converged));
}

#[tokio::test]
async fn o19_a_grace_before_the_block_is_kept_and_a_return_within_it_writes_nothing() {
    let mut world = four("[lifecycle]\nabsent = { action = \"suspend\", after = \"7d\" }").await;
    let ada = world.people.remove("ada").unwrap();
    world.people.remove("bea");
    let ran = world.sync().await;
    assert!(ran.decided("ada@contoso.com").contains("in_grace"), "{}", ran.decided("ada@contoso.com"));
    assert!(ran.writes.is_empty());
    world.pass_days(3);
    world.people.put_back("ada", ada);
    assert!(world.sync().await.writes.is_empty());
    world.pass_days(5);
    world.sync().await;
    assert!(world.account("ada@contoso.com").enabled() && !world.account("bea@contoso.com").enabled());
}

#[tokio::test]
async fn o17_a_deletion_waits_for_approval_by_default() {
    let mut world = four("[lifecycle]\nabsent = \"delete\"").await;
    world.people.remove("ada");
    for _ in 0..3 {
        world.sync().await;
        world.pass_days(1);
    }
    assert!(!world.account("ada@contoso.com").deleted());
    world.settle_by_hash().await;
    world.settle_by_hash().await;
    assert!(world.account("ada@contoso.com").deleted());
}

#[tokio::test]
async fn somebody_disabled_before_they_had_an_account_gets_none() {
    let mut world = World::new().await;
    world.people.hire("ada").set("ada", "enabled", "false");
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.decided("ada@contoso.com"), "none: disabled_not_provisioned");
    world.set_policy("[lifecycle]\ncreate_disabled = true");
    world.sync_yes().await;
    assert!(!world.account("ada@contoso.com").enabled());
    world.people.set("ada", "enabled", "true");
    world.sync().await;
    assert!(world.account("ada@contoso.com").enabled(), "created blocked, the blocking is ours");
}

#[tokio::test]
async fn c_38_a_rename_is_one_call_and_the_link_holds() {
    let mut world = four("").await;
    let id = world.account("ada@contoso.com").id().to_owned();
    world.people.rename("ada", "ada.lovelace@contoso.com");
    let ran = world.sync().await;
    assert_eq!(ran.outcome("ada.lovelace@contoso.com"), "done");
    assert_eq!(world.account("ada.lovelace@contoso.com").id(), id);
    assert_eq!(world.accounts().len(), 4);
    assert!(world.sync().await.writes.is_empty());
}

#[tokio::test]
async fn a_name_that_is_given_up_and_taken_in_one_plan_is_written_in_order() {
    let mut world = four("").await;
    let (ada, bea) = (world.account("ada@contoso.com"), world.account("bea@contoso.com"));
    // A chain: cleo → bea → ada → away.
    world
        .people
        .rename("ada", "ada.old@contoso.com")
        .rename("bea", "ada@contoso.com")
        .rename("cleo", "bea@contoso.com");
    let cleo = world.account("cleo@contoso.com");
    world.settle_by_hash().await;
    let ran = world.sync().await;
    assert_eq!(world.account("ada.old@contoso.com").id(), ada.id(), "{:?}", ran.rows);
    assert_eq!(world.account("ada@contoso.com").id(), bea.id());
    assert_eq!(world.account("bea@contoso.com").id(), cleo.id());
    assert_eq!(world.sync().await.status(), Some(Status::Converged));
}

#[tokio::test]
async fn a_newcomer_takes_the_name_that_somebody_gives_up_in_the_same_plan() {
    let mut world = four("").await;
    let old = world.account("ada@contoso.com");
    world.people.rename("ada", "ada.married@contoso.com");
    world.people.hire("ida").rename("ida", "ada@contoso.com");
    for _ in 0..2 {
        world.settle_by_hash().await;
    }
    assert_eq!(world.account("ada.married@contoso.com").id(), old.id());
    let new = world.account("ada@contoso.com");
    assert!(new.id() != old.id() && new.text("displayName") == "Ida Contoso");
    assert_eq!(world.accounts().len(), 5);
}

#[tokio::test]
async fn managers_come_before_their_reports_and_changes_follow() {
    let mut world = World::new().await;
    world.people.hire("boss").hire("ada").hire("bea").hire("cleo");
    world.people.set("ada", "manager", "boss@contoso.com").set("bea", "manager", "ada@contoso.com");
    world.people.set("cleo", "manager", "bea@contoso.com");
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.count(OutcomeKind::Done), 4);
    assert_eq!(ran.writes.len(), 4);
    let manager = |world: &World, name: &str| world.account(&format!("{name}@contoso.com")).text("manager").to_owned();
    assert_eq!(manager(&world, "cleo"), world.account("bea@contoso.com").id());
    world.pass_days(1);
    world.people.set("cleo", "manager", "boss@contoso.com").set("ada", "manager", "");
    let ran = world.sync().await;
    assert_eq!(manager(&world, "cleo"), world.account("boss@contoso.com").id());
    assert_eq!(manager(&world, "ada"), "");
    assert_eq!(
        names(&ran.writes),
        ["PUT /users/{id}/manager/$ref", "DELETE /users/{id}/manager/$ref"],
        "removals last"
    );
    assert!(world.sync().await.writes.is_empty());
}

#[tokio::test]
async fn newcomers_who_manage_one_another_in_a_circle_are_entered_in_the_first_run() {
    for (names, time) in [(["ada", "bea", "cleo"], None), (["cleo", "bea", "ada"], Some(Duration::from_secs(40)))] {
        let mut world = World::new().await;
        for name in names {
            world.people.hire(name);
        }
        for (name, manager) in [("ada", "bea"), ("bea", "cleo"), ("cleo", "ada")] {
            world.people.set(name, "manager", &format!("{manager}@contoso.com"));
        }
        world.time = time;
        let ran = world.settle_by_hash().await;
        assert_eq!((ran.status(), ran.count(OutcomeKind::Done)), (Some(Status::Converged), 3), "{:?}", ran.outcomes);
        for (name, manager) in [("ada", "bea"), ("bea", "cleo"), ("cleo", "ada")] {
            let entered = world.account(&format!("{name}@contoso.com")).text("manager").to_owned();
            assert_eq!(entered, world.account(&format!("{manager}@contoso.com")).id(), "{name}");
        }
        assert_eq!(ran.writes.len(), 4, "{:?}", ran.calls());
        assert_eq!(world.sync().await.writes.len(), 0);
    }
}

#[tokio::test]
async fn a_manager_who_was_refused_at_first_is_set_when_they_get_their_account() {
    let mut world = four("").await;
    world.people.hire("boss").rename("boss", "boss@unverified.contoso.com");
    world.people.set("ada", "manager", "boss@unverified.contoso.com");
    let ran = world.sync().await;
    assert!(ran.decided("ada@contoso.com").contains("waits_for_manager"), "{}", ran.decided("ada@contoso.com"));
    world.pass_days(1);
    // The domain is verified, as far as boss is concerned; nothing about ada changes.
    let row = world.people.get("boss", "objectGUID").to_owned();
    world.people.set("ada", "manager", &row);
    world.sync().await;
    world.people.rename("boss", "boss@contoso.com");
    world.sync().await;
    world.sync().await;
    assert_eq!(world.account("ada@contoso.com").text("manager"), world.account("boss@contoso.com").id());
    assert!(world.sync().await.writes.is_empty());
}

#[tokio::test]
async fn a_tenant_that_takes_no_manager_in_a_creation_is_asked_once() {
    let seed = Seed::contoso().with(|options| options.manager_bind_on_create = hardmatch_sim::Reaction::Refuse);
    let mut world = World::with(seed, "").await;
    world.people.hire("boss");
    for number in 0..6 {
        let name = format!("p{number}");
        world.people.hire(&name).set(&name, "manager", "boss@contoso.com");
    }
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.count(OutcomeKind::Done), 7, "{:?}", ran.outcomes);
    let refused = ran.writes.iter().filter(|call| call.route == "/users" && call.status != 201).count();
    assert_eq!(refused, 1);
    let boss = world.account("boss@contoso.com").id().to_owned();
    assert!((0..6).all(|number| world.account(&format!("p{number}@contoso.com")).text("manager") == boss));
    assert!(world.sync().await.writes.is_empty());
}

#[tokio::test]
async fn a_blanked_value_is_a_removal_and_passes_the_gate() {
    let mut world = World::with(
        Seed::contoso(),
        "[attributes]\ntitle = { from = \"person.jobTitle\", when_empty = \"clear\" }"
            .replace("title =", "jobTitle =")
            .as_str(),
    )
    .await;
    for number in 0..20 {
        world.people.hire(&format!("p{number}"));
    }
    world.settle_by_hash().await;
    world.pass_days(1);
    for number in 0..4 {
        world.people.set(&format!("p{number}"), "title", "");
    }
    let ran = world.sync().await;
    assert_eq!(ran.run.guard.as_ref().map(|guard| (guard.released, guard.removals)), Some((false, 4)));
    assert!(ran.writes.is_empty());
    world.people.set("p3", "title", "Lead");
    world.sync().await;
    let cleared = world.accounts().iter().filter(|account| account.text("jobTitle").is_empty()).count();
    assert_eq!(cleared, 3, "three are always allowed");
}

#[tokio::test]
async fn drift_is_written_back_and_a_value_nobody_maps_is_left_alone() {
    let mut world = four("").await;
    world.tenant.set_user("ada@contoso.com", json!({ "jobTitle": "King", "faxNumber": "123" })).unwrap();
    let ran = world.sync().await;
    assert!(ran.decided("ada@contoso.com").contains("drift"), "{}", ran.decided("ada@contoso.com"));
    let ada = world.account("ada@contoso.com");
    assert_eq!((ada.text("jobTitle"), ada.text("faxNumber")), ("Engineer", "123"));
    assert_eq!(ran.writes.len(), 1);
}

#[tokio::test]
async fn stale_reads_for_a_quarter_of_an_hour_are_not_drift() {
    let mut world = four("").await;
    world.tenant.configure(|options| {
        options.lag.lists_ms = 14 * 60 * 1000;
        options.lag.delta_ms = 14 * 60 * 1000;
    });
    world.people.set("ada", "title", "Lead");
    assert_eq!(world.sync().await.writes.len(), 1);
    for _ in 0..12 {
        // A whole listing from a replica that has not heard of our write.
        world.tenant.reset_delta();
        let ran = world.sync().await;
        assert!(ran.writes.is_empty(), "{}", ran.decided("ada@contoso.com"));
    }
    world.pass(Duration::from_mins(30));
    assert!(world.sync().await.writes.is_empty());
    assert_eq!(world.account("ada@contoso.com").text("jobTitle"), "Lead");
    // What an administrator changes afterwards is drift, however late it is seen.
    world.tenant.set_user("ada@contoso.com", json!({ "jobTitle": "Engineer" })).unwrap();
    world.pass(Duration::from_mins(15));
    assert!(world.sync().await.decided("ada@contoso.com").contains("drift"));
}

#[tokio::test]
async fn j20_an_account_that_an_administrator_purged_is_reported_or_made_anew() {
    for (policy, decided, live) in
        [("", "none: account_deleted", 3), ("[lifecycle]\naccount_deleted = \"recreate\"", "create: provision", 4)]
    {
        let mut world = four(policy).await;
        let lost = world.account("ada@contoso.com").id().to_owned();
        world.tenant.delete_user(&lost).unwrap();
        world.tenant.purge_user(&lost).unwrap();
        world.pass_days(1);
        let ran = world.sync().await;
        assert_eq!(ran.decided("ada@contoso.com"), decided, "{policy}");
        assert_eq!(world.tenant.live_users(), live, "{policy}");
        world.pass_days(1);
        assert_eq!(world.sync().await.writes.len(), 0, "{policy}");
    }
}

#[tokio::test]
async fn c28_a_listing_that_lags_behind_our_deletion_does_not_make_it_somebody_elses() {
    let mut world = four("[lifecycle]\nabsent = \"delete\"\n[actions]\ndelete = \"on\"").await;
    let ada = world.people.remove("ada").expect("she is there");
    world.sync().await;
    assert!(world.account("ada@contoso.com").deleted());
    // Everything is read anew, and both listings are of the time before.
    world.tenant.reset_delta();
    let lagging = || Fault::Stale { ms: 300_000 };
    world.tenant.inject(FaultRule::new("GET /users", lagging()).only(Place::Outer));
    world.tenant.inject(FaultRule::new("GET /directory/deletedItems*", lagging()).only(Place::Outer));
    let ran = world.sync().await;
    assert!(ran.writes.is_empty(), "{:?}", ran.calls());
    world.tenant.clear_faults();
    world.pass_days(1);
    world.sync().await;
    // She is back, and what we deleted is ours to restore.
    world.people.put_back("ada", ada);
    let ran = world.sync().await;
    assert!(ran.decided("ada@contoso.com").starts_with("restore: returned"), "{}", ran.decided("ada@contoso.com"));
    assert!(!world.account("ada@contoso.com").deleted());
    // The other way round: the listings still show her deleted.
    world.tenant.reset_delta();
    world.tenant.inject(FaultRule::new("GET /users", lagging()).only(Place::Outer));
    world.tenant.inject(FaultRule::new("GET /directory/deletedItems*", lagging()).only(Place::Outer));
    let ran = world.sync().await;
    assert!(ran.writes.is_empty(), "{:?}", ran.calls());
    world.tenant.clear_faults();
    world.pass_days(1);
    let ran = world.sync().await;
    assert_eq!((ran.status(), ran.writes.len()), (Some(Status::Converged), 0), "{:?}", ran.calls());
}

/// A run that was killed while it wrote.
async fn killed_while_writing() -> World {
    for at in 1.. {
        let mut world = four("").await;
        world.people.set("ada", "title", "Lead");
        world.cut = Some(KillAt { at, spoil: CorruptAnswer::Lost });
        let ran = world.try_sync(Accept::Nothing).await;
        assert_eq!(ran.err(), Some(Stopped::Killed), "no write is made while the run writes");
        if world.runs().await[0].phase == Phase::Writing {
            return world;
        }
    }
    unreachable!("a run ends")
}

#[tokio::test]
async fn a_run_that_takes_hours_sees_what_changes_meanwhile() {
    let mut world = killed_while_writing().await;
    world.tenant.set_user("bea@contoso.com", json!({ "jobTitle": "Changed by hand" })).unwrap();
    world.tenant.delete_user("cleo@contoso.com").unwrap();
    let title = async |world: &World| {
        let (store, id) = (world.store().await, world.account("bea@contoso.com").id().to_owned());
        let scope = hardmatch_store::TenantKey::new("simulated", hardmatch_sim::CONTOSO_TENANT_ID);
        let account = store.account(&scope, &id.as_str().into()).await.unwrap().unwrap().account;
        account.attributes.filled(hardmatch_domain::attribute::Attr::JobTitle).unwrap_or_default().to_owned()
    };
    let notified = |world: &World| {
        let requests = world.tenant.requests();
        requests.iter().filter(|request| request.route == "/users/delta").count()
    };
    // Within the hour the run goes on with what it saw.
    world.pass(Duration::from_mins(30));
    let observe = [MessageKind::ObserveTenant];
    world.notify_run(&observe).await.unwrap();
    assert_eq!((title(&world).await.as_str(), notified(&world)), ("Engineer", 0));
    world.pass(Duration::from_mins(40));
    world.notify_run(&observe).await.unwrap();
    assert_eq!((title(&world).await.as_str(), notified(&world)), ("Changed by hand", 1));
    let run = world.runs().await.remove(0);
    assert_eq!(run.phase, Phase::Writing, "the run learns nothing of it");
    // Once an hour, however often it is notified.
    world.notify_run(&observe).await.unwrap();
    assert_eq!(notified(&world), 0);
    // The person it concerns is looked at by the next run.
    world.sync().await;
    let ran = world.sync().await;
    assert_eq!(world.account("bea@contoso.com").text("jobTitle"), "Engineer");
    assert_eq!(ran.decided("cleo@contoso.com"), "none: account_deleted");
}
