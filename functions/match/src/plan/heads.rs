//! Slices in short: what a plan adds up to, without its rows.

use std::collections::BTreeMap;

use hardmatch_domain::change::{Change, Step};
use hardmatch_domain::guard::Kind;
use hardmatch_domain::license::Sku;
use hardmatch_domain::plan::{Counts, plan_hash, slice_hash};
use hardmatch_domain::reason::Code;
use hardmatch_ports::run::{PlanHead, PlanRow, Seats};
use hardmatch_store::NoteList;
use serde::{Deserialize, Serialize};

use super::names::{blob, broken};
use super::rows::changes;
use crate::error::MatchError;
use crate::ports::MatchPorts;

/// A slice in short.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SliceHead {
    /// SHA-256 of its changes.
    hash: String,
    /// Whether it has any.
    changes: bool,
    /// Whether somebody in it waits for an open repair.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    repairs: bool,
    /// How many values the source is to be given, by attribute.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    write_back: BTreeMap<String, u64>,
    /// What it adds up to.
    counts: Counts,
    /// Calls that its changes are expected to write with.
    #[serde(default)]
    writes: u64,
    /// How many changes it holds of each kind that the guard judges before anything is written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    judged: BTreeMap<Kind, u64>,
    /// How many seats its changes take, by SKU.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    seats: BTreeMap<Box<str>, u64>,
}

/// Kinds of change that the guard judges before anything is written.
pub(crate) const JUDGED_FIRST: [Kind; 5] =
    [Kind::Renames, Kind::IdChanges, Kind::Takeovers, Kind::Creations, Kind::IdentityChanges];

/// Keeps a slice's rows. The head is stored last: without it the slice is not decided.
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
        repairs: rows.iter().any(is_held_by_repair),
        write_back: write_back(rows),
        counts,
        writes: changes(rows).map(calls).sum(),
        judged: JUDGED_FIRST
            .into_iter()
            .map(|kind| (kind, counted(rows).map(|change| kind.count(change)).sum()))
            .filter(|(_, count)| *count > 0)
            .collect(),
        seats: seats(rows),
    };
    let body = serde_json::to_vec(&head).map_err(|error| MatchError::Broken(error.to_string()))?;
    Ok(ports.store.put_note(&NoteList::plan(run), &name, body).await?)
}

/// Whether a person gets no change because of a repair that is not finished.
pub(crate) fn is_held_by_repair(row: &PlanRow) -> bool {
    let held = |code: Code| matches!(code, Code::HeldByRepair | Code::RollbackBlocked);
    row.decision.change.is_none() && row.decision.reasons.iter().any(|reason| held(reason.code))
}

/// Values for the source, counted by its attributes.
fn write_back(rows: &[PlanRow]) -> BTreeMap<String, u64> {
    let mut counted = BTreeMap::new();
    for planned in rows.iter().flat_map(|row| &row.decision.write_back) {
        *counted.entry(planned.attribute.to_string()).or_default() += 1;
    }
    counted
}

/// The changes that the guard counts: changes that an accepted plan showed before are left out.
fn counted(rows: &[PlanRow]) -> impl Iterator<Item = &Change> {
    rows.iter().filter(|row| !row.accepted).filter_map(|row| row.decision.change.as_deref())
}

/// How many seats the changes of rows take, by SKU. Seats that other changes give back are not counted: removals come last,
/// and may wait.
fn seats(rows: &[PlanRow]) -> BTreeMap<Box<str>, u64> {
    let mut seats = BTreeMap::new();
    for step in changes(rows).flat_map(|change| &change.steps) {
        let Step::SetLicenses { give, .. } = step else { continue };
        for license in give.iter().filter(|license| !license.held) {
            *seats.entry(license.sku.clone()).or_default() += 1;
        }
    }
    seats
}

/// What the tenant has of the seats that a plan takes.
async fn seats_of(ports: &MatchPorts, needed: BTreeMap<Box<str>, u64>) -> Result<Vec<Seats>, MatchError> {
    if needed.is_empty() {
        return Ok(Vec::new());
    }
    let tenant = ports.store.tenant(&ports.scope).await?.map(|stored| stored.value.tenant);
    let skus = tenant.and_then(|tenant| tenant.skus).unwrap_or_default();
    let of = |(sku, needed): (Box<str>, u64)| {
        let known = skus.iter().find(|known| *known.id == *sku);
        let part_number = known.map_or_else(|| sku.to_string(), |known| known.part_number.clone());
        Seats { part_number, needed, free: known.map_or(0, Sku::free) }
    };
    Ok(needed.into_iter().map(of).collect())
}

/// Calls to the tenant that a change is expected to need.
fn calls(change: &Change) -> u64 {
    change.steps.iter().filter(|step| !matches!(step, Step::Link)).count() as u64
}

/// A plan's slices in short, by name, in order.
async fn heads(ports: &MatchPorts, run: &str) -> Result<Vec<(String, SliceHead)>, MatchError> {
    let notes = ports.store.notes_of(&NoteList::plan(run)).await?;
    let read = notes.into_iter().map(|(name, body)| {
        let head = serde_json::from_slice(&body).map_err(|error| broken(run, &name, &error))?;
        Ok((name, head))
    });
    read.collect()
}

/// The whole plan in short.
pub(crate) async fn head(ports: &MatchPorts, run: &str) -> Result<PlanHead, MatchError> {
    let mut hashes = Vec::new();
    let mut counts = Counts::default();
    let mut writes = 0;
    let mut needed: BTreeMap<Box<str>, u64> = BTreeMap::new();
    let mut write_back: BTreeMap<String, u64> = BTreeMap::new();
    for (_, head) in heads(ports, run).await? {
        counts.merge(&head.counts);
        writes += head.writes;
        for (sku, count) in head.seats {
            *needed.entry(sku).or_default() += count;
        }
        // Slices without a change are not part of the plan: the same changes have the same hash, however many
        // unchanged people were looked at besides.
        if head.changes || !head.write_back.is_empty() {
            hashes.push(head.hash);
        }
        for (attribute, count) in head.write_back {
            *write_back.entry(attribute).or_default() += count;
        }
    }
    Ok(PlanHead {
        hash: plan_hash(hashes.iter().map(String::as_str)),
        changed_slices: hashes.len() as u64,
        people: counts.people,
        writes: Some(writes),
        by_action: counts.actions,
        by_reason: counts.reasons,
        seats: seats_of(ports, needed).await?,
        write_back,
    })
}

/// What of a plan is to be written.
pub(crate) struct ToWrite {
    /// Names of the slices that have changes, in order.
    pub(crate) slices: Vec<String>,
    /// How many changes there are of each kind that is judged before anything is written.
    pub(crate) judged: BTreeMap<Kind, u64>,
}

/// Reads what of a plan is to be written.
pub(crate) async fn to_write(ports: &MatchPorts, run: &str) -> Result<ToWrite, MatchError> {
    let mut found = ToWrite { slices: Vec::new(), judged: BTreeMap::new() };
    for (name, head) in heads(ports, run).await?.into_iter().filter(|(_, head)| head.changes || head.repairs) {
        for (kind, count) in head.judged {
            *found.judged.entry(kind).or_default() += count;
        }
        found.slices.push(name);
    }
    Ok(found)
}

/// Names of the slices that hold people of whom the source is to be given something, in order.
pub(crate) async fn to_write_back(ports: &MatchPorts, run: &str) -> Result<Vec<String>, MatchError> {
    let heads = heads(ports, run).await?.into_iter();
    Ok(heads.filter(|(_, head)| !head.write_back.is_empty()).map(|(name, _)| name).collect())
}
