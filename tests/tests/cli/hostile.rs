//! A tenant whose answers never end, are too much, or are none: the command ends with an error that names what and who
//! answered, keeps its state usable, and holds no lease.

use std::process::{Command, Stdio};

use hardmatch_tests::hostile::{Hostile, HostileServer};

use crate::fixture::{Fixture, Row, binary, csv, tenant};

fn command(folder: &std::path::Path, words: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(words).current_dir(folder).env_remove("HARDMATCH_LOG").stdin(Stdio::null());
    command
}

/// Each kind, with the most requests that it may take.
#[test]
fn hostile_answers_end_a_command_with_an_error_that_names_them() {
    for hostile in Hostile::ALL {
        let server = HostileServer::start(hostile).unwrap();
        let folder = tempfile::tempdir().unwrap();
        server.connection(folder.path()).unwrap();
        let host = server.url.trim_start_matches("http://").to_owned();
        let said = Fixture::finish(&mut command(folder.path(), &["plan"])).ends(1).says(&[hostile.said()]);
        assert!(said.err.contains(&host) || said.err.contains("login service"), "{hostile:?}: {said}");
        assert!(!said.err.contains("guest network"), "{hostile:?}: {said}");
        let most = if hostile == Hostile::LinksWithoutEnd { 300 } else { 40 };
        assert!(server.requests() < most, "{hostile:?}: {} requests", server.requests());
        if hostile == Hostile::WebPage {
            // Nothing holds the state: the next command gets as far.
            Fixture::finish(&mut command(folder.path(), &["plan"])).ends(1).says(&[hostile.said()]);
        }
        let runs = Fixture::finish(&mut command(folder.path(), &["runs", "list", "--json"]));
        assert_eq!(runs.code, Some(0), "{hostile:?}: {runs}");
    }
}

#[test]
fn control_characters_of_names_reach_no_terminal() {
    let steering = |c: char| c != '\n' && c != '\t' && (c.is_control() || "\u{202e}\u{2066}\u{2028}".contains(c));
    let mut people = vec![Row::nth(0), Row::nth(1)];
    people[0].given = "\"Ada\u{1b}[2J\u{202e}\u{9b}31m\"".to_owned();
    people[1].surname = "\"Two\nhardmatch: forged\u{2066}\"".to_owned();
    people[1].department = "\u{1b}]0;title\u{7}".to_owned();
    let fixture = Fixture::new(tenant());
    fixture.write("source.csv", csv(&people));
    for words in [
        &["plan", "--config", "lab.toml"][..],
        &["plan", "--config", "lab.toml", "--json", "--rows"],
        &["explain", "person0@contoso.com", "--config", "lab.toml"],
        &["explain", "person1@contoso.com", "--config", "lab.toml", "--json"],
        &["explain", "nobody\u{1b}[2J@contoso.com", "--config", "lab.toml"],
    ] {
        let said = fixture.run(words);
        assert!(!said.out.contains(steering) && !said.err.contains(steering), "{words:?}: {said:?}");
        // Some of these rows are refused for what they hold; then there is nobody to explain.
        if words.contains(&"--json") && said.code != Some(2) {
            said.json();
        }
    }
}

#[cfg(unix)]
#[test]
fn a_state_file_that_others_can_read_is_remarked_on() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = Fixture::with_people(tenant(), &[Row::nth(0)]);
    let first = fixture.run(&["plan", "--config", "lab.toml"]);
    assert!(!first.err.contains("chmod"), "{first}");
    std::fs::set_permissions(fixture.path("lab.db"), std::fs::Permissions::from_mode(0o644)).unwrap();
    fixture.run(&["plan", "--config", "lab.toml"]).says(&["others can read", "lab.db", "mode 644", "chmod 600"]);
}
