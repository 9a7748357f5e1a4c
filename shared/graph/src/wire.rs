//! One HTTP exchange with Graph: headers, the token, the client-wide closed time, counters. Reads are tried again
//! here; writes never are.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hardmatch_ports::clock::Clock;
use hardmatch_ports::tenant::{Counters, Priority, Retry, TenantError};
use reqwest::Method;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT, WWW_AUTHENTICATE,
};
use secrecy::ExposeSecret;

use crate::backoff::Backoff;
use crate::error::{GraphError, Verdict, judge};
use crate::limit::{self, Body};
use crate::token::{Token, Tokens};
use crate::{challenge, explain, retry_after};

/// A read is sent so often before its trouble is reported.
const TRIES: u32 = 4;
/// A read whose answer is whole and makes no sense is sent so often: it rarely makes sense the next time.
const SENSELESS_TRIES: u32 = 3;

/// What the throttling headers said last. <https://learn.microsoft.com/graph/throttling-limits>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pressure {
    /// `x-ms-throttle-limit-percentage` in percent: from 80 on it is time to slow down, above 100 calls are refused.
    /// Zero while the service says nothing.
    pub percent: u32,
    /// How long nothing may be sent yet.
    pub closed_for: Duration,
}

/// A request to Graph.
pub(crate) struct Outgoing<'r> {
    pub(crate) method: Method,
    pub(crate) url: &'r str,
    /// The route for errors and logs: URLs may hold personal data.
    pub(crate) route: &'static str,
    pub(crate) body: Option<Bytes>,
    pub(crate) priority: Priority,
}

/// A whole answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) request_id: String,
    /// Empty for a refusal that says more than any does.
    pub(crate) body: Bytes,
    challenge: Option<String>,
    /// The token it was sent with.
    pub(crate) token: Arc<Token>,
}

impl Reply {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The error it holds, and what it means.
    pub(crate) fn error(&self) -> (GraphError, Verdict) {
        let mut error = GraphError::parse(&self.body);
        if !self.request_id.is_empty() {
            error.request_id.clone_from(&self.request_id);
        }
        let verdict = judge(self.status, &error);
        (error, verdict)
    }
}

/// No whole answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There is no token. Nothing was sent.
    Token(TenantError),
    /// The service said when to come back. Nothing was sent.
    Closed(Duration),
    /// No connection. Nothing was sent.
    NotSent,
    /// Sent, and the answer did not come, or not whole.
    Lost,
    /// Sent, and the answer was larger than any: not read to its end.
    TooLarge(String),
}

impl Failure {
    /// Whether the request left this machine.
    pub(crate) fn was_sent(&self) -> bool {
        match self {
            Failure::Token(_) | Failure::Closed(_) | Failure::NotSent => false,
            Failure::Lost | Failure::TooLarge(_) => true,
        }
    }
}

/// Sends requests.
pub(crate) struct Wire {
    pub(crate) http: reqwest::Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tokens: Tokens,
    pub(crate) backoff: Arc<Backoff>,
    pub(crate) tally: Tally,
    /// Who is asked, for errors: host and port of the Graph root.
    pub(crate) host: String,
    /// A longer wait is the caller's to plan.
    longest_wait: Duration,
    /// Unix milliseconds before which nothing is sent, by any task.
    closed_until: AtomicI64,
    /// Throttled answers in a row, for waits that the service does not state.
    throttled: AtomicU32,
    percent: AtomicU32,
}

/// Counters.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) requests: AtomicU64,
    pub(crate) writes: AtomicU64,
    pub(crate) throttles: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) batched_calls: AtomicU64,
}

impl Tally {
    pub(crate) fn add(counter: &AtomicU64, n: usize) {
        counter.fetch_add(n as u64, Ordering::Relaxed);
    }
}

impl Wire {
    pub(crate) fn new(
        http: reqwest::Client,
        clock: Arc<dyn Clock>,
        tokens: Tokens,
        backoff: Arc<Backoff>,
        longest_wait: Duration,
        host: String,
    ) -> Self {
        Self {
            http,
            clock,
            tokens,
            backoff,
            tally: Tally::default(),
            host,
            longest_wait,
            closed_until: AtomicI64::new(i64::MIN),
            throttled: AtomicU32::new(0),
            percent: AtomicU32::new(0),
        }
    }

