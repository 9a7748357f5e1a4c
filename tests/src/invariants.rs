//! What must hold whatever went wrong: checked against the tenant's own log and final state, never against our books.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::change::{Change, Step};
use hardmatch_ports::run::PlanRow;
use hardmatch_sim::SeenRequest;
use serde_json::Value;

use crate::account::Seen;

/// Whether a request or batch part writes.
pub fn is_write(request: &SeenRequest) -> bool {
    request.method != "GET" && request.route != "/$batch" && request.route != "/token"
}

/// Live accounts that hold the same immutable ID, sign-in name or employee ID.
pub fn twice(accounts: &[Seen]) -> Vec<String> {
    let mut problems = Vec::new();
    for property in ["onPremisesImmutableId", "userPrincipalName", "employeeId"] {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for account in accounts.iter().filter(|account| !account.deleted() && !account.text(property).is_empty()) {
            let value = account.text(property).to_lowercase();
            if let Some(other) = seen.insert(value, account.id()) {
                problems.push(format!("{property} of {} is also that of {other}", account.id()));
            }
        }
    }
    problems
}

/// Writes that nobody planned, and writes to accounts that are not ours to write. `before` is the tenant as it was when
/// the first of them was sent; `rows` are the plans under which they were sent.
pub fn unplanned(writes: &[SeenRequest], rows: &[PlanRow], before: &[Seen], after: &[Seen]) -> Vec<String> {
    let changes: Vec<&Change> = rows.iter().filter_map(|row| row.decision.change.as_deref()).collect();
    let was: BTreeMap<&str, &Seen> = before.iter().map(|account| (account.id(), account)).collect();
    let mut problems = Vec::new();
    for write in
        writes.iter().filter(|write| write.status == 0 || (200..300).contains(&write.status) || write.status == 504)
    {
        let what = format!("{} {} {}", write.method, write.route, write.target.as_deref().unwrap_or_default());
        let account = write.target.as_deref().and_then(|id| was.get(id));
        if let Some(account) = account {
            if account.synced() || account.guest() {
                problems.push(format!("{what}: not ours to write"));
            }
            if account.privileged() && is_sensitive(write) {
                problems.push(format!("{what}: sensitive, and the account holds a role"));
            }
        }
        if !changes.iter().any(|change| says(change, write, after)) {
            problems.push(format!("{what} {}: no plan says so", write.body.clone().unwrap_or_default()));
        }
    }
    problems
}

/// Accounts whose immutable ID belongs to nobody who ever was in the source, though we wrote it; and people with an
/// account that carries somebody else's.
pub fn mixed_up(rows: &[PlanRow], after: &[Seen], anchors: &BTreeMap<String, String>) -> Vec<String> {
    let by_id: BTreeMap<&str, &Seen> = after.iter().map(|account| (account.id(), account)).collect();
    let mut problems = Vec::new();
    for change in rows.iter().filter_map(|row| row.decision.change.as_ref()) {
        let Some(account) = change.account.as_ref().and_then(|id| by_id.get(id.as_str())) else { continue };
        let Some(theirs) = account.immutable_id() else { continue };
        let Some(ours) = anchors.get(change.person.key.as_str()) else { continue };
        let is_anothers = anchors.values().any(|anchor| anchor == theirs) && theirs != ours;
        if is_anothers && change.hold.is_none() {
            problems.push(format!("{} is planned to be written for somebody whose ID it does not carry", account.id()));
        }
    }
    problems
}

/// Whether a request could lock somebody out, take their name, or hand their account to somebody else.
fn is_sensitive(write: &SeenRequest) -> bool {
    let names: BTreeSet<&str> =
        write.body.as_ref().and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    write.method == "DELETE" && write.route == "/users/{id}"
        || write.route.ends_with("/revokeSignInSessions")
        || ["accountEnabled", "onPremisesImmutableId", "userPrincipalName"].iter().any(|name| names.contains(name))
}

