//! What other tools were written to and lost people by: accounts and groups made by hand, people whom a filter loses, names and
//! addresses that change or go to somebody else, one refusal that stops everybody.

use hardmatch_domain::change::Action;
use hardmatch_ports::run::Status;
use hardmatch_sim::{Fault, FaultRule, Place, Seed};
use hardmatch_tests::{Ran, World, by_hand, guid, immutable_id};
use serde_json::{Value, json};

const ADA: &str = "ada@contoso.com";

/// Ten people with accounts of ours.
async fn ten(seed: Seed, policy: &str) -> World {
    let mut world = World::with(seed, policy).await;
    for name in ["ada", "bea", "cleo", "dora", "eva", "fia", "gia", "hedda", "ida", "jo"] {
        world.people.hire(name);
    }
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.status(), Some(Status::Converged), "{:?}", ran.outcomes);
    world.pass_days(1);
    world
}

/// An account as it is, but for what reading it may move.
fn as_it_is(world: &World, upn: &str) -> Value {
    world.account(upn).0
}

#[tokio::test]
async fn c_4_c_5_accounts_and_groups_made_by_hand_are_never_touched_and_deleting_asks() {
    let group = json!({
        "id": "11111111-2222-4333-8444-555555555555", "displayName": "By hand", "mailNickname": "byhand",
        "mailEnabled": false, "securityEnabled": true,
    });
    let seed = Seed::contoso().user(by_hand("kate")).user(by_hand("left")).group(group);
    let mut world = ten(seed, "[lifecycle]\nabsent = \"delete\"").await;
    let before = [as_it_is(&world, "kate@contoso.com"), as_it_is(&world, "left@contoso.com")];
    let groups = world.tenant.groups();
    world.people.remove("ada");
    for _ in 0..5 {
        world.sync().await;
        world.pass_days(1);
    }
    assert_eq!([as_it_is(&world, "kate@contoso.com"), as_it_is(&world, "left@contoso.com")], before);
    assert_eq!(world.tenant.groups(), groups);
    assert!(!world.account(ADA).deleted(), "nobody approved it");
}

#[tokio::test]
async fn c_6_who_is_out_of_scope_is_left_in_both_directions_and_one_refusal_stops_nobody() {
    let mut account = by_hand("kate");
    account["onPremisesImmutableId"] = json!(immutable_id(&guid(11)));
    let scope = "[scope]\ninclude = \"person.department != 'Board'\"";
    let mut world = ten(Seed::contoso().user(account), scope).await;
    world.people.hire("kate").set("kate", "department", "Board").set("kate", "title", "Chair");
    let before = as_it_is(&world, "kate@contoso.com");
    world.sync().await;
    world.people.remove("kate");
    world.sync().await;
    assert_eq!(as_it_is(&world, "kate@contoso.com"), before, "neither written nor removed");
    // The tenant forbids one of three writes.
    let forbidden = Fault::Status {
        status: 403,
        code: Some("Authorization_RequestDenied".to_owned()),
        message: Some("Insufficient privileges to complete the operation.".to_owned()),
        retry_after: None,
        applied: false,
    };
    world.tenant.inject(FaultRule::new("PATCH /users/{id}", forbidden).times(1).only(Place::Inner));
    for name in ["ada", "bea", "cleo"] {
        world.people.set(name, "title", "Lead");
    }
    world.sync().await;
    let leads =
        ["ada", "bea", "cleo"].map(|name| world.account(&format!("{name}@contoso.com")).text("jobTitle") == "Lead");
    assert!(leads.iter().filter(|lead| **lead).count() >= 2, "{leads:?}");
}

#[tokio::test]
async fn c_7_a_primary_address_that_changes_stops_no_run_and_is_told_by_name() {
    let mut world = ten(Seed::contoso(), "").await;
    let id = world.account(ADA).id().to_owned();
    world.people.rename("ada", "ada.lovelace@contoso.com").set("bea", "title", "Lead");
    let ran = world.sync().await;
    assert!(ran.row("ada.lovelace@contoso.com").is_some());
    assert_eq!(world.account("ada.lovelace@contoso.com").id(), id);
    assert_eq!(world.account("bea@contoso.com").text("jobTitle"), "Lead");
    assert_eq!(ran.status(), Some(Status::Converged));
}

