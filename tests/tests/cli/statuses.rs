//! Exit statuses and documents that other programs build on: Ctrl-C, results that cannot be written, errors as JSON.

use std::fs;
use std::process::{Command, Stdio};

use hardmatch_sim::{Fault, FaultRule, Place};

use crate::fixture::{Fixture, rows, tenant, text};

/// Sends the signal that Ctrl-C sends.
#[cfg(unix)]
fn interrupt(process: u32) {
    assert!(Command::new("kill").args(["-INT", &process.to_string()]).status().unwrap().success());
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_with_130_and_the_same_command_goes_on() {
    let fixture = Fixture::with_people(tenant(), &rows(70));
    let hash = text(&fixture.plan()["plan"]).to_owned();
    let apply = ["apply", &hash, "--config", "lab.toml", "--json"];
    fixture.world().inject(FaultRule::new("POST /$batch", Fault::Latency { ms: 400 }).only(Place::Outer));
    let mut started = fixture.start(&apply);
    while fixture.world().counters().writes_applied == 0 {
        assert!(!started.has_ended(), "the command ended before it wrote");
        std::thread::yield_now();
    }
    interrupt(started.id());
    let said = started.ends().ends(130).says(&["stopped", "the same command goes on where it was"]);
    assert_eq!(said.json()["error"]["exit_status"], 130);
    assert!(fixture.world().live_users() < 70, "it stopped in the middle");
    fixture.world().clear_faults();
    let done = fixture.run(&apply).ends(0).json();
    assert_eq!((done["status"].as_str(), fixture.world().live_users()), (Some("converged"), 70), "{done}");
}

#[cfg(unix)]
#[test]
fn a_full_disk_fails_every_result_and_loses_no_write() {
    let fixture = Fixture::with_people(tenant(), &rows(3));
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let hash = text(&fixture.plan()["plan"]).to_owned();
    for words in [
        &["plan", "--config", "lab.toml"][..],
        &["plan", "--config", "lab.toml", "--json"],
        &["config", "explain", "--config", "lab.toml"],
        &["completions", "bash"],
        &["--help"],
        &["--version"],
    ] {
        let said = fixture.command(words).stdout(full()).stderr(Stdio::piped()).output().unwrap();
        let err = String::from_utf8_lossy(&said.stderr);
        assert_eq!(said.status.code(), Some(1), "{words:?}: {err}");
        assert!(err.contains("could not be written"), "{words:?}: {err}");
    }
    let said = fixture.command(&["apply", &hash, "--config", "lab.toml"]).stdout(full()).output().unwrap();
    assert_eq!((said.status.code(), fixture.world().live_users()), (Some(1), 3));
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_told_of_and_the_work_is_done() {
    let fixture = Fixture::with_people(tenant(), &rows(3));
    let hash = text(&fixture.plan()["plan"]).to_owned();
    let mut child = fixture
        .command(&["apply", &hash, "--config", "lab.toml", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let said = child.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&said.stderr);
    assert_eq!((said.status.code(), fixture.world().live_users()), (Some(1), 3), "{err}");
    assert!(err.contains("could not be written"), "{err}");
}

/// Every command that takes `--json`, with what it needs beside a configuration that is not there.
const COMMANDS: [&[&str]; 22] = [
    &["plan"],
    &["apply", "0123456789abcdef"],
    &["sync"],
    &["explain", "ada"],
    &["acknowledge", "ada", "--withdraw"],
    &["doctor"],
    &["auth", "connect"],
    &["auth", "status"],
    &["auth", "reset"],
    &["auth", "disconnect"],
    &["runs", "list"],
    &["runs", "show"],
    &["config", "check"],
    &["config", "explain"],
    &["config", "test"],
    &["config", "push"],
    &["connection", "pause"],
    &["connection", "resume"],
    &["connection", "switch-off", "delete"],
    &["connection", "switch-on", "delete"],
    &["connection", "release"],
    &["schedule"],
];

#[test]
fn every_commands_error_is_one_document_where_json_was_asked_for() {
    let fixture = Fixture::with_people(tenant(), &rows(1));
    for words in COMMANDS {
        let mut line = words.to_vec();
        line.extend(["--config", "not-there.toml", "--json"]);
        let said = fixture.run(&line);
        let document = said.json();
        let code = said.code.unwrap_or_default();
        assert!(code == 1 || code == 2, "{words:?}: {said}");
        assert_eq!(document["error"]["exit_status"], code, "{words:?}: {document}");
        assert!(!text(&document["error"]["message"]).is_empty(), "{words:?}: {document}");
    }
    for words in [&["init", "--from", "not-there.csv", "--json"][..], &["explain", "--reason", "none", "--json"]] {
        assert_eq!(fixture.run(words).ends(2).json()["error"]["exit_status"], 2, "{words:?}");
    }
    for words in [&["plan", "--nonsense", "--json"][..], &["nonsense", "--json"], &["apply", "--json"], &["--json"]] {
        assert_eq!(fixture.run(words).ends(2).json()["error"]["exit_status"], 2, "{words:?}");
    }
}
