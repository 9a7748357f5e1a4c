//! How far work has come that takes longer than one message, kept between two messages. Killed at any point, the next message
//! goes on from what was saved last, or from the beginning: whatever it does again comes out the same.

use std::marker::PhantomData;
use std::sync::Arc;

use hardmatch_ports::Blobs;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::keys::NoteList;
use crate::{Result, Store, json};

/// Progress is saved so often besides at the end of a message: a process that is ended early repeats no more than this.
const SAVE_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// What a checkpoint keeps.
pub trait Progress: Serialize + DeserializeOwned {
    /// As it is stored.
    fn to_bytes(&self) -> Vec<u8> {
        json(self)
    }

    /// From the stored form; `None` when it is of another version, so that the work begins anew.
    fn from_bytes(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }
}

/// One piece of work's saved progress: a note in the table, or a blob for progress that is larger than an item may be.
pub struct Checkpoint<P> {
    place: Place,
    saved: Timestamp,
    exists: bool,
    payload: PhantomData<fn() -> P>,
}

enum Place {
    Note(Store, NoteList, String),
    Blob(Arc<dyn Blobs>, String),
}

impl<P: Progress> Checkpoint<P> {
    /// Kept as a note. `now` is when the work begins.
    pub fn in_table(store: &Store, list: NoteList, name: impl Into<String>, now: Timestamp) -> Self {
        Self::at(Place::Note(store.clone(), list, name.into()), now)
    }

    /// Kept as a blob. `now` is when the work begins.
    pub fn in_blob(blobs: &Arc<dyn Blobs>, name: impl Into<String>, now: Timestamp) -> Self {
        Self::at(Place::Blob(Arc::clone(blobs), name.into()), now)
    }

    fn at(place: Place, saved: Timestamp) -> Self {
        Self { place, saved, exists: false, payload: PhantomData }
    }

    /// What was saved last. `None` when nothing was, or nothing that this version can read.
    pub async fn load(&mut self) -> Result<Option<P>> {
        let body = match &self.place {
            Place::Note(store, list, name) => store.note(list, name).await?,
            Place::Blob(blobs, name) => blobs.get(name).await?,
        };
        self.exists = body.is_some();
        Ok(body.and_then(|body| P::from_bytes(&body)))
    }

    /// Whether something was saved and not cleared, readable or not.
    pub fn exists(&self) -> bool {
        self.exists
    }

    /// Saves how far the work has come. Everything that the progress says is done must be stored already.
    pub async fn save(&mut self, progress: &P, now: Timestamp) -> Result<()> {
        match &self.place {
            Place::Note(store, list, name) => store.put_note(list, name, progress.to_bytes()).await?,
            Place::Blob(blobs, name) => blobs.put(name, progress.to_bytes()).await?,
        }
        (self.saved, self.exists) = (now, true);
        Ok(())
    }

    /// Whether progress is to be saved now although the work goes on.
    pub fn is_due(&self, now: Timestamp) -> bool {
        now.duration_since(self.saved) >= SAVE_EVERY
    }

    /// The work is done, and nobody goes on from here any more.
    pub async fn clear(&mut self) -> Result<()> {
        if self.exists {
            match &self.place {
                Place::Note(store, list, name) => store.delete_note(list, name).await?,
                Place::Blob(blobs, name) => blobs.delete_all(name).await?,
            }
            self.exists = false;
        }
        Ok(())
    }
}
