//! A duplicate pair: one account holds the person's ID, another their name or mailbox. Planned here, never performed.

use crate::draft::{Consent, Draft, Part, StepOrder};
use crate::facts::Facts;
use crate::person_context::PersonContext;
use crate::vocabulary::account::{Account, Authority};
use crate::vocabulary::attribute::Attributes;
use crate::vocabulary::change::{Action, Step};
use crate::vocabulary::link::JoinRule;
use crate::vocabulary::reason::{Code, Reason};

/// `holder` has the ID, `other` the name or address.
pub(super) fn plan<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    draft: &mut Draft<'a>,
    holder: &'a Account,
    other: &'a Account,
) {
    draft.show(holder);
    draft.show(other);
    let (token_store, loser) = match (!holder.licenses.is_empty(), !other.licenses.is_empty()) {
        (true, true) => {
            draft.refuse_join(Reason::with(Code::DuplicateHasData, pair(holder, other)), None);
            return;
        }
        (true, false) => (holder, other),
        (false, _) => (other, holder),
    };
    let blocked = if token_store.authority == Authority::Synced
        || (loser.authority == Authority::Synced && !subject.policy.merge_synced)
    {
        Some(Code::MasteredElsewhere)
    } else {
        [token_store, loser].into_iter().find_map(|account| subject.privileged(&account.id)).map(|reason| reason.code)
    };
    if let Some(code) = blocked {
        draft.refuse_join(Reason::with(code, pair(holder, other)), None);
        draft.code(Code::DuplicatePair);
        return;
    }
    draft.joined(JoinRule::HardMatch, token_store);
    let mut steps = Vec::new();
    if token_store.is_deleted() {
        steps.push(Step::Restore);
    }
    if token_store.immutable_id.as_ref() != subject.person.immutable_id() {
        steps.push(Step::Update {
            immutable_id: subject.person.immutable_id().cloned(),
            before: Attributes::default(),
            after: Attributes::default(),
        });
    }
    steps.push(Step::Link);
    draft.parts.push(Part {
        action: Action::Merge,
        when: StepOrder::Opening,
        consent: Consent::Repair,
        reason: Reason::with(Code::DuplicatePair, format!("keep {}, drop {}", token_store.id, loser.id)),
        steps,
    });
}

fn pair(one: &Account, other: &Account) -> String {
    format!("{} and {}", one.id, other.id)
}
