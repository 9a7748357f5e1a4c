//! People who lately lost their sign-in or account by the limits alone, without an operator's approval: remembered for
//! thirty days, each person once. A source that loses a few people every night stays below every day's limit and is noticed
//! by this memory.

use std::collections::BTreeSet;

use hardmatch_ports::run::Run;
use hardmatch_store::{NoteList, PersonHash};
use serde::{Deserialize, Serialize};

use crate::error::MatchError;
use crate::ports::MatchPorts;

/// How long a person is remembered (seconds).
const REMEMBERED: i64 = 30 * 24 * 60 * 60;
/// The window of a day's limits (seconds).
const DAY: i64 = 24 * 60 * 60;
/// People of one note: an item of the table takes ten thousand.
const TOGETHER: usize = 8_000;

/// What one run let go.
#[derive(Serialize, Deserialize)]
struct Note {
    /// When (Unix seconds).
    at: i64,
    /// The people, by their keyed hashes in hex.
    who: Vec<String>,
}

/// The people who are remembered. The notes of the run that asks are left out, so that a set which is judged again comes
/// out as it did.
#[derive(Default)]
pub(crate) struct Departed(Vec<Note>);

impl Departed {
    /// Reads what is remembered, and forgets what is older than thirty days.
    pub(crate) async fn read(ports: &MatchPorts, run: &Run, now: i64) -> Result<Self, MatchError> {
        let place = NoteList::departed(&run.connection);
        let mut known = Vec::new();
        for (name, body) in ports.store.notes_of(&place).await? {
            let note: Option<Note> = serde_json::from_slice(&body).ok();
            match note.filter(|note| now - note.at < REMEMBERED) {
                Some(_) if name.starts_with(&run.id) => {}
                Some(note) => known.push(note),
                None => ports.store.delete_note(&place, &name).await?,
            }
        }
        Ok(Self(known))
    }

    /// How many people in thirty days.
    pub(crate) fn people(&self) -> BTreeSet<&str> {
        self.0.iter().flat_map(|note| note.who.iter().map(String::as_str)).collect()
    }

    /// How many people in the last 24 hours.
    pub(crate) fn today(&self, now: i64) -> u64 {
        let recent = self.0.iter().filter(|note| now - note.at < DAY);
        recent.flat_map(|note| &note.who).collect::<BTreeSet<_>>().len() as u64
    }
}

/// Remembers who departs in a run. Repeating it changes nothing.
pub(crate) async fn remember(ports: &MatchPorts, run: &Run, now: i64, who: &[PersonHash]) -> Result<(), MatchError> {
    for (number, chunk) in who.chunks(TOGETHER).enumerate() {
        let note = Note { at: now, who: chunk.iter().map(PersonHash::hex).collect() };
        let body = serde_json::to_vec(&note).map_err(|error| MatchError::Broken(error.to_string()))?;
        ports.store.put_note(&NoteList::departed(&run.connection), &format!("{}#{number:03}", run.id), body).await?;
    }
    Ok(())
}
