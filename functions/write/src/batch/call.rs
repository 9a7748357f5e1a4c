//! The call that a step asks for. The step says everything but the account and the manager's account.

use hardmatch_domain::attribute::{Attr, Attributes};
use hardmatch_domain::change::{ManagerTarget, Step};
use hardmatch_domain::ids::{ObjectId, PersonRef};
use hardmatch_ports::tenant::Call;
use passwords::PasswordGenerator;
use secrecy::SecretString;

use crate::task::Task;
use crate::{WriteError, WritePorts};

/// Whether the tenant takes a manager in the creation itself.
/// Graph's documentation does not say, and public reports disagree, so it is tried once a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// Not tried yet.
    Unknown,
    /// It does.
    Inline,
    /// It does not: a call of its own.
    Apart,
}

impl Binding {
    const NOTE: &'static str = "manager-binding";

    pub(crate) async fn of(ports: &WritePorts) -> Result<Self, WriteError> {
        let note = ports.store.note(ports.scope.as_str(), Self::NOTE).await?;
        Ok(match note.as_deref() {
            Some(b"inline") => Self::Inline,
            Some(b"apart") => Self::Apart,
            Some(_) | None => Self::Unknown,
        })
    }

    pub(crate) async fn remember(self, ports: &WritePorts) -> Result<(), WriteError> {
        let body: &[u8] = match self {
            Self::Unknown => return Ok(()),
            Self::Inline => b"inline",
            Self::Apart => b"apart",
        };
        Ok(ports.store.put_note(ports.scope.as_str(), Self::NOTE, body.to_vec()).await?)
    }
}

/// The account of the manager that a step names; `None` when they have none (yet).
pub(crate) async fn manager_of(ports: &WritePorts, task: &Task) -> Result<Option<ObjectId>, WriteError> {
    let target = match task.step() {
        Some(Step::Create { manager, .. }) => manager.as_ref(),
        Some(Step::SetManager { after, .. }) => after.as_ref(),
        Some(
            Step::Link
            | Step::Update { .. }
            | Step::Rename { .. }
            | Step::SetEnabled { .. }
            | Step::RevokeSessions
            | Step::SetLicenses { .. }
            | Step::JoinGroup { .. }
            | Step::LeaveGroup { .. }
            | Step::Restore
            | Step::Delete { .. }
            | Step::Purge { .. },
        )
        | None => None,
    };
    match target {
        None => Ok(None),
        Some(ManagerTarget::Account(id)) => Ok(Some(id.clone())),
        Some(ManagerTarget::Person(key)) => {
            let who = PersonRef { connection: task.open.change.person.connection.clone(), key: key.clone() };
            Ok(ports.store.link_of(&ports.scope, &who).await?.map(|link| link.value.account))
        }
    }
}

/// The call of the present step; `other` is the account or group that it names. `None` when the step writes nothing, or names an account that is not there.
pub(crate) fn of_step(task: &mut Task, other: Option<ObjectId>, binding: Binding) -> Option<Call> {
    let account = task.account().cloned();
    match task.step()?.clone() {
        Step::Create { attributes, immutable_id, enabled, .. } => {
            let password = task.password.get_or_insert_with(new_password).clone();
            let manager = other.filter(|_| binding != Binding::Apart && !task.manager_separate);
            Some(Call::Create { attributes, immutable_id, enabled, manager, password })
        }
        Step::Link => None,
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
        Step::Restore => Some(Call::Restore { account: account? }),
        Step::Delete { .. } => Some(Call::Delete { account: account? }),
        Step::Purge { account } => Some(Call::Purge { account }),
    }
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
        Step::Link
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

/// An initial password that meets the tenant's rules: 24 characters of all four classes.
/// <https://learn.microsoft.com/entra/identity/authentication/concept-sspr-policy>
pub(crate) fn new_password() -> SecretString {
    let generator = PasswordGenerator {
        length: 24,
        numbers: true,
        lowercase_letters: true,
        uppercase_letters: true,
        symbols: true,
        spaces: false,
        exclude_similar_characters: true,
        strict: true,
    };
    // The generator fails only for a length of zero.
    generator.generate_one().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn j24_ten_thousand_passwords_fit_the_rules() {
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..10_000 {
            let password = new_password();
            let text = password.expose_secret();
            assert_eq!(text.chars().count(), 24);
            assert!(text.is_ascii() && !text.contains(|c: char| c.is_ascii_control()));
            let classes: [fn(&char) -> bool; 4] =
                [char::is_ascii_lowercase, char::is_ascii_uppercase, char::is_ascii_digit, char::is_ascii_punctuation];
            assert!(classes.iter().all(|class| text.chars().any(|c| class(&c))), "a class is missing");
            assert!(seen.insert(text.to_owned()), "a password came twice");
        }
    }
}
