//! Who is who, and what is concluded from silence.

use hardmatch_tests::{Trial, guid, immutable_id};
use serde_json::json;

/// Absent people are blocked, or deleted at once.
const DELETES: &str = "[lifecycle]\nabsent = \"delete\"\n[actions]\ndelete = \"on\"\n";

#[tokio::test]
async fn t03_an_ended_record_contests_nobody() {
    let mut trial = Trial::given("03-ended-and-active-record").await;
    let night = trial.first_night().await;
    assert_eq!(trial.upns(), ["cleo.marsh@contoso.example", "dan.moor@contoso.example"], "{night:?}");
    for name in trial.upns() {
        assert!(trial.account(&name).enabled(), "{name}");
    }
    assert_eq!(trial.account("cleo.marsh@contoso.example").text("employeeId"), "E0002");
    let quiet = trial.quiet_night().await;
    assert_eq!(quiet.exit, 0, "{quiet:?}");
}

#[tokio::test]
async fn t117_contested_people_are_told_of_each_other() {
    let mut trial = Trial::given("117-two-claim-one-name").await;
    let night = trial.first_night().await;
    assert!(trial.upns().is_empty() && night.exit == 3, "{night:?}");
    let (ann, anna) = ("287f0703-630b-5c17-bc7a-5a6dc3fcbcc3", "32be85ea-530b-53b7-aa86-192904e65c9f");
    for (one, other) in [("Ann Ash", "Anna Ashe"), ("Anna Ashe", "Ann Ash")] {
        assert!(night.tells_both(&format!("{one} "), &format!("({other})")), "{night:?}");
    }
    assert!(night.tells_both(ann, anna), "{night:?}");
    trial.quiet_night().await;
}

#[tokio::test]
async fn t18_a_placeholder_is_told_in_the_plan_and_written_to_nobody() {
    let mut trial = Trial::given("18-shared-placeholder-mail").with("[attributes]\nmail = \"person.mail\"").await;
    let plan = trial.plan().await;
    for name in ["eva.nord", "finn.nord", "gil.nord"] {
        assert!(plan.tells_both(name, "shared_value"), "{plan:?}");
    }
    let night = trial.apply(&plan).await;
    assert!(night.refused().is_empty(), "{night:?}");
    assert_eq!(trial.upns().len(), 3, "everybody has an account, without the address");
    assert!(trial.live().iter().all(|account| account.text("mail").is_empty()));
    trial.quiet_night().await;
}

#[tokio::test]
async fn t18_two_newcomers_with_one_address_are_told_in_the_plan() {
    let people = "objectGUID,userPrincipalName,displayName,mail\n\
        287f0703-630b-5c17-bc7a-5a6dc3fcbcc3,eva@contoso.example,Eva Nord,team@contoso.example\n\
        32be85ea-530b-53b7-aa86-192904e65c9f,finn@contoso.example,Finn Nord,team@contoso.example\n";
    let mut trial = Trial::of("people.csv", people).with("[attributes]\nmail = \"person.mail\"").await;
    let plan = trial.plan().await;
    assert!(plan.tells_both("eva@", "Finn Nord") && plan.tells_both("finn@", "Eva Nord"), "{plan:?}");
    let night = trial.apply(&plan).await;
    assert!(night.refused().is_empty(), "{night:?}");
    trial.quiet_night().await;
}

#[tokio::test]
async fn t27_lost_zeros_block_nobody_and_create_nobody() {
    let mut trial = Trial::given("27-leading-zeros-lost").with("[anchor]\nfrom = \"employeeID\"").await;
    trial.first_night().await;
    let before = trial.upns();
    assert_eq!(before.len(), 6);
    let night = trial.night("day2").await;
    for night in [night, trial.sleep().await] {
        assert_eq!(trial.upns(), before);
        assert!(trial.live().iter().all(hardmatch_tests::Seen::enabled), "{night:?}");
        assert!(night.exit != 0 && night.tells("line 1") && night.tells("line 2"), "{night:?}");
    }
    assert_eq!(trial.account("ann.elm@contoso.example").text("employeeId"), "0012");
}

#[tokio::test]
async fn t85_a_namesake_in_the_bin_stays_there() {
    let mut trial = Trial::given("85-namesake-in-the-bin").await;
    trial.first_night().await;
    let mut night = trial.night("day2").await;
    for _ in 0..3 {
        let jane = trial.world.accounts().into_iter().find(|account| account.text("displayName") == "Jane Smith");
        assert!(jane.is_some_and(|jane| jane.deleted()), "{night:?}");
        night = trial.sleep().await;
    }
    assert_eq!(trial.account("j.smith@contoso.example").text("displayName"), "John Smith");
}

