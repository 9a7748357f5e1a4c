//! What must not be found anywhere: secrets, tokens and passwords in anything written; personal attributes in logs.

use std::fs;

use serde_json::Value;

use crate::fixture::{Fixture, SECRET, Said, csv, rows, tenant, text};

/// Whether the bytes occur.
fn holds(hay: &[u8], needle: &str) -> bool {
    hay.windows(needle.len()).any(|window| window == needle.as_bytes())
}

/// Everything the lab wrote and said, with where it stands.
fn everything(fixture: &Fixture, said: &[Said]) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<(String, Vec<u8>)> =
        fixture.files().into_iter().map(|(path, bytes)| (path.display().to_string(), bytes)).collect();
    for (place, said) in said.iter().enumerate() {
        all.push((format!("standard output of command {place}"), said.out.clone().into_bytes()));
        all.push((format!("standard error of command {place}"), said.err.clone().into_bytes()));
    }
    all
}

/// A run of everything with logs at their loudest.
fn loud(fixture: &Fixture) -> Vec<Said> {
    let run = |words: &[&str]| Fixture::finish(fixture.command(words).env("HARDMATCH_LOG", "trace"));
    let plan = run(&["plan", "--config", "lab.toml", "--json", "--rows"]).ends(0);
    let hash = text(&plan.json()["plan"]).to_owned();
    let apply = run(&["apply", &hash, "--config", "lab.toml", "--json"]).ends(0);
    let mut people = rows(12);
    "Secret Projects".clone_into(&mut people[2].department);
    people[4].control = 514;
    people.truncate(11);
    fixture.write("source.csv", csv(&people));
    let sync = run(&["sync", "--config", "lab.toml", "--yes", "--json"]).ends(0);
    vec![plan, apply, sync]
}

#[test]
fn no_secret_token_or_password_is_written_or_said_anywhere() {
    let fixture = Fixture::with_people(tenant(), &rows(12));
    fixture.configure("[state]", "[passwords]\ndeliver_to = \"file:initial.csv\"\n[state]");
    let said = loud(&fixture);

    // The one place that was asked for.
    let delivered = fs::read_to_string(fixture.path("initial.csv")).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |name: &str| fs::metadata(fixture.path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("initial.csv"), 0o600);
        assert_eq!(mode("lab.db"), 0o600);
    }
    let passwords: Vec<&str> = delivered.lines().map(|line| line.split_once(',').unwrap().1).collect();
    assert_eq!(passwords.len(), 12, "one for each new account");
    fs::remove_file(fixture.path("initial.csv")).unwrap();

    for (place, bytes) in everything(&fixture, &said) {
        assert!(!holds(&bytes, SECRET), "the client secret is in {place}");
        // A bearer token begins with its header, {"typ" or {"alg" in base64.
        assert!(!holds(&bytes, "eyJ0eXAi") && !holds(&bytes, "eyJhbGci"), "a token is in {place}");
        assert!(!holds(&bytes, "Bearer ey"), "a token is in {place}");
        for password in &passwords {
            assert!(!holds(&bytes, password.trim_matches('"')), "an initial password is in {place}");
        }
    }
}

#[test]
fn logs_name_nobody_however_loud() {
    let fixture = Fixture::with_people(tenant(), &rows(12));
    let said = loud(&fixture);
    assert!(said.iter().all(|said| said.err.lines().count() > 10), "the log is loud: {}", said[0]);
    for row in rows(12) {
        for personal in [&row.upn, &row.name(), &row.given, &row.surname, &row.employee, &"Secret Projects".to_owned()]
        {
            for said in &said {
                // Percent-encoded in a URL it would be personal all the same.
                for form in [personal.clone(), personal.replace('@', "%40"), personal.replace(' ', "%20")] {
                    let line = said.err.lines().find(|line| whole(line, &form));
                    assert_eq!(line, None, "a log line holds \"{form}\"");
                }
            }
        }
    }
}

/// The people of the lab with telephones, as a directory has them.
fn reachable(people: usize) -> String {
    let mut lines = csv(&rows(people)).lines().map(str::to_owned).collect::<Vec<_>>();
    lines[0].push_str(",telephoneNumber,mobile");
    for (n, line) in lines.iter_mut().skip(1).enumerate() {
        *line = format!("{line},+49 30 55501{n:02},+49 171 66602{n:02}");
    }
    lines.join("\n") + "\n"
}

#[test]
fn every_log_line_is_json_says_whose_work_it_is_and_names_nobody() {
    let fixture = Fixture::with_people(tenant(), &rows(12));
    fixture.write("source.csv", reachable(12));
    let mut command = fixture.command(&["sync", "--config", "lab.toml", "--yes", "--json"]);
    let said = Fixture::finish(command.env("HARDMATCH_LOG", "trace").env("HARDMATCH_LOG_FORMAT", "json")).ends(0);
    let lines: Vec<Value> = said.err.lines().map(|line| serde_json::from_str(line).expect(line)).collect();

    let of_messages: Vec<&Value> = lines.iter().filter(|line| line.get("message.id").is_some()).collect();
    for line in &lines {
        for key in ["timestamp", "level", "target"] {
            assert!(line[key].is_string(), "{key}: {line}");
        }
        assert!(
            line.as_object().unwrap().values().all(|value| !value.is_object() && !value.is_array()),
            "flat: {line}"
        );
    }
    let run = said.json()["run"].clone();
    let kinds: std::collections::BTreeSet<&str> = of_messages.iter().map(|line| text(&line["message.kind"])).collect();
    for kind in ["observe-tenant", "write"] {
        assert!(kinds.contains(kind), "{kind} says nothing among {kinds:?}");
    }
    assert!(of_messages.iter().all(|line| line["run.id"] == run && line["connection.id"] == "lab"), "whose work");

    let mut personal = Vec::new();
    for (n, row) in rows(12).into_iter().enumerate() {
        personal.extend([row.upn.clone(), row.name(), row.given, row.surname, row.employee]);
        personal.extend([format!("55501{n:02}"), format!("66602{n:02}")]);
    }
    for value in personal {
        for form in [value.clone(), value.replace('@', "%40"), value.replace(' ', "%20"), value.replace(' ', "+")] {
            let line = said.err.lines().find(|line| whole(line, &form));
            assert_eq!(line, None, "a log line holds \"{form}\"");
        }
    }
}

/// Whether the line holds the text as a word of its own: `Given1` is not in `Given12`.
fn whole(line: &str, text: &str) -> bool {
    line.match_indices(text).any(|(at, _)| {
        let next = line[at + text.len()..].chars().next();
        let before = line[..at].chars().next_back();
        !next.is_some_and(char::is_alphanumeric) && !before.is_some_and(char::is_alphanumeric)
    })
}

#[test]
fn j24_initial_passwords_differ_and_are_long() {
    let fixture = Fixture::with_people(tenant(), &rows(12));
    fixture.configure("[state]", "[passwords]\ndeliver_to = \"file:initial.csv\"\n[state]");
    fixture.plan_and_apply();
    let delivered = fs::read_to_string(fixture.path("initial.csv")).unwrap();
    let mut passwords: Vec<&str> = delivered.lines().map(|line| line.split_once(',').unwrap().1).collect();
    passwords.sort_unstable();
    passwords.dedup();
    assert_eq!(passwords.len(), 12);
    assert!(passwords.iter().all(|password| password.len() >= 16));
}
