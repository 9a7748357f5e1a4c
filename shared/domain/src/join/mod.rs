//! Finding the account that is the person, or saying why not.
//!
//! The order is Microsoft's own: immutable ID, then sign-in name and primary address, then nobody.
//! <https://learn.microsoft.com/entra/identity/hybrid/connect/how-to-connect-install-existing-tenant>
//! A rule whose condition fails refuses; it never falls through to "nobody".

mod claims;
mod deleted;
mod free;
mod hard;
mod linked;
mod merge;
mod rehire;
mod soft;

pub(crate) use claims::{Against, Successor, contested, successor, wanted_by_others, with_the_same_anchor};
pub(crate) use free::{Release, release};

use crate::draft::{Consent, Draft};
use crate::facts::Facts;
use crate::person_context::PersonContext;
use crate::vocabulary::account::Account;
use crate::vocabulary::change::Join;
use crate::vocabulary::ids::ImmutableId;
use crate::vocabulary::link::Link;
use crate::vocabulary::reason::{Code, Reason};

/// The verdict about one present, in-scope person.
pub(crate) enum Joining<'a> {
    /// This account is theirs.
    To(Target<'a>),
    /// No account, guest, group, contact or deleted account stands in the way of a new one.
    Nobody,
    /// Refused, held, or a repair: everything is said in the draft.
    Settled,
}

/// The joined account and how it came to be joined.
pub(crate) struct Target<'a> {
    pub(crate) account: &'a Account,
    /// The person's link, or that of the gone person whom this one continues.
    pub(crate) link: Option<&'a Link>,
    pub(crate) opening: Opening,
    /// The ID to be set with the first write.
    pub(crate) set_id: Option<ImmutableId>,
}

/// What must happen before the account can be written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// Nothing: it is linked.
    Linked,
    /// Store or confirm the link.
    Link,
    /// Claim it.
    Takeover(Consent),
    /// Bring it back, and link it.
    Restore,
}

pub(crate) fn join<'a, F: Facts>(subject: &PersonContext<'a, F>, draft: &mut Draft<'a>) -> Joining<'a> {
    match subject.facts.link(&subject.who) {
        Some(link) => linked::join(subject, draft, link),
        None => unlinked(subject, draft),
    }
}

/// Every step looks and leaves its evidence before any of them judges.
fn unlinked<'a, F: Facts>(subject: &PersonContext<'a, F>, draft: &mut Draft<'a>) -> Joining<'a> {
    let upn = match subject.name_of(subject.person) {
        Ok(upn) => upn,
        Err(error) => {
            draft.refuse(Reason::with(Code::Unknown, format!("userPrincipalName: {error}")));
            return Joining::Settled;
        }
    };
    let by_id = hard::look(subject, draft);
    let candidates = soft::look(subject, draft, upn.as_deref());
    let bin = deleted::look(subject, draft, upn.as_deref());

    if let Some(settled) = hard::judge(subject, draft, &by_id.live, &candidates) {
        return settled;
    }
    if let Some(settled) = deleted::judge_by_id(subject, draft, &by_id.deleted, &candidates, upn.as_deref()) {
        return settled;
    }
    if let Some(settled) = rehire::judge(subject, draft, &candidates) {
        return settled;
    }
    if subject.gets_nothing(subject.record) {
        return blocked_or_nothing(subject, draft, &candidates, upn.as_deref());
    }
    if let Some(settled) = soft::judge(subject, draft, &candidates, upn.as_deref()) {
        return settled;
    }
    if let Some(settled) = deleted::judge_by_name(subject, draft, &bin, upn.as_deref()) {
        return settled;
    }
    if let Some(settled) = free::judge(subject, draft, upn.as_deref()) {
        return settled;
    }
    draft.join = Some(Join::None);
    Joining::Nobody
}

/// Somebody disabled, without an account of theirs by link or ID: the account that has their name and that nobody else
/// claims is joined, and so blocked. For whatever else stands in the way they need nobody's attention: they get nothing.
fn blocked_or_nothing<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    draft: &mut Draft<'a>,
    candidates: &[soft::Candidate<'a>],
    upn: Option<&str>,
) -> Joining<'a> {
    let said = draft.reasons.len();
    if let Some(joined @ Joining::To(_)) = soft::judge(subject, draft, candidates, upn) {
        return joined;
    }
    draft.reasons.truncate(said);
    draft.parts.clear();
    draft.join = Some(Join::None);
    Joining::Nobody
}
