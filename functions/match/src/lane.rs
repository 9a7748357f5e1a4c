//! A run's lane while it is filled: people of one depth share pointers, as many as fit. The same plan gives the same
//! pointers, so this may be repeated from any position that was kept.

use std::collections::BTreeMap;

use hardmatch_domain::change::Change;
use hardmatch_domain::reason::Reason;
use hardmatch_ports::Write;
use hardmatch_ports::run::{Outcome, OutcomeKind, Run};
use hardmatch_store::changes::{LanePhase, POINTED};
use hardmatch_store::{PersonHash, Store};
use serde::{Deserialize, Serialize};

use crate::ports::MatchPorts;

/// How far a lane is filled: of each depth, the pointers written and the fewer than fifty people who wait for the next.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Filled(BTreeMap<u32, Depth>);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Depth {
    /// Pointers written so far.
    written: usize,
    /// People who are in no pointer yet.
    waiting: Vec<PersonHash>,
}

/// A lane of a run that is being filled.
#[derive(Clone, Copy)]
pub(crate) struct Lane<'a> {
    store: &'a Store,
    run: &'a str,
    phase: LanePhase,
}

impl<'a> Lane<'a> {
    pub(crate) fn new(ports: &'a MatchPorts, run: &'a Run, phase: LanePhase) -> Self {
        Self { store: &ports.store, run: &run.id, phase }
    }

    /// Puts a person's change into the lane.
    pub(crate) fn put(&self, filled: &mut Filled, depth: u32, pid: PersonHash, writes: &mut Vec<Write>) {
        let here = filled.0.entry(depth).or_default();
        here.waiting.push(pid);
        if here.waiting.len() == POINTED {
            let pids = std::mem::take(&mut here.waiting);
            writes.extend(self.store.put_pointers(self.run, self.phase, depth, here.written, &pids));
            here.written += 1;
        }
    }

    /// Writes for the people who are in no pointer yet.
    pub(crate) fn end(&self, filled: &Filled) -> Vec<Write> {
        let last = filled.0.iter().flat_map(|(depth, here)| {
            self.store.put_pointers(self.run, self.phase, *depth, here.written, &here.waiting)
        });
        last.collect()
    }
}

/// A change that does not go into the lane stays as it is; the history says why it waits.
pub(crate) fn hold(
    ports: &MatchPorts,
    run: &Run,
    pid: PersonHash,
    change: &Change,
    reason: Reason,
    writes: &mut Vec<Write>,
) {
    let outcome = Outcome {
        v: 1,
        run: run.id.clone(),
        key: change.person.key.clone(),
        change: change.id.clone(),
        result: OutcomeKind::Held,
        account: change.account.clone(),
        reason: Some(reason),
        also: Vec::new(),
        refusal: None,
        at_ms: ports.clock.now().as_millisecond(),
        written: None,
    };
    ports.store.put_outcome(&run.connection, pid, &outcome, writes);
}
