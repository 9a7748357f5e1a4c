//! Who the account's manager shall be. Managers are created before their reports; nobody waits in a circle.

use crate::assemble;
use crate::draft::{Draft, StepOrder};
use crate::facts::Facts;
use crate::person_context::{Managers, PersonContext};
use crate::rules::flow::Moment;
use crate::vocabulary::account::Account;
use crate::vocabulary::change::{Action, ManagerTarget, Step};
use crate::vocabulary::ids::{PersonKey, PersonRef};
use crate::vocabulary::person::{Manager, PersonRecord};
use crate::vocabulary::policy::{FlowWhen, WhenEmpty};
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::text::same_name;

/// How many managers above one another we follow.
const HIGHEST: u32 = 32;

/// What the source says, as far as it can be done.
pub(crate) enum Wanted {
    /// Nothing, or nothing that can be done now.
    Leave,
    /// No manager.
    Nobody,
    To(ManagerTarget),
    /// Somebody who gets an account after this person: set when both are there.
    Later(ManagerTarget),
}

/// The manager that a person's account is created with.
pub(crate) fn of_new<F: Facts>(subject: &PersonContext<'_, F>, draft: &mut Draft<'_>) -> Option<ManagerTarget> {
    match wanted(subject, draft) {
        Wanted::To(target) if subject.policy.manager.when != FlowWhen::Never => Some(target),
        Wanted::Later(target) if subject.policy.manager.when != FlowWhen::Never => {
            let steps = vec![Step::SetManager { before: None, after: Some(target) }];
            draft.part(Action::Create, StepOrder::Manager, Reason::plain(Code::Provision), steps);
            draft.code(Code::WaitsForManager);
            None
        }
        Wanted::To(_) | Wanted::Later(_) | Wanted::Nobody | Wanted::Leave => None,
    }
}

/// The manager of a person who has an account.
pub(crate) fn change<F: Facts>(
    subject: &PersonContext<'_, F>,
    draft: &mut Draft<'_>,
    account: &Account,
    moment: Moment,
) {
    match subject.policy.manager.when {
        FlowWhen::Always => {}
        FlowWhen::Initial if moment == Moment::First && account.manager.is_none() => {}
        FlowWhen::Initial | FlowWhen::Never => return,
    }
    if subject.person.manager.is_none() {
        return;
    }
    let before = account.manager.clone();
    match wanted(subject, draft) {
        Wanted::Leave => {}
        Wanted::Nobody => {
            if before.is_some() && subject.policy.manager.when_empty == WhenEmpty::Clear {
                let reason = Reason::with(Code::ManagerDiffers, "no manager");
                draft.part(Action::Update, StepOrder::Blank, reason, vec![Step::SetManager { before, after: None }]);
            }
        }
        Wanted::To(ManagerTarget::Account(id)) if before.as_ref() == Some(&id) => {}
        Wanted::To(target) | Wanted::Later(target) => {
            let steps = vec![Step::SetManager { before, after: Some(target) }];
            draft.part(Action::Update, StepOrder::Manager, Reason::plain(Code::ManagerDiffers), steps);
        }
    }
}

