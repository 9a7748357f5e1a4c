//! Deciding: slices of people, from recorded facts.

mod change;
mod clocks;
pub(crate) mod load_facts;
mod slice;

use hardmatch_domain::decide::Context;
use hardmatch_domain::facts::knowledge::Knowledge;
use hardmatch_ports::run::{PlanHead, ReadMode, Run};
use hardmatch_store::PersonHash;

use hardmatch_store::leases::LeasedRun;

use crate::deadline;
use crate::error::MatchError;
use crate::policies::policy;
use crate::ports::MatchPorts;

/// Slices decided before the message is acknowledged.
const SLICES_AT_ONCE: usize = 64;

/// Decides some slices, one at least, within the time there is. Returns how many, or `None` when no more are left.
pub(crate) async fn decide_slices(ports: &MatchPorts, run: &LeasedRun<'_>) -> Result<Option<u64>, MatchError> {
    let connection = &run.connection;
    let slices = ports.store.slices(&run.id, None, SLICES_AT_ONCE + 1).await?;
    if slices.is_empty() {
        return Ok(None);
    }
    let policy = policy(ports, connection, run.policy_revision).await?;
    let tenant = ports
        .store
        .tenant(&ports.scope)
        .await?
        .ok_or_else(|| MatchError::Broken("the tenant was not observed".to_owned()))?;
    let meta = ports.store.meta(connection).await?;
    let knowledge = knowledge(ports, run, &slices).await?;
    let repairs = ports.store.repair_holds(&ports.scope).await?;
    let context = Context {
        policy: &policy,
        tenant: &tenant.value.tenant,
        now: run.started_ms / 1000,
        disconnected: &meta.status.disconnected,
        knowledge: &knowledge,
        repairs: &repairs,
    };
    for (done, (number, todo)) in (1..).zip(&slices) {
        slice::decide(ports, run, &context, *number, todo).await?;
        let more = done < slices.len();
        if more && (done == SLICES_AT_ONCE || deadline::deadline_near(ports)) {
            return Ok(Some(done as u64));
        }
    }
    Ok(None)
}

/// On what "nobody has it" rests in this run: on listings, or on what the tenant was asked about these people.
async fn knowledge(
    ports: &MatchPorts,
    run: &Run,
    slices: &[(usize, Vec<PersonHash>)],
) -> Result<Knowledge, MatchError> {
    // A listing was read, or changes were followed, where the tenant was not asked about each of them.
    let asked = run.collections.get("users").is_some_and(|users| users.read == Some(ReadMode::Asked));
    if !(asked && run.is_partial()) {
        return Ok(Knowledge::Listings);
    }
    let pids: Vec<PersonHash> = slices.iter().flat_map(|(_, pids)| pids.iter().copied()).collect();
    let answers = ports.store.answers(&run.id, &pids).await?;
    Ok(Knowledge::Asked(answers, ports.clock.now_seconds()))
}

/// Enters a plan that is written at once into its run.
pub(crate) async fn keep_plan(ports: &MatchPorts, run: &Run, plan: &PlanHead) -> Result<(), MatchError> {
    ports
        .store
        .update_run(&run.connection, &run.id, |run| {
            let new = run.plan.as_ref() != Some(plan);
            run.plan = Some(plan.clone());
            new
        })
        .await?;
    Ok(())
}
