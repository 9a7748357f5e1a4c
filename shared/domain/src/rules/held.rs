//! What an open repair holds is touched by nobody else: its people get no other change, and nobody is given one of its
//! accounts, IDs, names or addresses until it is closed.

use crate::draft::Draft;
use crate::facts::Facts;
use crate::person_context::PersonContext;
use crate::repair::holds::{OpenRepair, RepairHold, touches};
use crate::vocabulary::reason::{Code, Reason};

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
