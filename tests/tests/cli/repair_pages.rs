//! The pages about repairs, as an operator follows them: every command of a section is given, in order, and the accounts end
//! as the section says.

use std::fs;
use std::path::Path;

use hardmatch_sim::{DomainType, Seed};
use hardmatch_tests::immutable_id;
use serde_json::{Value, json};

use crate::docs::commands;
use crate::fixture::{Fixture, Said, rows, tenant, text};

/// The account that the page names in full.
const ACCOUNT: &str = "6f1d3c20-0000-4000-8000-000000000001";
const STRANGE: &str = "deadbeef-1a2b-4c3d-8e4f-0123456789ab";
const ADA: &str = "ada@contoso.com";

/// A section of a page, from its heading to the next one.
fn section(page: &str, heading: &str) -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page)).unwrap();
    let from = text.split_once(&format!("## {heading}\n")).unwrap_or_else(|| panic!("{page} has no {heading}")).1;
    from.split("\n## ").next().unwrap_or_default().to_owned()
}

/// Gives the commands of a section, with the plan's hash and the repair's name in their places. What each said.
fn follow(fixture: &Fixture, section: &str) -> Vec<(String, Said)> {
    let mut told: Vec<(String, Said)> = Vec::new();
    let (mut hash, mut repair) = (String::new(), String::new());
    for command in commands(section) {
        let word = |word: &str| match word {
            "PLAN" => hash.clone(),
            "REPAIR" => repair.clone(),
            other => other.to_owned(),
        };
        let words: Vec<String> = command.iter().map(|one| word(one)).collect();
        let mut all: Vec<&str> = words.iter().map(String::as_str).collect();
        all.extend(["--config", "lab.toml"]);
        let said = fixture.run(&all);
        assert!(matches!(said.code, Some(0 | 3)), "hardmatch {}: {said}", words.join(" "));
        let after = |mark: &str| said.out.split(mark).nth(1).and_then(|rest| rest.split_whitespace().next());
        if let Some(shown) = after("hardmatch apply ").filter(|_| words[0] == "plan") {
            shown.clone_into(&mut hash);
        }
        if words.starts_with(&["repair".to_owned(), "list".to_owned()]) {
            said.out.split_whitespace().next().unwrap_or_default().clone_into(&mut repair);
        }
        told.push((words.join(" "), said));
    }
    told
}

/// Ada and two others at the source.
fn people() -> Vec<crate::fixture::Row> {
    let mut people = rows(3);
    ADA.clone_into(&mut people[1].upn);
    people
}

/// The tenant, where people of contoso.com sign in at an identity provider.
fn federated() -> Seed {
    let mut seed = tenant();
    for domain in seed.domains.iter_mut().filter(|domain| domain.name == "contoso.com") {
        domain.kind = DomainType::Federated;
    }
    seed
}

fn said<'t>(told: &'t [(String, Said)], command: &str) -> &'t Said {
    &told.iter().find(|(given, _)| given.starts_with(command)).unwrap_or_else(|| panic!("no {command}")).1
}

#[test]
fn k18_the_page_repairs_a_federated_account_and_every_check_is_good_afterwards() {
    let people = people();
    let seed = federated();
    let account = json!({
        "userPrincipalName": ADA, "mail": ADA, "displayName": people[1].name(), "employeeId": people[1].employee,
        "onPremisesImmutableId": immutable_id(STRANGE),
    });
    let fixture = Fixture::with_people(seed.user(account), &people);
    fixture.configure(
        "soft_deleted = \"restore\"",
        "soft_deleted = \"restore\"\nprove = [\"employeeId\"]\n[anchor]\non_conflict = \"source-wins\"",
    );
    fixture.world().change_app(crate::fixture::CLIENT, |app| app.roles.push("Domain.Read.All".to_owned())).unwrap();
    let told = follow(&fixture, &section("repairs.md", "A federated account with a missing or wrong immutable ID"));
    assert_eq!(text(&fixture.user(ADA)["onPremisesImmutableId"]), immutable_id(&people[1].guid));
    let start = said(&told, "repair start");
    assert_eq!(start.out.matches("  ok: ").count(), 5, "{start}");
    assert!(!start.out.contains("  look: "), "{start}");
}

#[test]
fn d11_the_page_makes_one_account_of_a_pair_and_shows_what_both_have_before() {
    let people = people();
    let id = immutable_id(&people[1].guid);
    let copy = json!({
        "userPrincipalName": "ada1234@contoso.com", "displayName": people[1].name(), "onPremisesImmutableId": id,
        "accountEnabled": true,
    });
    let own = json!({ "userPrincipalName": ADA, "mail": ADA, "displayName": people[1].name(), "accountEnabled": true });
    let fixture = Fixture::with_people(tenant().user(copy).user(own), &people);
    let ids = ["ada1234@contoso.com", ADA].map(|upn| text(&fixture.user(upn)["id"]).to_owned());
    let told = follow(&fixture, &section("repairs.md", "Two accounts for one person"));
    let audit = said(&told, "repair audit");
    let mut dates = 0;
    for account in &ids {
        for evidence in ["licenses fact at ", "enabled fact at "] {
            let shown = format!("{evidence}{account}");
            assert!(audit.out.contains(&shown), "{shown}: {audit}");
        }
        dates += audit.out.matches(&format!("dates fact at {account}")).count();
    }
    assert!(dates >= 2, "when each was made: {audit}");
    assert_eq!(text(&fixture.user(ADA)["id"]), ids[1], "the one with the name stays");
    assert_eq!(text(&fixture.user(ADA)["onPremisesImmutableId"]), id);
    assert!(fixture.world().user("ada1234@contoso.com").is_none_or(|user| !user["deletedDateTime"].is_null()));
}

