//! A recorded plan is made again from its facts alone, and shows whom another configuration decides otherwise.

use std::fs;

use serde_json::{Value, json};

use crate::fixture::{Fixture, csv, rows, tenant, text};

/// Eight people who were written, one of whom changed since, and one who is refused.
fn company() -> Fixture {
    let mut people = rows(9);
    "nobody@elsewhere.example".clone_into(&mut people[2].upn);
    let fixture = Fixture::with_people(tenant(), &people);
    fixture.sync().ends(3);
    "Research".clone_into(&mut people[3].department);
    people.remove(7);
    fixture.write("source.csv", csv(&people));
    fixture
}

fn record(fixture: &Fixture) -> Value {
    fixture.run(&["plan", "--config", "lab.toml", "--record", "facts.db", "--json", "--rows"]).ends(3).json()
}

/// What a plan says of people, and nothing of the run that it was made in.
fn said(plan: &Value) -> Value {
    json!({ "plan": plan["plan"], "counts": plan["counts"], "people": plan["people"], "rows": plan["rows"] })
}

#[test]
fn a_recorded_plan_is_made_again_byte_for_byte_with_nobody_asked() {
    let fixture = company();
    let recorded = record(&fixture);
    assert!(recorded["plan"].is_string() && recorded["people"] == 9, "{recorded}");
    // Neither the source nor the tenant is there any more, nor the state.
    fs::remove_file(fixture.path("source.csv")).unwrap();
    fs::remove_file(fixture.path("lab.db")).unwrap();
    fixture.world().take_counters();
    let before = fs::read(fixture.path("facts.db")).unwrap();
    for _ in 0..2 {
        let again = fixture.run(&["plan", "--from", "facts.db", "--json", "--rows"]).ends(3).json();
        assert_eq!(serde_json::to_string(&said(&again)).unwrap(), serde_json::to_string(&said(&recorded)).unwrap());
    }
    let requests = fixture.world().counters().requests;
    assert!(requests.is_empty(), "the tenant was asked: {requests:?}");
    assert_eq!(fs::read(fixture.path("facts.db")).unwrap(), before, "a recording is not written to");
}

#[test]
fn another_configuration_shows_whom_it_decides_otherwise() {
    let fixture = company();
    record(&fixture);
    let config = fs::read_to_string(fixture.path("lab.toml")).unwrap();
    let same = fixture.run(&["plan", "--from", "facts.db", "--config", "lab.toml", "--json"]).ends(0).json();
    assert_eq!(same, json!({ "v": 1, "same": 9, "different": [] }));
    // Leavers are left alone: one person is concerned, and nobody else.
    fs::write(fixture.path("other.toml"), config.replace("[lifecycle]\n", "[lifecycle]\nabsent = \"ignore\"\n"))
        .unwrap();
    let other = ["plan", "--from", "facts.db", "--config", "other.toml"];
    let document = fixture.run(&[&other[..], &["--json"]].concat()).ends(0).json();
    assert_eq!(document["same"], 8, "{document}");
    let [person] = &document["different"].as_array().unwrap()[..] else { panic!("{document}") };
    assert_eq!(text(&person["upn"]), "person7@contoso.com", "{document}");
    assert_eq!((&person["before"]["action"], &person["after"]["action"]), (&json!("suspend"), &json!("none")));
    let shown = fixture.run(&other).ends(0).out;
    for words in ["1 person is decided otherwise, 8 as before:", "suspend (source_absent) → none (leaving_ignored)"] {
        assert!(shown.contains(words), "{shown}");
    }
    fixture.run(&[&other[..], &["--detailed-exitcode"]].concat()).ends(4);
}

#[test]
fn facts_that_another_configuration_would_read_otherwise_are_not_replayed() {
    let fixture = company();
    record(&fixture);
    let config = fs::read_to_string(fixture.path("lab.toml")).unwrap();
    let more = "[match]\nprove = [\"employeeId\", \"jobTitle\"]\n";
    fs::write(fixture.path("other.toml"), config.replace("[match]\n", more)).unwrap();
    let refused = fixture.run(&["plan", "--from", "facts.db", "--config", "other.toml"]).ends(2);
    refused.says(&["another attribute that proves identity", "plan --record FILE"]);
}

