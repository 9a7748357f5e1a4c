//! What a present person is given beside the account itself: licences and memberships, by rules. Leavers are given
//! nothing; what they had of us is `lifecycle`'s to take, stage by stage.

use crate::account::Account;
use crate::case::Case;
use crate::draft::Draft;
use crate::facts::Facts;
use crate::group;
use crate::license;
use crate::link::Ledger;

/// Adds what the rules change. `account` is absent when one is created.
pub(crate) fn entitle<F: Facts>(
    case: &Case<'_, F>,
    draft: &mut Draft<'_>,
    account: Option<&Account>,
    ledger: Option<&Ledger>,
) {
    let mut licenses = license::differences(case, draft, account, ledger);
    let mut groups = group::differences(case, draft, account, ledger);
    if licenses.unknown || groups.unknown {
        // Who a rule cannot be asked about loses nothing, by whatever rule: the failed one may be theirs.
        licenses = licenses.taking_nothing();
        groups = groups.taking_nothing();
        draft.parts.retain(|part| !part.when.is_removal());
    }
    license::spread(draft, licenses);
    group::spread(draft, groups);
}
