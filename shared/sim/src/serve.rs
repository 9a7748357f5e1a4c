//! A call's way through the tenant: headers, token, fault, quota, route, permission, work, record.

use serde_json::Value;

use crate::answer::{Answer, Ids, Outcome, Refusal};
use crate::caller::{Behalf, Caller};
use crate::clock::http_date;
use crate::faults::Fault;
use crate::permits;
use crate::query::Query;
use crate::records::SeenRequest;
use crate::route::{self, Op, Route};
use crate::schema::Kind;
use crate::state::State;

/// A request of its own, or one part of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// Below the version root, without the query.
    pub(crate) path: String,
    pub(crate) query: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) beta: bool,
    pub(crate) inner: bool,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub(crate) fn is_write(&self) -> bool {
        self.method != "GET"
    }
}

/// What operations get to see.
pub(crate) struct Ask<'a> {
    pub(crate) call: &'a Call,
    pub(crate) caller: &'a Caller,
    pub(crate) query: Query,
    pub(crate) key: &'a str,
    pub(crate) second: &'a str,
}

impl Ask<'_> {
    /// Advanced mode: <https://learn.microsoft.com/graph/aad-advanced-queries>
    pub(crate) fn advanced(&self) -> bool {
        self.eventual() && self.query.get("$count") == Some("true")
    }

    pub(crate) fn eventual(&self) -> bool {
        self.call.header("consistencylevel").is_some_and(|c| c.eq_ignore_ascii_case("eventual"))
    }

    /// The JSON object in the body.
    pub(crate) fn body(&self) -> Outcome<serde_json::Map<String, Value>> {
        let json = self.call.header("content-type").is_some_and(|t| t.starts_with("application/json"));
        if !json {
            return Err(Refusal::new(
                415,
                "Request_BadRequest",
                "Write requests (excluding DELETE) must contain the Content-Type header declaration.",
            )
            .violating("a write without Content-Type: application/json"));
        }
        match serde_json::from_slice(&self.call.body) {
            Ok(Value::Object(map)) => Ok(map),
            _ => Err(Refusal::new(400, "BadRequest", "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
                .violating("a body that is not a JSON object")),
        }
    }

    /// The body of a call that needs none.
    pub(crate) fn optional_body(&self) -> Outcome<serde_json::Map<String, Value>> {
        if self.call.body.is_empty() { Ok(serde_json::Map::new()) } else { self.body() }
    }
}

/// How the connection ends.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Send { answer: Answer, latency_ms: u64 },
    Drop,
}

/// Headers that Graph or HTTP knows.
pub(crate) const HEADERS: &[&str] = &[
    "accept",
    "accept-encoding",
    "accept-language",
    "accept-charset",
    "authorization",
    "cache-control",
    "client-request-id",
    "connection",
    "consistencylevel",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "host",
    "if-match",
    "if-none-match",
    "keep-alive",
    "ocp-apim-subscription-key",
    "origin",
    "pragma",
    "prefer",
    "return-client-request-id",
    "sdkversion",
    "te",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "user-agent",
    "via",
    "x-forwarded-for",
    "x-ms-client-request-id",
    "x-ms-throttle-priority",
];

impl State {
    /// Answers one HTTP request to Graph.
    pub(crate) fn serve(&mut self, call: &Call) -> Reply {
        self.records.counters.round_trips += 1;
        self.purge_overdue();
        let request_id = self.rng.uuid().to_string();
        let client_id = call.header("client-request-id").map_or_else(|| request_id.clone(), str::to_owned);
        let mut reply = self.part(call, None, &request_id, &client_id);
        if let Reply::Send { answer, .. } = &mut reply {
            answer.headers.push(("request-id", request_id));
            answer.headers.push(("client-request-id", client_id));
            answer.headers.push(("date", http_date(self.now())));
            answer.headers.push((
                "x-ms-ags-diagnostic",
                r#"{"ServerInfo":{"DataCenter":"Simulated","Slice":"E","Ring":"1","ScaleUnit":"000","RoleInstance":"SIM"}}"#
                    .to_owned(),
            ));
        }
        reply
    }

