//! What is known of the tenant and of the source, and what is never concluded from what was not read.

use std::time::Duration;

use hardmatch_domain::facts::By;
use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::run::{OutcomeKind, ReadMode, Status, Stop};
use hardmatch_ports::table::Units;
use hardmatch_sim::{CONTOSO_TENANT_ID, DomainType, Fault, FaultRule, Place, Seed, SeedDomain, SeenRequest};
use hardmatch_store::TenantKey;
use hardmatch_tests::{Directory, Ran, World, by_hand, guid, immutable_id};
use serde_json::json;

const ADA: &str = "ada@contoso.com";

/// People with accounts that hardmatch made: the only full reading was before them.
async fn ours(people: usize, policy: &str) -> World {
    let mut world = World::with(Seed::contoso(), policy).await;
    for name in ["ada", "bea", "cleo", "dora"] {
        world.people.hire(name);
    }
    for number in 4..people {
        world.people.hire(&format!("p{number}"));
    }
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.status(), Some(Status::Converged));
    world.pass_days(1);
    world
}

fn scope() -> TenantKey {
    TenantKey::new("simulated", CONTOSO_TENANT_ID)
}

/// Whether an administrator's deletion for good was seen by nobody who asks for changes.
fn purge(world: &World, upn: &str) -> ObjectId {
    let id = world.account(upn).id().to_owned();
    world.tenant.delete_user(&id).unwrap();
    world.tenant.purge_user(&id).unwrap();
    ObjectId::new(id)
}

/// Routes that the last command asked for, but for writes.
fn asked(world: &World, route: &str) -> usize {
    let is = |request: &&SeenRequest| request.route == route && request.method == "GET";
    world.tenant.requests().iter().filter(is).count()
}

/// Whether the mirror knows an account, live or deleted.
async fn is_known(world: &World, id: &ObjectId) -> bool {
    world.store().await.account(&scope(), id).await.unwrap().is_some()
}

#[tokio::test]
async fn j20_an_account_of_ours_that_was_purged_while_the_cursor_was_lost_is_reported_or_made_anew() {
    for (policy, decided, live) in
        [("", "none: account_deleted", 3), ("[lifecycle]\naccount_deleted = \"recreate\"", "create: provision", 4)]
    {
        let mut world = ours(4, policy).await;
        let lost = purge(&world, ADA);
        world.tenant.reset_delta();
        let ran = world.sync().await;
        assert_eq!(ran.decided(ADA), "none: account_unseen", "{policy}: one look is not enough");
        assert_ne!(ran.status(), Some(Status::Converged), "{policy}");
        assert!(ran.writes.is_empty() && is_known(&world, &lost).await, "{policy}: nothing is free yet");
        // Within five minutes nobody is asked again; then changes are followed, and the second look is taken.
        let ran = world.sync().await;
        assert_eq!((ran.decided(ADA).as_str(), asked(&world, "/users/{id}")), ("none: account_unseen", 0), "{policy}");
        world.pass(Duration::from_mins(5));
        let ran = world.sync().await;
        assert_eq!(ran.decided(ADA), decided, "{policy}");
        assert_eq!((asked(&world, "/users"), asked(&world, "/users/{id}")), (0, 1), "{policy}: no whole listing");
        assert!(!is_known(&world, &lost).await, "{policy}");
        assert_eq!(world.tenant.live_users(), live, "{policy}");
        world.pass_days(1);
        let ran = world.sync().await;
        assert_eq!((ran.writes.len(), asked(&world, "/users/{id}")), (0, 0), "{policy}: it is settled");
    }
}

#[tokio::test]
async fn j20_a_leaver_whose_account_was_purged_while_the_cursor_was_lost_is_settled() {
    let mut world = ours(4, "[lifecycle]\nabsent = { action = \"suspend\", after = \"7d\" }").await;
    world.people.remove("ada");
    world.sync().await;
    purge(&world, ADA);
    world.tenant.reset_delta();
    world.pass_days(8);
    let ran = world.sync().await;
    assert_eq!(ran.decided(ADA), "none: account_unseen", "nothing is sent to an account that is nowhere");
    assert!(ran.writes.is_empty());
    world.pass_days(1);
    assert_eq!(world.sync().await.decided(ADA), "none: left_settled");
    world.pass_days(1);
    assert_eq!(world.sync().await.status(), Some(Status::Converged));
}

