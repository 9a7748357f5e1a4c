//! One person being decided: the record, and the questions every rule asks of the facts. Holds no rule itself.

use std::borrow::Cow;

use crate::draft::Draft;
use crate::facts::knowledge::Knowledge;
use crate::facts::{By, Facts, Lookups};
use crate::repair::holds::OpenRepairs;
use crate::vocabulary::account::{Account, Tenant};
use crate::vocabulary::change::Revisions;
use crate::vocabulary::disconnected_period::DisconnectedPeriod;
use crate::vocabulary::ids::{ImmutableId, ObjectId, PersonRef};
use crate::vocabulary::person::{Person, PersonRecord, SourceStatus};
use crate::vocabulary::policy::{Policy, RuleError};
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::text::same_name;

/// What every decision of a run shares.
#[derive(Debug)]
pub struct Context<'a> {
    /// The policy the run pinned.
    pub policy: &'a Policy,
    /// The tenant as observed.
    pub tenant: &'a Tenant,
    /// Unix seconds, the same for the whole run.
    pub now: i64,
    /// When the connection was disconnected.
    pub disconnected: &'a [DisconnectedPeriod],
    /// On what "nobody has it" rests.
    pub knowledge: &'a Knowledge,
    /// The repairs that are open in the tenant, of every connection.
    pub repairs: &'a OpenRepairs,
}

/// All rules together, as `decide` orders them. They come as an argument, because a rule that asks what a manager will
/// get lies below the order.
pub(crate) type Rules<'a, F> = fn(&PersonContext<'a, F>) -> Draft<'a>;

pub(crate) struct PersonContext<'a, F: Facts> {
    pub(crate) record: &'a PersonRecord,
    pub(crate) person: &'a Person,
    pub(crate) who: PersonRef,
    pub(crate) facts: &'a F,
    pub(crate) policy: &'a Policy,
    pub(crate) tenant: &'a Tenant,
    pub(crate) now: i64,
    pub(crate) disconnected: &'a [DisconnectedPeriod],
    knowledge: &'a Knowledge,
    pub(crate) repairs: &'a OpenRepairs,
    pub(crate) managers: Managers,
    rules: Rules<'a, F>,
}

/// Whether the person's manager is part of the decision. A manager is decided without theirs, so that it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Managers {
    Follow,
    Ignore,
}

/// Whether an account holds a directory role.
pub(crate) enum Roles<'a> {
    /// Could not be read: nobody is taken for unprivileged.
    Unknown,
    None,
    Held(&'a [String]),
}

impl<'a, F: Facts> PersonContext<'a, F> {
    pub(crate) fn new(record: &'a PersonRecord, facts: &'a F, context: &Context<'a>, rules: Rules<'a, F>) -> Self {
        Self {
            record,
            person: &record.person,
            who: record.reference(),
            facts,
            policy: context.policy,
            tenant: context.tenant,
            now: context.now,
            disconnected: context.disconnected,
            knowledge: context.knowledge,
            repairs: context.repairs,
            managers: Managers::Follow,
            rules,
        }
    }

    /// What is decided of another person of this connection, their manager left aside, before switches and holds.
    pub(crate) fn draft_without_manager(&self, record: &'a PersonRecord) -> Draft<'a> {
        (self.rules)(&self.without_manager(record))
    }

    /// The context of another person of this connection, their manager left aside.
    pub(crate) fn without_manager(&self, record: &'a PersonRecord) -> Self {
        Self { record, person: &record.person, who: record.reference(), managers: Managers::Ignore, ..*self }
    }

    /// Every account, live or soft-deleted, that holds the value.
    pub(crate) fn accounts(&self, by: By, value: &str) -> Vec<&'a Account> {
        let mut ids = self.facts.accounts(by, value);
        // A decision does not depend on the order in which facts come.
        ids.sort_unstable();
        ids.dedup();
        ids.iter().filter_map(|id| self.facts.account(id)).collect()
    }

