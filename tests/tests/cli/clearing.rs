//! An immutable ID that is taken from an account that stays: by name, or as the audit proposes it for accounts of nobody.

use hardmatch_sim::{DomainType, Seed};
use hardmatch_tests::immutable_id;
use serde_json::{Value, json};

use crate::fixture::{Fixture, Said, rows, tenant, text};

const LEFT: &str = "left@contoso.com";
const ADA: &str = "person1@contoso.com";
const STRANGE: &str = "deadbeef-1a2b-4c3d-8e4f-0123456789ab";

fn run(fixture: &Fixture, words: &[&str]) -> Said {
    let mut all = words.to_vec();
    all.extend(["--config", "lab.toml"]);
    fixture.run(&all)
}

/// People with accounts of ours, and an account of nobody that Entra Connect left behind.
fn left_behind(federated: bool) -> Fixture {
    let mut seed: Seed = tenant();
    if federated {
        seed.domains
            .iter_mut()
            .filter(|domain| domain.name == "contoso.com")
            .for_each(|domain| domain.kind = DomainType::Federated);
    }
    let fixture = Fixture::with_people(seed, &rows(3));
    let left = json!({
        "userPrincipalName": LEFT, "displayName": "Left", "onPremisesImmutableId": immutable_id(STRANGE),
        "onPremisesSyncEnabled": false,
    });
    fixture.world().add_user(left).unwrap();
    fixture.plan_and_apply();
    fixture
}

fn leftover(audit: &Value) -> Value {
    let all = audit["findings"].as_array().unwrap();
    all.iter().find(|one| one["class"] == "on_premises_leftover").cloned().unwrap_or_default()
}

#[test]
fn the_audit_proposes_to_clear_a_leftover_and_its_output_does_it() {
    let fixture = left_behind(false);
    let audit = run(&fixture, &["repair", "audit", "--json"]).ends(3);
    assert_eq!(leftover(&audit.json())["repair"]["kind"], "clear_id", "{audit}");
    fixture.write("broken.json", &audit.out);
    let before = fixture.world().counters().writes;
    let done = run(&fixture, &["repair", "start", "--from", "broken.json", "--json"]).ends(0).json();
    assert_eq!(done["repairs"][0]["result"], "done", "{done:#}");
    assert_eq!(fixture.world().counters().writes, before + 1);
    let account = fixture.user(LEFT);
    assert_eq!(account["onPremisesImmutableId"], Value::Null);
    let shown = run(&fixture, &["repair", "list", "--json"]).ends(0).json();
    let id = text(&shown["repairs"][0]["id"]).to_owned();
    assert!(shown["repairs"][0].get("person").is_none(), "nobody's account: {shown:#}");
    // It is taken back by its name, and then no more.
    run(&fixture, &["repair", "rollback", &id]).ends(0);
    run(&fixture, &["sync"]).ends(0);
    assert_eq!(text(&fixture.user(LEFT)["onPremisesImmutableId"]), immutable_id(STRANGE));
    let again = run(&fixture, &["repair", "rollback", &id]).ends(1);
    assert!(again.err.contains("taken back already"), "{again}");
}

#[test]
fn a_leftover_is_not_proposed_where_somebody_may_sign_in_by_its_id() {
    let fixture = left_behind(true);
    let audit = run(&fixture, &["repair", "audit", "--json"]).ends(3).json();
    assert!(leftover(&audit).get("repair").is_none(), "{audit:#}");
    // By name it is done, and the sign-in name goes where nobody needs an ID.
    let cleared = run(&fixture, &["repair", "clear", LEFT, "--json"]).ends(0).json();
    assert_eq!(cleared["repair"]["state"], "repaired", "{cleared:#}");
    assert!(fixture.world().user(LEFT).is_none());
    let moved = fixture.user("left@lab.onmicrosoft.com");
    assert_eq!(moved["onPremisesImmutableId"], Value::Null);
    let again = run(&fixture, &["repair", "clear", text(&moved["id"])]).ends(0);
    assert!(again.err.contains("has no immutable ID"), "{again}");
    run(&fixture, &["repair", "rollback", text(&cleared["repair"]["id"])]).ends(0);
    run(&fixture, &["sync"]).ends(0);
    assert_eq!(text(&fixture.user(LEFT)["onPremisesImmutableId"]), immutable_id(STRANGE));
}

