//! Accounts that should be somewhere and were not shown: they are asked for by their id, and believed gone only after two
//! looks some minutes apart. Between the two looks the mirror stays as it is, and the link says `unseen`.

use std::collections::BTreeSet;

use hardmatch_domain::account::Account;
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::ObjectId;
use hardmatch_domain::link::Ledger;
use hardmatch_ports::Write;
use hardmatch_store::accounts::AccountItem;

use super::accounts::{known_accounts, store_accounts};
use super::checkpoint::ReadingCheckpoint;
use super::dirty::DirtyMarks;
use super::mirror::may_lag;
use super::notes::{RecheckReason, noted_in_bin, stale};
use super::progress::TenantProgress;
use super::stop::TenantStop;
use crate::ports::TenantPorts;

/// Accounts that are asked for between two looks at the deadline.
const ASKED: usize = 20;
/// A link that another function writes at the same time is read again so often.
const TRIES: usize = 5;

/// Asks for the accounts that are noted and due.
pub(super) async fn recheck_due(
    ports: &TenantPorts,
    marks: &mut DirtyMarks<'_>,
    reading: &mut TenantProgress,
    checkpoint: &mut ReadingCheckpoint<'_>,
) -> Result<(), TenantStop> {
    let now = ports.clock.now_seconds();
    let noted = RecheckReason::all(ports).await?;
    let due: Vec<(ObjectId, RecheckReason)> = noted.into_iter().filter(|(_, reason)| reason.is_due(now)).collect();
    for some in due.chunks(ASKED) {
        let ids: Vec<ObjectId> = some.iter().map(|(id, _)| id.clone()).collect();
        let known = known_accounts(ports, &ids).await?;
        // An account that the mirror has forgotten meanwhile is not asked for.
        let forgotten: Vec<ObjectId> = ids.into_iter().filter(|id| !known.contains_key(id)).collect();
        RecheckReason::forget(ports, &forgotten).await?;
        let asked = some.iter().filter_map(|(id, reason)| Some((known.get(id)?, Some(*reason))));
        recheck_accounts(ports, asked.collect(), marks, &[]).await?;
        checkpoint.unit(reading).await?;
    }
    Ok(())
}

/// Takes accounts of the mirror that a full listing did not show. Accounts without a link are forgotten, linked ones are
/// asked for. Gives the accounts that are live after all.
pub(super) async fn not_shown(
    ports: &TenantPorts,
    ids: &[ObjectId],
    marks: &mut DirtyMarks<'_>,
    missing: &[Attr],
) -> Result<Vec<Account>, TenantStop> {
    let items: Vec<AccountItem> = known_accounts(ports, ids).await?.into_values().collect();
    let items = known_everywhere(ports, items).await?;
    let (deleted, live): (Vec<AccountItem>, Vec<AccountItem>) =
        items.into_iter().partition(|item| item.account.is_deleted());
    // The listing of the recycle bin says whether an account is still there, when it knows to miss it.
    let binned: Vec<Write> = deleted.iter().map(|item| noted_in_bin(ports, &item.account.id)).collect();
    ports.store.write_all(binned).await?;
    ask_or_forget(ports, live, marks, missing).await
}

/// The accounts that every replica knows where they are. An account that we created, deleted or restored a moment ago is
/// asked for later.
async fn known_everywhere(ports: &TenantPorts, items: Vec<AccountItem>) -> Result<Vec<AccountItem>, TenantStop> {
    let now = ports.clock.now_seconds();
    let (late, known): (Vec<AccountItem>, Vec<AccountItem>) = items.into_iter().partition(|item| may_lag(item, now));
    if !late.is_empty() {
        let notes = late.iter().map(|item| stale(ports, &item.account.id));
        ports.store.write_all(notes.collect()).await?;
    }
    Ok(known)
}

/// Takes accounts that left the recycle bin and were seen nowhere else, as [`not_shown`] does. Gives how many were looked
/// for.
pub(super) async fn left_bin(
    ports: &TenantPorts,
    items: Vec<AccountItem>,
    marks: &mut DirtyMarks<'_>,
) -> Result<u64, TenantStop> {
    let items = known_everywhere(ports, items).await?;
    let count = items.len() as u64;
    ask_or_forget(ports, items, marks, &[]).await?;
    Ok(count)
}

