//! The kinds of change that have limits, and how much of each a change holds.

use serde::{Deserialize, Serialize};

use crate::vocabulary::attribute::Attr;
use crate::vocabulary::change::{Action, Change};
use crate::vocabulary::step::Step;

/// What is limited. Each kind has the same limits, counted apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Deletions, blocked sign-ins, cleared attributes, licences and memberships taken away, all together.
    Removals,
    /// New sign-in names.
    Renames,
    /// Changed immutable IDs.
    IdChanges,
    /// Soft matches onto existing accounts.
    Takeovers,
    /// New accounts.
    Creations,
    /// Changes of what names a person: display name, given name, surname, employee ID, mail. Shifted columns and wrong
    /// encodings look like that.
    IdentityChanges,
}

/// What names a person.
const IDENTITY: [Attr; 5] = [Attr::DisplayName, Attr::GivenName, Attr::Surname, Attr::EmployeeId, Attr::Mail];

impl Kind {
    /// All of them.
    pub const ALL: &'static [Kind] =
        &[Kind::Removals, Kind::Renames, Kind::IdChanges, Kind::Takeovers, Kind::Creations, Kind::IdentityChanges];

    /// What is limited and by which setting, for operators.
    pub fn words(self) -> &'static str {
        match self {
            Kind::Removals => "removals: more than max_removals or max_removals_percent within 24 hours",
            Kind::Renames => "new sign-in names: more than max_removals or max_removals_percent within 24 hours",
            Kind::IdChanges => "changed immutable IDs: more than max_removals or max_removals_percent within 24 hours",
            Kind::Takeovers => "takeovers: more than max_removals or max_removals_percent within 24 hours",
            Kind::Creations => "new accounts: more than max_creations_percent within 24 hours",
            Kind::IdentityChanges => {
                "changed names, employee IDs or addresses: more than max_identity_changes_percent within 24 hours"
            }
        }
    }

    /// One and several of this kind, for operators.
    pub fn nouns(self) -> (&'static str, &'static str) {
        match self {
            Kind::Removals => ("removal", "removals"),
            Kind::Renames => ("new sign-in name", "new sign-in names"),
            Kind::IdChanges => ("changed immutable ID", "changed immutable IDs"),
            Kind::Takeovers => ("takeover", "takeovers"),
            Kind::Creations => ("new account", "new accounts"),
            Kind::IdentityChanges => {
                ("changed name, employee ID or address", "changed names, employee IDs or addresses")
            }
        }
    }

    /// The keys of `[guard]` that set the limit.
    pub fn settings(self) -> &'static str {
        match self {
            Kind::Removals | Kind::Renames | Kind::IdChanges | Kind::Takeovers => "max_removals, max_removals_percent",
            Kind::Creations => "max_creations_percent",
            Kind::IdentityChanges => "max_identity_changes_percent",
        }
    }

    /// How much of this kind a change holds.
    pub fn count(self, change: &Change) -> u64 {
        let is = |yes: bool| u64::from(yes);
        match self {
            Kind::Removals => u64::from(change.removals.total()),
            Kind::Renames => {
                is(!takes_access(change) && change.steps.iter().any(|step| matches!(step, Step::Rename { .. })))
            }
            Kind::IdChanges => is(matches!(change.action, Action::Repair | Action::Merge | Action::Purge)),
            Kind::Takeovers => is(change.action == Action::Takeover),
            Kind::Creations => is(change.action == Action::Create),
            Kind::IdentityChanges => is(!takes_access(change) && change.steps.iter().any(names_otherwise)),
        }
    }
}

/// Whether the change blocks sign-in or deletes the account. A leaver's new name rides along with it: held for its name, the
/// change would leave the leaver's access open. Too many of them are held as removals.
fn takes_access(change: &Change) -> bool {
    let takes = |step: &Step| matches!(step, Step::SetEnabled { after: false, .. } | Step::Delete { .. });
    change.steps.iter().any(takes)
}

/// Whether a step gives a person another name, number or address than the account has; filling an empty one does not.
fn names_otherwise(step: &Step) -> bool {
    let Step::Update { before, after, .. } = step else { return false };
    IDENTITY.iter().any(|&attr| after.get(attr).is_some() && before.filled(attr).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::attribute::Attributes;

    #[test]
    fn only_another_value_in_place_of_one_names_a_person_otherwise() {
        let step = |attr, before, after| Step::Update {
            immutable_id: None,
            before: Attributes::from_pairs([(attr, before)]),
            after: Attributes::from_pairs([(attr, after)]),
        };
        assert!(names_otherwise(&step(Attr::DisplayName, "Ada", "Bob")));
        assert!(names_otherwise(&step(Attr::EmployeeId, "7", "")), "a number that is cleared, too");
        assert!(!names_otherwise(&step(Attr::Mail, "", "ada@contoso.com")));
        assert!(!names_otherwise(&step(Attr::JobTitle, "Lead", "Head")));
    }
}
