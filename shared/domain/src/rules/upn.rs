//! A new sign-in name for an account that is the person's already.
//! <https://learn.microsoft.com/entra/identity/hybrid/connect/plan-connect-userprincipalname>

use crate::draft::{Consent, Draft, Part, StepOrder};
use crate::facts::Facts;
use crate::join::{self, Release, Waiting};
use crate::person_context::{PersonContext, Roles};
use crate::repair::sequences;
use crate::rules::flow::Moment;
use crate::vocabulary::account::Account;
use crate::vocabulary::attribute::Attr;
use crate::vocabulary::change::{Action, EvidenceRule, Found, Step};
use crate::vocabulary::ids::PersonRef;
use crate::vocabulary::policy::{FlowWhen, Switch};
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::repair::{RepairCall, RepairKind, RepairPlan};
use crate::vocabulary::text::same_name;
use crate::vocabulary::values;

/// So many people exchange their sign-in names in one repair, at most.
const MOST_IN_CIRCLE: usize = 12;

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
    let step = match holder(subject, draft, account, &wanted, against) {
        Ok(Holder::Nobody) if crosses(subject, now, &wanted, domain.federated) => {
            let moved = sequences::move_name(subject.tenant, account, &wanted, subject.person.immutable_id());
            moved.map(|calls| repair(account, calls, Vec::new()))
        }
        Ok(Holder::Nobody) => Ok(Step::Rename { before: now.into(), after: wanted.as_ref().into() }),
        Ok(Holder::InCircle(others)) => {
            let Some(step) = exchanged(subject, account, &wanted, &others) else {
                // The first of the circle changes the names of all.
                draft.note(Reason::with(Code::WaitsForRelease, "sign-in names are exchanged"));
                return Ok(Verdict::GoOn);
            };
            step
        }
        Err(reason) => Err(reason),
    };
    let step = match step {
        Ok(step) => step,
        Err(reason) => {
            draft.note(reason);
            return Ok(Verdict::GoOn);
        }
    };
    let repairs = matches!(step, Step::Repair(_));
    draft.parts.push(Part {
        action: if repairs { Action::Repair } else { Action::Rename },
        when: StepOrder::Rename,
        // Both switches have their say.
        consent: if repairs && subject.policy.actions.rename != Switch::On {
            Consent::Approval
        } else {
            Consent::Switch
        },
        reason: Reason::with(Code::Rename, format!("{now} → {wanted}")),
        steps: vec![step],
    });
    Ok(Verdict::GoOn)
}

fn repair(account: &Account, calls: Vec<RepairCall>, people: Vec<PersonRef>) -> Step {
    let addresses = account.addresses().map(Into::into).collect();
    Step::Repair(Box::new(RepairPlan { kind: RepairKind::SignInName, calls, people, addresses }))
}

/// The exchange of names in a circle, when this person is the one of the circle who carries it out: the smallest key.
fn exchanged<F: Facts>(
    subject: &PersonContext<'_, F>,
    account: &Account,
    wanted: &str,
    others: &[Waiting],
) -> Option<Result<Step, Reason>> {
    if others.iter().any(|other| other.who < subject.who) {
        return None;
    }
    if others.len() >= MOST_IN_CIRCLE {
        let detail = format!("{} people exchange sign-in names in one circle", others.len() + 1);
        return Some(Err(Reason::with(Code::RepairNeeded, detail)));
    }
    let mut circle = vec![(account, wanted)];
    for other in others {
        circle.push((subject.facts.account(&other.account)?, &*other.wanted));
    }
    let calls = sequences::exchange(subject.tenant, &circle);
    Some(calls.map(|calls| repair(account, calls, others.iter().map(|other| other.who.clone()).collect())))
}

/// Who has the wanted name.
enum Holder {
    /// Nobody, or somebody who gives it up in this plan.
    Nobody,
    /// Somebody who waits for this person's name in turn, with everybody between.
    InCircle(Vec<Waiting>),
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
) -> Result<Holder, Reason> {
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
    let Some(holder) = subject.holder_of(wanted, Some(&account.id)) else { return Ok(Holder::Nobody) };
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
            Ok(Holder::Nobody)
        }
        Release::Cycle(others) => Ok(Holder::InCircle(others)),
        Release::Never => Err(Reason::with(Code::AddressInUse, format!("held by {}", holder.id))),
    }
}