    /// Every account whose immutable ID is exactly this one. (The tenant's own filters ignore case.)
    pub(crate) fn accounts_with_id(&self, id: &ImmutableId) -> Vec<&'a Account> {
        let mut accounts = self.accounts(By::ImmutableId, id.as_str());
        accounts.retain(|account| account.immutable_id.as_ref() == Some(id));
        accounts
    }

    /// The live account that holds a name as sign-in name or as any address, other than one.
    pub(crate) fn holder_of(&self, name: &str, but: Option<&ObjectId>) -> Option<&'a Account> {
        let other = |account: &&Account| !account.is_deleted() && but != Some(&account.id);
        let upn = self.accounts(By::Upn, name).into_iter().find(other);
        upn.or_else(|| self.accounts(By::Address, name).into_iter().find(other))
    }

    /// Everybody else who holds the value.
    pub(crate) fn others(&self, by: By, value: &str) -> Vec<&'a PersonRecord> {
        let mut people = self.facts.people(by, value);
        people.sort_unstable();
        people.dedup();
        people.iter().filter(|who| **who != self.who).filter_map(|who| self.facts.person(who)).collect()
    }

    /// Everybody else of whom the ID is an anchor, byte for byte.
    pub(crate) fn others_with_id(&self, id: &ImmutableId) -> Vec<&'a PersonRecord> {
        let mut people = self.others(By::ImmutableId, id.as_str());
        people.retain(|other| other.person.knows_anchor(id));
        people
    }

    pub(crate) fn roles(&self, account: &ObjectId) -> Roles<'a> {
        match &self.tenant.roles {
            None => Roles::Unknown,
            Some(holders) => match holders.get(account) {
                Some(roles) => Roles::Held(roles),
                None => Roles::None,
            },
        }
    }

    /// Why an account that no link gives to the person is not given to them: it holds a directory role, is eligible for
    /// one, or may. A person who can write an anchor or a name at the source must not become an administrator.
    /// <https://learn.microsoft.com/entra/identity/hybrid/connect/tshoot-connect-sync-errors>
    pub(crate) fn privileged(&self, account: &ObjectId) -> Option<Reason> {
        match self.roles(account) {
            Roles::Unknown => return Some(Reason::plain(Code::RolesUnknown)),
            Roles::Held(roles) => return Some(Reason::with(Code::Privileged, roles.join(", "))),
            Roles::None => {}
        }
        match &self.tenant.eligible {
            None => Some(Reason::with(Code::RolesUnknown, "eligible roles")),
            Some(eligible) => eligible
                .get(account)
                .map(|roles| Reason::with(Code::Privileged, format!("eligible for {}", roles.join(", ")))),
        }
    }

    /// Whether "nobody has it" can be said of what this person would hold.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_looked_up().unwrap_or(self.tenant.users_complete && self.tenant.deleted_complete)
    }

    /// Whether "no live account has it" can be said of what this person would hold.
    pub(crate) fn is_complete_of_users(&self) -> bool {
        self.is_looked_up().unwrap_or(self.tenant.users_complete)
    }

    /// Whether the tenant was asked about everything that this person would hold; `None` where listings say what is known.
    /// Other people, who are judged lightly on the way, are known from listings: nothing is written for them.
    fn is_looked_up(&self) -> Option<bool> {
        match self.knowledge {
            Knowledge::Asked(answers, now) if self.managers == Managers::Follow => {
                Some(answers.cover(&Lookups::of(self.policy), self.record, self.facts, *now))
            }
            Knowledge::Asked(..) | Knowledge::Listings => None,
        }
    }

    /// Whether the scope includes the person; everybody when there is none.
    pub(crate) fn includes(&self, person: &Person) -> Result<bool, RuleError> {
        self.policy.scope.as_ref().map_or(Ok(true), |scope| scope.test(person))
    }

    /// The sign-in name by which an account of a person is looked for: what the flow gives, else what the source says.
    pub(crate) fn name_of<'p>(&self, person: &'p Person) -> Result<Option<Cow<'p, str>>, RuleError> {
        Ok(self.policy.wanted_upn(person)?.or_else(|| person.upn().map(Cow::Borrowed)))
    }

    /// Whether another person of this connection goes by the sign-in name. A person whose expression fails goes by none: they
    /// are refused themselves.
    pub(crate) fn has_upn(&self, other: &PersonRecord, upn: &str) -> bool {
        self.name_of(&other.person).ok().flatten().is_some_and(|theirs| same_name(&theirs, upn))
    }

    /// Whether a present person gets no account of their own by this plan: out of scope, or disabled at the source where
    /// policy creates no disabled accounts. Meant for people without an account; an expression that fails says no.
    pub(crate) fn gets_nothing(&self, other: &PersonRecord) -> bool {
        let disabled = other.person.enabled == Some(false) && !self.policy.lifecycle.create_disabled;
        disabled || self.includes(&other.person).is_ok_and(|included| !included)
    }

    /// Whether another person is, or may be, ours to manage now: present in this connection and not out of scope. An
    /// expression that fails for them counts as "may be".
    pub(crate) fn competes(&self, other: &PersonRecord) -> bool {
        other.connection == self.record.connection
            && other.standing == SourceStatus::Present
            && self.includes(&other.person).unwrap_or(true)
    }

    pub(crate) fn revisions(&self, account: Option<&Account>) -> Revisions {
        Revisions {
            person: self.record.revision,
            account: account.map_or(0, |account| account.revision),
            policy: self.policy.revision,
        }
    }

    /// Whether the sign-in name is in a domain whose sign-in happens elsewhere.
    pub(crate) fn is_federated(&self, upn: &str) -> bool {
        self.tenant.verified_domain_of(upn).is_some_and(|domain| domain.federated)
    }
}
