//! A new sign-in name for an account that is the person's already.
//! <https://learn.microsoft.com/entra/identity/hybrid/connect/plan-connect-userprincipalname>

use crate::draft::{Consent, Draft, Part, StepOrder};
use crate::facts::Facts;
use crate::join::{self, Release};
use crate::person_context::{PersonContext, Roles};
use crate::rules::flow::Moment;
use crate::vocabulary::account::Account;
use crate::vocabulary::attribute::Attr;
use crate::vocabulary::change::{Action, EvidenceRule, Found, Step};
use crate::vocabulary::policy::FlowWhen;
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::text::same_name;
use crate::vocabulary::values;

/// Whether the rest of the person's change may go on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    GoOn,
    Refused,
}

pub(crate) fn rename<F: Facts>(
    subject: &PersonContext<'_, F>,
    draft: &mut Draft<'_>,
    account: &Account,
    moment: Moment,
) -> Result<Verdict, Reason> {
    let mapping = subject.policy.flow.iter().find(|mapping| mapping.to == Attr::UserPrincipalName);
    let Some(mapping) = mapping else { return Ok(Verdict::GoOn) };
    match mapping.when {
        FlowWhen::Always => {}
        FlowWhen::Initial if moment == Moment::First && account.upn().is_none() => {}
        FlowWhen::Initial | FlowWhen::Never => return Ok(Verdict::GoOn),
    }
    let wanted = mapping
        .value(subject.person)
        .map_err(|error| Reason::with(Code::Unknown, format!("userPrincipalName: {error}")))?;
    let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) else { return Ok(Verdict::GoOn) };
    let now = account.upn().unwrap_or_default();
    if same_name(&wanted, now) {
        return Ok(Verdict::GoOn);
    }
    if let Some(problem) = values::problem(Attr::UserPrincipalName, &wanted) {
        draft.note(Reason::with(Code::InvalidValue, format!("userPrincipalName {problem}")));
        return Ok(Verdict::Refused);
    }
    let Some(domain) = subject.tenant.verified_domain_of(&wanted) else {
        draft.evidence.saw_at(EvidenceRule::Domain, Found::Nothing, &account.id, Some(&wanted), None);
        draft.code(Code::DomainNotVerified);
        return Ok(Verdict::Refused);
    };
    if domain.federated && account.immutable_id.is_none() && subject.person.immutable_id().is_none() {
        draft.code(Code::FederatedWithoutId);
        return Ok(Verdict::Refused);
    }
    match subject.roles(&account.id) {
        Roles::Unknown => {
            draft.note(Reason::with(Code::RolesUnknown, "userPrincipalName"));
            return Ok(Verdict::GoOn);
        }
        Roles::Held(_) => {
            draft.note(Reason::with(Code::Privileged, "userPrincipalName"));
            return Ok(Verdict::GoOn);
        }
        Roles::None => {}
    }
    if !subject.is_complete_of_users() {
        draft.note(Reason::with(Code::Incomplete, "userPrincipalName"));
        return Ok(Verdict::GoOn);
    }
    let against = match moment {
        Moment::First => join::Against::Everybody,
        Moment::Later => join::Against::Linked,
    };
    let consent = match holder(subject, draft, account, &wanted, against) {
        Ok(Consent::Switch) if crosses(subject, now, &wanted, domain.federated) => {
            draft.note(Reason::with(Code::RepairNeeded, "the sign-in name moves to or from a federated domain"));
            Consent::Repair
        }
        Ok(consent) => consent,
        Err(reason) => {
            draft.note(reason);
            return Ok(Verdict::GoOn);
        }
    };
    draft.parts.push(Part {
        action: Action::Rename,
        when: StepOrder::Rename,
        consent,
        reason: Reason::with(Code::Rename, format!("{now} → {wanted}")),
        steps: vec![Step::Rename { before: now.into(), after: wanted.into() }],
    });
    Ok(Verdict::GoOn)
}

/// Between a managed and a federated domain, or between two federated ones, a plain write is refused.
fn crosses<F: Facts>(subject: &PersonContext<'_, F>, now: &str, wanted: &str, to_federated: bool) -> bool {
    let from_federated = subject.is_federated(now);
    let same_domain = match (now.rsplit_once('@'), wanted.rsplit_once('@')) {
        (Some((_, from)), Some((_, to))) => same_name(from, to),
        _ => false,
    };
    from_federated != to_federated || (from_federated && !same_domain)
}

/// Whether the wanted name is free, freed in this plan, or not to be had.
fn holder<F: Facts>(
    subject: &PersonContext<'_, F>,
    draft: &mut Draft<'_>,
    account: &Account,
    wanted: &str,
    against: join::Against,
) -> Result<Consent, Reason> {
    let rivals = join::wanted_by_others(subject, wanted, against);
    if !rivals.is_empty() {
        return Err(join::contested(&mut draft.evidence, "userPrincipalName", &rivals));
    }
    let mut others = subject.facts.address_holders(wanted);
    others.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    if let Some(other) = others.first() {
        let code = match other.kind {
            crate::vocabulary::account::HolderKind::Group => Code::AddressHeldByGroup,
            crate::vocabulary::account::HolderKind::Contact => Code::AddressHeldByContact,
        };
        return Err(Reason::with(code, other.id.as_str()));
    }
    let Some(holder) = subject.holder_of(wanted, Some(&account.id)) else { return Ok(Consent::Switch) };
    draft.evidence.saw_at(EvidenceRule::Upn, Found::Different, &holder.id, Some(wanted), None);
    if holder.kind == crate::vocabulary::account::AccountKind::Guest {
        return Err(Reason::with(Code::AddressHeldByGuest, holder.id.as_str()));
    }
    match join::release(subject, holder, wanted) {
        Release::By(who) => {
            draft.code(Code::WaitsForRelease);
            if !draft.after.contains(&who) {
                draft.after.push(who);
            }
            Ok(Consent::Switch)
        }
        Release::Cycle => {
            draft.note(Reason::with(Code::RepairNeeded, "sign-in names are exchanged"));
            Ok(Consent::Repair)
        }
        Release::Never => Err(Reason::with(Code::AddressInUse, format!("held by {}", holder.id))),
    }
}
