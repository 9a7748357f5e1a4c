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
    assert_eq!(target(&goal["DeadLetterConfig"]["Arn"]), Some("SchedulerDeadLetters"));
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
    assert_eq!(may, ["MatchQueue", "SchedulerDeadLetters"]);
    let trust = &role["AssumeRolePolicyDocument"]["Statement"][0];
    assert_eq!(trust["Principal"]["Service"], "scheduler.amazonaws.com");
    assert!(
        !trust["Condition"]["StringEquals"]["aws:SourceAccount"].is_null(),
        "another account's schedule could send"
    );
}
