//! Whether the holder of a sign-in name gives it up in this plan.

use crate::draft::EvidenceLog;
use crate::facts::Facts;
use crate::join::{claims, duplicate};
use crate::person_context::{PersonContext, Roles};
use crate::vocabulary::account::{Account, Authority};
use crate::vocabulary::attribute::Attr;
use crate::vocabulary::ids::{ObjectId, PersonRef};
use crate::vocabulary::person::SourceStatus;
use crate::vocabulary::policy::Switch;
use crate::vocabulary::text::same_name;
use crate::vocabulary::values;

/// How many people may wait for one another's sign-in names before we stop following them.
const LONGEST_CHAIN: usize = 32;

/// Whether the holder of a sign-in name gives it up in this plan.
pub(crate) enum Release {
    /// When this person is renamed.
    By(PersonRef),
    /// They wait for us in turn: these accounts, from the holder of the name on, with the names they want.
    Cycle(Vec<Waiting>),
    /// No.
    Never,
}

/// Somebody in a circle of people who wait for one another's sign-in names.
pub(crate) struct Waiting {
    pub(crate) who: PersonRef,
    pub(crate) account: ObjectId,
    pub(crate) wanted: Box<str>,
}

/// Follows the chain of renames that would free the name. A light judgement: where it is wrong the write collides and
/// the person is decided again.
pub(crate) fn release<F: Facts>(subject: &PersonContext<'_, F>, holder: &Account, name: &str) -> Release {
    if !holder.upn().is_some_and(|upn| same_name(upn, name)) {
        return Release::Never;
    }
    let mut account = holder;
    let mut chain: Vec<Waiting> = Vec::new();
    for _ in 0..LONGEST_CHAIN {
        let Some(who) = joined_to(subject, account) else { return Release::Never };
        if who == subject.who {
            return if chain.is_empty() { Release::Never } else { Release::Cycle(chain) };
        }
        let Some(wanted) = renamed_to(subject, account, &who) else { return Release::Never };
        let next = subject.holder_of(&wanted, Some(&account.id));
        chain.push(Waiting { who, account: account.id.clone(), wanted: wanted.into() });
        match (next, chain.first()) {
            (None, Some(first)) => return Release::By(first.who.clone()),
            (None, None) => return Release::Never,
            (Some(next), _) => account = next,
        }
    }
    Release::Never
}

/// The person an account belongs to: by its link or, before a first run has made one, by its immutable ID if that is one person's.
fn joined_to<F: Facts>(subject: &PersonContext<'_, F>, account: &Account) -> Option<PersonRef> {
    if let Some(link) = subject.facts.link_to(&account.id) {
        return Some(link.person.clone());
    }
    let id = account.immutable_id.as_ref()?;
    let others = subject.others_with_id(id);
    match others.as_slice() {
        [] => (subject.person.immutable_id() == Some(id)).then(|| subject.who.clone()),
        [other] => Some(other.reference()),
        [_, _, ..] => None,
    }
}

/// The new sign-in name that an account joined to a person gets in this plan.
fn renamed_to<F: Facts>(subject: &PersonContext<'_, F>, account: &Account, who: &PersonRef) -> Option<String> {
    if who.connection != subject.who.connection || subject.policy.actions.rename == Switch::Off {
        return None;
    }
    let record = subject.facts.person(who)?;
    let movable = record.standing == SourceStatus::Present
        && subject.includes(&record.person).is_ok_and(|included| included)
        && account.authority != Authority::Synced
        && account.immutable_id.as_ref() == record.person.immutable_id()
        && matches!(subject.roles(&account.id), Roles::None);
    let wanted = subject.policy.wanted_upn(&record.person).ok().flatten().filter(|_| movable)?;
    let now = account.upn()?;
    let theirs = subject.without_manager(record);
    let plain = !same_name(&wanted, now)
        && claims::wanted_by_others(&theirs, &wanted, claims::Against::Linked).is_empty()
        && duplicate::other_live_match(&theirs, &mut EvidenceLog::default(), account).is_none()
        && values::problem(Attr::UserPrincipalName, &wanted).is_none()
        && subject.tenant.verified_domain_of(&wanted).is_some_and(|domain| !domain.federated)
        && !subject.is_federated(now)
        && subject.facts.address_holders(&wanted).is_empty();
    plain.then(|| wanted.into_owned())
}
