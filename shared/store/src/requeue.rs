//! Requeued messages. A run may take as many as it needs; what is bounded is messages in a row that find its work
//! where the message before them had left it.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::run::{CollectionState, Phase, Run, Stalled};

use crate::changes::LanePhase;
use crate::hashes::hex;
use crate::{Result, Store};

/// Whether a message is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requeue {
    /// The work moves, or has stood for less than [`Stalled::MOST`] messages.
    Continue,
    /// Enough messages found no progress. The tick sends one every few minutes until the work moves.
    GiveUp,
}

/// Pointers that are looked at: settled ones leave the head of a lane first.
const HEAD: usize = 100;

impl Store {
    /// To be asked by the function that leaves work of a run to another message: counts this message as one in vain when the work is where
    /// it was at the last asking. `progress_token` is what else counts as a move, such as the time until which a tenant asked to
    /// wait. The count stands in the run, for people to see.
    pub async fn note_progress(
        &self,
        c: &ConnectionId,
        run: &str,
        progress_token: i64,
        now_ms: i64,
    ) -> Result<Requeue> {
        let Some(open) = self.run(c, run).await?.map(|stored| stored.value) else { return Ok(Requeue::GiveUp) };
        let at = self.progress_digest(&open, progress_token).await?;
        let counted = self
            .update_run(c, run, |run| {
                run.stalled = Some(match run.stalled.take().filter(|stalled| stalled.at == at) {
                    Some(stalled) => Stalled { messages: stalled.messages.saturating_add(1), ..stalled },
                    None => Stalled { at: at.clone(), messages: 1, since_ms: now_ms },
                });
                run.phase == open.phase
            })
            .await?;
        // Somebody moved it meanwhile, so a message was sent.
        let Some(counted) = counted else { return Ok(Requeue::GiveUp) };
        if !counted.is_stuck() {
            return Ok(Requeue::Continue);
        }
        let messages = counted.stalled.map_or(0, |stalled| stalled.messages);
        tracing::warn!(
            run.id = run,
            run.messages = messages,
            "a run does not move; it is looked at again by the next tick"
        );
        Ok(Requeue::GiveUp)
    }

    /// Where the work of a run is, as a digest.
    async fn progress_digest(&self, run: &Run, progress_token: i64) -> Result<String> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(format!("{:?} {progress_token}", run.phase).as_bytes());
        if let Some(lane) = LanePhase::of(run.phase) {
            for pointer in self.pointers(&run.id, lane, None, HEAD).await? {
                hasher.update(pointer.key.sk.as_bytes());
            }
        }
        if run.phase == Phase::WritingBack {
            for list in self.write_backs(&run.id, HEAD).await? {
                hasher.update(list.key.sk.as_bytes());
            }
        }
        if run.phase == Phase::Deciding {
            for (slice, _) in self.slices(&run.id, None, 1).await? {
                hasher.update(&slice.to_le_bytes());
            }
        }
        let read = run.collections.values().filter(|known| known.state != CollectionState::Reading).count();
        hasher.update(&read.to_le_bytes());
        Ok(hex(&hasher.finalize().as_bytes()[..8]))
    }
}
