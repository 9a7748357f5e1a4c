//! Leases: one message at a time does a piece of work, and one writer at a time works a lane. A lease that was taken is a value,
//! handed by reference to the code that needs it, so that this code cannot be called without one. Taking and ending a lease
//! are conditional writes; a stale holder is told apart by its fence.

use std::ops::Deref;
use std::time::Duration;

use hardmatch_ports::doorbell::After;
use hardmatch_ports::run::Run;
use hardmatch_ports::{Clock, Condition, TableError, Write};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Result, Store, Stored, json, keys};

/// What the table keeps of a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseItem {
    /// Who holds it, in words for people: host, process, since when.
    pub holder: String,
    /// Until when (Unix milliseconds); later anybody may take it.
    pub until_ms: i64,
    /// Raised with every new holder: work of an older fence is not trusted.
    pub fence: u64,
}

/// A lease that this process took, as it was written last: what it takes to renew or to release it without reading it again.
#[derive(Debug, PartialEq, Eq)]
pub struct Lease {
    name: String,
    holder: String,
    fence: u64,
    until_ms: i64,
    revision: u64,
}

/// The proof that a lease was held until a time. Work that outlives a renewal carries one along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseProof {
    name: String,
    fence: u64,
    until_ms: i64,
}

/// What came of taking a lease.
#[derive(Debug, PartialEq, Eq)]
pub enum TakeLease {
    /// This process holds it.
    Taken(Lease),
    /// Another holder has it.
    HeldByOther(LeaseItem),
}

impl Lease {
    /// The proof that the lease is held, as long as the last renewal reaches.
    pub fn proof(&self) -> LeaseProof {
        LeaseProof { name: self.name.clone(), fence: self.fence, until_ms: self.until_ms }
    }
}

impl LeaseProof {
    /// What the lease is of.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Under which fence it was taken.
    pub(crate) fn fence(&self) -> u64 {
        self.fence
    }

    /// Whether another process may hold the lease by this time (Unix milliseconds).
    pub fn is_over(&self, now_ms: i64) -> bool {
        now_ms >= self.until_ms
    }
}

impl Store {
    /// Takes a lease for some time, when nobody has it.
    pub async fn lease(&self, name: &str, holder: &str, now_ms: i64, for_ms: i64) -> Result<TakeLease> {
        loop {
            let had: Option<Stored<LeaseItem>> = self.read(&keys::lease(name), "lease").await?;
            let (condition, fence) = match &had {
                None => (Condition::Absent, 1),
                Some(had) if had.value.until_ms <= now_ms => (Condition::Revision(had.revision), had.value.fence + 1),
                Some(had) => return Ok(TakeLease::HeldByOther(had.value.clone())),
            };
            let mut lease = Lease { name: name.to_owned(), holder: holder.to_owned(), fence, until_ms: 0, revision: 0 };
            if self.write_lease(&mut lease, now_ms + for_ms, condition).await? {
                return Ok(TakeLease::Taken(lease));
            }
        }
    }

    /// Renews a lease for some time; whether it was still this process's. No other write came between: the revision that was
    /// written last is the condition, so one write does it.
    pub async fn renew(&self, lease: &mut Lease, now_ms: i64, for_ms: i64) -> Result<bool> {
        let condition = Condition::Revision(lease.revision);
        self.write_lease(lease, now_ms + for_ms, condition).await
    }

    /// Ends a lease, when it is still this process's. The fence stays.
    pub async fn release(&self, mut lease: Lease) -> Result<()> {
        let condition = Condition::Revision(lease.revision);
        self.write_lease(&mut lease, 0, condition).await.map(drop)
    }

