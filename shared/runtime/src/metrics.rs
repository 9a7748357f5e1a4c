//! Metrics: one line of JSON on standard output each, from which CloudWatch makes metrics without a call of ours. The
//! names, units and what a run comes to stand here; what is counted comes from elsewhere. A metric that cannot be written
//! is a warning, never a failure. Names, addresses and keys of people never enter one.
//!
//! The line is the embedded metric format, written by hand: the formatters there are bring thirty packages into every
//! function for these thirty lines.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use hardmatch_domain::change::Action;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_domain::reason::Code;
use hardmatch_ports::doorbell::Message;
use hardmatch_ports::run::{Run, Status, Stop};
use hardmatch_ports::table::Units;
use hardmatch_ports::tenant::Counters;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Under this name CloudWatch lists them.
pub const NAMESPACE: &str = "hardmatch";

/// What is measured. A closed set: each name and dimension costs money for every hour in which it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Runs over everybody that ended, with or without people who need attention. Silence is an alarm.
    RunsEnded,
    /// Runs that ended and nobody needs attention.
    RunsConverged,
    /// Runs that ended and somebody must look, or that wait with their plan.
    RunsNeedingPeople,
    /// Runs that were incomplete, given up or failed.
    RunsFailed,
    /// How long a run took.
    DurationMs,
    /// People decided in a run.
    People,
    /// People whose change was written.
    Changes,
    /// People for whom nothing is written until somebody looks.
    Refusals,
    /// Connections for which nothing is written: quarantined, with an open run whose messages have given up, or with a
    /// configuration that cannot be opened. Sent by a tick while there is one.
    ConnectionsStopped,
    /// Hours since the last run over everybody ended well, of the connection that has been silent longest, so that one is
    /// not hidden by its neighbours; 0 where none is awaited. Sent by each tick: a stack that does not tick is told by that.
    HoursSinceRun,
    /// Requests to Microsoft Graph and its token service.
    GraphRequests,
    /// Calls among them that write.
    GraphWrites,
    /// Answers 429.
    Throttles,
    /// Read request units of the table.
    ReadUnits,
    /// Write request units of the table.
    WriteUnits,
    /// Days until the secret or certificate ends that ends first. Sent by a tick while they are fewer than thirty.
    CredentialDaysLeft,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::RunsEnded,
        Self::RunsConverged,
        Self::RunsNeedingPeople,
        Self::RunsFailed,
        Self::DurationMs,
        Self::People,
        Self::Changes,
        Self::Refusals,
        Self::ConnectionsStopped,
        Self::HoursSinceRun,
        Self::GraphRequests,
        Self::GraphWrites,
        Self::Throttles,
        Self::ReadUnits,
        Self::WriteUnits,
        Self::CredentialDaysLeft,
    ];

    /// As alarms and dashboards name it. Stable.
    pub fn name(self) -> &'static str {
        match self {
            Self::RunsEnded => "RunsEnded",
            Self::RunsConverged => "RunsConverged",
            Self::RunsNeedingPeople => "RunsNeedingPeople",
            Self::RunsFailed => "RunsFailed",
            Self::DurationMs => "DurationMs",
            Self::People => "People",
            Self::Changes => "Changes",
            Self::Refusals => "Refusals",
            Self::ConnectionsStopped => "ConnectionsStopped",
            Self::HoursSinceRun => "HoursSinceRun",
            Self::GraphRequests => "GraphRequests",
            Self::GraphWrites => "GraphWrites",
            Self::Throttles => "Throttles",
            Self::ReadUnits => "ReadUnits",
            Self::WriteUnits => "WriteUnits",
            Self::CredentialDaysLeft => "CredentialDaysLeft",
        }
    }

    /// Whether an alarm rests on it. The others are metrics only where a dashboard shows them.
    pub fn is_alarmed(self) -> bool {
        matches!(self, Self::RunsFailed | Self::ConnectionsStopped | Self::HoursSinceRun | Self::CredentialDaysLeft)
    }

    /// One of CloudWatch's units; it has none for hours and days.
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html>
    pub fn unit(self) -> &'static str {
        match self {
            Self::DurationMs => "Milliseconds",
            Self::HoursSinceRun | Self::CredentialDaysLeft => "None",
            _ => "Count",
        }
    }
}

/// Of which values CloudWatch makes metrics. The others stand in the same lines, where queries over the log find them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetricsScope {
    /// Those that an alarm rests on: one of them is sent while nothing is wrong.
    #[default]
    Alarms,
    /// All of them, for a dashboard.
    All,
}

impl MetricsScope {
    /// As [`crate::env::METRICS`] says it; what is not understood is [`MetricsScope::Alarms`], which costs least.
    pub fn parse(text: Option<&str>) -> Self {
        if text == Some("all") { Self::All } else { Self::Alarms }
    }

    fn holds(self, metric: Metric) -> bool {
        self == Self::All || metric.is_alarmed()
    }
}

