//! Doorbells, their dead letters, and how their messages start functions.

use std::collections::BTreeSet;

use hardmatch_ports::doorbell::Queue;

use crate::expanded::{number, of_type, properties, target};

/// Queues of work, not those of dead letters.
fn doorbells() -> Vec<&'static str> {
    of_type("AWS::SQS::Queue").into_iter().map(|(name, _)| name).filter(|name| name.ends_with("Queue")).collect()
}

#[test]
fn there_is_a_queue_for_each_kind_of_work_and_two_for_commands() {
    let mut expected: BTreeSet<String> = Queue::ALL
        .iter()
        .map(|queue| {
            let words = queue.name().split('-').map(|word| word[..1].to_uppercase() + &word[1..]);
            words.collect::<String>() + "Queue"
        })
        .collect();
    expected.extend(["CommandQueue", "ApproveQueue"].map(str::to_owned));
    assert_eq!(doorbells().into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), expected);
}

#[test]
fn every_queue_has_dead_letters_of_its_own_that_are_kept_longer() {
    let mut taken = BTreeSet::new();
    for name in doorbells() {
        let queue = properties(name);
        let redrive = &queue["RedrivePolicy"];
        let dead = target(&redrive["deadLetterTargetArn"]).unwrap_or_else(|| panic!("{name} has no dead letters"));
        assert!(taken.insert(dead), "{dead} serves two queues; nobody could tell where to send a letter back to");
        assert!(number(&redrive["maxReceiveCount"]) >= 5, "{name}: throttling uses up receipts, too");
        // The function that puts letters back finds them by this name.
        let called = |name: &str| properties(name)["QueueName"]["Fn::Sub"].as_str().map(str::to_owned);
        assert_eq!(called(dead), called(name).map(|name| format!("{name}-dead")));
        // A letter keeps the time at which it was first sent.
        let (kept, of_dead) = (&queue["MessageRetentionPeriod"], &properties(dead)["MessageRetentionPeriod"]);
        assert!(number(of_dead) > number(kept), "{name}: a dead letter could be lost on arrival");
        assert!(properties(dead)["RedrivePolicy"].is_null(), "{dead} passes its letters on");
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
