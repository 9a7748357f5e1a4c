//! People whose state an operator acknowledged: they need no attention until a day, or until the facts change.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::change::Decision;
use hardmatch_domain::ids::{ConnectionId, PersonKey};
use hardmatch_domain::reason::{Wakes, Weight};
use hardmatch_ports::run::{Outcome, OutcomeKind, PlanRow};
use hardmatch_store::PersonHash;
use sha2::{Digest as _, Sha256};

use crate::error::MatchError;
use crate::ports::MatchPorts;

/// What is acknowledged of a decision, as a hash in hex: its refusals and holds, with their details, and the account they
/// are about. Other facts of the person may change without ending the acknowledgment.
pub fn facts(decision: &Decision) -> String {
    let waits = |weight: Weight| matches!(weight, Weight::Held | Weight::Refused);
    let told: BTreeSet<String> = decision
        .reasons
        .iter()
        .filter(|reason| waits(reason.code.weight()))
        .map(|reason| format!("{}\u{1f}{}", reason.code, reason.detail.as_deref().unwrap_or_default()))
        .collect();
    let mut hash = Sha256::new();
    hash.update(serde_json::to_vec(&decision.join).unwrap_or_default());
    for reason in told {
        hash.update(reason.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        use std::fmt::Write as _;
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The people among these rows whose state is acknowledged now.
pub async fn acknowledged(
    ports: &MatchPorts,
    connection: &ConnectionId,
    rows: &[PlanRow],
    outcomes: &BTreeMap<PersonKey, Outcome>,
) -> Result<BTreeSet<PersonKey>, MatchError> {
    let wait = |row: &&PlanRow| {
        let done = outcomes.get(&row.decision.key).is_some_and(|outcome| outcome.result == OutcomeKind::Done);
        needs_somebody(&row.decision) || (row.decision.change.is_some() && !done)
    };
    let waiting: Vec<(&PlanRow, PersonHash)> =
        rows.iter().filter(wait).map(|row| (row, ports.store.secret().pid(&row.decision.key))).collect();
    let pids: Vec<PersonHash> = waiting.iter().map(|(_, pid)| *pid).collect();
    let known = ports.store.acknowledgments(connection, &pids).await?;
    let now = ports.clock.now().as_second();
    Ok(waiting
        .into_iter()
        .filter(|(row, pid)| known.get(pid).is_some_and(|ack| ack.until > now && ack.facts == facts(&row.decision)))
        .map(|(row, _)| row.decision.key.clone())
        .collect())
}

/// Whether a person needs attention although everything that was planned is done.
pub fn needs_somebody(decision: &Decision) -> bool {
    decision.reasons.iter().any(|reason| match reason.code.weight() {
        Weight::Note | Weight::Reported => false,
        Weight::Refused => true,
        Weight::Held => match reason.code.wakes() {
            // Time or other people's changes bring these back by themselves.
            Wakes::Timer | Wakes::Change | Wakes::Another => false,
            // Approved with the plan, when the change is done.
            Wakes::Approval => decision.change.is_none(),
            Wakes::Nobody => true,
        },
    })
}
