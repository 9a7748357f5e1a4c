//! Writing: one call as it is, several as a JSON batch. Nothing is tried again here except after a refused token;
//! what became of each call is for the writer to act on.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hardmatch_domain::account::{Account, Domain};
use hardmatch_domain::attribute::Attributes;
use hardmatch_domain::group::Group;
use hardmatch_domain::ids::ObjectId;
use hardmatch_domain::license::brings_eligible_roles;
use hardmatch_ports::tenant::{
    Answer, Call, Counters, Later, LaterCause, MAX_CALLS, Priority, Refusal, RefusalKind, Retry, TenantError,
};
use hardmatch_ports::{TenantRead as _, TenantWrite};
use reqwest::Method;
use serde::de::IgnoredAny;

use crate::batch::{self, PartAnswer};
use crate::body::{Envelope, Inner, Part, Unsendable, part};
use crate::client::GraphClient;
use crate::error::{GraphError, Verdict, judge};
use crate::query::LONGEST_VALUE;
use crate::user::{Created, Page, User, object_id};
use crate::wire::{Failure, Outgoing, Reply, Tally};

#[async_trait]
impl TenantWrite for GraphClient {
    async fn perform(&self, calls: &[Call], priority: Priority) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(calls.len());
        for hand in calls.chunks(MAX_CALLS) {
            answers.extend(self.hand(hand, priority).await);
        }
        answers
    }

    async fn find_groups(&self, name: &str) -> Result<Vec<Group>, TenantError> {
        self.read_groups_named(name).await
    }

    async fn domains(&self) -> Result<BTreeMap<String, Domain>, TenantError> {
        Ok(self.read_organization().await?.domains)
    }

    async fn privileged(&self) -> Result<Option<BTreeMap<ObjectId, Vec<String>>>, TenantError> {
        let holders = match self.read_role_holders().await {
            Ok(holders) => holders,
            Err(error) if error.is_forbidden() => return Ok(None),
            Err(error) => return Err(error),
        };
        let eligible = match self.read_eligible_for_roles().await {
            Ok(eligible) => eligible,
            // Where no product brings eligible roles, nobody is eligible.
            Err(error) if error.is_forbidden() => match self.skus().await {
                Ok(skus) if !brings_eligible_roles(&skus) => BTreeMap::new(),
                Ok(_) => return Ok(None),
                Err(error) if error.is_forbidden() => return Ok(None),
                Err(error) => return Err(error),
            },
            Err(error) => return Err(error),
        };
        let mut all = holders;
        for (id, roles) in eligible {
            all.entry(id).or_default().extend(roles.into_iter().map(|role| format!("eligible for {role}")));
        }
        Ok(Some(all))
    }

    fn counters(&self) -> Counters {
        self.wire.counters()
    }
}

/// A call of the batch, ready to send.
struct Ready<'c> {
    /// Its place in the batch.
    at: usize,
    call: &'c Call,
    part: Part<'c>,
}

/// An answer as it came, alone or in a batch.
struct Came<'b> {
    status: u16,
    retry_after: Option<Duration>,
    request_id: &'b str,
    body: &'b [u8],
}

impl GraphClient {
    async fn hand(&self, calls: &[Call], priority: Priority) -> Vec<Answer> {
        let mut answers: Vec<Option<Answer>> = calls.iter().map(|_| None).collect();
        let mut ready = Vec::with_capacity(calls.len());
        for (at, call) in calls.iter().enumerate() {
            match part(call, &self.base, &self.select) {
                Ok(part) => ready.push(Ready { at, call, part }),
                Err(Unsendable::Empty) => answers[at] = Some(Answer::Done(None)),
                Err(Unsendable::TooLong) => answers[at] = Some(too_long()),
            }
        }
        if let [only] = ready.as_slice() {
            answers[only.at] = Some(self.alone(only, priority).await);
        } else if !ready.is_empty() {
            self.batch(&ready, priority, &mut answers).await;
        }
        // Every place is filled by now; an answer that nobody gave is an unknown one.
        let filled = answers.into_iter().zip(calls);
        filled.map(|(answer, call)| answer.unwrap_or_else(|| self.lost(call, "the answer left it out"))).collect()
    }

