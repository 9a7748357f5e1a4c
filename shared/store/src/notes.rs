//! Notes: small items under a name each, which one owner reads and writes whole: heads of a plan's slices, lists of the
//! tenant as they were, how far work has come.

use hardmatch_ports::{Condition, Write};

use crate::keys::NoteList;
use crate::{Result, Store};

impl Store {
    /// A note of a list; `None` when there is none of this name.
    pub async fn note(&self, list: &NoteList, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.table.get(&list.key(name)).await?.map(|item| item.body))
    }

    /// The write that stores a note. What a run notes ends with the run's own time.
    pub fn write_note(&self, list: &NoteList, name: &str, body: Vec<u8>) -> Write {
        let expires = list.run_began().map(|at| self.end_of(at));
        Write::Put { key: list.key(name), body, expires, condition: Condition::None }
    }

    /// Stores a note.
    pub async fn put_note(&self, list: &NoteList, name: &str, body: Vec<u8>) -> Result<()> {
        self.table.write(self.write_note(list, name, body)).await?;
        Ok(())
    }

    /// Forgets a note.
    pub async fn delete_note(&self, list: &NoteList, name: &str) -> Result<()> {
        self.table.write(Write::delete(list.key(name))).await?;
        Ok(())
    }

    /// Forgets notes by their names.
    pub async fn delete_notes<'n>(&self, list: &NoteList, names: impl IntoIterator<Item = &'n str>) -> Result<()> {
        self.write_all(names.into_iter().map(|name| Write::delete(list.key(name))).collect()).await
    }

    /// All notes of a list, with their names, in the order of these.
    pub async fn notes_of(&self, list: &NoteList) -> Result<Vec<(String, Vec<u8>)>> {
        let mut notes = Vec::new();
        self.each(list.all(), |item| {
            notes.push((item.key.sk, item.body));
            Ok(())
        })
        .await?;
        Ok(notes)
    }

    /// The names of a list's notes, in order.
    pub async fn notes(&self, list: &NoteList) -> Result<Vec<String>> {
        Ok(self.notes_of(list).await?.into_iter().map(|(name, _)| name).collect())
    }
}
