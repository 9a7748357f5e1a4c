//! Things that go wrong between a client and Graph, by plan and by seed.

use serde::{Deserialize, Serialize};

use crate::rng::Rng;

/// A plan: each rule may strike each request; the first that does wins.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct TenantFaults {
    /// Seed of the probabilities.
    pub seed: u64,
    /// The rules, in order.
    pub rules: Vec<FaultRule>,
}

/// When a fault strikes. All conditions given must hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FaultRule {
    /// Method and route template, as in the request log: `PATCH /users/{id}`; or method and path, for one object:
    /// `PATCH /users/3b1f…`. `*` stands for any text, so `* /users*` is possible; absent means every request to Graph.
    /// The sign-in service is only struck by a route that names it: `POST /{tenant}/oauth2/v2.0/token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// Where it may strike. Default both.
    #[serde(default)]
    pub place: Place,
    /// Strike from the nth matching call on (1 is the first). Default 1.
    #[serde(default = "one")]
    pub nth: u64,
    /// How many times at most. Absent is without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// Probability per matching call. Default 1.
    #[serde(default = "always")]
    pub probability: f64,
    /// What happens.
    pub fault: Fault,
}

impl FaultRule {
    /// Strikes every matching call.
    pub fn new(route: &str, fault: Fault) -> Self {
        Self { route: Some(route.to_owned()), place: Place::Both, nth: 1, times: None, probability: 1.0, fault }
    }

    /// Strikes the next matching call only.
    pub fn once(route: &str, fault: Fault) -> Self {
        Self { times: Some(1), ..Self::new(route, fault) }
    }

    /// Strikes from the nth matching call on.
    #[must_use]
    pub fn from_call(mut self, nth: u64) -> Self {
        self.nth = nth;
        self
    }

    /// Strikes at most so many times.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Strikes with this probability.
    #[must_use]
    pub fn with_probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }

    /// Strikes only there.
    #[must_use]
    pub fn only(mut self, place: Place) -> Self {
        self.place = place;
        self
    }
}

fn one() -> u64 {
    1
}

fn always() -> f64 {
    1.0
}

/// Requests of their own, parts of a batch, or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// Both.
    #[default]
    Both,
    /// Requests of their own, the batch envelope included (`POST /$batch`).
    Outer,
    /// Parts of a batch.
    Inner,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields, rename_all = "camelCase")]
pub enum Fault {
    /// The answer takes so long (real clock only).
    #[serde(rename_all = "camelCase")]
    Latency {
        /// Milliseconds.
        ms: u64,
    },
    /// 429. Nothing was done.
    #[serde(rename_all = "camelCase")]
    Throttled {
        /// As sent: `10`, `2.128`, or `date:10` for an HTTP date ten seconds ahead. Absent: no header.
        #[serde(default)]
        retry_after: Option<String>,
    },
    /// An error status; with `applied`, after the work was done. Without a `code` there is no body.
    #[serde(rename_all = "camelCase")]
    Status {
        /// 500, 502, 503, 504 and the like.
        status: u16,
        /// `error.code`; none is an empty body.
        #[serde(default)]
        code: Option<String>,
        /// `error.message`.
        #[serde(default)]
        message: Option<String>,
        /// As in `throttled`.
        #[serde(default)]
        retry_after: Option<String>,
        /// The work was done all the same.
        #[serde(default)]
        applied: bool,
    },
    /// The connection closes without an answer and nothing was done. In a batch part: 504 without a body.
    Dropped,
    /// The connection closes without an answer although the work was done. In a batch part: 504 without a body.
    DroppedAfter,
    /// The answer's JSON ends in the middle.
    Truncated,
    /// Reads see the directory as it was so long ago.
    #[serde(rename_all = "camelCase")]
    Stale {
        /// Milliseconds.
        ms: u32,
    },
    /// 401: the token has expired, whatever its claims say. Nothing was done.
    TokenExpired,
    /// 410 with a `Location` that lacks `$select`.
    Gone,
    /// The sign-in service refuses with this AADSTS number, in its own shape. For routes below `/{tenant}/`.
    #[serde(rename_all = "camelCase")]
    Entra {
        /// `53003`
        code: u32,
    },
}

/// What every route of the sign-in service has.
const SIGN_IN: &str = "/{tenant}/";

#[derive(Debug)]
struct Armed {
    rule: FaultRule,
    seen: u64,
    struck: u64,
}

/// The plan at work.
#[derive(Debug)]
pub(crate) struct Armory {
    rules: Vec<Armed>,
    rng: Rng,
    pub(crate) struck: u64,
}

impl Armory {
    pub(crate) fn new(faults: TenantFaults) -> Self {
        let rng = Rng::new(faults.seed);
        let rules = faults.rules.into_iter().map(|rule| Armed { rule, seen: 0, struck: 0 }).collect();
        Self { rules, rng, struck: 0 }
    }

    pub(crate) fn add(&mut self, rule: FaultRule) {
        self.rules.push(Armed { rule, seen: 0, struck: 0 });
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The fault that strikes this call of a route, which has this path, if any.
    pub(crate) fn strike(&mut self, method: &str, template: &str, path: &str, inner: bool) -> Option<Fault> {
        let (route, exact) = (format!("{method} {template}"), format!("{method} {path}"));
        let here = if inner { Place::Inner } else { Place::Outer };
        let mut hit = None;
        for armed in &mut self.rules {
            let named = armed.rule.route.as_deref();
            // Plans made for Graph must not hit sign-in by accident.
            let meant = !route.contains(SIGN_IN) || named.is_some_and(|p| p.contains(SIGN_IN));
            let matches = meant
                && named.is_none_or(|p| glob(p, &route) || glob(p, &exact))
                && (armed.rule.place == Place::Both || armed.rule.place == here);
            if !matches {
                continue;
            }
            armed.seen += 1;
            let ready = armed.seen >= armed.rule.nth && armed.rule.times.is_none_or(|t| armed.struck < t);
            if hit.is_none() && ready && (armed.rule.probability >= 1.0 || self.rng.chance(armed.rule.probability)) {
                armed.struck += 1;
                self.struck += 1;
                hit = Some(armed.rule.fault.clone());
            }
        }
        hit
    }
}

/// `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text
            .strip_prefix(head)
            .is_some_and(|rest| (0..=rest.len()).filter(|i| rest.is_char_boundary(*i)).any(|i| glob(tail, &rest[i..]))),
    }
}