#[tokio::test]
async fn an_account_that_is_found_at_the_second_look_is_as_before() {
    let mut world = ours(4, "").await;
    world.tenant.reset_delta();
    // The listing is of the time before the account, and so is the answer to a question by id.
    let long_ago = Fault::Stale { ms: 2 * 24 * 60 * 60 * 1000 };
    for route in ["GET /users", "GET /users/{id}", "GET /directory/deletedItems/{id}"] {
        world.tenant.inject(FaultRule::new(route, long_ago.clone()).only(Place::Outer));
    }
    let ran = world.sync().await;
    assert_eq!(ran.decided(ADA), "none: account_unseen");
    assert!(ran.writes.is_empty());
    world.tenant.clear_faults();
    world.people.set("ada", "title", "Lead");
    world.pass_days(1);
    let ran = world.sync().await;
    assert_eq!((ran.outcome(ADA).as_str(), ran.writes.len()), ("done", 1), "{}", ran.decided(ADA));
    assert_eq!(ran.status(), Some(Status::Converged));
    // Lost once more, it is looked for twice once more.
    world.pass_days(1);
    purge(&world, ADA);
    world.tenant.reset_delta();
    assert_eq!(world.sync().await.decided(ADA), "none: account_unseen");
}

#[tokio::test]
async fn an_account_that_a_lagging_listing_does_not_show_is_asked_for_and_is_there() {
    let mut world = ours(4, "").await;
    world.tenant.reset_delta();
    let long_ago = Fault::Stale { ms: 2 * 24 * 60 * 60 * 1000 };
    world.tenant.inject(FaultRule::new("GET /users", long_ago).only(Place::Outer));
    let ran = world.sync().await;
    assert_eq!((ran.status(), ran.writes.len()), (Some(Status::Converged), 0), "{}", ran.decided(ADA));
    assert_eq!(asked(&world, "/users/{id}"), 4);
    world.pass_days(1);
    let ran = world.sync().await;
    assert_eq!((ran.status(), asked(&world, "/users/{id}")), (Some(Status::Converged), 0));
}

#[tokio::test]
async fn accounts_that_were_made_a_moment_ago_are_not_missed_by_a_listing_that_lags() {
    let mut world = World::new().await;
    world.people.hire("ada").hire("bea");
    world.settle_by_hash().await;
    world.tenant.reset_delta();
    let before = Fault::Stale { ms: 300_000 };
    for route in ["GET /users", "GET /users/{id}", "GET /directory/deletedItems/{id}"] {
        world.tenant.inject(FaultRule::new(route, before.clone()).only(Place::Outer));
    }
    let ran = world.sync().await;
    assert_eq!((ran.status(), ran.writes.len()), (Some(Status::Converged), 0), "{}", ran.decided(ADA));
    assert_eq!(asked(&world, "/users/{id}"), 0, "asked for when everybody has heard of them");
    // One of them is gone by then.
    world.tenant.clear_faults();
    purge(&world, ADA);
    world.tenant.reset_delta();
    world.pass(Duration::from_mins(20));
    assert_eq!(world.sync().await.decided(ADA), "none: account_unseen");
    world.pass(Duration::from_mins(20));
    assert_eq!(world.sync().await.decided(ADA), "none: account_deleted");
}