    /// Whether it was written.
    async fn write_lease(&self, lease: &mut Lease, until_ms: i64, condition: Condition) -> Result<bool> {
        let item = LeaseItem { holder: lease.holder.clone(), until_ms, fence: lease.fence };
        match self.table.write(Write::put_if(keys::lease(&lease.name), json(&item), condition)).await {
            Ok(revision) => {
                (lease.revision, lease.until_ms) = (revision, until_ms);
                Ok(true)
            }
            Err(TableError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether another holder has a lease at a time under this fence.
    pub(crate) async fn is_leased(&self, name: &str, fence: u64, now_ms: i64) -> Result<bool> {
        let lease: Option<Stored<LeaseItem>> = self.read(&keys::lease(name), "lease").await?;
        Ok(lease.is_some_and(|lease| lease.value.fence == fence && now_ms < lease.value.until_ms))
    }

    /// How often a lease was written: its item's revision, 0 when nobody ever took it.
    pub async fn lease_revision(&self, name: &str) -> Result<u64> {
        Ok(self.table.get(&keys::lease(name)).await?.map_or(0, |item| item.revision))
    }

    /// Ends a lease that another process holds, for a caller who knows that this process is gone. The fence stays.
    pub async fn free(&self, name: &str) -> Result<()> {
        match self.read::<LeaseItem>(&keys::lease(name), "lease").await? {
            Some(Stored { value: LeaseItem { holder, fence, until_ms }, revision }) => {
                self.release(Lease { name: name.to_owned(), holder, fence, until_ms, revision }).await
            }
            None => Ok(()),
        }
    }
}

/// After a function's deadline and this time nobody is left who holds the lease: the process was ended.
const LEASE_AFTER: SignedDuration = SignedDuration::from_secs(15);
/// Work that another message does is waited for at most so long before it is looked at again.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// The right to do a piece of a run's work. Where no deadline bounds the work there is one process only, and nobody to keep
/// out.
#[derive(Debug)]
pub struct RunLease {
    lease: Option<Lease>,
    run: String,
}

/// A run and the proof that its own lease is held. Code that only the lease holder may enter takes one, so that the lease of
/// one run does not open the work of another.
#[derive(Debug)]
pub struct LeasedRun<'l> {
    run: Run,
    lease: &'l RunLease,
}

impl Deref for LeasedRun<'_> {
    type Target = Run;

    fn deref(&self) -> &Run {
        &self.run
    }
}

impl<'l> LeasedRun<'l> {
    /// The same run, changed. It stays the run of the lease whatever was changed.
    #[must_use]
    pub fn with(&self, change: impl FnOnce(&mut Run)) -> LeasedRun<'l> {
        let mut run = self.run.clone();
        change(&mut run);
        run.id.clone_from(&self.run.id);
        LeasedRun { run, lease: self.lease }
    }
}

/// What came of taking a run lease.
#[derive(Debug)]
pub enum Acquire {
    /// The work is this message's, until the lease is released.
    Acquired(RunLease),
    /// Another message does the work; what becomes of this message.
    HeldByOther(After),
}

impl RunLease {
    fn of(lease: Option<Lease>, run: &str) -> Self {
        Self { lease, run: run.to_owned() }
    }

    /// The run with the proof that this lease is its own; `None` for a run of another name.
    pub fn over(&self, run: Run) -> Option<LeasedRun<'_>> {
        (self.run == run.id).then_some(LeasedRun { run, lease: self })
    }

    /// Takes the work called `name` for a message about a run, until the message's deadline.
    pub async fn acquire(
        store: &Store,
        clock: &dyn Clock,
        deadline: Option<Timestamp>,
        name: String,
        run: &str,
    ) -> Result<Acquire> {
        let Some(deadline) = deadline else { return Ok(Acquire::Acquired(Self::of(None, run))) };
        let now = clock.now();
        let left = deadline.duration_since(now).max(SignedDuration::ZERO) + LEASE_AFTER;
        let (now_ms, for_ms) = (now.as_millisecond(), i64::try_from(left.as_millis()).unwrap_or(i64::MAX));
        Ok(match store.lease(&name, run, now_ms, for_ms).await? {
            TakeLease::Taken(lease) => Acquire::Acquired(Self::of(Some(lease), run)),
            // The holder's message is sent again, and the tick sends one should it be lost: messages for one run must not
            // become more.
            TakeLease::HeldByOther(lease) if lease.holder == run => Acquire::HeldByOther(After::Done),
            TakeLease::HeldByOther(lease) => {
                let wait = Duration::from_millis(u64::try_from(lease.until_ms - now_ms).unwrap_or_default());
                Acquire::HeldByOther(After::Again(wait.clamp(Duration::from_secs(1), LOOK_AGAIN)))
            }
        })
    }

    /// Releases it, however the work went. To be done before anybody is notified who would take the work next.
    pub async fn release(self, store: &Store) {
        let Some(lease) = self.lease else { return };
        if let Err(error) = store.release(lease).await {
            tracing::warn!(error = %error, "the next message waits until the run lease is over by itself");
        }
    }
}
