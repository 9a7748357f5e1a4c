//! The log of a process: JSON with dotted fields on standard error, and panics without their words.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use hardmatch_runtime::telemetry::{self, LogFormat, field};

/// Set for the process whose log is looked at.
const LOGGER: &str = "HARDMATCH_TEST_LOGGER";

#[test]
fn lines_are_json_with_dotted_fields_and_panics_keep_their_words_to_themselves() {
    if std::env::var_os(LOGGER).is_some() {
        log();
        return;
    }
    let logged = |variables: &[(&str, &str)]| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "lines_are_json_with_dotted_fields_and_panics_keep_their_words_to_themselves",
                "--nocapture",
            ])
            .env_remove("HARDMATCH_LOG")
            .env_remove("HARDMATCH_LOG_FORMAT")
            .env(LOGGER, "1")
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };

    let json = logged(&[("HARDMATCH_LOG_FORMAT", "json")]);
    let lines: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3, "the debug line is below the level: {json}");
    assert_eq!(lines[0]["message"], "a run has begun");
    assert_eq!((&lines[0]["run.id"], &lines[0]["count"]), (&"run_1".into(), &3.into()));
    // What is said inside says whose work it was, beside its own fields and not below them.
    let inside = &lines[1];
    assert_eq!((&inside["connection.id"], &inside["message.id"]), (&"contoso".into(), &"m1".into()));
    assert_eq!((&inside["function.name"], &inside["run.id"]), (&"write".into(), &"run_2".into()), "the nearer one");
    assert_eq!((&inside["error"], &inside["level"]), (&"it \"broke\"".into(), &"WARN".into()));
    assert!(inside["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    assert_eq!(lines[2]["level"], "ERROR");
    assert!(lines[2]["place"].as_str().unwrap().contains("tests/telemetry.rs:"));
    assert!(!json.contains("anna@contoso.com"), "{json}");

    let compact = logged(&[("HARDMATCH_LOG", "debug")]);
    assert_eq!(compact.lines().count(), 4, "{compact}");
    assert!(compact.contains("a run has begun") && compact.contains("run.id=\"run_1\""), "{compact}");
    assert!(!compact.contains('\u{1b}'), "no colours: {compact}");
}

fn log() {
    telemetry::start(LogFormat::Compact, "info").unwrap();
    assert!(telemetry::start(LogFormat::Compact, "info").is_err(), "once in a process");
    tracing::info!({ field::RUN_ID } = "run_1", { field::COUNT } = 3, "a run has begun");
    tracing::debug!("a detail");
    let invocation =
        tracing::error_span!("invocation", { field::FUNCTION_NAME } = "write", { field::RUN_ID } = "run_1");
    let message = tracing::error_span!(parent: &invocation, "message", { field::CONNECTION_ID } = "contoso", { field::MESSAGE_ID } = "m1");
    message.in_scope(|| {
        let error = std::io::Error::other("it \"broke\"");
        tracing::warn!({ field::RUN_ID } = "run_2", { field::ERROR } = %error, "something broke");
    });
    std::panic::catch_unwind(|| assert_eq!("anna@contoso.com", "")).unwrap_err();
}

/// Fields of what every program of ours logs, by the file that says it.
fn fields_in(folder: &Path, found: &mut BTreeMap<String, BTreeSet<String>>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "tests" && name != "benches") {
            fields_in(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            for name in fields_of(text) {
                found.entry(name).or_default().insert(path.display().to_string());
            }
        }
    }
}

/// What stands before the message in `info!(run.id = id, "a message")` and its likes.
fn fields_of(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    for level in ["trace", "debug", "info", "warn", "error"] {
        for (at, _) in
            source.match_indices(&format!("{level}!(")).chain(source.match_indices(&format!("{level}_span!(")))
        {
            let logged = &source[at..];
            if !source[..at].ends_with("tracing::") {
                continue;
            }
            let mut words = arguments(&logged[logged.find('(').unwrap() + 1..]).into_iter();
            if logged.starts_with(&format!("{level}_span")) {
                words.by_ref().find(|word| word.starts_with('"'));
            }
            names.extend(words.take_while(|word| !word.starts_with('"')).map(|word| name_of(&word)));
        }
    }
    names
}

/// The arguments of a macro, up to its closing bracket.
fn arguments(text: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut escaped) = (0_i32, false, false);
    let (mut all, mut one) = (Vec::new(), String::new());
    for letter in text.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                all.push(std::mem::take(&mut one).trim().to_owned());
                continue;
            }
            _ => {}
        }
        one.push(letter);
    }
    all.push(one.trim().to_owned());
    all.retain(|one| !one.is_empty());
    all
}

/// `{ field::RUN_ID } = id`, `run.id = %id`, `%error`, `error`: the field's name.
fn name_of(argument: &str) -> String {
    let name = argument.split('=').next().unwrap_or_default().trim().trim_start_matches(['%', '?']);
    let Some(constant) = name.strip_prefix("{ field::") else { return name.to_owned() };
    let constant = constant.trim_end_matches(['}', ' ']);
    let known = field::ALL.iter().find(|name| name.replace('.', "_").to_uppercase() == constant);
    (*known.unwrap_or_else(|| panic!("{constant} is not in field::ALL"))).to_owned()
}

#[test]
fn every_program_logs_these_fields_and_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = BTreeMap::new();
    for folder in ["functions", "shared"] {
        fields_in(&root.join(folder), &mut found);
    }
    for (name, files) in &found {
        assert!(field::ALL.contains(&name.as_str()), "{name} is no field of telemetry::field; logged in {files:?}");
    }
    for name in field::ALL {
        assert!(found.contains_key(name), "{name} is logged nowhere");
    }
    assert!(field::ALL.is_sorted());
}

#[test]
fn fields_are_found_in_every_spelling() {
    let source = r#"
        tracing::info!(run.id = run.id, { field::COUNT } = f(1, ")"), %error, "three, of them: {}", more);
        tracing::error_span!("message", { field::MESSAGE_ID } = id, connection.id = %message.connection);
        tracing::warn!("none");
    "#;
    let found: BTreeSet<String> = fields_of(source).into_iter().collect();
    assert_eq!(found, ["message.id", "connection.id", "count", "error", "run.id"].map(str::to_owned).into());
}
