//! Of which groups a person becomes a member, or is one no longer. Groups that Graph cannot or must not write are only
//! spoken of.

use crate::draft::{Draft, StepOrder};
use crate::facts::Facts;
use crate::person_context::PersonContext;
use crate::rules::entitlement::{Difference, Entitlement, difference};
use crate::vocabulary::account::Account;
use crate::vocabulary::change::Action;
use crate::vocabulary::evidence::EvidenceRule;
use crate::vocabulary::group::{FoundGroup, GroupLock, GroupTarget, NamedGroup};
use crate::vocabulary::ids::ObjectId;
use crate::vocabulary::link::Ledger;
use crate::vocabulary::policy::{GroupRule, Rule};
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::step::Step;

/// The groups that the connection's rules name, as far as they were looked for.
struct Memberships<'a> {
    named: &'a [NamedGroup],
}

impl Entitlement for Memberships<'_> {
    type Rule = GroupRule;
    type Thing = GroupTarget;
    type Grant = GroupTarget;

    const EVIDENCE: EvidenceRule = EvidenceRule::Groups;
    const WORD: &'static str = "group";

    fn when(rule: &GroupRule) -> &dyn Rule {
        &*rule.when
    }

    fn find(&self, rule: &GroupRule) -> Result<GroupTarget, Reason> {
        let named = self.named.iter().find(|group| *group.name == *rule.name && group.kind == rule.kind);
        let unsupported = |why: &str| Err(Reason::with(Code::UnsupportedGroupType, format!("{}{why}", rule.name)));
        let id = match named.map(|group| &group.found) {
            None => return Err(Reason::with(Code::Incomplete, format!("group {}", rule.name))),
            Some(FoundGroup::Missing) => None,
            Some(FoundGroup::Found { id, .. }) => Some(id.clone()),
            Some(FoundGroup::Several) => return Err(Reason::with(Code::AmbiguousGroup, &*rule.name)),
            Some(FoundGroup::OtherKind) => return unsupported(&format!(" is not a {} group", rule.kind.name())),
            Some(FoundGroup::Locked { lock }) => {
                return unsupported(match lock {
                    GroupLock::Dynamic => ": its members follow a rule of the tenant",
                    GroupLock::Synced => ": Entra Connect masters it",
                    GroupLock::RoleAssignable => ": its members hold directory roles",
                });
            }
        };
        Ok(GroupTarget { name: rule.name.clone(), kind: rule.kind, id })
    }

    fn is_same(one: &GroupTarget, other: &GroupTarget) -> bool {
        one == other
    }

    fn name(group: &GroupTarget) -> &str {
        &group.name
    }

    fn grant(_: &GroupRule, group: &GroupTarget) -> Result<GroupTarget, Reason> {
        Ok(group.clone())
    }

    fn has(account: &Account, group: &GroupTarget) -> bool {
        group.id.as_ref().is_some_and(|id| account.memberships.contains(id.as_str()))
    }

    fn ours(&self, ledger: &Ledger, group: &GroupTarget) -> Option<GroupTarget> {
        let ours = |id: &ObjectId| ledger.memberships.contains(id.as_str());
        group.id.as_ref().is_some_and(ours).then(|| group.clone())
    }

    fn renewed(_: GroupTarget, _: &GroupTarget) -> Option<GroupTarget> {
        None
    }
}

fn named_groups<'a, F: Facts>(subject: &PersonContext<'a, F>) -> &'a [NamedGroup] {
    subject.tenant.named_groups.get(&subject.policy.connection).map(Vec::as_slice).unwrap_or_default()
}

/// The memberships of a present person who is not leaving.
pub(crate) fn differences<F: Facts>(
    subject: &PersonContext<'_, F>,
    draft: &mut Draft<'_>,
    account: Option<&Account>,
    ledger: Option<&Ledger>,
) -> Difference<GroupTarget> {
    let groups = Memberships { named: named_groups(subject) };
    difference(subject, draft, &groups, &subject.policy.groups, (account, ledger))
}

/// The steps of a difference: a call for each group.
pub(crate) fn spread(draft: &mut Draft<'_>, found: Difference<GroupTarget>) {
    let Difference { give, take, .. } = found;
    if !give.is_empty() {
        let reason = Reason::with(Code::GroupRule, names(&give));
        let steps = give.into_iter().map(|group| Step::JoinGroup { group }).collect();
        draft.part(Action::Membership, StepOrder::Join, reason, steps);
    }
    if !take.is_empty() {
        let reason = Reason::with(Code::GroupRule, format!("{} left", names(&take)));
        draft.part(Action::Membership, StepOrder::Leave, reason, take.into_iter().filter_map(leaving).collect());
    }
}

fn leaving(group: GroupTarget) -> Option<Step> {
    Some(Step::LeaveGroup { id: group.id?, name: group.name })
}

/// Memberships we gave that the account still has: a leaver's to lose. Groups that no rule names any more are left as
/// they are, since nobody looks at them.
pub(crate) fn ours<F: Facts>(subject: &PersonContext<'_, F>, account: &Account, ledger: Option<&Ledger>) -> Vec<Step> {
    let Some(ledger) = ledger else { return Vec::new() };
    let steps = named_groups(subject).iter().filter_map(|group| match &group.found {
        FoundGroup::Found { id, .. }
            if ledger.memberships.contains(id.as_str()) && account.memberships.contains(id.as_str()) =>
        {
            Some(Step::LeaveGroup { id: id.clone(), name: group.name.clone() })
        }
        FoundGroup::Found { .. }
        | FoundGroup::Missing
        | FoundGroup::Several
        | FoundGroup::OtherKind
        | FoundGroup::Locked { .. } => None,
    });
    let mut steps: Vec<Step> = steps.collect();
    steps.dedup();
    steps
}

fn names(groups: &[GroupTarget]) -> String {
    groups.iter().map(|group| &*group.name).collect::<Vec<_>>().join(", ")
}
