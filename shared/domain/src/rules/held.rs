//! What an open repair holds is touched by nobody else: its people get no other change, and nobody is given one of its
//! accounts, IDs, names or addresses until it is closed.

use crate::draft::Draft;
use crate::facts::Facts;
use crate::person_context::PersonContext;
use crate::repair::holds::{OpenRepair, RepairHold};
use crate::vocabulary::attribute::{Attr, Attributes};
use crate::vocabulary::ids::ImmutableId;
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::repair::RepairWrite;
use crate::vocabulary::step::Step;
use crate::vocabulary::text::lookup_form;

pub(crate) fn respect<F: Facts>(subject: &PersonContext<'_, F>, draft: &mut Draft<'_>) {
    if subject.repairs.0.is_empty() {
        return;
    }
    if let Some(repair) = subject.repairs.holder(&RepairHold::Person(subject.who.clone())) {
        draft.refuse(reason(repair));
        return;
    }
    if draft.parts.is_empty() {
        return;
    }
    let mut touched: Vec<RepairHold> = Vec::new();
    touched.extend(draft.account.map(|account| RepairHold::Account(account.id.clone())));
    touched.extend(draft.link_from.clone().map(RepairHold::Person));
    for step in draft.parts.iter().flat_map(|part| &part.steps) {
        touches(step, &mut touched);
    }
    if let Some(repair) = touched.iter().find_map(|what| subject.repairs.holder(what)) {
        draft.refuse(Reason::with(Code::HeldByRepair, &*repair.id));
    }
}

fn reason(repair: &OpenRepair) -> Reason {
    let code = if repair.blocked { Code::RollbackBlocked } else { Code::HeldByRepair };
    Reason::with(code, &*repair.id)
}

/// What a step would write or claim that a repair may hold.
fn touches(step: &Step, touched: &mut Vec<RepairHold>) {
    let mut names = |attributes: &Attributes| {
        for attr in [Attr::UserPrincipalName, Attr::Mail] {
            touched.extend(attributes.filled(attr).map(|name| RepairHold::Name(lookup_form(name))));
        }
    };
    match step {
        Step::Create { attributes, immutable_id, .. } => {
            names(attributes);
            touched.extend(immutable_id.clone().map(RepairHold::Id));
        }
        Step::Update { immutable_id, after, .. } => {
            names(after);
            touched.extend(immutable_id.clone().map(RepairHold::Id));
        }
        Step::Rename { after, .. } => touched.push(RepairHold::Name(lookup_form(after))),
        Step::Purge { account } => touched.push(RepairHold::Account(account.clone())),
        Step::Repair(plan) => {
            touched.extend(plan.people.iter().cloned().map(RepairHold::Person));
            for call in &plan.calls {
                touched.push(RepairHold::Account(call.account.clone()));
                match &call.write {
                    RepairWrite::Upn { after, .. } => touched.push(RepairHold::Name(lookup_form(after))),
                    RepairWrite::Id { before, after } => {
                        let ids = [before, after].into_iter().flatten();
                        touched.extend(ids.map(|id: &ImmutableId| RepairHold::Id(id.clone())));
                    }
                    RepairWrite::Delete | RepairWrite::Restore { .. } | RepairWrite::Purge => {}
                }
            }
        }
        Step::ClearId { before } => touched.push(RepairHold::Id(before.clone())),
        Step::Link
        | Step::Unlink
        | Step::SetEnabled { .. }
        | Step::RevokeSessions
        | Step::SetManager { .. }
        | Step::SetLicenses { .. }
        | Step::JoinGroup { .. }
        | Step::LeaveGroup { .. }
        | Step::Restore
        | Step::Delete { .. } => {}
    }
}