    async fn alone(&self, ready: &Ready<'_>, priority: Priority) -> Answer {
        let Ok(body) = ready.part.body.as_ref().map(serde_json::to_vec).transpose() else { return unserialisable() };
        let url = self.url(&ready.part.path);
        let request = Outgoing {
            method: ready.part.method.clone(),
            url: &url,
            route: ready.part.route,
            body: body.map(Bytes::from),
            priority,
        };
        let outcome = self.wire.exchange(&request).await;
        if outcome.as_ref().err().is_none_or(Failure::was_sent) {
            Tally::add(&self.wire.tally.writes, usize::from(ready.call.is_write()));
        }
        match outcome {
            Err(failure) => self.failed(ready.call, &failure),
            Ok(reply) => {
                let came = Came {
                    status: reply.status,
                    retry_after: reply.retry_after,
                    request_id: &reply.request_id,
                    body: &reply.body,
                };
                self.settle(ready.call, &came, None)
            }
        }
    }

    async fn batch(&self, ready: &[Ready<'_>], priority: Priority, answers: &mut [Option<Answer>]) {
        let Some(reply) = self.send_batch(ready.iter(), priority, answers).await else { return };
        let refused = self.settle_batch(ready, &reply, answers);
        if refused.is_empty() {
            return;
        }
        // Parts can be refused for their token although the envelope was not: once more with a new one.
        let again: Vec<&Ready<'_>> = ready.iter().filter(|ready| refused.contains(&ready.at)).collect();
        if let Err(error) = self.wire.tokens.after(&reply.token, None).await {
            let failure = Failure::Token(error);
            for ready in again {
                answers[ready.at] = Some(self.failed(ready.call, &failure));
            }
            return;
        }
        if let Some(reply) = self.send_batch(again.iter().copied(), priority, answers).await {
            self.settle_batch(ready, &reply, answers);
        }
    }

    /// Sends the parts; without a readable batch answer every part is settled here and there is no reply.
    async fn send_batch<'r, 'c: 'r>(
        &self,
        ready: impl Iterator<Item = &'r Ready<'c>> + Clone + Send,
        priority: Priority,
        answers: &mut [Option<Answer>],
    ) -> Option<Reply> {
        let requests = ready.clone().map(|ready| Inner { at: ready.at, part: &ready.part }).collect::<Vec<_>>();
        let sent = requests.len();
        let Ok(body) = serde_json::to_vec(&Envelope { requests }) else {
            ready.for_each(|ready| answers[ready.at] = Some(unserialisable()));
            return None;
        };
        let url = self.url("/$batch");
        let body = Some(Bytes::from(body));
        let request = Outgoing { method: Method::POST, url: &url, route: "/$batch", body, priority };
        let outcome = self.wire.exchange(&request).await;
        if outcome.as_ref().err().is_none_or(Failure::was_sent) {
            Tally::add(&self.wire.tally.batches, 1);
            Tally::add(&self.wire.tally.batched_calls, sent);
            Tally::add(&self.wire.tally.writes, ready.clone().filter(|ready| ready.call.is_write()).count());
        }
        let reply = match outcome {
            Ok(reply) => reply,
            Err(failure) => {
                for ready in ready {
                    answers[ready.at] = Some(self.failed(ready.call, &failure));
                }
                return None;
            }
        };
        if batch::is_answer(reply.status, &reply.body) {
            return Some(reply);
        }
        for ready in ready {
            answers[ready.at] = Some(if reply.is_success() {
                self.lost(ready.call, "the answer was cut off")
            } else {
                let (error, verdict) = reply.error();
                if reply.status == 503 && verdict == Verdict::Unavailable {
                    // The envelope was not opened.
                    self.later(LaterCause::Unavailable, reply.retry_after, &reply.request_id)
                } else {
                    self.unopened(ready.call, &reply, error, verdict)
                }
            });
        }
        None
    }

