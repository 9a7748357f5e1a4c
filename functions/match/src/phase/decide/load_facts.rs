//! Loading facts for decisions, and deciding: rounds of "decide, see which facts were missing, load them", until nothing is
//! missing. A decision never rests on a fact that was merely not loaded.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use hardmatch_domain::change::{Action, Decision, Join};
use hardmatch_domain::decide::{Context, attempt};
use hardmatch_domain::facts::partial::{MissingFact, PartialFacts};
use hardmatch_domain::person::PersonRecord;
use hardmatch_domain::reason::{Code, Reason};
use hardmatch_domain::refused::withhold;
use hardmatch_ports::run::PlanRow;
use hardmatch_store::accounts::AccountItem;
use hardmatch_store::{PersonHash, StoreError};

use crate::error::MatchError;
use crate::ports::MatchPorts;

/// Rounds after which something is wrong with the rules rather than with the facts.
const MOST_ROUNDS: usize = 64;
/// Questions to the table under way at a time. One partition of DynamoDB answers 3,000 of them a second.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html>
const AT_ONCE: usize = 32;

/// Decides people, loading what their decisions ask for. The decisions come in the order of the people.
pub(crate) async fn decide_all(
    ports: &MatchPorts,
    people: &[PersonRecord],
    context: &Context<'_>,
    refusals: Refusals,
) -> Result<Vec<Decision>, MatchError> {
    let mut facts = PartialFacts::default();
    for record in people {
        facts.put_person(record.reference(), Some(record.clone()));
    }
    let mut decisions: Vec<Option<Decision>> = vec![None; people.len()];
    for _ in 0..MOST_ROUNDS {
        let mut missing = Vec::new();
        for (record, slot) in people.iter().zip(&mut decisions) {
            if slot.is_some() {
                continue;
            }
            // A person on whom the rules panic must not take the others along.
            match catch_unwind(AssertUnwindSafe(|| attempt(record, &facts, context))) {
                Ok(Ok(decision)) => *slot = Some(decision),
                Ok(Err(facts)) => missing.extend(facts),
                Err(_) => *slot = Some(failed(record)),
            }
        }
        if missing.is_empty() {
            break;
        }
        missing.sort_unstable();
        missing.dedup();
        load(ports, &mut facts, missing).await?;
    }
    let decisions: Vec<Decision> = decisions
        .into_iter()
        .zip(people)
        .map(|(decision, record)| decision.unwrap_or_else(|| failed(record)))
        .collect();
    match refusals {
        Refusals::Withheld => without_refused(ports, people, decisions, context).await,
        Refusals::SentAgain => Ok(decisions),
    }
}

/// What becomes of a change that the tenant refused lately.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusals {
    /// It waits for its day, or for a cure that the tenant shows.
    Withheld,
    /// An operator asked for it now.
    SentAgain,
}

/// Withholds changes that the tenant refused lately, on the same facts.
async fn without_refused(
    ports: &MatchPorts,
    people: &[PersonRecord],
    decisions: Vec<Decision>,
    context: &Context<'_>,
) -> Result<Vec<Decision>, MatchError> {
    let pid = |decision: &Decision| ports.store.secret().pid(&decision.key);
    let asked: Vec<PersonHash> = decisions.iter().filter(|decision| decision.change.is_some()).map(pid).collect();
    let Some(connection) = people.first().map(|record| &record.connection).filter(|_| !asked.is_empty()) else {
        return Ok(decisions);
    };
    let refused = ports.store.refusals(connection, &asked).await?;
    let kept = decisions.into_iter().map(|decision| {
        let refused = refused.get(&pid(&decision));
        withhold(decision, refused, context.tenant, context.now)
    });
    Ok(kept.collect())
}

fn failed(record: &PersonRecord) -> Decision {
    Decision {
        key: record.person.key.clone(),
        join: Join::Refused { account: None },
        action: Action::None,
        reasons: vec![Reason::plain(Code::Failed)],
        evidence: Vec::new(),
        change: None,
        look_again_at: None,
        leaving: None,
        ledger: None,
        active: false,
    }
}

/// One answer of the table, to be put among the facts.
type FactLoader = Box<dyn FnOnce(&mut PartialFacts) + Send>;

async fn load(ports: &MatchPorts, facts: &mut PartialFacts, missing: Vec<MissingFact>) -> Result<(), MatchError> {
    let (store, scope) = (&ports.store, &ports.scope);
    // Items whose keys are known come a hundred at a time.
    let mut accounts = Vec::new();
    let mut links_to = Vec::new();
    // Each of these is a query of its own, and they are made side by side: one after the other, a slice would wait a hundred
    // round trips.
    let mut questions: Vec<BoxFuture<'_, Result<FactLoader, StoreError>>> = Vec::new();
    for fact in missing {
        match fact {
            MissingFact::Account(id) => accounts.push(id),
            MissingFact::LinkTo(id) => links_to.push(id),
            MissingFact::Accounts(by, value) => questions.push(Box::pin(async move {
                let found = store.accounts_by(scope, by, &value).await?;
                Ok(put(move |facts| facts.put_accounts(by, &value, found)))
            })),
            MissingFact::People(by, value) => questions.push(Box::pin(async move {
                let found = store.people_by(scope, by, &value).await?;
                Ok(put(move |facts| facts.put_people(by, &value, found)))
            })),
            MissingFact::AddressHolders(address) => questions.push(Box::pin(async move {
                let found = store.address_holders(scope, &address).await?;
                Ok(put(move |facts| facts.put_address_holders(&address, found)))
            })),
            MissingFact::Person(who) => questions.push(Box::pin(async move {
                let found = store.person(&who).await?;
                Ok(put(move |facts| facts.put_person(who, found)))
            })),
            MissingFact::Link(who) => questions.push(Box::pin(async move {
                let found = store.link_of(scope, &who).await?.map(|link| link.value);
                Ok(put(move |facts| facts.put_link(who, found)))
            })),
        }
    }
    let mut answers = stream::iter(questions).buffered(AT_ONCE);
    while let Some(answer) = answers.try_next().await? {
        answer(facts);
    }
    drop(answers);
    let mut found: BTreeMap<_, AccountItem> =
        store.accounts(scope, &accounts).await?.into_iter().map(|item| (item.account.id.clone(), item)).collect();
    for id in accounts {
        let account = found.remove(&id).map(|item| item.account);
        facts.put_account(id, account);
    }
    let mut found: BTreeMap<_, _> = store
        .links_to(scope, &links_to)
        .await?
        .into_iter()
        .map(|link| (link.value.account.clone(), link.value))
        .collect();
    for id in links_to {
        let link = found.remove(&id);
        facts.put_link_to(id, link);
    }
    Ok(())
}

fn put(how: impl FnOnce(&mut PartialFacts) + Send + 'static) -> FactLoader {
    Box::new(how)
}

/// A person's row of a plan.
pub(crate) fn row(record: &PersonRecord, decision: Decision) -> PlanRow {
    use hardmatch_domain::attribute::Attr;
    let said = |attr| record.person.attributes.filled(attr).unwrap_or_default();
    // A source without whole names has them built by the policy; a person is called by their parts until then.
    let name = match said(Attr::DisplayName) {
        "" => format!("{} {}", said(Attr::GivenName), said(Attr::Surname)).trim().to_owned(),
        name => name.to_owned(),
    };
    PlanRow { name: name.into(), upn: record.person.upn().unwrap_or_default().into(), decision, accepted: false }
}
