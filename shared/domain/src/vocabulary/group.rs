//! Groups that rules name. A group is found by its name once and bound by its id from then on; groups that Graph cannot or
//! must not write are only spoken of.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::vocabulary::ids::ObjectId;
use crate::vocabulary::text::hex;

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
    /// The group that is meant.
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
        /// Why its members are not written.
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
            format!("{plain}-{}", hex(&digest[..4]))
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
