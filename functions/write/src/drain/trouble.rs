//! A tenant that says nothing, or that does not let us in: the draining ends early and the run says why.

use std::time::Duration;

use hardmatch_ports::tenant::Refusal;

use super::{Drain, millis};
use crate::WriteError;

/// After so many hands in a row without a word from the tenant …
const SILENT_HANDS: u32 = 5;
/// … and so long after the first of them, the draining ends and says so.
const SILENT_FOR: Duration = Duration::from_secs(15);

impl Drain<'_> {
    /// Counts hands in a row of which no answer came from the tenant. A tenant that is gone is told, not waited for: what
    /// was decided stays ready, and who was sent for is looked at first.
    pub(super) async fn listen(&mut self, heard: Option<bool>) -> Result<(), WriteError> {
        match heard {
            None => {}
            Some(true) => self.silent = 0,
            Some(false) => {
                let now = self.ports.clock.now().as_millisecond();
                if self.silent == 0 {
                    self.silent_since_ms = now;
                }
                self.silent += 1;
                let silence = now - self.silent_since_ms;
                if self.silent >= SILENT_HANDS && silence >= millis(SILENT_FOR) && self.trouble.is_none() {
                    self.stop(WriteError::Silent { hands: self.silent, seconds: silence / 1000 }).await?;
                }
            }
        }
        Ok(())
    }

    /// The tenant does not take our credentials: nobody's change can be written, and the run and the connection are told.
    pub(super) async fn lock_out(&mut self, refusal: &Refusal) -> Result<(), WriteError> {
        if self.trouble.is_some() {
            return Ok(());
        }
        let trouble = WriteError::LockedOut {
            status: refusal.status,
            code: refusal.code.clone(),
            message: refusal.message.clone(),
        };
        let why = trouble.to_string();
        self.ports.store.quarantine(self.connection, self.run, &why, self.ports.clock.now_seconds()).await?;
        self.stop(trouble).await
    }

    /// Nothing more is dealt, and the run says why.
    pub(super) async fn stop(&mut self, trouble: WriteError) -> Result<(), WriteError> {
        let why = trouble.to_string();
        self.trouble.get_or_insert(trouble);
        self.ports
            .store
            .update_run(self.connection, self.run, |run| {
                let new = !run.problems.contains(&why);
                if new {
                    run.problems.push(why.clone());
                }
                new
            })
            .await?;
        Ok(())
    }
}
