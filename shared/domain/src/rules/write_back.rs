//! What the source is to learn of a person's account: each attribute of `[write_back]` that the source has no value for.

use crate::facts::Facts;
use crate::person_context::PersonContext;
use crate::vocabulary::account::Account;
use crate::vocabulary::change::{Action, Change, Hold, Join, Step};
use crate::vocabulary::ids::ImmutableId;
use crate::vocabulary::link::Link;
use crate::vocabulary::person::{Person, SourceStatus};
use crate::vocabulary::policy::Policy;
use crate::vocabulary::reason::{Reason, Weight};
use crate::vocabulary::write_back::{PlannedWriteBack, TenantValue, WriteBackRule, stored_form};

/// What a decision plans. A person who is refused, or who waits for an approval or for a repair of the immutable ID, teaches
/// the source nothing.
pub(crate) fn planned<F: Facts>(
    subject: &PersonContext<'_, F>,
    account: Option<&Account>,
    (join, reasons): (&Join, &[Reason]),
    change: Option<&Change>,
) -> Box<[PlannedWriteBack]> {
    let rules = &subject.policy.write_back;
    let refused = || reasons.iter().any(|reason| reason.code.weight() == Weight::Refused);
    if rules.is_empty() || subject.record.standing != SourceStatus::Present || refused() {
        return Box::default();
    }
    let link = subject.facts.link(&subject.who);
    let holds = |change: &Change| link.is_none() && change.hold == Some(Hold::Approval);
    if change.is_some_and(|change| holds(change) || has_step(change, |step| matches!(step, Step::Repair(_)))) {
        return Box::default();
    }
    let person = &subject.record.person;
    if let Some(change) = change.filter(|change| change.action == Action::Create) {
        return lacking(rules, person, |rule| of_new(rule.value, given_id(change)));
    }
    let (Join::Joined { .. }, Some(account)) = (join, account) else { return Box::default() };
    let restores = change.is_some_and(|change| has_step(change, |step| matches!(step, Step::Restore)));
    if account.is_deleted() && !restores {
        return Box::default();
    }
    let links = change.is_some_and(|change| has_step(change, |step| matches!(step, Step::Link)));
    let given = change.and_then(given_id);
    let known = || account.immutable_id.as_ref().filter(|id| links || is_confirmed(id, person, link));
    lacking(rules, person, |rule| match rule.value {
        TenantValue::ImmutableId => given.or_else(known).map(|id| one(id.as_str())),
        TenantValue::ObjectId => of_account(rule.value, account),
        // A change of the account may give it another one.
        value if change.is_some() => of_account(value, account).map(|_| Box::default()),
        value => of_account(value, account),
    })
}

/// What a person's entry lacks, with the values of the account as it is now. Nothing where the account is not the one that
/// the link confirmed.
pub fn due(policy: &Policy, person: &Person, link: &Link, account: &Account) -> Box<[PlannedWriteBack]> {
    if account.is_deleted() || link.account != account.id {
        return Box::default();
    }
    let confirmed = account.immutable_id.as_ref().is_some_and(|id| is_confirmed(id, person, Some(link)));
    lacking(&policy.write_back, person, |rule| match rule.value {
        TenantValue::ImmutableId if !confirmed => None,
        value => of_account(value, account),
    })
}

/// Whether an account's immutable ID is the one under which the person was linked, or one that the source knows.
fn is_confirmed(id: &ImmutableId, person: &Person, link: Option<&Link>) -> bool {
    person.knows_anchor(id) || link.is_some_and(|link| link.immutable_id.as_ref() == Some(id))
}

fn has_step(change: &Change, is: fn(&Step) -> bool) -> bool {
    change.steps.iter().any(is)
}

/// The rules whose attribute the source has no value for, with the values; a rule without a value is left out.
fn lacking(
    rules: &[WriteBackRule],
    person: &Person,
    value: impl Fn(&WriteBackRule) -> Option<Box<[Box<str>]>>,
) -> Box<[PlannedWriteBack]> {
    let planned = rules.iter().filter(|rule| !has(person, &rule.attribute)).filter_map(|rule| {
        let values = value(rule)?;
        let fits = values.iter().all(|value| stored_form(&rule.attribute, value).is_some());
        fits.then(|| PlannedWriteBack { attribute: rule.attribute.clone(), from: rule.value, values })
    });
    planned.collect()
}

/// Whether the source has a value, as it was read last. Attributes of `[write_back]` are read as those of expressions are.
fn has(person: &Person, attribute: &str) -> bool {
    person.anchors.iter().any(|anchor| anchor.from.as_str().eq_ignore_ascii_case(attribute))
        || person.extra.get(attribute).is_some_and(|value| !value.trim().is_empty())
}

/// The immutable ID that a change gives the account.
fn given_id(change: &Change) -> Option<&ImmutableId> {
    change.steps.iter().find_map(|step| match step {
        Step::Create { immutable_id, .. } | Step::Update { immutable_id, .. } => immutable_id.as_ref(),
        _ => None,
    })
}

/// A value of an account that is still to be created. Its addresses are the tenant's to give.
fn of_new(value: TenantValue, id: Option<&ImmutableId>) -> Option<Box<[Box<str>]>> {
    match value {
        TenantValue::ImmutableId => id.map(|id| one(id.as_str())),
        TenantValue::ObjectId | TenantValue::UserPrincipalName => Some(Box::default()),
        TenantValue::Mail | TenantValue::ProxyAddresses => None,
    }
}

fn of_account(value: TenantValue, account: &Account) -> Option<Box<[Box<str>]>> {
    match value {
        TenantValue::ImmutableId => account.immutable_id.as_ref().map(|id| one(id.as_str())),
        TenantValue::ObjectId => Some(one(account.id.as_str())),
        TenantValue::UserPrincipalName => account.upn().map(one),
        TenantValue::Mail => account.primary_address().map(one),
        TenantValue::ProxyAddresses => {
            let all: Box<[Box<str>]> = account.proxies.iter().map(Into::into).collect();
            (!all.is_empty()).then_some(all)
        }
    }
}

fn one(value: &str) -> Box<[Box<str>]> {
    [value.into()].into()
}
