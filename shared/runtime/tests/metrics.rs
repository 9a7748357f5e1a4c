//! Metrics: the line CloudWatch reads, and what a run comes to.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use hardmatch_domain::ids::{ConnectionId, PersonKey};
use hardmatch_ports::doorbell::{Message, MessageKind};
use hardmatch_ports::run::{Run, Status, Stop};
use hardmatch_ports::table::Units;
use hardmatch_ports::tenant::Counters;
use hardmatch_runtime::{Metric, Metrics, MetricsLog, MetricsScope, StackHealth};
use jiff::Timestamp;
use serde_json::{Value, json};

/// 11 October 2026, 02:00 UTC.
const TWO: i64 = 1_791_684_000;

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Nothing can be written there.
struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn contoso() -> ConnectionId {
    ConnectionId::new("contoso")
}

fn two() -> Timestamp {
    Timestamp::from_second(TWO).unwrap()
}

fn lines(metrics: &[&Metrics]) -> Vec<String> {
    lines_of(MetricsScope::All, metrics)
}

fn lines_of(scope: MetricsScope, metrics: &[&Metrics]) -> Vec<String> {
    let paper = Paper::default();
    let log = MetricsLog::to("people-prod", scope, paper.clone());
    for metrics in metrics {
        log.write(metrics, two());
    }
    let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(str::to_owned).collect()
}

fn line(metrics: &Metrics) -> Value {
    let written = lines(&[metrics]);
    assert_eq!(written.len(), 1);
    let value = serde_json::from_str(&written[0]).unwrap();
    follows_the_specification(&value);
    value
}

/// What CloudWatch asks of a line before it makes metrics of it.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
fn follows_the_specification(line: &Value) {
    let root = line.as_object().unwrap();
    let aws = root["_aws"].as_object().unwrap();
    assert_eq!(aws["Timestamp"].as_i64(), Some(TWO * 1000), "milliseconds");
    let directives = aws["CloudWatchMetrics"].as_array().unwrap();
    assert_eq!(directives.len(), 1);
    let directive = &directives[0];
    assert_eq!(directive["Namespace"], "hardmatch");
    let mut targets = BTreeSet::new();
    for set in directive["Dimensions"].as_array().unwrap() {
        let set = set.as_array().unwrap();
        assert!((1..=30).contains(&set.len()));
        for name in set {
            let value = root[name.as_str().unwrap()].as_str().unwrap();
            assert!(!value.is_empty() && value.len() <= 1024 && value.is_ascii());
            targets.insert(name.as_str().unwrap());
        }
    }
    let metrics = directive["Metrics"].as_array().unwrap();
    assert!((1..=100).contains(&metrics.len()));
    for metric in metrics {
        let name = metric["Name"].as_str().unwrap();
        assert!(targets.insert(name), "{name} twice, or a dimension too");
        assert!(root[name].is_number(), "{name}");
        assert!(["Count", "Milliseconds", "None"].contains(&metric["Unit"].as_str().unwrap()), "{name}");
    }
}

/// As JSON, and so as it lies in a table.
fn run(more: &Value) -> Run {
    let mut run = json!({
        "v": 1, "id": "01K7Y3V6Q2E8S5JD0W4N9XBTCM", "connection": "contoso", "intent": "sync", "phase": "closed",
        "policy_revision": 2, "started_ms": TWO * 1000, "closed_ms": TWO * 1000 + 185_400, "everybody": true,
        "collections": {},
        "plan": {"hash": "64879f7d", "changed_slices": 0, "people": 46, "by_action": {"create": 6}, "by_reason": {}},
        "changes": {"create": 5, "update": 15}, "refusals": {"address_taken": 2, "tenant_refused": 1},
        "tenant_calls": {"requests": 61, "writes": 24, "throttles": 2, "batches": 3, "batched_calls": 24, "tokens": 1},
        "units": {"read": 412, "write": 506},
    });
    run.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(run).unwrap()
}

/// The run with some keys set otherwise.
fn with(run: &Run, more: &Value) -> Run {
    let mut changed = serde_json::to_value(run).unwrap();
    changed.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(changed).unwrap()
}

/// The metrics of a line, by name.
fn values(line: &Value) -> BTreeMap<String, i64> {
    let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
    let names = metrics.iter().map(|metric| metric["Name"].as_str().unwrap().to_owned());
    names.map(|name| (name.clone(), line[&name].as_i64().unwrap())).collect()
}

fn counted(run: &Run) -> BTreeMap<String, i64> {
    Metrics::of_run(run).map(|metrics| values(&line(&metrics))).unwrap_or_default()
}