#[tokio::test]
async fn t85_a_deleted_account_without_a_given_name_is_somebodys_decision() {
    let tenant = json!({ "deletedUsers": [{
        "userPrincipalName": "j.smith@contoso.com", "displayName": "jsmith", "mail": "j.smith@contoso.com",
    }] });
    let mut trial = Trial::staff(10).tenant(&tenant).await;
    trial.first_night().await;
    trial.world.people.hire("j.smith");
    let night = trial.sleep().await;
    assert!(night.exit == 3 && night.tells_both("j.smith", "awaiting_approval"), "{night:?}");
    assert!(trial.find("j.smith@contoso.com").is_none());
    trial.quiet_night().await;
    // An operator who looked at both applies the plan, and the person is joined when it is back.
    let plan = trial.plan().await;
    trial.apply(&plan).await;
    trial.sleep().await;
    assert!(trial.account("j.smith@contoso.com").immutable_id().is_some());
}

#[tokio::test]
async fn t86_nobody_disabled_is_restored() {
    let mut trial = Trial::given("86-disabled-and-deleted").await;
    let first = trial.first_night().await;
    for night in [first, trial.sleep().await] {
        assert!(night.calls().iter().all(|call| !call.contains("restore")), "{night:?}");
        assert!(trial.find("john.smith@contoso.example").is_none());
    }
    trial.night("day2").await;
    trial.sleep().await;
    assert!(trial.account("john.smith@contoso.example").enabled());
    assert_eq!(trial.account("john.smith@contoso.example").text("employeeId"), "E0001");
    trial.quiet_night().await;
}

#[tokio::test]
async fn t101_a_small_company_has_a_small_limit() {
    let mut trial = Trial::given("101-five-people").await;
    trial.first_night().await;
    let enabled = |trial: &Trial| trial.live().iter().filter(|account| account.enabled()).count();
    let night = trial.night("day2-one-leaves").await;
    assert_eq!((enabled(&trial), night.exit), (4, 0), "{night:?}");
    trial.night("").await;
    assert_eq!(enabled(&trial), 5);
    for day in ["one-row", "two-rows"] {
        let night = trial.night(day).await;
        assert_eq!(enabled(&trial), 5, "{day}: {night:?}");
        assert!(night.exit != 0 && !night.told.is_empty(), "{day}: {night:?}");
    }
    trial.night("").await;
    assert_eq!(enabled(&trial), 5);
}

#[tokio::test]
async fn c1_return_after_our_deletion_was_purged_makes_a_new_account() {
    let mut trial = Trial::staff(7).with(DELETES).await;
    trial.first_night().await;
    let row = trial.world.people.remove("p7").unwrap();
    trial.sleep().await;
    trial.sleep().await;
    assert_eq!(trial.live().len(), 6);
    trial.world.pass_days(31);
    for _ in 0..3 {
        trial.sleep().await;
    }
    assert_eq!(trial.world.accounts().len(), 6, "the service has purged it");
    trial.world.people.put_back("p7", row);
    for _ in 0..3 {
        trial.sleep().await;
    }
    assert!(trial.account("p7@contoso.com").enabled());
    trial.quiet_night().await;
}

#[tokio::test]
async fn c5_a_namesake_keeps_no_leavers_account_open() {
    let mut trial = Trial::staff(11).await;
    let john = |trial: &mut Trial, name: &str| {
        let people = &mut trial.world.people;
        people.hire(name);
        for (column, value) in
            [("displayName", "John Smith"), ("givenName", "John"), ("sn", "Smith"), ("employeeID", "")]
        {
            people.set(name, column, value);
        }
    };
    john(&mut trial, "john.smith");
    trial.first_night().await;
    let leaver = trial.account("john.smith@contoso.com");
    trial.world.people.remove("john.smith");
    john(&mut trial, "john.smith2");
    let night = trial.sleep().await;
    trial.sleep().await;
    let after = trial.account("john.smith@contoso.com");
    assert!(!after.enabled() && after.immutable_id() == leaver.immutable_id(), "{night:?}");
    assert!(trial.find("john.smith2@contoso.com").is_some() || night.tells("john.smith2"), "{night:?}");
    let others = trial.live().into_iter().filter(|account| account.upn().starts_with('p'));
    assert!(others.clone().count() == 11 && others.into_iter().all(|account| account.enabled()));
}

