//! Doorbells: messages that say "look here". The table holds the work; losing, repeating or reordering a message changes
//! nothing.

use std::time::Duration;

use async_trait::async_trait;
use hardmatch_domain::ids::ConnectionId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::tenant_request::TenantQuery;

/// Where to look.
///
/// As JSON it is what lies in a queue. A schedule sends the shortest form, `{"v":1,"kind":"nightly","slot":"…"}`: what is
/// about no connection and no run names none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Message {
    /// Version of this message; a reader that does not know it leaves it and asks for it again.
    pub v: u32,
    /// Whose work. [`Message::nobody`] when it is about all connections.
    #[serde(default = "Message::nobody", skip_serializing_if = "is_nobody")]
    pub connection: ConnectionId,
    /// Which run. Empty before there is one, and when it is about all runs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub run: String,
    /// Whether it waits behind scheduled work or goes past it.
    #[serde(default, skip_serializing_if = "Urgency::is_scheduled")]
    pub urgency: Urgency,
    /// What the message asks for.
    #[serde(flatten)]
    pub kind: MessageKind,
}

/// Whose turn it is: a person who is wanted now does not wait behind a company.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Urgency {
    /// A run over everybody.
    #[default]
    Scheduled,
    /// One person, wanted now.
    Now,
}

impl Urgency {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over by reference what it may skip")]
    fn is_scheduled(&self) -> bool {
        *self == Self::Scheduled
    }
}

/// What there is to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum MessageKind {
    /// Read the people of the source.
    ObserveSource,
    /// Read the accounts of the tenant.
    ObserveTenant,
    /// Decide the next slices of people.
    Match,
    /// Drain the lane.
    Write,
    /// Give the source what its people lack.
    WriteBack,
    /// See whether the run's phase has ended.
    Advance,
    /// Look at who of the connection is wanted now: somebody was pushed, a hook named somebody, or a person was asked for.
    /// The store's sync requests say who. A run about them is opened, unless one is under way, which looks again at its end.
    SyncPeople,
    /// Begin the connection's run of a scheduled time.
    Start {
        /// The scheduled time (RFC 3339): one run for each.
        slot: String,
    },
    /// Begin the runs of all connections at a scheduled time.
    Nightly {
        /// The scheduled time (RFC 3339): one run for each connection.
        slot: String,
    },
    /// Take what is due and notify work left over, of all connections.
    Tick,
    /// An operator asks for something.
    OperatorCommand {
        /// Under this name the caller looks for the reply.
        reply: String,
        /// What the operator asks for.
        command: Command,
    },
    /// An operator's request, passed on to the side that reaches the tenant.
    TenantRequest {
        /// Under this name the caller looks for the reply; empty when nobody does.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reply: String,
        /// What the operator asks of the side that has the tokens.
        #[serde(flatten)]
        query: TenantQuery,
    },
}

impl MessageKind {
    /// As it stands in a message, and alone: what a kind carries may be long, and is nobody's business in a log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ObserveSource => "observe-source",
            Self::ObserveTenant => "observe-tenant",
            Self::Match => "match",
            Self::Write => "write",
            Self::WriteBack => "write-back",
            Self::Advance => "advance",
            Self::SyncPeople => "sync-people",
            Self::Start { .. } => "start",
            Self::Nightly { .. } => "nightly",
            Self::Tick => "tick",
            Self::OperatorCommand { .. } => "operator-command",
            Self::TenantRequest { .. } => "tenant-request",
        }
    }
}

impl Message {
    /// The version written here, and the newest that can be read.
    pub const VERSION: u32 = 1;

    /// A message of the present version.
    pub fn new(connection: ConnectionId, run: impl Into<String>, kind: MessageKind) -> Self {
        Self { v: Self::VERSION, connection, run: run.into(), urgency: Urgency::Scheduled, kind }
    }

    /// A message about all connections.
    pub fn for_all(kind: MessageKind) -> Self {
        Self::new(Self::nobody(), "", kind)
    }

    /// What stands for the connection when a message is about all of them.
    pub fn nobody() -> ConnectionId {
        ConnectionId::new("")
    }

    /// This message with an urgency.
    #[must_use]
    pub fn with_urgency(mut self, urgency: Urgency) -> Self {
        self.urgency = urgency;
        self
    }

