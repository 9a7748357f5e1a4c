//! A re-anchoring: an account that is the person's gets another immutable ID.

use crate::draft::Consent;
use crate::facts::Facts;
use crate::join::outcome::{Joining, Opened, Refusal};
use crate::person_context::PersonContext;
use crate::vocabulary::account::Account;
use crate::vocabulary::attribute::Attributes;
use crate::vocabulary::change::Action;
use crate::vocabulary::ids::PersonRef;
use crate::vocabulary::link::JoinRule;
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::step::Step;
use crate::vocabulary::values;

/// One write in a managed domain, a repair sequence in a federated one. `then` are the steps after the ID is set.
pub(super) fn set_id<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    (rule, account): (JoinRule, &'a Account),
    reason: Reason,
    then: Vec<Step>,
    link_from: Option<PersonRef>,
) -> Joining<'a> {
    let refused = |reason| Joining::Refused(Refusal::new(reason).stays_joined(rule, account));
    let Some(id) = subject.person.immutable_id() else { return refused(Reason::plain(Code::AnchorMissing)) };
    if let Some(problem) = values::id_problem(id) {
        return refused(Reason::with(Code::InvalidValue, format!("onPremisesImmutableId {problem}")));
    }
    let federated = account.upn().is_some_and(|upn| subject.is_federated(upn));
    let consent = if federated { Consent::Repair } else { Consent::Switch };
    let notes = if federated { vec![Reason::plain(Code::RepairNeeded)] } else { Vec::new() };
    let mut steps = Vec::with_capacity(then.len() + 2);
    if account.is_deleted() {
        steps.push(Step::Restore);
    }
    steps.push(Step::Update {
        immutable_id: Some(id.clone()),
        before: Attributes::default(),
        after: Attributes::default(),
    });
    steps.extend(then);
    Joining::Opens(Opened { account, rule, action: Action::Repair, consent, reason, steps, link_from, notes })
}
