//! Nobody: whether every name and address the person needs is free, and nothing suggests that they are somebody we know.

use crate::draft::Draft;
use crate::facts::{By, Facts};
use crate::join::{Joining, claims, hard, linked};
use crate::person_context::{PersonContext, Roles};
use crate::rules::likeness::{is_shared_address, is_shared_number, named};
use crate::vocabulary::account::{Account, AccountKind, Authority, HolderKind};
use crate::vocabulary::attribute::Attr;
use crate::vocabulary::change::{EvidenceRule, Found};
use crate::vocabulary::ids::{ObjectId, PersonRef};
use crate::vocabulary::person::SourceStatus;
use crate::vocabulary::policy::Switch;
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::text::{lookup_form, number_form, same_name};
use crate::vocabulary::values;

/// How many people may wait for one another's sign-in names before we stop following them.
const LONGEST_CHAIN: usize = 32;

pub(super) fn judge<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    draft: &mut Draft<'a>,
    upn: Option<&str>,
) -> Option<Joining<'a>> {
    if !subject.is_complete() {
        draft.refuse_join(Reason::plain(Code::Incomplete), None);
        return Some(Joining::Settled);
    }
    let mut names: Vec<&str> = upn.into_iter().collect();
    for address in subject.person.addresses.all().iter() {
        if !names.iter().any(|name| same_name(name, address)) {
            names.push(address);
        }
    }
    for name in names {
        if let Some((reason, account)) = in_use(subject, draft, name) {
            if upn != Some(name) && is_shared_address(subject, name) {
                // A placeholder is nobody's address, and is not written.
                continue;
            }
            draft.saw_at(EvidenceRule::Address, Found::Same, account.as_ref()?, Some(name), None);
            draft.refuse_join(reason, None);
            draft.join = Some(crate::vocabulary::change::Join::Refused { account });
            return Some(Joining::Settled);
        }
    }
    if let Some(account) = duplicate(subject) {
        let employee = subject.person.attributes.filled(Attr::EmployeeId);
        draft.saw_at(EvidenceRule::Proof, Found::Same, &account.id, employee, employee);
        draft.saw_at(EvidenceRule::Upn, Found::Different, &account.id, upn, account.upn());
        draft.refuse_join(Reason::plain(Code::PossibleDuplicate), Some(account));
        return Some(Joining::Settled);
    }
    if let Some((other, code)) = claims::rekeyed_from(subject) {
        let whom = named(other);
        draft.saw_person(EvidenceRule::Claims, Found::Same, &whom);
        draft.refuse_join(Reason::with(code, format!("resembles {whom}")), None);
        return Some(Joining::Settled);
    }
    None
}

/// Why a name cannot be had, and whose it is. A name that is given up in this plan is waited for instead.
fn in_use<F: Facts>(
    subject: &PersonContext<'_, F>,
    draft: &mut Draft<'_>,
    name: &str,
) -> Option<(Reason, Option<ObjectId>)> {
    if let Some(holder) = subject.holder_of(name, None) {
        if holder.kind == AccountKind::Guest {
            return Some((hard::guest(holder), Some(holder.id.clone())));
        }
        match release(subject, holder, name) {
            Release::By(who) => {
                draft.code(Code::WaitsForRelease);
                if !draft.after.contains(&who) {
                    draft.after.push(who);
                }
            }
            Release::Cycle | Release::Never => {
                return Some((
                    Reason::with(Code::AddressInUse, format!("held by {}", holder.id)),
                    Some(holder.id.clone()),
                ));
            }
        }
    }
    let mut holders = subject.facts.address_holders(name);
    holders.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    holders.first().map(|holder| {
        let code = match holder.kind {
            HolderKind::Group => Code::AddressHeldByGroup,
            HolderKind::Contact => Code::AddressHeldByContact,
        };
        (Reason::with(code, holder.id.as_str()), Some(holder.id.clone()))
    })
}

/// Whether the holder of a sign-in name gives it up in this plan.
pub(crate) enum Release {
    /// When this person is renamed.
    By(PersonRef),
    /// They wait for us in turn.
    Cycle,
    /// No.
    Never,
}

/// Follows the chain of renames that would free the name. A light judgement: where it is wrong the write collides and
/// the person is decided again.
pub(crate) fn release<F: Facts>(subject: &PersonContext<'_, F>, holder: &Account, name: &str) -> Release {
    if !holder.upn().is_some_and(|upn| same_name(upn, name)) {
        return Release::Never;
    }
    let mut account = holder;
    let mut first: Option<PersonRef> = None;
    for _ in 0..LONGEST_CHAIN {
        let Some(who) = joined_to(subject, account) else { return Release::Never };
        if who == subject.who {
            return if first.is_some() { Release::Cycle } else { Release::Never };
        }
        let Some(wanted) = renamed_to(subject, account, &who) else { return Release::Never };
        let first = first.get_or_insert(who);
        match subject.holder_of(&wanted, Some(&account.id)) {
            None => return Release::By(first.clone()),
            Some(next) => account = next,
        }
    }
    Release::Never
}

/// Whose an account is: by its link or, before a first run has made one, by its immutable ID if that is one person's.
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
        && linked::other_live_match(&theirs, &mut Draft::default(), account).is_none()
        && values::problem(Attr::UserPrincipalName, &wanted).is_none()
        && subject.tenant.verified_domain_of(&wanted).is_some_and(|domain| !domain.federated)
        && !subject.is_federated(now)
        && subject.facts.address_holders(&wanted).is_empty();
    plain.then(|| wanted.into_owned())
}

/// An account that nobody links with the person's employee ID.
fn duplicate<'a, F: Facts>(subject: &PersonContext<'a, F>) -> Option<&'a Account> {
    let employee = subject.person.attributes.filled(Attr::EmployeeId).filter(|id| !is_shared_number(subject, id))?;
    let number = number_form(employee);
    let exact = subject.accounts(By::EmployeeId, employee);
    let altered = if lookup_form(employee) == number { Vec::new() } else { subject.accounts(By::EmployeeId, &number) };
    exact.into_iter().chain(altered).find(|account| {
        !account.is_deleted()
            && account.kind == AccountKind::Member
            && subject.facts.link_to(&account.id).is_none()
            && account.immutable_id.as_ref().is_none_or(|id| subject.others_with_id(id).is_empty())
    })
}