    /// Which function answers it. Observing has one queue whatever the urgency: a listing is read as a whole.
    pub fn queue(&self) -> Queue {
        match (&self.kind, self.urgency) {
            (MessageKind::ObserveSource | MessageKind::WriteBack, _) => Queue::Source,
            (MessageKind::ObserveTenant | MessageKind::TenantRequest { .. }, _) => Queue::Tenant,
            // The run about people who are wanted does not wait behind a company either, from its opening on.
            (MessageKind::SyncPeople, _) | (MessageKind::Match | MessageKind::Advance, Urgency::Now) => Queue::MatchNow,
            (MessageKind::Match | MessageKind::Advance, Urgency::Scheduled)
            | (
                MessageKind::Start { .. }
                | MessageKind::Nightly { .. }
                | MessageKind::Tick
                | MessageKind::OperatorCommand { .. },
                _,
            ) => Queue::Match,
            (MessageKind::Write, Urgency::Scheduled) => Queue::Write,
            (MessageKind::Write, Urgency::Now) => Queue::WriteNow,
        }
    }
}

fn is_nobody(connection: &ConnectionId) -> bool {
    connection.as_str().is_empty()
}

/// What a function made of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// The work is done, or was not there, or is not ours to do.
    Done,
    /// There is more, at the earliest after this time: the message is acknowledged and sent again. No failure.
    Again(Duration),
}

/// One queue for each function, and in one process a second one, for single people, where scheduled work could stand in the
/// way. On AWS many calls of a function are answered at a time, and the two are one queue: [`Queue::deployed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Queue {
    /// Ingest, source side.
    Source,
    /// Ingest, tenant side.
    Tenant,
    /// Scheduled decisions.
    Match,
    /// Scheduled writes.
    Write,
    /// Match, for single people.
    MatchNow,
    /// Write, for single people.
    WriteNow,
}

impl Queue {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Source, Self::Tenant, Self::Match, Self::Write, Self::MatchNow, Self::WriteNow];

    /// Its name, as the names of deployed queues end: `source`, `tenant`, `match`, `write`. `match-now` and `write-now` are
    /// names in one process alone.
    pub fn name(self) -> &'static str {
        match self {
            Queue::Source => "source",
            Queue::Tenant => "tenant",
            Queue::Match => "match",
            Queue::Write => "write",
            Queue::MatchNow => "match-now",
            Queue::WriteNow => "write-now",
        }
    }

    /// The queues of a stack. Each one that starts a function is asked around the clock and paid for, so urgent and
    /// scheduled messages share one there, and a message says itself how urgent it is.
    pub const DEPLOYED: [Self; 4] = [Self::Source, Self::Tenant, Self::Match, Self::Write];

    /// The queue of a stack that carries the messages of this one.
    #[must_use]
    pub fn deployed(self) -> Self {
        match self {
            Self::MatchNow => Self::Match,
            Self::WriteNow => Self::Write,
            Self::Source | Self::Tenant | Self::Match | Self::Write => self,
        }
    }

    /// The queue whose deployed name ends in ours, as `…:stack-match` does.
    pub fn named(name: &str) -> Option<Self> {
        let of = |queue: &Self| {
            let rest = name.strip_suffix(queue.name());
            rest.is_some_and(|rest| rest.is_empty() || !rest.ends_with(|last: char| last.is_ascii_alphanumeric()))
        };
        Self::ALL.into_iter().find(of)
    }
}

/// Sends a message.
#[async_trait]
pub trait Doorbell: Send + Sync {
    /// Sends a message after a delay. At least once, in any order.
    async fn notify(&self, message: Message, delay: Duration) -> Result<(), DoorbellError>;

    /// Puts a message that nobody here understands back into its queue as it is, to be handed over after a delay as if it
    /// were new: receipts so far do not count against it. For messages of a newer version, which a newer function will
    /// answer. A sender that receives nothing has no queue to put anything into: the message then stays where it is, as failed.
    async fn put_back(&self, queue: Queue, body: &str, delay: Duration) -> Result<(), DoorbellError> {
        let (_, _) = (body, delay);
        Err(DoorbellError(format!("nothing can be put back into the queue {}", queue.name())))
    }
}

/// The other end of a doorbell, for code that plays the queue service in process: hands messages over, and hands them over
/// again unless they are acknowledged.
#[async_trait]
pub trait MessageQueue: Send + Sync {
    /// At most `max` messages that are due, oldest first as a rule. They stay hidden until acknowledged, given back, or
    /// forgotten for too long.
    fn receive(&self, queue: Queue, max: usize, now: Timestamp) -> Vec<Received>;

    /// Done: never again. An unknown id is no error.
    fn ack(&self, id: &str);

    /// Not done: due again after a delay.
    fn nack(&self, id: &str, delay: Duration, now: Timestamp);

    /// When the next message of a queue can be received, those being handled included. `None`: nothing is left.
    fn next_due(&self, queue: Queue) -> Option<Timestamp>;

    /// Returns when a message was sent since the last time this returned. For one waiter.
    async fn notified(&self);
}

/// A message as it was handed over; nobody has understood it yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Names the message, the same at every receipt.
    pub id: String,
    /// JSON of a [`Message`], perhaps of a newer version.
    pub body: String,
    /// How often it has been handed over, this time included.
    pub received: u32,
}

