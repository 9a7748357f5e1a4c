//! Proof of identity: whether an account is the person's, whatever its name says. A link proves it too; see `join`.

use crate::draft::EvidenceLog;
use crate::facts::{By, Facts};
use crate::person_context::PersonContext;
use crate::rules::likeness::{given_names_differ, is_shared_number};
use crate::vocabulary::account::Account;
use crate::vocabulary::attribute::{Attr, Attributes};
use crate::vocabulary::change::{EvidenceRule, Found};
use crate::vocabulary::text::{lookup_form, same_number};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Proof {
    /// It is the person's.
    Proven,
    /// It is somebody else's.
    Contradicted,
    /// Neither.
    Open,
}

/// A known anchor proves identity; so does an independent attribute that is filled and unique on both sides. An
/// independent attribute that is filled on both sides and differs contradicts it, whatever else agrees. One that
/// cannot be looked up yet on both sides cannot be shown to be unique: it can contradict, not prove.
pub(crate) fn of<F: Facts>(subject: &PersonContext<'_, F>, log: &mut EvidenceLog, account: &Account) -> Proof {
    let known = account.immutable_id.as_ref().is_some_and(|id| {
        subject.person.anchors.iter().any(|anchor| anchor.id == *id || anchor.id.text_order_twin().as_ref() == Some(id))
    });
    if known {
        log.saw_at(EvidenceRule::Proof, Found::Same, &account.id, Some("known anchor"), None);
        return Proof::Proven;
    }
    let mut proof = Proof::Open;
    for &attr in &subject.policy.prove {
        let (Some(ours), Some(theirs)) = (subject.person.attributes.filled(attr), account.attributes.filled(attr))
        else {
            continue;
        };
        // A number that a spreadsheet may have altered, or that is on everybody, proves nothing and contradicts nothing.
        let altered = attr == Attr::EmployeeId && !ours.eq_ignore_ascii_case(theirs) && same_number(ours, theirs);
        if altered || (attr == Attr::EmployeeId && is_shared_number(subject, ours)) {
            log.saw_at(EvidenceRule::Proof, Found::Unknown, &account.id, Some(ours), Some(theirs));
            continue;
        }
        if !ours.eq_ignore_ascii_case(theirs) {
            log.saw_at(EvidenceRule::Proof, Found::Different, &account.id, Some(ours), Some(theirs));
            return Proof::Contradicted;
        }
        let known = subject.tenant.can_look_up(&subject.record.connection, attr);
        let unique = known && is_unique(subject, attr, ours, account);
        let found = match (known, unique) {
            (true, true) => Found::Same,
            (true, false) => Found::Several,
            (false, _) => Found::Unknown,
        };
        log.saw_at(EvidenceRule::Proof, found, &account.id, Some(ours), Some(theirs));
        if unique {
            proof = Proof::Proven;
        }
    }
    proof
}

/// Whether the independent attributes say outright that the account is somebody else's.
pub(crate) fn contradicts<F: Facts>(subject: &PersonContext<'_, F>, log: &mut EvidenceLog, account: &Account) -> bool {
    of(subject, log, account) == Proof::Contradicted
}

/// Whether the given names say that the account is somebody else's.
pub(crate) fn is_called_otherwise<F: Facts>(
    subject: &PersonContext<'_, F>,
    log: &mut EvidenceLog,
    account: &Account,
) -> bool {
    let differs = given_names_differ(subject.person, account);
    if differs {
        let name = |attributes: &Attributes| {
            attributes.filled(Attr::GivenName).or_else(|| attributes.filled(Attr::DisplayName)).map(str::to_owned)
        };
        let (ours, theirs) = (name(&subject.person.attributes), name(&account.attributes));
        log.saw_at(EvidenceRule::Proof, Found::Different, &account.id, ours.as_deref(), theirs.as_deref());
    }
    differs
}

/// Whether nobody else at the source and no other account has the value. What was found is compared itself: a look-up
/// may be left over from before.
fn is_unique<F: Facts>(subject: &PersonContext<'_, F>, attr: Attr, value: &str, account: &Account) -> bool {
    let by = By::proof(attr);
    let has = |attributes: &Attributes| {
        attributes.filled(attr).is_some_and(|theirs| lookup_form(theirs) == lookup_form(value))
    };
    let ours = &subject.record.connection;
    !subject.others(by, value).iter().any(|other| other.connection == *ours && has(&other.person.attributes))
        && !subject.accounts(by, value).iter().any(|other| other.id != account.id && has(&other.attributes))
}

/// The person's employee ID, when the policy lets it prove identity.
pub(crate) fn proving_employee_id<'a, F: Facts>(subject: &PersonContext<'a, F>) -> Option<&'a str> {
    let proves = subject.policy.prove.contains(&Attr::EmployeeId);
    subject.person.attributes.filled(Attr::EmployeeId).filter(|id| proves && !is_shared_number(subject, id))
}
