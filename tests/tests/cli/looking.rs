//! Looking somebody up, and what a first look leaves behind.

use serde_json::json;

use crate::fixture::{Fixture, Row, csv, tenant, text};

fn named(n: usize, given: &str, surname: &str) -> Row {
    let mut row = Row::nth(n);
    given.clone_into(&mut row.given);
    surname.clone_into(&mut row.surname);
    row.upn = format!("{}.{}@contoso.com", given.to_lowercase(), surname.to_lowercase());
    row
}

fn company() -> Vec<Row> {
    vec![
        named(0, "Ada", "Berg"),
        named(1, "Karl", "Weiss"),
        named(2, "Karla", "Winter"),
        named(3, "Karoline", "Adams"),
        named(4, "Otto", "Adams"),
    ]
}

const EXPLAIN: [&str; 2] = ["--config", "lab.toml"];

fn explain(fixture: &Fixture, who: &str) -> crate::fixture::Said {
    let mut words = vec!["explain", who];
    words.extend(EXPLAIN);
    fixture.run(&words)
}

#[test]
fn explain_finds_a_person_by_a_part_of_their_name() {
    let fixture = Fixture::with_people(tenant(), &company());
    fixture.plan_and_apply();
    // A whole word goes before a beginning, and a beginning before a part.
    let karl = explain(&fixture, "karl").ends(0).says(&["1 other person fits karl less well"]);
    assert!(karl.out.starts_with("Karl Weiss\nkarl.weiss@contoso.com\n"), "{karl}");
    for (who, found) in [("karla", "Karla Winter"), ("otto adams", "Otto Adams"), ("inter", "Karla Winter")] {
        let said = explain(&fixture, who).ends(0);
        assert!(said.out.starts_with(&format!("{found}\n")), "{who}: {said}");
    }
    let several = explain(&fixture, "kar").ends(2).says(&["3 people fit kar. Name one by sign-in name or key:"]);
    for row in &company()[1..4] {
        assert!(several.err.contains(&format!("{} <{}>, key {}", row.name(), row.upn, row.guid)), "{several}");
    }
    explain(&fixture, "adams").ends(2).says(&["2 people fit adams", "Karoline Adams", "Otto Adams"]);
    explain(&fixture, "kral").ends(2).says(&["nobody of this connection", "The nearest is Karl Weiss"]);
    explain(&fixture, "zzzzzz").ends(2).says(&["nobody of this connection"]);
    let said = fixture.run(&["explain", "adams", "--config", "lab.toml", "--json"]).ends(2).json();
    assert!(text(&said["error"]["message"]).contains("Otto Adams"), "{said}");
}

#[test]
fn explain_says_who_was_blocked_when_why_in_which_run_and_by_whose_word() {
    let fixture = Fixture::with_people(tenant(), &company());
    fixture.plan_and_apply();
    let mut people = company();
    people[1].control = 514;
    fixture.write("source.csv", csv(&people));
    let plan = fixture.plan();
    let hash = text(&plan["plan"]).to_owned();
    let mut apply = fixture.command(&["apply", &hash, "--config", "lab.toml", "--json"]);
    let run = Fixture::finish(apply.env("USER", "grace")).ends(0).json();
    let id = text(&run["run"]).to_owned();
    // Later runs find nothing to do and hide nothing of it.
    fixture.sync().ends(0);
    let said = explain(&fixture, "karl").ends(0);
    let before = said.out.split("\nBefore\n").nth(1).unwrap_or_default();
    for told in [
        &format!("UTC: sign-in was blocked, run {id}"),
        "Why: source_disabled: The source has disabled the person.",
        "1. Block sign-in: disabled at the source",
        "accountEnabled: yes → no",
        "Accepted: the plan was applied by its hash by grace on this machine",
    ] {
        assert!(before.contains(told), "lacks {told}\n{said}");
    }
}

#[test]
fn o49_config_test_finds_people_by_the_first_letters_of_a_name() {
    let fixture = Fixture::with_people(tenant(), &company());
    let test = |who: &str| fixture.run(&["config", "test", who, "--config", "lab.toml", "--json"]);
    let names = |said: &serde_json::Value| -> Vec<String> {
        said["people"].as_array().unwrap().iter().map(|person| text(&person["name"]).to_owned()).collect()
    };
    assert_eq!(names(&test("ot").ends(0).json()), ["Otto Adams"]);
    assert_eq!(names(&test("KAR").ends(0).json()), ["Karl Weiss", "Karla Winter", "Karoline Adams"]);
    // Exactly that goes before what begins like that.
    assert_eq!(names(&test("ada.berg@contoso.com").ends(0).json()), ["Ada Berg"]);
    test("tto").ends(2).says(&["is or begins with tto"]);
}

/// The same connection as a first look has it: in a simulated tenant.
pub(crate) const LOOK: &str = "schema = 1\nconnection = \"lab\"\n[tenant]\nid = \"CHANGE-ME\"\ncloud = \"simulated\"\n[source]\nkind = \"csv\"\nlocation = \"source.csv\"\nkey = \"objectGUID\"\n[state]\npath = \"lab.db\"\n";

#[test]
fn o10_a_look_in_a_simulated_tenant_does_not_stand_in_the_way_of_the_real_one() {
    let seed = tenant().user(json!({ "userPrincipalName": "karl.weiss@contoso.com", "displayName": "Karl" }));
    let fixture = Fixture::with_people(seed, &company());
    let real = std::fs::read_to_string(fixture.path("lab.toml")).unwrap();
    fixture.write("lab.toml", LOOK);
    // The look was taken as far as it goes.
    fixture.plan_and_apply();
    assert_eq!(fixture.world().counters().round_trips, 0, "nothing real was asked");
    fixture.write("lab.toml", real);
    fixture.run(&["doctor", "--config", "lab.toml"]).ends(0);
    let said =
        fixture.run(&["plan", "--config", "lab.toml", "--json"]).ends(0).says(&["put aside as", "lab-simulated.db"]);
    let plan = said.json();
    assert_eq!(plan["counts"]["by_action"], json!({ "create": 4, "takeover": 1 }), "{plan}");
    assert!(fixture.path("lab-simulated.db").is_file() && fixture.path("lab-simulated.tenant").exists());
    // The real tenant's first run stops at its plan like any other's.
    let stopped = fixture.run(&["sync", "--config", "lab.toml", "--json"]).ends(3).json();
    assert_eq!(stopped["stop"], "first_run", "{stopped}");
    fixture.run(&["apply", text(&plan["plan"]), "--config", "lab.toml"]).ends(0);
    assert_eq!(fixture.upns().len(), 5);
    // A state of the real tenant is never put aside.
    fixture.sync().ends(0);
    assert!(!fixture.path("lab-simulated2.db").exists());
    fixture.lawful();
}