    /// A refusal of the whole envelope.
    fn unopened(&self, call: &Call, reply: &Reply, error: GraphError, verdict: Verdict) -> Answer {
        match verdict {
            Verdict::Unavailable => self.unavailable(call, reply.retry_after, &error.request_id),
            Verdict::Throttled => {
                let wait = self.wire.pressure().closed_for.max(reply.retry_after.unwrap_or_default());
                let wait = if wait.is_zero() { self.wire.close(None) } else { wait };
                self.later(LaterCause::Throttled, Some(wait), &error.request_id)
            }
            Verdict::Concurrent => self.later(LaterCause::Unavailable, reply.retry_after, &error.request_id),
            Verdict::NewToken | Verdict::Refused(RefusalKind::Forbidden) => {
                refused(RefusalKind::Forbidden, reply.status, error)
            }
            Verdict::Refused(_) | Verdict::AlreadySo | Verdict::CursorLost | Verdict::NotFound => {
                refused(RefusalKind::Other, reply.status, error)
            }
        }
    }

    /// Settles what a batch answered; gives the places of parts whose token was refused.
    fn settle_batch(&self, ready: &[Ready<'_>], reply: &Reply, answers: &mut [Option<Answer>]) -> Vec<usize> {
        let Ok(parts) = batch::parse(&reply.body, self.wire.clock.now()) else { return Vec::new() };
        let wait = self.note_throttled(&parts);
        let mut refused = Vec::new();
        for part in &parts {
            let Some(ready) = ready.iter().find(|ready| ready.at == part.at) else { continue };
            if let Some(text) = &part.percentage {
                self.wire.note_percentage(text);
            }
            if part.status == 401 && answers[ready.at].is_none() {
                refused.push(ready.at);
            }
            let came = Came {
                status: part.status,
                retry_after: part.retry_after,
                request_id: part.request_id.as_deref().unwrap_or(&reply.request_id),
                body: part.body,
            };
            answers[ready.at] = Some(self.settle(ready.call, &came, wait));
        }
        refused
    }

    /// Closes the client for the longest wait that throttled parts ask for.
    fn note_throttled(&self, parts: &[PartAnswer<'_>]) -> Option<Duration> {
        let throttled = parts.iter().filter(|part| part.is_throttled());
        let count = throttled.clone().count();
        if count == 0 {
            return None;
        }
        Tally::add(&self.wire.tally.throttles, count);
        Some(self.wire.close(throttled.filter_map(|part| part.retry_after).max()))
    }

    /// What an answer means for its call. `closed` is the wait of the whole batch.
    fn settle(&self, call: &Call, came: &Came<'_>, closed: Option<Duration>) -> Answer {
        if (200..300).contains(&came.status) {
            return self.done(call, came);
        }
        let mut error = GraphError::parse(came.body);
        if !came.request_id.is_empty() {
            came.request_id.clone_into(&mut error.request_id);
        }
        let verdict = judge(came.status, &error);
        match verdict {
            // One of several is a member already, so none of them was added.
            Verdict::AlreadySo if matches!(call, Call::AddMembers { .. }) => {
                refused(RefusalKind::Other, came.status, error)
            }
            Verdict::AlreadySo => Answer::Done(None),
            Verdict::Throttled => {
                let open = self.wire.pressure().closed_for;
                let wait = closed.or(came.retry_after).or(Some(open).filter(|wait| !wait.is_zero()));
                let wait = wait.unwrap_or_else(|| self.wire.close(None));
                self.later(LaterCause::Throttled, Some(wait), &error.request_id)
            }
            Verdict::Unavailable => self.unavailable(call, came.retry_after, &error.request_id),
            Verdict::Concurrent => self.later(LaterCause::Unavailable, came.retry_after, &error.request_id),
            Verdict::NotFound => match call {
                // No member, or no such group any more: either way there is no membership.
                Call::Delete { .. } | Call::SetManager { manager: None, .. } | Call::RemoveMember { .. } => {
                    Answer::Done(None)
                }
                Call::Create { manager: Some(_), .. } => refused(RefusalKind::ManagerBind, came.status, error),
                _ => Answer::NotFound,
            },
            Verdict::NewToken => refused(RefusalKind::Forbidden, came.status, error),
            Verdict::CursorLost => refused(RefusalKind::Other, came.status, error),
            // A uniqueness cache that has not seen the account's own move away yet.
            Verdict::Refused(RefusalKind::Conflict)
                if error.conflict.is_some() && error.conflict.as_ref() == account_of(call) =>
            {
                self.later(LaterCause::Lagging, came.retry_after, &error.request_id)
            }
            // Of several nobody knows which one is missing, and the others stay.
            Verdict::Refused(_) if takes_one_license(call) && error.is_about_no_license() => Answer::Done(None),
            Verdict::Refused(kind) => {
                let binds = matches!(call, Call::Create { manager: Some(_), .. }) && came.status == 400;
                // The manager is what an otherwise unexplained refusal is most likely about: without it costs one try. The
                // text that federated domains share with everything else explains nothing here.
                let unexplained = matches!(kind, RefusalKind::Other | RefusalKind::Federated);
                let kind =
                    if binds && (unexplained || error.is_about_manager()) { RefusalKind::ManagerBind } else { kind };
                refused(kind, came.status, error)
            }
        }
    }

    /// Success, with what the body says where somebody needs it.
    fn done(&self, call: &Call, came: &Came<'_>) -> Answer {
        match call {
            Call::Create { .. } => match serde_json::from_slice::<User<'_>>(came.body) {
                Ok(user) if !user.id.is_empty() => Answer::Done(Some(Box::new(created(call, user.account())))),
                _ => self.lost(call, "the new account's description was cut off"),
            },
            Call::CreateGroup { .. } => match serde_json::from_slice::<Created<'_>>(came.body) {
                Ok(made) if !made.id.is_empty() => Answer::Made(object_id(&made.id)),
                _ => self.lost(call, "the new group's description was cut off"),
            },
            Call::Read { .. } => match serde_json::from_slice::<User<'_>>(came.body) {
                Ok(user) if !user.id.is_empty() => Answer::Done(Some(Box::new(user.account()))),
                _ => self.lost(call, "the answer was cut off"),
            },
            Call::ReadDeleted { .. } => match serde_json::from_slice::<User<'_>>(came.body) {
                Ok(user) if !user.id.is_empty() => Answer::Done(Some(Box::new(user.deleted_account()))),
                _ => self.lost(call, "the answer was cut off"),
            },
            Call::FindByImmutableId { immutable_id } => {
                self.found(call, came.body, |account| account.immutable_id.as_ref() == Some(immutable_id))
            }
            Call::FindByUpn { upn } => self.found(call, came.body, |account| {
                // UPNs are equal without regard to case.
                account.upn().is_some_and(|have| have.to_lowercase() == upn.to_lowercase())
            }),
            Call::Update { .. }
            | Call::SetEnabled { .. }
            | Call::RevokeSessions { .. }
            | Call::SetManager { .. }
            | Call::SetLicenses { .. }
            | Call::AddMember { .. }
            | Call::AddMembers { .. }
            | Call::RemoveMember { .. }
            | Call::Delete { .. }
            | Call::Restore { .. }
            | Call::Purge { .. } => {
                // Graph answers with nothing or with JSON. Anything else is of somebody on the way.
                let is_graphs = came.body.is_empty() || serde_json::from_slice::<IgnoredAny>(came.body).is_ok();
                if is_graphs { Answer::Done(None) } else { self.lost(call, "the answer is none of Graph's") }
            }
        }
    }

    /// The filter ignores case, so what it found is compared again.
    fn found(&self, call: &Call, body: &[u8], same: impl Fn(&Account) -> bool) -> Answer {
        let Ok(page) = serde_json::from_slice::<Page<'_, User<'_>>>(body) else {
            return self.lost(call, "the answer was cut off");
        };
        match page.value.iter().map(User::account).find(same) {
            Some(account) => Answer::Done(Some(Box::new(account))),
            None if page.next.is_none() => Answer::NotFound,
            None => self.later(LaterCause::Unavailable, None, ""),
        }
    }

    fn failed(&self, call: &Call, failure: &Failure) -> Answer {
        match failure {
            Failure::Token(error) => match error.retry {
                Retry::After(wait) => self.later(LaterCause::Unavailable, Some(wait), &error.request_id),
                Retry::Never | Retry::FromTheStart => Answer::Refused(Refusal {
                    kind: RefusalKind::Credentials,
                    status: error.status,
                    code: error.code.clone(),
                    message: error.message.clone(),
                    request_id: error.request_id.clone(),
                    conflict: None,
                    property: None,
                }),
            },
            Failure::Closed(wait) => self.later(LaterCause::Throttled, Some(*wait), ""),
            Failure::NotSent => self.later(LaterCause::Unavailable, None, ""),
            Failure::Lost => self.lost(call, "no answer came"),
            Failure::TooLarge(_) => self.lost(call, "the answer was too large to read"),
        }
    }

    /// A read can simply be repeated; a write may have been done.
    fn lost(&self, call: &Call, why: &str) -> Answer {
        if call.is_write() {
            let object =
                if matches!(call, Call::CreateGroup { .. }) { "group is looked for" } else { "account is read" };
            Answer::Unknown(format!("Sent, but {why}: the {object} before anything is repeated."))
        } else {
            self.later(LaterCause::Unavailable, None, "")
        }
    }

    /// The service failed. Where it says when to come back it is asked no earlier, and then looked at before anything is
    /// repeated.
    fn unavailable(&self, call: &Call, stated: Option<Duration>, request_id: &str) -> Answer {
        match stated {
            Some(wait) if call.is_write() => self.later(LaterCause::MaybeDone, Some(wait), request_id),
            Some(wait) => self.later(LaterCause::Unavailable, Some(wait), request_id),
            None => self.lost(call, "the service failed"),
        }
    }

    fn later(&self, cause: LaterCause, stated: Option<Duration>, request_id: &str) -> Answer {
        let after = stated.unwrap_or_else(|| self.wire.backoff.wait(2));
        Answer::Later(Later { after, cause, request_id: request_id.to_owned() })
    }
}

