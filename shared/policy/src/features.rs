//! Which features a file switches on, as permissions are asked for by them. Nothing here knows a permission.

use std::collections::BTreeSet;

use crate::permission::Feature;
use hardmatch_domain::policy::{AccountDeleted, FlowWhen, LeavingAction, SoftDeleted, Stage, Switch};

use crate::Config;

impl Config {
    /// What the file switches on. An action that waits for approval is on.
    pub fn features(&self) -> BTreeSet<Feature> {
        let mut features = BTreeSet::from([Feature::Read]);
        let actions = &self.actions;
        let is_on = |switch: &Switch| *switch != Switch::Off;
        // Only creating, taking over, renaming and setting a manager need the right to write all of an account.
        let whole = [actions.create, actions.takeover, actions.rename, actions.repair, actions.merge];
        let manager = is_on(&actions.update) && self.manager.when != FlowWhen::Never;
        if whole.iter().any(is_on) || manager {
            features.insert(Feature::Write);
        }
        if is_on(&actions.update) {
            features.insert(Feature::Update);
        }
        if [actions.enable, actions.suspend].iter().any(is_on) {
            features.insert(Feature::SignIn);
        }
        let lifecycle = &self.lifecycle;
        let stages = [&lifecycle.absent, &lifecycle.left_scope, &lifecycle.disabled, &lifecycle.password_expired];
        let deletes = stages.iter().any(|stages| stages.iter().any(is_delete)) && actions.delete != Switch::Off;
        let restores = (self.matching.soft_deleted == SoftDeleted::Restore
            || lifecycle.account_deleted == AccountDeleted::Restore)
            && actions.restore != Switch::Off;
        if deletes || restores {
            features.insert(Feature::DeleteRestore);
        }
        let purges = self.matching.soft_deleted == SoftDeleted::Purge
            || lifecycle.account_deleted == AccountDeleted::Recreate
            || self.matching.merge_synced;
        if purges && actions.purge != Switch::Off {
            features.insert(Feature::Purge);
        }
        if lifecycle.revoke_sessions && actions.suspend != Switch::Off {
            features.insert(Feature::RevokeSessions);
        }
        // Only what a rule gave is ever taken away, so without rules there is nothing to do.
        if !self.licenses.is_empty() && actions.license != Switch::Off {
            features.insert(Feature::Licenses);
        }
        if !self.groups.is_empty() && actions.membership != Switch::Off {
            features.insert(Feature::Groups);
        }
        features
    }
}

fn is_delete(stage: &Stage) -> bool {
    stage.action == LeavingAction::Delete
}
