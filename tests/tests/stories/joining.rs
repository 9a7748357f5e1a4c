//! Joining people to accounts that are already there, and leaving alone what is not theirs.

use hardmatch_domain::change::Action;
use hardmatch_ports::run::{OutcomeKind, Status};
use hardmatch_sim::{Fault, FaultRule, Place, Reaction, Seed};
use hardmatch_tests::{World, by_hand, guid, immutable_id};
use serde_json::json;

#[tokio::test]
async fn d1_fifty_accounts_that_were_there_before_are_adopted_and_none_is_created() {
    let mut seed = Seed::contoso();
    for number in 0..50 {
        let mut account = by_hand(&format!("p{number:02}"));
        // Half of them were anchored by the software that was there before us.
        if number % 2 == 0 {
            account["onPremisesImmutableId"] = json!(immutable_id(&guid(number + 1)));
        }
        seed = seed.user(account);
    }
    let mut world = World::with(seed, "").await;
    for number in 0..50 {
        world.people.hire(&format!("p{number:02}"));
    }
    let planned = world.plan().await;
    assert_eq!(planned.planned(Action::Create), 0);
    assert_eq!((planned.planned(Action::Takeover), planned.planned(Action::Link)), (25, 25));
    let ran = world.apply(&planned.hash()).await;
    assert_eq!((ran.count(OutcomeKind::Done), world.accounts().len()), (50, 50));
    for number in 0..50 {
        let account = world.account(&format!("p{number:02}@contoso.com"));
        assert_eq!(account.immutable_id(), Some(immutable_id(&guid(number + 1)).as_str()));
        assert_eq!(account.text("jobTitle"), "Engineer");
    }
    assert_eq!(world.sync().await.status(), Some(Status::Converged));
}

#[tokio::test]
async fn k3_another_anchor_on_the_account_is_a_conflict_and_nothing_is_created() {
    let mut account = by_hand("ada");
    account["onPremisesImmutableId"] = json!(immutable_id(&guid(99)));
    let mut world = World::with(Seed::contoso().user(account), "").await;
    world.people.hire("ada");
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.decided("ada@contoso.com"), "none: anchor_conflict");
    assert!(ran.writes.is_empty());
    assert_eq!(world.accounts().len(), 1);
}

#[tokio::test]
async fn d5_an_address_of_somebody_elses_account_is_refused_with_both_ids() {
    let mut world = World::with(Seed::contoso().user(by_hand("other")), "").await;
    // The account at this address is anchored to bea, who is in the source too.
    world.people.hire("ada").hire("bea");
    world.people.rename("ada", "other@contoso.com");
    world.tenant.set_user("other@contoso.com", json!({ "onPremisesImmutableId": immutable_id(&guid(2)) })).unwrap();
    let ran = world.plan().await;
    assert_eq!(ran.decided("other@contoso.com"), "none: address_taken");
    let row = ran.row("other@contoso.com").unwrap();
    let holder = world.account("other@contoso.com");
    assert!(
        row.decision.evidence.iter().any(|seen| seen.account.as_ref().is_some_and(|id| id.as_str() == holder.id()))
    );
    assert!(row.decision.evidence.iter().any(|seen| seen.theirs.as_deref() == holder.immutable_id()));
}

#[tokio::test]
async fn o4_accounts_that_entra_connect_masters_are_never_written() {
    let mut linked = by_hand("ada");
    linked["onPremisesImmutableId"] = json!(immutable_id(&guid(1)));
    linked["onPremisesSyncEnabled"] = json!(true);
    let mut soft = by_hand("bea");
    soft["onPremisesSyncEnabled"] = json!(true);
    let mut world = World::with(Seed::contoso().user(linked).user(soft), "").await;
    world.people.hire("ada").hire("bea").hire("cleo");
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.decided("ada@contoso.com"), "none: mastered_elsewhere");
    assert_eq!(ran.decided("bea@contoso.com"), "none: mastered_elsewhere");
    assert_eq!(ran.calls(), ["POST /users 201"], "cleo alone");
    // Somebody whose account becomes synced later: leaving does nothing either.
    world.tenant.set_user("cleo@contoso.com", json!({ "onPremisesSyncEnabled": true })).unwrap();
    world.people.remove("cleo");
    world.pass_days(1);
    let ran = world.sync().await;
    assert_eq!(ran.decided("cleo@contoso.com"), "none: mastered_elsewhere");
    assert!(ran.writes.is_empty() && world.account("cleo@contoso.com").enabled());
}