/// Whether a change says to write this.
fn says(change: &Change, write: &SeenRequest, after: &[Seen]) -> bool {
    let target = write.target.as_deref().unwrap_or_default();
    let is_target = |id: &str| target.eq_ignore_ascii_case(id);
    let of_account = change.account.as_ref().is_some_and(|id| is_target(id.as_str())) || made(change, target, after);
    change.steps.iter().any(|step| match step {
        Step::Link | Step::Unlink => false,
        Step::ClearId { .. } => {
            of_account
                && is_patch(write)
                && properties(write).all(|(name, value)| name == "onPremisesImmutableId" && value.is_null())
        }
        Step::Create { attributes, .. } if write.route == "/users" => {
            let upn = attributes.filled(Attr::UserPrincipalName).unwrap_or_default();
            text(write, "userPrincipalName").eq_ignore_ascii_case(upn)
        }
        Step::Create { manager, .. } => manager.is_some() && of_account && is_manager(write),
        Step::Update { immutable_id, after, .. } => {
            of_account
                && is_patch(write)
                && properties(write).all(|(name, value)| {
                    (name == "onPremisesImmutableId"
                        && immutable_id.as_ref().is_some_and(|id| value.as_str() == Some(id.as_str())))
                        || after.iter().any(|(attr, wanted)| says_value(attr, wanted, name, value))
                })
        }
        Step::Rename { after, .. } => {
            of_account && is_patch(write) && text(write, "userPrincipalName").eq_ignore_ascii_case(after)
        }
        Step::SetEnabled { after, .. } => {
            of_account
                && is_patch(write)
                && properties(write).all(|(name, value)| name == "accountEnabled" && value.as_bool() == Some(*after))
        }
        Step::RevokeSessions => of_account && write.route.ends_with("/revokeSignInSessions"),
        Step::SetManager { .. } => of_account && is_manager(write),
        Step::SetLicenses { give, take } => {
            let list = |name: &str| {
                write.body.as_ref().and_then(|body| body.get(name)?.as_array().cloned()).unwrap_or_default()
            };
            let given = list("addLicenses")
                .iter()
                .filter_map(|entry| entry.get("skuId")?.as_str().map(str::to_owned))
                .collect::<Vec<_>>();
            let taken =
                list("removeLicenses").iter().filter_map(|entry| entry.as_str().map(str::to_owned)).collect::<Vec<_>>();
            of_account
                && write.route == "/users/{id}/assignLicense"
                && given.iter().all(|sku| give.iter().any(|license| *license.sku == **sku))
                && taken.iter().all(|sku| take.iter().any(|license| *license.sku == **sku))
        }
        Step::JoinGroup { .. } => {
            let adds = write.method == "PATCH"
                && write.route == "/groups/{id}"
                && properties(write).all(|(name, _)| name == "members@odata.bind");
            write.route == "/groups" || write.route == "/groups/{id}/members/$ref" || adds
        }
        Step::LeaveGroup { id, .. } => is_target(id.as_str()) && write.method == "DELETE",
        Step::Restore => of_account && write.route.ends_with("/restore"),
        Step::Delete { .. } => of_account && write.method == "DELETE" && write.route == "/users/{id}",
        Step::Purge { account } => is_target(account.as_str()) && write.method == "DELETE",
        Step::Repair(plan) => plan.accounts().iter().any(|account| is_target(account.as_str())),
    })
}

/// Whether the account is the one that the change created: it has the ID and the name that the change gave.
fn made(change: &Change, target: &str, after: &[Seen]) -> bool {
    change.steps.iter().any(|step| match step {
        Step::Create { immutable_id, .. } => after.iter().any(|account| {
            account.id().eq_ignore_ascii_case(target)
                && account.immutable_id() == immutable_id.as_ref().map(hardmatch_domain::ids::ImmutableId::as_str)
        }),
        _ => false,
    })
}

fn is_patch(write: &SeenRequest) -> bool {
    write.method == "PATCH" && write.route == "/users/{id}"
}

fn is_manager(write: &SeenRequest) -> bool {
    write.route == "/users/{id}/manager/$ref"
}

fn properties(write: &SeenRequest) -> impl Iterator<Item = (&str, &Value)> {
    write.body.as_ref().and_then(Value::as_object).into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn text<'w>(write: &'w SeenRequest, name: &str) -> &'w str {
    write.body.as_ref().and_then(|body| body.get(name)).and_then(Value::as_str).unwrap_or_default()
}

/// Whether a property of a request is this attribute with this value; an empty text clears.
fn says_value(attr: Attr, wanted: &str, name: &str, value: &Value) -> bool {
    let is_name = attr.to_string().eq_ignore_ascii_case(name) || name == "onPremisesExtensionAttributes";
    let is_value = match value {
        Value::Null => wanted.is_empty(),
        Value::String(text) => text == wanted,
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(";") == wanted,
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => name == "onPremisesExtensionAttributes",
    };
    is_name && is_value
}