#[test]
fn what_is_no_recording_is_refused_and_none_is_written_over() {
    let fixture = company();
    fixture.run(&["plan", "--from", "missing.db"]).ends(2).says(&["missing.db cannot be read", "--record FILE"]);
    fs::write(fixture.path("text.db"), "no recording at all").unwrap();
    fixture.run(&["plan", "--from", "text.db"]).ends(2).says(&["text.db is no recording"]);
    record(&fixture);
    let kept = fs::read(fixture.path("facts.db")).unwrap();
    let again = fixture.run(&["plan", "--config", "lab.toml", "--record", "facts.db"]).ends(2);
    again.says(&["facts.db is there already"]);
    assert_eq!(fs::read(fixture.path("facts.db")).unwrap(), kept);
    let mut damaged = kept.clone();
    let middle = damaged.len() / 2;
    damaged[middle..].fill(0);
    fs::write(fixture.path("damaged.db"), damaged).unwrap();
    fixture.run(&["plan", "--from", "damaged.db"]).ends(2).says(&["damaged.db"]);
}

#[cfg(unix)]
#[test]
fn a_recording_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = company();
    record(&fixture);
    assert_eq!(fs::metadata(fixture.path("facts.db")).unwrap().permissions().mode() & 0o777, 0o600);
}

/// What a team expects of its configuration, one person a table.
const EXPECTED: &str = r#"
[[person]]
who = "person1@contoso.com"
in_scope = true
licenses = []
action = "none"
reason = "converged"

[[person]]
who = "person7@contoso.com"
action = "suspend"
reason = "source_absent"

[[person]]
who = "person3@contoso.com"
in_scope = true
attributes = { jobTitle = "RESEARCH" }
action = "update"
"#;

#[test]
fn verdicts_that_a_team_expects_are_checked_person_by_person() {
    let fixture = company();
    let config = fs::read_to_string(fixture.path("lab.toml")).unwrap();
    let rule = "[attributes]\njobTitle = \"person.department.upperAscii()\"\n[match]\n";
    fs::write(fixture.path("lab.toml"), config.replace("[match]\n", rule)).unwrap();
    fixture.sync().ends(3);
    let mut people = rows(9);
    "nobody@elsewhere.example".clone_into(&mut people[2].upn);
    people.remove(7);
    "Sales".clone_into(&mut people[3].department);
    fixture.write("source.csv", csv(&people));
    record(&fixture);
    fixture.write("expected.toml", EXPECTED);
    let test = ["config", "test", "--config", "lab.toml", "--expect", "expected.toml"];
    // Person 7 was blocked in the meantime, and person 3 has another department.
    let with_facts = [&test[..], &["--from", "facts.db", "--json"]].concat();
    let found = fixture.run(&with_facts).ends(3).json();
    let misses: Vec<(&str, &str)> =
        found["misses"].as_array().unwrap().iter().map(|miss| (text(&miss["what"]), text(&miss["found"]))).collect();
    assert!(misses.contains(&("attributes.jobTitle", "SALES")), "{found}");
    assert!(misses.iter().all(|(what, _)| *what != "in_scope" && *what != "licenses"), "{found}");
    // With what is true written into the file, all is as expected.
    let true_now = EXPECTED.replace("RESEARCH", "SALES").replace("action = \"suspend\"", "action = \"none\"");
    fixture.write("expected.toml", true_now.replace("reason = \"source_absent\"\n", ""));
    let said = fixture.run(&[&test[..], &["--from", "facts.db"]].concat());
    assert_eq!(said.out.trim(), "All verdicts are as expected (3 people).", "{said}");
    said.ends(0);
    fixture.run(&test).ends(2).says(&["takes recorded facts", "plan --record FILE"]);
    fixture.write("expected.toml", "[[person]]\nwho = \"nobody at all\"\nin_scope = true\n");
    let said = fixture.run(&test).ends(3);
    assert!(said.out.contains("the source has nobody of this name"), "{said}");
    fixture.write("expected.toml", "[[person]]\nwho = \"x\"\nin_scop = true\n");
    fixture.run(&test).ends(2).says(&["expected.toml", "in_scop"]);
}
