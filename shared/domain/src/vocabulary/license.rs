//! Licences: what the tenant has bought, and what a person is given of it or taken. Seats are counted where a whole plan
//! is seen; here is one person.

use serde::{Deserialize, Serialize};

use crate::draft::{Draft, StepOrder};
use crate::facts::Facts;
use crate::person_context::PersonContext;
use crate::rules::flow;
use crate::vocabulary::account::Account;
use crate::vocabulary::attribute::{Attr, Texts};
use crate::vocabulary::change::{Action, EvidenceRule, Step};
use crate::vocabulary::link::{Ledger, LicenseGrant};
use crate::vocabulary::policy::LicenseRule;
use crate::vocabulary::reason::{Code, Reason};

/// A licence the tenant has. <https://learn.microsoft.com/graph/api/resources/subscribedsku>
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sku {
    /// GUID.
    pub id: String,
    /// `SPE_E3` and the like.
    pub part_number: String,
    /// Bought and usable.
    pub seats: i64,
    /// In use.
    pub used: i64,
    /// What it consists of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<ServicePlan>,
}

impl Sku {
    /// How many more people can be given it.
    pub fn free(&self) -> u64 {
        u64::try_from(self.seats.saturating_sub(self.used)).unwrap_or(0)
    }
}

/// A part of a licence that can be switched off for a person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServicePlan {
    /// GUID.
    pub id: String,
    /// `EXCHANGE_S_ENTERPRISE` and the like.
    pub name: String,
}

/// A licence as a step gives or takes it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct License {
    /// The SKU's id.
    pub sku: Box<str>,
    /// Its part number, for people.
    pub part_number: Box<str>,
    /// Ids of the service plans that stay off, sorted.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub without: Texts,
    /// The account has it already, with other plans: no seat is needed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
}

/// What the licence rules want of a person, compared with what the account has.
pub(crate) struct Wanted {
    give: Vec<License>,
    take: Vec<License>,
    /// A rule could not be evaluated: nothing is removed.
    pub(crate) unknown: bool,
}

impl Wanted {
    /// Without what would be taken away.
    pub(crate) fn taking_nothing(self) -> Self {
        Self { take: Vec::new(), ..self }
    }
}

/// The licences of a present person who is not leaving. `account` is absent when one is created.
pub(crate) fn differences<F: Facts>(
    subject: &PersonContext<'_, F>,
    draft: &mut Draft<'_>,
    account: Option<&Account>,
    ledger: Option<&Ledger>,
) -> Wanted {
    let mut wanted = Wanted { give: Vec::new(), take: Vec::new(), unknown: false };
    if subject.policy.licenses.is_empty() {
        return wanted;
    }
    let Some(skus) = &subject.tenant.skus else {
        draft.note(Reason::with(Code::Incomplete, "the tenant's licences"));
        return wanted;
    };
    // The first rule that fits names the plans; a licence that any rule wants is wanted.
    let mut seen: Vec<(&str, Option<License>)> = Vec::new();
    for rule in &subject.policy.licenses {
        let Some(sku) = skus.iter().find(|sku| sku.part_number.eq_ignore_ascii_case(&rule.sku) || sku.id == *rule.sku)
        else {
            draft.note(Reason::with(Code::LicenseUnknown, &*rule.sku));
            continue;
        };
        let at = seen.iter().position(|(id, _)| *id == sku.id).unwrap_or_else(|| {
            seen.push((&sku.id, None));
            seen.len() - 1
        });
        match rule.when.test(subject.person) {
            Err(error) => {
                wanted.unknown = true;
                draft.note(Reason::with(Code::Unknown, format!("licence {}: {error}", sku.part_number)));
            }
            Ok(true) if seen[at].1.is_none() => {
                draft.saw_rule(EvidenceRule::Licenses, &format!("{} by {}", sku.part_number, rule.when.text()));
                seen[at].1 = license(draft, rule, sku);
                // What the rule gives is not known: nothing is taken because of that.
                wanted.unknown |= seen[at].1.is_none();
            }
            Ok(_) => {}
        }
    }
    for (id, license) in seen {
        let has = account.is_some_and(|account| account.licenses.contains(id));
        let ours = ledger.and_then(|ledger| ledger.grant(id)).filter(|_| has);
        match (license, ours) {
            (Some(license), None) if !has => wanted.give.push(license),
            (Some(license), Some(grant)) if grant.without != license.without => {
                wanted.give.push(License { held: true, ..license });
            }
            (None, Some(grant)) => wanted.take.push(named(grant, skus)),
            (Some(_), _) | (None, None) => {}
        }
    }
    if !wanted.give.is_empty() && !has_usage_location(subject, account) {
        draft.note(Reason::with(Code::UsageLocationMissing, names(&wanted.give)));
        wanted.give.clear();
    }
    wanted
}

/// What a rule gives of a licence; plans are named as the tenant names them.
fn license(draft: &mut Draft<'_>, rule: &LicenseRule, sku: &Sku) -> Option<License> {
    let mut without = Vec::new();
    for plan in &rule.without {
        let known = sku.plans.iter().find(|known| known.name.eq_ignore_ascii_case(plan) || known.id == **plan);
        let Some(known) = known else {
            draft.note(Reason::with(Code::LicenseUnknown, format!("{plan} in {}", sku.part_number)));
            return None;
        };
        without.push(known.id.as_str());
    }
    without.sort_unstable();
    without.dedup();
    Some(License {
        sku: sku.id.as_str().into(),
        part_number: sku.part_number.as_str().into(),
        without: Texts::new(without),
        held: false,
    })
}

fn named(grant: &LicenseGrant, skus: &[Sku]) -> License {
    let part_number = skus.iter().find(|sku| sku.id == *grant.sku).map_or(&*grant.sku, |sku| sku.part_number.as_str());
    License { sku: grant.sku.clone(), part_number: part_number.into(), without: grant.without.clone(), held: false }
}

/// Graph gives nobody a licence whose country it does not know.
/// <https://learn.microsoft.com/graph/api/user-assignlicense>
fn has_usage_location<F: Facts>(subject: &PersonContext<'_, F>, account: Option<&Account>) -> bool {
    account.is_some_and(|account| account.attributes.filled(Attr::UsageLocation).is_some())
        || flow::gives(subject.policy, subject.person, Attr::UsageLocation)
}

/// The steps of these differences. Exchanging one licence for another is one call, and a removal: a mailbox must not be
/// without both for a moment.
pub(crate) fn spread(draft: &mut Draft<'_>, wanted: Wanted) {
    let Wanted { give, take, .. } = wanted;
    if give.is_empty() && take.is_empty() {
        return;
    }
    let (when, reason) = if take.is_empty() {
        (StepOrder::License, Reason::with(Code::LicenseRule, names(&give)))
    } else if give.is_empty() {
        (StepOrder::Unlicense, Reason::with(Code::LicenseRule, format!("{} taken away", names(&take))))
    } else {
        (StepOrder::Unlicense, Reason::with(Code::LicenseRule, format!("{} instead of {}", names(&give), names(&take))))
    };
    draft.part(Action::License, when, reason, vec![Step::SetLicenses { give, take }]);
}

/// What we gave the account and it still has: a leaver's to lose.
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
pub(crate) fn names(licenses: &[License]) -> String {
    licenses.iter().map(|license| &*license.part_number).collect::<Vec<_>>().join(", ")
}
