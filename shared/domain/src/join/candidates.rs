//! The live accounts that have the person's sign-in name or primary address. Never a display name.

use crate::draft::EvidenceLog;
use crate::facts::{By, Facts};
use crate::person_context::PersonContext;
use crate::rules::likeness::{is_shared_address, is_shared_number};
use crate::vocabulary::account::Account;
use crate::vocabulary::attribute::Attr;
use crate::vocabulary::evidence::{EvidenceRule, Found};
use crate::vocabulary::policy::SoftRule;
use crate::vocabulary::text::same_name;

/// A live account that a soft rule found, once, by the first rule that found it.
pub(super) struct Candidate<'a> {
    pub(super) rule: SoftRule,
    pub(super) account: &'a Account,
}

pub(super) fn look<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    log: &mut EvidenceLog,
    upn: Option<&str>,
) -> Vec<Candidate<'a>> {
    let mut candidates: Vec<Candidate<'a>> = Vec::new();
    for &rule in &subject.policy.soft {
        let (evidence, ours) = match rule {
            SoftRule::Upn => (EvidenceRule::Upn, upn),
            SoftRule::PrimarySmtp => (EvidenceRule::PrimarySmtp, subject.person.addresses.primary()),
            SoftRule::EmployeeId => (EvidenceRule::Proof, number_of_nobody_else(subject)),
        };
        let mut found = ours.map(|ours| by_rule(subject, rule, ours)).unwrap_or_default();
        if found.is_empty() {
            log.saw(evidence, Found::Nothing);
        } else if rule == SoftRule::PrimarySmtp && ours.is_some_and(|ours| is_shared_address(subject, ours)) {
            log.saw(evidence, Found::Several);
            found.clear();
        }
        for account in found {
            log.saw_at(evidence, Found::Same, &account.id, ours, None);
            if candidates.iter().all(|candidate| candidate.account.id != account.id) {
                candidates.push(Candidate { rule, account });
            }
        }
    }
    candidates
}

/// The live accounts one soft rule finds.
pub(super) fn by_rule<'a, F: Facts>(subject: &PersonContext<'a, F>, rule: SoftRule, ours: &str) -> Vec<&'a Account> {
    let (by, theirs): (By, fn(&Account) -> Option<&str>) = match rule {
        SoftRule::Upn => (By::Upn, Account::upn),
        SoftRule::PrimarySmtp => (By::Address, Account::primary_address),
        SoftRule::EmployeeId => (By::EmployeeId, |account| account.attributes.filled(Attr::EmployeeId)),
    };
    let mut found = subject.accounts(by, ours);
    found.retain(|account| !account.is_deleted() && theirs(account).is_some_and(|theirs| same_name(theirs, ours)));
    found
}

/// The person's employee ID, where nobody else at a source has it.
fn number_of_nobody_else<'a, F: Facts>(subject: &PersonContext<'a, F>) -> Option<&'a str> {
    let number = subject.person.attributes.filled(Attr::EmployeeId)?;
    (!is_shared_number(subject, number) && subject.others(By::EmployeeId, number).is_empty()).then_some(number)
}
