//! The progress of a reading in a blob, kept every minute and when the deadline is near. After a kill, the next message goes
//! on from what was kept last, or reads from the beginning.

use hardmatch_store::{Checkpoint, folders};

use super::progress::TenantProgress;
use super::stop::TenantStop;
use crate::deadline::deadline_near;
use crate::ports::{ObserveError, TenantPorts};

/// Keeps the progress of one reading between messages.
pub(super) struct ReadingCheckpoint<'p> {
    ports: &'p TenantPorts,
    kept: Checkpoint<TenantProgress>,
}

impl<'p> ReadingCheckpoint<'p> {
    /// `what` tells the readings of a run apart.
    pub(super) fn new(ports: &'p TenantPorts, run: &str, what: &str) -> Self {
        let name = format!("{}{what}", folder(run));
        Self { ports, kept: Checkpoint::in_blob(&ports.blobs, name, ports.clock.now()) }
    }

    /// The kept progress, when it belongs to the reading that is wanted; otherwise `begins`.
    pub(super) async fn go_on(&mut self, begins: TenantProgress) -> Result<TenantProgress, ObserveError> {
        // Accounts that were read before an attribute was asked for are not entered under it.
        let fits = |kept: &TenantProgress| {
            kept.of == begins.of
                && kept.extensions == begins.extensions
                && begins.missing.iter().all(|attr| kept.missing.contains(attr))
        };
        Ok(self.kept.load().await?.filter(fits).unwrap_or(begins))
    }

    /// Counts one unit of work. When the deadline is near, keeps the progress and stops.
    pub(super) async fn unit(&mut self, reading: &mut TenantProgress) -> Result<(), TenantStop> {
        let now = self.ports.clock.now();
        reading.units += 1;
        reading.moved_ms = now.as_millisecond();
        if deadline_near(&*self.ports.clock, self.ports.deadline) {
            self.keep(reading).await?;
            return Err(TenantStop::Deadline);
        }
        if self.ports.deadline.is_some() && self.kept.is_due(now) {
            self.keep(reading).await?;
        }
        Ok(())
    }

    pub(super) async fn keep(&mut self, reading: &TenantProgress) -> Result<(), ObserveError> {
        Ok(self.kept.save(reading, self.ports.clock.now()).await?)
    }

    /// Forgets the progress: the next message reads from the beginning.
    pub(super) async fn forget(&mut self) -> Result<(), ObserveError> {
        Ok(self.kept.clear().await?)
    }
}

/// The folder of everything that readings of a run keep while they are not at their end.
fn folder(run: &str) -> String {
    format!("{}observe/", folders::of_run(run))
}

/// Forgets everything that readings of a run kept. A blob that stays behind is never trusted, so a failure is only logged.
pub(super) async fn delete_all(ports: &TenantPorts, run: &str) {
    if let Err(error) = ports.blobs.delete_all(&folder(run)).await {
        tracing::warn!(run.id = run, error = %error, "what a reading kept could not be deleted");
    }
}
