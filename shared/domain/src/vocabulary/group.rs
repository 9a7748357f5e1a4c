//! Groups that rules name, and who is to be a member. A group is found by its name once and bound by its id from then
//! on; groups that Graph cannot or must not write are only spoken of.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::draft::{Draft, StepOrder};
use crate::facts::Facts;
use crate::person_context::PersonContext;
use crate::vocabulary::account::Account;
use crate::vocabulary::change::{Action, EvidenceRule, Step};
use crate::vocabulary::ids::ObjectId;
use crate::vocabulary::link::Ledger;
use crate::vocabulary::reason::{Code, Reason};

/// Which kind of group a rule asks for. <https://learn.microsoft.com/graph/api/group-post-groups>
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupKind {
    /// With mailbox and site.
    Microsoft365,
    /// For rights only.
    Security,
}

impl GroupKind {
    /// As operators write it.
    pub fn name(self) -> &'static str {
        match self {
            GroupKind::Microsoft365 => "microsoft365",
            GroupKind::Security => "security",
        }
    }
}

/// A group of the tenant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Group {
    /// Its object id.
    pub id: ObjectId,
    /// `displayName`.
    pub name: Box<str>,
    /// What kind it is; `None`: distribution lists and mail-enabled security groups, which belong to Exchange.
    pub kind: Option<GroupKind>,
    /// What, if anything, keeps us from writing its members.
    pub locked: Option<GroupLock>,
}

/// Why a group's members are not ours to write. <https://learn.microsoft.com/graph/api/group-post-members>
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupLock {
    /// A rule of the tenant decides who is a member.
    Dynamic,
    /// Entra Connect masters it.
    Synced,
    /// Its members hold directory roles: never by rule.
    RoleAssignable,
}

/// A group that a rule names, as the tenant has it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NamedGroup {
    /// As the rule names it.
    pub name: Box<str>,
    /// As the rule asks for it.
    pub kind: GroupKind,
    /// What was found.
    pub found: FoundGroup,
}

/// What became of the search for a group by its name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum FoundGroup {
    /// There is none: the first member makes it.
    Missing,
    /// This one.
    Found {
        /// Its object id.
        id: ObjectId,
        /// How many members it has.
        members: u64,
        /// Names the list of members: the same list has the same digest.
        #[serde(default)]
        digest: Box<str>,
    },
    /// More than one fits.
    Several,
    /// Of another kind, or Exchange's.
    OtherKind,
    /// Its members are not ours to write.
    Locked {
        /// Why.
        lock: GroupLock,
    },
}

impl FoundGroup {
    /// The one group that is meant: among all of that name, those of the kind asked for. Upper and lower case do not
    /// count, as nobody could tell the groups apart.
    pub fn among(groups: &[Group], kind: GroupKind) -> FoundGroup {
        let mut fitting = groups.iter().filter(|group| group.kind == Some(kind));
        match (fitting.next(), fitting.next()) {
            (Some(_), Some(_)) => FoundGroup::Several,
            (Some(group), None) => match group.locked {
                Some(lock) => FoundGroup::Locked { lock },
                None => FoundGroup::Found { id: group.id.clone(), members: 0, digest: "".into() },
            },
            (None, _) if groups.is_empty() => FoundGroup::Missing,
            (None, _) => FoundGroup::OtherKind,
        }
    }
}

/// The group that a step joins: its id, or what it takes to find or make it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct GroupTarget {
    /// As the rule names it.
    pub name: Box<str>,
    /// As the rule asks for it.
    pub kind: GroupKind,
    /// Its object id; `None` while it does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ObjectId>,
}

/// A mail nickname for a group of that name: letters and digits that every tenant takes. The plain one first; where it is
/// taken, one that nobody else has. <https://learn.microsoft.com/graph/api/group-post-groups>
pub fn nickname(name: &str, unique: Nickname) -> String {
    let mut plain: String = name.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    plain.make_ascii_lowercase();
    if plain.is_empty() {
        plain.push_str("group");
    }
    match unique {
        Nickname::Plain => plain,
        Nickname::Unique => {
            let digest = Sha256::digest(name.as_bytes());
            format!("{plain}-{}", crate::plan::hex(&digest[..4]))
        }
    }
}

/// Which mail nickname.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Nickname {
    /// Like the name.
    Plain,
    /// With a digest of the name.
    Unique,
}

/// The memberships that the group rules want of a person, compared with what the account has.
pub(crate) struct Wanted {
    join: Vec<GroupTarget>,
    leave: Vec<GroupTarget>,
    /// A rule could not be evaluated: nothing is removed.
    pub(crate) unknown: bool,
}

