//! Hops: bells that ring on. A run may take as many as it needs; what is bounded is bells in a row that find its work
//! where the bell before them had left it.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::run::{CollectionState, Phase, Run, Stalled};

use crate::changes::LanePhase;
use crate::keys::hex;
use crate::{Result, Store};

/// Whether a bell rings on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hop {
    /// The work moves, or has stood for less than [`Stalled::MOST`] bells.
    On,
    /// Enough rang in vain. The tick rings for it, every few minutes, until it moves.
    Leave,
}

/// Pointers that are looked at: settled ones leave the head of a lane first.
const HEAD: usize = 100;

impl Store {
    /// To be asked by whoever leaves work of a run to another bell: counts this bell as one in vain when the work is where
    /// it was at the last asking. `news` is what else counts as a move, such as the time until which a tenant asked to
    /// wait. The count stands in the run, for people to see.
    pub async fn hop(&self, c: &ConnectionId, run: &str, news: i64, now_ms: i64) -> Result<Hop> {
        let Some(open) = self.run(c, run).await?.map(|stored| stored.value) else { return Ok(Hop::Leave) };
        let at = self.whereabouts(&open, news).await?;
        let counted = self
            .update_run(c, run, |run| {
                run.stalled = Some(match run.stalled.take().filter(|stalled| stalled.at == at) {
                    Some(stalled) => Stalled { bells: stalled.bells.saturating_add(1), ..stalled },
                    None => Stalled { at: at.clone(), bells: 1, since_ms: now_ms },
                });
                run.phase == open.phase
            })
            .await?;
        // Somebody moved it meanwhile, so somebody rang.
        let Some(counted) = counted else { return Ok(Hop::Leave) };
        if !counted.is_stuck() {
            return Ok(Hop::On);
        }
        let bells = counted.stalled.map_or(0, |stalled| stalled.bells);
        tracing::warn!(run.id = run, run.bells = bells, "a run does not move; it is looked at again by the next tick");
        Ok(Hop::Leave)
    }

    /// Where the work of a run is, as a digest.
    async fn whereabouts(&self, run: &Run, news: i64) -> Result<String> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(format!("{:?} {news}", run.phase).as_bytes());
        let lane = match run.phase {
            Phase::Writing => Some(LanePhase::Write),
            Phase::Removing => Some(LanePhase::Remove),
            Phase::Observing | Phase::Deciding | Phase::Planned | Phase::Gate | Phase::Reporting | Phase::Closed => {
                None
            }
        };
        if let Some(lane) = lane {
            for pointer in self.pointers(&run.id, lane, None, HEAD).await? {
                hasher.update(pointer.key.sk.as_bytes());
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
