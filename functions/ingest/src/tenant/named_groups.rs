//! The reading of groups that rules name: which of them were found, and how far their lists of members are read. Pure.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::group::{FoundGroup, NamedGroup};
use hardmatch_domain::ids::{ConnectionId, ObjectId};
use hardmatch_ports::run::{Collection, CollectionState};
use hardmatch_ports::tenant::Cursor;
use hardmatch_store::accounts::TenantItem;
use serde::{Deserialize, Serialize};

/// Members of a group, by their object ids.
pub(super) type Members = BTreeSet<ObjectId>;

/// The reading of the groups that rules name.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct NamedGroups {
    /// The first group that is not looked for yet, in the order of the rules.
    pub(super) next: usize,
    pub(super) found: Vec<NamedGroup>,
    /// What could not be read, for operators.
    pub(super) doubts: Vec<String>,
    /// Lists that are to be read, the next one last; `None` before all groups are looked for.
    pub(super) rosters: Option<Vec<Roster>>,
    /// Members in the lists.
    pub(super) seen: u64,
    /// Accounts whose memberships differed.
    pub(super) changed: u64,
    /// Memberships that were compared because they were noted, as group and account.
    pub(super) compared: BTreeSet<(ObjectId, ObjectId)>,
}

impl NamedGroups {
    /// The run's collection of memberships; `None` before all lists are read, and where no rule names a group.
    pub(super) fn collection(&self) -> Option<Collection> {
        let ended = self.next > 0 && self.rosters.as_ref().is_some_and(Vec::is_empty);
        ended.then(|| Collection {
            state: if self.doubts.is_empty() { CollectionState::Complete } else { CollectionState::Unknown },
            seen: self.seen,
            changed: self.changed,
            read: None,
            doubts: self.doubts.clone(),
            ..Collection::default()
        })
    }

    /// Enters the groups as they are known now: those of this connection's rules, and the same groups in the rules of other
    /// connections.
    pub(super) fn enter(&self, connection: &ConnectionId, groups: &mut BTreeMap<ConnectionId, Vec<NamedGroup>>) {
        groups.remove(connection);
        for other in groups.values_mut().flatten() {
            let same = self.found.iter().find(|group| id_of(group).is_some() && id_of(group) == id_of(other));
            if let Some(same) = same {
                other.found.clone_from(&same.found);
            }
        }
        if self.next > 0 {
            groups.insert(connection.clone(), self.found.clone());
        }
    }

    /// A list was read to its end.
    pub(super) fn listed(&mut self, group: &ObjectId, count: u64, name: &str) {
        for named in &mut self.found {
            if let FoundGroup::Found { id, members, digest } = &mut named.found
                && id == group
            {
                (*members, *digest) = (count, name.into());
            }
        }
        self.seen += count;
    }

    /// The tenant withholds the members of a group, so nothing is known of it.
    pub(super) fn withheld(&mut self, group: &ObjectId, why: &str) {
        let (of_it, others) =
            std::mem::take(&mut self.found).into_iter().partition(|named| id_of(named) == Some(group));
        self.found = others;
        let of_it: Vec<NamedGroup> = of_it;
        self.doubts.extend(of_it.iter().map(|named| format!("{}: {why}", named.name)));
    }

    /// The lists to be read: the members of each group that was found. A group that was found the last time, and that no
    /// rule means any more although its name was looked for, has no members from here on.
    pub(super) fn begin_lists(&self, had: Option<&TenantItem>, connection: &ConnectionId) -> Vec<Roster> {
        let now: BTreeSet<&ObjectId> = self.found.iter().filter_map(id_of).collect();
        let others = had.into_iter().flat_map(|had| &had.tenant.named_groups).filter(|(other, _)| *other != connection);
        let theirs: BTreeSet<&ObjectId> = others.flat_map(|(_, groups)| groups).filter_map(id_of).collect();
        // Nothing is concluded from a group that could not be looked for. A group that no rule names any more is left alone.
        let is_known = |had: &&NamedGroup| self.found.iter().any(|now| now.name == had.name && now.kind == had.kind);
        let before = had.and_then(|had| had.tenant.named_groups.get(connection)).into_iter().flatten();
        let lost: BTreeSet<&ObjectId> = before.filter(is_known).filter_map(id_of).collect();
        let lost = lost.into_iter().filter(|id| !now.contains(id) && !theirs.contains(id));
        let lost = lost.map(|id| Roster::of_nobody(id.clone()));
        lost.chain(now.iter().map(|id| Roster::begin((*id).clone()))).collect()
    }
}

fn id_of(group: &NamedGroup) -> Option<&ObjectId> {
    match &group.found {
        FoundGroup::Found { id, .. } => Some(id),
        FoundGroup::Missing | FoundGroup::Several | FoundGroup::OtherKind | FoundGroup::Locked { .. } => None,
    }
}

/// A list of members on its way into the mirror.
#[derive(Serialize, Deserialize)]
pub(super) struct Roster {
    pub(super) group: ObjectId,
    pub(super) members: Members,
    pub(super) stage: MemberReading,
}

#[derive(Serialize, Deserialize)]
pub(super) enum MemberReading {
    /// Before a page; `None` is the first.
    Listing { page: Option<Cursor> },
    /// All members are known, and accounts up to `to` are compared. `unlike`: accounts about which mirror and list
    /// disagree, and of which the mirror is believed.
    Comparing { to: Option<ObjectId>, unlike: Members },
}

impl MemberReading {
    pub(super) fn complete() -> Self {
        Self::Comparing { to: None, unlike: Members::new() }
    }
}

impl Roster {
    /// A list that is to be read.
    pub(super) fn begin(group: ObjectId) -> Self {
        Self { group, members: Members::new(), stage: MemberReading::Listing { page: None } }
    }

    /// The empty list of a group that no rule means any more.
    pub(super) fn of_nobody(group: ObjectId) -> Self {
        Self { stage: MemberReading::complete(), ..Self::begin(group) }
    }
}
