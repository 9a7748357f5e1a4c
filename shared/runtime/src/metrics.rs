//! Metrics: one line of JSON on standard output each, from which CloudWatch makes metrics without a call of ours. The
//! names, units and what a run comes to stand here; what is counted comes from elsewhere. A metric that cannot be written
//! is a warning, never a failure. Names, addresses and keys of people never enter one.
//!
//! The line is the embedded metric format, written by hand: the formatters there are bring thirty packages into every
//! function for these thirty lines.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::collections::BTreeMap;
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
    /// Open runs whose messages have given up, at each tick.
    StuckRuns,
    /// 1 while a connection is quarantined, else 0, at each tick.
    Quarantined,
    /// Hours since a connection's last run over everybody ended well, at each tick. Of a stack's connections the greatest
    /// counts: one that is silent is not hidden by its neighbours.
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
    /// Days until the application's secret or certificate ends, where that is known.
    CredentialDaysLeft,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::RunsEnded,
        Self::RunsConverged,
        Self::RunsNeedingPeople,
        Self::RunsFailed,
        Self::DurationMs,
        Self::People,
        Self::Changes,
        Self::Refusals,
        Self::StuckRuns,
        Self::Quarantined,
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
            Self::StuckRuns => "StuckRuns",
            Self::Quarantined => "Quarantined",
            Self::HoursSinceRun => "HoursSinceRun",
            Self::GraphRequests => "GraphRequests",
            Self::GraphWrites => "GraphWrites",
            Self::Throttles => "Throttles",
            Self::ReadUnits => "ReadUnits",
            Self::WriteUnits => "WriteUnits",
            Self::CredentialDaysLeft => "CredentialDaysLeft",
        }
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

/// What a metric is counted by besides the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Spread {
    /// Nothing: what comes every few minutes would cost for each connection, around the clock.
    Stack,
    /// The connection too: what comes with a run or once a day.
    Connections,
    /// A kind, by a name that we know: its dimension, and which it is.
    Kind(&'static str, String),
}

/// Some metrics of one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    spread: Spread,
    values: BTreeMap<Metric, i64>,
    /// What is beside them in the line: for queries over the log, free of charge.
    properties: Map<String, Value>,
}

impl Metrics {
    fn new(spread: Spread, connection: &ConnectionId, run: &str) -> Self {
        let mut properties = Map::new();
        for (name, value) in [(CONNECTION, connection.as_str()), ("Run", run)] {
            if !value.is_empty() {
                properties.insert(name.to_owned(), value.into());
            }
        }
        Self { spread, values: BTreeMap::new(), properties }
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
        let mut metrics = Self::new(Spread::Stack, &message.connection, &message.run);
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
        let metrics = Self::new(Spread::Connections, &run.connection, &run.id);
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
            if run.only.is_none() {
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

    /// The same by kind, each by itself: changes by action, refusals by reason. What is no action and no reason of ours is
    /// left out.
    pub fn of_run_by_kind(run: &Run) -> Vec<Self> {
        if !matches!(run.status, Some(Status::Converged | Status::Attention)) {
            return Vec::new();
        }
        let of = |metric: Metric, dimension: &'static str, counts: BTreeMap<&str, u64>| -> Vec<Self> {
            let each = counts.into_iter().filter(|(_, count)| *count > 0);
            each.map(|(kind, count)| {
                let spread = Spread::Kind(dimension, kind.to_owned());
                Self::new(spread, &run.connection, &run.id).with(metric, count)
            })
            .collect()
        };
        let mut all = of(Metric::Changes, ACTION, changes(run));
        all.extend(of(Metric::Refusals, REASON, refusals(run)));
        all
    }

    /// How a connection stands at a tick. `hours_since_run` is left out where no run is awaited.
    pub fn of_tick(
        connection: &ConnectionId,
        stuck_runs: u64,
        quarantined: bool,
        hours_since_run: Option<i64>,
    ) -> Self {
        let metrics = Self::new(Spread::Stack, connection, "")
            .with(Metric::StuckRuns, stuck_runs)
            .with(Metric::Quarantined, i64::from(quarantined));
        match hours_since_run {
            Some(hours) => metrics.with(Metric::HoursSinceRun, hours),
            None => metrics,
        }
    }

    /// How long a connection's credential still serves. Negative when it has ended.
    pub fn of_credential(connection: &ConnectionId, ends: Timestamp, now: Timestamp) -> Self {
        let days = (ends.as_second() - now.as_second()).div_euclid(24 * 60 * 60);
        Self::new(Spread::Connections, connection, "").with(Metric::CredentialDaysLeft, days)
    }

    /// The line, without its end.
    fn line(&self, stack: &str, at: Timestamp) -> Value {
        let listed: Vec<Value> =
            self.values.keys().map(|metric| json!({"Name": metric.name(), "Unit": metric.unit()})).collect();
        let mut line = Map::new();
        let dimensions = match &self.spread {
            Spread::Connections if self.properties.contains_key(CONNECTION) => json!([[STACK], [STACK, CONNECTION]]),
            Spread::Connections | Spread::Stack => json!([[STACK]]),
            Spread::Kind(dimension, kind) => {
                line.insert((*dimension).to_owned(), kind.as_str().into());
                json!([[STACK, dimension]])
            }
        };
        line.insert(
            "_aws".to_owned(),
            json!({
                "Timestamp": at.as_millisecond(),
                "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": listed}],
            }),
        );
        line.insert(STACK.to_owned(), stack.into());
        line.extend(self.properties.clone());
        line.extend(self.values.iter().map(|(metric, value)| (metric.name().to_owned(), (*value).into())));
        Value::Object(line)
    }
}

const STACK: &str = "Stack";
const CONNECTION: &str = "Connection";
const ACTION: &str = "Action";
const REASON: &str = "Reason";

/// Every set of names by which metrics are told apart.
pub const DIMENSIONS: [&[&str]; 4] = [&[STACK], &[STACK, CONNECTION], &[STACK, ACTION], &[STACK, REASON]];

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
    out: Arc<Mutex<dyn Write + Send>>,
}

impl MetricsLog {
    /// To standard output, which Lambda hands to CloudWatch line by line.
    pub fn stdout(stack: &str) -> Self {
        Self::to(stack, io::stdout())
    }

    /// To somewhere else.
    pub fn to(stack: &str, out: impl Write + Send + 'static) -> Self {
        Self(Some(Open { stack: stack.into(), out: Arc::new(Mutex::new(out)) }))
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
        let line = format!("{}\n", metrics.line(&open.stack, at));
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
