//! Who calls Graph, and with which permissions.

use uuid::Uuid;

/// For whom an app calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behalf {
    /// Itself.
    App,
    /// The user who signed in: the app can do no more than they.
    User,
}

/// Who calls: the app behind the token.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) app: String,
    pub(crate) behalf: Behalf,
    /// The service principal or the user, whose directory roles count.
    pub(crate) principal: Uuid,
    /// From `roles` or from `scp`.
    pub(crate) permissions: Vec<String>,
}

impl Caller {
    pub(crate) fn has(&self, permission: &str) -> bool {
        self.permissions.iter().any(|p| p == permission)
    }

    pub(crate) fn has_any(&self, permissions: &[&str]) -> bool {
        permissions.iter().any(|p| self.has(p))
    }
}
