//! Plans as they are kept: rows of a slice in a blob, its hash and counts in the table.

use std::collections::BTreeMap;
use std::pin::Pin;

use futures::stream::{self, Stream, StreamExt as _};
use hardmatch_domain::change::{Change, Step};
use hardmatch_domain::guard::Kind;
use hardmatch_domain::license::Sku;
use hardmatch_domain::plan::{Counts, plan_hash, slice_hash};
use hardmatch_ports::run::{PlanHead, PlanRow, Seats};
use serde::{Deserialize, Serialize};

use crate::{MatchError, MatchPorts};

/// Slices that are asked for ahead of the one that is worked on. Half a million people are 8,192 slices; at 40 ms each
/// they are read in 20 seconds, and one after the other it would be five minutes and a half.
pub(crate) const AHEAD: usize = 16;

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
    /// How much its changes hold of what the guard judges before anything is written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    judged: BTreeMap<Kind, u64>,
    /// How many seats its changes take, by SKU.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    seats: BTreeMap<Box<str>, u64>,
}

/// What the guard judges before anything is written.
pub(crate) const JUDGED_FIRST: [Kind; 5] =
    [Kind::Renames, Kind::IdChanges, Kind::Takeovers, Kind::Creations, Kind::IdentityChanges];

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
        writes: changes(rows).map(calls).sum(),
        judged: JUDGED_FIRST
            .into_iter()
            .map(|kind| (kind, counted(rows).map(|change| kind.count(change)).sum()))
            .filter(|(_, count)| *count > 0)
            .collect(),
        seats: seats(rows),
    };
    let body = serde_json::to_vec(&head).map_err(|error| MatchError::Broken(error.to_string()))?;
    Ok(ports.store.put_note(&notes(run), &name, body).await?)
}

/// The changes of rows, in order.
pub(crate) fn changes(rows: &[PlanRow]) -> impl Iterator<Item = &Change> {
    rows.iter().filter_map(|row| row.decision.change.as_deref())
}

/// The changes that the guard counts: not those that an accepted plan showed before.
fn counted(rows: &[PlanRow]) -> impl Iterator<Item = &Change> {
    rows.iter().filter(|row| !row.accepted).filter_map(|row| row.decision.change.as_deref())
}

/// How many seats the changes of rows take, by SKU. Those that others give back are not counted: removals come last, and
/// may wait.
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
    let notes = ports.store.notes_of(&notes(run)).await?;
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
    for (_, head) in heads(ports, run).await? {
        counts.merge(&head.counts);
        writes += head.writes;
        for (sku, count) in head.seats {
            *needed.entry(sku).or_default() += count;
        }
        // Slices without a change are not part of the plan: the same changes have the same hash, however many
        // unchanged people were looked at besides.
        if head.changes {
            hashes.push(head.hash);
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
    })
}

/// What of a plan is to be written.
pub(crate) struct ToWrite {
    /// Names of the slices that have changes, in order.
    pub(crate) slices: Vec<String>,
    /// How much the changes hold of what is judged before anything is written.
    pub(crate) judged: BTreeMap<Kind, u64>,
}

/// What of a plan is to be written.
pub(crate) async fn to_write(ports: &MatchPorts, run: &str) -> Result<ToWrite, MatchError> {
    let mut found = ToWrite { slices: Vec::new(), judged: BTreeMap::new() };
    for (name, head) in heads(ports, run).await?.into_iter().filter(|(_, head)| head.changes) {
        for (kind, count) in head.judged {
            *found.judged.entry(kind).or_default() += count;
        }
        found.slices.push(name);
    }
    Ok(found)
}

fn broken(run: &str, slice: &str, error: &serde_json::Error) -> MatchError {
    let cause = hardmatch_store::unreadable(error);
    MatchError::Broken(format!("slice {slice} of the plan of run {run} cannot be read: {cause}. Make a new plan"))
}

/// Names of a plan's slices, in order.
pub(crate) async fn slices(ports: &MatchPorts, run: &str) -> Result<Vec<String>, MatchError> {
    Ok(ports.store.notes(&notes(run)).await?)
}

/// The slices of a run's plan, to be read in order.
pub async fn read_plan<'a>(ports: &'a MatchPorts, run: &'a str) -> Result<Slices<'a>, MatchError> {
    Ok(Slices::named(ports, run, slices(ports, run).await?))
}

