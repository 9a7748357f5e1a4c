//! The decision about one person: scope → join → flow → plan. Start here.
//!
//! A decision is a pure function of recorded facts: it fails on nothing, asks nobody but [`Facts`], and changes nothing.
//! Refusals are results. The rooms behind it, in the order a person walks through them:
//! scope (`scope`), join (`join`), what is written (`flow`, `upn`, `manager`), leaving and returning (`lifecycle`),
//! a new account (`create`), and the change made of it all (`assemble`).

use crate::assemble;
use crate::draft::Draft;
use crate::facts::Facts;
use crate::facts::partial::{MissingFact, PartialFacts};
use crate::join::{self, Next};
use crate::person_context::PersonContext;
use crate::rules::create;
use crate::rules::employment;
use crate::rules::held;
use crate::rules::keep;
use crate::rules::lifecycle;
use crate::rules::scope::{self, Place};
use crate::vocabulary::change::Decision;
use crate::vocabulary::person::PersonRecord;
use crate::vocabulary::reason::{Code, Reason};

pub use crate::person_context::Context;

/// Decides one person. Same facts, same decision, in whatever order they are held.
pub fn decide(record: &PersonRecord, facts: &impl Facts, context: &Context<'_>) -> Decision {
    let subject = PersonContext::new(record, facts, context, draft);
    let mut draft = draft(&subject);
    held::respect(&subject, &mut draft);
    assemble::decision(&subject, draft)
}

/// Decides, if everything the decision asks is loaded; otherwise says what is not. Load that and try again: each round
/// asks for something new, so it ends.
pub fn attempt(
    record: &PersonRecord,
    facts: &PartialFacts,
    context: &Context<'_>,
) -> Result<Decision, Vec<MissingFact>> {
    facts.take_wants();
    let decision = decide(record, facts, context);
    let wants = facts.take_wants();
    if wants.is_empty() { Ok(decision) } else { Err(wants) }
}

/// Everything that is to be said and done about the person, before switches, approvals and holds.
fn draft<'a, F: Facts>(subject: &PersonContext<'a, F>) -> Draft<'a> {
    let mut draft = Draft::default();
    match scope::place(subject, &mut draft) {
        Place::Refused => draft.refuse(Reason::plain(Code::EntryRefused)),
        Place::Unknown(reason) => draft.refuse(reason),
        Place::Left { cause, since } => lifecycle::left(subject, &mut draft, cause, since),
        Place::Here => {
            if let Some(reason) = employment::unreadable(subject) {
                draft.refuse(reason);
                return draft;
            }
            match join::join(subject, &mut draft.evidence).say(&mut draft) {
                Next::Keep(target) => keep::keep(subject, &mut draft, &target),
                Next::AfterReanchoring(account) => keep::tell_what_differs(subject, &mut draft, account),
                Next::Create => create::create(subject, &mut draft),
                Next::Nothing => {}
            }
            employment::look_again(subject, &mut draft);
        }
    }
    draft
}