#[test]
fn o25_o28_the_page_links_an_account_whose_id_the_source_learns_and_warns_until_then() {
    let people = people();
    let seed = federated();
    let account = json!({
        "id": ACCOUNT, "userPrincipalName": ADA, "mail": ADA, "displayName": people[1].name(),
        "onPremisesImmutableId": immutable_id(STRANGE),
    });
    let fixture = Fixture::with_people(seed.user(account), &people);
    fixture
        .configure("soft_deleted = \"restore\"", "soft_deleted = \"restore\"\n[anchor]\non_conflict = \"tenant-wins\"");
    let told = follow(&fixture, &section("repairs.md", "InvalidSoftMatch"));
    assert!(said(&told, "repair audit").out.contains("anchor_conflict"), "{}", said(&told, "repair audit"));
    let learned = said(&told, "repair learned");
    let row = format!("{},{ADA},{}", people[1].guid, immutable_id(STRANGE));
    assert!(learned.out.starts_with("key,userPrincipalName,immutableId\n") && learned.out.contains(&row), "{learned}");
    let run = |words: &[&str]| fixture.run(&[words, &["--config", "lab.toml"]].concat());
    // A sign-in that asserts the source's ID fails until the source knows the tenant's.
    let audit = run(&["repair", "audit", "--json"]).json();
    let warned = |audit: &Value| {
        let all = audit["findings"].as_array().unwrap();
        all.iter().any(|one| one["class"] == "id_mismatch" && one["upn"] == ADA)
    };
    assert!(warned(&audit), "{audit:#}");
    // A file's owner enters it, and nothing is learned any more.
    let by_hand = run(&["repair", "learned", "--write", "--json"]).json();
    assert_eq!(by_hand["learned"][0]["source"], "by-hand", "{by_hand:#}");
    let before = fs::read_to_string(fixture.path("source.csv")).unwrap();
    assert_eq!(before, crate::fixture::csv(&people), "a file is never written to");
    assert_eq!(text(&fixture.user(ADA)["onPremisesImmutableId"]), immutable_id(STRANGE), "nor the account's ID");
}

#[test]
fn the_page_clears_the_id_of_an_account_that_stays_and_sets_it_again() {
    let people = people();
    let copy = json!({
        "userPrincipalName": "copy@contoso.com", "displayName": "Copy", "onPremisesImmutableId": immutable_id(STRANGE),
    });
    let fixture = Fixture::with_people(tenant().user(copy), &people);
    let told = follow(&fixture, &section("repairs.md", "Taking an immutable ID from an account that stays"));
    assert!(said(&told, "repair clear").out.contains("repaired clear-id"), "{}", said(&told, "repair clear"));
    assert_eq!(fixture.user("copy@contoso.com")["onPremisesImmutableId"], Value::Null);
    fixture.plan_and_apply();
    assert_eq!(text(&fixture.user("copy@contoso.com")["onPremisesImmutableId"]), immutable_id(STRANGE));
}

#[test]
fn o6_o7_the_page_takes_everybody_over_from_entra_connect_and_nobody_is_lost() {
    let people = rows(3);
    let mut seed: Seed = tenant();
    seed.organization.on_premises_sync_enabled = Some(true);
    seed.organization.on_premises_last_sync_date_time = Some("2020-01-01T00:00:00Z".to_owned());
    for row in &people {
        seed = seed.user(json!({
            "userPrincipalName": row.upn, "mail": row.upn, "displayName": row.name(), "onPremisesSyncEnabled": true,
            "onPremisesImmutableId": immutable_id(&row.guid),
        }));
    }
    let leftover = json!({
        "userPrincipalName": "old@contoso.com", "displayName": "Old", "onPremisesSyncEnabled": true,
        "onPremisesImmutableId": immutable_id(STRANGE),
    });
    let fixture = Fixture::with_people(seed.user(leftover), &people);
    let ids: Vec<Value> = people.iter().map(|row| fixture.user(&row.upn)["id"].clone()).collect();
    let told = follow(&fixture, &section("entra-connect.md", "While Entra Connect runs"));
    assert!(said(&told, "doctor").out.contains("stands still"), "{}", said(&told, "doctor"));
    assert!(said(&told, "plan").out.contains("mastered_elsewhere"), "{}", said(&told, "plan"));
    // The first account is the cloud's after a day.
    let cloud = |upn: &str| fixture.world().set_user(upn, json!({ "onPremisesSyncEnabled": false })).unwrap();
    follow(&fixture, &section("entra-connect.md", "While it is being turned off"));
    cloud(&people[0].upn);
    follow(&fixture, &section("entra-connect.md", "While it is being turned off"));
    let synced = |row: &&crate::fixture::Row| fixture.user(&row.upn)["onPremisesSyncEnabled"] == json!(true);
    assert_eq!(people.iter().filter(synced).count(), 2);
    people[1..].iter().for_each(|row| cloud(&row.upn));
    cloud("old@contoso.com");
    let told = follow(&fixture, &section("entra-connect.md", "When every account is the cloud's"));
    assert!(said(&told, "repair audit").out.contains("on_premises_leftover"), "{}", said(&told, "repair audit"));
    for (row, id) in people.iter().zip(&ids) {
        let user = fixture.user(&row.upn);
        assert_eq!((&user["id"], text(&user["onPremisesImmutableId"])), (id, immutable_id(&row.guid).as_str()));
    }
    assert_eq!(fixture.world().live_users(), people.len() + 1, "nobody is made, and nobody is gone");
    let last = said(&told, "sync");
    assert_eq!(last.code, Some(0), "{last}");
}
