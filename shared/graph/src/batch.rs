//! Answers of JSON batches: in any order, each part with a status and headers of its own.
//! <https://learn.microsoft.com/graph/json-batching>

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{GraphError, Verdict, judge};
use crate::retry_after;
use crate::text::Text;

/// A part of the answer.
pub(crate) struct PartAnswer<'a> {
    /// The place of the call in the batch.
    pub(crate) at: usize,
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) request_id: Option<Text<'a>>,
    pub(crate) percentage: Option<Text<'a>>,
    pub(crate) body: &'a [u8],
}

impl PartAnswer<'_> {
    /// Whether nothing was done because of throttling.
    pub(crate) fn is_throttled(&self) -> bool {
        matches!(self.status, 424 | 429)
            || self.status == 503 && judge(self.status, &GraphError::parse(self.body)) == Verdict::Throttled
    }
}

/// Whether the body answers part by part. A whole batch may be 424 when parts of it were throttled.
pub(crate) fn is_answer(status: u16, body: &[u8]) -> bool {
    matches!(status, 200..300 | 424) && serde_json::from_slice::<Responses<'_>>(body).is_ok()
}

/// The parts, in the order they came.
pub(crate) fn parse(body: &[u8], now: Timestamp) -> Result<Vec<PartAnswer<'_>>, serde_json::Error> {
    let Responses { responses } = serde_json::from_slice(body)?;
    let parts = responses.into_iter().filter_map(|response| {
        let headers = response.headers.unwrap_or_default();
        Some(PartAnswer {
            at: response.id.parse().ok()?,
            status: response.status,
            retry_after: headers.retry_after.and_then(|text| retry_after::parse(&text, now)),
            request_id: headers.request_id,
            percentage: headers.percentage,
            body: response.body.map_or(b"", |raw| raw.get().as_bytes()),
        })
    });
    Ok(parts.collect())
}

#[derive(Deserialize)]
struct Responses<'a> {
    #[serde(borrow)]
    responses: Vec<Response<'a>>,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    status: u16,
    #[serde(borrow, default)]
    headers: Option<Headers<'a>>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
}

/// The headers we read; names are spelled in any case.
#[derive(Default)]
struct Headers<'a> {
    retry_after: Option<Text<'a>>,
    request_id: Option<Text<'a>>,
    percentage: Option<Text<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Headers<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Headers<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of headers")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Headers<'de>, M::Error> {
                let mut headers = Headers::default();
                while let Some(name) = map.next_key::<Text<'de>>()? {
                    let place = if name.eq_ignore_ascii_case("retry-after") {
                        &mut headers.retry_after
                    } else if name.eq_ignore_ascii_case("request-id") {
                        &mut headers.request_id
                    } else if name.eq_ignore_ascii_case("x-ms-throttle-limit-percentage") {
                        &mut headers.percentage
                    } else {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    };
                    *place = map.next_value()?;
                }
                Ok(headers)
            }
        }
        deserializer.deserialize_map(Names)
    }
}
