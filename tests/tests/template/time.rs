//! The schedules.

use crate::expanded::{number, properties, target, template};
use serde_json::json;

#[test]
fn the_nightly_start_has_its_zone_its_window_and_an_end() {
    let nightly = properties("Nightly");
    assert_eq!(nightly["ScheduleExpressionTimezone"], json!({"Ref": "NightlyTimeZone"}));
    assert_eq!(nightly["FlexibleTimeWindow"]["Mode"], "FLEXIBLE");
    assert!(number(&nightly["FlexibleTimeWindow"]["MaximumWindowInMinutes"]) >= 1);
    let goal = &nightly["Target"];
    assert_eq!(target(&goal["Arn"]), Some("MatchQueue"));
    assert!(number(&goal["RetryPolicy"]["MaximumEventAgeInSeconds"]) <= 6 * 60 * 60, "a nightly sync at noon");
    assert!(number(&goal["RetryPolicy"]["MaximumRetryAttempts"]) >= 2);
    assert_eq!(target(&goal["DeadLetterConfig"]["Arn"]), Some("DeadLetters"));
    assert_eq!(template()["Parameters"]["ScheduleState"]["AllowedValues"], json!(["ENABLED", "DISABLED"]));
}

#[test]
fn what_the_schedules_send_is_a_message() {
    for (name, kind) in [("Nightly", "nightly"), ("Tick", "tick")] {
        let input = properties(name)["Target"]["Input"].as_str().expect("a message");
        // The scheduler puts the time in; until then it is no time.
        let sent = input.replace("<aws.scheduler.scheduled-time>", "2026-01-15T03:00:00Z");
        let message: hardmatch_ports::Message =
            serde_json::from_str(&sent).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(message.kind.name(), kind);
    }
    assert_eq!(target(&properties("Tick")["Target"]["Arn"]), Some("MatchQueue"));
    assert_eq!(properties("Tick")["Target"]["RetryPolicy"]["MaximumRetryAttempts"], 1, "the next tick is never far");
}

#[test]
fn the_scheduler_may_send_and_nothing_else() {
    let role = properties("SchedulerRole");
    let statement = &role["Policies"][0]["PolicyDocument"]["Statement"][0];
    assert_eq!(statement["Action"], "sqs:SendMessage");
    let may: Vec<_> = statement["Resource"].as_array().expect("queues").iter().filter_map(target).collect();
    assert_eq!(may, ["MatchQueue", "DeadLetters"]);
    let trust = &role["AssumeRolePolicyDocument"]["Statement"][0];
    assert_eq!(trust["Principal"]["Service"], "scheduler.amazonaws.com");
    assert!(
        !trust["Condition"]["StringEquals"]["aws:SourceAccount"].is_null(),
        "another account's schedule could send"
    );
}

#[test]
fn the_hour_of_the_nightly_start_exists_on_every_day_of_every_zone() {
    let schedule = template()["Parameters"]["NightlySchedule"]["Default"].as_str().expect("a schedule");
    let fields: Vec<&str> = schedule.trim_start_matches("cron(").split(' ').collect();
    let (minute, hour) = (fields[0].parse::<i8>().expect("a minute"), fields[1].parse::<i8>().expect("an hour"));
    // The scheduler skips a time that the clock change leaves out.
    // <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#daylist-savings-time>
    let exists = |hour: i8, zone: &str, day: jiff::civil::Date| {
        let wanted = day.at(hour, minute, 0, 0);
        let there = wanted.in_tz(zone).unwrap_or_else(|error| panic!("{zone}: {error}"));
        there.datetime() == wanted
    };
    let first = jiff::civil::date(2026, 1, 1);
    let days: Vec<_> = first.series(jiff::Span::new().days(1)).take(366 * 4).collect();
    let mut zones = 0;
    for zone in jiff::tz::db().available() {
        zones += 1;
        for day in &days {
            assert!(exists(hour, zone.as_str(), *day), "{zone}: {hour}:{minute:02} does not exist on {day}");
        }
    }
    assert!(zones > 300, "{zones} zones");
    assert!(!exists(2, "Europe/Berlin", jiff::civil::date(2026, 3, 29)), "two o'clock does not");
}