/// Ada, new at the source, and an account of somebody else by her name; `more` is what it has.
async fn recycled(more: Value, deleted: bool) -> (World, Ran) {
    let mut account = by_hand("ada");
    account["employeeId"] = json!("E9999");
    account.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    let mut world = World::with(Seed::contoso().user(account), "").await;
    if deleted {
        world.tenant.delete_user(ADA).unwrap();
    }
    world.people.hire("ada").hire("bea");
    let ran = world.settle_by_hash().await;
    (world, ran)
}

#[tokio::test]
async fn c_8_a_recycled_address_joins_nobody_to_a_strangers_account() {
    for more in [json!({}), json!({ "onPremisesImmutableId": immutable_id(&guid(99)) })] {
        let (world, ran) = recycled(more, false).await;
        assert_eq!(ran.decided(ADA), "none: recycled_identity");
        assert_ne!(world.account(ADA).immutable_id(), Some(immutable_id(&guid(1)).as_str()));
    }
    // In the recycle bin it stays there, and the newcomer gets an account of their own.
    let (world, _) = recycled(json!({ "givenName": "Adalbert" }), true).await;
    let all = world.accounts();
    let deleted: Vec<_> = all.iter().filter(|account| account.deleted()).collect();
    assert_eq!((all.len(), deleted.len()), (3, 1));
    assert_ne!(world.account(ADA).id(), deleted[0].id());
}

#[tokio::test]
async fn c_18_a_filter_that_matches_nobody_any_more_removes_nobody() {
    let mut world = ten(Seed::contoso(), "").await;
    world.set_policy("[scope]\ninclude = \"person.department == 'Reserach'\"");
    for _ in 0..3 {
        world.sync().await;
        world.pass_days(1);
    }
    assert!(world.accounts().iter().all(|account| account.enabled() && !account.deleted()));
    let plan = world.plan_everybody().await;
    assert_eq!(plan.planned(Action::Suspend), 10, "all of it is shown: {}", plan.decided(ADA));
}

#[tokio::test]
async fn d11_a_pair_asks_by_default_and_shows_both_accounts_with_their_dates() {
    let mut copy = by_hand("ada1234");
    copy["onPremisesImmutableId"] = json!(immutable_id(&guid(1)));
    let mut world = World::with(Seed::contoso().user(copy).user(by_hand("ada")), "").await;
    world.people.hire("ada");
    let plan = world.plan().await;
    let row = plan.row(ADA).expect("a row");
    assert!(plan.decided(ADA).starts_with("merge: duplicate_pair"), "{}", plan.decided(ADA));
    let said = row.decision.reasons[0].detail.clone().unwrap_or_default();
    for account in world.accounts() {
        assert!(said.contains(account.id()), "the reason names {}: {said}", account.id());
        let of = |rule: &str| {
            let seen = row
                .decision
                .evidence
                .iter()
                .filter(|seen| seen.account.as_deref().is_some_and(|id| id.as_str() == account.id()));
            seen.filter(|seen| format!("{:?}", seen.rule).eq_ignore_ascii_case(rule)).count()
        };
        assert!(of("licenses") > 0 && of("enabled") > 0 && of("dates") > 0, "{:?}", row.decision.evidence);
    }
    let ran = world.sync_yes().await;
    assert_eq!((ran.outcome(ADA).as_str(), ran.writes.len()), ("held: awaiting_approval", 0));
}

#[tokio::test]
async fn an_address_only_match_to_what_may_be_a_shared_mailbox_asks() {
    let mut shared = by_hand("info");
    shared["mail"] = json!(ADA);
    shared["proxyAddresses"] = json!([format!("SMTP:{ADA}")]);
    shared["accountEnabled"] = json!(false);
    let mut world = World::with(Seed::contoso().user(shared), "[actions]\ntakeover = \"on\"").await;
    world.people.hire("ada").hire("bea");
    let ran = world.sync_yes().await;
    assert!(ran.decided(ADA).contains("maybe_shared"), "{}", ran.decided(ADA));
    assert_eq!(world.account("info@contoso.com").immutable_id(), None);
}
