//! A duplicate pair: one account holds the person's ID, another their name or mailbox. Planned here, never performed.

use crate::draft::{Consent, EvidenceLog};
use crate::facts::Facts;
use crate::join::outcome::{Joining, Opened, Refusal};
use crate::person_context::PersonContext;
use crate::vocabulary::account::{Account, Authority};
use crate::vocabulary::attribute::Attributes;
use crate::vocabulary::change::Action;
use crate::vocabulary::link::JoinRule;
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::step::Step;

/// `holder` has the ID, `other` the name or address.
pub(super) fn plan<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    log: &mut EvidenceLog,
    holder: &'a Account,
    other: &'a Account,
) -> Joining<'a> {
    log.show(holder);
    log.show(other);
    let (keeper, loser) = match (!holder.licenses.is_empty(), !other.licenses.is_empty()) {
        (true, true) => {
            return Joining::Refused(Refusal::new(Reason::with(Code::DuplicateHasData, pair(holder, other))));
        }
        (true, false) => (holder, other),
        (false, _) => (other, holder),
    };
    let blocked = if keeper.authority == Authority::Synced
        || (loser.authority == Authority::Synced && !subject.policy.merge_synced)
    {
        Some(Code::MasteredElsewhere)
    } else {
        [keeper, loser].into_iter().find_map(|account| subject.privileged(&account.id)).map(|reason| reason.code)
    };
    if let Some(code) = blocked {
        let refusal = Refusal::new(Reason::with(code, pair(holder, other))).also(Code::DuplicatePair);
        return Joining::Refused(refusal);
    }
    let mut steps = Vec::new();
    if keeper.is_deleted() {
        steps.push(Step::Restore);
    }
    if keeper.immutable_id.as_ref() != subject.person.immutable_id() {
        steps.push(Step::Update {
            immutable_id: subject.person.immutable_id().cloned(),
            before: Attributes::default(),
            after: Attributes::default(),
        });
    }
    steps.push(Step::Link);
    Joining::Opens(Opened {
        account: keeper,
        rule: JoinRule::HardMatch,
        action: Action::Merge,
        consent: Consent::Repair,
        reason: Reason::with(Code::DuplicatePair, format!("keep {}, drop {}", keeper.id, loser.id)),
        steps,
        link_from: None,
        notes: Vec::new(),
    })
}

fn pair(one: &Account, other: &Account) -> String {
    format!("{} and {}", one.id, other.id)
}
