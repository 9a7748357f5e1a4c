//! What a present person is given beside the account itself: licences and memberships, by rules. Leavers are given
//! nothing; what they had of us is `lifecycle`'s to take, stage by stage.

use std::sync::Arc;

use crate::draft::Draft;
use crate::facts::Facts;
use crate::person_context::PersonContext;
use crate::rules::{licenses, memberships};
use crate::vocabulary::account::Account;
use crate::vocabulary::link::Ledger;
use crate::vocabulary::policy::Rule;

/// Adds what the rules change. `account` is absent when one is created.
pub(crate) fn entitle<F: Facts>(
    subject: &PersonContext<'_, F>,
    draft: &mut Draft<'_>,
    account: Option<&Account>,
    ledger: Option<&Ledger>,
) {
    let mut given = licenses::differences(subject, draft, account, ledger);
    let mut joined = memberships::differences(subject, draft, account, ledger);
    if given.unknown || joined.unknown {
        // Who a rule cannot be asked about loses nothing, by whatever rule: the failed one may be theirs.
        given = given.taking_nothing();
        joined = joined.taking_nothing();
        draft.parts.retain(|part| !part.when.is_removal());
    }
    licenses::spread(draft, given);
    memberships::spread(draft, joined);
}

/// Whether the rules give the person anything, or may, or we gave them something.
pub(crate) fn concerns<F: Facts>(subject: &PersonContext<'_, F>, ledger: Option<&Ledger>) -> bool {
    let may = |rule: &Arc<dyn Rule>| rule.test(subject.person).unwrap_or(true);
    subject.policy.licenses.iter().any(|license| may(&license.when))
        || subject.policy.groups.iter().any(|group| may(&group.when))
        || ledger.is_some_and(|ledger| !(ledger.licenses.is_empty() && ledger.memberships.is_empty()))
}
