//! `doctor`: what it finds, what it says to do about it, and that it writes nothing.

use std::sync::Arc;

use hardmatch_ports::Clock as _;
use hardmatch_runtime::RealClock;
use hardmatch_sim::{DomainType, Fault, FaultRule, Seed, SeedDomain, SimClock};
use serde_json::{Value, json};

use crate::browser::{ADMIN, Waiting, connectable, prove_by, walk};
use crate::fixture::{CLIENT, Fixture, ROLES, csv, rows, tenant, text};

/// What doctor found, by area; it never writes.
#[track_caller]
fn findings(fixture: &Fixture) -> (Option<i32>, Vec<Value>) {
    let said = fixture.run(&["doctor", "--config", "lab.toml", "--json"]);
    assert_eq!(fixture.world().counters().writes, 0, "{said}");
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
    let fixture = Fixture::with_people(healthy(), &rows(2));
    fixture.world().change_app(CLIENT, |app| app.roles.retain(|role| role != "User.ReadWrite.All")).unwrap();
    let (code, checks) = findings(&fixture);
    assert_ne!(code, Some(0));
    let named = |check: &Value| check["state"] != "ok" && check.to_string().contains("User.ReadWrite.All");
    assert!(checks.iter().any(|check| check["area"] == "permissions" && named(check)), "{checks:?}");
    fixture
        .world()
        .change_app(CLIENT, |app| app.roles = ROLES.iter().map(|role| (*role).to_owned()).collect())
        .unwrap();
    let (_, checks) = findings(&fixture);
    assert!(checks.iter().all(|check| check["area"] != "permissions" || check["state"] == "ok"), "{checks:?}");
}

#[test]
fn c7_each_state_of_directory_synchronization_has_its_own_words() {
    let mut said = Vec::new();
    for state in [None, Some(false), Some(true)] {
        let mut seed = healthy();
        seed.organization.on_premises_sync_enabled = state;
        let fixture = Fixture::with_people(seed, &rows(2));
        let (_, checks) = findings(&fixture);
        said.push(text(&of(&checks, "directory sync")["finding"]).to_owned());
    }
    assert!(said.iter().all(|words| !words.is_empty()));
    assert!(said[0] != said[1] && said[1] != said[2] && said[0] != said[2], "{said:?}");
}

#[test]
fn k5_administrators_who_are_all_in_a_federated_domain_are_warned_about() {
    let mut seed = tenant();
    seed.domains.push(SeedDomain::new("fed.contoso.com", DomainType::Federated));
    let admin = json!({
        "userPrincipalName": "boss@fed.contoso.com", "onPremisesImmutableId": "Z0UjAauJ780BI0VniavN7w==",
        "roles": ["Global Administrator"],
    });
    let fixture = Fixture::with_people(seed.user(admin), &rows(2));
    let (_, checks) = findings(&fixture);
    let found = of(&checks, "break-glass");
    assert_eq!(found["state"], "warn", "{found}");
    assert!(!text(&found["cure"]).is_empty(), "{found}");
    let (_, checks) = findings(&Fixture::with_people(healthy(), &rows(2)));
    assert_eq!(of(&checks, "break-glass")["state"], "ok", "{}", of(&checks, "break-glass"));
}

#[test]
fn c9_what_was_cured_is_green_the_next_time() {
    let fixture = Fixture::with_people(healthy(), &rows(2));
    fixture.world().change_app(CLIENT, |app| app.secret_expired = true).unwrap();
    let (code, checks) = findings(&fixture);
    assert_ne!(code, Some(0));
    assert_eq!(of(&checks, "credentials")["state"], "fail");
    fixture.world().change_app(CLIENT, |app| app.secret_expired = false).unwrap();
    let (_, checks) = findings(&fixture);
    assert_eq!(of(&checks, "credentials")["state"], "ok", "{}", of(&checks, "credentials"));
    assert!(checks.iter().all(|check| check["state"] != "fail"), "{checks:?}");
}

/// What makes a login service refuse us, the code that doctor must name, and a word of its cure.
const REFUSALS: [(u32, &str); 10] = [
    (90002, "tenant.id"),
    (90038, "tenant.cloud"),
    (700016, "client id"),
    (7000215, "not its id"),
    (7000222, "new secret"),
    (7000218, "tenant.auth"),
    (65001, "admin consent"),
    (53003, "Conditional Access"),
    (7000112, "Enterprise applications"),
    (650057, "API permissions"),
];