fn wanted<F: Facts>(subject: &PersonContext<'_, F>, draft: &mut Draft<'_>) -> Wanted {
    let key = match &subject.person.manager {
        None => return Wanted::Leave,
        Some(_) if subject.managers == Managers::Ignore => return Wanted::Leave,
        Some(Manager::Nobody) => return Wanted::Nobody,
        Some(Manager::Unknown(text)) => {
            draft.note(Reason::with(Code::ReferenceOutOfScope, text.clone()));
            return Wanted::Leave;
        }
        Some(Manager::Person(key)) => key,
    };
    let who = PersonRef { connection: subject.who.connection.clone(), key: key.clone() };
    if who == subject.who {
        draft.note(Reason::with(Code::ReferenceOutOfScope, "their own manager"));
        return Wanted::Leave;
    }
    if let Some(link) = subject.facts.link(&who) {
        let account = subject.facts.account(&link.account);
        if account.is_some_and(|account| !account.is_deleted()) {
            return Wanted::To(ManagerTarget::Account(link.account.clone()));
        }
        if account.is_some() && is_restored(subject, &who) {
            draft.after.push(who);
            return Wanted::To(ManagerTarget::Account(link.account.clone()));
        }
        draft.note(Reason::with(Code::ReferenceOutOfScope, "the manager's account is gone"));
        return Wanted::Leave;
    }
    let Some(manager) = subject.facts.person(&who).filter(|manager| subject.competes(manager)) else {
        draft.code(Code::ReferenceOutOfScope);
        return Wanted::Leave;
    };
    if !will_join(subject, manager) {
        // Refused for now: when they get an account after all, nothing about this person will have changed.
        draft.code(Code::WaitsForManager);
        return Wanted::Leave;
    }
    if let Some(entered) = draft.account.and_then(|account| account.manager.as_ref())
        && subject.draft_without_manager(manager).account.is_some_and(|theirs| theirs.id == *entered)
    {
        // The very account that the manager is about to be joined to is entered already.
        return Wanted::To(ManagerTarget::Account(entered.clone()));
    }
    // Managers of managers who are to come, too. The person with the smallest key of a circle goes first, and gets their manager last.
    let mut depth = 1;
    let mut smallest = key;
    let mut above = next(subject, manager);
    while let Some(manager) = above {
        if manager.person.key == subject.person.key {
            if subject.person.key < *smallest {
                return Wanted::Later(ManagerTarget::Person(key.clone()));
            }
            break;
        }
        depth += 1;
        if depth >= HIGHEST {
            // A circle that does not pass through us, or a very long line: the reference is set when they are there.
            draft.code(Code::WaitsForManager);
            return Wanted::Leave;
        }
        smallest = smallest.min(&manager.person.key);
        above = next(subject, manager);
    }
    if gives_up_a_name(subject, draft) {
        // The name first: the manager may be waiting for it. Then the manager, when both are there.
        return Wanted::Later(ManagerTarget::Person(key.clone()));
    }
    draft.after.push(who);
    draft.depth = draft.depth.max(depth);
    Wanted::To(ManagerTarget::Person(key.clone()))
}

/// Whether a person may give up a sign-in name. They wait for no manager before that: the manager may be waiting for the
/// name.
fn gives_up_a_name<F: Facts>(subject: &PersonContext<'_, F>, draft: &Draft<'_>) -> bool {
    let now = draft.account.and_then(Account::upn);
    let wanted = subject.policy.wanted_upn(subject.person).ok().flatten();
    now.zip(wanted.as_deref()).is_some_and(|(now, wanted)| !same_name(now, wanted))
}

/// The manager's manager, when they may be without an account too. More people than will be given one are followed:
/// a circle that is none costs a run, a circle that is overlooked would never end.
fn next<'a, F: Facts>(subject: &PersonContext<'a, F>, record: &PersonRecord) -> Option<&'a PersonRecord> {
    let key: &PersonKey = match &record.person.manager {
        Some(Manager::Person(key)) => key,
        Some(Manager::Nobody | Manager::Unknown(_)) | None => return None,
    };
    let who = PersonRef { connection: subject.who.connection.clone(), key: key.clone() };
    if subject.facts.link(&who).is_some() {
        return None;
    }
    subject.facts.person(&who).filter(|above| subject.competes(above))
}

/// Whether this plan brings a manager's account back from the recycle bin.
fn is_restored<F: Facts>(subject: &PersonContext<'_, F>, who: &PersonRef) -> bool {
    let record = subject.facts.person(who).filter(|manager| subject.competes(manager));
    record.is_some_and(|record| assemble::restores(&subject.policy.actions, subject.draft_without_manager(record)))
}

/// Whether this plan gives the person an account: they are decided as if they had no manager.
fn will_join<'a, F: Facts>(subject: &PersonContext<'a, F>, record: &'a PersonRecord) -> bool {
    assemble::gives_account(&subject.policy.actions, subject.draft_without_manager(record))
}