pub(crate) async fn read_named(ports: &MatchPorts, run: &str, name: &str) -> Result<Vec<PlanRow>, MatchError> {
    let body = ports.blobs.get(&blob(run, name)).await?.ok_or_else(|| {
        MatchError::Broken(format!("slice {name} of the plan of run {run} is missing. Make a new plan"))
    })?;
    serde_json::from_slice(&body).map_err(|error| broken(run, name, &error))
}

/// Slices of a plan, one after the other, some of them read ahead.
pub struct Slices<'a>(Pin<Box<dyn Stream<Item = Result<Named, MatchError>> + Send + 'a>>);

/// A slice's name and its rows.
pub type Named = (String, Vec<PlanRow>);

impl<'a> Slices<'a> {
    /// Those of these names, in this order.
    pub(crate) fn named(ports: &'a MatchPorts, run: &'a str, names: Vec<String>) -> Self {
        let read = move |name: String| async move {
            let rows = read_named(ports, run, &name).await?;
            Ok((name, rows))
        };
        Self(Box::pin(stream::iter(names).map(read).buffered(AHEAD)))
    }

    /// The next one, with its name.
    pub async fn next(&mut self) -> Result<Option<Named>, MatchError> {
        self.0.next().await.transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use async_trait::async_trait;
    use hardmatch_domain::policy::Policy;
    use hardmatch_embedded::{FileTable, ProcessDoorbell};
    use hardmatch_ports::{BlobError, Blobs, Clock, Policies};
    use hardmatch_runtime::ManualClock;
    use hardmatch_store::{Store, StoreError, TenantKey};
    use jiff::Timestamp;

    use super::*;
    use crate::{RunCost, RunMetrics};

    /// What a blob takes to arrive.
    const LATENCY: Duration = Duration::from_millis(40);

    /// Blobs that are far away: nothing else takes time.
    struct Far(Mutex<BTreeMap<String, Vec<u8>>>, ManualClock);

    #[async_trait]
    impl Blobs for Far {
        async fn put(&self, name: &str, body: Vec<u8>) -> Result<(), BlobError> {
            self.0.lock().unwrap().insert(name.to_owned(), body);
            Ok(())
        }

        async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, BlobError> {
            self.1.sleep(LATENCY).await;
            Ok(self.0.lock().unwrap().get(name).cloned())
        }

        async fn list(&self, _: &str) -> Result<Vec<String>, BlobError> {
            Ok(self.0.lock().unwrap().keys().cloned().collect())
        }

        async fn delete_all(&self, _: &str) -> Result<(), BlobError> {
            self.0.lock().unwrap().clear();
            Ok(())
        }

        fn location(&self, name: &str) -> String {
            name.to_owned()
        }
    }

    struct Nothing;

    impl Policies for Nothing {
        fn compile(&self, _: &str, _: u64) -> Result<Arc<Policy>, String> {
            Err("nobody is decided here".to_owned())
        }
    }

    #[async_trait]
    impl RunMetrics for Nothing {
        async fn read(&self, _: &str) -> Result<RunCost, StoreError> {
            Ok(RunCost::default())
        }
    }

    #[tokio::test]
    async fn slices_come_in_order_sixteen_at_a_time() {
        let clock = ManualClock::auto(Timestamp::UNIX_EPOCH);
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let ports = MatchPorts {
            store: Store::open(Arc::new(FileTable::in_memory().unwrap())).await.unwrap(),
            scope: TenantKey::new("graph.test", "t1"),
            blobs: Arc::new(Far(Mutex::default(), clock.clone())),
            clock: Arc::clone(&shared),
            doorbell: Arc::new(ProcessDoorbell::new(shared)),
            policies: Arc::new(Nothing),
            metrics: Arc::new(Nothing),
            deadline: None,
        };
        for slice in 0..64 {
            put_slice(&ports, "r1", slice, &[]).await.unwrap();
        }
        let names = slices(&ports, "r1").await.unwrap();
        let mut read = Slices::named(&ports, "r1", names.clone());
        let mut seen = Vec::new();
        while let Some((name, _)) = read.next().await.unwrap() {
            seen.push(name);
        }
        assert_eq!((seen.len(), &seen), (64, &names));
        let took = clock.now().duration_since(Timestamp::UNIX_EPOCH);
        assert_eq!(took.as_millis(), 64 / AHEAD as i128 * 40, "one after the other it would be sixteen times as much");
    }
}
