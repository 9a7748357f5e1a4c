//! How far long work of a phase has come, kept in the table between two messages. After a kill at any point, the next
//! message goes on from what was kept last, or from the beginning: work that is done again comes out the same.

use hardmatch_ports::run::Run;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::deadline;
use crate::error::MatchError;
use crate::ports::MatchPorts;

/// The checkpoint of one work of one run. A plan that was accepted, failed and is accepted again has a checkpoint for each
/// acceptance.
pub(crate) struct Checkpoint<'a> {
    ports: &'a MatchPorts,
    notes: String,
    name: String,
    kept: Timestamp,
    /// Whether there is anything to forget.
    there: bool,
}

impl<'a> Checkpoint<'a> {
    /// The checkpoint of the work called `what`.
    pub(crate) fn new(ports: &'a MatchPorts, run: &Run, what: &str) -> Self {
        let accepted = run.accepted.as_ref().map_or(0, |accepted| accepted.at_ms);
        Self {
            ports,
            notes: format!("{}#place", run.id),
            name: format!("{what}#{accepted}"),
            kept: ports.clock.now(),
            there: false,
        }
    }

    /// What was kept last. A checkpoint that cannot be read is of another version, and the work begins anew.
    pub(crate) async fn last<T: DeserializeOwned>(&mut self) -> Result<Option<T>, MatchError> {
        let body = self.ports.store.note(&self.notes, &self.name).await?;
        self.there = body.is_some();
        Ok(body.and_then(|body| serde_json::from_slice(&body).ok()))
    }

    /// Keeps how far the work has come. Everything before it must be stored.
    pub(crate) async fn keep<T: Serialize>(&mut self, progress: &T) -> Result<(), MatchError> {
        let body = serde_json::to_vec(progress).map_err(|error| MatchError::Broken(error.to_string()))?;
        self.ports.store.put_note(&self.notes, &self.name, body).await?;
        (self.kept, self.there) = (self.ports.clock.now(), true);
        Ok(())
    }

    /// Whether to keep it now although the work goes on.
    pub(crate) fn is_due(&self) -> bool {
        deadline::is_to_be_kept(self.ports, self.kept)
    }

    /// Forgets the checkpoint: the work is done.
    pub(crate) async fn forget(&self) -> Result<(), MatchError> {
        if self.there {
            self.ports.store.delete_note(&self.notes, &self.name).await?;
        }
        Ok(())
    }
}
