//! A request's way through the sign-in service: route, fault, work.

use super::authorize::Ask;
use super::form::Form;
use crate::answer::{Answer, Ids, Refusal};
use crate::clock::http_date;
use crate::faults::Fault;
use crate::serve::{Call, HEADERS, Reply};
use crate::state::State;

/// What is served, by method and what follows the tenant in the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    Token,
    Authorize,
    AdminConsent,
    AdminConsentV1,
    Metadata,
    Keys,
}

fn find(method: &str, path: &str) -> Option<(Endpoint, &'static str, String)> {
    let (tenant, rest) = path.strip_prefix('/')?.split_once('/')?;
    let (endpoint, template) = match (method, rest) {
        ("POST", "oauth2/v2.0/token") => (Endpoint::Token, "/{tenant}/oauth2/v2.0/token"),
        ("GET" | "POST", "oauth2/v2.0/authorize") => (Endpoint::Authorize, "/{tenant}/oauth2/v2.0/authorize"),
        ("GET" | "POST", "v2.0/adminconsent") => (Endpoint::AdminConsent, "/{tenant}/v2.0/adminconsent"),
        ("GET" | "POST", "adminconsent") => (Endpoint::AdminConsentV1, "/{tenant}/adminconsent"),
        ("GET", "v2.0/.well-known/openid-configuration") => {
            (Endpoint::Metadata, "/{tenant}/v2.0/.well-known/openid-configuration")
        }
        ("GET", "discovery/v2.0/keys") => (Endpoint::Keys, "/{tenant}/discovery/v2.0/keys"),
        _ => return None,
    };
    let tenant = percent_encoding::percent_decode_str(tenant).decode_utf8_lossy().into_owned();
    Some((endpoint, template, tenant))
}

impl State {
    /// Answers a request to the sign-in service; none if the path is not one of its own.
    pub(crate) fn sign_in(&mut self, call: &Call) -> Option<Reply> {
        let (endpoint, template, tenant) = find(&call.method, &call.path)?;
        let fault = self.faults.strike(&call.method, template, template, false);
        self.records.counters.faults = self.faults.struck;
        let latency_ms = if let Some(Fault::Latency { ms }) = fault { ms } else { 0 };
        let before = fault.as_ref().and_then(|fault| self.strike_before(fault, call));
        let mut reply = before.unwrap_or_else(|| {
            let forced = if let Some(Fault::Entra { code }) = fault { Some(code) } else { None };
            let answer = self.perform_sign_in(endpoint, &tenant, call, forced);
            Reply::Send { answer, latency_ms }
        });
        if let Some(fault) = &fault {
            reply = self.strike_after(fault, call, reply);
        }
        if let Reply::Send { answer, .. } = &mut reply {
            // Clients measure their clock against this one.
            answer.headers.push(("date", http_date(self.now())));
            answer.headers.push(("x-ms-request-id", self.dice_free_id()));
        }
        Some(reply)
    }

    fn perform_sign_in(&mut self, endpoint: Endpoint, tenant: &str, call: &Call, forced: Option<u32>) -> Answer {
        let page = matches!(endpoint, Endpoint::Authorize | Endpoint::AdminConsent | Endpoint::AdminConsentV1);
        // Browsers send what they like; clients do not.
        let stranger = call.headers.iter().find(|(n, _)| !page && !HEADERS.contains(&n.as_str()));
        if let Some((name, _)) = stranger {
            return self.not_modelled(format!("the request header '{name}' at sign-in"));
        }
        if page {
            let ask = Ask {
                tenant,
                query: Form::parse(&call.query),
                form: (call.method == "POST").then(|| Form::parse(&String::from_utf8_lossy(&call.body))),
                forced,
            };
            return match endpoint {
                Endpoint::Authorize => self.authorize(&ask),
                _ => self.admin_consent(&ask, endpoint == Endpoint::AdminConsent),
            };
        }
        if let Some(code) = forced {
            self.records.counters.tokens_refused += u64::from(endpoint == Endpoint::Token);
            return self.denial(&super::codes::plainly(code));
        }
        if !call.query.is_empty() {
            return self.not_modelled("a query at this endpoint of sign-in");
        }
        match endpoint {
            Endpoint::Metadata => self.metadata(tenant),
            Endpoint::Keys => self.signing_keys(tenant),
            _ => self.token(tenant, &call.headers, &call.body),
        }
    }

    /// 501, and a violation.
    pub(crate) fn not_modelled(&mut self, what: impl Into<String>) -> Answer {
        let refusal = Refusal::unknown(what);
        self.records.violations.extend(refusal.violation.clone());
        let id = self.dice_free_id();
        refusal.render(&Ids { request: &id, client: &id, now: self.now() })
    }

    /// An id for diagnosis that takes nothing from the seeded rng: how often clients sign in must not change what a
    /// seed means.
    fn dice_free_id(&self) -> String {
        let counters = &self.records.counters;
        let nth = (counters.tokens_issued + counters.tokens_refused).to_string();
        crate::rng::stable_uuid(&["sign-in", &self.tenant.id, &nth, &self.now().to_string()]).to_string()
    }
}
