//! What the people we build for asked for, case by case, in `tests/cases.toml`: each is shown by a test that exists, or
//! says what it waits for, or why it is not ours.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::MetadataCommand;
use serde::Deserialize;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The letters of the five documents, and how many cases each has.
const CASES: [(char, u32); 5] = [('C', 13), ('D', 28), ('J', 34), ('K', 23), ('O', 50)];

/// Rows of a sixth document that stand alone.
const ROWS: [&str; 15] =
    ["C-1", "C-2", "C-4", "C-5", "C-6", "C-7", "C-8", "C-9", "C-13", "C-14", "C-18", "C-22", "C-23", "C-38", "C-39"];

/// What is said of a case.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CaseState {
    /// Shown by these tests: `package::file::function`.
    Test(Names),
    /// What it waits for.
    Later(String),
    /// Why it is not ours.
    NotApplicable(String),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Names {
    One(String),
    Several(Vec<String>),
}

impl Names {
    fn all(&self) -> &[String] {
        match self {
            Names::One(name) => std::slice::from_ref(name),
            Names::Several(names) => names,
        }
    }
}

/// Trials that are no file: histories, by their letters.
const HISTORIES: [&str; 8] = ["c1", "c3", "c5", "c12", "c13", "c15", "cl", "ct"];

/// The file: cases by their number, and trials in a table of their own.
#[derive(Debug, Deserialize)]
struct Listed {
    trials: BTreeMap<String, CaseState>,
    #[serde(flatten)]
    cases: BTreeMap<String, CaseState>,
}

fn listed() -> Listed {
    let text = fs::read_to_string(Path::new(ROOT).join("tests/cases.toml")).unwrap();
    toml::from_str(&text).unwrap_or_else(|error| panic!("cases.toml: {error}"))
}

/// The numbers of the trials whose files lie in `tests/fixtures/trials`, and the histories.
fn trials() -> BTreeSet<String> {
    let files = fs::read_dir(Path::new(ROOT).join("tests/fixtures/trials")).unwrap();
    let number = |name: &str| name.split_once('-').map(|(number, _)| number.to_owned());
    let mut trials: BTreeSet<String> =
        files.filter_map(|file| number(&file.unwrap().file_name().to_string_lossy())).collect();
    trials.extend(HISTORIES.map(str::to_owned));
    trials
}

/// Every test function of the workspace, by the path it is named with here.
fn tests() -> BTreeSet<String> {
    let metadata = MetadataCommand::new().manifest_path(Path::new(ROOT).join("Cargo.toml")).no_deps().exec().unwrap();
    let mut found = BTreeSet::new();
    for package in &metadata.packages {
        let folder = package.manifest_path.parent().unwrap();
        for path in sources(folder.as_std_path()) {
            let file = path.file_stem().unwrap().to_string_lossy().into_owned();
            for name in tests_in(&fs::read_to_string(&path).unwrap()) {
                found.insert(format!("{}::{file}::{name}", package.name));
            }
        }
    }
    found
}

/// Rust files of a package, without packages inside it.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.join("src"), folder.join("tests")];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    found
}

/// Names of functions that a test attribute stands above. Macros that test, such as proptest's, count as well.
fn tests_in(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut marked = false;
    for line in text.lines().map(str::trim_start) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            marked = true;
        } else if let Some(rest) = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn ")) {
            if marked {
                found.push(rest.split(['(', '<']).next().unwrap_or_default().to_owned());
            }
            marked = false;
        } else if !line.starts_with("#[") && !line.starts_with("//") && !line.is_empty() {
            marked = false;
        }
    }
    found
}

#[test]
fn every_case_is_shown_or_says_why_not() {
    let mut wanted: BTreeSet<String> =
        CASES.iter().flat_map(|(letter, last)| (1..=*last).map(move |number| format!("{letter}{number}"))).collect();
    wanted.extend(ROWS.map(str::to_owned));
    println!("{}", all_stand("cases", &listed().cases, &wanted, |_, _| true));
}

#[test]
fn every_trial_is_shown_by_a_test_of_its_number() {
    // `t07_…` for a file, `c1_…` for a history.
    let names_it = |trial: &str, test: &str| {
        let start = if trial.starts_with('c') { format!("{trial}_") } else { format!("t{trial}_") };
        test.rsplit("::").next().is_some_and(|name| name.starts_with(&start))
    };
    println!("{}", all_stand("trials", &listed().trials, &trials(), names_it));
}

/// All that are wanted stand in the list, and what is said of them holds: tests exist, and are called as they should.
fn all_stand(
    what: &str,
    listed: &BTreeMap<String, CaseState>,
    wanted: &BTreeSet<String>,
    called: impl Fn(&str, &str) -> bool,
) -> String {
    let known: BTreeSet<String> = listed.keys().cloned().collect();
    let missing: Vec<_> = wanted.difference(&known).collect();
    assert!(missing.is_empty(), "cases.toml says nothing of {missing:?}");
    let unknown: Vec<_> = known.difference(wanted).collect();
    assert!(unknown.is_empty(), "cases.toml names {what} that do not exist: {unknown:?}");

    let tests = tests();
    let mut dead = Vec::new();
    let (mut shown, mut later, mut not_ours) = (0, 0, 0);
    for (id, standing) in listed {
        match standing {
            CaseState::Test(names) => {
                shown += 1;
                assert!(!names.all().is_empty(), "{id} names no test");
                dead.extend(
                    names
                        .all()
                        .iter()
                        .filter(|name| !tests.contains(*name) || !called(id, name))
                        .map(|name| format!("{id}: {name}")),
                );
            }
            CaseState::Later(what) => {
                later += 1;
                assert!(!what.trim().is_empty(), "{id} does not say what it waits for");
            }
            CaseState::NotApplicable(why) => {
                not_ours += 1;
                assert!(!why.trim().is_empty(), "{id} does not say why it is not ours");
            }
        }
    }
    assert!(dead.is_empty(), "no test of the workspace is called:\n{}", dead.join("\n"));
    format!("{} {what}: {shown} shown by a test, {later} later, {not_ours} not applicable", listed.len())
}

#[test]
fn a_test_is_told_from_another_function() {
    let text = "#[test]\nfn one() {}\nfn two() {}\n#[tokio::test]\n#[expect(x)]\nasync fn three() {}\n// #[test]\nfn four() {}";
    assert_eq!(tests_in(text), ["one", "three"]);
}
