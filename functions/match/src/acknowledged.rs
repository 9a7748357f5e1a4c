//! People whose state an operator acknowledged: they need no attention until a day, or until the facts change.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::change::Decision;
use hardmatch_domain::ids::{ConnectionId, PersonKey};
use hardmatch_domain::reason::Weight;
use hardmatch_ports::run::{Outcome, PlanRow};
use hardmatch_report::{Acknowledged, RowStage, needs_attention};
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

/// The people among these rows whose state is acknowledged now, with what was said of it.
pub async fn acknowledged(
    ports: &MatchPorts,
    connection: &ConnectionId,
    rows: &[PlanRow],
    outcomes: &BTreeMap<PersonKey, Outcome>,
    stage: RowStage,
) -> Result<BTreeMap<PersonKey, Acknowledged>, MatchError> {
    let waits = |row: &&PlanRow| {
        needs_attention(row, outcomes.get(&row.decision.key), stage)
            || row.decision.change.as_ref().is_some_and(|change| change.hold.is_some())
    };
    let waiting: Vec<(&PlanRow, PersonHash)> =
        rows.iter().filter(waits).map(|row| (row, ports.store.secret().pid(&row.decision.key))).collect();
    let pids: Vec<PersonHash> = waiting.iter().map(|(_, pid)| *pid).collect();
    let known = ports.store.acknowledgments(connection, &pids).await?;
    let now = ports.clock.now().as_second();
    let said = |(row, pid): (&PlanRow, PersonHash)| {
        let known = known.get(&pid).filter(|known| known.until > now && known.facts == facts(&row.decision))?;
        let said = Acknowledged { until: known.until, by: known.by.clone(), comment: known.comment.clone() };
        Some((row.decision.key.clone(), said))
    };
    Ok(waiting.into_iter().filter_map(said).collect())
}