fn of<const N: usize>(values: [(&str, i64); N]) -> BTreeMap<String, i64> {
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[test]
fn a_message_says_what_it_has_cost() {
    let message = Message::new(contoso(), "r1", MessageKind::Write);
    let calls = Counters { requests: 3, writes: 40, throttles: 1, batches: 2, batched_calls: 40, tokens: 1 };
    let metrics = Metrics::of_message(&message, &calls, &Units { read: 17, write: 160 });
    let golden = json!({
        "_aws": {
            "Timestamp": 1_791_684_000_000_i64,
            "CloudWatchMetrics": [{
                "Namespace": "hardmatch",
                "Dimensions": [["Stack"]],
                "Metrics": [
                    {"Name": "GraphRequests", "Unit": "Count"},
                    {"Name": "GraphWrites", "Unit": "Count"},
                    {"Name": "Throttles", "Unit": "Count"},
                    {"Name": "ReadUnits", "Unit": "Count"},
                    {"Name": "WriteUnits", "Unit": "Count"},
                ],
            }],
        },
        "Stack": "people-prod", "Connection": "contoso", "Run": "r1", "Message": "write",
        "GraphRequests": 3, "GraphWrites": 40, "Throttles": 1, "ReadUnits": 17, "WriteUnits": 160,
    });
    assert_eq!(line(&metrics), golden);
}

#[test]
fn a_message_that_cost_nothing_says_nothing() {
    let idle = Metrics::of_message(&Message::for_all(MessageKind::Tick), &Counters::default(), &Units::default());
    assert_eq!(lines(&[&idle]), [""; 0]);
    let read =
        Metrics::of_message(&Message::for_all(MessageKind::Tick), &Counters::default(), &Units { read: 2, write: 0 });
    let line = line(&read);
    assert_eq!(values(&line), of([("ReadUnits", 2)]));
    assert!(line.get("Connection").is_none() && line.get("Run").is_none(), "{line}");
}

#[test]
fn a_converged_run_is_counted_with_what_it_changed_and_refused() {
    let golden = json!({
        "_aws": {
            "Timestamp": 1_791_684_000_000_i64,
            "CloudWatchMetrics": [{
                "Namespace": "hardmatch",
                "Dimensions": [["Stack"]],
                "Metrics": [
                    {"Name": "RunsEnded", "Unit": "Count"},
                    {"Name": "RunsConverged", "Unit": "Count"},
                    {"Name": "DurationMs", "Unit": "Milliseconds"},
                    {"Name": "People", "Unit": "Count"},
                    {"Name": "Changes", "Unit": "Count"},
                    {"Name": "Refusals", "Unit": "Count"},
                ],
            }],
        },
        "Stack": "people-prod", "Connection": "contoso", "Run": "01K7Y3V6Q2E8S5JD0W4N9XBTCM",
        "RunsEnded": 1, "RunsConverged": 1, "DurationMs": 185_400, "People": 46, "Changes": 20, "Refusals": 3,
        "ChangesByAction": {"create": 5, "update": 15},
        "RefusalsByReason": {"address_taken": 2, "tenant_refused": 1},
    });
    assert_eq!(line(&Metrics::of_run(&run(&json!({"status": "converged"}))).unwrap()), golden);
}

/// Names that CloudWatch makes metrics of when nobody asked for a dashboard.
fn made(metrics: &Metrics) -> BTreeSet<String> {
    let written = lines_of(MetricsScope::Alarms, &[metrics]);
    let line: Value = serde_json::from_str(&written[0]).unwrap();
    let named = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().into_iter().flatten();
    named.map(|metric| metric["Name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn without_a_dashboard_only_what_an_alarm_rests_on_becomes_a_metric() {
    let converged = Metrics::of_run(&run(&json!({"status": "converged"}))).unwrap();
    assert_eq!(made(&converged), BTreeSet::new(), "a night that went well costs no metric");
    let written = lines_of(MetricsScope::Alarms, &[&converged]);
    let line: Value = serde_json::from_str(&written[0]).unwrap();
    assert_eq!(
        (&line["People"], &line["Changes"], &line["Run"]),
        (&json!(46), &json!(20), &json!("01K7Y3V6Q2E8S5JD0W4N9XBTCM"))
    );
    let failed = Metrics::of_run(&run(&json!({"status": "failed"}))).unwrap();
    assert_eq!(made(&failed), BTreeSet::from(["RunsFailed".to_owned()]));
    assert_eq!(made(&Metrics::of_tick(&StackHealth::default(), two())), BTreeSet::from(["HoursSinceRun".to_owned()]));
    assert_eq!(MetricsScope::parse(Some("all")), MetricsScope::All);
    for other in [None, Some("alarms"), Some("ALL"), Some("")] {
        assert_eq!(MetricsScope::parse(other), MetricsScope::Alarms, "{other:?}");
    }
}

#[test]
fn kinds_that_are_no_action_of_ours_are_left_out() {
    let changes = json!({"create": 5, "update": 15, "ada@contoso.com": 1});
    let line = line(&Metrics::of_run(&run(&json!({"status": "attention", "changes": changes}))).unwrap());
    assert_eq!(line["ChangesByAction"], json!({"create": 5, "update": 15}));
    assert_eq!(line["RefusalsByReason"], json!({"address_taken": 2, "tenant_refused": 1}));
}

#[test]
fn every_end_of_a_run_is_counted_as_what_it_is() {
    let status = |status: Status| counted(&run(&json!({"status": status})));
    let attention = status(Status::Attention);
    assert_eq!((attention["RunsEnded"], attention["RunsNeedingPeople"]), (1, 1), "it ended well all the same");
    assert!(!attention.contains_key("RunsConverged"));
    for failed in [Status::Incomplete, Status::Abandoned, Status::Failed] {
        assert_eq!(status(failed), of([("RunsFailed", 1), ("DurationMs", 185_400)]), "{failed:?}");
    }
    let waits = |stop: Stop| counted(&run(&json!({"status": "planned", "stop": stop, "closed_ms": null})));
    assert_eq!(
        waits(Stop::PolicyWidened),
        of([("RunsNeedingPeople", 1)]),
        "its changes are counted when it is applied"
    );
    assert_eq!(waits(Stop::Asked), of([]), "who asks for a plan has it");
    let passed = |more: Value| counted(&with(&run(&json!({"status": "abandoned", "stop": "first_run"})), &more));
    assert_eq!(passed(json!({})), of([]), "a plan that waited in vain was counted when it began to wait");
    let accepted = json!({"accepted": {"by_hash": true, "at_ms": TWO * 1000, "by": "ops"}});
    assert_eq!(passed(accepted)["RunsFailed"], 1);
    assert_eq!(passed(json!({"plan": null}))["RunsFailed"], 1);
    assert_eq!(counted(&run(&json!({}))), of([]), "it goes on");
}

#[test]
fn one_person_wanted_now_does_not_silence_the_alarm_for_the_nightly_run() {
    let one = counted(&run(&json!({"status": "converged", "only": "p1"})));
    assert!(one.contains_key("RunsConverged") && !one.contains_key("RunsEnded"), "{one:?}");
}

#[test]
fn an_applied_plan_took_from_its_acceptance() {
    let accepted = |by_hash: bool| json!({"by_hash": by_hash, "at_ms": TWO * 1000 + 85_400, "by": "ops"});
    let took = |by_hash| counted(&run(&json!({"status": "converged", "accepted": accepted(by_hash)})))["DurationMs"];
    assert_eq!((took(true), took(false)), (100_000, 185_400));
}

#[test]
fn a_tick_says_how_the_quietest_connection_stands() {
    let quiet = line(&Metrics::of_tick(&StackHealth::default(), two()));
    assert_eq!(
        values(&quiet),
        of([("HoursSinceRun", 0)]),
        "one metric while nothing is wrong: it says that ticks come"
    );
    let fabrikam = ConnectionId::new("fabrikam");
    let health = StackHealth {
        hours_since_run: BTreeMap::from([(contoso(), 27), (fabrikam.clone(), 3)]),
        stopped: BTreeSet::from([fabrikam.clone()]),
        credentials: BTreeMap::from([
            (contoso(), Timestamp::from_second(TWO + 31 * 86_400).unwrap()),
            (fabrikam, Timestamp::from_second(TWO + 29 * 86_400).unwrap()),
        ]),
    };
    let line = line(&Metrics::of_tick(&health, two()));
    assert_eq!(values(&line), of([("HoursSinceRun", 27), ("ConnectionsStopped", 1), ("CredentialDaysLeft", 29)]));
    assert_eq!((&line["Silent"], &line["Stopped"]), (&json!(["contoso"]), &json!(["fabrikam"])));
    assert_eq!(line["CredentialsEnding"], json!({"fabrikam": 29}), "which one ends");
    assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["Stack"]]), "288 times a day");
}

