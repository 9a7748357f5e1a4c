//! Plans as they are kept: rows of a slice in a blob, its hash and counts in the table.

use hardmatch_domain::change::{Change, Step};
use hardmatch_domain::plan::{Counts, plan_hash, slice_hash};
use hardmatch_ports::run::{PlanHead, PlanRow};
use serde::{Deserialize, Serialize};

use crate::{MatchError, MatchPorts};

/// A slice in short.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SliceHead {
    /// SHA-256 of its changes.
    hash: String,
    /// Whether it has any.
    changes: bool,
    /// What it adds up to.
    counts: Counts,
    /// Calls that its changes are expected to write with.
    #[serde(default)]
    writes: u64,
}

fn blob(run: &str, slice: &str) -> String {
    format!("runs/{run}/plan/{slice}.json")
}

fn notes(run: &str) -> String {
    format!("{run}#plan")
}

/// Keeps a slice's rows. The head last: without it the slice is not decided.
pub(crate) async fn put_slice(ports: &MatchPorts, run: &str, slice: usize, rows: &[PlanRow]) -> Result<(), MatchError> {
    let name = format!("{slice:06}");
    let body = serde_json::to_vec(rows).map_err(|error| MatchError::Broken(error.to_string()))?;
    ports.blobs.put(&blob(run, &name), body).await?;
    let mut counts = Counts::default();
    for row in rows {
        counts.add(&row.decision);
    }
    let head = SliceHead {
        hash: slice_hash(rows.iter().map(|row| &row.decision)),
        changes: rows.iter().any(|row| row.decision.change.is_some()),
        counts,
        writes: rows.iter().filter_map(|row| row.decision.change.as_deref()).map(calls).sum(),
    };
    let body = serde_json::to_vec(&head).map_err(|error| MatchError::Broken(error.to_string()))?;
    Ok(ports.store.put_note(&notes(run), &name, body).await?)
}

/// Calls to the tenant that a change is expected to need.
fn calls(change: &Change) -> u64 {
    change.steps.iter().filter(|step| !matches!(step, Step::Link)).count() as u64
}

/// The whole plan in short.
pub(crate) async fn head(ports: &MatchPorts, run: &str) -> Result<(PlanHead, Counts), MatchError> {
    let mut hashes = Vec::new();
    let mut counts = Counts::default();
    let mut writes = 0;
    for (name, body) in ports.store.notes_of(&notes(run)).await? {
        let head: SliceHead = serde_json::from_slice(&body).map_err(|error| broken(run, &name, &error))?;
        counts.merge(&head.counts);
        writes += head.writes;
        // Slices without a change are not part of the plan: the same changes have the same hash, however many
        // unchanged people were looked at besides.
        if head.changes {
            hashes.push(head.hash);
        }
    }
    let head = PlanHead {
        hash: plan_hash(hashes.iter().map(String::as_str)),
        slices: hashes,
        people: counts.people,
        writes: Some(writes),
        by_action: counts.actions.clone(),
        by_reason: counts.reasons.clone(),
    };
    Ok((head, counts))
}

fn broken(run: &str, slice: &str, error: &serde_json::Error) -> MatchError {
    MatchError::Broken(format!("slice {slice} of the plan of run {run} cannot be read: {error}. Make a new plan"))
}

/// Names of a plan's slices, in order.
async fn slices(ports: &MatchPorts, run: &str) -> Result<Vec<String>, MatchError> {
    Ok(ports.store.notes(&notes(run)).await?)
}

/// How many slices a run's plan has.
pub async fn slice_count(ports: &MatchPorts, run: &str) -> Result<usize, MatchError> {
    Ok(slices(ports, run).await?.len())
}

/// The rows of a plan's slice, by its place in order: 0 is the first.
pub async fn read_slice(ports: &MatchPorts, run: &str, place: usize) -> Result<Vec<PlanRow>, MatchError> {
    let names = slices(ports, run).await?;
    match names.get(place) {
        Some(name) => read_named(ports, run, name).await,
        None => Ok(Vec::new()),
    }
}

async fn read_named(ports: &MatchPorts, run: &str, name: &str) -> Result<Vec<PlanRow>, MatchError> {
    let body = ports.blobs.get(&blob(run, name)).await?.ok_or_else(|| {
        MatchError::Broken(format!("slice {name} of the plan of run {run} is missing. Make a new plan"))
    })?;
    serde_json::from_slice(&body).map_err(|error| broken(run, name, &error))
}

/// Every slice of a plan, one after the other.
pub(crate) struct Slices<'a> {
    ports: &'a MatchPorts,
    run: &'a str,
    names: std::vec::IntoIter<String>,
}

impl<'a> Slices<'a> {
    pub(crate) async fn of(ports: &'a MatchPorts, run: &'a str) -> Result<Self, MatchError> {
        Ok(Self { ports, run, names: slices(ports, run).await?.into_iter() })
    }

    pub(crate) async fn next(&mut self) -> Result<Option<Vec<PlanRow>>, MatchError> {
        match self.names.next() {
            Some(name) => Ok(Some(read_named(self.ports, self.run, &name).await?)),
            None => Ok(None),
        }
    }
}
