//! Nobody: whether every name and address the person needs is free, and nothing suggests that they are somebody we know.

use crate::draft::EvidenceLog;
use crate::facts::{By, Facts};
use crate::join::outcome::{Newcomer, Refusal};
use crate::join::release::{Release, release};
use crate::join::{claims, resemblance};
use crate::person_context::PersonContext;
use crate::rules::likeness::{is_shared_address, is_shared_number, named};
use crate::vocabulary::account::{Account, AccountKind, HolderKind};
use crate::vocabulary::attribute::Attr;
use crate::vocabulary::evidence::{EvidenceRule, Found};
use crate::vocabulary::ids::ObjectId;
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::text::{lookup_form, number_form, same_name};

pub(super) fn judge<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    log: &mut EvidenceLog,
    upn: Option<&str>,
) -> Result<Newcomer, Refusal<'a>> {
    if !subject.is_complete() {
        return Err(Refusal::new(Reason::plain(Code::Incomplete)));
    }
    let mut names: Vec<&str> = upn.into_iter().collect();
    for address in subject.person.addresses.all().iter() {
        if !names.iter().any(|name| same_name(name, address)) {
            names.push(address);
        }
    }
    let mut newcomer = Newcomer::default();
    for name in names {
        if let Err((reason, holder)) = find_free(subject, &mut newcomer, name) {
            if upn != Some(name) && is_shared_address(subject, name) {
                // A placeholder is nobody's address, and is not written.
                continue;
            }
            log.saw_at(EvidenceRule::Address, Found::Same, &holder, Some(name), None);
            return Err(Refusal::new(reason).about(Some(holder)));
        }
    }
    if let Some(account) = unlinked_with_number(subject) {
        let employee = subject.person.attributes.filled(Attr::EmployeeId);
        log.saw_at(EvidenceRule::Proof, Found::Same, &account.id, employee, employee);
        log.saw_at(EvidenceRule::Upn, Found::Different, &account.id, upn, account.upn());
        return Err(Refusal::new(Reason::plain(Code::PossibleDuplicate)).about(Some(account.id.clone())));
    }
    if let Some((other, code)) = resemblance::rekeyed_from(subject) {
        let whom = named(other);
        log.saw_person(EvidenceRule::Claims, Found::Same, &whom);
        return Err(Refusal::new(Reason::with(code, format!("resembles {whom}"))));
    }
    Ok(newcomer)
}

/// Whether a name is free, or given up in this plan and waited for. Otherwise why it cannot be had, and who holds it.
fn find_free<F: Facts>(
    subject: &PersonContext<'_, F>,
    newcomer: &mut Newcomer,
    name: &str,
) -> Result<(), (Reason, ObjectId)> {
    if let Some(holder) = subject.holder_of(name, None) {
        if holder.kind == AccountKind::Guest {
            return Err((claims::guest(holder), holder.id.clone()));
        }
        match release(subject, holder, name) {
            Release::By(who) => {
                let note = Reason::plain(Code::WaitsForRelease);
                if newcomer.notes.is_empty() {
                    newcomer.notes.push(note);
                }
                if !newcomer.after.contains(&who) {
                    newcomer.after.push(who);
                }
            }
            Release::Cycle(_) | Release::Never => {
                // An account is found by its sign-in name or primary address; one whose secondary address fits is shown, and
                // never taken.
                let secondary = [holder.upn(), holder.primary_address()]
                    .into_iter()
                    .flatten()
                    .all(|theirs| !same_name(theirs, name));
                let how = if secondary { " as a secondary address, by which nobody is joined" } else { "" };
                let reason = Reason::with(Code::AddressInUse, format!("held by {}{how}", holder.id));
                return Err((reason, holder.id.clone()));
            }
        }
    }
    let mut holders = subject.facts.address_holders(name);
    holders.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    let Some(holder) = holders.into_iter().next() else { return Ok(()) };
    let code = match holder.kind {
        HolderKind::Group => Code::AddressHeldByGroup,
        HolderKind::Contact => Code::AddressHeldByContact,
    };
    Err((Reason::with(code, holder.id.as_str()), holder.id))
}

/// An account that nobody links with the person's employee ID.
fn unlinked_with_number<'a, F: Facts>(subject: &PersonContext<'a, F>) -> Option<&'a Account> {
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