#[test]
fn the_id_of_a_linked_account_is_cleared_by_name_alone_and_undone() {
    let fixture = left_behind(false);
    let ada = fixture.user(ADA);
    run(&fixture, &["repair", "clear", text(&ada["id"])]).ends(0);
    assert_eq!(fixture.user(ADA)["onPremisesImmutableId"], Value::Null);
    let history = run(&fixture, &["explain", ADA, "--history"]).ends(0);
    assert!(history.out.contains("asked_for"), "{history}");
    // What is next is said, and nothing is written by itself.
    let night = run(&fixture, &["sync"]).ends(3);
    assert!(night.out.contains("anchor_drift"), "{night}");
    assert_eq!(fixture.user(ADA)["onPremisesImmutableId"], Value::Null);
    let change = run(&fixture, &["repair", "list", "--json"]).json()["repairs"][0]["change"].clone();
    let plan = run(&fixture, &["runs", "undo", "--change", text(&change), "--json"]).json();
    run(&fixture, &["apply", text(&plan["plan"])]);
    assert_eq!(fixture.user(ADA)["onPremisesImmutableId"], ada["onPremisesImmutableId"], "{plan:#}");
}

#[test]
fn an_id_is_not_cleared_where_that_would_lock_out_or_be_undone_at_once() {
    // A linked person of a federated domain.
    let fixture = left_behind(true);
    let refused = run(&fixture, &["repair", "clear", ADA]).ends(1);
    assert!(refused.err.contains("federated domain") && refused.err.contains(&rows(3)[1].guid), "{refused}");
    // A source that would set it again.
    let fixture = left_behind(false);
    fixture
        .configure("soft_deleted = \"restore\"", "soft_deleted = \"restore\"\n[anchor]\non_conflict = \"source-wins\"");
    fixture.plan_and_apply();
    let refused = run(&fixture, &["repair", "clear", ADA]).ends(1);
    assert!(refused.err.contains("source-wins"), "{refused}");
    // A role, an account that Entra Connect masters, and a guest.
    let world = fixture.world();
    world.grant_role(LEFT, "User Administrator").unwrap();
    run(&fixture, &["sync"]);
    let refused = run(&fixture, &["repair", "clear", LEFT]).ends(1);
    assert!(refused.err.contains("User Administrator"), "{refused}");
    let audit = run(&fixture, &["repair", "audit", "--json"]).json();
    assert!(leftover(&audit).get("repair").is_none(), "{audit:#}");
    let synced = json!({
        "userPrincipalName": "synced@contoso.com", "displayName": "Synced", "onPremisesSyncEnabled": true,
        "onPremisesImmutableId": immutable_id(STRANGE.replace("dead", "feed").as_str()),
    });
    world.add_user(synced).unwrap();
    run(&fixture, &["sync"]);
    let refused = run(&fixture, &["repair", "clear", "synced@contoso.com"]).ends(1);
    assert!(refused.err.contains("Entra Connect masters"), "{refused}");
    let unknown = run(&fixture, &["repair", "clear", "nobody@contoso.com"]).ends(1);
    assert!(unknown.err.contains("hardmatch plan"), "{unknown}");
}

#[test]
fn a_pair_with_data_on_both_is_joined_after_the_id_of_one_was_cleared() {
    let people = rows(2);
    let mut seed: Seed = tenant();
    let id = immutable_id(&people[1].guid);
    seed = seed.user(json!({
        "userPrincipalName": "copy@contoso.com", "displayName": "Copy", "onPremisesImmutableId": id,
    }));
    let own = json!({ "userPrincipalName": ADA, "mail": ADA, "displayName": people[1].name() });
    let fixture = Fixture::with_people(seed.user(own), &people);
    fixture.configure("[state]", "[actions]\ntakeover = \"on\"\n[state]");
    fixture.plan();
    run(&fixture, &["repair", "clear", "copy@contoso.com"]).ends(0);
    fixture.plan_and_apply();
    assert_eq!(text(&fixture.user(ADA)["onPremisesImmutableId"]), id);
    assert_eq!(fixture.user("copy@contoso.com")["onPremisesImmutableId"], Value::Null, "it stays, without an ID");
}
