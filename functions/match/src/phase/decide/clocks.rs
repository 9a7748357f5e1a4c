//! What a decision leaves behind in time: the timer of the next look, and the ledger in the person's link.

use hardmatch_domain::change::Decision;
use hardmatch_domain::ids::PersonRef;
use hardmatch_domain::link::Link;
use hardmatch_ports::Write;
use hardmatch_ports::run::Run;
use hardmatch_store::PersonHash;
use hardmatch_store::timers::{FARTHEST, Timer};

use crate::error::MatchError;
use crate::ports::MatchPorts;

/// Keeps the ledger after the decision, and sets the timer of the next look.
pub(super) async fn keep_clocks(
    ports: &MatchPorts,
    run: &Run,
    pid: PersonHash,
    decision: &Decision,
    writes: &mut Vec<Write>,
) -> Result<(), MatchError> {
    if let Some(at) = decision.look_again_at {
        let at = at.min(ports.clock.now_seconds() + FARTHEST);
        writes.push(ports.store.put_timer(&run.connection, Timer::Person(pid), at));
    }
    let Some(change) = &decision.ledger else { return Ok(()) };
    let who = PersonRef { connection: run.connection.clone(), key: decision.key.clone() };
    let Some(link) = ports.store.link_of(&ports.scope, &who).await? else { return Ok(()) };
    let mut next: Link = link.value.clone();
    change.apply(&mut next.ledger);
    if next.ledger != link.value.ledger {
        next.revision += 1;
        // The person's pointer leads there already.
        writes.push(ports.store.claim(&ports.scope, Some(&link), &next));
    }
    Ok(())
}
