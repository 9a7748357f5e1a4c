//! Directory roles, and which role on the app reaches which target
//! (<https://learn.microsoft.com/graph/api/resources/users>, sensitive actions).

use uuid::Uuid;

use crate::rng::stable_uuid;

/// Built-in roles and their template ids.
static BUILT_IN: &[(&str, &str)] = &[
    ("Global Administrator", "62e90394-69f5-4237-9190-012177145e10"),
    ("Privileged Role Administrator", "e8611ab8-c189-46e8-94e1-60213ab1f814"),
    ("Privileged Authentication Administrator", "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"),
    ("User Administrator", "fe930be7-5e62-47db-91af-98c3a49a38b1"),
    ("Helpdesk Administrator", "729827e3-9c14-49f7-bb1b-9608f156bbb8"),
    ("Groups Administrator", "fdd7a751-b60b-444a-984c-02652fe8fa1c"),
    ("Authentication Administrator", "c4e39bd9-1100-46d3-8c65-fb160da0071f"),
    ("Directory Readers", "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"),
    ("Guest Inviter", "95e79109-95c0-4d8e-aee3-d01accf2d47b"),
    ("Message Center Reader", "790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b"),
    ("Password Administrator", "966707d0-3269-4727-9be2-8c3a10f19b9d"),
    ("Reports Reader", "4a5d8f65-41da-4de4-8968-e035b65339cf"),
    ("Usage Summary Reports Reader", "75934031-6c7e-415a-99d7-48dbd49e875e"),
    ("Exchange Administrator", "29232cdf-9323-42fd-ade2-1d097af3e4de"),
    ("Global Reader", "f2ef992c-3afb-46b9-b7cf-a126ee74c451"),
    ("License Administrator", "4d6ac14f-3453-41d0-bef9-a3e0c569773a"),
    ("SharePoint Administrator", "f28a1f50-f6e7-4571-818b-6a12f2af6b6c"),
    ("Teams Administrator", "69091246-20e8-4a56-aa4d-066075b2a7a8"),
    ("Security Administrator", "194ae4cb-b126-40b2-bd5b-6091b380977d"),
    ("Conditional Access Administrator", "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9"),
    ("Application Administrator", "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"),
    ("Cloud Application Administrator", "158c047a-c907-4556-b7ef-446551a6b5f7"),
    ("Billing Administrator", "b0f54661-2d74-4c50-afa3-1ec803f12efe"),
    ("Hybrid Identity Administrator", "8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2"),
];

/// Who holds which role.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Assignment {
    pub(crate) principal: Uuid,
    pub(crate) role: Uuid,
    /// Whether the holder must activate it first. <https://learn.microsoft.com/graph/api/resources/unifiedroleeligibilityscheduleinstance>
    #[serde(default)]
    pub(crate) eligible: bool,
}

/// The tenant's role definitions: the built-in ones and its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roles {
    custom: Vec<String>,
    pub(crate) assignments: Vec<Assignment>,
}

impl Roles {
    pub(crate) fn new(custom: Vec<String>) -> Self {
        Self { custom, assignments: Vec::new() }
    }

    pub(crate) fn template(&self, name: &str) -> Option<Uuid> {
        if let Some((_, id)) = BUILT_IN.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
            return Uuid::parse_str(id).ok();
        }
        self.custom.iter().find(|n| n.eq_ignore_ascii_case(name)).map(|n| stable_uuid(&["role", n]))
    }

    pub(crate) fn name(&self, role: Uuid) -> Option<&str> {
        BUILT_IN
            .iter()
            .map(|(n, _)| *n)
            .chain(self.custom.iter().map(String::as_str))
            .find(|n| self.template(n) == Some(role))
    }

    pub(crate) fn is_built_in(&self, role: Uuid) -> bool {
        self.name(role).is_some_and(|name| BUILT_IN.iter().any(|(n, _)| *n == name))
    }

    /// What is held, and not merely to be activated.
    pub(crate) fn active(&self) -> impl Iterator<Item = &Assignment> {
        self.assignments.iter().filter(|a| !a.eligible)
    }

    /// The names of the roles this principal holds directly.
    pub(crate) fn held_by(&self, principal: Uuid) -> Vec<&str> {
        self.active().filter(|a| a.principal == principal).filter_map(|a| self.name(a.role)).collect()
    }

    /// All definitions: id, name, whether built in.
    pub(crate) fn definitions(&self) -> Vec<(Uuid, &str, bool)> {
        BUILT_IN
            .iter()
            .map(|(n, _)| (*n, true))
            .chain(self.custom.iter().map(|n| (n.as_str(), false)))
            .filter_map(|(n, b)| Some((self.template(n)?, n, b)))
            .collect()
    }
}

/// What protects a target.
#[derive(Clone, Debug, Default)]
pub(crate) struct Protection<'a> {
    pub(crate) roles: Vec<&'a str>,
    pub(crate) custom: bool,
    pub(crate) role_group: bool,
    pub(crate) restricted: bool,
}

/// Whether an app whose service principal holds `app` may act on the target. An app without a role reaches
/// targets without one.
pub(crate) fn reaches(app: &[&str], target: &Protection<'_>) -> bool {
    let free = target.roles.is_empty() && !target.custom && !target.role_group && !target.restricted;
    free || app.iter().any(|role| role_reaches(role, target))
}

fn role_reaches(app: &str, target: &Protection<'_>) -> bool {
    const LIGHT: [&str; 6] = [
        "Directory Readers",
        "Guest Inviter",
        "Message Center Reader",
        "Password Administrator",
        "Reports Reader",
        "Usage Summary Reports Reader",
    ];
    const HELP: [&str; 3] = ["Groups Administrator", "Helpdesk Administrator", "User Administrator"];
    match app {
        "Global Administrator" | "Privileged Authentication Administrator" => true,
        _ if target.custom || target.role_group || target.restricted => false,
        "Authentication Administrator" => {
            target.roles.iter().all(|r| LIGHT.contains(r) || *r == "Authentication Administrator")
        }
        "User Administrator" => target.roles.iter().all(|r| LIGHT.contains(r) || HELP.contains(r)),
        _ => false,
    }
}

/// Whether a role is enough to set passwords app-only: *User Administrator* or higher
/// (<https://learn.microsoft.com/graph/api/user-update>).
pub(crate) fn may_set_passwords(app: &[&str]) -> bool {
    app.iter().any(|r| {
        matches!(*r, "User Administrator" | "Privileged Authentication Administrator" | "Global Administrator")
    })
}
