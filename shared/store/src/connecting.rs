//! Connecting a tenant in a browser: the link an operator made, the attempt that it began, and what the command that
//! waits for it is told.
//!
//! What opens something (the link's secret, the `state` of a redirect, the browser's cookie) is known here by its keyed
//! hash alone; a reader of the table can open nothing. Nothing says who signed in.

use std::collections::BTreeSet;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::{Condition, TableError, Write};
use serde::{Deserialize, Serialize};

use crate::concerns::{ConnectionState, ConnectionStatus};
use crate::{Result, Store, Stored, json, keys};

/// A link is used within minutes of being made (seconds); one that is found later in a chat or a log opens nothing.
pub const TICKET_SECONDS: i64 = 15 * 60;

/// Which secret a hash stands for: the same text under another name has another hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectSecret {
    /// Of the link that an operator made.
    Ticket,
    /// Of a redirect (`state`).
    State,
    /// Of the browser that began.
    Browser,
}

impl ConnectSecret {
    fn word(self) -> &'static str {
        match self {
            Self::Ticket => "connect-ticket",
            Self::State => "connect-state",
            Self::Browser => "connect-browser",
        }
    }
}

/// `CONNECT#hash / TICKET`: a link that one browser may use, again and again until it connects or the link ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Version of this shape.
    pub v: u32,
    /// What it connects.
    pub connection: ConnectionId,
    /// It is worth nothing from then on (Unix seconds).
    pub expires: i64,
    /// Hash of the cookie of the browser that used it first: no other may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub browser: Option<String>,
}

/// `CONNECT#hash / ATTEMPT`: a browser was sent to Microsoft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Version of this shape.
    pub v: u32,
    /// What it connects.
    pub connection: ConnectionId,
    /// Hash of the link that began it.
    pub ticket: String,
    /// Hash of the browser's cookie: an answer that another browser brings is not ours.
    pub browser: String,
    /// How far it is.
    pub phase: AttemptPhase,
    /// It is worth nothing from then on (Unix seconds).
    pub expires: i64,
}

/// How far an attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptPhase {
    /// The browser is at Microsoft's; one answer is awaited.
    Sent,
    /// The answer came. What was granted may be looked at again, by the same browser.
    Returned,
}

/// `CONNECTING#C / CONNECT`: what came of connecting, for the command that waits and for `auth status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connecting {
    /// Version of this shape.
    pub v: u32,
    /// Hash of the link that was made last.
    pub ticket: String,
    /// How it stands with that link.
    pub state: ConnectState,
    /// Why it waits still, or failed: a stable word of ours or Microsoft's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Since when (Unix seconds).
    pub at: i64,
    /// The last success, whatever came after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected: Option<Connected>,
}

/// How it stands with a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectState {
    /// Somebody has yet to finish.
    Waiting,
    /// Connected.
    Done,
    /// Not connected, and this link will not bring it about.
    Failed,
}

/// How a connection may act in its tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectMethod {
    /// An administrator granted the application its own permissions.
    Consent,
    /// An administrator signed in, and the application acts for them.
    SignIn,
}

/// What a successful sign-in or consent left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connected {
    /// How the connection was connected.
    pub method: ConnectMethod,
    /// When (Unix seconds).
    pub at: i64,
    /// Directory id of the tenant, as its token said.
    pub tenant: String,
    /// What the token carried.
    pub permissions: BTreeSet<String>,
}

/// News for the command that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Connected.
    Done(Connected),
    /// Not yet, and why.
    Waiting(String),
    /// Not, and why.
    Failed(String),
}

/// Not before it is worth nothing: expiry in the table only tidies up.
const KEPT_AFTER: i64 = 60 * 60;

impl Store {
    /// The name under which a secret is known here: a keyed hash, 64 hex digits.
    pub fn connect_id(&self, kind: ConnectSecret, secret: &str) -> String {
        self.secret.long(&[kind.word(), secret])
    }

    /// Keeps a new link under its hash; from then on the connection waits for it.
    pub async fn put_ticket(&self, id: &str, ticket: &Ticket, now: i64) -> Result<()> {
        loop {
            let seen = self.connecting(&ticket.connection).await?;
            let condition = seen.as_ref().map_or(Condition::Absent, |seen| Condition::Revision(seen.revision));
            let waiting = Connecting {
                v: 1,
                ticket: id.to_owned(),
                state: ConnectState::Waiting,
                code: None,
                at: now,
                connected: seen.and_then(|seen| seen.value.connected),
            };
            let writes = vec![
                Write::Put {
                    key: keys::ticket(id),
                    body: json(ticket),
                    expires: Some(ticket.expires + KEPT_AFTER),
                    condition: Condition::Absent,
                },
                Write::put_if(keys::connecting(&ticket.connection), json(&waiting), condition),
            ];
            match self.table.transact(writes).await {
                // Somebody else's link or news; ours comes after.
                Err(TableError::Conflict { at: 1 }) => {}
                other => return Ok(other?),
            }
        }
    }

