//! Groups that rules name: found once by name, by id from then on, and their lists of members one after the other. What
//! cannot be read is left out: nobody joins or leaves a group of which nothing is known.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::group::{FoundGroup, GroupKind, NamedGroup};
use hardmatch_domain::ids::{ConnectionId, ObjectId};
use hardmatch_domain::policy::Policy;
use hardmatch_ports::run::{Collection, CollectionState};
use hardmatch_store::accounts::TenantItem;
use hardmatch_store::groups::GroupBinding;
use serde::{Deserialize, Serialize};

use crate::TenantPorts;
use crate::tenant::dirty::{Marks, Stopped};
use crate::tenant::members::{Roster, Step, follow};
use crate::tenant::mirror::STALE_SECONDS;
use crate::tenant::progress::{Checkpoint, TenantProgress};
use crate::tenant::round::{describe, is_withheld};

/// Notes of memberships that are forgotten between two looks at the time.
const FORGOTTEN: usize = 500;

/// How far the reading of groups has come.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct NamedGroups {
    /// The first group that is not looked for yet, in the order of the rules.
    next: usize,
    found: Vec<NamedGroup>,
    /// What could not be read.
    doubts: Vec<String>,
    /// Lists that are to be read, the next one last; `None` before all groups are looked for.
    rosters: Option<Vec<Roster>>,
    /// Members in the lists.
    pub(crate) seen: u64,
    /// Accounts whose memberships differed.
    pub(crate) changed: u64,
    /// Memberships that were compared because they were noted, as group and account.
    pub(crate) compared: BTreeSet<(ObjectId, ObjectId)>,
}

impl NamedGroups {
    /// In the run's words.
    pub(crate) fn collection(&self) -> Option<Collection> {
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

    /// Enters what is known now, for this connection's rules; and of the same groups for others'.
    pub(crate) fn enter(&self, connection: &ConnectionId, groups: &mut BTreeMap<ConnectionId, Vec<NamedGroup>>) {
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
    pub(crate) fn listed(&mut self, group: &ObjectId, count: u64, name: &str) {
        for named in &mut self.found {
            if let FoundGroup::Found { id, members, digest } = &mut named.found
                && id == group
            {
                (*members, *digest) = (count, name.into());
            }
        }
        self.seen += count;
    }

    /// Nothing is known of a group whose members are withheld.
    pub(crate) fn withheld(&mut self, group: &ObjectId, why: &str) {
        let (of_it, others) =
            std::mem::take(&mut self.found).into_iter().partition(|named| id_of(named) == Some(group));
        self.found = others;
        let of_it: Vec<NamedGroup> = of_it;
        self.doubts.extend(of_it.iter().map(|named| format!("{}: {why}", named.name)));
    }

    /// The lists to be read: the members of each group that was found, and nobody for those that were found the last
    /// time and are not the ones any more.
    fn begin_lists(&self, had: Option<&TenantItem>, connection: &ConnectionId) -> Vec<Roster> {
        let now: BTreeSet<&ObjectId> = self.found.iter().filter_map(id_of).collect();
        let others = had.into_iter().flat_map(|had| &had.tenant.named_groups).filter(|(other, _)| *other != connection);
        let theirs: BTreeSet<&ObjectId> = others.flat_map(|(_, groups)| groups).filter_map(id_of).collect();
        // Of whom nothing could be learnt nothing is concluded, and whom no rule names any more nobody looks at.
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

/// Groups that rules name, each once.
fn wanted(policy: &Policy) -> Vec<(&str, GroupKind)> {
    let mut wanted = Vec::new();
    for rule in &policy.groups {
        if !wanted.contains(&(&*rule.name, rule.kind)) {
            wanted.push((&*rule.name, rule.kind));
        }
    }
    wanted
}

/// Looks for the groups that rules name, and brings the memberships of accounts to what their lists say.
pub(crate) async fn observe_named(
    ports: &TenantPorts,
    policy: &Policy,
    had: Option<&TenantItem>,
    marks: &mut Marks<'_>,
    reading: &mut TenantProgress,
    checkpoint: &mut Checkpoint<'_>,
) -> Result<(), Stopped> {
    let wanted = wanted(policy);
    while let Some(&(name, kind)) = wanted.get(reading.named.next) {
        let found = look_for(ports, name, kind).await?;
        let named = &mut reading.named;
        match found {
            Ok(found) => named.found.push(NamedGroup { name: name.into(), kind, found }),
            Err(why) => named.doubts.push(format!("{name}: {why}")),
        }
        named.next += 1;
        checkpoint.unit(reading).await?;
    }
    if reading.named.rosters.is_none() {
        reading.named.rosters = Some(reading.named.begin_lists(had, &policy.connection));
    }
    let mut stored = None;
    while let Some(mut roster) = reading.named.rosters.as_mut().and_then(Vec::pop) {
        let step = follow(ports, &mut roster, had, &mut stored, marks, &mut reading.named).await;
        match step {
            Ok(Step::Ended) => stored = None,
            // Whatever went wrong, this one is not done.
            Ok(Step::On) | Err(_) => reading.named.rosters.get_or_insert_default().push(roster),
        }
        step?;
        checkpoint.unit(reading).await?;
    }
    Ok(())
}

/// Forgets the notes of memberships that were compared, once what was compared is stored.
pub(crate) async fn forget_compared(
    ports: &TenantPorts,
    reading: &mut TenantProgress,
    checkpoint: &mut Checkpoint<'_>,
) -> Result<(), Stopped> {
    while !reading.named.compared.is_empty() {
        let some: Vec<_> = reading.named.compared.iter().take(FORGOTTEN).cloned().collect();
        ports.store.forget_memberships(&ports.scope, &some).await?;
        for pair in &some {
            reading.named.compared.remove(pair);
        }
        if !reading.named.compared.is_empty() {
            checkpoint.unit(reading).await?;
        }
    }
    Ok(())
}

/// The group that a name means: the one it was bound to, whatever that is called by now; else the one of that name, to
/// which it is bound from here on. The error is why the tenant withholds it.
async fn look_for(ports: &TenantPorts, name: &str, kind: GroupKind) -> Result<Result<FoundGroup, String>, Stopped> {
    let binding = ports.store.group_binding(&ports.scope, kind, name).await?;
    if let Some(id) = &binding.id {
        match ports.tenant.group(id).await {
            Ok(Some(group)) => return Ok(Ok(FoundGroup::among(&[group], kind))),
            // Made a moment ago, and not shown by every replica yet.
            Ok(None) if binding.asked.is_some_and(|asked| ports.clock.now_seconds() - asked < STALE_SECONDS) => {
                return Ok(Ok(FoundGroup::Found { id: id.clone(), members: 0, digest: "".into() }));
            }
            Ok(None) => {
                tracing::info!(group.id = %id, "a group that a rule names is gone; it is looked for by its name");
                let nothing = GroupBinding { id: None, ..binding };
                ports.store.bind_group(&ports.scope, kind, name, &nothing).await?;
            }
            Err(error) if is_withheld(&error) => return Ok(Err(describe(&error))),
            Err(error) => return Err(error.into()),
        }
    }
    let found = match ports.tenant.groups_named(name).await {
        Ok(groups) => FoundGroup::among(&groups, kind),
        Err(error) if is_withheld(&error) => return Ok(Err(describe(&error))),
        Err(error) => return Err(error.into()),
    };
    if let FoundGroup::Found { id, .. } = &found {
        let bound = GroupBinding { id: Some(id.clone()), ..GroupBinding::default() };
        ports.store.bind_group(&ports.scope, kind, name, &bound).await?;
    }
    Ok(Ok(found))
}
