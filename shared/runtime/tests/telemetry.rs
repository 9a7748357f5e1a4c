//! The log of a process: JSON with dotted fields on standard error, and panics without their words.

#![cfg(test)]

use std::process::Command;

use hardmatch_runtime::telemetry::{self, Format, field};

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
    assert_eq!((&inside["connection.id"], &inside["bell.id"]), (&"contoso".into(), &"m1".into()));
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
    telemetry::start(Format::Compact, "info").unwrap();
    assert!(telemetry::start(Format::Compact, "info").is_err(), "once in a process");
    tracing::info!({ field::RUN_ID } = "run_1", { field::COUNT } = 3, "a run has begun");
    tracing::debug!("a detail");
    let invocation =
        tracing::error_span!("invocation", { field::FUNCTION_NAME } = "write", { field::RUN_ID } = "run_1");
    let bell = tracing::error_span!(parent: &invocation, "bell", { field::CONNECTION_ID } = "contoso", { field::BELL_ID } = "m1");
    bell.in_scope(|| {
        let error = std::io::Error::other("it \"broke\"");
        tracing::warn!({ field::RUN_ID } = "run_2", { field::ERROR } = %error, "something broke");
    });
    std::panic::catch_unwind(|| assert_eq!("anna@contoso.com", "")).unwrap_err();
}
