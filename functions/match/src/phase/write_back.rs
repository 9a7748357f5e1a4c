//! The source is given what its people lack, after everything else is written. The function that reaches the source does it;
//! here its people are listed, and the phase ends when the list is empty.

use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::run::{Phase, PlanHead, Run, WriteBackNote};
use hardmatch_store::PersonHash;
use hardmatch_store::leases::LeasedRun;

use crate::commit::commit_plain;
use crate::error::MatchError;
use crate::plan::{Slices, to_write_back};
use crate::ports::MatchPorts;
use crate::step::{OpenRepairs, Step, next_phase};
use crate::transition::enter;

/// Lists everybody, or ends the phase when the lists are worked off. A kill after the lists lists the same people again.
pub(crate) async fn step(ports: &MatchPorts, run: &LeasedRun<'_>) -> Result<Step, MatchError> {
    if run.write_back.is_some() {
        return end(ports, run).await;
    }
    let mut people: Vec<PersonHash> = Vec::new();
    let mut slices = Slices::named(ports, &run.id, to_write_back(ports, &run.id).await?);
    while let Some((_, rows)) = slices.next().await? {
        let taught = rows.iter().filter(|row| !row.decision.write_back.is_empty());
        people.extend(taught.map(|row| ports.store.secret().pid(&row.decision.key)));
    }
    drop(slices);
    commit_plain(ports, ports.store.put_write_backs(&run.id, &people)).await?;
    let listed = |run: &mut Run| {
        let here = run.phase == Phase::WritingBack && run.write_back.is_none();
        if here {
            run.write_back = Some(WriteBackNote::default());
        }
        here
    };
    let entered = ports.store.update_run(&run.connection, &run.id, listed).await?;
    if entered.is_none() {
        return Ok(Step::waiting());
    }
    if people.is_empty() {
        return end(ports, run).await;
    }
    Ok(Step::waiting().notifying(MessageKind::WriteBack))
}

async fn end(ports: &MatchPorts, run: &LeasedRun<'_>) -> Result<Step, MatchError> {
    let next = next_phase(run, run.plan.as_ref().unwrap_or(&PlanHead::default()), OpenRepairs::None);
    Ok(Step::entered(enter(ports, run, next, |_| ()).await?))
}
