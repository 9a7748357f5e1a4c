//! `approvals approve` and `approvals reject`: what an approver says of changes that wait, kept for each of them.

use std::collections::BTreeMap;

use hardmatch_domain::change::ChangeId;
use hardmatch_domain::declined::Declined;
use hardmatch_domain::refused::Refused;
use hardmatch_ports::Write;
use hardmatch_ports::command::Reply;
use hardmatch_store::PersonHash;
use hardmatch_store::approvals::{Approval, ApprovalState, ApprovalVerdict};
use hardmatch_store::changes::OpenChange;
use hardmatch_store::connection::ScheduleState;
use sha2::{Digest as _, Sha256};

use super::request::{Request, refused};
use crate::error::MatchError;
use crate::ports::MatchPorts;

/// Longest comment that is kept, in characters.
const LONGEST_COMMENT: usize = 2_000;

/// What is said, and of which changes.
pub(super) struct Judging<'r> {
    pub(super) approve: bool,
    pub(super) changes: &'r [String],
    pub(super) set: Option<&'r str>,
    pub(super) comment: Option<&'r str>,
}

/// The hash of a set of changes: of their names in order, in hex.
pub fn set_hash<'a>(changes: impl IntoIterator<Item = &'a ChangeId>) -> String {
    let mut names: Vec<&str> = changes.into_iter().map(ChangeId::as_str).collect();
    names.sort_unstable();
    let mut hash = Sha256::new();
    for name in names {
        hash.update(name.as_bytes());
        hash.update(b"\n");
    }
    hash.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        use std::fmt::Write as _;
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Keeps what is said of each change that is planned still; the others are named.
pub(super) async fn handle(
    ports: &MatchPorts,
    request: &Request<'_>,
    judging: &Judging<'_>,
) -> Result<Reply, MatchError> {
    if judging.comment.is_some_and(|comment| comment.chars().count() > LONGEST_COMMENT) {
        return Ok(refused(format!("the comment is longer than {LONGEST_COMMENT} characters. Shorten it")));
    }
    let (store, connection) = (&ports.store, request.connection);
    let asked: Vec<Approval> = if let Some(set) = judging.set {
        let waiting = pending(ports, request).await?;
        let now = set_hash(waiting.iter().map(|one| &one.change));
        if set.len() < 8 || !now.starts_with(&set.to_ascii_lowercase()) {
            return Ok(refused(format!(
                "other changes wait now than in the set {set}. The set of now is {}; look at it with `hardmatch approvals list`",
                now.get(..12).unwrap_or(&now)
            )));
        }
        waiting
    } else {
        let known = store.approvals(connection, judging.changes).await?;
        known.into_values().map(|stored| stored.value).collect()
    };
    let pids: Vec<PersonHash> = asked.iter().map(|one| store.secret().pid(&one.person)).collect();
    let open: BTreeMap<PersonHash, OpenChange> =
        store.changes(connection, &pids).await?.into_iter().map(|(pid, stored)| (pid, stored.value)).collect();
    let refusals = store.refusals(connection, &pids).await?;
    let now_ms = ports.clock.now().as_millisecond();
    let (mut done, mut not, mut writes) = (Vec::new(), BTreeMap::new(), Vec::new());
    for (approval, pid) in asked.into_iter().zip(pids) {
        let name = approval.change.as_str().to_owned();
        let planned = open.get(&pid).map(|open| &open.change);
        // A change that was rejected is not planned; approved after all, it is planned again.
        let rejected = approval.state(now_ms) == ApprovalState::Rejected && judging.approve;
        let change = planned.filter(|change| change.id == approval.change);
        if change.is_none() && !rejected {
            not.insert(name, moved(planned.map(|change| &change.id)));
            continue;
        }
        let verdict = ApprovalVerdict {
            approved: judging.approve,
            by: request.by.to_owned(),
            at_ms: now_ms,
            until_ms: now_ms + Approval::LASTS_MS,
            comment: judging.comment.map(str::to_owned),
        };
        if let Some(refused) = remembered(refusals.get(&pid), &approval, change, &verdict) {
            writes.push(store.put_refused(connection, pid, &refused));
        }
        store.put_approval(connection, &Approval { verdict: Some(verdict), ..approval }, &mut writes);
        writes.push(store.mark_dirty(connection, pid));
        done.push(name);
    }
    for name in judging.changes {
        if !done.contains(name) && !not.contains_key(name) {
            not.insert(
                name.clone(),
                "no change of this name waits. `hardmatch approvals list` names those that do".to_owned(),
            );
        }
    }
    write(ports, writes).await?;
    if !done.is_empty() {
        store.update(connection, |schedule: &mut ScheduleState| schedule.wanted = true).await?;
    }
    Ok(Reply::Judged { done, refused: not })
}

/// What is remembered of the person: a rejection is added, and one that is taken back is forgotten.
fn remembered(
    before: Option<&Refused>,
    approval: &Approval,
    change: Option<&hardmatch_domain::change::Change>,
    verdict: &ApprovalVerdict,
) -> Option<Refused> {
    if verdict.approved {
        let mut refused =
            before.filter(|refused| refused.declined.iter().any(|one| one.change == approval.change))?.clone();
        refused.declined.retain(|one| one.change != approval.change);
        return Some(refused);
    }
    let declined = Declined::rejected(change?, &verdict.by, verdict.at_ms / 1000, verdict.comment.clone());
    Some(Refused::declining(before, declined))
}

/// Why nothing is kept of a change that is not planned any more.
fn moved(now: Option<&ChangeId>) -> String {
    match now {
        Some(id) => format!(
            "the facts have moved: for this person another change is planned now, {}. Look at it with `hardmatch approvals list`",
            id.as_str()
        ),
        None => {
            "the facts have moved: this change is not planned any more. Look at the plan of now with `hardmatch plan`"
                .to_owned()
        }
    }
}

/// The changes that wait and are planned still.
async fn pending(ports: &MatchPorts, request: &Request<'_>) -> Result<Vec<Approval>, MatchError> {
    let waiting =
        still_planned(ports, request.connection, ports.store.all_approvals(request.connection).await?).await?;
    let now_ms = ports.clock.now().as_millisecond();
    Ok(waiting.into_iter().filter(|one| one.state(now_ms) == ApprovalState::Pending).collect())
}

/// People whose changes are read together.
const CHUNK: usize = 100;

/// Of changes that waited, those that are planned still.
pub async fn still_planned(
    ports: &MatchPorts,
    connection: &hardmatch_domain::ids::ConnectionId,
    all: Vec<Approval>,
) -> Result<Vec<Approval>, MatchError> {
    let mut found = Vec::with_capacity(all.len());
    for chunk in all.chunks(CHUNK) {
        let pids: Vec<PersonHash> = chunk.iter().map(|one| ports.store.secret().pid(&one.person)).collect();
        let open = ports.store.changes(connection, &pids).await?;
        let planned: BTreeMap<PersonHash, ChangeId> =
            open.into_iter().map(|(pid, stored)| (pid, stored.value.change.id)).collect();
        let kept = chunk.iter().zip(&pids).filter(|(one, pid)| planned.get(*pid) == Some(&one.change));
        found.extend(kept.map(|(one, _)| one.clone()));
    }
    Ok(found)
}

/// Performs writes, none of which rests on another.
async fn write(ports: &MatchPorts, writes: Vec<Write>) -> Result<(), MatchError> {
    ports.store.write_all(writes).await?;
    Ok(())
}