#[tokio::test]
async fn an_account_that_was_purged_from_the_recycle_bin_while_the_cursor_was_lost_is_forgotten() {
    let mut world = ours(4, "").await;
    let id = world.account(ADA).id().to_owned();
    // Its deletion is heard of, and before the recycle bin is read it is empty.
    world.tenant.delete_user(&id).unwrap();
    let before = Fault::Stale { ms: 60 * 60 * 1000 };
    world.tenant.inject(FaultRule::new("GET /directory/deletedItems*", before).only(Place::Outer));
    assert_eq!(world.sync().await.decided(ADA), "none: account_deleted");
    world.tenant.clear_faults();
    world.tenant.purge_user(&id).unwrap();
    world.tenant.reset_delta();
    let id = ObjectId::new(id);
    for (unseen, known) in [(true, true), (false, false)] {
        world.pass_days(1);
        let ran = world.sync().await;
        assert_eq!(ran.decided(ADA) == "none: account_unseen", unseen, "{}", ran.decided(ADA));
        assert_eq!(is_known(&world, &id).await, known);
    }
}

#[tokio::test]
async fn a_strangers_account_that_came_and_went_between_two_full_readings_holds_no_name() {
    let mut world = ours(4, "").await;
    world.tenant.add_user(json!({ "userPrincipalName": "eve@contoso.com", "displayName": "Eve" })).unwrap();
    world.sync().await;
    let eve = purge(&world, "eve@contoso.com");
    world.tenant.reset_delta();
    world.pass_days(1);
    world.sync().await;
    assert!(!is_known(&world, &eve).await);
    let holders = world.store().await.accounts_by(&scope(), By::Upn, "eve@contoso.com").await.unwrap();
    assert_eq!(holders, Vec::<ObjectId>::new());
    world.people.hire("eve");
    assert_eq!(world.sync().await.decided("eve@contoso.com"), "create: provision");
    // What is noted of strangers goes with the full reading that counted them.
    world.tenant.add_user(json!({ "userPrincipalName": "finn@contoso.com", "displayName": "Finn" })).unwrap();
    let noted =
        async |world: &World| world.store().await.notes(&hardmatch_store::NoteList::seen(&scope())).await.unwrap();
    world.sync().await;
    assert_eq!(noted(&world).await.len(), 1, "eve came by our hand");
    world.tenant.reset_delta();
    world.pass_days(1);
    world.sync().await;
    assert_eq!(noted(&world).await.len(), 0);
}

/// What a night takes of the table: one in which changes are followed, and one in which everything is read.
async fn nights(people: usize) -> (Units, Units) {
    let mut world = ours(people, "").await;
    let quiet = |ran: &Ran| assert_eq!((ran.status(), ran.writes.len()), (Some(Status::Converged), 0));
    world.sync().await;
    let followed = world.sync().await;
    world.tenant.reset_delta();
    world.pass_days(1);
    let whole = world.sync().await;
    assert_eq!(asked(&world, "/users/{id}"), 0, "who is shown is not asked for");
    for ran in [&followed, &whole] {
        quiet(ran);
    }
    (followed.run.units, whole.run.units)
}

#[tokio::test]
async fn a_lost_cursor_costs_a_few_reads_for_each_person_and_a_followed_one_none() {
    let (few_followed, few) = nights(10).await;
    let (many_followed, many) = nights(60).await;
    // Object ids are drawn by lot, and with them what shares a page or a bucket: a unit or two.
    assert!(few_followed.read.abs_diff(many_followed.read) <= 10, "{few_followed:?} {many_followed:?}: links are read");
    // A link and an account each, and the fingerprints' buckets that fifty more are spread over.
    let each = (many.read - few.read) / 50;
    assert!(each <= 4, "{few:?} {many:?}");
}

/// A night of which bea's row is missing, and what else a test does to the file.
async fn without_bea(spoil: impl FnOnce(&mut Directory)) -> (World, Ran) {
    let mut world = ours(6, "").await;
    world.people.remove("bea");
    spoil(&mut world.people);
    let ran = world.sync().await;
    (world, ran)
}

/// Lines that were refused with a key and a cure, and what is wrong there.
fn refused(ran: &Ran) -> Vec<(u64, &str)> {
    let named = ran.run.refused_entries.iter().filter(|entry| entry.key.is_some() && !entry.cure.is_empty());
    named.map(|entry| (entry.line, entry.problem.as_str())).collect()
}

