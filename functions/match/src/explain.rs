//! One person decided now, for an operator who asks why.

use hardmatch_domain::change::Step;
use hardmatch_domain::decide::Context;
use hardmatch_domain::facts::knowledge::Knowledge;
use hardmatch_domain::ids::PersonRef;
use hardmatch_domain::person::PersonRecord;
use hardmatch_ports::run::PlanRow;

use crate::error::MatchError;
use crate::phase::decide::load_facts::{Refusals, Stored, decide_all, row};
use crate::policies::stored_policy;
use crate::ports::ExplainPorts;

/// A person's decision from the stored facts. Nothing is stored.
#[derive(Clone, Debug)]
pub struct DecidedPerson {
    /// The row that a plan would have.
    pub row: PlanRow,
    /// The person as the source was understood.
    pub record: PersonRecord,
    /// Everything that is not yet as the source says, in steps: also what the tenant refused lately and is not sent before
    /// its day.
    pub not_equal: Vec<Step>,
}

/// Decides one person from the stored facts, under the connection's active policy. `None` when the person is not known or
/// the tenant was not observed yet.
pub async fn decide_one(ports: &ExplainPorts, who: &PersonRef) -> Result<Option<DecidedPerson>, MatchError> {
    let people = ports.store.person_items(&who.connection, &[ports.store.pid(who)]).await?;
    let Some(record) = people.values().find_map(|items| items.record.clone()) else { return Ok(None) };
    let meta = ports.store.meta(&who.connection).await?;
    let policy = stored_policy(&ports.store, &*ports.policies, &who.connection, meta.policy.revision).await?;
    let Some(tenant) = ports.store.tenant(&ports.scope).await? else { return Ok(None) };
    let repairs = ports.store.repair_holds(&ports.scope).await?;
    let context = Context {
        policy: &policy,
        tenant: &tenant.value.tenant,
        now: ports.clock.now_seconds(),
        disconnected: &meta.status.disconnected,
        knowledge: Knowledge::LISTINGS,
        repairs: &repairs,
    };
    let facts = Stored { store: &ports.store, scope: &ports.scope };
    let mut decisions = decide_all(facts, &people, &context, Refusals::Withheld).await?;
    let whole = decide_all(facts, &people, &context, Refusals::SentAgain).await?.pop();
    let not_equal = whole.and_then(|decision| decision.change).map(|change| change.steps).unwrap_or_default();
    Ok(decisions.pop().map(|decision| DecidedPerson { row: row(&record, decision), record, not_equal }))
}