/// An account whose anchor somebody changed to nobody's, under a policy.
async fn drifted(policy: &str, anchor: serde_json::Value) -> (World, hardmatch_tests::Ran) {
    let mut world = World::with(Seed::contoso(), policy).await;
    world.people.hire("ada");
    world.settle_by_hash().await;
    world.pass_days(1);
    world.tenant.set_user("ada@contoso.com", json!({ "onPremisesImmutableId": anchor })).expect("the account is there");
    let ran = world.sync().await;
    (world, ran)
}

#[tokio::test]
async fn o26_stop_reports_a_changed_anchor_and_writes_nothing() {
    let (world, ran) = drifted("", json!(immutable_id(&guid(77)))).await;
    assert_eq!(ran.decided("ada@contoso.com"), "none: anchor_drift");
    assert!(ran.writes.is_empty());
    assert_eq!(world.account("ada@contoso.com").immutable_id(), Some(immutable_id(&guid(77)).as_str()));
}

#[tokio::test]
async fn o26_tenant_wins_learns_the_anchor() {
    let (mut world, ran) = drifted("[anchor]\non_conflict = \"tenant-wins\"", json!(immutable_id(&guid(77)))).await;
    assert!(ran.decided("ada@contoso.com").contains("anchor_learned"), "{}", ran.decided("ada@contoso.com"));
    assert!(ran.writes.is_empty());
    // From then on the account is theirs as it is.
    world.people.set("ada", "title", "Lead");
    world.sync().await;
    let ada = world.account("ada@contoso.com");
    assert_eq!((ada.text("jobTitle"), ada.immutable_id()), ("Lead", Some(immutable_id(&guid(77)).as_str())));
}

#[tokio::test]
async fn o26_source_wins_sets_a_cleared_anchor_again_when_it_is_approved() {
    let policy = "[anchor]\non_conflict = \"source-wins\"";
    let (mut world, ran) = drifted(policy, serde_json::Value::Null).await;
    assert!(ran.writes.is_empty(), "{:?}", ran.calls());
    assert!(ran.outcome("ada@contoso.com").starts_with("held"), "{}", ran.outcome("ada@contoso.com"));
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.outcome("ada@contoso.com"), "done", "{}", ran.decided("ada@contoso.com"));
    assert_eq!(world.account("ada@contoso.com").immutable_id(), Some(immutable_id(&guid(1)).as_str()));
}

#[tokio::test]
async fn o26_a_person_who_still_differs_after_the_anchor_was_set_is_not_converged() {
    let (mut world, _) = drifted("[anchor]\non_conflict = \"source-wins\"", serde_json::Value::Null).await;
    world.people.set("ada", "title", "Lead");
    let ran = world.settle_by_hash().await;
    let ada = world.account("ada@contoso.com");
    assert_eq!(ada.immutable_id(), Some(immutable_id(&guid(1)).as_str()), "{:?}", ran.outcomes);
    let written = ada.text("jobTitle") == "Lead";
    assert_eq!(ran.status() == Some(Status::Converged), written, "{}", ran.decided("ada@contoso.com"));
    world.pass_days(1);
    let ran = world.sync().await;
    assert_eq!(world.account("ada@contoso.com").text("jobTitle"), "Lead", "{}", ran.decided("ada@contoso.com"));
    world.pass_days(1);
    assert_eq!(world.sync().await.status(), Some(Status::Converged));
}

#[tokio::test]
async fn j25_a_password_the_tenant_refuses_stops_nobody_and_another_is_sent() {
    let mut world = World::new().await;
    world.people.hire("ada").hire("bea").hire("cleo");
    let text = "The specified password does not comply with password complexity requirements. Please provide a different password.";
    let refused = Fault::Status {
        status: 400,
        code: Some("Request_BadRequest".to_owned()),
        message: Some(text.to_owned()),
        retry_after: None,
        applied: false,
    };
    // Four times: one of three people is given another password again and again.
    world.tenant.inject(FaultRule::new("POST /users", refused).times(4).only(Place::Inner));
    let ran = world.settle_by_hash().await;
    assert_eq!(
        (ran.count(OutcomeKind::Done), ran.writes.len(), world.accounts().len()),
        (3, 7, 3),
        "{:?}",
        ran.outcomes
    );
}

