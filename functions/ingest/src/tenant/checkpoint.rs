//! The progress of a reading in a blob, kept every minute and when the deadline is near. After a kill, the next message goes
//! on from what was kept last, or reads from the beginning.

use jiff::{SignedDuration, Timestamp};

use super::progress::TenantProgress;
use super::stop::TenantStop;
use crate::deadline::deadline_near;
use crate::ports::{ObserveError, TenantPorts};

/// The progress is kept so often, besides at the end of a message: a killed process repeats no more than this.
const KEEP_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// Keeps the progress of one reading between messages.
pub(super) struct ReadingCheckpoint<'p> {
    ports: &'p TenantPorts,
    name: String,
    kept: Timestamp,
}

impl<'p> ReadingCheckpoint<'p> {
    /// `what` tells the readings of a run apart.
    pub(super) fn new(ports: &'p TenantPorts, run: &str, what: &str) -> Self {
        Self { ports, name: format!("{}{what}", folder(run)), kept: ports.clock.now() }
    }

    /// The kept progress, when it belongs to the reading that is wanted; otherwise `begins`.
    pub(super) async fn go_on(&self, begins: TenantProgress) -> Result<TenantProgress, ObserveError> {
        let kept = self.ports.blobs.get(&self.name).await?.and_then(|body| TenantProgress::from_bytes(&body));
        // Accounts that were read before an attribute was asked for are not entered under it.
        let fits = |kept: &TenantProgress| {
            kept.of == begins.of && begins.missing.iter().all(|attr| kept.missing.contains(attr))
        };
        Ok(kept.filter(fits).unwrap_or(begins))
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
        if self.ports.deadline.is_some() && now.duration_since(self.kept) >= KEEP_EVERY {
            self.keep(reading).await?;
        }
        Ok(())
    }

    pub(super) async fn keep(&mut self, reading: &TenantProgress) -> Result<(), ObserveError> {
        self.ports.blobs.put(&self.name, reading.to_bytes()).await?;
        self.kept = self.ports.clock.now();
        Ok(())
    }

    /// Forgets the progress: the next message reads from the beginning.
    pub(super) async fn forget(&self) -> Result<(), ObserveError> {
        Ok(self.ports.blobs.delete_all(&self.name).await?)
    }
}

/// The folder of everything that readings of a run keep while they are not at their end.
fn folder(run: &str) -> String {
    format!("runs/{run}/observe/")
}

/// Forgets everything that readings of a run kept. A blob that stays behind is never trusted, so a failure is only logged.
pub(super) async fn delete_all(ports: &TenantPorts, run: &str) {
    if let Err(error) = ports.blobs.delete_all(&folder(run)).await {
        tracing::warn!(run.id = run, error = %error, "what a reading kept could not be deleted");
    }
}
