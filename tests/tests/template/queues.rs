//! Doorbells, their dead letters, and how their messages start functions.

use std::collections::BTreeSet;

use hardmatch_ports::doorbell::Queue;

use crate::expanded::{list, number, of_type, properties, target, template};

/// Queues of work, not those of dead letters.
fn doorbells() -> Vec<&'static str> {
    of_type("AWS::SQS::Queue").into_iter().map(|(name, _)| name).filter(|name| name.ends_with("Queue")).collect()
}

#[test]
fn there_is_a_queue_for_each_kind_of_work_and_two_for_commands() {
    let mut expected: BTreeSet<String> =
        Queue::DEPLOYED.iter().map(|queue| queue.name()[..1].to_uppercase() + &queue.name()[1..] + "Queue").collect();
    expected.extend(["CommandQueue", "ApproveQueue"].map(str::to_owned));
    assert_eq!(doorbells().into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), expected);
}

#[test]
fn all_queues_give_up_into_one_that_keeps_letters_longer() {
    let dead = properties("DeadLetters");
    assert!(dead["RedrivePolicy"].is_null(), "it passes letters on");
    // The function that puts letters back finds them by this name.
    let called = |name: &str| properties(name)["QueueName"]["Fn::Sub"].as_str().map(str::to_owned);
    assert_eq!(called("DeadLetters").as_deref(), Some("${AWS::StackName}-dead"));
    assert_eq!(called("MatchQueue").as_deref(), Some("${AWS::StackName}-match"));
    for name in doorbells() {
        let queue = properties(name);
        let redrive = &queue["RedrivePolicy"];
        assert_eq!(target(&redrive["deadLetterTargetArn"]), Some("DeadLetters"), "{name}");
        assert!(number(&redrive["maxReceiveCount"]) >= 5, "{name}: throttling uses up receipts, too");
        // A letter keeps the time at which it was first sent.
        let (kept, of_dead) = (&queue["MessageRetentionPeriod"], &dead["MessageRetentionPeriod"]);
        assert!(number(of_dead) > number(kept), "{name}: a dead letter could be lost on arrival");
    }
}

#[test]
fn time_of_functions_and_visibility_of_messages_are_one_parameter() {
    let times = &template()["Parameters"]["FunctionTimeout"]["AllowedValues"];
    for time in list(times) {
        let visibility = number(&template()["Mappings"]["Seconds"][time.to_string()]["Visibility"]);
        let time = number(time);
        // Fifteen seconds are for tests, which wait for what died.
        assert!(visibility >= 6 * time || (time == 15 && visibility > time), "{time} s");
    }
}

#[test]
fn every_queue_is_encrypted() {
    for (name, queue) in of_type("AWS::SQS::Queue") {
        assert_eq!(queue["SqsManagedSseEnabled"], true, "{name}");
        assert!(queue["FifoQueue"].is_null(), "{name}: order is kept by revisions in the table");
    }
}

#[test]
fn a_message_is_handed_over_again_after_six_times_a_functions_time() {
    for name in doorbells() {
        let visibility = number(&properties(name)["VisibilityTimeout"]);
        for (function, properties) in of_type("AWS::Lambda::Function") {
            if function == "ConnectFunction" {
                continue;
            }
            let time = number(&properties["Timeout"]);
            assert!(visibility >= 6 * time, "{name} hands over again after {visibility} s, {function} has {time} s");
        }
    }
}

#[test]
fn every_queue_starts_one_function_that_names_what_failed() {
    let mappings = of_type("AWS::Lambda::EventSourceMapping");
    let notified: BTreeSet<&str> =
        mappings.iter().filter_map(|(_, mapping)| target(&mapping["EventSourceArn"])).collect();
    assert_eq!((notified, mappings.len()), (doorbells().into_iter().collect(), doorbells().len()));
    for (name, mapping) in mappings {
        assert_eq!(mapping["FunctionResponseTypes"], serde_json::json!(["ReportBatchItemFailures"]), "{name}");
        assert!(number(&mapping["ScalingConfig"]["MaximumConcurrency"]) >= 2, "{name} has no limit");
        // Messages of one batch would share one deadline, and the last of them would begin when it is nearly over.
        assert_eq!(number(&mapping["BatchSize"]), 1, "{name}: each message has a function's time for itself");
        assert!(mapping["MaximumBatchingWindowInSeconds"].is_null(), "{name}: a message does not wait");
    }
}
