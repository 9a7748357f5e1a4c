//! Several commands on one state at the same time: one drives a run, the others look, and an operator can stop it.

use std::sync::Arc;

use hardmatch_domain::ids::PersonKey;
use hardmatch_embedded::{FileTable, TableOptions};
use hardmatch_sim::{CallCounts, Fault, FaultRule, Place};
use hardmatch_store::Store;
use hardmatch_store::sync_requests::SyncRequest;

use crate::fixture::{Fixture, Row, Started, csv, rows, tenant, text};
use crate::kill::kill_when;

/// People whose accounts take a while.
const PEOPLE: usize = 300;
/// Writes whose answers one process waits for at a time, at most: what is on its way when the connection is paused.
const IN_FLIGHT: u64 = 160;

/// A company that a command begins to create, with the command in the middle of it.
fn writing(people: &[Row]) -> (Fixture, Started) {
    let fixture = Fixture::with_people(tenant(), people);
    let plan = fixture.plan();
    // Late enough that the other commands come to an end meanwhile.
    fixture.world().inject(FaultRule::new("POST /$batch", Fault::Latency { ms: 3000 }).only(Place::Outer));
    let mut apply = fixture.start(&["apply", text(&plan["plan"]), "--config", "lab.toml", "--json"]);
    reach(&fixture, &mut apply, |counters| counters.writes_applied >= 20);
    (fixture, apply)
}

fn reach(fixture: &Fixture, started: &mut Started, enough: impl Fn(&CallCounts) -> bool) {
    while !enough(&fixture.world().counters()) {
        assert!(!started.has_ended(), "it ended before it was there");
        std::thread::yield_now();
    }
}

#[test]
fn pausing_stops_a_running_write_within_a_batch() {
    let people = rows(PEOPLE);
    let (fixture, apply) = writing(&people);
    fixture.run(&["connection", "pause", "--config", "lab.toml"]).ends(0);
    let paused_at = fixture.world().counters().writes_applied;
    let left =
        apply.ends().ends(3).says(&["is paused by operator", "hardmatch connection resume", "waits with its work"]);
    assert!(left.json()["paused"]["since"].is_i64(), "{left}");
    let written = fixture.world().counters().writes_applied;
    assert!(written <= paused_at + IN_FLIGHT, "{paused_at} were written when it was paused, {written} at the end");
    fixture.world().clear_faults();
    fixture.run(&["connection", "resume", "--config", "lab.toml"]).ends(0);
    assert_eq!(fixture.sync().ends(0).json()["status"], "converged");
    assert_eq!(fixture.world().users().len(), people.len());
}

#[test]
fn commands_that_look_work_beside_a_running_write() {
    let people = rows(PEOPLE);
    let (fixture, mut apply) = writing(&people);
    // It writes, and does not come to its end before it is let.
    fixture.world().inject(
        FaultRule::new("POST /$batch", Fault::Throttled { retry_after: Some("2".to_owned()) }).only(Place::Outer),
    );
    let explained = fixture.run(&["explain", &people[3].upn, "--config", "lab.toml", "--json"]).ends(0).json();
    assert_eq!(explained["person"]["upn"], people[3].upn.as_str(), "{explained}");
    let listed = fixture.run(&["runs", "list", "--config", "lab.toml", "--json"]).ends(0).json();
    assert_eq!(listed["runs"].as_array().map(Vec::len), Some(1), "{listed}");
    fixture.run(&["runs", "show", "--config", "lab.toml"]).ends(0);
    let doctor = fixture.run(&["doctor", "--config", "lab.toml", "--json"]).json();
    let state = doctor["checks"].as_array().unwrap().iter().find(|check| check["area"] == "state").unwrap();
    assert_eq!(state["state"], "ok", "{doctor}");
    assert!(
        text(&state["finding"]).contains(&format!("a run is at work on it, of process {} (", apply.id())),
        "{state}"
    );
    // A second plan is a run, too.
    let refused = fixture.run(&["plan", "--config", "lab.toml"]).ends(1);
    refused.says(&["another run is at work", &format!("lease held by process {} (", apply.id())]);
    assert!(!apply.has_ended(), "all of this while it writes");
    fixture.world().clear_faults();
    assert_eq!(apply.ends().ends(0).json()["status"], "converged");
}

#[test]
fn a_run_of_a_killed_process_is_taken_over_at_once() {
    let people = rows(PEOPLE);
    let (fixture, apply) = writing(&people);
    assert!(kill_when(&fixture, apply, |counters| counters.writes_applied >= 40));
    fixture.world().clear_faults();
    // Without a word of a lease, and long before any of them would have ended by itself.
    let next = fixture.sync().ends(0);
    assert!(!next.err.contains("lease"), "{next}");
    assert_eq!(next.json()["status"], "converged");
    assert_eq!(fixture.world().users().len(), people.len());
}

#[test]
fn serve_keeps_no_other_command_out() {
    let people = rows(5);
    let fixture = Fixture::with_people(tenant(), &people);
    let mut serve = fixture.start(&["serve", "--config", "lab.toml", "--port", "0"]);
    fixture.plan_and_apply();
    fixture.run(&["runs", "list", "--config", "lab.toml"]).ends(0);
    assert!(!serve.has_ended(), "the pages are served meanwhile");
    serve.kill();
}

/// Asks for a person in the state file, as the receiver of a push does.
fn want(fixture: &Fixture, key: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let table = FileTable::open(fixture.path("lab.db"), &TableOptions::default()).unwrap();
        let store = Store::open(Arc::new(table)).await.unwrap();
        let request = SyncRequest { key: PersonKey::new(key), asked_ms: 0 };
        store.write(store.request_sync(&"lab".into(), &request)).await.unwrap();
    });
}

#[test]
fn c39_serve_provisions_wanted_people_beside_plan_and_apply() {
    let mut people = rows(5);
    let fixture = Fixture::with_people(tenant(), &people);
    let plan = fixture.plan();
    fixture.run(&["apply", text(&plan["plan"]), "--config", "lab.toml"]).ends(0);
    people[2].department = "Research".to_owned();
    people[3].department = "Research".to_owned();
    fixture.write("source.csv", csv(&people));
    want(&fixture, &people[2].guid);
    let mut serve = fixture.start(&["serve", "--config", "lab.toml", "--port", "0"]);
    while fixture.user(&people[2].upn)["department"] != "Research" {
        assert!(!serve.has_ended(), "it ended before the person was written");
        std::thread::yield_now();
    }
    assert_ne!(fixture.user(&people[3].upn)["department"], "Research", "nobody else was asked for");
    // A run over everybody begins, is planned and applied while the process goes on.
    let plan = fixture.plan();
    assert_eq!(plan["counts"]["by_action"]["update"], 1, "{plan}");
    fixture.run(&["apply", text(&plan["plan"]), "--config", "lab.toml"]).ends(0);
    assert_eq!(fixture.user(&people[3].upn)["department"], "Research");
    assert!(!serve.has_ended());
    // A second process would provision the same people.
    fixture.run(&["serve", "--config", "lab.toml", "--port", "0"]).ends(1).says(&["is served already"]);
    serve.kill();
}
