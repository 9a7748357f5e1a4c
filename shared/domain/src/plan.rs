//! A plan: slices of decisions in key order, their hash, and what they add up to. Equal decisions give equal hashes,
//! however they were sliced into work, as long as the slices are the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::vocabulary::change::{Change, Decision, Hold, Removals};
use crate::vocabulary::text::hex;

/// Lower-case hex SHA-256 of a slice: the canonical JSON (RFC 8785) of its changes in key order, each on its line, and of
/// what the source is to be given. People without either are not part of it: a plan is what would be done.
pub fn slice_hash<'a>(decisions: impl IntoIterator<Item = &'a Decision> + Clone) -> String {
    let taught = decisions.clone().into_iter().filter(|decision| !decision.write_back.is_empty());
    let mut taught: Vec<_> = taught.map(|decision| (&decision.key, &decision.write_back)).collect();
    taught.sort_unstable_by_key(|(key, _)| *key);
    let mut changes: Vec<&Change> = decisions.into_iter().filter_map(|decision| decision.change.as_deref()).collect();
    changes.sort_unstable_by(|one, other| one.person.cmp(&other.person));
    let mut digest = Sha256::new();
    for change in changes {
        digest.update(canonical(change));
        digest.update(b"\n");
    }
    for (key, values) in taught {
        digest.update(serde_json_canonicalizer::to_vec(&("write_back", key, values)).unwrap_or_default());
        digest.update(b"\n");
    }
    hex(&digest.finalize())
}

/// The plan's hash: of the hashes of its slices, in slice order.
pub fn plan_hash<'a>(slices: impl IntoIterator<Item = &'a str>) -> String {
    let mut digest = Sha256::new();
    for slice in slices {
        digest.update(slice.as_bytes());
        digest.update(b"\n");
    }
    hex(&digest.finalize())
}

/// What a change is, byte for byte: what happens to whom, why, and whether it waits. Not the revisions it rests on,
/// which may rise without a difference.
fn canonical(change: &Change) -> Vec<u8> {
    let Change { id, person, account, action, after, hold, removal_from, link_from, reasons, .. } = change;
    let shown = (id, person, account, action, after, hold, removal_from, link_from, reasons);
    serde_json_canonicalizer::to_vec(&shown).unwrap_or_default()
}

/// What decisions add up to. Counts of parts of a plan can be added.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Counts {
    /// People decided.
    pub people: u64,
    /// People who need nothing and nobody's attention.
    pub converged: u64,
    /// By action name; people without a change count as `none`.
    pub actions: BTreeMap<String, u64>,
    /// By reason code: each person counts once for each code.
    pub reasons: BTreeMap<String, u64>,
    /// Changes that wait, by hold.
    pub holds: BTreeMap<String, u64>,
    /// Removals of the guard's kinds.
    pub removals: Removals,
}

impl Counts {
    /// Adds one decision.
    pub fn add(&mut self, decision: &Decision) {
        self.people += 1;
        self.converged += u64::from(decision.is_converged());
        count(&mut self.actions, decision.action.name(), 1);
        for (at, reason) in decision.reasons.iter().enumerate() {
            let seen = decision.reasons[..at].iter().any(|before| before.code == reason.code);
            if !seen {
                count(&mut self.reasons, reason.code.as_str(), 1);
            }
        }
        if let Some(change) = &decision.change {
            if let Some(hold) = &change.hold {
                let name = match hold {
                    Hold::Approval => "approval",
                    Hold::Removal => "removal",
                };
                count(&mut self.holds, name, 1);
            }
            self.removals.add(&change.removals);
        }
    }

    /// Adds the counts of another part.
    pub fn merge(&mut self, other: &Counts) {
        self.people += other.people;
        self.converged += other.converged;
        for (into, from) in
            [(&mut self.actions, &other.actions), (&mut self.reasons, &other.reasons), (&mut self.holds, &other.holds)]
        {
            for (name, more) in from {
                count(into, name, *more);
            }
        }
        self.removals.add(&other.removals);
    }
}

/// Counting allocates a name once, not once a person.
fn count(into: &mut BTreeMap<String, u64>, name: &str, more: u64) {
    match into.get_mut(name) {
        Some(have) => *have += more,
        None => {
            into.insert(name.to_owned(), more);
        }
    }
}
