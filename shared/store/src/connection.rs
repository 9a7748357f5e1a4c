//! A connection's own items: its state, its policies, its runs in short.

use hardmatch_domain::guard::Kind;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::{Condition, Query, Write};
use serde::{Deserialize, Serialize};

use crate::{Result, Store, Stored, json, keys};

/// `CONN#C / META`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Version of this shape.
    pub v: u32,
    /// The tenant's directory id, learnt in the first run and never allowed to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The active policy.
    pub policy_revision: u64,
    /// Its hash.
    pub policy_hash: String,
    /// The policy under which everybody was decided last; a newer active one means: decide everybody again.
    #[serde(default)]
    pub decided_policy: u64,
    /// The policy widened since the last accepted plan.
    #[serde(default)]
    pub widened: bool,
    /// The run that is open, or was last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Columns that the next listing must have, lower case.
    #[serde(default)]
    pub columns: Vec<String>,
    /// When a plan was first accepted (Unix seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_accepted: Option<i64>,
    /// When a plan was first applied by its hash (Unix seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_by_hash: Option<i64>,
    /// Last run that converged or needed attention only (Unix seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success: Option<i64>,
    /// Nothing is written until then (Unix seconds), and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Quarantine>,
    /// People in the last complete listing.
    #[serde(default)]
    pub people: u64,
    /// Links, as the last run left them.
    #[serde(default)]
    pub links: u64,
    /// What the guard let through lately.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spent: Vec<Spent>,
    /// Timers up to here were taken (Unix seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timers_seen: Option<i64>,
}

/// What the guard let through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// In which run.
    pub run: String,
    /// Of which kind.
    pub kind: Kind,
    /// When (Unix seconds).
    pub at: i64,
    /// How many.
    pub count: u64,
}

/// The guard's window (seconds).
const WINDOW: i64 = 24 * 60 * 60;

impl Meta {
    /// How much of a kind went in the 24 hours before a time.
    pub fn spent_since(&self, kind: Kind, now: i64) -> u64 {
        self.spent.iter().filter(|spent| spent.kind == kind && now - spent.at < WINDOW).map(|spent| spent.count).sum()
    }

    /// Remembers what was let through; once for each run and kind, however often it is told.
    pub fn spend(&mut self, run: &str, kind: Kind, now: i64, count: u64) {
        self.spent.retain(|spent| now - spent.at < WINDOW && !(spent.run == run && spent.kind == kind));
        self.spent.push(Spent { run: run.to_owned(), kind, at: now, count });
    }
}

/// A connection that writes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// Since (Unix seconds).
    pub since: i64,
    /// Next attempt (Unix seconds).
    pub next: i64,
    /// Attempts so far.
    pub attempts: u32,
    /// One sentence.
    pub why: String,
}

impl Store {
    /// A connection's state; the default at revision 0 when it is new.
    pub async fn meta(&self, c: &ConnectionId) -> Result<Stored<Meta>> {
        let found = self.read(&keys::connection(c, "META"), "connection").await?;
        Ok(found.unwrap_or(Stored { value: Meta { v: 1, ..Meta::default() }, revision: 0 }))
    }

    /// Replaces a connection's state, unless somebody else did.
    pub async fn put_meta(&self, c: &ConnectionId, meta: &Stored<Meta>) -> Result<u64> {
        let condition = if meta.revision == 0 { Condition::Absent } else { Condition::Revision(meta.revision) };
        Ok(self.table.write(Write::put_if(keys::connection(c, "META"), json(&meta.value), condition)).await?)
    }

    /// Changes a connection's state; tries again when somebody else was faster.
    pub async fn update_meta(&self, c: &ConnectionId, change: impl Fn(&mut Meta)) -> Result<Meta> {
        loop {
            let mut meta = self.meta(c).await?;
            change(&mut meta.value);
            match self.put_meta(c, &meta).await {
                Ok(_) => return Ok(meta.value),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Stores a policy text under its revision. Policies are never changed.
    pub async fn put_policy(&self, c: &ConnectionId, revision: u64, text: &str) -> Result<()> {
        let key = keys::connection(c, format!("POLICY#{revision:012}"));
        match self.table.write(Write::put_if(key, json(&text), Condition::Absent)).await {
            Ok(_) | Err(hardmatch_ports::TableError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// A policy's text.
    pub async fn policy(&self, c: &ConnectionId, revision: u64) -> Result<Option<String>> {
        let key = keys::connection(c, format!("POLICY#{revision:012}"));
        Ok(self.read(&key, "policy").await?.map(|stored: Stored<String>| stored.value))
    }

    /// Names of all runs, newest first, at most so many.
    pub async fn run_ids(&self, c: &ConnectionId, limit: usize) -> Result<Vec<String>> {
        let query = Query::prefix(format!("CONN#{c}"), "RUN#").descending().limit(limit);
        let mut ids = Vec::new();
        self.each(query, |item| {
            ids.push(item.key.sk.trim_start_matches("RUN#").to_owned());
            Ok(())
        })
        .await?;
        Ok(ids)
    }
}
