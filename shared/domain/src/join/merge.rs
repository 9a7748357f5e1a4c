//! A duplicate pair: one account holds the person's ID, another their name or mailbox. One account is made of the two.

use crate::draft::{Consent, EvidenceLog};
use crate::facts::Facts;
use crate::join::outcome::{Joining, Opened, Refusal};
use crate::person_context::PersonContext;
use crate::repair::sequences;
use crate::vocabulary::account::{Account, Authority};
use crate::vocabulary::change::Action;
use crate::vocabulary::ids::PersonRef;
use crate::vocabulary::link::JoinRule;
use crate::vocabulary::policy::Switch;
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::repair::{RepairKind, RepairPlan, RepairWrite};
use crate::vocabulary::step::Step;

/// `holder` has the ID, `other` the name or address. `link_from` is somebody gone whose link to the holder this person
/// continues.
pub(super) fn plan<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    log: &mut EvidenceLog,
    holder: &'a Account,
    other: &'a Account,
    link_from: Option<PersonRef>,
) -> Joining<'a> {
    log.show(holder);
    log.show(other);
    let (kept, loser) = match (!holder.licenses.is_empty(), !other.licenses.is_empty()) {
        (true, true) => {
            return Joining::Refused(Refusal::new(Reason::with(Code::DuplicateHasData, pair(holder, other))));
        }
        (true, false) => (holder, other),
        (false, _) => (other, holder),
    };
    of(subject, kept, loser, link_from)
}

/// The linked `account` shall have an ID that `holder`, in the recycle bin, keeps reserved: the linked one stays.
pub(super) fn free_id<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    log: &mut EvidenceLog,
    holder: &'a Account,
    account: &'a Account,
) -> Joining<'a> {
    log.show(holder);
    log.show(account);
    if !holder.licenses.is_empty() {
        return Joining::Refused(Refusal::new(Reason::with(Code::DuplicateHasData, pair(holder, account))));
    }
    of(subject, account, holder, None)
}

/// Makes one account of two: one is kept, and the loser goes.
fn of<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    kept: &'a Account,
    loser: &'a Account,
    link_from: Option<PersonRef>,
) -> Joining<'a> {
    let pair = || pair(kept, loser);
    let blocked = if kept.authority == Authority::Synced
        || (loser.authority == Authority::Synced && !subject.policy.merge_synced)
    {
        Some(Code::MasteredElsewhere)
    } else {
        [kept, loser].into_iter().find_map(|account| subject.privileged(&account.id)).map(|reason| reason.code)
    };
    if let Some(code) = blocked {
        let refusal = Refusal::new(Reason::with(code, pair())).also(Code::DuplicatePair);
        return Joining::Refused(refusal);
    }
    let Some(id) = subject.person.immutable_id() else {
        return Joining::Refused(Refusal::new(Reason::plain(Code::AnchorMissing)).also(Code::DuplicatePair));
    };
    // What goes may be a shared mailbox, which has no licence: an operator looks at it, whatever the switch says.
    let shared = !loser.is_deleted() && loser.enabled == Some(false) && loser.primary_address().is_some();
    let synced = loser.authority == Authority::Synced;
    let calls = match sequences::merge(subject.tenant, kept, loser, id, synced) {
        Ok(calls) => calls,
        Err(reason) => return Joining::Refused(Refusal::new(reason).also(Code::DuplicatePair)),
    };
    let purges = calls.iter().any(|call| call.write == RepairWrite::Purge);
    if purges && subject.policy.actions.purge == Switch::Off {
        let refusal = Refusal::new(Reason::with(Code::ActionOff, Action::Purge.name())).also(Code::DuplicatePair);
        return Joining::Refused(refusal);
    }
    // A deletion for good has a switch of its own.
    let asks = shared || purges && subject.policy.actions.purge != Switch::On;
    let addresses = kept.addresses().chain(loser.addresses()).map(Into::into).collect();
    let kind = if synced { RepairKind::MergeSynced } else { RepairKind::Merge };
    let plan = RepairPlan { kind, calls, people: Vec::new(), addresses };
    let steps = vec![Step::Repair(Box::new(plan)), Step::Link];
    Joining::Opens(Opened {
        account: kept,
        rule: JoinRule::HardMatch,
        action: Action::Merge,
        consent: if asks { Consent::Approval } else { Consent::Switch },
        reason: Reason::with(Code::DuplicatePair, format!("keep {}, drop {}", kept.id, loser.id)),
        steps,
        link_from,
        notes: shared.then(|| Reason::with(Code::MaybeShared, loser.id.as_str())).into_iter().collect(),
    })
}

fn pair(one: &Account, other: &Account) -> String {
    format!("{} and {}", one.id, other.id)
}
