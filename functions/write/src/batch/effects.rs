//! What must be stored because of one person's step, as data. [`super::commit`] writes it, in the order of the fields.

use hardmatch_domain::account::Account;
use hardmatch_domain::change::Step;
use hardmatch_domain::ids::{ObjectId, PersonRef};
use hardmatch_domain::link::Link;
use hardmatch_domain::refused::Refused;
use hardmatch_ports::run::{Outcome, OutcomeKind};
use hardmatch_ports::tenant::Refusal;
use hardmatch_store::Stored;
use hardmatch_store::accounts::AccountItem;
use jiff::Timestamp;

use super::mirror;
use crate::binding::Binding;

/// What one person's task leaves to be stored, in the order in which it is written.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// What is true of the tenant now, and what is said of the change, whatever is decided next. May be repeated.
    pub(crate) facts: Facts,
    /// The account's link: stored unless another writer claimed the account.
    pub(crate) claim: Option<Claim>,
    /// The link that ends.
    pub(crate) unlinked: Option<Link>,
    /// What leads to the link, and rests on the claim.
    pub(crate) pointers: Pointers,
    /// The change: stored unless a newer decision replaced it.
    pub(crate) journal: Journal,
    /// The revision of the mark that is not needed any more. Left behind it costs a look, nothing else.
    pub(crate) clear_mark: Option<u64>,
    /// What became of the change, when it is finished or waits.
    pub(crate) outcome: Option<OutcomeKind>,
    /// What the answer says of the lane and its tenant.
    pub(crate) lane: LaneEffects,
}

/// Facts of one person.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// The account as the step left it.
    pub(crate) mirror: Option<Mirror>,
    /// A membership, as group and account, that is compared with the group's members at the next look.
    pub(crate) membership: Option<(ObjectId, ObjectId)>,
    /// The removals wait at the gate.
    pub(crate) held: bool,
    /// What was refused, so that it is not asked for every night.
    pub(crate) refused: Option<Refused>,
    /// What became of a change that waits.
    pub(crate) said: Option<Outcome>,
    /// The person is decided again.
    pub(crate) mark: bool,
}

/// What a step does to the mirror of an account.
#[derive(Debug)]
pub(crate) enum Mirror {
    /// The account is as the step left it.
    After(Box<Written>),
    /// The account is gone for good.
    Forget(Box<Account>),
}

/// An account that was written: what it takes to say again how the step left it, should an observation have come between.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) id: ObjectId,
    pub(crate) step: Step,
    /// The answer to a creation.
    pub(crate) made: Option<Account>,
    /// The account or group that the step names.
    pub(crate) other: Option<ObjectId>,
    pub(crate) at: Timestamp,
    /// The mirror as it was read before the step was sent.
    pub(crate) before: Option<Stored<AccountItem>>,
}

impl Written {
    /// The mirror after the step, over what is known of the account. An account that is not mirrored stays so, unless the
    /// step made it.
    pub(crate) fn over(&self, before: Option<&AccountItem>) -> Option<AccountItem> {
        let now = self.at.as_second();
        if matches!(self.step, Step::Create { .. }) {
            let mut account = mirror::created(&self.step, self.made.clone(), self.id.clone(), self.other.clone());
            if let Some(before) = before {
                account.memberships.clone_from(&before.account.memberships);
            }
            let base = AccountItem { account, wrote: None };
            return Some(mirror::after(&base, &self.step, None, now, &self.at.to_string()));
        }
        before.map(|item| mirror::after(item, &self.step, self.other.as_ref(), now, &self.at.to_string()))
    }
}

/// A link, and the one that it replaces.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) had: Option<Stored<Link>>,
    pub(crate) link: Link,
}

/// What leads from people to accounts.
#[derive(Debug, Default)]
pub(crate) struct Pointers {
    /// The person whose account is another's from now on.
    pub(crate) ended: Option<PersonRef>,
    /// The person and their account.
    pub(crate) made: Option<(PersonRef, ObjectId)>,
}

/// What becomes of the stored change.
#[derive(Debug, Default)]
pub(crate) enum Journal {
    /// It stays as it is stored.
    #[default]
    Same,
    /// It is stored as the task has it now.
    Put,
    /// It ends with this.
    End(Box<Outcome>),
}

/// What an answer says of the lane and its tenant.
#[derive(Debug, Default)]
pub(crate) struct LaneEffects {
    /// The tenant asked for no call before (Unix milliseconds).
    pub(crate) closed_until_ms: Option<i64>,
    /// What was learnt of managers in creations.
    pub(crate) binding: Option<Binding>,
    /// The tenant does not take the application's credentials.
    pub(crate) locked_out: Option<Refusal>,
}
