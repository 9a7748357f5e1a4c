//! Alarms: there for each thing that can go wrong, and about metrics that exist.

use std::collections::BTreeSet;

use hardmatch_runtime::metrics::{Metric, NAMESPACE};
use serde_json::{Value, json};

use crate::expanded::{list, number, of_type, properties, target, template, text};

/// Metrics of AWS that we look at, with the dimensions under which each is kept.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html>
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html>
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html>
const OF_AWS: [(&str, &str, &str); 4] = [
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName"),
    ("AWS/Lambda", "Errors", "FunctionName"),
    ("AWS/Lambda", "Duration", "FunctionName"),
    ("AWS/ApiGateway", "5xx", "ApiId"),
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
    let body = properties("StackDashboard")["DashboardBody"]["Fn::Sub"].as_str().expect("text");
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
fn six_alarms_watch_what_nobody_would_see_otherwise() {
    let alarms = of_type("AWS::CloudWatch::Alarm");
    let watched: BTreeSet<(&str, &str)> = alarms
        .iter()
        .map(|(_, alarm)| {
            (alarm["Namespace"].as_str().unwrap_or_default(), alarm["MetricName"].as_str().unwrap_or_default())
        })
        .collect();
    let ours = Metric::ALL.into_iter().filter(|metric| metric.is_alarmed()).map(|metric| (NAMESPACE, metric.name()));
    let theirs = [("AWS/SQS", "ApproximateNumberOfMessagesVisible"), ("AWS/ApiGateway", "5xx")];
    assert_eq!(watched, ours.chain(theirs).collect());
    assert_eq!(alarms.len(), 6, "ten cents a month each");
    assert!(about("ApproximateNumberOfMessagesVisible", "DeadLetters"), "what fails five times is told of there");
    assert!(about("5xx", "Api"), "behind the pages there is no queue");
}

#[test]
fn silence_is_told_and_a_new_stack_is_not_silent() {
    let silence = properties("SilenceAlarm");
    assert_eq!((&silence["MetricName"], &silence["TreatMissingData"]), (&json!("HoursSinceRun"), &json!("missing")));
    // A stack that stops ticking has no data any more, which is told. One that was just made has none yet: an alarm begins
    // in that state, and what does not change is not told.
    assert_eq!(silence["InsufficientDataActions"], json!([{"Ref": "Topic"}]));
    let tick = template()["Parameters"]["TickRate"]["Default"].as_str().expect("a rate");
    let minutes: u64 =
        tick.trim_start_matches("rate(").split(' ').next().and_then(|n| n.parse().ok()).expect("minutes");
    assert!(number(&silence["Period"]) >= 3 * 60 * minutes, "a tick that comes late is no silence");
    for (name, alarm) in of_type("AWS::CloudWatch::Alarm").into_iter().filter(|(name, _)| *name != "SilenceAlarm") {
        assert_eq!(alarm["TreatMissingData"], "notBreaching", "{name} would be raised before the first connection");
    }
}

#[test]
fn what_a_tick_sends_only_while_it_is_wrong_is_looked_at_for_longer_than_a_tick() {
    for name in ["StoppedAlarm", "CredentialExpiryAlarm"] {
        assert!(number(&properties(name)["Period"]) >= 900, "{name} would go off and on");
    }
}

#[test]
fn every_alarm_reaches_somebody_says_what_it_means_and_stands_in_the_readme() {
    let readme = text("infra/README.md");
    for (name, alarm) in of_type("AWS::CloudWatch::Alarm") {
        for when in ["AlarmActions", "OKActions"] {
            assert_eq!(alarm[when], json!([{"Ref": "Topic"}]), "{name}");
        }
        assert!(alarm["AlarmDescription"].as_str().is_some_and(|text| text.len() > 20), "{name}");
        assert!(readme.contains(&format!("`{name}`")), "infra/README.md does not say what to do at {name}");
    }
    let topic = properties("TopicPolicy");
    assert_eq!(topic["PolicyDocument"]["Statement"][0]["Principal"]["Service"], "cloudwatch.amazonaws.com");
}
