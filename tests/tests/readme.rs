//! The README's two commands: there as written, and the second is what the continuous integration runs.

#![expect(clippy::panic, reason = "helpers of tests")]

use std::fs;
use std::path::Path;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const FIRST: &str = "cargo run -p hardmatch -- demo";

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Commands of fenced blocks, in order: lines that start a program of ours or cargo.
fn commands(page: &str) -> Vec<String> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            let line = line.trim().trim_start_matches("$ ");
            if line.starts_with("cargo ") || line.starts_with(".ci/") || line.starts_with("./") {
                found.push(line.split(" #").next().unwrap_or_default().trim().to_owned());
            }
        }
    }
    found
}

#[test]
fn the_two_commands_are_there_as_written() {
    let commands = commands(&read("README.md"));
    assert_eq!(commands.first().map(String::as_str), Some(FIRST), "{commands:?}");
    let second = commands.get(1).unwrap_or_else(|| panic!("the README has one command only: {commands:?}"));
    let run = read(".ci/run");
    assert!(
        run.lines().any(|line| line.trim().starts_with(second.as_str())),
        "the README's second command, {second}, is not what .ci/run runs"
    );
    assert!(second.contains("test"), "the second command passes the tests: {second}");
}

#[test]
fn the_first_command_is_a_command_of_ours() {
    let words = read("functions/cli/src/args.rs");
    assert!(words.contains("Demo("), "the README shows `demo`, which the command line does not know");
}

#[test]
fn the_page_is_one_page() {
    let lines = read("README.md").lines().count();
    assert!(lines < 120, "the README has {lines} lines");
}

#[test]
fn the_configurations_page_is_what_the_program_reads() {
    let page = read("docs/configuration.md");
    assert!(
        page.trim_end() == hardmatch_policy::reference().trim_end(),
        "docs/configuration.md is out of date: cargo run -p hardmatch -- config reference > docs/configuration.md"
    );
}

/// The pages of `docs/`, by path.
fn pages() -> Vec<String> {
    let folder = fs::read_dir(Path::new(ROOT).join("docs")).unwrap_or_else(|error| panic!("docs: {error}"));
    let names = folder.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_page = |name: &String| Path::new(name).extension().is_some_and(|extension| extension == "md");
    let mut pages: Vec<String> = names.filter(is_page).map(|name| format!("docs/{name}")).collect();
    pages.sort();
    pages
}

#[test]
fn every_link_of_the_readme_and_the_docs_leads_somewhere() {
    let all = pages();
    assert!(all.len() > 10, "{all:?}");
    for page in all.into_iter().chain(["README.md".to_owned()]) {
        let text = read(&page);
        let folder = Path::new(ROOT).join(&page);
        let folder = folder.parent().unwrap_or_else(|| panic!("{page} lies nowhere"));
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap_or_default();
            let there = path.is_empty() || path.contains("://") || folder.join(path).exists();
            assert!(there, "{page} links to {link}, which is not there");
        }
    }
}

#[test]
fn every_page_of_the_docs_is_in_the_book() {
    let summary = read("docs/SUMMARY.md");
    for page in pages() {
        let name = page.trim_start_matches("docs/");
        assert!(name == "SUMMARY.md" || summary.contains(&format!("]({name})")), "{page} is not in docs/SUMMARY.md");
    }
}