/// The leaver was blocked and nobody else: not ada, whose account stays as it was.
#[track_caller]
fn bea_alone_has_left(world: &World, ran: &Ran) {
    assert_eq!(ran.status(), Some(Status::Attention), "somebody must look at the row");
    assert_eq!(ran.decided(ADA), "none: entry_refused");
    assert_eq!((world.account(ADA).enabled(), world.account(ADA).text("jobTitle")), (true, "Engineer"));
    assert!(!world.account("bea@contoso.com").enabled(), "the listing is complete: who is missing has left");
    assert_eq!(ran.writes.len(), 1, "{:?}", ran.calls());
}

/// Nobody was blocked: a row whose structure is damaged may hide the person who is missing.
#[track_caller]
fn nobody_has_left(world: &World, ran: &Ran) {
    assert_eq!(ran.status(), Some(Status::Attention), "somebody must look at the row");
    assert!(!ran.run.absence().is_empty(), "{:?}", ran.run.collections["people"]);
    assert!(world.account(ADA).enabled() && world.account("bea@contoso.com").enabled());
    assert!(ran.writes.is_empty(), "{:?}", ran.calls());
}

#[tokio::test]
async fn a_refused_row_with_a_readable_key_counts_as_seen() {
    let (mut world, ran) = without_bea(|people| {
        people.set("ada", "title", "Lead").set("ada", "enabled", "?");
    })
    .await;
    assert_eq!(refused(&ran), [(2, "The value is neither yes nor no")]);
    bea_alone_has_left(&world, &ran);
    // Every night anew, and for nobody's harm.
    world.pass_days(1);
    let ran = world.sync().await;
    assert_eq!((ran.status(), ran.writes.len(), refused(&ran).len()), (Some(Status::Attention), 0, 1));
    world.people.set("ada", "enabled", "true");
    let ran = world.sync().await;
    assert_eq!((ran.status(), ran.outcome(ADA).as_str()), (Some(Status::Converged), "done"));
    assert_eq!(world.account(ADA).text("jobTitle"), "Lead");
}

#[tokio::test]
async fn a_refused_row_without_a_readable_key_makes_absence_unknown() {
    let (mut world, ran) = without_bea(|people| {
        people.set("ada", "objectGUID", "");
    })
    .await;
    nobody_has_left(&world, &ran);
    let absence = ran.run.absence().join(" ");
    assert!(absence.contains("line 2"), "{absence}");
    assert_eq!(ran.run.refused_entries.len(), 1);
    assert_eq!(world.tenant.live_users(), 6);
    world.people.set("ada", "objectGUID", &guid(1));
    let ran = world.sync().await;
    assert_eq!((ran.status(), ran.writes.len()), (Some(Status::Converged), 1), "bea has left, and ada has not");
    assert!(world.account(ADA).enabled() && !world.account("bea@contoso.com").enabled());
}

#[tokio::test]
async fn rows_with_one_key_are_all_refused_and_whom_they_mean_is_left_alone() {
    let (mut world, ran) = without_bea(|people| {
        let mut twin = people.remove("ada").unwrap();
        people.put_back("ada", twin.clone());
        twin.insert("title".to_owned(), "Lead".to_owned());
        people.put_back("ada's twin", twin);
    })
    .await;
    assert_eq!(refused(&ran), [(2, "The row has the same key as line 3"), (3, "The row has the same key as line 2")]);
    nobody_has_left(&world, &ran);
    // One of the two is right; nobody knows which until the other is gone.
    let twin = world.people.remove("ada's twin").unwrap();
    world.people.put_back("ada", twin);
    let ran = world.sync().await;
    assert_eq!((ran.status(), ran.outcome(ADA).as_str()), (Some(Status::Converged), "done"));
    assert_eq!(world.account(ADA).text("jobTitle"), "Lead");
    assert!(!world.account("bea@contoso.com").enabled(), "now bea has left");
}

