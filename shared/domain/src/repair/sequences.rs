//! The calls of each repair. An immutable ID is not changed while the sign-in name is in a federated domain, so the name
//! moves to the tenant's initial domain first and back afterwards.
//! <https://learn.microsoft.com/education/windows/federated-sign-in>

use sha2::{Digest, Sha256};

use crate::vocabulary::account::{Account, Tenant};
use crate::vocabulary::ids::{ImmutableId, ObjectId};
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::repair::{RepairCall, RepairWrite};
use crate::vocabulary::text::hex;
use crate::vocabulary::values::TEMPORARY_UPN;

/// The temporary sign-in name of an account: in the initial domain, known by how it begins, the same at every attempt.
pub fn temporary_upn(tenant: &Tenant, account: &ObjectId) -> Result<Box<str>, Reason> {
    let initial = initial_domain(tenant)?;
    let digest = hex(&Sha256::digest(account.as_str())[..6]);
    Ok(format!("{TEMPORARY_UPN}{digest}@{initial}").into())
}

fn initial_domain(tenant: &Tenant) -> Result<&str, Reason> {
    let initial = tenant.initial_domain().filter(|name| tenant.verified_domain_of(&format!("x@{name}")).is_some());
    initial.ok_or_else(|| Reason::with(Code::DomainNotVerified, "the tenant's initial domain is not known"))
}

fn upn_call(account: &ObjectId, before: &str, after: &str) -> RepairCall {
    RepairCall { account: account.clone(), write: RepairWrite::Upn { before: before.into(), after: after.into() } }
}

fn id_call(account: &ObjectId, before: Option<&ImmutableId>, after: Option<&ImmutableId>) -> RepairCall {
    let write = RepairWrite::Id { before: before.cloned(), after: after.cloned() };
    RepairCall { account: account.clone(), write }
}

fn is_federated(tenant: &Tenant, upn: &str) -> bool {
    tenant.verified_domain_of(upn).is_some_and(|domain| domain.federated)
}

/// Sets, replaces or clears the immutable ID of a live account, whose sign-in name stays.
pub fn set_id(tenant: &Tenant, account: &Account, after: Option<&ImmutableId>) -> Result<Vec<RepairCall>, Reason> {
    set_id_of(tenant, &account.id, account.upn().unwrap_or_default(), account.immutable_id.as_ref(), after)
}

fn set_id_of(
    tenant: &Tenant,
    account: &ObjectId,
    upn: &str,
    before: Option<&ImmutableId>,
    after: Option<&ImmutableId>,
) -> Result<Vec<RepairCall>, Reason> {
    let write = id_call(account, before, after);
    if !is_federated(tenant, upn) {
        return Ok(vec![write]);
    }
    let temporary = temporary_upn(tenant, account)?;
    let away = upn_call(account, upn, &temporary);
    if after.is_none() {
        // Without an ID nobody goes back into a federated domain.
        return Ok(vec![away, write]);
    }
    Ok(vec![away, write, upn_call(account, &temporary, upn)])
}

/// Takes the immutable ID from a live account that stays. In a federated domain nobody signs in without an ID, so the sign-in
/// name moves to the initial domain, with the same local part, and stays there.
pub fn clear_id(tenant: &Tenant, account: &Account) -> Result<Vec<RepairCall>, Reason> {
    let upn = account.upn().unwrap_or_default();
    let write = id_call(&account.id, account.immutable_id.as_ref(), None);
    if !is_federated(tenant, upn) {
        return Ok(vec![write]);
    }
    let initial = initial_domain(tenant)?;
    let local = upn.rsplit_once('@').map_or(upn, |(local, _)| local);
    Ok(vec![upn_call(&account.id, upn, &format!("{local}@{initial}")), write])
}

/// Brings an account back from the recycle bin and gives it an ID.
pub fn restore_with_id(tenant: &Tenant, account: &Account, after: &ImmutableId) -> Result<Vec<RepairCall>, Reason> {
    let mut calls = vec![RepairCall { account: account.id.clone(), write: RepairWrite::Restore { upn: None } }];
    calls.extend(set_id(tenant, account, Some(after))?);
    Ok(calls)
}