#[tokio::test]
async fn c15_an_anchor_makes_nobody_an_administrator() {
    let anchor = immutable_id(&guid(900));
    let boss = json!({ "users": [{
        "userPrincipalName": "boss@contoso.com", "displayName": "The Boss", "onPremisesImmutableId": anchor,
        "roles": ["Global Administrator"], "usageLocation": "DE",
    }] });
    let rules = "[[license]]\nsku = \"ENTERPRISEPACK\"\nwhen = \"true\"\n\
        [[group]]\nname = \"Engineers\"\nkind = \"security\"\nwhen = \"person.department == 'Engineering'\"\n";
    let mut trial = Trial::staff(4).tenant(&boss).seats("ENTERPRISEPACK", 20).with(rules).await;
    trial.first_night().await;
    let before = trial.account("boss@contoso.com");
    trial.world.people.hire("mallory");
    trial.world.people.set("mallory", "objectGUID", &guid(900));
    trial.world.people.hire("newcomer");
    for _ in 0..3 {
        let night = trial.sleep().await;
        assert!(night.exit == 3 && night.tells_both("mallory", "privileged"), "{night:?}");
        assert_eq!(trial.account("boss@contoso.com").0, before.0);
        assert!(trial.find("mallory@contoso.com").is_none());
    }
    assert!(trial.account("newcomer@contoso.com").enabled());
}

#[tokio::test]
async fn c15_an_eligible_administrator_is_taken_by_nobody() {
    for by_id in [true, false] {
        let mut account = json!({
            "userPrincipalName": "boss@contoso.com", "displayName": "The Boss", "eligibleRoles": ["User Administrator"],
        });
        if by_id {
            account["onPremisesImmutableId"] = json!(immutable_id(&guid(900)));
        }
        let mut trial = Trial::staff(4).tenant(&json!({ "users": [account] })).await;
        trial.first_night().await;
        let before = trial.account("boss@contoso.com");
        trial.world.people.hire("boss");
        trial.world.people.set("boss", "objectGUID", &guid(900));
        let night = trial.sleep().await;
        assert!(night.tells_both("boss", "privileged"), "{night:?}");
        assert_eq!(trial.account("boss@contoso.com").0, before.0);
    }
}

#[tokio::test]
async fn cl_a_link_that_moves_takes_along_what_we_gave() {
    let rules = "[source]\nkey = \"sAMAccountName\"\n\
        [[license]]\nsku = \"ENTERPRISEPACK\"\nwhen = \"person.department == 'Sales'\"\n\
        [[group]]\nname = \"Sellers\"\nkind = \"security\"\nwhen = \"person.department == 'Sales'\"\n";
    let mut trial = Trial::staff(0).seats("ENTERPRISEPACK", 50).with(rules).await;
    trial.world.people.columns.extend(["sAMAccountName".to_owned(), "c".to_owned()]);
    for number in 1..=30 {
        let name = format!("q{number}");
        trial.world.people.hire(&name);
        trial.world.people.set(&name, "sAMAccountName", &name);
        trial.world.people.set(&name, "department", "Sales");
        trial.world.people.set(&name, "c", "DE");
    }
    trial.reconfigure("");
    trial.first_night().await;
    trial.sleep().await;
    let has = |trial: &Trial, name: &str| (trial.licenses(name).len(), trial.is_member(name, "Sellers"));
    let id = trial.account("q1@contoso.com").id().to_owned();
    assert_eq!(has(&trial, "q1@contoso.com"), (1, true));
    trial.world.people.set("q1", "sAMAccountName", "q1.new");
    let night = trial.sleep().await;
    trial.sleep().await;
    let moved = trial.account("q1@contoso.com");
    assert!(moved.id() == id && moved.enabled() && trial.live().len() == 30, "{night:?}");
    for (leaver, left) in [("q2", 1), ("q1", 2)] {
        trial.world.people.set(leaver, "department", "Ops");
        let night = trial.sleep().await;
        trial.sleep().await;
        assert_eq!(has(&trial, &format!("{leaver}@contoso.com")), (0, false), "{night:?}");
        let keep = (3..=30).filter(|number| has(&trial, &format!("q{number}@contoso.com")) == (1, true)).count();
        assert_eq!(keep, 28, "{left} have left");
    }
}