#[tokio::test]
async fn names_that_move_from_one_to_the_next_settle_in_the_first_run() {
    let mut seed = Seed::contoso();
    for (number, name) in ["ada", "bea", "cleo"].into_iter().enumerate() {
        // Without a mailbox, whose addresses would stay behind.
        let mut account = json!({ "userPrincipalName": format!("{name}@contoso.com"), "displayName": name });
        account["onPremisesImmutableId"] = json!(immutable_id(&guid(number + 1)));
        seed = seed.user(account);
    }
    let mut world = World::with(seed, "").await;
    world.people.hire("ada").hire("bea").hire("cleo");
    // Each takes the name of the next; nobody was linked before.
    world
        .people
        .rename("cleo", "cleo.new@contoso.com")
        .rename("bea", "cleo@contoso.com")
        .rename("ada", "bea@contoso.com");
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.count(OutcomeKind::Done), 3, "{:?}", ran.outcomes);
    for (number, upn) in ["bea@contoso.com", "cleo@contoso.com", "cleo.new@contoso.com"].into_iter().enumerate() {
        assert_eq!(world.account(upn).immutable_id(), Some(immutable_id(&guid(number + 1)).as_str()), "{upn}");
    }
    let again = world.sync().await;
    assert_eq!((again.status(), again.writes.len()), (Some(Status::Converged), 0));
}

#[tokio::test]
async fn c_9_a_rehire_under_a_new_anchor_is_held_for_a_repair_and_not_created_twice() {
    let mut world = World::with(Seed::contoso(), "[match]\nprove = [\"employeeId\"]").await;
    world.people.hire("ada").hire("bea").hire("cleo");
    world.settle_by_hash().await;
    // Ada leaves and is hired again: a new GUID, the same employee number.
    world.people.remove("ada");
    world.pass_days(1);
    world.sync().await;
    assert!(!world.account("ada@contoso.com").enabled());
    world.pass_days(10);
    world.people.hire("ada").set("ada", "employeeID", "E0001");
    let ran = world.sync().await;
    assert!(ran.decided("ada@contoso.com").contains("rehire"), "{}", ran.decided("ada@contoso.com"));
    assert_eq!(world.accounts().len(), 3);
    assert!(ran.calls().iter().all(|call| !call.starts_with("POST /users ")), "{:?}", ran.calls());
}

#[tokio::test]
async fn admins_keep_name_anchor_and_sign_in() {
    let mut world = World::new().await;
    world.people.hire("ada").hire("bea");
    world.settle_by_hash().await;
    world.tenant.grant_role("ada@contoso.com", "User Administrator").unwrap();
    world.people.set("ada", "title", "Admin").rename("ada", "ada.new@contoso.com");
    let ran = world.sync().await;
    assert!(ran.decided("ada.new@contoso.com").contains("privileged"), "{}", ran.decided("ada.new@contoso.com"));
    let ada = world.account("ada@contoso.com");
    assert_eq!((ada.text("jobTitle"), ada.upn()), ("Admin", "ada@contoso.com"), "ordinary attributes are written");
    // A leaver with a role is an alarm, not a rule.
    world.people.remove("ada");
    let ran = world.sync().await;
    assert!(ran.decided("ada.new@contoso.com").contains("privileged_leaver"));
    assert!(ran.writes.is_empty() && world.account("ada@contoso.com").enabled());
    assert_eq!(ran.status(), Some(Status::Attention));
}

#[tokio::test]
async fn an_administrator_is_never_taken_over() {
    let mut admin = by_hand("ada");
    admin["roles"] = json!(["Global Administrator"]);
    let mut world = World::with(Seed::contoso().user(admin), "").await;
    world.people.hire("ada");
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.decided("ada@contoso.com"), "none: privileged");
    assert!(ran.writes.is_empty());
}

