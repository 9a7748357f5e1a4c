//! Loading facts for decisions, and deciding: rounds of "decide, see which facts were missing, load them", until nothing is
//! missing. A decision never rests on a fact that was merely not loaded.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use hardmatch_domain::change::{Action, Decision, Join};
use hardmatch_domain::decide::{Context, attempt};
use hardmatch_domain::declined::decline;
use hardmatch_domain::facts::partial::{MissingFact, PartialFacts};
use hardmatch_domain::ids::{ConnectionId, ObjectId, PersonRef};
use hardmatch_domain::link::Link;
use hardmatch_domain::person::PersonRecord;
use hardmatch_domain::reason::{Code, Reason};
use hardmatch_domain::refused::{Refused, withhold};
use hardmatch_ports::run::PlanRow;
use hardmatch_store::holders::{Held, LookUp};
use hardmatch_store::together::PersonItems;
use hardmatch_store::{PersonHash, Store, TenantKey};

use crate::error::MatchError;

/// Rounds after which something is wrong with the rules rather than with the facts.
const MOST_ROUNDS: usize = 256;
/// People as they were read, by their places.
pub(crate) type People = BTreeMap<PersonHash, PersonItems>;

/// Where facts are loaded from.
#[derive(Clone, Copy)]
pub(crate) struct Stored<'p> {
    pub(crate) store: &'p Store,
    pub(crate) scope: &'p TenantKey,
}

/// Decides people, loading what their decisions ask for. The decisions come in the order of the people; a place without a
/// record is nobody's.
pub(crate) async fn decide_all(
    facts: Stored<'_>,
    people: &People,
    context: &Context<'_>,
    refusals: Refusals,
) -> Result<Vec<Decision>, MatchError> {
    let mut loaded = Loaded::of(facts, people).await?;
    let people: Vec<(&PersonRecord, Option<&Refused>)> =
        people.values().filter_map(|items| Some((items.record.as_ref()?, items.refused.as_ref()))).collect();
    let mut decisions: Vec<Option<Decision>> = vec![None; people.len()];
    for _ in 0..MOST_ROUNDS {
        let mut missing = Vec::new();
        for ((record, _), slot) in people.iter().zip(&mut decisions) {
            if slot.is_some() {
                continue;
            }
            // A person on whom the rules panic must not take the others along.
            match catch_unwind(AssertUnwindSafe(|| attempt(record, &loaded.facts, context))) {
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
        loaded.load(missing).await?;
    }
    let decisions = decisions.into_iter().zip(people).map(|(decision, (record, refused))| {
        let decision = decision.unwrap_or_else(|| failed(record));
        let declined = refused.map(|refused| &*refused.declined).unwrap_or_default();
        let decision = decline(decision, declined);
        match refusals {
            Refusals::Withheld if decision.change.is_some() => withhold(decision, refused, context.tenant, context.now),
            Refusals::Withheld | Refusals::SentAgain => decision,
        }
    });
    Ok(decisions.collect())
}

/// What becomes of a change that the tenant refused lately.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusals {
    /// It waits for its day, or for a cure that the tenant shows.
    Withheld,
    /// An operator asked for it now.
    SentAgain,
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
        write_back: Box::default(),
    }
}

/// The facts that were loaded, and where each person's place leads.
struct Loaded<'p> {
    stored: Stored<'p>,
    facts: PartialFacts,
    /// The account to which a person's place leads. Whether it is theirs is said by that account's link.
    pointers: BTreeMap<PersonRef, Option<ObjectId>>,
}

impl<'p> Loaded<'p> {
    /// The people as they were read, with their links and accounts: who is linked is asked of everybody, and the answer says
    /// whether anything need be looked up by value.
    async fn of(stored: Stored<'p>, people: &People) -> Result<Self, MatchError> {
        let mut loaded = Self { stored, facts: PartialFacts::default(), pointers: BTreeMap::new() };
        let mut links = BTreeSet::new();
        for items in people.values() {
            if let Some(record) = &items.record {
                let who = record.reference();
                loaded.put_person(who.clone(), Some(items.clone()));
                links.insert(who);
            }
        }
        loaded.load_links(links).await?;
        Ok(loaded)
    }

