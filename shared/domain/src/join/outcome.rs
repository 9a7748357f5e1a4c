//! What the joining rules return. One place, `Joining::say`, turns it into the draft of a decision.

use crate::draft::{Consent, Draft, Part, StepOrder};
use crate::vocabulary::account::Account;
use crate::vocabulary::change::{Action, Join};
use crate::vocabulary::ids::{ImmutableId, ObjectId, PersonRef};
use crate::vocabulary::link::{JoinRule, Link};
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::step::Step;

/// The verdict about one present, in-scope person.
pub(crate) enum Joining<'a> {
    /// This account is theirs, and is written as policy says.
    To(Target<'a>),
    /// No account, guest, group, contact or deleted account stands in the way of a new one.
    Nobody(Newcomer),
    /// A rule's condition failed: nothing is written.
    Refused(Refusal<'a>),
    /// The account is theirs, and before anything else can be decided one opening must be done.
    Opens(Opened<'a>),
}

/// The joined account and how it came to be joined.
pub(crate) struct Target<'a> {
    pub(crate) account: &'a Account,
    pub(crate) rule: JoinRule,
    /// The person's link, or that of the gone person whom this one continues.
    pub(crate) link: Option<&'a Link>,
    pub(crate) opening: Opening,
    /// The ID to be set with the first write.
    pub(crate) set_id: Option<ImmutableId>,
    /// The person whose link ends when this person's is stored.
    pub(crate) link_from: Option<PersonRef>,
    /// What the operator is told beside the join.
    pub(crate) notes: Vec<Reason>,
}

impl<'a> Target<'a> {
    pub(super) fn new(account: &'a Account, rule: JoinRule, opening: Opening) -> Self {
        Self { account, rule, link: None, opening, set_id: None, link_from: None, notes: Vec::new() }
    }
}

/// What must happen before the account can be written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// Nothing: it is linked.
    Linked,
    /// Store or confirm the link.
    Link,
    /// Claim the account.
    Takeover(Consent),
    /// Bring it back, and link it.
    Restore,
}

/// Somebody who has no account, and may have one.
#[derive(Default)]
pub(crate) struct Newcomer {
    /// Who gives up a sign-in name in this plan that the newcomer waits for.
    pub(crate) after: Vec<PersonRef>,
    /// What the operator is told besides.
    pub(crate) notes: Vec<Reason>,
}

/// Why nobody is joined, or why a join stands and nothing is written.
pub(crate) struct Refusal<'a> {
    join: Join,
    /// The account that is the person's by link all the same.
    account: Option<&'a Account>,
    /// The main reason first.
    reasons: Vec<Reason>,
}

impl<'a> Refusal<'a> {
    /// Refused, and no single account is meant.
    pub(crate) fn new(reason: Reason) -> Self {
        Self { join: Join::Refused { account: None }, account: None, reasons: vec![reason] }
    }

    /// Nothing was looked for, because nobody knows what to look for.
    pub(crate) fn not_looked(reason: Reason) -> Self {
        Self { join: Join::NotLooked, ..Self::new(reason) }
    }

    /// The refusal is about this object of the tenant.
    pub(crate) fn about(mut self, id: Option<ObjectId>) -> Self {
        self.join = Join::Refused { account: id };
        self
    }

    /// The account stays the person's, by this rule.
    pub(crate) fn stays_joined(mut self, rule: JoinRule, account: &'a Account) -> Self {
        self.join = Join::Joined { rule, account: account.id.clone() };
        self.account = Some(account);
        self
    }

    /// The account is the person's by link, whatever the join says.
    pub(crate) fn of_linked(mut self, account: &'a Account) -> Self {
        self.account = Some(account);
        self
    }

    /// One more reason, after the main one.
    pub(crate) fn also(mut self, code: Code) -> Self {
        self.reasons.push(Reason::plain(code));
        self
    }
}

/// An opening that stands alone: a restore that shows what the account may do, a re-anchoring, a merge, a purge.
pub(crate) struct Opened<'a> {
    pub(crate) account: &'a Account,
    pub(crate) rule: JoinRule,
    pub(crate) action: Action,
    pub(crate) consent: Consent,
    pub(crate) reason: Reason,
    pub(crate) steps: Vec<Step>,
    /// The person whose link ends when this person's is stored.
    pub(crate) link_from: Option<PersonRef>,
    /// What the operator is told besides.
    pub(crate) notes: Vec<Reason>,
}

/// A refusal about one account.
pub(super) fn refused<'a>(reason: Reason, account: &Account) -> Joining<'a> {
    Joining::Refused(Refusal::new(reason).about(Some(account.id.clone())))
}

/// What remains to be planned when the join is said.
pub(crate) enum Next<'a> {
    Keep(Target<'a>),
    Create,
    /// The account gets another ID first; what else differs is written when that is done.
    AfterReanchoring(&'a Account),
    Nothing,
}

impl<'a> Joining<'a> {
    /// Says the join in the draft, and gives back what is to be planned for it.
    pub(crate) fn say(self, draft: &mut Draft<'a>) -> Next<'a> {
        match self {
            Joining::To(mut target) => {
                draft.joined(target.rule, target.account);
                draft.link_from = target.link_from.take();
                draft.note_all(std::mem::take(&mut target.notes));
                Next::Keep(target)
            }
            Joining::Nobody(newcomer) => {
                draft.join = Some(Join::None);
                draft.after.extend(newcomer.after);
                draft.note_all(newcomer.notes);
                Next::Create
            }
            Joining::Refused(refusal) => {
                draft.account = refusal.account;
                draft.join = Some(refusal.join);
                draft.note_all(refusal.reasons);
                Next::Nothing
            }
            Joining::Opens(opened) => {
                let Opened { account, rule, action, consent, reason, steps, link_from, notes } = opened;
                draft.joined(rule, account);
                draft.link_from = link_from;
                draft.note_all(notes);
                draft.parts.push(Part { action, when: StepOrder::Opening, consent, reason, steps });
                if action == Action::Repair { Next::AfterReanchoring(account) } else { Next::Nothing }
            }
        }
    }
}
