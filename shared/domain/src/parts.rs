//! A change in its parts: the name of each value, licence and act of a step, and the change without some of them.

use sha2::{Digest, Sha256};

use crate::vocabulary::attribute::{Attr, Attributes};
use crate::vocabulary::change::{Action, Change, ChangeId, Hold, ManagerTarget, Removals, Step};
use crate::vocabulary::license::License;
use crate::vocabulary::text::hex;

/// The names of what a step asks for: each value and each licence by itself.
pub(crate) fn names(step: &Step) -> Vec<Box<str>> {
    let name = |parts: &[&str]| -> Box<str> {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(part.as_bytes());
        }
        hex(&hash.finalize()[..12]).into()
    };
    match step {
        Step::Update { after, .. } => after.iter().map(|(attr, value)| name(&["value", attr.name(), value])).collect(),
        Step::Rename { after, .. } => vec![name(&["value", Attr::UserPrincipalName.name(), after])],
        Step::SetEnabled { after, .. } => vec![name(&["enabled", if *after { "true" } else { "false" }])],
        Step::RevokeSessions => vec![name(&["revoke"])],
        Step::SetManager { after, .. } => {
            let after = after.as_ref().map(|target| match target {
                ManagerTarget::Account(id) => id.as_str(),
                ManagerTarget::Person(key) => key.as_str(),
            });
            vec![name(&["manager", after.unwrap_or_default()])]
        }
        Step::SetLicenses { give, take } => {
            let give = give.iter().map(|license| {
                let mut parts = vec!["give", &*license.sku];
                parts.extend(license.without.iter());
                name(&parts)
            });
            give.chain(take.iter().map(|license| name(&["take", &license.sku]))).collect()
        }
        Step::JoinGroup { group } => vec![name(&["join", group.kind.name(), &group.name])],
        Step::LeaveGroup { id, .. } => vec![name(&["leave", id.as_str()])],
        Step::Delete { .. } => vec![name(&["delete"])],
        // The rest of a change rests on these.
        Step::Create { .. }
        | Step::Link
        | Step::ClearId { .. }
        | Step::Unlink
        | Step::Restore
        | Step::Purge { .. }
        | Step::Repair(_) => Vec::new(),
    }
}

/// A change with these of its steps; the action and the removals are those of what is left.
pub(crate) fn with_steps(change: &Change, steps: Vec<Step>, removal_from: Option<usize>) -> Change {
    let removal_from = removal_from.filter(|from| *from < steps.len());
    let mut change = change.clone();
    change.id = ChangeId::of(&change.person, change.account.as_ref(), &steps);
    change.removals = remaining(change.removals, removal_from.map_or(&[], |from| &steps[from..]));
    if removal_from.is_none() && change.hold == Some(Hold::Removal) {
        change.hold = None;
    }
    if !steps.iter().any(|step| is_of(step, change.action)) {
        change.action = steps.iter().map(|step| step.traits().action).max().unwrap_or(change.action);
    }
    (change.steps, change.removal_from) = (steps, removal_from);
    change
}

/// A step without the parts that are left out; nothing when none is left. An exchange of licences stays whole or goes
/// whole: taking one without giving the other would leave the person without both.
pub(crate) fn without_parts(step: &Step, left_out: &mut impl FnMut(&str) -> bool) -> Option<Step> {
    match step {
        Step::Update { immutable_id, before, after } => {
            let kept = |(attr, value): &(Attr, &str)| {
                let single = Attributes::from_pairs([(*attr, *value)]);
                let alone = Step::Update { immutable_id: None, before: Attributes::default(), after: single };
                !names(&alone).iter().any(|what| left_out(what))
            };
            let after: Attributes = after.iter().filter(kept).collect();
            let before = before.iter().filter(|(attr, _)| after.get(*attr).is_some()).collect();
            let empty = after.is_empty() && immutable_id.is_none();
            (!empty).then(|| Step::Update { immutable_id: immutable_id.clone(), before, after })
        }
        Step::SetLicenses { give, take } if take.is_empty() => {
            let alone = |license: &License| Step::SetLicenses { give: vec![license.clone()], take: Vec::new() };
            let kept = |license: &&License| !names(&alone(license)).iter().any(|what| left_out(what));
            let give: Vec<License> = give.iter().filter(kept).cloned().collect();
            (!give.is_empty()).then(|| Step::SetLicenses { give, take: Vec::new() })
        }
        // An exchange that was refused is refused again as long as one of its licences is.
        Step::SetLicenses { .. }
        | Step::Rename { .. }
        | Step::SetEnabled { .. }
        | Step::RevokeSessions
        | Step::SetManager { .. }
        | Step::JoinGroup { .. }
        | Step::LeaveGroup { .. }
        | Step::Delete { .. } => (!names(step).iter().any(|what| left_out(what))).then(|| step.clone()),
        Step::Create { .. }
        | Step::Link
        | Step::ClearId { .. }
        | Step::Unlink
        | Step::Restore
        | Step::Purge { .. }
        | Step::Repair(_) => Some(step.clone()),
    }
}

/// What removals are left of those that were counted.
fn remaining(counted: Removals, steps: &[Step]) -> Removals {
    let any = |of: fn(&Step) -> bool, count: u32| if steps.iter().any(of) { count } else { 0 };
    Removals {
        deletes: any(|step| matches!(step, Step::Delete { .. }), counted.deletes),
        suspends: any(|step| matches!(step, Step::SetEnabled { after: false, .. }), counted.suspends),
        blanks: any(|step| matches!(step, Step::Update { .. } | Step::SetManager { .. }), counted.blanks),
        licenses: any(|step| matches!(step, Step::SetLicenses { .. }), counted.licenses),
        memberships: any(|step| matches!(step, Step::LeaveGroup { .. }), counted.memberships),
        departs: counted.departs && steps.iter().any(|step| step.traits().departs),
    }
}

/// Whether a step is what an action is about. Actions of several steps stand for whatever they hold.
fn is_of(step: &Step, action: Action) -> bool {
    match action {
        Action::Takeover | Action::Repair | Action::Merge | Action::None => true,
        other => step.traits().action == other,
    }
}