#[tokio::test]
async fn a_row_whose_key_a_broken_row_has_too_is_refused_with_it() {
    let (world, ran) = without_bea(|people| {
        people.set("ada", "title", "Lead");
        let broken = format!("{},{ADA}\n", guid(1));
        people.spoil(Some(people.csv() + &broken));
    })
    .await;
    assert_eq!(refused(&ran), [(2, "The row has the same key as line 7"), (7, "The row has 2 cells, the header 12")]);
    nobody_has_left(&world, &ran);
}

#[tokio::test]
async fn a_tenant_that_refuses_its_listing_is_read_as_changes() {
    let refused = |status| Fault::Status {
        status,
        code: Some("Authorization_RequestDenied".to_owned()),
        message: None,
        retry_after: None,
        applied: false,
    };
    for status in [400, 403] {
        let mut boss = by_hand("boss");
        boss["onPremisesImmutableId"] = json!(immutable_id(&guid(1)));
        let mut world = World::with(Seed::contoso().user(boss).user(by_hand("ada")), "").await;
        world.tenant.configure(|options| options.delta_page_size = 1);
        world.tenant.inject(FaultRule::new("GET /users", refused(status)).only(Place::Outer));
        world.people.hire("boss").hire("ada").hire("new");
        let ran = world.settle_by_hash().await;
        assert_eq!((ran.count(OutcomeKind::Done), world.accounts().len()), (3, 3), "{:?}", ran.run.collections);
        assert!(ran.decided("ada@contoso.com").starts_with("takeover"), "{}", ran.decided("ada@contoso.com"));
        world.pass_days(1);
        assert_eq!(world.sync().await.status(), Some(Status::Converged));
        // The cursor is lost: everything is read again, and nobody is taken for gone.
        world.tenant.reset_delta();
        world.pass_days(1);
        let ran = world.sync().await;
        assert_eq!((ran.status(), ran.writes.len()), (Some(Status::Converged), 0));
    }
}

#[tokio::test]
async fn a_lost_table_is_told_from_a_first_run_and_links_come_back_by_id() {
    let mut world = World::new().await;
    world.people.hire("ada").hire("bea").hire("cleo");
    assert_eq!(world.plan().await.run.stop, Some(Stop::Asked), "nothing was ever accepted");
    world.settle_by_hash().await;
    // What ada's repair left, and nobody remembers.
    world.tenant.set_user("ada@contoso.com", json!({ "userPrincipalName": "hardmatch-repair-1@contoso.com" })).unwrap();
    world.pass_days(1);
    world.lose_the_table().await;
    world.people.set("bea", "title", "Lead");
    world.people.remove("cleo");
    let ran = world.sync().await;
    assert_eq!((ran.run.stop, ran.status()), (Some(Stop::StateLost), Some(Status::Planned)));
    assert!(ran.writes.is_empty(), "it stops at the plan");
    assert!(ran.decided("ada@contoso.com").contains("repair_needed"), "{}", ran.decided("ada@contoso.com"));
    let ran = world.sync_yes().await;
    assert_eq!((ran.outcome("bea@contoso.com").as_str(), world.accounts().len()), ("done", 3));
    assert!(world.account("cleo@contoso.com").enabled(), "nobody knows her any more: she is not ours to block");
    let ran = world.sync().await;
    assert_eq!((ran.run.stop, ran.status()), (None, Some(Status::Converged)));
    assert_eq!(world.account("ada@contoso.com").upn(), "ada@contoso.com");
}

#[tokio::test]
async fn names_of_unfinished_repairs_alone_tell_that_a_table_was_lost() {
    let mut left = by_hand("ada");
    left["userPrincipalName"] = json!("hardmatch-repair-7@contoso.com");
    left["onPremisesImmutableId"] = json!(immutable_id(&guid(1)));
    let mut world = World::with(Seed::contoso().user(left), "").await;
    world.people.hire("ada");
    assert_eq!(world.plan().await.run.stop, Some(Stop::StateLost));
}

