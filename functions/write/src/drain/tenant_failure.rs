//! A tenant that says nothing, or that does not take the credentials: the draining ends early and the run says why.

use hardmatch_ports::tenant::Refusal;

use super::Drain;
use crate::WriteError;
use crate::timing::{TIMING, millis};

impl Drain<'_> {
    /// Counts batches in a row of which no answer came from the tenant. A tenant that is gone is told, not waited for: what
    /// was decided stays ready, and people who were sent for are looked at first.
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
                if self.silent >= TIMING.silent_batches
                    && silence >= millis(TIMING.silence)
                    && self.tenant_failure.is_none()
                {
                    self.stop(WriteError::Silent { batches: self.silent, seconds: silence / 1000 }).await?;
                }
            }
        }
        Ok(())
    }

    /// The tenant does not take the credentials: no change can be written, and the run and the connection are told.
    pub(super) async fn lock_out(&mut self, refusal: &Refusal) -> Result<(), WriteError> {
        if self.tenant_failure.is_some() {
            return Ok(());
        }
        let tenant_failure = WriteError::LockedOut {
            status: refusal.status,
            code: refusal.code.clone(),
            message: refusal.message.clone(),
        };
        let why = tenant_failure.to_string();
        self.ports.store.quarantine(self.connection, self.run, &why, self.ports.clock.now_seconds()).await?;
        self.stop(tenant_failure).await
    }

    /// Nothing more is sent, and the run says why.
    pub(super) async fn stop(&mut self, tenant_failure: WriteError) -> Result<(), WriteError> {
        let why = tenant_failure.to_string();
        self.tenant_failure.get_or_insert(tenant_failure);
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
