//! Alarms: there for each thing that can go wrong, and about metrics that exist.

use std::collections::BTreeSet;

use hardmatch_runtime::metrics::{Metric, NAMESPACE};
use serde_json::{Value, json};

use crate::expanded::{list, number, of_type, properties, target, template, text};

/// Metrics of AWS that we look at, with the dimensions under which each is kept.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html>
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html>
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html>
const OF_AWS: [(&str, &str, &str); 6] = [
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName"),
    ("AWS/Lambda", "Errors", "FunctionName"),
    ("AWS/Lambda", "Throttles", "FunctionName"),
    ("AWS/Lambda", "Duration", "FunctionName"),
    ("AWS/DynamoDB", "ReadThrottleEvents", "TableName"),
    ("AWS/DynamoDB", "WriteThrottleEvents", "TableName"),
];

fn exists(namespace: &str, name: &str, dimension: &str) -> bool {
    if namespace == NAMESPACE {
        return dimension == "Stack" && Metric::ALL.iter().any(|metric| metric.name() == name);
    }
    OF_AWS.contains(&(namespace, name, dimension))
}

/// Namespace, name and dimensions of each metric of an alarm.
fn metrics(alarm: &Value) -> Vec<&Value> {
    match &alarm["Metrics"] {
        Value::Null => vec![alarm],
        many => list(many).into_iter().map(|one| &one["MetricStat"]["Metric"]).filter(|one| !one.is_null()).collect(),
    }
}

fn about(metric: &str, resource: &str) -> bool {
    of_type("AWS::CloudWatch::Alarm").iter().flat_map(|(_, alarm)| metrics(alarm)).any(|one| {
        let of = list(&one["Dimensions"]).into_iter().filter_map(|dimension| target(&dimension["Value"]));
        one["MetricName"] == metric && of.into_iter().any(|name| name == resource)
    })
}

#[test]
fn every_alarm_watches_a_metric_that_exists() {
    for (name, alarm) in of_type("AWS::CloudWatch::Alarm") {
        let metrics = metrics(alarm);
        assert!(!metrics.is_empty(), "{name} watches nothing");
        for metric in metrics {
            let text = |key: &str| metric[key].as_str().unwrap_or_default();
            let dimensions = list(&metric["Dimensions"]);
            assert_eq!(dimensions.len(), 1, "{name}");
            let dimension = dimensions[0]["Name"].as_str().unwrap_or_default();
            let (namespace, metric) = (text("Namespace"), text("MetricName"));
            assert!(exists(namespace, metric, dimension), "{name}: nobody sends {namespace} {metric} by {dimension}");
        }
    }
}

#[test]
fn the_dashboard_shows_metrics_that_exist() {
    let body = properties("Dashboard")["DashboardBody"]["Fn::Sub"].as_str().expect("text");
    let body: Value = serde_json::from_str(body).expect("JSON, before anything is put in as after");
    let mut shown = BTreeSet::new();
    for widget in list(&body["widgets"]) {
        let mut before: Vec<String> = Vec::new();
        for row in list(&widget["properties"]["metrics"]) {
            let row: Vec<&str> = list(row).into_iter().filter_map(Value::as_str).collect();
            // As CloudWatch reads them: `.` is the word above, `...` all words above but the last.
            let words: Vec<String> = match row.split_first() {
                Some((&"...", rest)) => {
                    let kept = before.len() - rest.len();
                    before[..kept].iter().cloned().chain(rest.iter().map(|&word| word.to_owned())).collect()
                }
                _ => row
                    .iter()
                    .enumerate()
                    .map(|(at, &word)| if word == "." { before[at].clone() } else { word.to_owned() })
                    .collect(),
            };
            assert!(exists(&words[0], &words[1], &words[2]), "the dashboard shows {words:?}");
            shown.insert(words[1].clone());
            before = words;
        }
    }
    for name in ["RunsConverged", "People", "Throttles", "ReadUnits", "CredentialDaysLeft"] {
        assert!(shown.contains(name), "the dashboard does not show {name}");
    }
}

