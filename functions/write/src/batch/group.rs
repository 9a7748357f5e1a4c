//! The group that a step joins: its id, looked up, or made by the first who needs it.

use std::time::Duration;

use hardmatch_domain::group::{FoundGroup, GroupTarget, Nickname, nickname};
use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::tenant::{Answer, Call, Refusal, RefusalKind, Retry, TenantError};
use hardmatch_store::gate::{Taken, Wait};
use hardmatch_store::groups::GroupBinding;

use super::{BatchContext, granted};
use crate::{WriteError, WritePorts};

/// For so long a group whose making was not answered may be there without being shown (seconds).
const UNSEEN_SECONDS: i64 = 5 * 60;
/// For so long one writer makes a group (milliseconds).
const LEASE_MS: i64 = 60_000;
/// Whoever meets another writer at it looks again after this.
const MEETING: Duration = Duration::from_secs(1);

/// What is known of the group.
pub(crate) enum Which {
    /// This one.
    Is(ObjectId),
    /// Not now.
    Later(Duration),
    /// It cannot be had.
    Refused(Refusal),
}

/// The group that a target means; made when there is none.
pub(crate) async fn resolve(
    ports: &WritePorts,
    context: &BatchContext,
    target: &GroupTarget,
) -> Result<Which, WriteError> {
    if let Some(id) = &target.id {
        return Ok(Which::Is(id.clone()));
    }
    let binding = ports.store.group_binding(&ports.scope, target.kind, &target.name).await?;
    if let Some(id) = binding.id {
        return Ok(Which::Is(id));
    }
    let lease = ports.store.group_lease(&ports.scope, target.kind, &target.name);
    let now_ms = ports.clock.now().as_millisecond();
    let Taken::Ours(held) = ports.store.lease(&lease, &ports.holder, now_ms, LEASE_MS).await? else {
        return Ok(Which::Later(MEETING));
    };
    let which = make(ports, context, target).await;
    ports.store.release(held).await?;
    which
}

async fn make(ports: &WritePorts, context: &BatchContext, target: &GroupTarget) -> Result<Which, WriteError> {
    // Whoever had the lease before may have made it.
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
            let now = ports.clock.now_seconds();
            if let Some(asked) = binding.asked.filter(|asked| now - asked < UNSEEN_SECONDS) {
                let wait = u64::try_from(asked + UNSEEN_SECONDS - now).unwrap_or(1).clamp(1, 30);
                return Ok(Which::Later(Duration::from_secs(wait)));
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
            return Ok(Which::Later(Duration::from_millis(u64::try_from(wait).unwrap_or(1))));
        }
        // Noted first: should we be ended before the answer is known, nobody makes a second one at once.
        let asked = GroupBinding { asked: Some(now), ..GroupBinding::default() };
        ports.store.bind_group(&ports.scope, target.kind, &target.name, &asked).await?;
        let nickname = nickname(&target.name, unique).into();
        let call = Call::CreateGroup { name: target.name.clone(), kind: target.kind, nickname };
        let answer = ports.tenant.perform(&[call], context.lane.priority()).await.into_iter().next();
        let which = match answer {
            Some(Answer::Made(id)) => {
                // When, too: not every replica shows it at once.
                let made = GroupBinding { id: Some(id.clone()), ..asked };
                ports.store.bind_group(&ports.scope, target.kind, &target.name, &made).await?;
                return Ok(Which::Is(id));
            }
            // Nobody knows whether it was made: looked for later.
            Some(Answer::Unknown(_) | Answer::Done(_)) | None => return Ok(Which::Later(MEETING)),
            Some(Answer::Refused(refusal)) if refusal.kind == RefusalKind::Conflict && unique == Nickname::Plain => {
                continue;
            }
            Some(Answer::Refused(refusal)) => Which::Refused(refusal),
            Some(Answer::Later(later)) => Which::Later(later.after.max(MEETING)),
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
        Retry::After(wait) => Which::Later(wait),
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
