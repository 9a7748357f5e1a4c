//! Changes that wait for an approval, and what approvers said of them. A change is named by what it does, so an approval
//! covers it in whatever run it is planned, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::change::{Action, ChangeId, Step};
use hardmatch_domain::ids::{ConnectionId, ObjectId, PersonKey};
use hardmatch_domain::reason::Reason;
use hardmatch_ports::{Condition, Key, Write};
use serde::{Deserialize, Serialize};

use crate::{Result, Store, Stored, json, keys, parse};

/// A change that waited for an approval in some run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Version of this shape.
    pub v: u32,
    /// The change.
    pub change: ChangeId,
    /// The person it is for.
    pub person: PersonKey,
    /// Display name, for approvers. Personal data.
    pub name: Box<str>,
    /// Sign-in name at the source. Personal data.
    pub upn: Box<str>,
    /// The account; `None` when it is created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<ObjectId>,
    /// The action, as an operator names it.
    pub action: Action,
    /// Why it waits: policy, the guard, a first plan.
    pub waits: Reason,
    /// Why it was decided.
    pub why: Vec<Reason>,
    /// What is done, with what is before and after.
    pub steps: Vec<Step>,
    /// The run that asked first.
    pub run: String,
    /// When it asked (Unix milliseconds).
    pub asked_ms: i64,
    /// What was said; `None` while nobody has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<ApprovalVerdict>,
}

/// What an approver said of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalVerdict {
    /// Approved, or rejected.
    pub approved: bool,
    /// The approver.
    pub by: String,
    /// When (Unix milliseconds).
    pub at_ms: i64,
    /// Until when an approval covers the change (Unix milliseconds).
    pub until_ms: i64,
    /// The approver's comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Approval {
    /// An approval covers a change for seven days, as an accepted plan does (milliseconds).
    pub const LASTS_MS: i64 = 7 * 24 * 60 * 60 * 1000;

    /// Where it stands at a time (Unix milliseconds).
    pub fn state(&self, now_ms: i64) -> ApprovalState {
        match &self.verdict {
            None => ApprovalState::Pending,
            Some(verdict) if !verdict.approved => ApprovalState::Rejected,
            Some(verdict) if verdict.until_ms > now_ms => ApprovalState::Approved,
            Some(_) => ApprovalState::Expired,
        }
    }
}

/// Where a change stands that waited for an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    /// Nobody has said anything.
    Pending,
    /// Approved, and covered still.
    Approved,
    /// Rejected.
    Rejected,
    /// Approved longer ago than an approval lasts.
    Expired,
}

/// That a change is approved: all that a run needs to know.
#[derive(Debug, Serialize, Deserialize)]
struct Approved {
    v: u32,
    until_ms: i64,
}

impl Store {
    /// The writes that keep a change that waits, or what was said of it: for as long as history is kept.
    pub fn put_approval(&self, c: &ConnectionId, approval: &Approval, writes: &mut Vec<Write>) {
        let id = approval.change.as_str();
        let said_ms = approval.verdict.as_ref().map_or(approval.asked_ms, |verdict| verdict.at_ms);
        let expires = Some(self.end_of(said_ms / 1000));
        writes.push(Write::Put {
            key: keys::approval(c, id),
            body: json(approval),
            expires,
            condition: Condition::None,
        });
        match &approval.verdict {
            Some(verdict) if verdict.approved => {
                let body = json(&Approved { v: 1, until_ms: verdict.until_ms });
                writes.push(Write::Put { key: keys::approved(c, id), body, expires, condition: Condition::None });
            }
            Some(_) => writes.push(Write::delete(keys::approved(c, id))),
            None => {}
        }
    }

    /// What is known of these changes, by name; changes that never waited are left out.
    pub async fn approvals(&self, c: &ConnectionId, changes: &[String]) -> Result<BTreeMap<String, Stored<Approval>>> {
        let wanted: BTreeSet<Key> = changes.iter().map(|id| keys::approval(c, id)).collect();
        let wanted: Vec<Key> = wanted.into_iter().collect();
        if wanted.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut found = BTreeMap::new();
        for item in self.table.batch_get(&wanted).await? {
            let stored: Stored<Approval> = parse(&item, "approval")?;
            found.insert(stored.value.change.as_str().to_owned(), stored);
        }
        Ok(found)
    }

    /// Every change of a connection that waited for an approval, in the order of their names.
    pub async fn all_approvals(&self, c: &ConnectionId) -> Result<Vec<Approval>> {
        let all = self.read_all::<Approval>(keys::approvals(c), "approval").await?;
        Ok(all.into_iter().map(|(_, stored)| stored.value).collect())
    }

    /// The names of changes that an approval covers at a time (Unix milliseconds).
    pub async fn approved(&self, c: &ConnectionId, now_ms: i64) -> Result<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        for (key, stored) in self.read_all::<Approved>(keys::all_approved(c), "approval").await? {
            if stored.value.until_ms > now_ms {
                found.insert(keys::approved_of(&key).to_owned());
            }
        }
        Ok(found)
    }
}