#[tokio::test]
async fn when_roles_cannot_be_read_nobody_is_taken_for_unprivileged() {
    let seed = Seed::contoso().user(by_hand("ada")).with(|options| options.read_roles = Reaction::Refuse);
    let mut world = World::with(seed, "").await;
    world.people.hire("ada").hire("bea");
    let ran = world.settle_by_hash().await;
    assert!(ran.decided("ada@contoso.com").contains("roles_unknown"), "{}", ran.decided("ada@contoso.com"));
    assert_eq!(ran.outcome("bea@contoso.com"), "done", "a creation needs no role to be known");
    assert_eq!(world.account("ada@contoso.com").immutable_id(), None);
    // Nobody is blocked without knowing either.
    world.people.remove("bea");
    let ran = world.sync().await;
    assert!(ran.decided("bea@contoso.com").contains("roles_unknown"));
    assert!(ran.writes.is_empty());
    // Read again, it goes on by itself.
    world.tenant.configure(|options| options.read_roles = Reaction::Accept);
    world.sync().await;
    assert_eq!(world.account("ada@contoso.com").immutable_id(), Some(immutable_id(&guid(1)).as_str()));
    assert!(!world.account("bea@contoso.com").enabled());
}

#[tokio::test]
async fn an_address_of_a_group_is_refused_by_name_whether_groups_can_be_read_or_not() {
    for readable in [true, false] {
        let group = json!({ "displayName": "Ada's list", "mailNickname": "ada", "mail": "ada@contoso.com", "mailEnabled": true });
        let mut seed = Seed::contoso().group(group);
        if !readable {
            seed.apps[0].roles.retain(|role| !role.starts_with("Group"));
        }
        let mut world = World::with(seed, "").await;
        world.people.hire("ada").hire("bea");
        let ran = world.settle_by_hash().await;
        assert_eq!(ran.outcome("bea@contoso.com"), "done");
        let told = format!("{} {}", ran.decided("ada@contoso.com"), ran.outcome("ada@contoso.com"));
        let code = if readable { "address_held_by_group" } else { "address_in_use" };
        assert!(told.contains(code), "readable: {readable}: {told}");
        assert_eq!(world.accounts().len(), 1);
    }
}

#[tokio::test]
async fn a_guest_who_holds_the_address_is_left_alone() {
    let mut guest = by_hand("ada");
    guest["userType"] = json!("Guest");
    let mut world = World::with(Seed::contoso().user(guest), "").await;
    world.people.hire("ada");
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.decided("ada@contoso.com"), "none: address_held_by_guest");
    assert!(ran.writes.is_empty());
}

#[tokio::test]
async fn two_people_who_claim_one_account_are_both_refused() {
    let mut world = World::with(Seed::contoso().user(by_hand("ada")), "").await;
    world.people.hire("ada").hire("ida").rename("ida", "ada@contoso.com");
    let ran = world.settle_by_hash().await;
    assert!(ran.rows.iter().all(|row| row.decision.reasons[0].code.as_str() == "contested"), "{:?}", ran.rows);
    assert!(ran.writes.is_empty());
}

#[tokio::test]
async fn c_9_an_approved_rehire_gets_the_old_account_and_all_that_is_new_about_them() {
    let mut world = World::with(Seed::contoso(), "[match]\nprove = [\"employeeId\"]").await;
    world.people.hire("ada").hire("bea").hire("cleo");
    world.settle_by_hash().await;
    let id = world.account("ada@contoso.com").id().to_owned();
    world.people.remove("ada");
    world.pass_days(1);
    world.sync().await;
    world.pass_days(10);
    world.people.hire("ada").set("ada", "employeeID", "E0001").set("ada", "title", "Director");
    world.settle_by_hash().await;
    world.pass_days(1);
    world.sync().await;
    let ada = world.account("ada@contoso.com");
    assert_eq!((ada.id(), ada.enabled()), (id.as_str(), true));
    assert_eq!(ada.immutable_id(), Some(immutable_id(&guid(4)).as_str()));
    assert_eq!(ada.text("jobTitle"), "Director", "what the repair left undone is done by the next run");
    world.pass_days(1);
    assert!(world.sync().await.writes.is_empty());
    assert_eq!(world.accounts().len(), 3);
}