    pub(crate) fn counters(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            requests: read(&self.tally.requests),
            writes: read(&self.tally.writes),
            throttles: read(&self.tally.throttles),
            batches: read(&self.tally.batches),
            batched_calls: read(&self.tally.batched_calls),
            tokens: self.tokens.asked(),
        }
    }

    pub(crate) fn pressure(&self) -> Pressure {
        Pressure {
            percent: self.percent.load(Ordering::Relaxed),
            closed_for: self.closed_for().unwrap_or(Duration::ZERO),
        }
    }

    /// How long nothing may be sent yet.
    fn closed_for(&self) -> Option<Duration> {
        let left = self.closed_until.load(Ordering::Acquire).saturating_sub(self.clock.now().as_millisecond());
        u64::try_from(left).ok().filter(|left| *left > 0).map(Duration::from_millis)
    }

    /// Nothing is sent for so long, by any task. Returns the wait: the stated one, or one that grows.
    pub(crate) fn close(&self, stated: Option<Duration>) -> Duration {
        let wait = match stated {
            Some(wait) => wait,
            None => self.backoff.wait(self.throttled.fetch_add(1, Ordering::Relaxed) + 1),
        };
        // Rounded up to whole milliseconds: never earlier than stated.
        let until = self.clock.now().as_nanosecond().saturating_add_unsigned(wait.as_nanos());
        let until = i64::try_from(until.saturating_add(999_999) / 1_000_000).unwrap_or(i64::MAX);
        self.closed_until.fetch_max(until, Ordering::AcqRel);
        wait
    }

    /// What a header of an answer or of a part of a batch said about the load.
    pub(crate) fn note_percentage(&self, text: &str) {
        if let Ok(share) = text.trim().parse::<f32>() {
            let percent = (share.clamp(0.0, 100.0) * 100.0).round();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=10000")]
            self.percent.store(percent as u32, Ordering::Relaxed);
        }
    }

    /// One exchange, with a new token when the first is refused. Notes what the answer says about throttling.
    pub(crate) async fn exchange(&self, request: &Outgoing<'_>) -> Result<Reply, Failure> {
        if let Some(wait) = self.closed_for() {
            return Err(Failure::Closed(wait));
        }
        let token = self.tokens.get().await.map_err(Failure::Token)?;
        let reply = self.send(request, &token).await?;
        let refused = matches!(reply.status, 401 | 403) && reply.error().1 == Verdict::NewToken;
        if !refused {
            return Ok(reply);
        }
        let claims = reply.challenge.as_deref().and_then(challenge::claims);
        let token = self.tokens.after(&token, claims).await.map_err(Failure::Token)?;
        // While the token was fetched another task may have been told to wait.
        if let Some(wait) = self.closed_for() {
            return Err(Failure::Closed(wait));
        }
        self.send(request, &token).await
    }

    async fn send(&self, request: &Outgoing<'_>, token: &Arc<Token>) -> Result<Reply, Failure> {
        Tally::add(&self.tally.requests, 1);
        let mut bearer =
            HeaderValue::from_str(&format!("Bearer {}", token.secret.expose_secret())).map_err(|_| Failure::NotSent)?;
        bearer.set_sensitive(true);
        let id = uuid::Uuid::new_v4().to_string();
        let mut sending = self
            .http
            .request(request.method.clone(), request.url)
            .header(AUTHORIZATION, bearer)
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(USER_AGENT, HeaderValue::from_static(concat!("hardmatch/", env!("CARGO_PKG_VERSION"))))
            .header("client-request-id", id)
            .header("x-ms-throttle-priority", priority(request.priority));
        if let Some(body) = &request.body {
            sending = sending.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body.clone());
        }
        let answer = sending
            .send()
            .await
            .map_err(|error| if error.is_connect() || error.is_builder() { Failure::NotSent } else { Failure::Lost })?;
        let status = answer.status().as_u16();
        let headers = answer.headers();
        let stated = header(headers, RETRY_AFTER.as_str());
        let retry_after = stated.and_then(|text| retry_after::parse(text, self.clock.now()));
        match header(headers, "x-ms-throttle-limit-percentage") {
            Some(text) => self.note_percentage(text),
            // Reads have a quota of their own, so their silence says nothing about writes.
            None if request.method != Method::GET && status < 300 => self.percent.store(0, Ordering::Relaxed),
            None => {}
        }
        let request_id = header(headers, "request-id").unwrap_or_default().to_owned();
        let challenge = header(headers, WWW_AUTHENTICATE.as_str()).map(str::to_owned);
        let throttled = status == 429;
        if throttled {
            Tally::add(&self.tally.throttles, 1);
            self.close(retry_after);
        } else if status < 300 {
            self.throttled.store(0, Ordering::Relaxed);
        }
        tracing::debug!(
            graph.route = request.route,
            graph.status = status,
            request.id = request_id,
            "Graph answered {} {}.",
            request.method,
            request.route
        );
        let most = if status < 300 { limit::GRAPH_BYTES } else { limit::SMALL_BYTES };
        let body = match limit::read(answer, most).await {
            Ok(Body::Whole(body)) => body,
            Ok(Body::TooLarge) if status < 300 => return Err(Failure::TooLarge(request_id)),
            // The status says all there is to know.
            Ok(Body::TooLarge) => Bytes::new(),
            Err(_) if throttled => Bytes::new(),
            Err(_) => return Err(Failure::Lost),
        };
        // The predecessor's way of saying 429. <https://learn.microsoft.com/graph/errors>
        if status == 503 && judge(status, &GraphError::parse(&body)) == Verdict::Throttled {
            Tally::add(&self.tally.throttles, 1);
            self.close(retry_after);
        }
        Ok(Reply { status, retry_after, request_id, body, challenge, token: Arc::clone(token) })
    }

    /// Reads, with a few tries, and hands the whole answer to `parse`; an answer that cannot be parsed counts as cut
    /// off. Waits longer than half a minute are returned, not slept.
    pub(crate) async fn read<T>(
        &self,
        route: &'static str,
        url: &str,
        priority: Priority,
        parse: impl Fn(&[u8]) -> Result<T, Unread> + Send + Sync,
    ) -> Result<T, TenantError> {
        self.ask(route, url, None, priority, parse).await
    }

    /// As [`Wire::read`]; with a body it is a question by POST, which may be repeated as well.
    pub(crate) async fn ask<T>(
        &self,
        route: &'static str,
        url: &str,
        body: Option<Bytes>,
        priority: Priority,
        parse: impl Fn(&[u8]) -> Result<T, Unread> + Send + Sync,
    ) -> Result<T, TenantError> {
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let mut tries = 0;
        loop {
            tries += 1;
            let request = Outgoing { method: method.clone(), url, route, body: body.clone(), priority };
            // What failed, and how long the service wants us to wait.
            let (trouble, stated) = match self.exchange(&request).await {
                Ok(reply) if reply.is_success() => match parse(&reply.body) {
                    Ok(parsed) => return Ok(parsed),
                    Err(Unread::Broken) => (explain::broken(route, &self.host, &reply.request_id), None),
                    Err(Unread::Senseless) => {
                        let trouble = explain::unreadable(route, &self.host, &reply.body, &reply.request_id);
                        if tries >= SENSELESS_TRIES {
                            return Err(trouble);
                        }
                        (trouble, None)
                    }
                    Err(Unread::Refused(error)) => return Err(error),
                },
                Ok(reply) => {
                    let (error, verdict) = reply.error();
                    match verdict {
                        Verdict::Unavailable | Verdict::Concurrent => {
                            (explain::unavailable(route, reply.status, reply.retry_after, error), reply.retry_after)
                        }
                        Verdict::Throttled => {
                            let wait = self.closed_for().unwrap_or_else(|| self.close(reply.retry_after));
                            (explain::throttled(route, &self.host, reply.status, wait, error), Some(wait))
                        }
                        verdict => return Err(explain::refused(route, reply.status, verdict, error)),
                    }
                }
                Err(Failure::Token(error)) => return Err(error),
                Err(Failure::Closed(wait)) => {
                    (explain::throttled(route, &self.host, 429, wait, GraphError::default()), Some(wait))
                }
                Err(Failure::NotSent | Failure::Lost) => (explain::unreachable(route, &self.host), None),
                Err(Failure::TooLarge(request_id)) => return Err(explain::too_large(route, &self.host, &request_id)),
            };
            let wait = stated.unwrap_or_else(|| self.backoff.wait(tries));
            if wait > self.longest_wait {
                return Err(TenantError { retry: Retry::After(wait), ..trouble });
            }
            if tries == TRIES {
                return Err(trouble);
            }
            self.clock.sleep(wait).await;
        }
    }
}

/// Why a successful answer could not be used.
pub(crate) enum Unread {
    /// Cut off.
    Broken,
    /// Whole, and no answer of Graph: no JSON, or JSON of another shape, or too deep or too long to be one.
    Senseless,
    /// Understood, and not acceptable.
    Refused(TenantError),
}

impl From<serde_json::Error> for Unread {
    fn from(error: serde_json::Error) -> Self {
        // The error's text can quote the body.
        if error.is_eof() { Self::Broken } else { Self::Senseless }
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn priority(priority: Priority) -> HeaderValue {
    HeaderValue::from_static(match priority {
        Priority::Low => "Low",
        Priority::High => "High",
    })
}