    /// Answers a request or a batch part, and records it. Parts share the envelope's caller.
    pub(crate) fn part(&mut self, call: &Call, caller: Option<&Caller>, request_id: &str, client_id: &str) -> Reply {
        let route = self.find(call);
        let template = route.as_ref().map_or(call.path.as_str(), |r| r.template).to_owned();
        let fault = self.faults.strike(&call.method, &template, &call.path, call.inner);
        self.records.counters.faults = self.faults.struck;

        let mut latency_ms = 0;
        let mut before = None;
        match &fault {
            Some(Fault::Latency { ms }) => latency_ms = *ms,
            Some(Fault::Stale { ms }) => self.stale_ms = i64::from(*ms),
            Some(fault) => before = self.strike_before(fault, call),
            None => {}
        }
        let mut reply = match before {
            Some(reply) => reply,
            None => match self.attempt(call, caller, route) {
                Ok(answer) => Reply::Send { answer, latency_ms },
                Err(refusal) => {
                    if let Some(what) = &refusal.violation {
                        self.records.violations.push(what.clone());
                    }
                    let ids = Ids { request: request_id, client: client_id, now: self.now() };
                    Reply::Send { answer: refusal.render(&ids), latency_ms }
                }
            },
        };
        self.stale_ms = 0;
        if let Some(fault) = &fault {
            reply = self.strike_after(fault, call, reply);
        }
        if let Reply::Send { answer, .. } = &reply
            && answer.status == 429
            && let Some(app) =
                caller.map(|c| c.app.clone()).or_else(|| self.authenticate(&call.headers).ok().map(|c| c.app))
        {
            let wait =
                answer.headers.iter().find(|(n, _)| *n == "Retry-After").map_or(0, |(_, v)| wait_ms(v, self.now()));
            let until = self.now() + wait;
            self.records.told_to_wait(&app, call.is_write(), until);
        }
        self.record(call, template, &reply);
        reply
    }

    fn find(&self, call: &Call) -> Outcome<Route> {
        // The predecessor's paths carry the tenant in front.
        if call.path.starts_with(&format!("/{}/", self.tenant.id)) {
            return Err(Refusal::unknown(format!("{} on a path of the retired directory API", call.method)));
        }
        route::find(&call.method, &call.path, call.beta)
    }

    fn record(&mut self, call: &Call, route: String, reply: &Reply) {
        let (status, code) = match reply {
            Reply::Drop => (0, None),
            Reply::Send { answer, .. } if answer.status < 400 => (answer.status, None),
            Reply::Send { answer, .. } => {
                let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
                (answer.status, body.and_then(|b| b["error"]["code"].as_str().map(str::to_owned)))
            }
        };
        let segments = if route.contains("{id}") { route::segments(&call.path) } else { Vec::new() };
        let mut keys = route.split('/').filter(|p| !p.is_empty()).zip(segments).filter(|(p, _)| *p == "{id}");
        let target = keys.next().map(|(_, key)| key);
        let second = keys.next().map(|(_, key)| key);
        let body = (call.is_write() && route != "/$batch")
            .then(|| serde_json::from_slice::<Value>(&call.body).ok())
            .flatten()
            .map(|mut body| {
                if let Some(profile) = body.get_mut("passwordProfile") {
                    *profile = Value::String("(left out)".to_owned());
                }
                body
            });
        let at = self.now();
        self.records.note(SeenRequest {
            method: call.method.clone(),
            route,
            status,
            code,
            in_batch: call.inner,
            at,
            target,
            second,
            body,
        });
    }

    fn attempt(&mut self, call: &Call, caller: Option<&Caller>, route: Outcome<Route>) -> Outcome<Answer> {
        if let Some((name, _)) = call.headers.iter().find(|(n, _)| !HEADERS.contains(&n.as_str())) {
            return Err(Refusal::unknown(format!("the request header '{name}'")));
        }
        let caller = match caller {
            Some(caller) => caller.clone(),
            None => self.authenticate(&call.headers)?,
        };
        let route = route?;
        let query = Query::parse(&call.query)?;
        let ask = Ask { call, caller: &caller, query, key: &route.key, second: &route.second };
        if route.op == Op::Batch {
            return self.batch(&ask);
        }
        let write = call.is_write();
        let now = self.now();
        self.records.arrives(&caller.app, write, now);
        let units = route::units(route.op, &ask.query);
        let charge = self.buckets.charge(&caller.app, &self.tenant.id, units, write, self.dir.live_users, now);
        self.records.counters.resource_units += u64::from(charge.units);
        if let Some(refused) = charge.refused {
            // https://learn.microsoft.com/graph/throttling
            return Err(Refusal::new(
                429,
                "TooManyRequests",
                format!(
                    "Too many requests from Identifier:{} under category:throttle. Please try again later.",
                    caller.app
                ),
            )
            .with("Retry-After", refused.seconds.to_string())
            .with("x-ms-throttle-scope", refused.scope)
            .with("x-ms-throttle-information", refused.information)
            .with("x-ms-throttle-limit-percentage", format!("{:.2}", charge.used.max(1.0))));
        }
        if !permits::allows(&caller, route.op) || !self.person_may(&caller, write) {
            return Err(Refusal::denied());
        }
        let mut answer = self.perform(route.op, &ask)?;
        answer.headers.push(("x-ms-resource-unit", charge.units.to_string()));
        if charge.used > 0.8 {
            answer.headers.push(("x-ms-throttle-limit-percentage", format!("{:.2}", charge.used)));
        }
        Ok(answer)
    }

    /// Nobody can do more through an app than by themselves: to change the directory takes a directory role
    /// (<https://learn.microsoft.com/graph/permissions-overview>).
    fn person_may(&self, caller: &Caller, write: bool) -> bool {
        caller.behalf == Behalf::App || !write || !self.roles.held_by(caller.principal).is_empty()
    }

