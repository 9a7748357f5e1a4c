//! The commands that the documentation shows: each exists, and those of the first page do what it says.

use std::fs;
use std::path::Path;

use crate::fixture::{Fixture, tenant, text};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// README and all pages of `docs/`, by name.
fn pages() -> Vec<(String, String)> {
    let mut pages = vec![("README.md".to_owned(), fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap())];
    for entry in fs::read_dir(Path::new(ROOT).join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            pages.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
    pages
}

/// The contents of fenced blocks of a language, in order.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// The words of the `hardmatch` commands in blocks of a shell.
pub(crate) fn commands(page: &str) -> Vec<Vec<&str>> {
    let lines = blocks(page, "sh").into_iter().flat_map(str::lines);
    let commands = lines.filter_map(|line| line.trim().strip_prefix("hardmatch "));
    commands.map(|line| line.split(" #").next().unwrap_or_default().split_whitespace().collect()).collect()
}

#[test]
fn every_command_of_the_documentation_exists_with_its_options() {
    let fixture = Fixture::new(tenant());
    let mut seen = 0;
    for (name, page) in pages() {
        for command in commands(&page) {
            // With --help a command says what it takes, and one that does not know an option says so first.
            let said = fixture.run(&[&command[..], &["--help"]].concat());
            assert_eq!(said.code, Some(0), "{name} shows `hardmatch {}`: {said}", command.join(" "));
            seen += 1;
        }
    }
    assert!(seen > 12, "only {seen} commands were found");
}

#[test]
fn the_commands_of_getting_started_do_what_the_page_says() {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/getting-started.md")).unwrap();
    let fixture = Fixture::new(tenant());
    let folder = fixture.path("start");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("people.csv"), blocks(&page, "csv")[0]).unwrap();
    let run = |words: &[&str]| Fixture::finish(fixture.command(words).current_dir(&folder)).ends(0);
    let mut hash = String::new();
    for command in commands(&page) {
        let words: Vec<&str> = command.iter().map(|word| if *word == "PLAN" { hash.as_str() } else { word }).collect();
        let said = run(&words);
        if words == ["plan"] {
            let shown = said.out.split("hardmatch apply ").nth(1).and_then(|rest| rest.split_whitespace().next());
            hash = shown.unwrap_or_else(|| panic!("the plan shows no command: {said}")).to_owned();
        }
    }
    assert!(!hash.is_empty(), "the page makes a plan");
    // Its last word: a changed value is one update, and nobody else is touched.
    let people = fs::read_to_string(folder.join("people.csv")).unwrap();
    fs::write(folder.join("people.csv"), people.replace(",Sales,", ",Marketing,")).unwrap();
    let synced = run(&["sync", "--json"]).json();
    assert_eq!(synced["changes"], serde_json::json!({ "update": 1 }), "{synced}");
    assert_eq!(text(&synced["status"]), "converged");
}
