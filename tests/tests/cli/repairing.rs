//! Repairs by the command line, as an operator does them: found, started, shown, linked.

use hardmatch_sim::{DomainType, Exported, Seed};
use hardmatch_tests::immutable_id;
use serde_json::{Value, json};

use crate::fixture::{Fixture, Row, Said, rows, tenant, text};
use crate::kill::{kill_when, late_answers};

const ADA: &str = "person1@contoso.com";
const BEA: &str = "person2@contoso.com";

fn account(row: &Row, id: Option<&str>) -> Value {
    let mut account = json!({
        "userPrincipalName": row.upn, "mail": row.upn, "displayName": row.name(), "employeeId": row.employee,
    });
    if let Some(id) = id {
        account["onPremisesImmutableId"] = json!(id);
    }
    account
}

fn run(fixture: &Fixture, words: &[&str]) -> Said {
    let mut all = words.to_vec();
    all.extend(["--config", "lab.toml"]);
    fixture.run(&all)
}

/// The first person's account is under somebody's ID, others have none; every account is in a federated domain.
fn broken(people: &[Row]) -> Fixture {
    let mut seed: Seed = tenant();
    for domain in seed.domains.iter_mut().filter(|domain| domain.name == "contoso.com") {
        domain.kind = DomainType::Federated;
    }
    let strange = immutable_id("deadbeef-1a2b-4c3d-8e4f-0123456789ab");
    seed = seed.user(account(&people[1], Some(&strange)));
    for row in &people[2..] {
        seed = seed.user(account(row, None));
    }
    let fixture = Fixture::with_people(seed, people);
    fixture.configure(
        "soft_deleted = \"restore\"",
        "soft_deleted = \"restore\"\nprove = [\"employeeId\"]\n[anchor]\non_conflict = \"source-wins\"",
    );
    fixture
}

fn classes<'a>(audit: &'a Value, class: &str) -> Vec<&'a Value> {
    audit["findings"].as_array().unwrap().iter().filter(|one| one["class"] == class).collect()
}

#[test]
fn k2_k21_the_audit_lists_accounts_without_an_id_and_writes_nothing() {
    let people = rows(7);
    let fixture = broken(&people);
    let audit = run(&fixture, &["repair", "audit", "--json"]).ends(3).json();
    assert_eq!(classes(&audit, "account_without_id").len(), 5, "{audit:#}");
    let wrong = classes(&audit, "anchor_wrong");
    assert_eq!(wrong.len(), 1, "{audit:#}");
    assert_eq!(wrong[0]["upn"], ADA);
    assert_eq!(wrong[0]["repair"]["kind"], "replace_id");
    assert_eq!(wrong[0]["repair"]["calls"].as_array().unwrap().len(), 3);
    assert!(!wrong[0]["evidence"].as_array().unwrap().is_empty() && !text(&wrong[0]["cure"]).is_empty());
    assert_eq!(fixture.world().counters().writes, 0);
    let shown = run(&fixture, &["repair", "audit"]).ends(3);
    assert!(
        shown.out.contains("anchor_wrong person1@contoso.com") && shown.out.contains("repair: replace-id"),
        "{shown}"
    );
}

#[test]
fn k6_k8_what_the_audit_found_is_repaired_from_its_output_and_shown_with_old_and_new() {
    let people = rows(3);
    let fixture = broken(&people);
    let audit = run(&fixture, &["repair", "audit", "--json"]).ends(3);
    fixture.write("broken.json", &audit.out);
    run(&fixture, &["repair", "start", "--from", "broken.json", "--json"]).ends(0);
    for row in &people[1..] {
        let user = fixture.user(&row.upn);
        assert_eq!(text(&user["onPremisesImmutableId"]), immutable_id(&row.guid), "{user}");
    }
    let list = run(&fixture, &["repair", "list", "--json"]).ends(0).json();
    let repairs = list["repairs"].as_array().unwrap();
    assert_eq!(repairs.len(), 2, "{list:#}");
    let shown = run(&fixture, &["repair", "show", text(&repairs[0]["id"])]).ends(0);
    assert!(shown.out.contains(" repaired ") && shown.out.contains("(written)"), "{shown}");
    assert!(shown.out.contains("before: account "), "{shown}");
    let strange = immutable_id("deadbeef-1a2b-4c3d-8e4f-0123456789ab");
    let history = run(&fixture, &["explain", ADA, "--history"]).ends(0);
    for word in [strange.as_str(), immutable_id(&people[1].guid).as_str()] {
        assert!(history.out.contains(word), "{history}");
    }
    // Nothing is left to repair.
    let again = run(&fixture, &["repair", "start", ADA]).ends(3);
    assert!(again.out.contains("no repair is planned"), "{again}");
}

