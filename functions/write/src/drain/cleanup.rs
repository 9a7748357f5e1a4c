//! What a draining leaves behind is put away: marks and pointers in batches, and the notes of batches that are in the table.

use hardmatch_ports::{Condition, Write};
use hardmatch_store::{PersonHash, Store};

use super::Drain;
use crate::{After, WriteError};

impl Drain<'_> {
    /// Forgets the batches that are in the table and have no successor: the other lane does not wait for them.
    pub(super) async fn forget_idle(&mut self) -> Result<(), WriteError> {
        let idle: Vec<usize> = self.free.iter().copied().filter(|slot| self.noted.contains(slot)).collect();
        if idle.is_empty() {
            return Ok(());
        }
        let proof = self.held.proof();
        let writes = idle.iter().map(|slot| Store::delete_batch(&proof, *slot));
        self.ports.store.write_all(writes.collect()).await?;
        self.noted.retain(|slot| !idle.contains(slot));
        Ok(())
    }

    /// Makes the deletions that waited for others, with some more. A mark that was set again since stays.
    pub(super) async fn clean_up(&mut self, more: Vec<Write>) -> Result<(), WriteError> {
        let writes = std::mem::take(&mut self.deferred_deletes).into_iter().chain(more);
        let (marks, plain): (Vec<Write>, Vec<Write>) =
            writes.partition(|write| matches!(write, Write::Delete { condition: Condition::Revision(_), .. }));
        self.ports.store.write_all(plain).await?;
        self.ports.store.each_if(marks).await?;
        Ok(())
    }

    /// The draining ends and nothing is in flight: what was left for later is done, and the batches are forgotten, except
    /// for people of earlier ones whose result nobody has looked at.
    pub(super) async fn cleanup(&mut self, after: After) -> Result<(), WriteError> {
        let mut writes = Vec::new();
        if after == After::Done && !self.unknown.is_empty() {
            // A person without an open change is decided from what was observed.
            let left: Vec<PersonHash> = self.unknown.iter().copied().collect();
            let open = self.ports.store.change_revisions(self.connection, &left).await?;
            self.unknown.retain(|pid| open.contains_key(pid));
        }
        for batch in self.left_behind.iter().filter(|batch| batch.connection == *self.connection) {
            let left: Vec<PersonHash> = batch.pids.iter().copied().filter(|pid| self.unknown.contains(pid)).collect();
            if left.is_empty() {
                writes.push(Write::delete(batch.key.clone()));
            } else if left.len() < batch.pids.len() {
                writes.push(Store::shrink_batch(batch, &left));
            }
        }
        self.clean_up(writes).await
    }
}
