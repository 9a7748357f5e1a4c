//! Versions of a file: whether two texts are the same, and whether the newer one may do more than the older.

use std::collections::BTreeSet;

use hardmatch_domain::policy::{AccountDeleted, Actions, FlowWhen, Lifecycle, Reenable, Stage, Switch};
use sha2::{Digest, Sha256};

use crate::config::{Config, Override};

/// SHA-256, in hex, of the text with Unix line ends, without byte order mark and blank lines at its end: an editor's
/// habits do not make a new version, anything else does.
pub fn policy_hash(text: &str) -> String {
    use std::fmt::Write as _;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let digest = Sha256::digest(text.trim_end().as_bytes());
    digest.iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Whether `new` may touch more people, or touch them harder, than `old`: then its first plan stops to be looked at.
///
/// Errs on the side of stopping: any change of who is read, who is in scope, how people are joined, what flows, what the
/// directory is given, or who is given a licence or membership counts. What does not: less in scope of the lifecycle, longer delays, switches turned
/// down, tighter limits, attributes that no longer flow, licences and groups that no rule names any more (they are left
/// as they are), other places for state and passwords.
pub fn widens(old: &Config, new: &Config) -> bool {
    let scope = |config: &Config| config.scope.as_ref().map(|scope| scope.written().to_owned());
    old.connection != new.connection
        || old.tenant.id != new.tenant.id
        || old.tenant.cloud != new.tenant.cloud
        || old.source != new.source
        || scope(old) != scope(new)
        || old.anchor != new.anchor
        || new.write_back.iter().any(|rule| !old.write_back.contains(rule))
        || old.matching != new.matching
        || flows_more(old, new)
        || leaves_harder(&old.lifecycle, &new.lifecycle)
        || loosened(&old.actions, &new.actions)
        || gives_otherwise(old, new)
        || new.guard.max_removals > old.guard.max_removals
        || new.guard.max_removals_percent > old.guard.max_removals_percent
        || new.guard.always_allow > old.guard.always_allow
        || new.guard.max_creations_percent > old.guard.max_creations_percent
        || new.guard.max_identity_changes_percent > old.guard.max_identity_changes_percent
}

fn flows_more(old: &Config, new: &Config) -> bool {
    let said = |mapping: Option<&Override>| {
        mapping.map(|m| (m.from.as_ref().map(|from| from.written().to_owned()), m.flow, m.when_empty))
    };
    let attributes = old.attributes.keys().chain(new.attributes.keys());
    let mapped = attributes
        .filter(|attr| new.attributes.get(attr).is_none_or(|mapping| mapping.flow != FlowWhen::Never))
        .any(|attr| said(old.attributes.get(attr)) != said(new.attributes.get(attr)));
    mapped || (old.manager != new.manager && new.manager.when != FlowWhen::Never)
}

fn leaves_harder(old: &Lifecycle, new: &Lifecycle) -> bool {
    removes_more(&old.absent, &new.absent)
        || removes_more(&old.left_scope, &new.left_scope)
        || removes_more(&old.disabled, &new.disabled)
        || removes_more(&old.password_expired, &new.password_expired)
        || (old.account_deleted != new.account_deleted && new.account_deleted != AccountDeleted::Report)
        || (new.create_disabled && !old.create_disabled)
        || (new.reenable == Reenable::Always && old.reenable == Reenable::Ours)
        || (new.revoke_sessions && !old.revoke_sessions)
}

/// Whether any stage is new, or comes earlier.
fn removes_more(old: &[Stage], new: &[Stage]) -> bool {
    new.iter().any(|stage| {
        !old.iter().any(|before| before.action == stage.action && before.after_seconds <= stage.after_seconds)
    })
}

/// Whether the rules of a licence or a group that `new` names are others than in `old`. One that loses a rule of several
/// is among them: whom only that rule fitted loses what it gave.
fn gives_otherwise(old: &Config, new: &Config) -> bool {
    let licenses = new.licenses.iter().any(|named| {
        // The first that fits names the plans, so the order counts.
        let of = |config: &Config| -> Vec<_> {
            let rules = config.licenses.iter().filter(|rule| rule.is_of(named));
            rules.map(|rule| (rule.without.clone(), rule.when.written().to_owned())).collect()
        };
        of(old) != of(new)
    });
    licenses
        || new.groups.iter().any(|named| {
            let of = |config: &Config| -> BTreeSet<_> {
                let rules = config.groups.iter().filter(|rule| rule.is_of(named));
                rules.map(|rule| (rule.kind, rule.when.written().to_owned())).collect()
            };
            of(old) != of(new)
        })
}

fn loosened(old: &Actions, new: &Actions) -> bool {
    let rank = |switch: Switch| match switch {
        Switch::Off => 0,
        Switch::Approve => 1,
        Switch::On => 2,
    };
    let all = |a: &Actions| {
        [
            a.create,
            a.update,
            a.takeover,
            a.rename,
            a.enable,
            a.suspend,
            a.restore,
            a.license,
            a.membership,
            a.delete,
            a.repair,
            a.merge,
            a.purge,
        ]
        .map(rank)
    };
    all(old).iter().zip(all(new)).any(|(before, after)| after > *before)
}
