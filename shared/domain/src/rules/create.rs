//! A new account: every value it needs, and whether it may be.

use crate::draft::{Draft, StepOrder};
use crate::facts::Facts;
use crate::join;
use crate::person_context::PersonContext;
use crate::rules::employment;
use crate::rules::flow;
use crate::rules::leaving;
use crate::rules::lifecycle;
use crate::rules::manager;
use crate::vocabulary::attribute::{Attr, Attributes};
use crate::vocabulary::change::{Action, EvidenceRule, Found, Step};
use crate::vocabulary::link::JoinRule;
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::values;

pub(crate) fn create<F: Facts>(subject: &PersonContext<'_, F>, draft: &mut Draft<'_>) {
    if subject.person.enabled == Some(false) && !subject.policy.lifecycle.create_disabled {
        draft.refuse(Reason::plain(Code::DisabledNotProvisioned));
        return;
    }
    if let Some(at) = employment::begins_later(subject)
        && !subject.policy.lifecycle.create_disabled
    {
        draft.refuse(Reason::with(Code::NotStarted, format!("until {at}")));
        return;
    }
    if employment::ended(subject).is_some() && !subject.policy.lifecycle.ended.is_empty() {
        draft.refuse(Reason::plain(Code::EmploymentEnded));
        return;
    }
    if let Err(reason) = plan(subject, draft) {
        draft.refuse(reason);
    }
}

fn plan<F: Facts>(subject: &PersonContext<'_, F>, draft: &mut Draft<'_>) -> Result<(), Reason> {
    let pairs = flow::initial(subject, draft)?;
    let attributes = Attributes::from_pairs(pairs.iter().map(|(attr, value)| (*attr, value.as_ref())));
    let upn = attributes.filled(Attr::UserPrincipalName).unwrap_or_default();
    let Some(domain) = subject.tenant.verified_domain_of(upn) else {
        draft.evidence.saw(EvidenceRule::Domain, Found::Nothing);
        return Err(Reason::plain(Code::DomainNotVerified));
    };
    let Some(id) = subject.person.immutable_id() else {
        return Err(Reason::plain(if domain.federated { Code::FederatedWithoutId } else { Code::AnchorMissing }));
    };
    if let Some(problem) = values::id_problem(id) {
        return Err(Reason::with(Code::InvalidValue, format!("onPremisesImmutableId {problem}")));
    }
    for (what, rivals) in [
        ("same immutable ID", join::with_the_same_anchor(subject)),
        ("same sign-in name", join::wanted_by_others(subject, upn, join::Against::Everybody)),
    ] {
        if !rivals.is_empty() {
            return Err(join::contested(&mut draft.evidence, what, &rivals));
        }
    }
    let manager = manager::of_new(subject, draft);
    let enabled = !leaving::starts_blocked(subject);
    draft.rule = Some(JoinRule::Created);
    let step = Step::Create { attributes, immutable_id: Some(id.clone()), enabled, manager };
    draft.part(Action::Create, StepOrder::Opening, Reason::plain(Code::Provision), vec![step]);
    lifecycle::entitle_new(subject, draft);
    Ok(())
}