/// Ada at the source, and an account by her name that carries somebody's ID and her telephone number.
async fn same_phone(policy: &str) -> World {
    let mut account = by_hand("ada");
    account["onPremisesImmutableId"] = json!(immutable_id(&guid(99)));
    account["mobilePhone"] = json!("+46 1");
    let mut world = World::with(Seed::contoso().user(account), policy).await;
    world.people.columns.push("mobile".to_owned());
    world.people.hire("ada").hire("bea");
    world.people.set("ada", "mobile", "+46 1").set("bea", "mobile", "+46 2");
    world
}

#[tokio::test]
async fn o26_any_attribute_of_the_policy_proves_identity_from_the_first_run_on() {
    let policy = "[anchor]\non_conflict = \"source-wins\"\n[match]\nprove = [\"mobilePhone\"]";
    let mut world = same_phone(policy).await;
    let ran = world.settle_by_hash().await;
    assert!(ran.decided("ada@contoso.com").starts_with("repair: anchor_wrong"), "{}", ran.decided("ada@contoso.com"));
    assert_eq!(world.account("ada@contoso.com").immutable_id(), Some(immutable_id(&guid(1)).as_str()));
    assert_eq!(world.sync().await.status(), Some(Status::Converged));
}

#[tokio::test]
async fn o26_an_attribute_that_a_policy_adds_proves_as_soon_as_everybody_was_read_under_it() {
    let with = |prove: &str| format!("[anchor]\non_conflict = \"source-wins\"\n[match]\nprove = [{prove}]");
    let mut world = same_phone(&with("\"employeeId\"")).await;
    // Somebody who never had an account, and is gone before the policy changes, counts too.
    world.people.hire("cleo").set("cleo", "mobile", "+46 1").set("cleo", "enabled", "false");
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.decided("ada@contoso.com"), "none: anchor_conflict");
    world.people.remove("cleo");
    world.sync().await;
    world.set_policy(&with("\"employeeId\", \"mobilePhone\""));
    let ran = world.plan().await;
    assert_eq!(ran.decided("ada@contoso.com"), "none: anchor_conflict", "cleo had the number");
    // Once it is hers alone it proves that the account is, until another account has it.
    world.people.set("ada", "mobile", "+46 3");
    world.tenant.set_user("ada@contoso.com", json!({ "mobilePhone": "+46 3" })).unwrap();
    let ran = world.plan().await;
    assert!(ran.decided("ada@contoso.com").starts_with("repair: anchor_wrong"), "{}", ran.decided("ada@contoso.com"));
    world.tenant.set_user("bea@contoso.com", json!({ "mobilePhone": "+46 3" })).unwrap();
    assert_eq!(world.plan().await.decided("ada@contoso.com"), "none: anchor_conflict");
}

#[tokio::test]
async fn names_that_an_expression_makes_are_compared_between_people() {
    let by_given_name = "[attributes]\nuserPrincipalName = \"person.givenName.lowerAscii() + '@contoso.com'\"";
    let mut world = World::new().await;
    world.people.hire("ada").hire("bea").hire("cleo");
    world.people.set("bea", "givenName", "Ada").set("bea", "mail", "b@contoso.com");
    let ran = world.plan().await;
    assert_eq!(ran.planned(Action::Create), 3, "by the names of the source nobody stands in anybody's way");
    // The people were read under another policy: they are entered under the names of this one first.
    world.set_policy(by_given_name);
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.decided("ada@contoso.com"), "none: contested");
    assert_eq!(ran.decided("bea@contoso.com"), "none: contested");
    assert_eq!((ran.outcome("cleo@contoso.com").as_str(), world.accounts().len()), ("done", 1));
    world.people.set("bea", "givenName", "Beatrice");
    world.sync_yes().await;
    assert_eq!((world.account("ada@contoso.com").upn(), world.accounts().len()), ("ada@contoso.com", 3));
    assert_eq!(world.account("beatrice@contoso.com").upn(), "beatrice@contoso.com");
    // Two who have accounts want one name: neither gets it, and the plan rests.
    world.people.set("ada", "givenName", "Eve").set("bea", "givenName", "Eve");
    let ran = world.sync().await;
    assert!(ran.decided("ada@contoso.com").contains("contested"), "{}", ran.decided("ada@contoso.com"));
    assert!(ran.decided("bea@contoso.com").contains("contested"), "{}", ran.decided("bea@contoso.com"));
    assert_eq!(world.account("ada@contoso.com").upn(), "ada@contoso.com");
}
