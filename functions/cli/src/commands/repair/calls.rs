//! The calls of a repair in words.

use hardmatch_domain::ids::ImmutableId;
use hardmatch_domain::repair::{RepairCall, RepairWrite};

/// An immutable ID in words.
pub(super) fn id(id: Option<&ImmutableId>) -> &str {
    id.map_or("none", ImmutableId::as_str)
}

/// A call in words.
pub(super) fn words(call: &RepairCall) -> String {
    let account = &call.account;
    match &call.write {
        RepairWrite::Upn { before, after } => format!("{account}: sign-in name {before} -> {after}"),
        RepairWrite::Id { before, after } => {
            format!("{account}: immutable ID {} -> {}", id(before.as_ref()), id(after.as_ref()))
        }
        RepairWrite::Delete => format!("{account}: delete into the recycle bin"),
        RepairWrite::Restore { upn: None } => format!("{account}: restore from the recycle bin"),
        RepairWrite::Restore { upn: Some(upn) } => format!("{account}: restore from the recycle bin as {upn}"),
        RepairWrite::Purge => format!("{account}: delete for good"),
    }
}
