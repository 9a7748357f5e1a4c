//! Groups that rules name: found once by name, by id from then on, and their lists of members one after the other. A group
//! that cannot be read is left out: nobody joins or leaves a group of which nothing is known.

use hardmatch_domain::group::{FoundGroup, GroupKind, NamedGroup};
use hardmatch_domain::ids::{Guid, ObjectId};
use hardmatch_domain::policy::Policy;
use hardmatch_store::accounts::TenantItem;
use hardmatch_store::groups::GroupBinding;

use super::checkpoint::ReadingCheckpoint;
use super::dirty::DirtyMarks;
use super::members::{ListStep, follow_list};
use super::mirror::STALE_SECONDS;
use super::progress::TenantProgress;
use super::stop::{TenantStop, describe, is_withheld};
use crate::ports::TenantPorts;

/// Notes of memberships that are forgotten between two looks at the deadline.
const FORGOTTEN: usize = 500;

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

/// Looks for the groups that rules name, and brings the memberships of the mirror to what their lists of members say.
pub(super) async fn observe_groups(
    ports: &TenantPorts,
    policy: &Policy,
    had: Option<&TenantItem>,
    marks: &mut DirtyMarks<'_>,
    reading: &mut TenantProgress,
    checkpoint: &mut ReadingCheckpoint<'_>,
) -> Result<(), TenantStop> {
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
        let step = follow_list(ports, &mut roster, had, &mut stored, marks, &mut reading.named).await;
        match step {
            Ok(ListStep::Ended) => stored = None,
            // This list is not at its end.
            Ok(ListStep::More) | Err(_) => reading.named.rosters.get_or_insert_default().push(roster),
        }
        step?;
        checkpoint.unit(reading).await?;
    }
    Ok(())
}

/// Forgets the notes of memberships that were compared. To be called once the comparison is stored.
pub(super) async fn forget_compared(
    ports: &TenantPorts,
    reading: &mut TenantProgress,
    checkpoint: &mut ReadingCheckpoint<'_>,
) -> Result<(), TenantStop> {
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

/// The group that a rule's name means: the group that the name is bound to, whatever that group is called by now; else the
/// group of that name, to which the name is bound from here on. The inner error says why the tenant withholds it.
async fn look_for(ports: &TenantPorts, name: &str, kind: GroupKind) -> Result<Result<FoundGroup, String>, TenantStop> {
    if Guid::parse(name).is_some() {
        return look_at(ports, &ObjectId::new(name), kind).await;
    }
    let binding = ports.store.group_binding(&ports.scope, kind, name).await?;
    if let Some(id) = &binding.id {
        match ports.tenant.group(id).await {
            Ok(Some(group)) => return Ok(Ok(FoundGroup::among(&[group], kind))),
            // The group was created a moment ago, and not every replica shows it yet.
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

/// The group that a rule means by its id. There is nothing to be made where it is gone: nobody knows what it was.
async fn look_at(
    ports: &TenantPorts,
    id: &ObjectId,
    kind: GroupKind,
) -> Result<Result<FoundGroup, String>, TenantStop> {
    match ports.tenant.group(id).await {
        Ok(Some(group)) => Ok(Ok(FoundGroup::among(&[group], kind))),
        Ok(None) => Ok(Err("the tenant has no group of this id; correct `name` of the [[group]]".to_owned())),
        Err(error) if is_withheld(&error) => Ok(Err(describe(&error))),
        Err(error) => Err(error.into()),
    }
}