#[test]
fn a_hundred_connections_send_no_more_metrics_than_one() {
    let sent = |connections: usize| {
        let all = || (0..connections).map(|number| ConnectionId::new(format!("c{number:03}")));
        let ends = Timestamp::from_second(TWO).unwrap();
        let health = StackHealth {
            hours_since_run: all().map(|one| (one, 30)).collect(),
            stopped: all().collect(),
            credentials: all().map(|one| (one, ends)).collect(),
        };
        let mut names = BTreeSet::new();
        let mut metrics = vec![Metrics::of_tick(&health, two())];
        let with =
            |connection: ConnectionId| with(&run(&json!({"status": "attention"})), &json!({"connection": connection}));
        metrics.extend(all().filter_map(|one| Metrics::of_run(&with(one))));
        for written in lines(&metrics.iter().collect::<Vec<_>>()) {
            let line: Value = serde_json::from_str(&written).unwrap();
            for set in line["_aws"]["CloudWatchMetrics"][0]["Dimensions"].as_array().unwrap() {
                let of: Vec<&Value> =
                    set.as_array().unwrap().iter().map(|name| &line[name.as_str().unwrap()]).collect();
                names.extend(values(&line).into_keys().map(|name| format!("{name} {of:?}")));
            }
        }
        names
    };
    assert_eq!(sent(100), sent(1));
}