#[tokio::test]
async fn c15_unreadable_eligibility_is_unknown_only_with_a_plan_for_it() {
    for has_plan in [false, true] {
        let account = json!({ "userPrincipalName": "nina@contoso.com", "displayName": "Nina" });
        let setup = Trial::staff(4).tenant(&json!({ "users": [account] })).seed(|mut seed| {
            let roles = &mut seed.apps[0].roles;
            roles.retain(|role| role != "RoleManagement.Read.Directory");
            roles.push("Directory.Read.All".to_owned());
            if has_plan {
                let plan = json!({
                    "servicePlanId": "eec0eb4f-6444-4f95-aba0-50c24d67f998", "servicePlanName": "AAD_PREMIUM_P2",
                });
                let sku = json!({
                    "skuId": "84a661c4-e949-4bd2-a560-ed7766fcaf2b", "skuPartNumber": "AAD_PREMIUM_P2", "enabled": 5,
                    "plans": [plan],
                });
                seed.skus.push(serde_json::from_value(sku).unwrap());
            }
            seed
        });
        let mut trial = setup.await;
        trial.first_night().await;
        trial.world.people.hire("nina");
        let night = trial.sleep().await;
        let joined = trial.account("nina@contoso.com").immutable_id().is_some();
        assert_eq!(joined, !has_plan, "{night:?}");
        assert_eq!(night.tells_both("nina", "roles_unknown"), has_plan, "{night:?}");
    }
}

#[tokio::test]
async fn foreign_rows_and_exchanged_columns_wait_for_somebody() {
    let mut trial = Trial::staff(40).await;
    trial.first_night().await;
    // Another company's rows: more than 25, and more than a fifth of those who are there.
    for number in 100..130 {
        trial.world.people.hire(&format!("x{number}"));
    }
    let night = trial.sleep().await;
    assert!(night.exit == 3 && night.writes().is_empty() && night.tells("guarded"), "{night:?}");
    for number in 100..130 {
        trial.world.people.remove(&format!("x{number}"));
    }
    // Given names and surnames are exchanged for everybody.
    let names: Vec<(String, String)> = trial
        .world
        .people
        .names()
        .into_iter()
        .map(|name| {
            let given = trial.world.people.get(&name, "givenName").to_owned();
            (name, given)
        })
        .collect();
    for (name, given) in &names {
        trial.world.people.set(name, "sn", given).set(name, "givenName", "Contoso");
    }
    let night = trial.sleep().await;
    assert!(night.exit == 3 && night.writes().is_empty() && night.tells("guarded"), "{night:?}");
    // An operator who looks at the plan and applies it has accepted what it shows.
    let plan = trial.plan().await;
    trial.apply(&plan).await;
    assert_eq!(trial.account("p1@contoso.com").text("givenName"), "Contoso");
    // A few a day always pass.
    for (name, given) in names.iter().take(10) {
        trial.world.people.set(name, "sn", "Contoso").set(name, "givenName", given);
    }
    let night = trial.sleep().await;
    assert_eq!(night.exit, 0, "{night:?}");
}

/// Rows of a listing: key, sign-in name, display name, employee ID, department.
fn listing(rows: &[[&str; 5]]) -> String {
    let mut text = "objectGUID,userPrincipalName,displayName,employeeID,department\n".to_owned();
    for row in rows {
        text += &(row.join(",") + "\n");
    }
    // Others, so that a few changed names are below the limit for changed names.
    for n in 100..140 {
        let key = guid(n);
        let row = [key.as_str(), &format!("p{n}@contoso.example"), &format!("Person {n}"), &n.to_string(), "Sales"];
        text += &(row.join(",") + "\n");
    }
    text
}

const FOUR: [[&str; 5]; 4] = [
    ["287f0703-630b-5c17-bc7a-5a6dc3fcbcc3", "ann@contoso.example", "Ann Lee", "17", "Sales"],
    ["32be85ea-530b-53b7-aa86-192904e65c9f", "bob@contoso.example", "Bob Ray", "18", "Legal"],
    ["7d0a51d5-8f4d-5a68-9c0e-6c4a2a9a1b11", "cam@contoso.example", "Cam Fox", "19", "Legal"],
    ["a0b8a7ce-0c41-5c39-8a5f-0e64c5a3d922", "dee@contoso.example", "Dee Orr", "20", "Sales"],
];