impl Wanted {
    /// Without what would be taken away.
    pub(crate) fn taking_nothing(self) -> Self {
        Self { leave: Vec::new(), ..self }
    }
}

/// The memberships of a present person who is not leaving.
pub(crate) fn differences<F: Facts>(
    subject: &PersonContext<'_, F>,
    draft: &mut Draft<'_>,
    account: Option<&Account>,
    ledger: Option<&Ledger>,
) -> Wanted {
    let mut wanted = Wanted { join: Vec::new(), leave: Vec::new(), unknown: false };
    // Several rules may name one group: whoever any of them wants is a member.
    let mut seen: Vec<(GroupTarget, bool)> = Vec::new();
    for rule in &subject.policy.groups {
        let target = match found(subject, &rule.name, rule.kind) {
            None => Err(Reason::with(Code::Incomplete, format!("group {}", rule.name))),
            Some(FoundGroup::Missing) => Ok(None),
            Some(FoundGroup::Found { id, .. }) => Ok(Some(id.clone())),
            Some(FoundGroup::Several) => Err(Reason::with(Code::AmbiguousGroup, &*rule.name)),
            Some(FoundGroup::OtherKind) => {
                let asked = rule.kind.name();
                Err(Reason::with(Code::UnsupportedGroupType, format!("{} is not a {asked} group", rule.name)))
            }
            Some(FoundGroup::Locked { lock }) => {
                let why = match lock {
                    GroupLock::Dynamic => "its members follow a rule of the tenant",
                    GroupLock::Synced => "Entra Connect masters it",
                    GroupLock::RoleAssignable => "its members hold directory roles",
                };
                Err(Reason::with(Code::UnsupportedGroupType, format!("{}: {why}", rule.name)))
            }
        };
        let id = match target {
            Ok(id) => id,
            Err(reason) => {
                draft.note(reason);
                continue;
            }
        };
        let target = GroupTarget { name: rule.name.clone(), kind: rule.kind, id };
        let at = seen.iter().position(|(other, _)| *other == target).unwrap_or_else(|| {
            seen.push((target, false));
            seen.len() - 1
        });
        match rule.when.test(subject.person) {
            Ok(true) => {
                draft.saw_rule(EvidenceRule::Groups, &format!("{} by {}", rule.name, rule.when.text()));
                seen[at].1 = true;
            }
            Ok(false) => {}
            Err(error) => {
                wanted.unknown = true;
                draft.note(Reason::with(Code::Unknown, format!("group {}: {error}", rule.name)));
            }
        }
    }
    for (target, member) in seen {
        let id = target.id.as_ref().map(ObjectId::as_str);
        let is = id.is_some_and(|id| account.is_some_and(|account| account.memberships.contains(id)));
        let ours = is && id.is_some_and(|id| ledger.is_some_and(|ledger| ledger.memberships.contains(id)));
        match (member, is, ours) {
            (true, false, _) => wanted.join.push(target),
            (false, _, true) => wanted.leave.push(target),
            (true, true, _) | (false, _, false) => {}
        }
    }
    wanted
}

fn found<'a, F: Facts>(subject: &PersonContext<'a, F>, name: &str, kind: GroupKind) -> Option<&'a FoundGroup> {
    let named = subject.tenant.named_groups.get(&subject.policy.connection)?;
    named.iter().find(|group| *group.name == *name && group.kind == kind).map(|group| &group.found)
}

/// The steps of these differences: a call for each group.
pub(crate) fn spread(draft: &mut Draft<'_>, wanted: Wanted) {
    let Wanted { join, leave, .. } = wanted;
    if !join.is_empty() {
        let reason = Reason::with(Code::GroupRule, names(&join));
        let steps = join.into_iter().map(|group| Step::JoinGroup { group }).collect();
        draft.part(Action::Membership, StepOrder::Join, reason, steps);
    }
    if !leave.is_empty() {
        let reason = Reason::with(Code::GroupRule, format!("{} left", names(&leave)));
        draft.part(Action::Membership, StepOrder::Leave, reason, leave.into_iter().filter_map(leaving).collect());
    }
}

fn leaving(group: GroupTarget) -> Option<Step> {
    Some(Step::LeaveGroup { id: group.id?, name: group.name })
}

/// Memberships we gave that the account still has: a leaver's to lose. Groups that no rule names any more are left as
/// they are, since nobody looks at them.
pub(crate) fn ours<F: Facts>(subject: &PersonContext<'_, F>, account: &Account, ledger: Option<&Ledger>) -> Vec<Step> {
    let Some(ledger) = ledger else { return Vec::new() };
    let named = subject.tenant.named_groups.get(&subject.policy.connection).map(Vec::as_slice).unwrap_or_default();
    let steps = named.iter().filter_map(|group| match &group.found {
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
