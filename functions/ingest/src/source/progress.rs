//! How far a reading of the source has come. The fingerprints say which people are done; this says that there are such
//! although the listing as a whole was not seen to its end yet.

use hardmatch_ports::Write;
use hardmatch_ports::run::Run;
use hardmatch_store::{PersonHash, Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::deadline::deadline_near;
use crate::source::reading::Stopped;
use crate::{SourcePorts, begun_ms};

/// Whether the work of a reading is done in one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Few people: killed, they are all done again.
    AtOnce,
    /// Each group is finished by itself, and the time is looked at after it.
    ByGroups,
}

/// Beside the fingerprints of a connection, until its listing was seen to its end.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Note {
    /// Whose counts these are.
    run: String,
    of: i64,
    /// People whose facts were stored.
    changed: u64,
    /// Groups of people that are done.
    units: u64,
    /// Facts were stored that the digests do not tell of.
    unsettled: bool,
    /// Everybody up to here is entered under the look-ups with this signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entered: Option<Entered>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entered {
    signature: String,
    to: [u8; 16],
}

pub(crate) struct SourceProgress {
    pk: String,
    note: Note,
    stored: bool,
}

const NAME: &str = "unsettled";

impl SourceProgress {
    pub(crate) async fn of(store: &Store, run: &Run) -> Result<Self, StoreError> {
        let pk = format!("FP#{}", run.connection);
        let body = store.note(&pk, NAME).await?;
        let stored = body.is_some();
        // Whatever cannot be read says that somebody was at it.
        let mut note = body.map_or_else(Note::default, |body| {
            serde_json::from_slice(&body).unwrap_or(Note { unsettled: true, ..Note::default() })
        });
        let of = begun_ms(run);
        if note.run != run.id || note.of != of {
            note = Note { run: run.id.clone(), of, changed: 0, units: 0, ..note };
        }
        Ok(Self { pk, note, stored })
    }

    /// Whether facts were stored that the digests do not tell of.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.note.unsettled
    }

    pub(crate) fn changed(&self) -> u64 {
        self.note.changed
    }

    pub(crate) fn units(&self) -> u64 {
        self.note.units
    }

    /// Before the first fact: from here on the digests are not to be trusted.
    pub(crate) async fn unsettle(&mut self, store: &Store) -> Result<(), StoreError> {
        if self.note.unsettled {
            return Ok(());
        }
        self.note.unsettled = true;
        self.put(store, Vec::new()).await
    }

    /// A group of people is done when these writes are: goes on, or stops.
    pub(crate) async fn unit(&mut self, ports: &SourcePorts, changed: u64, writes: Vec<Write>) -> Result<(), Stopped> {
        self.note.changed += changed;
        self.note.units += 1;
        self.put(&ports.store, writes).await?;
        if deadline_near(&*ports.clock, ports.deadline) { Err(Stopped::Time) } else { Ok(()) }
    }

    /// Up to whom everybody is entered under these look-ups.
    pub(crate) fn entered(&self, signature: &str) -> Option<PersonHash> {
        let entered = self.note.entered.as_ref().filter(|entered| entered.signature == signature);
        entered.map(|entered| PersonHash::from_bytes(entered.to))
    }

    /// Everybody up to here is entered under these look-ups: goes on, or stops.
    pub(crate) async fn enter(&mut self, ports: &SourcePorts, signature: &str, to: PersonHash) -> Result<(), Stopped> {
        self.note.entered = Some(Entered { signature: signature.to_owned(), to: *to.bytes() });
        self.unit(ports, 0, Vec::new()).await
    }

    /// The listing was seen to its end.
    pub(crate) async fn settle(&mut self, store: &Store) -> Result<(), StoreError> {
        if !self.stored {
            return Ok(());
        }
        store.delete_keys(vec![store.write_note(&self.pk, NAME, Vec::new()).key().clone()]).await
    }

    async fn put(&mut self, store: &Store, mut writes: Vec<Write>) -> Result<(), StoreError> {
        let body = serde_json::to_vec(&self.note).unwrap_or_default();
        writes.push(store.write_note(&self.pk, NAME, body));
        self.stored = true;
        Ok(store.table().batch_write(writes).await?)
    }
}