/// How the connections of a stack stand at a tick.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StackHealth {
    /// Whole hours since the last run over everybody ended well, by connection, where a run is awaited.
    pub hours_since_run: BTreeMap<ConnectionId, i64>,
    /// Connections for which nothing is written.
    pub stopped: BTreeSet<ConnectionId>,
    /// When the secret or certificate of each connection ends, where that is known.
    pub credentials: BTreeMap<ConnectionId, Timestamp>,
}

/// An end of a credential is told so many days before.
const DAYS_BEFORE_END: i64 = 30;

/// Some metrics of one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    values: BTreeMap<Metric, i64>,
    /// What is beside them in the line: for queries over the log, free of charge.
    properties: Map<String, Value>,
}

impl Metrics {
    fn new(connection: &ConnectionId, run: &str) -> Self {
        let mut properties = Map::new();
        for (name, value) in [(CONNECTION, connection.as_str()), ("Run", run)] {
            if !value.is_empty() {
                properties.insert(name.to_owned(), value.into());
            }
        }
        Self { values: BTreeMap::new(), properties }
    }

    fn with(mut self, metric: Metric, value: impl TryInto<i64>) -> Self {
        self.values.insert(metric, value.try_into().unwrap_or(i64::MAX));
        self
    }

    /// The same, unless it is nothing: a sum lacks nothing without it.
    fn with_some(self, metric: Metric, count: u64) -> Self {
        if count == 0 { self } else { self.with(metric, count) }
    }

    /// What answering a message has cost.
    pub fn of_message(message: &Message, calls: &Counters, units: &Units) -> Self {
        let mut metrics = Self::new(&message.connection, &message.run);
        metrics.properties.insert("Message".to_owned(), message.kind.name().into());
        metrics
            .with_some(Metric::GraphRequests, calls.requests)
            .with_some(Metric::GraphWrites, calls.writes)
            .with_some(Metric::Throttles, calls.throttles)
            .with_some(Metric::ReadUnits, units.read)
            .with_some(Metric::WriteUnits, units.write)
    }

    /// What a run came to, when it rests. `None` while it goes on, and where it rests because nothing but a plan was
    /// asked for. What its calls and units were is counted with its messages, not a second time here.
    pub fn of_run(run: &Run) -> Option<Self> {
        let metrics = Self::new(&run.connection, &run.id);
        let (ended, how) = match run.status? {
            Status::Converged => (true, Metric::RunsConverged),
            Status::Attention => (true, Metric::RunsNeedingPeople),
            Status::Planned if run.stop == Some(Stop::Asked) => return None,
            // A plan that nobody accepted was counted when it began to wait.
            Status::Abandoned if run.stop.is_some() && run.plan.is_some() && run.accepted.is_none() => return None,
            // What it changes and refuses is counted when it has been applied.
            Status::Planned => return Some(metrics.with(Metric::RunsNeedingPeople, 1)),
            Status::Incomplete | Status::Abandoned | Status::Failed => (false, Metric::RunsFailed),
        };
        let mut metrics = metrics.with(how, 1);
        // People who left keep their access for three nights: that is no run that went well.
        let now_ms = run.closed_ms.unwrap_or(run.started_ms);
        if ended && run.collections.values().any(|collection| collection.is_absence_overdue(now_ms)) {
            metrics = metrics.with(Metric::RunsFailed, 1);
        }
        if ended {
            if !run.is_partial() {
                // One person, wanted now, says nothing about whether the nightly run still comes.
                metrics = metrics.with(Metric::RunsEnded, 1);
            }
            let (changes, refusals) = (changes(run), refusals(run));
            metrics = metrics
                .with(Metric::People, run.plan.as_ref().map_or(0, |plan| plan.people))
                .with(Metric::Changes, changes.values().sum::<u64>())
                .with(Metric::Refusals, refusals.values().sum::<u64>());
            metrics.properties.insert("ChangesByAction".to_owned(), json!(changes));
            metrics.properties.insert("RefusalsByReason".to_owned(), json!(refusals));
        }
        if let Some(took) = took_ms(run) {
            metrics = metrics.with(Metric::DurationMs, took);
        }
        Some(metrics)
    }

    /// How the connections stand at a tick. Which of them are concerned stands beside the values.
    pub fn of_tick(health: &StackHealth, now: Timestamp) -> Self {
        let mut metrics = Self::new(&Message::nobody(), "");
        let silent = health.hours_since_run.values().copied().max().unwrap_or(0);
        metrics = metrics.with(Metric::HoursSinceRun, silent);
        if silent > 0 {
            let most =
                health.hours_since_run.iter().filter(|(_, hours)| **hours == silent).map(|(one, _)| one.as_str());
            metrics.properties.insert("Silent".to_owned(), most.take(NAMED).collect());
        }
        if !health.stopped.is_empty() {
            metrics = metrics.with(Metric::ConnectionsStopped, health.stopped.len() as u64);
            let stopped = health.stopped.iter().map(ConnectionId::as_str);
            metrics.properties.insert("Stopped".to_owned(), stopped.take(NAMED).collect());
        }
        let days = |ends: &Timestamp| (ends.as_second() - now.as_second()).div_euclid(24 * 60 * 60);
        let ending: BTreeMap<&str, i64> = health
            .credentials
            .iter()
            .map(|(one, ends)| (one.as_str(), days(ends)))
            .filter(|(_, days)| *days < DAYS_BEFORE_END)
            .take(NAMED)
            .collect();
        if let Some(first) = ending.values().copied().min() {
            metrics = metrics.with(Metric::CredentialDaysLeft, first);
            metrics.properties.insert("CredentialsEnding".to_owned(), json!(ending));
        }
        metrics
    }