    fn perform(&mut self, op: Op, ask: &Ask<'_>) -> Outcome<Answer> {
        match op {
            Op::Batch => self.batch(ask),
            Op::List(kind) => self.list(kind, ask),
            Op::Count(kind) => self.count(kind, ask),
            Op::Delta(kind) => self.delta(kind, ask),
            Op::Get(kind) => self.get(kind, ask),
            Op::CreateUser => self.create_user(ask),
            Op::UpdateUser => self.update_user(ask),
            Op::DeleteUser => self.delete_user(ask, ask.key),
            Op::GetManager => self.get_manager(ask),
            Op::SetManager => self.set_manager(ask),
            Op::RemoveManager => self.remove_manager(ask),
            Op::RevokeSessions => self.revoke_sessions(ask),
            Op::AssignLicense => self.assign_license(ask),
            Op::ReprocessLicense => self.reprocess_license(ask),
            Op::LicenseDetails => self.license_details(ask),
            Op::MemberOf => self.member_of(ask),
            Op::GetPhoto => self.get_photo(ask),
            Op::SetPhoto => self.set_photo(ask),
            Op::GetSyncBehavior => self.get_sync_behavior(ask),
            Op::SetSyncBehavior => self.set_sync_behavior(ask),
            Op::ListDeleted(kind) => self.list_deleted(kind, ask),
            Op::GetDeleted => self.get_deleted(ask),
            Op::Restore => self.restore(ask),
            Op::Purge => self.purge(ask),
            Op::CreateGroup => self.create_group(ask),
            Op::UpdateGroup => self.update_group(ask),
            Op::DeleteGroup => self.delete_group(ask),
            Op::ListMembers => self.list_links(ask, true),
            Op::ListOwners => self.list_links(ask, false),
            Op::AddMember => self.add_link(ask, true),
            Op::AddOwner => self.add_link(ask, false),
            Op::RemoveMember => self.remove_link(ask, true),
            Op::RemoveOwner => self.remove_link(ask, false),
            Op::DeleteThroughGroup => {
                // https://learn.microsoft.com/graph/api/group-delete-members: the member object itself goes.
                self.records.violations.push("DELETE of a group member without /$ref deletes the member".to_owned());
                self.delete_user(ask, ask.second)
            }
            // https://github.com/microsoftgraph/microsoft-graph-docs-contrib/issues/3152
            Op::BindOnRef => Err(Refusal::new(
                400,
                "BadRequest",
                "The request is currently not supported on the targeted entity set",
            )
            .violating("PATCH /groups/{id}/members/$ref")),
            Op::Organization => self.organization(ask),
            Op::Domains => self.domains(ask),
            Op::Domain => self.get_domain(ask),
            Op::FederationConfiguration => self.federation(ask),
            Op::DirectorySynchronization => self.directory_synchronization(ask),
            Op::TokenValidation => self.token_validation(ask),
            Op::Devices => self.devices(ask),
            Op::Skus => self.subscribed_skus(ask),
            Op::DirectoryRoles => self.directory_roles(ask),
            Op::RoleMembers => self.role_members(ask),
            Op::RoleAssignments => self.role_assignments(ask),
            Op::RoleEligibilities => self.role_eligibilities(ask),
            Op::RoleDefinitions => self.role_definitions(ask),
            Op::ServicePrincipal => self.service_principal(ask),
            Op::AvailableExtensions => self.available_extensions(ask),
            Op::GetByIds => self.get_by_ids(ask),
        }
    }

    /// When a read of one object looks. A replica is chosen by seed.
    pub(crate) fn horizon(&mut self, lag_ms: u32) -> i64 {
        let lag = &self.options.lag;
        let delay = if lag_ms == 0 {
            0
        } else if lag.replicas <= 1 {
            i64::from(lag_ms)
        } else {
            let replicas = i64::from(lag.replicas);
            let chosen = i64::try_from(self.rng.below(replicas.unsigned_abs().try_into().unwrap_or(1))).unwrap_or(0);
            i64::from(lag_ms) * chosen / (replicas - 1)
        };
        self.now() - delay.max(self.stale_ms)
    }

    pub(crate) fn read_horizon(&mut self) -> i64 {
        self.horizon(self.options.lag.reads_ms)
    }

    pub(crate) fn list_horizon(&mut self) -> i64 {
        self.horizon(self.options.lag.lists_ms)
    }

    pub(crate) fn context(&self, what: &str) -> String {
        format!("{}/v1.0/$metadata#{what}", self.base)
    }

    pub(crate) fn entity_context(&self, kind: Kind) -> String {
        self.context(&format!("{}/$entity", kind.set()))
    }
}

/// The milliseconds a `Retry-After` asks for.
pub(crate) fn wait_ms(value: &str, now: i64) -> i64 {
    if let Ok(seconds) = value.parse::<f64>() {
        #[expect(clippy::cast_possible_truncation, reason = "waits are short")]
        return (seconds * 1000.0).ceil() as i64;
    }
    jiff::fmt::rfc2822::parse(value).map_or(0, |at| at.timestamp().as_millisecond() - now)
}
