//! Finding the account that is the person, or saying why not.
//!
//! The order is Microsoft's own: immutable ID, then sign-in name and primary address, then nobody.
//! <https://learn.microsoft.com/entra/identity/hybrid/connect/how-to-connect-install-existing-tenant>
//! A rule whose condition fails refuses; it never falls through to "nobody". The rules read the facts, write down what they
//! found and return the verdict; they change nothing else.

mod candidates;
mod claims;
mod deleted;
mod duplicate;
mod free;
mod hard;
mod linked;
mod merge;
mod outcome;
mod reanchor;
mod rehire;
mod release;
mod resemblance;
mod soft;

pub(crate) use claims::{Against, contested, wanted_by_others, with_the_same_anchor};
pub(crate) use outcome::{Joining, Next, Opening, Target};
pub(crate) use release::{Release, Waiting, release};
pub(crate) use resemblance::{Successor, successor};

use crate::draft::EvidenceLog;
use crate::facts::Facts;
use crate::join::candidates::Candidate;
use crate::join::outcome::{Newcomer, Refusal};
use crate::person_context::PersonContext;
use crate::vocabulary::reason::{Code, Reason};

pub(crate) fn join<'a, F: Facts>(subject: &PersonContext<'a, F>, log: &mut EvidenceLog) -> Joining<'a> {
    let linked = subject.facts.link(&subject.who).and_then(|link| linked::join(subject, log, link));
    linked.unwrap_or_else(|| unlinked(subject, log))
}

/// Every step looks and leaves its evidence before any of them judges.
fn unlinked<'a, F: Facts>(subject: &PersonContext<'a, F>, log: &mut EvidenceLog) -> Joining<'a> {
    let upn = match subject.name_of(subject.person) {
        Ok(upn) => upn,
        Err(error) => {
            let reason = Reason::with(Code::Unknown, format!("userPrincipalName: {error}"));
            return Joining::Refused(Refusal::not_looked(reason));
        }
    };
    let upn = upn.as_deref();
    let by_id = hard::look(subject, log);
    let candidates = candidates::look(subject, log, upn);
    let bin = deleted::look(subject, log, upn);

    if let Some(verdict) = hard::judge(subject, log, &by_id.live, &candidates) {
        return verdict;
    }
    if let Some(verdict) = deleted::judge_by_id(subject, log, &by_id.deleted, &candidates, upn) {
        return verdict;
    }
    if let Some(verdict) = rehire::judge(subject, log, &candidates) {
        return verdict;
    }
    if subject.gets_nothing(subject.record) {
        return blocked_or_nothing(subject, log, &candidates, upn);
    }
    if let Some(verdict) = soft::judge(subject, log, &candidates, upn) {
        return verdict;
    }
    if let Some(verdict) = deleted::judge_by_name(subject, log, &bin, upn) {
        return verdict;
    }
    match free::judge(subject, log, upn) {
        Ok(newcomer) => Joining::Nobody(newcomer),
        Err(refusal) => Joining::Refused(refusal),
    }
}

/// Somebody disabled, without an account of theirs by link or ID: the account that has their name and that nobody else
/// claims is joined, and so blocked. Whatever else stands in the way needs nobody's attention, since they get nothing.
fn blocked_or_nothing<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    log: &mut EvidenceLog,
    candidates: &[Candidate<'a>],
    upn: Option<&str>,
) -> Joining<'a> {
    match soft::judge(subject, log, candidates, upn) {
        Some(joined @ Joining::To(_)) => joined,
        Some(Joining::Nobody(_) | Joining::Refused(_) | Joining::Opens(_)) | None => {
            Joining::Nobody(Newcomer::default())
        }
    }
}