    /// The line, without its end.
    fn line(&self, stack: &str, scope: MetricsScope, at: Timestamp) -> Value {
        let listed = self.values.keys().filter(|metric| scope.holds(**metric));
        let listed: Vec<Value> = listed.map(|metric| json!({"Name": metric.name(), "Unit": metric.unit()})).collect();
        let mut line = Map::new();
        if listed.is_empty() {
            line.insert("at".to_owned(), at.to_string().into());
        } else {
            // By the stack alone: CloudWatch asks for money for each name and set of dimensions, so that a dimension for
            // connections would be paid for once a connection.
            let made = json!([{"Namespace": NAMESPACE, "Dimensions": [[STACK]], "Metrics": listed}]);
            line.insert("_aws".to_owned(), json!({"Timestamp": at.as_millisecond(), "CloudWatchMetrics": made}));
        }
        line.insert(STACK.to_owned(), stack.into());
        line.extend(self.properties.clone());
        line.extend(self.values.iter().map(|(metric, value)| (metric.name().to_owned(), (*value).into())));
        Value::Object(line)
    }
}

const STACK: &str = "Stack";
const CONNECTION: &str = "Connection";
/// Connections that a tick's line names of each kind: it stays one line, and the table knows all of them.
const NAMED: usize = 20;

fn changes(run: &Run) -> BTreeMap<&str, u64> {
    closed_set(&run.changes, |name| serde_json::from_value::<Action>(name.into()).is_ok())
}

fn refusals(run: &Run) -> BTreeMap<&str, u64> {
    closed_set(&run.refusals, |code| Code::parse(code).is_some())
}

/// Counts under names that we know; whatever else an item of another version holds is left out.
fn closed_set(counts: &BTreeMap<String, u64>, known: impl Fn(&str) -> bool) -> BTreeMap<&str, u64> {
    counts.iter().map(|(name, count)| (name.as_str(), *count)).filter(|(name, _)| known(name)).collect()
}

/// From its start, or for a plan that lay and was then applied, from its acceptance.
fn took_ms(run: &Run) -> Option<i64> {
    let applied = run.accepted.as_ref().filter(|accepted| accepted.by_hash);
    Some((run.closed_ms? - applied.map_or(run.started_ms, |accepted| accepted.at_ms)).max(0))
}

/// Where metrics of a stack go.
#[derive(Clone)]
pub struct MetricsLog(Option<Open>);

#[derive(Clone)]
struct Open {
    stack: Arc<str>,
    scope: MetricsScope,
    out: Arc<Mutex<dyn Write + Send>>,
}

impl MetricsLog {
    /// To standard output, which Lambda hands to CloudWatch line by line.
    pub fn stdout(stack: &str, scope: MetricsScope) -> Self {
        Self::to(stack, scope, io::stdout())
    }

    /// To somewhere else.
    pub fn to(stack: &str, scope: MetricsScope, out: impl Write + Send + 'static) -> Self {
        Self(Some(Open { stack: stack.into(), scope, out: Arc::new(Mutex::new(out)) }))
    }

    /// To nobody: where standard output carries a result.
    pub fn nowhere() -> Self {
        Self(None)
    }

    /// Writes a line, unless there is nothing to say.
    pub fn write(&self, metrics: &Metrics, at: Timestamp) {
        let Some(open) = &self.0 else { return };
        if metrics.values.is_empty() {
            return;
        }
        let line = format!("{}\n", metrics.line(&open.stack, open.scope, at));
        let mut out = open.out.lock().unwrap_or_else(PoisonError::into_inner);
        // In one piece, so that no other line comes in between.
        if let Err(error) = out.write_all(line.as_bytes()).and_then(|()| out.flush()) {
            tracing::warn!(error = %error, "metrics could not be written");
        }
    }
}

impl fmt::Debug for MetricsLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MetricsLog").field(&self.0.as_ref().map(|open| &*open.stack)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_in_the_readme() {
        let documented = include_str!("../README.md");
        for metric in Metric::ALL {
            let row = documented.lines().find(|line| line.starts_with(&format!("| `{}` |", metric.name())));
            assert!(row.is_some_and(|row| row.contains(metric.unit())), "{}", metric.name());
        }
        assert!(Metric::ALL.is_sorted(), "and stands here once");
    }
}