#[test]
fn days_of_a_credential_are_whole_ones_and_may_be_over() {
    let left = |hours: i64| {
        let ends = Timestamp::from_second(TWO + hours * 3600).unwrap();
        let health = StackHealth { credentials: BTreeMap::from([(contoso(), ends)]), ..StackHealth::default() };
        values(&line(&Metrics::of_tick(&health, two()))).get("CredentialDaysLeft").copied()
    };
    assert_eq!(
        [left(24 * 30), left(24 * 30 - 1), left(1), left(0), left(-1)],
        [None, Some(29), Some(0), Some(0), Some(-1)]
    );
}

#[test]
fn nothing_about_a_person_is_in_a_line() {
    let personal = ["Ada Lovelace", "ada@contoso.com", "+44 20 7946 0018", "E-1815", "key-of-ada"];
    let about_ada = run(&json!({
        "status": "attention", "only": personal[4],
        "accepted": {"by_hash": false, "at_ms": TWO * 1000, "by": personal[1]},
        "problems": [personal[0], personal[2]],
        "refused_entries": [{"key": personal[4], "line": 1, "column": personal[0], "problem": personal[3], "cure": ""}],
        "guard": {"released": true, "removals": 1, "before": 0, "links": 9, "sentence": personal[0]},
        "report": format!("runs/{}/report.html", personal[3]),
        // Written by something else, or damaged: what is no action and no reason is not passed on.
        "changes": {"create": 1, personal[1]: 1}, "refusals": {personal[0]: 1, personal[3]: 1},
    }));
    assert_eq!(about_ada.only, Some(PersonKey::new(personal[4])));
    let message = Message::new(contoso(), "r1", MessageKind::Start { slot: personal[0].to_owned() });
    let all = [
        Metrics::of_run(&about_ada).unwrap(),
        Metrics::of_message(&message, &Counters { requests: 1, ..Counters::default() }, &Units::default()),
    ];
    let text = lines(&all.iter().collect::<Vec<_>>()).join("\n");
    for value in personal {
        assert!(!text.contains(value), "{value}: {text}");
    }
    assert!(text.contains("\"Changes\":1") && text.contains("\"Refusals\":0"), "{text}");
}

#[test]
fn a_line_that_cannot_be_written_is_nobodys_failure() {
    let tick = Metrics::of_tick(&StackHealth::default(), two());
    MetricsLog::to("people-prod", MetricsScope::All, Full).write(&tick, two());
    MetricsLog::nowhere().write(&tick, two());
}

#[test]
fn alarms_and_dashboard_use_metrics_that_are_written() {
    let template = include_str!("../../../infra/template.yaml");
    let ours: BTreeSet<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
    let mut used = BTreeSet::new();
    for (at, _) in template.match_indices("Namespace: hardmatch\n") {
        used.insert(template[at..].split_once("MetricName: ").unwrap().1.lines().next().unwrap());
    }
    let alarmed: BTreeSet<&str> = Metric::ALL.iter().filter(|one| one.is_alarmed()).map(|one| one.name()).collect();
    assert_eq!(used, alarmed, "what an alarm rests on is sent where nobody asked for a dashboard");
    for line in template.lines().filter(|line| line.contains("[\"hardmatch\", ")) {
        let rows = line.split('[').filter(|row| row.starts_with("\"hardmatch\", ") || row.starts_with("\".\", "));
        used.extend(rows.filter_map(|row| row.split('"').nth(3)));
    }
    assert!(used.len() >= 12, "{used:?}");
    let unknown: Vec<_> = used.difference(&ours).collect();
    assert!(unknown.is_empty(), "nothing writes {unknown:?}");
}