/// How often a route was asked for so far.
fn times_asked(world: &World, route: &str) -> u64 {
    world.tenant.counters().requests.get(route).copied().unwrap_or_default()
}

#[tokio::test]
async fn changes_are_followed_and_every_seven_days_everybody_is_read() {
    let mut world = World::new().await;
    world.people.hire("ada");
    world.settle_by_hash().await;
    world.pass_days(1);
    let mut full_nights = Vec::new();
    for night in 1..=15 {
        let before = times_asked(&world, "GET /users");
        world.sync().await;
        if times_asked(&world, "GET /users") > before {
            full_nights.push(night);
        }
        world.pass_days(1);
    }
    assert_eq!(full_nights.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>(), [7], "{full_nights:?}");
}

#[tokio::test]
async fn what_a_partial_delta_clears_is_cleared_and_nothing_else() {
    let mut world = World::with(Seed::contoso().with(|options| options.delta.changed_only = true), "").await;
    world.people.hire("ada").hire("bea");
    world.settle_by_hash().await;
    world.pass_days(1);
    assert!(world.sync().await.writes.is_empty());
    let anchor = world.account("ada@contoso.com").immutable_id().map(str::to_owned);
    world.tenant.set_user("ada@contoso.com", json!({ "jobTitle": null })).unwrap();
    world.pass_days(1);
    let ran = world.sync().await;
    assert_eq!(ran.calls(), ["PATCH /users/{id} 204"], "a drift is written again: {}", ran.decided("ada@contoso.com"));
    let ada = world.account("ada@contoso.com");
    assert_eq!((ada.text("jobTitle"), ada.immutable_id().map(str::to_owned)), ("Engineer", anchor));
    // Deleted and restored by an administrator, the mirror knows it whole.
    world.tenant.delete_user("bea@contoso.com").unwrap();
    world.pass_days(1);
    world.sync().await;
    let id = world.accounts().into_iter().find(hardmatch_tests::Seen::deleted).unwrap().id().to_owned();
    world.tenant.restore_user(&id).unwrap();
    world.pass_days(1);
    world.sync().await;
    world.pass_days(1);
    let ran = world.sync().await;
    assert!(ran.writes.is_empty() && ran.run.refusals.is_empty(), "{:?}", ran.calls());
}

#[tokio::test]
async fn j9_a_tenant_that_godaddy_manages_is_refused_before_anybody_is_decided() {
    let federated = [
        SeedDomain::new("NETORG1234567.onmicrosoft.com", DomainType::Managed),
        SeedDomain::new("contoso.com", DomainType::Federated),
    ];
    let mut seed = Seed::contoso();
    seed.domains = federated.to_vec();
    let mut world = World::with(seed, "").await;
    world.people.hire("ada");
    let ran = world.plan().await;
    assert_eq!((ran.status(), ran.rows.len()), (Some(Status::Incomplete), 0));
    assert!(ran.run.problems.iter().any(|problem| problem.contains("managed by GoDaddy")), "{:?}", ran.run.problems);
}

#[tokio::test]
async fn d16_d18_a_full_run_reads_the_tenant_whole_and_says_so() {
    let mut world = World::with(Seed::contoso(), "").await;
    world.people.hire("ada").hire("bea");
    let first = world.plan().await;
    assert_eq!(first.run.collections["users"].read, Some(ReadMode::Whole), "there is nothing to follow from");
    world.apply(&first.hash()).await;
    world.pass_days(1);
    let listed = |world: &World| world.tenant.requests().iter().filter(|request| request.route == "/users").count();
    let daily = world.sync().await;
    assert_eq!((daily.run.collections["users"].read, listed(&world)), (Some(ReadMode::Changes), 0));
    let full = world.plan_everybody().await;
    assert_eq!((full.run.collections["users"].read, listed(&world)), (Some(ReadMode::Whole), 1));
    assert_eq!(full.run.collections["users"].seen, 2);
    world.pass_days(1);
    assert_eq!(world.sync().await.run.collections["users"].read, Some(ReadMode::Changes), "followed from there");
}