    fn put_person(&mut self, who: PersonRef, items: Option<PersonItems>) {
        let items = items.unwrap_or_default();
        self.facts.put_person(who.clone(), items.record);
        self.pointers.insert(who, items.account);
    }

    /// Loads what was missing. All look-ups by value are asked for together: one after the other, a slice would wait a
    /// hundred round trips.
    async fn load(&mut self, missing: Vec<MissingFact>) -> Result<(), MatchError> {
        let (mut people, mut links, mut accounts) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut look_ups = Vec::new();
        for fact in missing {
            match fact {
                MissingFact::Account(id) | MissingFact::LinkTo(id) => _ = accounts.insert(id),
                MissingFact::Person(who) => _ = people.insert(who),
                MissingFact::Link(who) => {
                    if !self.pointers.contains_key(&who) {
                        people.insert(who.clone());
                    }
                    links.insert(who);
                }
                MissingFact::Accounts(by, value) => look_ups.push(LookUp::Accounts(by, value)),
                MissingFact::People(by, value) => look_ups.push(LookUp::People(by, value)),
                MissingFact::AddressHolders(address) => look_ups.push(LookUp::AddressHolders(address)),
            }
        }
        self.look_up(look_ups).await?;
        self.load_people(people).await?;
        self.load_accounts(accounts).await?;
        self.load_links(links).await
    }

    async fn look_up(&mut self, look_ups: Vec<LookUp>) -> Result<(), MatchError> {
        for held in self.stored.store.look_up(self.stored.scope, look_ups).await? {
            match held {
                Held::ByAccounts(by, value, accounts) => self.facts.put_accounts(by, &value, accounts),
                Held::ByPeople(by, value, people) => self.facts.put_people(by, &value, people),
                Held::ByAddressHolders(address, holders) => self.facts.put_address_holders(&address, holders),
            }
        }
        Ok(())
    }

    async fn load_people(&mut self, people: BTreeSet<PersonRef>) -> Result<(), MatchError> {
        let mut by_connection: BTreeMap<ConnectionId, Vec<PersonRef>> = BTreeMap::new();
        for who in people {
            by_connection.entry(who.connection.clone()).or_default().push(who);
        }
        for (connection, people) in by_connection {
            let pids: Vec<PersonHash> = people.iter().map(|who| self.stored.store.pid(who)).collect();
            let mut found = self.stored.store.person_items(&connection, &pids).await?;
            for (who, pid) in people.into_iter().zip(pids) {
                self.put_person(who, found.remove(&pid));
            }
        }
        Ok(())
    }

    /// Loads the links of people whose places were read, with the accounts that they name.
    async fn load_links(&mut self, people: BTreeSet<PersonRef>) -> Result<(), MatchError> {
        let mut named = Vec::new();
        for who in people {
            match self.pointers.get(&who).cloned().flatten() {
                Some(account) => named.push((who, account)),
                None => self.facts.put_link(who, None),
            }
        }
        let links = self.load_accounts(named.iter().map(|(_, account)| account.clone()).collect()).await?;
        for (who, account) in named {
            let link = links.get(&account).filter(|link| link.person == who).cloned();
            self.facts.put_link(who, link);
        }
        Ok(())
    }

    /// Loads accounts and the links that name them; gives those links.
    async fn load_accounts(&mut self, ids: BTreeSet<ObjectId>) -> Result<BTreeMap<ObjectId, Link>, MatchError> {
        let mut links = BTreeMap::new();
        for (id, items) in self.stored.store.account_items(self.stored.scope, ids).await? {
            let link = items.link.map(|stored| stored.value);
            links.extend(link.clone().map(|link| (id.clone(), link)));
            self.facts.put_account(id.clone(), items.account.map(|stored| stored.value.account));
            self.facts.put_link_to(id, link);
        }
        Ok(links)
    }
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
