//! A paused connection: whoever asks for something to be written is told at once who paused it, since when, and how it goes
//! on.

use crate::kill::{kill_when, late_answers};
use crate::lab::{Lab, csv, rows, tenant, text};

fn connection(word: &[&str], lab: &Lab) {
    let words = [&["connection"], word, &["--config", "lab.toml"]].concat();
    lab.run(&words).ends(0);
}

#[test]
fn a_paused_connection_says_who_paused_it_since_when_and_how_it_goes_on() {
    let mut people = rows(4);
    let lab = Lab::with_people(tenant(), &people);
    lab.plan_and_apply();
    people[1].department = "Research".to_owned();
    lab.write("source.csv", csv(&people));
    connection(&["pause"], &lab);
    lab.world().take_counters();
    let cure = "Let it go on with: hardmatch connection resume --config lab.toml";
    let said = lab.sync().ends(1).says(&["the connection is paused by operator on this machine", " since 20", cure]);
    assert_eq!((said.json()["error"]["exit_status"].as_i64(), lab.world().counters().writes), (Some(1), 0));

    // Looking is allowed, and then there is something that waits.
    let plan = lab.plan();
    assert_eq!(plan["counts"]["by_action"]["update"], 1, "{plan}");
    let apply = ["apply", text(&plan["plan"]), "--config", "lab.toml", "--json"];
    let left = lab.run(&apply).ends(3).says(&["is paused by operator", cure, "waits with its work"]).json();
    assert!(left["paused"]["by"].as_str().is_some_and(|by| by.starts_with("operator")), "{left}");
    assert_eq!(lab.world().counters().writes, 0);

    connection(&["resume"], &lab);
    assert_eq!(lab.run(&apply).ends(0).json()["status"], "converged");
    assert_eq!(lab.user(&people[1].upn)["department"], "Research");
}

#[test]
fn work_that_is_left_waiting_when_a_connection_is_paused_is_status_three_and_goes_on_afterwards() {
    let people = rows(70);
    let lab = Lab::with_people(tenant(), &people);
    let command = ["sync", "--config", "lab.toml", "--yes", "--json"];
    late_answers(&lab);
    assert!(kill_when(&lab, lab.start(&command), |counters| counters.writes_applied >= 20));
    lab.world().clear_faults();
    connection(&["pause"], &lab);
    let written = lab.world().counters().writes_applied;
    let left = lab.run(&command).ends(3).says(&["is paused by operator", "waits with its work"]).json();
    assert!(left["run"].is_string() && left["paused"]["since"].is_i64(), "{left}");
    assert_eq!(lab.world().counters().writes_applied, written);
    connection(&["resume"], &lab);
    assert_eq!(lab.run(&command).ends(0).json()["status"], "converged");
    assert_eq!(lab.world().users().len(), people.len());
}

#[test]
fn an_action_switched_off_on_this_machine_is_held_until_it_is_on_again() {
    let mut people = rows(4);
    let lab = Lab::with_people(tenant(), &people);
    lab.plan_and_apply();
    people[1].department = "Research".to_owned();
    lab.write("source.csv", csv(&people));
    connection(&["switch-off", "update"], &lab);
    let held = lab.sync().ends(3).json();
    assert_eq!(held["writes"], 0, "{held}");
    connection(&["switch-on", "update"], &lab);
    assert_eq!(lab.sync().ends(0).json()["status"], "converged");
    assert_eq!(lab.user(&people[1].upn)["department"], "Research");
}
