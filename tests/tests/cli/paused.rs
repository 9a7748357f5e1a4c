//! A paused connection: an operator who asks for something to be written is told at once who paused it, since when, and how it goes
//! on.

use crate::fixture::{Fixture, csv, rows, tenant, text};
use crate::kill::{kill_when, late_answers};

fn connection(word: &[&str], fixture: &Fixture) {
    let words = [&["connection"], word, &["--config", "lab.toml"]].concat();
    fixture.run(&words).ends(0);
}

#[test]
fn a_paused_connection_says_who_paused_it_since_when_and_how_it_goes_on() {
    let mut people = rows(4);
    let fixture = Fixture::with_people(tenant(), &people);
    fixture.plan_and_apply();
    people[1].department = "Research".to_owned();
    fixture.write("source.csv", csv(&people));
    connection(&["pause"], &fixture);
    fixture.world().take_counters();
    let cure = "Let it go on with: hardmatch connection resume --config lab.toml";
    let said =
        fixture.sync().ends(1).says(&["the connection is paused by operator on this machine", " since 20", cure]);
    assert_eq!((said.json()["error"]["exit_status"].as_i64(), fixture.world().counters().writes), (Some(1), 0));

    // Looking is allowed, and then there is something that waits.
    let plan = fixture.plan();
    assert_eq!(plan["counts"]["by_action"]["update"], 1, "{plan}");
    let apply = ["apply", text(&plan["plan"]), "--config", "lab.toml", "--json"];
    let left = fixture.run(&apply).ends(3).says(&["is paused by operator", cure, "waits with its work"]).json();
    assert!(left["paused"]["by"].as_str().is_some_and(|by| by.starts_with("operator")), "{left}");
    assert_eq!(fixture.world().counters().writes, 0);

    connection(&["resume"], &fixture);
    assert_eq!(fixture.run(&apply).ends(0).json()["status"], "converged");
    assert_eq!(fixture.user(&people[1].upn)["department"], "Research");
}

#[test]
fn work_that_is_left_waiting_when_a_connection_is_paused_is_status_three_and_goes_on_afterwards() {
    let people = rows(70);
    let fixture = Fixture::with_people(tenant(), &people);
    let command = ["sync", "--config", "lab.toml", "--yes", "--json"];
    late_answers(&fixture);
    assert!(kill_when(&fixture, fixture.start(&command), |counters| counters.writes_applied >= 20));
    fixture.world().clear_faults();
    connection(&["pause"], &fixture);
    let written = fixture.world().counters().writes_applied;
    let left = fixture.run(&command).ends(3).says(&["is paused by operator", "waits with its work"]).json();
    assert!(left["run"].is_string() && left["paused"]["since"].is_i64(), "{left}");
    assert_eq!(fixture.world().counters().writes_applied, written);
    connection(&["resume"], &fixture);
    assert_eq!(fixture.run(&command).ends(0).json()["status"], "converged");
    assert_eq!(fixture.world().users().len(), people.len());
}

#[test]
fn an_action_switched_off_on_this_machine_is_held_until_it_is_on_again() {
    let mut people = rows(4);
    let fixture = Fixture::with_people(tenant(), &people);
    fixture.plan_and_apply();
    people[1].department = "Research".to_owned();
    fixture.write("source.csv", csv(&people));
    connection(&["switch-off", "update"], &fixture);
    let held = fixture.sync().ends(3).json();
    assert_eq!(held["writes"], 0, "{held}");
    connection(&["switch-on", "update"], &fixture);
    assert_eq!(fixture.sync().ends(0).json()["status"], "converged");
    assert_eq!(fixture.user(&people[1].upn)["department"], "Research");
}
