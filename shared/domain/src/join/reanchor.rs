//! A re-anchoring: an account that is the person's gets another immutable ID.

use crate::draft::Consent;
use crate::facts::Facts;
use crate::join::outcome::{Joining, Opened, Refusal};
use crate::person_context::PersonContext;
use crate::repair::sequences;
use crate::vocabulary::account::Account;
use crate::vocabulary::change::Action;
use crate::vocabulary::ids::PersonRef;
use crate::vocabulary::link::JoinRule;
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::repair::{RepairKind, RepairPlan};
use crate::vocabulary::step::Step;
use crate::vocabulary::values;

/// One write in a managed domain, three in a federated one. `then` are the steps after the ID is set.
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
    let kind = match (&link_from, &account.immutable_id) {
        (Some(_), _) => RepairKind::Rehire,
        (None, Some(_)) => RepairKind::ReplaceId,
        (None, None) => RepairKind::SetId,
    };
    let calls = if account.is_deleted() {
        sequences::restore_with_id(subject.tenant, account, id)
    } else {
        sequences::set_id(subject.tenant, account, Some(id))
    };
    let calls = match calls {
        Ok(calls) => calls,
        Err(reason) => return refused(reason),
    };
    let plan = RepairPlan { kind, calls, people: Vec::new(), addresses: account.addresses().map(Into::into).collect() };
    let mut steps = vec![Step::Repair(Box::new(plan))];
    steps.extend(then);
    Joining::Opens(Opened {
        account,
        rule,
        action: Action::Repair,
        consent: Consent::Switch,
        reason,
        steps,
        link_from,
        notes: Vec::new(),
    })
}
