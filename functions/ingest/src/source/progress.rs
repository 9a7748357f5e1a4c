//! Progress of one reading of the source. The fingerprints say which people are stored; the progress says that there are
//! such people although the listing as a whole was not stored to its end yet.

use hardmatch_ports::run::Run;
use hardmatch_ports::{SourceError, TableError, Write};
use hardmatch_store::{Checkpoint, NoteList, PersonHash, Progress, StoreError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::deadline::deadline_near;
use crate::observed::begun_ms;
use crate::ports::SourcePorts;

/// People whose records are read or written together.
pub(super) const CHUNK: usize = 500;

/// Why a reading of the source stopped before its end.
pub(super) enum SourceStop {
    Source(SourceError),
    Store(StoreError),
    /// The deadline is near. The work done so far is stored; the next message goes on.
    Deadline,
}

impl From<SourceError> for SourceStop {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

impl From<StoreError> for SourceStop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<TableError> for SourceStop {
    fn from(error: TableError) -> Self {
        Self::Store(error.into())
    }
}

/// Whether the people of a reading are stored in one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Few people: after a kill, all of them are stored again.
    AtOnce,
    /// Many people: each group is finished by itself, and the deadline is looked at after it.
    ByGroups,
}

/// The stored form: beside the fingerprints of a connection, until its listing was stored to its end.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct SourceProgress {
    /// The run whose counts these are.
    run: String,
    of: i64,
    /// People whose facts were stored.
    changed: u64,
    /// Groups of people that are done.
    units: u64,
    /// Facts were stored that the digests do not tell of.
    unsettled: bool,
    /// People who are entered under the run's look-ups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entered: Option<Entered>,
}

/// Everybody up to `to` is entered under the look-ups with this signature.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entered {
    signature: String,
    to: [u8; 16],
}

/// A reading's progress and its checkpoint.
pub(super) struct SourceCheckpoint {
    checkpoint: Checkpoint<SourceProgress>,
    progress: SourceProgress,
}

impl Progress for SourceProgress {}

const NAME: &str = "unsettled";

impl SourceCheckpoint {
    /// The progress of a run's reading. Progress that cannot be read means that facts were stored.
    pub(super) async fn of(ports: &SourcePorts, run: &Run) -> Result<Self, StoreError> {
        let list = NoteList::source(&run.connection);
        let mut checkpoint = Checkpoint::in_table(&ports.store, list, NAME, ports.clock.now());
        let mut progress = match checkpoint.load().await? {
            Some(progress) => progress,
            None => SourceProgress { unsettled: checkpoint.exists(), ..SourceProgress::default() },
        };
        let of = begun_ms(run);
        if progress.run != run.id || progress.of != of {
            progress = SourceProgress { run: run.id.clone(), of, changed: 0, units: 0, ..progress };
        }
        Ok(Self { checkpoint, progress })
    }

    /// Whether facts were stored that the digests do not tell of.
    pub(super) fn is_unsettled(&self) -> bool {
        self.progress.unsettled
    }

    pub(super) fn changed(&self) -> u64 {
        self.progress.changed
    }

    pub(super) fn units(&self) -> u64 {
        self.progress.units
    }

    /// To be called before the first fact is stored: from then on the digests are not to be trusted.
    pub(super) async fn unsettle(&mut self, now: Timestamp) -> Result<(), StoreError> {
        if self.progress.unsettled {
            return Ok(());
        }
        self.progress.unsettled = true;
        self.checkpoint.save(&self.progress, now).await
    }

    /// Writes what finishes a group of people. Stops when the deadline is near.
    pub(super) async fn unit(
        &mut self,
        ports: &SourcePorts,
        changed: u64,
        writes: Vec<Write>,
    ) -> Result<(), SourceStop> {
        self.progress.changed += changed;
        self.progress.units += 1;
        ports.store.write_all(writes).await?;
        self.checkpoint.save(&self.progress, ports.clock.now()).await?;
        if deadline_near(&*ports.clock, ports.deadline) { Err(SourceStop::Deadline) } else { Ok(()) }
    }

    /// The last person who is entered under these look-ups, in the order of their hashes.
    pub(super) fn entered(&self, signature: &str) -> Option<PersonHash> {
        let entered = self.progress.entered.as_ref().filter(|entered| entered.signature == signature);
        entered.map(|entered| PersonHash::from_bytes(entered.to))
    }

    /// Notes that everybody up to `to` is entered under these look-ups. Stops when the deadline is near.
    pub(super) async fn enter(
        &mut self,
        ports: &SourcePorts,
        signature: &str,
        to: PersonHash,
    ) -> Result<(), SourceStop> {
        self.progress.entered = Some(Entered { signature: signature.to_owned(), to: *to.bytes() });
        self.unit(ports, 0, Vec::new()).await
    }

    /// The listing was stored to its end: from here on the digests are to be trusted.
    pub(super) async fn settle(&mut self) -> Result<(), StoreError> {
        self.checkpoint.clear().await
    }
}