    /// A link that has not connected yet. Whether it is still worth something is for the caller's clock.
    pub async fn ticket(&self, id: &str) -> Result<Option<Stored<Ticket>>> {
        self.read(&keys::ticket(id), "link").await
    }

    /// Keeps which browser a link belongs to and begins an attempt, both or neither. A conflict: somebody was faster.
    pub async fn begin_attempt(&self, ticket: (&str, &Stored<Ticket>), id: &str, attempt: &Attempt) -> Result<()> {
        let (name, ticket) = ticket;
        let writes = vec![
            Write::Put {
                key: keys::ticket(name),
                body: json(&ticket.value),
                expires: Some(ticket.value.expires + KEPT_AFTER),
                condition: Condition::Revision(ticket.revision),
            },
            put_attempt(id, attempt, Condition::Absent),
        ];
        Ok(self.table.transact(writes).await?)
    }

    /// Ends a link: it has connected.
    pub async fn end_ticket(&self, id: &str) -> Result<()> {
        self.table.write(Write::Delete { key: keys::ticket(id), condition: Condition::None }).await?;
        Ok(())
    }

    /// An attempt. Whether it is still worth something is for the caller's clock.
    pub async fn attempt(&self, id: &str) -> Result<Option<Stored<Attempt>>> {
        self.read(&keys::attempt(id), "attempt").await
    }

    /// Replaces an attempt, unless somebody else did: one answer is taken once. The new revision.
    pub async fn put_attempt(&self, id: &str, attempt: &Stored<Attempt>) -> Result<u64> {
        let put = put_attempt(id, &attempt.value, Condition::Revision(attempt.revision));
        Ok(self.table.write(put).await?)
    }

    /// Ends an attempt, unless somebody else changed or ended it.
    pub async fn end_attempt(&self, id: &str, revision: u64) -> Result<()> {
        let end = Write::Delete { key: keys::attempt(id), condition: Condition::Revision(revision) };
        self.table.write(end).await?;
        Ok(())
    }

    /// What came of connecting; `None` when no link was ever made.
    pub async fn connecting(&self, c: &ConnectionId) -> Result<Option<Stored<Connecting>>> {
        self.read(&keys::connecting(c), "connect").await
    }

    /// Tells what came of the link of this hash. A success is told whatever link it came by; anything else only while
    /// that link is the last one made.
    pub async fn tell_connecting(&self, c: &ConnectionId, ticket: &str, news: &News, now: i64) -> Result<()> {
        loop {
            let Some(mut seen) = self.connecting(c).await? else { return Ok(()) };
            let record = &mut seen.value;
            (record.state, record.code) = match news {
                News::Done(connected) => {
                    record.connected = Some(connected.clone());
                    (ConnectState::Done, None)
                }
                News::Waiting(_) | News::Failed(_) if record.ticket != ticket => return Ok(()),
                News::Waiting(code) => (ConnectState::Waiting, Some(code.clone())),
                News::Failed(code) => (ConnectState::Failed, Some(code.clone())),
            };
            record.at = now;
            let key = keys::connecting(c);
            let write = Write::put_if(key, json(record), Condition::Revision(seen.revision));
            match self.table.write(write).await {
                Err(TableError::Conflict { .. }) => {}
                other => {
                    other?;
                    return Ok(());
                }
            }
        }
    }

    /// Takes a connection up again that was connected in a browser after it was disconnected: the pages, which anybody may
    /// call, tell what came of connecting and change no connection's state. Whether it was taken up now.
    pub async fn take_up(&self, c: &ConnectionId, status: &ConnectionStatus) -> Result<bool> {
        if status.state != ConnectionState::Disconnected {
            return Ok(false);
        }
        let Some(connected) = self.connecting(c).await?.and_then(|stored| stored.value.connected) else {
            return Ok(false);
        };
        // Of the same second the disconnecting counts.
        let since = status.disconnected.last().map_or(0, |period| period.from);
        if connected.at <= since {
            return Ok(false);
        }
        let status = self.reconnect(c, &connected.tenant, connected.at).await?;
        Ok(status.state != ConnectionState::Disconnected)
    }

    /// Connected without a link: a token of the application's own proved that everything is granted.
    pub async fn put_connected(&self, c: &ConnectionId, connected: &Connected) -> Result<()> {
        loop {
            let seen = self.connecting(c).await?;
            let condition = seen.as_ref().map_or(Condition::Absent, |seen| Condition::Revision(seen.revision));
            let ticket = seen.map(|seen| seen.value.ticket).unwrap_or_default();
            let (state, at) = (ConnectState::Done, connected.at);
            let done = Connecting { v: 1, ticket, state, code: None, at, connected: Some(connected.clone()) };
            match self.table.write(Write::put_if(keys::connecting(c), json(&done), condition)).await {
                Err(TableError::Conflict { .. }) => {}
                other => {
                    other?;
                    self.reconnect(c, &connected.tenant, at).await?;
                    return Ok(());
                }
            }
        }
    }
}

fn put_attempt(id: &str, attempt: &Attempt, condition: Condition) -> Write {
    Write::Put { key: keys::attempt(id), body: json(attempt), expires: Some(attempt.expires + KEPT_AFTER), condition }
}