/// The new account: its id and what else the answer says, over what was sent.
fn created(call: &Call, said: Account) -> Account {
    let Call::Create { attributes, immutable_id, enabled, manager, .. } = call else { return said };
    let sent: Attributes = attributes.iter().filter(|(_, value)| !value.is_empty()).collect();
    Account {
        immutable_id: said.immutable_id.or_else(|| immutable_id.clone()),
        attributes: sent.overlaid(&said.attributes),
        enabled: said.enabled.or(Some(*enabled)),
        manager: manager.clone(),
        ..said
    }
}

/// Whether one licence is taken away and nothing else is done.
fn takes_one_license(call: &Call) -> bool {
    matches!(call, Call::SetLicenses { give, take, .. } if give.is_empty() && take.len() == 1)
}

/// The account that a call is about.
fn account_of(call: &Call) -> Option<&ObjectId> {
    match call {
        Call::Update { account, .. }
        | Call::SetEnabled { account, .. }
        | Call::RevokeSessions { account }
        | Call::SetManager { account, .. }
        | Call::SetLicenses { account, .. }
        | Call::AddMember { account, .. }
        | Call::RemoveMember { account, .. }
        | Call::Delete { account }
        | Call::Restore { account, .. }
        | Call::Purge { account }
        | Call::Read { account }
        | Call::ReadDeleted { account } => Some(account),
        Call::Create { .. }
        | Call::CreateGroup { .. }
        | Call::AddMembers { .. }
        | Call::FindByImmutableId { .. }
        | Call::FindByUpn { .. } => None,
    }
}

fn refused(kind: RefusalKind, status: u16, error: GraphError) -> Answer {
    let GraphError { code, message, request_id, conflict, property, .. } = error;
    let code = if code.is_empty() { format!("HTTP {status}") } else { code };
    Answer::Refused(Refusal { kind, status, code, message, request_id, conflict, property })
}

fn not_sent(code: &str, message: String) -> Answer {
    Answer::Refused(Refusal {
        kind: RefusalKind::InvalidValue,
        status: 0,
        code: code.to_owned(),
        message,
        request_id: String::new(),
        conflict: None,
        property: None,
    })
}

fn too_long() -> Answer {
    not_sent(
        "filter_too_long",
        format!(
            "Graph cannot look for values of more than {LONGEST_VALUE} characters: read the whole listing instead."
        ),
    )
}

fn unserialisable() -> Answer {
    not_sent("unserialisable", "The call could not be written as JSON.".to_owned())
}
