//! What only a terminal shows: questions, tables that fit, and the session that the documents show.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use hardmatch_sim::Seed;

use crate::fixture::Fixture;

/// Runs a command on a terminal of its own, whose other side is read and written here.
const SPAWN: &str = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";

/// The shell command on a terminal of so many columns, with these answers typed. What the terminal shows, and the status.
fn on_a_terminal(fixture: &Fixture, columns: usize, shell: &str, typed: &str) -> (String, Option<i32>) {
    let ours = fixture.command(&[]);
    let folder = ours.get_current_dir().unwrap();
    let program = std::path::Path::new(ours.get_program()).parent().unwrap();
    let path = std::env::join_paths(
        std::iter::once(program.to_owned()).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let mut child = Command::new("python3")
        .args(["-c", SPAWN, "sh", "-c", &format!("stty cols {columns} rows 50; {shell}")])
        .current_dir(folder)
        .env("PATH", path.unwrap())
        .env("NO_COLOR", "1")
        .env("USER", "ada")
        .env_remove("HARDMATCH_CONFIG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    (String::from_utf8_lossy(&said.stdout).replace('\r', ""), said.status.code())
}

/// A folder called like the one of the recording, with one of the exports.
fn nordwind() -> Fixture {
    let fixture = Fixture::new(Seed::contoso());
    fs::create_dir(fixture.path("nordwind")).unwrap();
    let export = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/exports/01-german-excel.csv");
    fs::copy(export, fixture.path("nordwind/people.csv")).unwrap();
    fixture
}

#[test]
fn init_asks_on_a_terminal_about_what_is_in_doubt() {
    let fixture = Fixture::new(Seed::contoso());
    let people = "Personalnummer;E-Mail;Name;Status;Eintrittsdatum\n1;a@x.example;A;Aktiv;03/04/2020\n2;b@x.example;B;Aktiv;05/06/2021\n3;c@x.example;C;Aktiv;07/08/2021\n4;d@x.example;D;Sabbatical;05/06/2021\n";
    fixture.write("people.csv", people);
    let (shown, code) = on_a_terminal(&fixture, 80, "hardmatch init --from people.csv", "maybe\nno\nday\n");
    assert_eq!(code, Some(0), "{shown}");
    let asked = "does \"Sabbatical\" (1 people) mean that somebody may sign in? [yes/no/unknown]";
    assert_eq!(shown.matches(asked).count(), 2, "what is no answer is asked again: {shown}");
    assert!(shown.contains("begin with the day or with the month? [day/month]"), "{shown}");
    let config = fs::read_to_string(fixture.path("hardmatch.toml")).unwrap();
    assert!(config.contains("Sabbatical") && config.contains("DD/MM/YYYY"), "{config}");
    // With --yes nobody is asked, and what is in doubt is left out and named.
    let (shown, code) = on_a_terminal(&fixture, 80, "hardmatch init --from people.csv --yes --config other.toml", "");
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains("[yes/no/unknown]") && shown.contains("Sabbatical"), "{shown}");
    assert!(!fs::read_to_string(fixture.path("other.toml")).unwrap().contains("DD/MM/YYYY"));
}

/// Words without what differs from one recording to the next, and without what only draws.
fn words(text: &str) -> Vec<String> {
    let mut wrapped = false;
    let lines = text.lines().filter(|line| {
        // A report's place is as long as the folder's name, and wrapped accordingly.
        let report = line.starts_with("Report: ");
        let rest = wrapped && line.starts_with("  ");
        wrapped = report || rest;
        !report && !rest
    });
    let mut words: Vec<String> = Vec::new();
    for word in lines.flat_map(str::split_whitespace) {
        let bare = word.trim_end_matches([':', '.', ',']);
        let upper = bare.len() >= 8 && bare.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        let hash = bare.len() == 12 && bare.bytes().all(|b| b.is_ascii_hexdigit());
        let number = bare.bytes().any(|b| b.is_ascii_digit())
            && bare.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b'-' | b':' | b'.'));
        if word.chars().all(|c| matches!(c, '─' | '═')) {
            continue;
        }
        let written = number && !bare.bytes().all(|b| b.is_ascii_digit());
        let process = words.last().is_some_and(|last| last == "process");
        words.push(if upper || hash || written || process { "…".to_owned() } else { word.to_owned() });
    }
    words
}

#[test]
fn the_recorded_session_is_what_the_commands_print() {
    let session = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/session.txt")).unwrap();
    let fixture = nordwind();
    let mut hash = String::new();
    for (at, part) in session.split("\n$ ").enumerate() {
        let (command, shown) = part.trim_start_matches("$ ").split_once('\n').unwrap();
        let command = match command.strip_prefix("hardmatch apply ") {
            Some(_) => format!("hardmatch apply {hash}"),
            None => command.to_owned(),
        };
        if command == "hardmatch sync" {
            let mut people = fs::read(fixture.path("nordwind/people.csv")).unwrap();
            let karl = people.windows(5).position(|window| window == b"4713;").unwrap();
            let aktiv = karl + people[karl..].windows(5).position(|window| window == b"Aktiv").unwrap();
            people.splice(aktiv..aktiv + 5, *b"Ausgetreten");
            fs::write(fixture.path("nordwind/people.csv"), people).unwrap();
        }
        let (said, code) = on_a_terminal(&fixture, 80, &format!("cd nordwind; {command} 2>/dev/null"), "");
        assert_eq!(code, Some(0), "{command}: {said}");
        assert_eq!(words(&said), words(shown), "part {at}, {command}: run docs/record.sh again");
        if let Some(found) = said.split("hardmatch apply ").nth(1) {
            hash = found.split_whitespace().next().unwrap().to_owned();
        }
        let long = |line: &&str| line.chars().count() > 80 && !line.starts_with("Report: ");
        let wide: Vec<&str> = said.lines().filter(long).collect();
        assert!(wide.is_empty(), "{command} is wider than the terminal: {wide:?}");
    }
}

#[test]
fn a_file_of_thousands_of_columns_floods_no_terminal() {
    let fixture = Fixture::new(Seed::contoso());
    let mut row: serde_json::Map<String, serde_json::Value> =
        (0..4_000).map(|n| (format!("field{n}"), format!("value {n}").into())).collect();
    row.insert("employeeID".to_owned(), "1".into());
    fixture.write("nobody.jsonl", format!("{}\n", serde_json::Value::Object(row.clone())));
    let said = fixture.run(&["init", "--from", "nobody.jsonl", "--yes"]).ends(2);
    assert!(said.out.len() + said.err.len() < 20_000, "{} bytes", said.out.len() + said.err.len());
    row.insert("userPrincipalName".to_owned(), "ada@x.example".into());
    row.insert("displayName".to_owned(), "Ada".into());
    fixture.write("people.jsonl", format!("{}\n", serde_json::Value::Object(row)));
    let said = fixture.run(&["init", "--from", "people.jsonl", "--yes"]).ends(0);
    assert!(said.out.contains("more columns that are not used"), "{said}");
    for words in [&["plan"][..], &["config", "check"], &["doctor"], &["config", "test"], &["explain", "ada"]] {
        let said = fixture.run(words);
        assert!(said.out.len() + said.err.len() < 20_000, "{words:?}: {} bytes", said.out.len() + said.err.len());
    }
}