#[test]
fn k15_a_link_to_what_somebody_has_is_refused_with_both_owners_named() {
    let people = rows(3);
    let fixture = broken(&people);
    fixture.plan();
    let (ada, bea) = (fixture.user(ADA)["id"].clone(), fixture.user(BEA)["id"].clone());
    run(&fixture, &["repair", "link", "--person", ADA, "--account", text(&ada), "--json"]).ends(0);
    assert_eq!(fixture.world().counters().writes, 0, "a link writes nothing to the tenant");
    let refused = run(&fixture, &["repair", "link", "--person", BEA, "--account", text(&ada)]).ends(1);
    let keys = [people[1].guid.as_str(), people[2].guid.as_str()];
    assert!(keys.iter().all(|key| refused.err.contains(key)), "{refused}");
    let typed = immutable_id(&people[1].guid);
    let words = ["repair", "link", "--person", BEA, "--account", text(&bea), "--immutable-id", &typed];
    let refused = run(&fixture, &words).ends(2);
    assert!(keys.iter().all(|key| refused.err.contains(key)), "{refused}");
}

#[test]
fn d23_a_repair_killed_halfway_is_listed_taken_back_and_everything_is_as_before() {
    let people = rows(2);
    let fixture = broken(&people);
    let before = fixture.user(ADA);
    let plan = fixture.plan();
    late_answers(&fixture);
    let command = ["apply", text(&plan["plan"]), "--config", "lab.toml", "--json"];
    let moved = |fixture: &Fixture| fixture.world().user(ADA).is_none();
    assert!(kill_when(&fixture, fixture.start(&command), |_| moved(&fixture)));
    fixture.world().clear_faults();
    let list = run(&fixture, &["repair", "list", "--json"]).ends(3).json();
    let id = text(&list["repairs"][0]["id"]).to_owned();
    let unknown = run(&fixture, &["repair", "rollback", "00000000"]).ends(1);
    assert!(unknown.err.contains("hardmatch repair list"), "{unknown}");
    run(&fixture, &["repair", "rollback", &id[..12]]).ends(0);
    run(&fixture, &["sync", "--yes"]);
    let after = fixture.user(ADA);
    assert_eq!(after["onPremisesImmutableId"], before["onPremisesImmutableId"]);
    let list = run(&fixture, &["repair", "list"]).ends(0);
    assert!(list.out.contains("rolled-back"), "{list}");
}

#[test]
fn d4_the_clinic_names_duplicates_and_what_blocks_an_anchor_and_doctor_points_to_it() {
    let people = rows(2);
    let fixture = broken(&people);
    let world = fixture.world();
    let copy = json!({ "userPrincipalName": "person17@contoso.com", "displayName": people[1].name() });
    world.add_user(copy).unwrap();
    world.set_user(ADA, json!({ "onPremisesObjectIdentifier": "6f1d3c20-0000-4000-8000-000000000001" })).unwrap();
    world.configure(|options| {
        options.federated_token_validation = false;
        options.connect.harden_object_identifier = false;
        options.hybrid_devices = 2;
    });
    let roles = ["OnPremDirectorySynchronization.Read.All", "Policy.Read.All", "Device.Read.All", "Domain.Read.All"];
    world.change_app(crate::fixture::CLIENT, |app| app.roles.extend(roles.map(str::to_owned))).unwrap();
    let audit = run(&fixture, &["repair", "audit", "--json"]).ends(3).json();
    for class in
        ["duplicate_by_name", "object_identifier_set", "hardening_opted_out", "federation_without_token_validation"]
    {
        let found = classes(&audit, class);
        assert_eq!(found.len(), 1, "{class}: {audit:#}");
        assert!(!text(&found[0]["cure"]).is_empty() && !found[0]["evidence"].as_array().unwrap().is_empty());
    }
    assert_eq!(classes(&audit, "duplicate_by_name")[0]["accounts"].as_array().unwrap().len(), 2);
    let doctor = run(&fixture, &["doctor", "--json"]).json();
    let said = doctor.to_string();
    for word in ["hardmatch repair audit", "signs in by wsFed", "hybrid joined", "OnPremisesObjectIdentifierEnabled"] {
        assert!(said.contains(word), "{word}: {doctor:#}");
    }
    assert_eq!(world.counters().writes, 0);
}

/// What an audit says of two accounts of one name, one of which somebody used.
fn audit_of_a_used_pair(roles: &[&str]) -> Value {
    let people = rows(2);
    let fixture = broken(&people);
    let world = fixture.world();
    world.add_user(json!({ "userPrincipalName": "person17@contoso.com", "displayName": people[1].name() })).unwrap();
    let activity = json!({
        "lastSignInDateTime": "2026-02-01T08:00:00Z", "lastNonInteractiveSignInDateTime": "2026-02-03T08:00:00Z",
    });
    world.set_user(ADA, json!({ "signInActivity": activity })).unwrap();
    let roles = roles.iter().map(|role| (*role).to_owned());
    world.change_app(crate::fixture::CLIENT, |app| app.roles.extend(roles)).unwrap();
    run(&fixture, &["repair", "audit", "--json"]).ends(3).json()
}

