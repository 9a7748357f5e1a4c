//! A second live account of one person: one has the ID or the link, another the name or the primary address.

use std::borrow::Cow;

use crate::draft::EvidenceLog;
use crate::facts::Facts;
use crate::join::candidates::{self, Candidate};
use crate::person_context::PersonContext;
use crate::vocabulary::account::{Account, AccountKind, Authority};
use crate::vocabulary::evidence::{EvidenceRule, Found};
use crate::vocabulary::policy::SoftRule;
use crate::vocabulary::text::same_name;

/// A live soft candidate beside the account with the ID.
pub(super) fn duplicate_account<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    account: &Account,
    candidates: &[Candidate<'a>],
) -> Option<&'a Account> {
    candidates.iter().map(|candidate| candidate.account).find(|other| {
        other.id != account.id
            && other.immutable_id.is_none()
            && other.kind == AccountKind::Member
            && other.authority != Authority::Synced
            && subject.facts.link_to(&other.id).is_none()
    })
}

/// Another live account that the soft rules would find. Sign-in names and primary addresses are unique in a tenant:
/// where the linked account has them itself, nobody else does.
pub(super) fn other_live_match<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    log: &mut EvidenceLog,
    account: &Account,
) -> Option<&'a Account> {
    let mut others: Vec<Candidate<'a>> = Vec::new();
    for &rule in &subject.policy.soft {
        let (evidence, ours, theirs) = match rule {
            SoftRule::Upn => {
                let ours = subject.policy.wanted_upn(subject.person).ok().flatten();
                (EvidenceRule::Upn, ours, account.upn())
            }
            SoftRule::PrimarySmtp => {
                let ours = subject.person.addresses.primary().map(Cow::Borrowed);
                (EvidenceRule::PrimarySmtp, ours, account.primary_address())
            }
            // A number says nothing of a second account of somebody who is joined.
            SoftRule::EmployeeId => continue,
        };
        match (ours, theirs) {
            (Some(ours), Some(theirs)) if same_name(&ours, theirs) => log.saw(evidence, Found::Same),
            (None, _) => log.saw(evidence, Found::Nothing),
            (Some(ours), _) => {
                let found = candidates::by_rule(subject, rule, &ours);
                if found.is_empty() {
                    log.saw(evidence, Found::Nothing);
                }
                for other in found {
                    log.saw_at(evidence, Found::Different, &other.id, Some(&ours), None);
                    others.push(Candidate { rule, account: other });
                }
            }
        }
    }
    duplicate_account(subject, account, &others)
}
