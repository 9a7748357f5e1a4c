//! The call that a step asks for. The step says everything but the account and the manager's account. Pure.

use hardmatch_domain::attribute::{Attr, Attributes};
use hardmatch_domain::change::Step;
use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::tenant::Call;

use crate::binding::Binding;
use crate::task::Task;

/// The call of the present step; `other` is the account or group that it names. `None` when the step writes nothing, or names
/// an account that is not there.
pub(crate) fn of_step(task: &Task, other: Option<ObjectId>, binding: Binding) -> Option<Call> {
    let account = task.account().cloned();
    match task.step()?.clone() {
        Step::Create { attributes, immutable_id, enabled, .. } => {
            let password = task.password.clone()?;
            let manager = other.filter(|_| takes_manager(task, binding));
            Some(Call::Create { attributes, immutable_id, enabled, manager, password })
        }
        // A repair makes its calls itself.
        Step::Link | Step::Unlink | Step::Repair(_) => None,
        Step::ClearId { .. } => {
            Some(Call::Update { account: account?, immutable_id: Some(None), attributes: Attributes::default() })
        }
        Step::Update { immutable_id, after, .. } => {
            Some(Call::Update { account: account?, immutable_id: immutable_id.map(Some), attributes: after })
        }
        Step::Rename { after, .. } => {
            let attributes = Attributes::from_pairs([(Attr::UserPrincipalName, after.as_ref())]);
            Some(Call::Update { account: account?, immutable_id: None, attributes })
        }
        Step::SetEnabled { after, .. } => Some(Call::SetEnabled { account: account?, enabled: after }),
        Step::RevokeSessions => Some(Call::RevokeSessions { account: account? }),
        Step::SetManager { after, .. } => match (after, other) {
            (Some(_), None) => None,
            (None, _) => Some(Call::SetManager { account: account?, manager: None }),
            (Some(_), Some(manager)) => Some(Call::SetManager { account: account?, manager: Some(manager) }),
        },
        Step::SetLicenses { give, take } => {
            let take = take.into_iter().map(|license| license.sku).collect();
            Some(Call::SetLicenses { account: account?, give, take })
        }
        Step::JoinGroup { .. } => Some(Call::AddMember { group: other?, account: account? }),
        Step::LeaveGroup { id, .. } => Some(Call::RemoveMember { group: id, account: account? }),
        Step::Restore => Some(Call::Restore { account: account?, upn: None }),
        Step::Delete { .. } => Some(Call::Delete { account: account? }),
        Step::Purge { account } => Some(Call::Purge { account }),
    }
}

/// Whether the manager goes with the creation.
pub(crate) fn takes_manager(task: &Task, binding: Binding) -> bool {
    binding != Binding::Apart && !task.manager_separate
}

/// The look at an account before a step: a deleted one is looked for where it is.
pub(crate) fn to_reread(task: &Task) -> Option<Call> {
    Some(match task.step()? {
        Step::Purge { account } => Call::ReadDeleted { account: account.clone() },
        Step::Restore => Call::ReadDeleted { account: task.account()?.clone() },
        _ => Call::Read { account: task.account()?.clone() },
    })
}

/// The look-up that tells whether the present step was done by a call whose answer was lost.
pub(crate) fn to_verify(task: &Task) -> Option<Call> {
    match task.step()? {
        Step::Create { immutable_id: Some(id), .. } => Some(Call::FindByImmutableId { immutable_id: id.clone() }),
        Step::Create { attributes, immutable_id: None, .. } => {
            Some(Call::FindByUpn { upn: attributes.filled(Attr::UserPrincipalName)?.to_owned() })
        }
        Step::Purge { account } => Some(Call::ReadDeleted { account: account.clone() }),
        Step::Repair(_) => None,
        Step::Link
        | Step::Unlink
        | Step::ClearId { .. }
        | Step::Update { .. }
        | Step::Rename { .. }
        | Step::SetEnabled { .. }
        | Step::RevokeSessions
        | Step::SetManager { .. }
        | Step::SetLicenses { .. }
        | Step::JoinGroup { .. }
        | Step::LeaveGroup { .. }
        | Step::Restore
        | Step::Delete { .. } => Some(Call::Read { account: task.account()?.clone() }),
    }
}
