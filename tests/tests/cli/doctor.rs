//! `doctor`: what it finds, what it says to do about it, and that it writes nothing.

use hardmatch_sim::{Domain, DomainType, Seed};
use serde_json::{Value, json};

use crate::lab::{CLIENT, Lab, ROLES, rows, tenant, text};

/// What doctor found, by area; it never writes.
#[track_caller]
fn findings(lab: &Lab) -> (Option<i32>, Vec<Value>) {
    let said = lab.run(&["doctor", "--config", "lab.toml", "--json"]);
    assert_eq!(lab.world().counters().writes, 0, "{said}");
    let checks = said.json()["checks"].as_array().unwrap().clone();
    (said.code, checks)
}

#[track_caller]
fn of<'a>(checks: &'a [Value], area: &str) -> &'a Value {
    checks.iter().find(|check| check["area"] == area).unwrap_or_else(|| panic!("doctor says nothing of {area}"))
}

/// An administrator who can always sign in, so that nothing is left to find.
fn healthy() -> Seed {
    let mut seed = tenant();
    let admin = json!({ "userPrincipalName": "admin@lab.onmicrosoft.com", "roles": ["Global Administrator"] });
    seed = seed.user(admin);
    seed
}

#[test]
fn c1_a_missing_permission_is_named() {
    let lab = Lab::with_people(healthy(), &rows(2));
    lab.world().change_app(CLIENT, |app| app.roles.retain(|role| role != "User.ReadWrite.All")).unwrap();
    let (code, checks) = findings(&lab);
    assert_ne!(code, Some(0));
    let named = |check: &Value| check["state"] != "ok" && check.to_string().contains("User.ReadWrite.All");
    assert!(checks.iter().any(|check| check["area"] == "permissions" && named(check)), "{checks:?}");
    lab.world().change_app(CLIENT, |app| app.roles = ROLES.iter().map(|role| (*role).to_owned()).collect()).unwrap();
    let (_, checks) = findings(&lab);
    assert!(checks.iter().all(|check| check["area"] != "permissions" || check["state"] == "ok"), "{checks:?}");
}

#[test]
fn c7_each_state_of_directory_synchronization_has_its_own_words() {
    let mut said = Vec::new();
    for state in [None, Some(false), Some(true)] {
        let mut seed = healthy();
        seed.organization.on_premises_sync_enabled = state;
        let lab = Lab::with_people(seed, &rows(2));
        let (_, checks) = findings(&lab);
        said.push(text(&of(&checks, "directory sync")["finding"]).to_owned());
    }
    assert!(said.iter().all(|words| !words.is_empty()));
    assert!(said[0] != said[1] && said[1] != said[2] && said[0] != said[2], "{said:?}");
}

#[test]
fn k5_administrators_who_are_all_in_a_federated_domain_are_warned_about() {
    let mut seed = tenant();
    seed.domains.push(Domain::new("fed.contoso.com", DomainType::Federated));
    let admin = json!({
        "userPrincipalName": "boss@fed.contoso.com", "onPremisesImmutableId": "Z0UjAauJ780BI0VniavN7w==",
        "roles": ["Global Administrator"],
    });
    let lab = Lab::with_people(seed.user(admin), &rows(2));
    let (_, checks) = findings(&lab);
    let found = of(&checks, "break-glass");
    assert_eq!(found["state"], "warn", "{found}");
    assert!(!text(&found["cure"]).is_empty(), "{found}");
    let (_, checks) = findings(&Lab::with_people(healthy(), &rows(2)));
    assert_eq!(of(&checks, "break-glass")["state"], "ok", "{}", of(&checks, "break-glass"));
}

#[test]
fn c9_what_was_cured_is_green_the_next_time() {
    let lab = Lab::with_people(healthy(), &rows(2));
    lab.world().change_app(CLIENT, |app| app.secret_expired = true).unwrap();
    let (code, checks) = findings(&lab);
    assert_ne!(code, Some(0));
    assert_eq!(of(&checks, "credentials")["state"], "fail");
    lab.world().change_app(CLIENT, |app| app.secret_expired = false).unwrap();
    let (_, checks) = findings(&lab);
    assert_eq!(of(&checks, "credentials")["state"], "ok", "{}", of(&checks, "credentials"));
    assert!(checks.iter().all(|check| check["state"] != "fail"), "{checks:?}");
}
