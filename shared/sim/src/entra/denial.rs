//! A refusal of the sign-in service as its token endpoint sends it.

use serde_json::json;

use super::codes::Denied;
use crate::answer::Answer;
use crate::clock::timestamp;
use crate::state::State;

impl State {
    /// A refusal as the token endpoint sends it.
    pub(crate) fn denial(&mut self, why: &Denied) -> Answer {
        let (trace, correlation) = (self.rng.uuid(), self.rng.uuid());
        let at = timestamp(self.now()).strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        Answer::json(
            why.status,
            &json!({
                "error": why.error,
                "error_description":
                    format!("{} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {at}", why.line()),
                "error_codes": [why.code],
                "timestamp": at,
                "trace_id": trace.to_string(),
                "correlation_id": correlation.to_string(),
                "error_uri": format!("https://login.microsoftonline.com/error?code={}", why.code),
            }),
        )
    }
}