#[test]
fn d11_the_audit_says_when_somebody_signed_in_to_each_account_of_a_pair() {
    let audit = audit_of_a_used_pair(&["AuditLog.Read.All"]);
    let evidence = classes(&audit, "duplicate_by_name")[0]["evidence"].to_string();
    for words in ["was last signed in to at 2026-02-03T08:00:00Z", "nobody has signed in to"] {
        assert!(evidence.contains(words), "{words}: {audit:#}");
    }
    assert!(!audit["unread"].to_string().contains("AuditLog.Read.All"), "{audit:#}");
}

#[test]
fn d11_an_audit_without_the_right_to_see_sign_ins_says_so() {
    let audit = audit_of_a_used_pair(&[]);
    assert_eq!(classes(&audit, "duplicate_by_name").len(), 1, "{audit:#}");
    assert!(audit["unread"].to_string().contains("AuditLog.Read.All"), "{audit:#}");
}

#[test]
fn o6_the_clinic_names_what_entra_connect_could_not_write() {
    let people = rows(2);
    let mut seed = tenant().user(account(&people[1], Some(&immutable_id(&people[1].guid))));
    seed.organization.on_premises_sync_enabled = Some(true);
    let fixture = Fixture::with_people(seed, &people);
    let taken = json!({ "userPrincipalName": ADA, "displayName": "Another Ada" });
    let exported = fixture.world().connect_export("6SNZnFLe6jOI3n68hjO5zA==", taken).unwrap();
    let Exported::Quarantined(id, _) = exported else { panic!("{exported:?}") };
    let audit = run(&fixture, &["repair", "audit", "--json"]).ends(3).json();
    let found = classes(&audit, "provisioning_error");
    assert_eq!(found.len(), 1, "{audit:#}");
    assert_eq!(found[0]["accounts"], json!([id.to_string()]), "{audit:#}");
    assert!(text(&found[0]["evidence"][0]).contains(ADA), "{audit:#}");
}

#[test]
fn o43_a_sign_in_name_that_differs_from_the_asserted_one_has_a_row() {
    let mut people = rows(2);
    let fixture = broken(&people);
    let right = immutable_id(&people[1].guid);
    fixture.world().set_user(ADA, json!({ "onPremisesImmutableId": right })).unwrap();
    "other1@contoso.com".clone_into(&mut people[1].upn);
    fixture.write("source.csv", crate::fixture::csv(&people));
    let audit = run(&fixture, &["repair", "audit", "--json"]).ends(3).json();
    let found = classes(&audit, "upn_mismatch");
    assert_eq!(found.len(), 1, "{audit:#}");
    assert!(text(&found[0]["evidence"][0]).contains("other1@contoso.com"), "{audit:#}");
}

/// Gives the command that applies the first plan, kills its process as soon as the tenant took so many writes, and gives the
/// nightly command until no repair is open.
fn killed_and_gone_on(fixture: &Fixture, writes: u64) {
    let plan = fixture.plan();
    late_answers(fixture);
    let command = ["apply", text(&plan["plan"]), "--config", "lab.toml", "--json"];
    kill_when(fixture, fixture.start(&command), |calls| calls.writes >= writes);
    fixture.world().clear_faults();
    for _ in 0..3 {
        run(fixture, &["sync", "--yes"]);
    }
    let list = run(fixture, &["repair", "list"]).ends(0);
    assert!(list.out.contains(" repaired "), "killed at {writes} writes: {list}");
}

#[test]
fn k11_a_process_killed_at_each_call_of_a_repair_leaves_nobody_half_repaired() {
    let people = rows(2);
    for writes in 1..=4 {
        let fixture = broken(&people);
        killed_and_gone_on(&fixture, writes);
        let ada = fixture.user(ADA);
        assert_eq!(text(&ada["onPremisesImmutableId"]), immutable_id(&people[1].guid), "killed at {writes} writes");
    }
}

#[test]
fn k11_a_process_killed_at_each_call_of_a_merge_leaves_one_account() {
    let people = rows(2);
    let id = immutable_id(&people[1].guid);
    for writes in 1..=4 {
        let copy =
            json!({ "userPrincipalName": "ada1234@contoso.com", "displayName": "Ada", "onPremisesImmutableId": id });
        let fixture = Fixture::with_people(tenant().user(copy).user(account(&people[1], None)), &people);
        killed_and_gone_on(&fixture, writes);
        assert_eq!(text(&fixture.user(ADA)["onPremisesImmutableId"]), id, "killed at {writes} writes");
        assert!(fixture.world().user("ada1234@contoso.com").is_none_or(|user| !user["deletedDateTime"].is_null()));
    }
}