/// The message could not be sent; the tick will notify work left over.
#[derive(Debug, thiserror::Error)]
#[error("the message could not be sent: {0}")]
pub struct DoorbellError(pub String);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant_request::DisconnectResult;

    /// What lies in queues while a new version is deployed: every form here must be read for ever.
    #[test]
    fn messages_are_this_json() {
        let of = |run: &str, kind| Message::new(ConnectionId::new("contoso"), run, kind);
        let slot = "2026-01-15T03:00:00Z".to_owned();
        let golden = [
            (
                of("r1", MessageKind::ObserveSource),
                r#"{"v":1,"connection":"contoso","run":"r1","kind":"observe-source"}"#,
            ),
            (
                of("r1", MessageKind::ObserveTenant),
                r#"{"v":1,"connection":"contoso","run":"r1","kind":"observe-tenant"}"#,
            ),
            (of("r1", MessageKind::Match), r#"{"v":1,"connection":"contoso","run":"r1","kind":"match"}"#),
            (of("r1", MessageKind::WriteBack), r#"{"v":1,"connection":"contoso","run":"r1","kind":"write-back"}"#),
            (of("", MessageKind::SyncPeople), r#"{"v":1,"connection":"contoso","kind":"sync-people"}"#),
            (of("r1", MessageKind::Advance), r#"{"v":1,"connection":"contoso","run":"r1","kind":"advance"}"#),
            (
                of("r1", MessageKind::Write).with_urgency(Urgency::Now),
                r#"{"v":1,"connection":"contoso","run":"r1","urgency":"now","kind":"write"}"#,
            ),
            (
                of("", MessageKind::Start { slot: slot.clone() }),
                r#"{"v":1,"connection":"contoso","kind":"start","slot":"2026-01-15T03:00:00Z"}"#,
            ),
            (
                Message::for_all(MessageKind::Nightly { slot }),
                r#"{"v":1,"kind":"nightly","slot":"2026-01-15T03:00:00Z"}"#,
            ),
            (Message::for_all(MessageKind::Tick), r#"{"v":1,"kind":"tick"}"#),
            (
                of("", MessageKind::TenantRequest { reply: "a".to_owned(), query: TenantQuery::Reset }),
                r#"{"v":1,"connection":"contoso","kind":"tenant-request","reply":"a","wish":"reset"}"#,
            ),
            (
                of("", MessageKind::TenantRequest { reply: String::new(), query: TenantQuery::Expiry }),
                r#"{"v":1,"connection":"contoso","kind":"tenant-request","wish":"expiry"}"#,
            ),
            (
                of(
                    "",
                    MessageKind::TenantRequest {
                        reply: "a".to_owned(),
                        query: TenantQuery::Forget {
                            disconnected: DisconnectResult { new: true, links: 2, abandoned: 0 },
                        },
                    },
                ),
                r#"{"v":1,"connection":"contoso","kind":"tenant-request","reply":"a","wish":"forget","disconnected":{"new":true,"links":2,"abandoned":0}}"#,
            ),
        ];
        for (message, json) in golden {
            assert_eq!(serde_json::to_string(&message).unwrap(), json);
            assert!(json.contains(&format!("\"kind\":\"{}\"", message.kind.name())), "{json}");
            assert_eq!(serde_json::from_str::<Message>(json).unwrap(), message);
        }
    }

    #[test]
    fn a_queue_is_known_by_the_end_of_its_name() {
        for queue in Queue::ALL {
            assert_eq!(Queue::named(queue.name()), Some(queue));
            let arn = format!("arn:aws:sqs:eu-central-1:123456789012:hardmatch-prod-{}", queue.name());
            assert_eq!(Queue::named(&arn), Some(queue));
        }
        assert_eq!(Queue::named("arn:aws:sqs:eu-central-1:123456789012:rematch"), None);
        assert_eq!(Queue::named("match-now.fifo"), None);
    }

    #[test]
    fn one_person_goes_past_a_company() {
        let message = |kind| Message::new(ConnectionId::new("contoso"), "r1", kind).with_urgency(Urgency::Now);
        let queues = [MessageKind::Match, MessageKind::Advance, MessageKind::Write, MessageKind::ObserveTenant]
            .map(|kind| message(kind).queue());
        assert_eq!(queues, [Queue::MatchNow, Queue::MatchNow, Queue::WriteNow, Queue::Tenant]);
        assert_eq!(queues.map(Queue::deployed), [Queue::Match, Queue::Match, Queue::Write, Queue::Tenant]);
        assert!(Queue::ALL.into_iter().all(|queue| Queue::DEPLOYED.contains(&queue.deployed())));
    }
}
