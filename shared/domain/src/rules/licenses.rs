//! Which licences a person is given or loses. Seats are counted where a whole plan is seen; here is one person.

use crate::draft::{Draft, StepOrder};
use crate::facts::Facts;
use crate::person_context::PersonContext;
use crate::rules::entitlement::{Difference, Entitlement, difference};
use crate::vocabulary::account::Account;
use crate::vocabulary::attribute::{Attr, Texts};
use crate::vocabulary::change::Action;
use crate::vocabulary::evidence::EvidenceRule;
use crate::vocabulary::license::{License, Sku};
use crate::vocabulary::link::{Ledger, LicenseGrant};
use crate::vocabulary::policy::{LicenseRule, Rule};
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::step::Step;

/// The licences that the tenant has.
struct Licenses<'a> {
    skus: &'a [Sku],
}

impl<'a> Entitlement for Licenses<'a> {
    type Rule = LicenseRule;
    type Thing = &'a Sku;
    type Grant = License;

    const EVIDENCE: EvidenceRule = EvidenceRule::Licenses;
    const WORD: &'static str = "licence";

    fn when(rule: &LicenseRule) -> &dyn Rule {
        &*rule.when
    }

    fn find(&self, rule: &LicenseRule) -> Result<&'a Sku, Reason> {
        let named = |sku: &&Sku| sku.part_number.eq_ignore_ascii_case(&rule.sku) || sku.id == *rule.sku;
        self.skus.iter().find(named).ok_or_else(|| Reason::with(Code::LicenseUnknown, &*rule.sku))
    }

    fn is_same(one: &&'a Sku, other: &&'a Sku) -> bool {
        one.id == other.id
    }

    fn name<'t>(thing: &'t &'a Sku) -> &'t str {
        &thing.part_number
    }

    /// Service plans that stay off are named as the tenant names them.
    fn grant(rule: &LicenseRule, sku: &&'a Sku) -> Result<License, Reason> {
        let mut without = Vec::new();
        for plan in &rule.without {
            let known = sku.plans.iter().find(|known| known.name.eq_ignore_ascii_case(plan) || known.id == **plan);
            let unknown = || Reason::with(Code::LicenseUnknown, format!("{plan} in {}", sku.part_number));
            without.push(known.ok_or_else(unknown)?.id.as_str());
        }
        without.sort_unstable();
        without.dedup();
        Ok(License {
            sku: sku.id.as_str().into(),
            part_number: sku.part_number.as_str().into(),
            without: Texts::new(without),
            held: false,
            before: Texts::default(),
        })
    }

    fn has(account: &Account, sku: &&'a Sku) -> bool {
        account.licenses.contains(&sku.id)
    }

    fn ours(&self, ledger: &Ledger, sku: &&'a Sku) -> Option<License> {
        ledger.grant(&sku.id).map(|grant| named(grant, self.skus))
    }

    fn renewed(grant: License, ours: &License) -> Option<License> {
        (grant.without != ours.without).then(|| License { held: true, before: ours.without.clone(), ..grant })
    }
}

/// The licences of a present person who is not leaving. `account` is absent when one is created.
pub(crate) fn differences<F: Facts>(
    subject: &PersonContext<'_, F>,
    draft: &mut Draft<'_>,
    account: Option<&Account>,
    ledger: Option<&Ledger>,
) -> Difference<License> {
    let rules = &subject.policy.licenses;
    if rules.is_empty() {
        return Difference::none();
    }
    let Some(skus) = &subject.tenant.skus else {
        draft.note(Reason::with(Code::Incomplete, "the tenant's licences"));
        return Difference::none();
    };
    let mut found = difference(subject, draft, &Licenses { skus }, rules, (account, ledger));
    if !found.give.is_empty() && !has_usage_location(subject, account) {
        draft.note(Reason::with(Code::UsageLocationMissing, names(&found.give)));
        found.give.clear();
    }
    found
}

fn named(grant: &LicenseGrant, skus: &[Sku]) -> License {
    let part_number = skus.iter().find(|sku| sku.id == *grant.sku).map_or(&*grant.sku, |sku| sku.part_number.as_str());
    License {
        sku: grant.sku.clone(),
        part_number: part_number.into(),
        without: grant.without.clone(),
        held: false,
        before: Texts::default(),
    }
}

/// Graph gives nobody a licence whose country it does not know.
/// <https://learn.microsoft.com/graph/api/user-assignlicense>
fn has_usage_location<F: Facts>(subject: &PersonContext<'_, F>, account: Option<&Account>) -> bool {
    account.is_some_and(|account| account.attributes.filled(Attr::UsageLocation).is_some())
        || subject.policy.gives(subject.person, Attr::UsageLocation)
}

/// The steps of a difference. Exchanging one licence for another is one call, and a removal: a mailbox must not be without
/// both for a moment.
pub(crate) fn spread(draft: &mut Draft<'_>, found: Difference<License>) {
    let Difference { give, take, .. } = found;
    let (when, detail) = match (give.is_empty(), take.is_empty()) {
        (true, true) => return,
        (false, true) => (StepOrder::License, names(&give)),
        (true, false) => (StepOrder::Unlicense, format!("{} taken away", names(&take))),
        (false, false) => (StepOrder::Unlicense, format!("{} instead of {}", names(&give), names(&take))),
    };
    draft.part(Action::License, when, Reason::with(Code::LicenseRule, detail), vec![Step::SetLicenses { give, take }]);
}

/// What we gave the account and it still has: a leaver's to lose, whether or not a rule names it still.
pub(crate) fn ours<F: Facts>(
    subject: &PersonContext<'_, F>,
    account: &Account,
    ledger: Option<&Ledger>,
) -> Option<Step> {
    let skus = subject.tenant.skus.as_deref().unwrap_or_default();
    let grants = ledger.map(|ledger| ledger.licenses.as_slice()).unwrap_or_default();
    let has = |grant: &&LicenseGrant| account.licenses.contains(&grant.sku);
    let take: Vec<License> = grants.iter().filter(has).map(|grant| named(grant, skus)).collect();
    (!take.is_empty()).then_some(Step::SetLicenses { give: Vec::new(), take })
}

/// Part numbers, for a reason.
fn names(licenses: &[License]) -> String {
    licenses.iter().map(|license| &*license.part_number).collect::<Vec<_>>().join(", ")
}