#[test]
fn c13_each_refusal_of_the_login_service_has_its_code_and_its_cure() {
    for (code, cure) in REFUSALS {
        let fixture = Fixture::with_people(healthy(), &rows(1));
        let fault =
            FaultRule { times: None, ..FaultRule::once("POST /{tenant}/oauth2/v2.0/token", Fault::Entra { code }) };
        fixture.world().inject(fault);
        let (status, checks) = findings(&fixture);
        assert_eq!(status, Some(3));
        let found = of(&checks, "credentials");
        assert_eq!(found["state"], "fail", "{found}");
        assert!(text(&found["finding"]).contains(&format!("AADSTS{code}")), "{found}");
        assert!(text(&found["cure"]).contains(cure), "{code}: {found}");
    }
}

#[test]
fn a_tenant_that_nobody_knows_and_one_of_another_cloud_are_told_without_a_proof() {
    let wanted = [
        ("c2a7e0b4-91f3-4f0e-8a4b-7d35b2c9e611", "AADSTS90002"),
        ("d2a7e0b4-91f3-4f0e-8a4b-7d35b2c9e612", "AADSTS90038"),
    ];
    for (id, code) in wanted {
        let seed = healthy().with(|options| options.other_cloud_tenants.push(wanted[1].0.to_owned()));
        let fixture = Fixture::with_people(seed, &rows(1));
        fixture.configure(crate::fixture::TENANT, id);
        let (_, checks) = findings(&fixture);
        let found = of(&checks, "tenant");
        assert!(found["state"] == "fail" && text(&found["finding"]).contains(code), "{found}");
    }
}

#[test]
fn a_clock_that_is_off_is_told() {
    for (minutes, state) in [(0, "ok"), (-3, "warn"), (3, "warn"), (20, "fail"), (-20, "fail")] {
        let off = jiff::SignedDuration::from_mins(minutes);
        let clock = SimClock::Shared(Arc::new(move || RealClock.now() + off));
        let fixture = Fixture::at(healthy(), clock);
        fixture.write("source.csv", csv(&rows(1)));
        let (_, checks) = findings(&fixture);
        assert_eq!(of(&checks, "clock")["state"], state, "{minutes}: {}", of(&checks, "clock"));
    }
}

#[test]
fn a_state_of_another_tenant_is_told() {
    let fixture = Fixture::with_people(healthy(), &rows(1));
    fixture.plan();
    fixture.configure(crate::fixture::TENANT, "c2a7e0b4-91f3-4f0e-8a4b-7d35b2c9e611");
    let (_, checks) = findings(&fixture);
    assert_eq!(of(&checks, "tenant")["state"], "fail", "{}", of(&checks, "tenant"));
}

#[test]
fn what_is_presented_is_shown_where_the_cure_is_to_compare_it() {
    let fixture = Fixture::with_people(healthy(), &rows(1));
    let out = fixture.path("lab.pem").display().to_string();
    let made = fixture.run(&["auth", "certificate", "--out", &out, "--json"]).ends(0).json();
    prove_by(&fixture, "method = \"certificate\"\ncertificate = \"file:lab.pem\"");
    let (_, checks) = findings(&fixture);
    assert!(text(&of(&checks, "credentials")["finding"]).contains("AADSTS700027"), "{checks:?}");
    assert!(text(&of(&checks, "presented")["finding"]).contains(text(&made["sha256"])), "{checks:?}");

    fixture.write("token.jwt", crate::auth::foreign_token("somebody"));
    prove_by(&fixture, "method = \"federated\"\ntoken = \"file:token.jwt\"");
    let (_, checks) = findings(&fixture);
    let found = text(&of(&checks, "presented")["finding"]);
    assert!(found.contains("issuer https://issuer.example, subject somebody"), "{found}");
}

#[test]
fn an_administrator_without_a_role_cannot_write_and_one_who_left_must_sign_in_again() {
    for (who, role) in [(ADMIN, "ok"), ("plain@contoso.com", "fail")] {
        let fixture = connectable(&rows(1), |_| ());
        fixture.world().add_user(json!({ "userPrincipalName": "plain@contoso.com", "displayName": "Plain" })).unwrap();
        prove_by(&fixture, "method = \"delegated\"\nsecret = \"env:HARDMATCH_CLIENT_SECRET\"");
        let (_, checks) = findings(&fixture);
        assert!(of(&checks, "credentials").to_string().contains("hardmatch auth connect"), "{checks:?}");
        let waiting = Waiting::start(&fixture, &["auth", "connect", "--config", "lab.toml"]);
        walk(&waiting.link, &[("account", who)]);
        let said = waiting.ends();
        assert_eq!(said.code, Some(0), "{said}");
        let (_, checks) = findings(&fixture);
        assert_eq!(of(&checks, "directory role")["state"], role, "{}", of(&checks, "directory role"));
        fixture.world().revoke_sessions(who).unwrap();
        let (_, checks) = findings(&fixture);
        assert!(
            text(&of(&checks, "credentials")["finding"]).contains("AADSTS50173"),
            "a kept token hides nothing: {checks:?}"
        );
    }
}
