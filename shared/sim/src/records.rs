//! What the tenant noticed about its callers: counters, a log of requests, violations.

use std::collections::BTreeMap;

use serde::Serialize;

/// One request or batch part.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeenRequest {
    /// `GET`, `PATCH` …
    pub method: String,
    /// The route template: `/users/{id}`. Unknown paths stand as they were sent.
    pub route: String,
    /// What was answered. 0: the connection was dropped.
    pub status: u16,
    /// `error.code` of a refusal by the simulated tenant.
    pub code: Option<String>,
    /// It was a part of a batch.
    pub in_batch: bool,
    /// Milliseconds since the epoch, by the tenant's clock.
    pub at: i64,
    /// The object id or UPN in the path, if any.
    pub target: Option<String>,
    /// The second one in the path: the member of a group.
    pub second: Option<String>,
    /// The JSON body of a write, as sent (passwords left out).
    pub body: Option<serde_json::Value>,
}

/// Totals since the start or the last [`crate::World::take_counters`].
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallCounts {
    /// By `METHOD /route/template`; batch parts are counted by their own route, the envelope as `POST /$batch`.
    pub requests: BTreeMap<String, u64>,
    /// HTTP requests to Graph that arrived, batch parts not counted.
    pub round_trips: u64,
    /// Write requests and parts, refused ones included.
    pub writes: u64,
    /// Write requests and parts that succeeded.
    pub writes_applied: u64,
    /// Sizes of batches in order of arrival.
    pub batches: Vec<usize>,
    /// 429 answers, inner ones included.
    pub throttled: u64,
    /// Calls of the throttled kind that arrived before their `Retry-After` had elapsed.
    pub early_calls: u64,
    /// Access tokens issued.
    pub tokens_issued: u64,
    /// Token requests refused.
    pub tokens_refused: u64,
    /// Resource units charged.
    pub resource_units: u64,
    /// Faults that struck.
    pub faults: u64,
}

/// Requests kept in the log. Older ones are forgotten, so that a long demo does not grow without bound.
const KEEP_REQUESTS: usize = 200_000;

#[derive(Debug, Default)]
pub(crate) struct Records {
    pub(crate) counters: CallCounts,
    pub(crate) requests: std::collections::VecDeque<SeenRequest>,
    pub(crate) violations: Vec<String>,
    /// Not before: per app, for reads and for writes, with the round trip that caused it.
    not_before: BTreeMap<(String, bool), (i64, u64)>,
}

impl Records {
    pub(crate) fn note(&mut self, request: SeenRequest) {
        *self.counters.requests.entry(format!("{} {}", request.method, request.route)).or_default() += 1;
        if request.status == 429 {
            self.counters.throttled += 1;
        }
        let asks = request.route == crate::extensions::ASKS_FOR_THEM;
        if request.method != "GET" && !asks && request.route != "/$batch" && request.route != "/token" {
            self.counters.writes += 1;
            if (200..300).contains(&request.status) {
                self.counters.writes_applied += 1;
            }
        }
        if self.requests.len() >= KEEP_REQUESTS {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
    }

    /// A 429 was served that asks this app to wait.
    pub(crate) fn told_to_wait(&mut self, app: &str, write: bool, until: i64) {
        let trip = self.counters.round_trips;
        let entry = self.not_before.entry((app.to_owned(), write)).or_insert((until, trip));
        *entry = (entry.0.max(until), trip);
    }

    /// A call of this kind arrives; parts of the round trip that was refused are not early.
    pub(crate) fn arrives(&mut self, app: &str, write: bool, now: i64) {
        if let Some((until, trip)) = self.not_before.get(&(app.to_owned(), write))
            && now < *until
            && *trip < self.counters.round_trips
        {
            self.counters.early_calls += 1;
        }
    }
}