/// Makes one account of two: the ID leaves the account that goes, the account that stays gets it, and then the other is
/// deleted.
pub fn merge(
    tenant: &Tenant,
    kept: &Account,
    loser: &Account,
    id: &ImmutableId,
    synced: bool,
) -> Result<Vec<RepairCall>, Reason> {
    let one = |account: &Account, write: RepairWrite| RepairCall { account: account.id.clone(), write };
    let has = |account: &Account| account.immutable_id.as_ref() == Some(id);
    let mut calls = Vec::new();
    if kept.is_deleted() {
        // What the loser has of names and addresses is in the way of the restore.
        if !loser.is_deleted() {
            calls.push(one(loser, RepairWrite::Delete));
        }
        calls.push(one(kept, RepairWrite::Restore { upn: None }));
        if !has(kept) {
            calls.extend(set_id(tenant, kept, Some(id))?);
        }
        return Ok(calls);
    }
    if has(kept) {
        return Ok(vec![one(loser, RepairWrite::Delete)]);
    }
    if synced {
        // The ID stays reserved until the account that has it is purged.
        if !loser.is_deleted() {
            calls.push(one(loser, RepairWrite::Delete));
        }
        if has(loser) {
            calls.push(one(loser, RepairWrite::Purge));
        }
        calls.extend(set_id(tenant, kept, Some(id))?);
        return Ok(calls);
    }
    if has(loser) {
        let upn = loser.upn().unwrap_or_default();
        if loser.is_deleted() {
            let temporary = temporary_upn(tenant, &loser.id)?;
            calls.push(one(loser, RepairWrite::Restore { upn: Some(temporary.clone()) }));
            calls.push(id_call(&loser.id, Some(id), None));
        } else {
            calls.extend(set_id_of(tenant, &loser.id, upn, Some(id), None)?);
        }
    }
    calls.extend(set_id(tenant, kept, Some(id))?);
    calls.push(one(loser, RepairWrite::Delete));
    Ok(calls)
}

/// Deletes an account in the recycle bin for good.
pub fn purge(account: &ObjectId) -> Vec<RepairCall> {
    vec![RepairCall { account: account.clone(), write: RepairWrite::Purge }]
}

/// Moves a sign-in name to or from a federated domain. An account without an ID gets the person's first.
pub fn move_name(
    tenant: &Tenant,
    account: &Account,
    wanted: &str,
    id: Option<&ImmutableId>,
) -> Result<Vec<RepairCall>, Reason> {
    let now = account.upn().unwrap_or_default();
    let (from, to) = (is_federated(tenant, now), is_federated(tenant, wanted));
    let mut calls = Vec::new();
    let mut name: Box<str> = now.into();
    if from && (to || account.immutable_id.is_none()) {
        let temporary = temporary_upn(tenant, &account.id)?;
        calls.push(upn_call(&account.id, now, &temporary));
        name = temporary;
    }
    if to && account.immutable_id.is_none() {
        let id = id.ok_or_else(|| Reason::plain(Code::FederatedWithoutId))?;
        calls.push(id_call(&account.id, None, Some(id)));
    }
    calls.push(upn_call(&account.id, &name, wanted));
    Ok(calls)
}

/// Exchanges sign-in names in a circle: each account's wanted name is the next one's present name, and the last one's the
/// first one's. The first account steps aside.
pub fn exchange(tenant: &Tenant, circle: &[(&Account, &str)]) -> Result<Vec<RepairCall>, Reason> {
    let Some(((first, wanted), rest)) = circle.split_first() else { return Ok(Vec::new()) };
    let temporary = temporary_upn(tenant, &first.id)?;
    let mut calls = vec![upn_call(&first.id, first.upn().unwrap_or_default(), &temporary)];
    // The one who wants the first account's name moves first, then the one who wants theirs.
    for (account, wanted) in rest.iter().rev() {
        calls.push(upn_call(&account.id, account.upn().unwrap_or_default(), wanted));
    }
    calls.push(upn_call(&first.id, &temporary, wanted));
    Ok(calls)
}