#[test]
fn dead_letters_and_functions_have_an_alarm_each() {
    for (name, queue) in of_type("AWS::SQS::Queue") {
        let dead = queue["RedrivePolicy"].is_null();
        assert_eq!(about("ApproximateNumberOfMessagesVisible", name), dead, "{name}");
    }
    for (name, _) in of_type("AWS::Lambda::Function") {
        assert!(about("Errors", name) && about("Throttles", name), "{name} may fail and nobody is told");
    }
    assert!(about("ReadThrottleEvents", "WorkTable") && about("WriteThrottleEvents", "WorkTable"));
}

#[test]
fn a_message_that_fails_a_function_each_time_is_told_of() {
    let errors: Vec<_> = of_type("AWS::CloudWatch::Alarm")
        .into_iter()
        .filter(|(_, alarm)| alarm["Namespace"] == "AWS/Lambda" && alarm["MetricName"] == "Errors")
        .collect();
    for (name, alarm) in errors {
        // It comes back after the queue's visibility, so the errors of one message are never in adjoining periods.
        let window = number(&alarm["Period"]) * number(&alarm["EvaluationPeriods"]);
        let back = number(&properties("MatchQueue")["VisibilityTimeout"]);
        let needed = number(&alarm["DatapointsToAlarm"]);
        assert!(needed >= 2, "{name}: a single one is repeated and no concern");
        assert!(window >= needed * back, "{name} looks at {window} s and wants {needed} errors {back} s apart");
    }
}

#[test]
fn what_goes_wrong_in_the_work_is_told() {
    let watched: BTreeSet<&str> = of_type("AWS::CloudWatch::Alarm")
        .into_iter()
        .filter(|(_, alarm)| alarm["Namespace"] == NAMESPACE)
        .filter_map(|(_, alarm)| alarm["MetricName"].as_str())
        .collect();
    let expected =
        ["CredentialDaysLeft", "HoursSinceRun", "Quarantined", "RunsEnded", "RunsFailed", "StuckRuns", "Throttles"];
    assert_eq!(watched, expected.into());
    // Silence counts: a run that never starts cannot say so.
    let silence = properties("NoRunAlarm");
    assert_eq!(
        (&silence["TreatMissingData"], &silence["ComparisonOperator"]),
        (&json!("breaching"), &json!("LessThanThreshold"))
    );
    // CloudWatch looks back a week at most.
    let most = number(&template()["Parameters"]["HoursWithoutRun"]["MaxValue"]);
    assert!(most * number(&silence["Period"]) <= 7 * 24 * 60 * 60);
}

#[test]
fn every_alarm_reaches_somebody_says_what_it_means_and_stands_in_the_readme() {
    let readme = text("infra/README.md");
    for (name, alarm) in of_type("AWS::CloudWatch::Alarm") {
        for when in ["AlarmActions", "OKActions"] {
            assert_eq!(alarm[when], json!([{"Ref": "Topic"}]), "{name}");
        }
        assert!(alarm["AlarmDescription"].as_str().is_some_and(|text| text.len() > 20), "{name}");
        let kind = ["DeadLettersAlarm", "ErrorsAlarm", "ThrottlesAlarm"].into_iter().find(|kind| name.ends_with(kind));
        let row = kind.filter(|_| !name.starts_with("Graph") && !name.starts_with("WorkTable"));
        let row = row.map_or_else(|| name.to_owned(), |kind| format!("*{kind}"));
        assert!(readme.contains(&format!("`{row}`")), "infra/README.md does not say what to do at {row}");
    }
    let topic = properties("TopicPolicy");
    assert_eq!(topic["PolicyDocument"]["Statement"][0]["Principal"]["Service"], "cloudwatch.amazonaws.com");
}