#[tokio::test]
async fn keys_copied_between_rows_overwrite_nobody() {
    // Two rows have each other's keys; the key column is sorted by itself; a third row's department changed, too; a key
    // stands twice beside a row with the names of its owner.
    let with_keys = |keys: [usize; 4]| {
        let mut rows = FOUR;
        for (row, key) in rows.iter_mut().zip(keys) {
            row[0] = FOUR[key][0];
        }
        rows
    };
    let mut edited = with_keys([1, 0, 2, 3]);
    edited[0][4] = "Support";
    for damaged in
        [with_keys([1, 0, 2, 3]), with_keys([3, 2, 1, 0]), with_keys([1, 2, 0, 3]), edited, with_keys([1, 0, 0, 3])]
    {
        let mut trial = Trial::of("people.csv", listing(&FOUR)).await;
        trial.first_night().await;
        for _ in 0..3 {
            let night = trial.night_with(listing(&damaged)).await;
            assert!(night.writes().is_empty() && night.exit == 3, "{night:?}");
            assert!(night.tells("the key of one person and the"), "{night:?}");
        }
        let night = trial.night_with(listing(&FOUR)).await;
        assert!(night.writes().is_empty() && night.exit == 0, "{night:?}");
    }
}

#[tokio::test]
async fn people_who_hand_their_sign_in_names_over_get_them() {
    let mut rows = FOUR;
    // Ann marries and has a new name; Bob gets the one she had.
    (rows[0][1], rows[0][2], rows[1][1]) = ("ann.fox@contoso.example", "Ann Fox", "ann@contoso.example");
    let mut trial = Trial::of("people.csv", listing(&FOUR)).await;
    trial.first_night().await;
    trial.night_with(listing(&rows)).await;
    let night = trial.night_with(listing(&rows)).await;
    assert_eq!(trial.account("ann@contoso.example").text("displayName"), "Bob Ray", "{night:?}");
    assert_eq!(trial.account("ann.fox@contoso.example").text("displayName"), "Ann Fox", "{night:?}");
}

#[tokio::test]
async fn a_few_who_leave_every_night_are_noticed() {
    let mut trial = Trial::staff(50).await;
    trial.first_night().await;
    let enabled = |trial: &Trial| trial.live().iter().filter(|account| account.enabled()).count();
    let mut told = false;
    for day in 0..8 {
        for number in [2 * day + 1, 2 * day + 2] {
            trial.world.people.remove(&format!("p{number}"));
        }
        let night = trial.sleep().await;
        told |= night.exit == 3 && night.tells("30 days");
    }
    // Three a day are allowed, so twelve a month are.
    assert!(told && enabled(&trial) == 38, "{}", enabled(&trial));
}

#[tokio::test]
async fn somebody_present_whom_somebody_else_blocked_needs_a_look() {
    let mut trial = Trial::staff(6).await;
    trial.first_night().await;
    trial.world.tenant.set_user("p1@contoso.com", json!({ "accountEnabled": false })).unwrap();
    for _ in 0..2 {
        let night = trial.sleep().await;
        assert!(
            night.exit == 3 && night.writes().is_empty() && night.tells_both("p1", "blocked_elsewhere"),
            "{night:?}"
        );
    }
    trial.world.people.set("p1", "enabled", "false");
    assert_eq!(trial.sleep().await.exit, 0, "nobody misses it any more");
}

#[tokio::test]
async fn a_plan_can_be_applied_for_seven_days() {
    let mut trial = Trial::staff(3).await;
    let plan = trial.plan().await;
    trial.world.pass_days(8);
    let late = trial.apply(&plan).await;
    assert!(late.exit != 0 && trial.live().is_empty(), "{late:?}");
    let plan = trial.plan().await;
    trial.world.pass_days(6);
    trial.apply(&plan).await;
    assert_eq!(trial.live().len(), 3);
}

#[tokio::test]
async fn a_restored_older_state_stops_at_its_plan() {
    let mut trial = Trial::staff(6).await;
    trial.first_night().await;
    assert_eq!(trial.sleep().await.exit, 0);
    let backup = trial.world.backup().await;
    trial.world.people.set("p2", "title", "Lead");
    trial.sleep().await;
    trial.world.restore(&backup).await;
    trial.world.people.set("p1", "title", "Lead");
    for _ in 0..2 {
        let night = trial.sleep().await;
        assert!(night.exit == 3 && night.writes().is_empty(), "{night:?}");
        assert_eq!(night.ran().run.stop, Some(hardmatch_ports::run::Stop::StateLost));
    }
    let plan = trial.plan().await;
    trial.apply(&plan).await;
    assert_eq!(trial.account("p1@contoso.com").text("jobTitle"), "Lead");
    assert_eq!(trial.quiet_night().await.exit, 0, "what was accepted is the truth from now on");
}
