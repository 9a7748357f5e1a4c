//! What a fault does to a call.

use serde_json::json;

use crate::answer::{Answer, Ids, Refusal};
use crate::clock::http_date;
use crate::faults::Fault;
use crate::serve::{Call, Reply};
use crate::state::State;

impl State {
    /// Faults that keep the work from being done.
    pub(crate) fn strike_before(&mut self, fault: &Fault, call: &Call) -> Option<Reply> {
        let refuse = |state: &mut Self, refusal: Box<Refusal>| {
            let id = state.rng.uuid().to_string();
            let now = state.now();
            let answer = refusal.render(&Ids { request: &id, client: &id, now });
            Some(Reply::Send { answer, latency_ms: 0 })
        };
        match fault {
            Fault::Throttled { retry_after } => {
                let mut refusal = Refusal::new(429, "TooManyRequests", "Too many requests. Please try again later.");
                if let Some(value) = self.retry_after(retry_after.as_deref()) {
                    refusal = refusal.with("Retry-After", value);
                }
                let scope = format!("Tenant_Application/ReadWrite/{}/{}", "simulated", self.tenant.id);
                refuse(self, refusal.with("x-ms-throttle-scope", scope))
            }
            Fault::Status { applied: false, .. } => Some(self.status_answer(fault)),
            Fault::Dropped => Some(lost(call)),
            Fault::TokenExpired => {
                let message = "Access token has expired or is not yet valid.";
                refuse(
                    self,
                    Refusal::new(401, "InvalidAuthenticationToken", message).with("www-authenticate", "Bearer"),
                )
            }
            Fault::Gone => {
                let path = call.path.trim_end_matches('/');
                let refusal = crate::delta::gone(&self.base, path);
                refuse(self, refusal)
            }
            _ => None,
        }
    }

    /// Faults that spoil the answer to work that was done.
    pub(crate) fn strike_after(&mut self, fault: &Fault, call: &Call, reply: Reply) -> Reply {
        match fault {
            Fault::Status { applied: true, .. } => self.status_answer(fault),
            Fault::DroppedAfter => lost(call),
            Fault::Truncated => match reply {
                Reply::Send { mut answer, latency_ms } => {
                    answer.body.truncate(answer.body.len() / 2);
                    Reply::Send { answer, latency_ms }
                }
                Reply::Drop => Reply::Drop,
            },
            _ => reply,
        }
    }

    fn status_answer(&mut self, fault: &Fault) -> Reply {
        let Fault::Status { status, code, message, retry_after, .. } = fault else { return Reply::Drop };
        let mut answer = match code {
            None => Answer::empty(*status),
            Some(code) => {
                let id = self.rng.uuid().to_string();
                let message = message.clone().unwrap_or_default();
                let inner = json!({ "request-id": id, "client-request-id": id });
                Answer::json(*status, &json!({ "error": { "code": code, "message": message, "innerError": inner } }))
            }
        };
        if let Some(value) = self.retry_after(retry_after.as_deref()) {
            answer.headers.push(("Retry-After", value));
        }
        Reply::Send { answer, latency_ms: 0 }
    }

    /// `date:10` is an HTTP date ten seconds ahead.
    fn retry_after(&self, value: Option<&str>) -> Option<String> {
        let value = value?;
        match value.strip_prefix("date:").and_then(|s| s.parse::<i64>().ok()) {
            Some(seconds) => Some(http_date(self.now() + seconds * 1000)),
            None => Some(value.to_owned()),
        }
    }
}

/// A lost answer; inside a batch the gateway reports it.
fn lost(call: &Call) -> Reply {
    if call.inner { Reply::Send { answer: Answer::empty(504), latency_ms: 0 } } else { Reply::Drop }
}