/// Asks for accounts that are linked, and forgets the others. Gives the accounts that are live.
async fn ask_or_forget(
    ports: &TenantPorts,
    items: Vec<AccountItem>,
    marks: &mut DirtyMarks<'_>,
    missing: &[Attr],
) -> Result<Vec<Account>, TenantStop> {
    let ids: Vec<ObjectId> = items.iter().map(|item| item.account.id.clone()).collect();
    let linked: BTreeSet<ObjectId> =
        ports.store.links_to(&ports.scope, &ids).await?.into_iter().map(|link| link.value.account).collect();
    let mut asked = Vec::new();
    for item in &items {
        let id = &item.account.id;
        if linked.contains(id) {
            asked.push((item, RecheckReason::of(ports, id).await?));
        } else {
            forget(ports, &item.account, marks).await?;
        }
    }
    recheck_accounts(ports, asked, marks, missing).await
}

/// Looks for accounts by their ids, live and in the recycle bin. Gives the accounts that are live.
async fn recheck_accounts(
    ports: &TenantPorts,
    asked: Vec<(&AccountItem, Option<RecheckReason>)>,
    marks: &mut DirtyMarks<'_>,
    missing: &[Attr],
) -> Result<Vec<Account>, TenantStop> {
    let now = ports.clock.now_seconds();
    let mut found = Vec::with_capacity(asked.len());
    let mut settled = Vec::with_capacity(asked.len());
    for (item, reason) in asked {
        let id = &item.account.id;
        if let Some(account) = ports.tenant.account(id).await? {
            if reason.is_some() {
                change_ledger(ports, id, |ledger| Ledger { unseen: None, ..ledger }).await?;
                settled.push(id.clone());
            }
            found.push(account);
            continue;
        }
        match reason {
            Some(reason @ RecheckReason::Unseen(_)) if reason.is_due(now) => {
                forget(ports, &item.account, marks).await?;
                settled.push(id.clone());
            }
            Some(RecheckReason::Unseen(_)) => {}
            Some(RecheckReason::Stale(_)) | None => {
                ports.store.write_all(vec![RecheckReason::Unseen(now).note(ports, id)]).await?;
                change_ledger(ports, id, |ledger| Ledger { unseen: Some(now), ..ledger }).await?;
            }
        }
    }
    let live = found.iter().filter(|account| !account.is_deleted()).cloned().collect();
    let stored = store_accounts(ports, found, marks, missing).await?;
    // An account that is shown as before our write once more has a new note.
    settled.retain(|id| !stored.stale.contains(id));
    RecheckReason::forget(ports, &settled).await?;
    Ok(live)
}

/// Forgets an account that is gone for good: the tenant said so, or two looks some minutes apart found it nowhere. Its link
/// keeps the time, so that policy can decide what a lost account means.
pub(super) async fn forget(ports: &TenantPorts, old: &Account, marks: &mut DirtyMarks<'_>) -> Result<(), TenantStop> {
    marks.accounts(&[(Some(old), None)]).await?;
    marks.flush().await?;
    let now = ports.clock.now_seconds();
    let gone = |ledger: Ledger| Ledger { unseen: None, confirmed_gone: ledger.confirmed_gone.or(Some(now)), ..ledger };
    change_ledger(ports, &old.id, gone).await?;
    let mut writes = Vec::new();
    ports.store.delete_account(&ports.scope, old, &mut writes);
    // The account may come back while the lists of its groups stay as they were read last: its memberships are compared
    // then.
    let groups = old.memberships.iter().map(ObjectId::from);
    writes.extend(groups.map(|group| ports.store.note_membership(&ports.scope, &group, &old.id)));
    Ok(ports.store.write_facts_last(writes).await?)
}

/// Changes the ledger of an account's link, although another function may write the link at the same time, and marks the
/// person dirty.
async fn change_ledger(
    ports: &TenantPorts,
    id: &ObjectId,
    change: impl Fn(Ledger) -> Ledger,
) -> Result<(), TenantStop> {
    let mut tries = 1;
    loop {
        let Some(link) = ports.store.link_to(&ports.scope, id).await? else { return Ok(()) };
        let mut new = link.value.clone();
        new.ledger = change(new.ledger);
        if new.ledger == link.value.ledger {
            return Ok(());
        }
        new.revision += 1;
        let mut writes = vec![ports.store.mark_dirty(&new.person.connection, ports.store.pid(&new.person))];
        ports.store.put_link(&ports.scope, Some(&link), &new, &mut writes);
        match ports.store.transact(writes).await {
            Ok(()) => return Ok(()),
            Err(error) if error.is_conflict() && tries < TRIES => tries += 1,
            Err(error) => return Err(error.into()),
        }
    }
}
