//! The groups that steps join by name: looked up, or made by the first person who needs one.

use std::collections::BTreeMap;

use hardmatch_domain::change::Step;
use hardmatch_domain::group::{FoundGroup, GroupKind, GroupTarget, Nickname, nickname};
use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::tenant::{Answer, Call, Refusal, RefusalKind, Retry, TenantError};
use hardmatch_store::PersonHash;
use hardmatch_store::gate::Wait;
use hardmatch_store::groups::GroupBinding;
use hardmatch_store::leases::TakeLease;

use super::context::BatchContext;
use super::load::{Snapshot, Which};
use super::prepare::is_as_decided;
use super::send::granted;
use crate::task::{Next, Task};
use crate::timing::{TIMING, millis};
use crate::{WriteError, WritePorts};

/// Finds the groups that the next steps of the tasks join by name, each once, and makes those that do not exist.
pub(crate) async fn resolve(
    ports: &WritePorts,
    context: &BatchContext,
    tasks: &[Task],
    snapshot: &mut Snapshot,
) -> Result<(), WriteError> {
    let mut wanted: BTreeMap<(GroupKind, &str), (&GroupTarget, Vec<PersonHash>)> = BTreeMap::new();
    for task in tasks {
        let Some(Step::JoinGroup { group }) = task.step() else { continue };
        if group.id.is_none() && task.next(context.phase) == Next::Send && is_as_decided(task, context, snapshot) {
            wanted.entry((group.kind, &group.name)).or_insert((group, Vec::new())).1.push(task.pid);
        }
    }
    let mut refused = Vec::new();
    for (target, people) in wanted.into_values() {
        let which = find(ports, context, target).await?;
        if matches!(which, Which::Refused(_)) {
            refused.extend(people);
        }
        snapshot.groups.insert(target, which);
    }
    let Some(task) = tasks.first() else { return Ok(()) };
    let refusals = ports.store.refusals(&task.open.change.person.connection, &refused).await?;
    snapshot.refusals.extend(refusals);
    Ok(())
}

/// The group that a target means; made when there is none.
async fn find(ports: &WritePorts, context: &BatchContext, target: &GroupTarget) -> Result<Which, WriteError> {
    let binding = ports.store.group_binding(&ports.scope, target.kind, &target.name).await?;
    if let Some(id) = binding.id {
        return Ok(Which::Is(id));
    }
    let lease = ports.store.group_lease(&ports.scope, target.kind, &target.name);
    let now_ms = ports.clock.now().as_millisecond();
    let TakeLease::Taken(held) = ports.store.lease(&lease, &ports.holder, now_ms, millis(TIMING.group_lease)).await?
    else {
        return Ok(Which::Later(millis(TIMING.group_wait)));
    };
    let which = make(ports, context, target).await;
    ports.store.release(held).await?;
    which
}

async fn make(ports: &WritePorts, context: &BatchContext, target: &GroupTarget) -> Result<Which, WriteError> {
    // The holder of the lease before may have made it.
    let binding = ports.store.group_binding(&ports.scope, target.kind, &target.name).await?;
    if let Some(id) = binding.id {
        return Ok(Which::Is(id));
    }
    let found = match ports.tenant.find_groups(&target.name).await {
        Ok(groups) => FoundGroup::among(&groups, target.kind),
        Err(error) => return Ok(failed(error)),
    };
    match found {
        FoundGroup::Found { id, .. } => bound(ports, target, id).await,
        FoundGroup::Missing => {
            let (now, unseen) = (ports.clock.now_seconds(), millis(TIMING.group_unseen) / 1000);
            if let Some(asked) = binding.asked.filter(|asked| now - asked < unseen) {
                let wait = (asked + unseen - now).clamp(1, 30);
                return Ok(Which::Later(wait * 1000));
            }
            create(ports, context, target, now).await
        }
        FoundGroup::Several => Ok(refused(RefusalKind::GroupType, "More than one group has the name.")),
        FoundGroup::OtherKind | FoundGroup::Locked { .. } => Ok(refused(
            RefusalKind::GroupType,
            "The group of that name is of another kind, or its members are not ours.",
        )),
    }
}

async fn create(
    ports: &WritePorts,
    context: &BatchContext,
    target: &GroupTarget,
    now: i64,
) -> Result<Which, WriteError> {
    for unique in [Nickname::Plain, Nickname::Unique] {
        if let Err(Wait(wait)) = granted(ports, context, 1).await? {
            return Ok(Which::Later(wait));
        }
        // Noted first: should this process end before the answer is known, no writer makes a second one at once.
        let asked = GroupBinding { asked: Some(now), ..GroupBinding::default() };
        ports.store.bind_group(&ports.scope, target.kind, &target.name, &asked).await?;
        let nickname = nickname(&target.name, unique).into();
        let call = Call::CreateGroup { name: target.name.clone(), kind: target.kind, nickname };
        let answer = ports.tenant.perform(&[call], context.lane.priority()).await.into_iter().next();
        let which = match answer {
            Some(Answer::Made(id)) => {
                // With the time: not every replica shows it at once.
                let made = GroupBinding { id: Some(id.clone()), ..asked };
                ports.store.bind_group(&ports.scope, target.kind, &target.name, &made).await?;
                return Ok(Which::Is(id));
            }
            // It is not known whether the group was made: it is looked for later.
            Some(Answer::Unknown(_) | Answer::Done(_)) | None => return Ok(Which::Later(millis(TIMING.group_wait))),
            Some(Answer::Refused(refusal)) if refusal.kind == RefusalKind::Conflict && unique == Nickname::Plain => {
                continue;
            }
            Some(Answer::Refused(refusal)) => Which::Refused(refusal),
            Some(Answer::Later(later)) => Which::Later(millis(later.after.max(TIMING.group_wait))),
            Some(Answer::NotFound) => refused(RefusalKind::Other, "The tenant does not take groups here."),
        };
        ports.store.bind_group(&ports.scope, target.kind, &target.name, &GroupBinding::default()).await?;
        return Ok(which);
    }
    Ok(refused(RefusalKind::Conflict, "The group's mail nickname is taken."))
}

async fn bound(ports: &WritePorts, target: &GroupTarget, id: ObjectId) -> Result<Which, WriteError> {
    let binding = GroupBinding { id: Some(id.clone()), ..GroupBinding::default() };
    ports.store.bind_group(&ports.scope, target.kind, &target.name, &binding).await?;
    Ok(Which::Is(id))
}

fn failed(error: TenantError) -> Which {
    let kind = if error.is_credentials() {
        RefusalKind::Credentials
    } else if error.is_forbidden() {
        RefusalKind::Forbidden
    } else {
        RefusalKind::Other
    };
    let TenantError { retry, status, code, message, request_id } = error;
    match retry {
        Retry::After(wait) => Which::Later(millis(wait)),
        Retry::Never | Retry::FromTheStart => {
            Which::Refused(Refusal { kind, status, code, message, request_id, conflict: None, property: None })
        }
    }
}

fn refused(kind: RefusalKind, message: &str) -> Which {
    Which::Refused(Refusal {
        kind,
        status: 0,
        code: "group".to_owned(),
        message: message.to_owned(),
        request_id: String::new(),
        conflict: None,
        property: None,
    })
}
