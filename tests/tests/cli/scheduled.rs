//! `[schedule]` on one machine: what `sync --scheduled` and `serve` begin, and what they leave.

use crate::fixture::{Fixture, rows, tenant, text};
use crate::pushed::Serving;

/// A laboratory whose one time of the day was an hour ago, so that none comes while a test runs.
#[expect(clippy::disallowed_methods, reason = "the command goes by the clock of the machine")]
fn laboratory(people: usize) -> Fixture {
    let fixture = Fixture::with_people(tenant(), &rows(people));
    let ago = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1);
    let schedule = format!("[schedule]\nfull = \"{}\"\n[state]", ago.strftime("%H:%M"));
    fixture.configure("[state]", &schedule);
    fixture
}

const SCHEDULED: [&str; 4] = ["sync", "--scheduled", "--config", "lab.toml"];

#[test]
fn a_scheduled_sync_begins_what_is_due_and_nothing_else() {
    let fixture = laboratory(2);
    let first = fixture.run(&SCHEDULED).ends(3);
    assert!(first.out.contains("first run"), "{first}");
    let again = fixture.run(&SCHEDULED).ends(0).says(&["No time of [schedule] has come"]);
    assert!(again.out.is_empty(), "{again}");
    let listed = fixture.run(&["runs", "list", "--config", "lab.toml", "--json"]).ends(0).json();
    assert_eq!(listed["runs"].as_array().map(Vec::len), Some(1), "{listed:#}");
    assert_eq!(fixture.world().live_users(), 0, "the first plan waits for somebody");
}

#[test]
fn a_scheduled_sync_needs_a_schedule_and_no_other_words() {
    let fixture = Fixture::with_people(tenant(), &rows(1));
    fixture.run(&SCHEDULED).ends(2).says(&["lab.toml has no [schedule]", "every = \"5m\""]);
    fixture.run(&["sync", "--scheduled", "--full", "--config", "lab.toml"]).ends(2);
}

#[test]
fn lines_for_other_schedulers_go_by_the_file() {
    let fixture = laboratory(1);
    let lines = fixture.run(&["schedule", "--config", "lab.toml", "--for", "cron"]).ends(0);
    assert!(lines.out.contains("sync --scheduled --quiet --config"), "{lines}");
    fixture
        .run(&["schedule", "--config", "lab.toml", "--at", "01:00"])
        .ends(2)
        .says(&["has a [schedule]", "leave --at out"]);
}

#[test]
fn serve_begins_the_run_that_is_due() {
    let fixture = laboratory(2);
    let _serving = Serving::start(&fixture);
    let run = loop {
        let listed = fixture.run(&["runs", "list", "--config", "lab.toml", "--json"]);
        let runs = if listed.code == Some(0) { listed.json()["runs"].as_array().cloned() } else { None };
        if let Some(run) = runs.and_then(|runs| runs.into_iter().find(|run| run["plan"].is_string())) {
            break run;
        }
    };
    let applied = fixture.run(&["apply", text(&run["plan"]), "--config", "lab.toml"]);
    assert_eq!((applied.code, fixture.world().live_users()), (Some(0), 2), "{applied}");
}
