//! Who else has a claim: on an account, on an anchor, on a name.

use crate::account::{Account, AccountKind, Authority};
use crate::case::{Case, is_gone, same_name};
use crate::facts::{By, Facts, full_name, local_part};
use crate::flow;
use crate::ids::ImmutableId;
use crate::join::soft::Candidate;
use crate::link::Link;
use crate::person::{Person, PersonRecord, Standing};
use crate::reason::Code;

/// Newcomers are compared with people who have been gone for no longer than this (seconds): a source that changed its
/// keys loses the old ones when it shows the new ones, and two weeks cover a run that was held meanwhile.
const REKEY_WINDOW: i64 = 14 * 86_400;

/// Who owns an account by link.
pub(super) enum Owner<'a> {
    Nobody,
    /// Somebody who is gone, with the same anchor: this person continues them.
    Continued(&'a Link),
    /// Somebody else, for this reason.
    Refused(Code),
}

/// The owner of an account that holds the person's ID.
pub(super) fn owner<'a, F: Facts>(case: &Case<'a, F>, account: &Account) -> Owner<'a> {
    let Some(link) = case.facts.link_to(&account.id).filter(|link| link.person != case.who) else {
        return Owner::Nobody;
    };
    if link.person.connection != case.who.connection {
        return Owner::Refused(Code::ClaimedByConnection);
    }
    let Some(id) = case.person.immutable_id() else {
        return Owner::Refused(Code::LinkConflict);
    };
    let same_anchor = link.immutable_id.as_ref() == Some(id);
    match case.facts.person(&link.person) {
        Some(other) if is_gone(other) && (same_anchor || other.person.knows_anchor(id)) => Owner::Continued(link),
        None if same_anchor => Owner::Continued(link),
        Some(other) if !is_gone(other) && other.person.knows_anchor(id) => Owner::Refused(Code::Contested),
        Some(_) | None => Owner::Refused(Code::LinkConflict),
    }
}

/// Whether somebody else who is ours to manage has the same anchor, and no account that proves it theirs.
pub(crate) fn shared_anchor<F: Facts>(case: &Case<'_, F>) -> bool {
    case.person.immutable_id().is_some_and(|id| {
        case.others_with_id(id).iter().any(|other| case.competes(other) && first_is(&other.person, id))
    })
}

fn first_is(person: &Person, id: &ImmutableId) -> bool {
    person.immutable_id() == Some(id)
}

/// A live soft candidate beside the account with the ID: two accounts of one person.
pub(super) fn twin<'a, F: Facts>(
    case: &Case<'a, F>,
    account: &Account,
    candidates: &[Candidate<'a>],
) -> Option<&'a Account> {
    candidates.iter().map(|candidate| candidate.account).find(|other| {
        other.id != account.id
            && other.immutable_id.is_none()
            && other.kind == AccountKind::Member
            && other.authority != Authority::Synced
            && case.facts.link_to(&other.id).is_none()
    })
}

/// Whether somebody else who is ours to manage and has no account yet claims this one by name too.
pub(super) fn is_contested<F: Facts>(case: &Case<'_, F>, account: &Account) -> bool {
    let by_upn = account.upn().is_some_and(|upn| {
        case.others(By::Upn, upn).iter().any(|other| case.goes_by(other, upn) && is_rival(case, other))
    });
    by_upn
        || account.primary_address().is_some_and(|address| {
            let claims = |other: &&PersonRecord| {
                other.person.addresses.primary().is_some_and(|theirs| same_name(theirs, address))
            };
            case.others(By::Address, address).iter().filter(|other| claims(other)).any(|other| is_rival(case, other))
        })
}

/// A link or a hard match beats a soft match: who has either is no rival.
fn is_rival<F: Facts>(case: &Case<'_, F>, other: &PersonRecord) -> bool {
    case.competes(other)
        && case.facts.link(&other.reference()).is_none()
        && !other
            .person
            .immutable_id()
            .is_some_and(|id| case.accounts_with_id(id).iter().any(|account| !account.is_deleted()))
}

/// Whom the want of a name competes with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Against {
    /// Everybody: a newcomer yields to nobody and takes from nobody.
    Everybody,
    /// Linked people: a link beats a newcomer.
    Linked,
}

/// Whether somebody else who is ours to manage wants the same sign-in name, by whatever expression, and does not have
/// it yet. Who has it is judged as its holder; whose account keeps the name it has wants none.
pub(crate) fn wanted_by_others<F: Facts>(case: &Case<'_, F>, upn: &str, against: Against) -> bool {
    let renames = flow::renames(case.policy);
    case.others(By::Upn, upn).iter().any(|other| {
        if !case.competes(other) || !case.goes_by(other, upn) {
            return false;
        }
        match case.facts.link(&other.reference()) {
            None => against == Against::Everybody,
            Some(link) => {
                renames
                    && !case.facts.account(&link.account).is_some_and(|account| {
                        !account.is_deleted() && account.upn().is_some_and(|theirs| same_name(theirs, upn))
                    })
            }
        }
    })
}

/// The gone person whom this newcomer resembles: the source may have changed its keys.
pub(super) fn rekeyed_from<'a, F: Facts>(case: &Case<'a, F>) -> Option<&'a PersonRecord> {
    resembling(case).find(|other| {
        let recently = match other.standing {
            Standing::Absent(since) | Standing::Deleted(since) => case.now - since <= REKEY_WINDOW,
            Standing::Present | Standing::Refused => false,
        };
        recently && case.facts.link(&other.reference()).is_some()
    })
}

/// The newcomer who resembles this gone person, or who has their anchor.
pub(crate) fn rekeyed_into<'a, F: Facts>(case: &Case<'a, F>, since: i64) -> Option<&'a PersonRecord> {
    let newcomer = |other: &&PersonRecord| case.competes(other) && case.facts.link(&other.reference()).is_none();
    let by_anchor = || {
        let anchors = case.person.anchors.iter();
        anchors.flat_map(|anchor| case.others_with_id(&anchor.id)).find(newcomer)
    };
    let by_employee = || {
        let id = case.person.attributes.filled(crate::attribute::Attr::EmployeeId)?;
        case.others(By::EmployeeId, id).into_iter().find(newcomer)
    };
    by_anchor().or_else(by_employee).or_else(|| {
        if case.now - since > REKEY_WINDOW {
            return None;
        }
        resembling(case).find(newcomer)
    })
}

/// People of this connection with the same employee ID, local part or name, unless their employee IDs differ.
fn resembling<'a, F: Facts>(case: &Case<'a, F>) -> impl Iterator<Item = &'a PersonRecord> {
    use crate::attribute::Attr;
    let employee = case.person.attributes.filled(Attr::EmployeeId);
    let name = full_name(case.person);
    let keys = [
        employee.map(|id| (By::EmployeeId, id)),
        local_part(case.person).map(|local| (By::LocalPart, local)),
        name.as_deref().map(|name| (By::Name, name)),
    ];
    let mut found: Vec<&'a PersonRecord> = Vec::new();
    for (by, value) in keys.into_iter().flatten() {
        found.extend(case.others(by, value));
    }
    let connection = &case.record.connection;
    found.retain(|other| {
        let differs = match (employee, other.person.attributes.filled(Attr::EmployeeId)) {
            (Some(ours), Some(theirs)) => !ours.eq_ignore_ascii_case(theirs),
            _ => false,
        };
        !differs && other.connection == *connection
    });
    found.into_iter()
}
