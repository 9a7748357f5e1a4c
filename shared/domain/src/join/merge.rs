//! A duplicate pair: one account holds the person's ID, another their name or mailbox. Planned here, never performed.

use crate::account::{Account, Authority};
use crate::attribute::Attributes;
use crate::case::Case;
use crate::change::{Action, Step};
use crate::draft::{Consent, Draft, Part, When};
use crate::facts::Facts;
use crate::link::JoinRule;
use crate::reason::{Code, Reason};

/// `holder` has the ID, `other` the name or address.
pub(super) fn plan<'a, F: Facts>(case: &Case<'a, F>, draft: &mut Draft<'a>, holder: &'a Account, other: &'a Account) {
    draft.show(holder);
    draft.show(other);
    let (keeper, loser) = match (!holder.licences.is_empty(), !other.licences.is_empty()) {
        (true, true) => {
            draft.refuse_join(Reason::with(Code::DuplicateHasData, pair(holder, other)), None);
            return;
        }
        (true, false) => (holder, other),
        (false, _) => (other, holder),
    };
    let blocked = if keeper.authority == Authority::Synced
        || (loser.authority == Authority::Synced && !case.policy.merge_synced)
    {
        Some(Code::MasteredElsewhere)
    } else {
        [keeper, loser].into_iter().find_map(|account| case.privileged(&account.id)).map(|reason| reason.code)
    };
    if let Some(code) = blocked {
        draft.refuse_join(Reason::with(code, pair(holder, other)), None);
        draft.code(Code::DuplicatePair);
        return;
    }
    draft.joined(JoinRule::HardMatch, keeper);
    let mut steps = Vec::new();
    if keeper.is_deleted() {
        steps.push(Step::Restore);
    }
    if keeper.immutable_id.as_ref() != case.person.immutable_id() {
        steps.push(Step::Update {
            immutable_id: case.person.immutable_id().cloned(),
            before: Attributes::default(),
            after: Attributes::default(),
        });
    }
    steps.push(Step::Link);
    draft.parts.push(Part {
        action: Action::Merge,
        when: When::Opening,
        consent: Consent::Repair,
        reason: Reason::with(Code::DuplicatePair, format!("keep {}, drop {}", keeper.id, loser.id)),
        steps,
    });
}

fn pair(one: &Account, other: &Account) -> String {
    format!("{} and {}", one.id, other.id)
}
