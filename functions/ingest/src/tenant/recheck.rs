//! Accounts that should be somewhere and were not shown: asked for by their id, and believed gone only after two looks
//! some minutes apart. Between the two the mirror stays as it is, and the link says `unseen`.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::account::Account;
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::ObjectId;
use hardmatch_domain::link::Ledger;
use hardmatch_ports::{Key, TableError, Write};
use hardmatch_store::accounts::AccountItem;

use crate::TenantPorts;
use crate::tenant::accounts::{known_accounts, store_accounts};
use crate::tenant::deleted::noted_in_bin;
use crate::tenant::dirty::{Marks, Stopped};
use crate::tenant::mirror::{STALE_SECONDS, may_lag};
use crate::tenant::progress::{Checkpoint, TenantProgress};

/// Two looks at an account that is nowhere are this far apart at least (seconds).
const UNSEEN_SECONDS: i64 = 5 * 60;
/// Accounts that are asked for between two looks at the time.
const ASKED: usize = 20;
/// A link that somebody else writes at the same time is read again so often.
const TRIES: usize = 5;

/// Why an account is to be asked for by its id, and since when (Unix seconds).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RecheckReason {
    /// Its last sighting was of the time before our write: a real change may hide behind it.
    Stale(i64),
    /// A first look found it nowhere.
    Unseen(i64),
}

impl RecheckReason {
    /// What cannot be read is due.
    fn read(body: &[u8]) -> Self {
        let text = std::str::from_utf8(body).unwrap_or_default();
        let since = |text: &str| text.parse().unwrap_or_default();
        text.strip_prefix("unseen ").map_or_else(|| Self::Stale(since(text)), |text| Self::Unseen(since(text)))
    }

    fn body(self) -> Vec<u8> {
        match self {
            Self::Stale(since) => since.to_string().into_bytes(),
            Self::Unseen(since) => format!("unseen {since}").into_bytes(),
        }
    }

    fn is_due(self, now: i64) -> bool {
        match self {
            Self::Stale(since) => now - since >= STALE_SECONDS,
            Self::Unseen(since) => now - since >= UNSEEN_SECONDS,
        }
    }
}

/// Where accounts are noted that are to be asked for.
fn waiting(ports: &TenantPorts) -> String {
    format!("{}#recheck", ports.scope.as_str())
}

/// The write that remembers to ask for an account whose last sighting was of the time before our write.
pub(crate) fn stale(ports: &TenantPorts, id: &ObjectId) -> Write {
    note(ports, id, RecheckReason::Stale(ports.clock.now_seconds()))
}

fn note(ports: &TenantPorts, id: &ObjectId, waits: RecheckReason) -> Write {
    ports.store.write_note(&waiting(ports), id.as_str(), waits.body())
}

/// Accounts that are noted, once their time has passed.
pub(crate) async fn recheck(
    ports: &TenantPorts,
    marks: &mut Marks<'_>,
    reading: &mut TenantProgress,
    checkpoint: &mut Checkpoint<'_>,
) -> Result<(), Stopped> {
    let now = ports.clock.now_seconds();
    let noted = ports.store.notes_of(&waiting(ports)).await?;
    let due: Vec<(ObjectId, RecheckReason)> = noted
        .into_iter()
        .map(|(id, body)| (ObjectId::new(id), RecheckReason::read(&body)))
        .filter(|(_, waits)| waits.is_due(now))
        .collect();
    for some in due.chunks(ASKED) {
        let ids: Vec<ObjectId> = some.iter().map(|(id, _)| id.clone()).collect();
        let known = known_accounts(ports, &ids).await?;
        // Whom the mirror has forgotten meanwhile nobody asks for.
        let forgotten: Vec<ObjectId> = ids.into_iter().filter(|id| !known.contains_key(id)).collect();
        settle(ports, &forgotten).await?;
        let asked = some.iter().filter_map(|(id, waits)| Some((known.get(id)?, Some(*waits))));
        recheck_accounts(ports, asked.collect(), marks, &[]).await?;
        checkpoint.unit(reading).await?;
    }
    Ok(())
}

/// Accounts of the mirror that a whole listing did not show. Those without a link are forgotten; linked ones are asked
/// for. Gives those that are live after all.
pub(crate) async fn not_shown(
    ports: &TenantPorts,
    ids: &[ObjectId],
    marks: &mut Marks<'_>,
    missing: &[Attr],
) -> Result<Vec<Account>, Stopped> {
    let items: Vec<AccountItem> = known_accounts(ports, ids).await?.into_values().collect();
    let items = told_by_all(ports, items).await?;
    let (deleted, live): (Vec<AccountItem>, Vec<AccountItem>) =
        items.into_iter().partition(|item| item.account.is_deleted());
    // The bin's own listing says whether they are still there, if it knows whom to miss.
    let binned: Vec<Write> = deleted.iter().map(|item| noted_in_bin(ports, &item.account.id)).collect();
    if !binned.is_empty() {
        ports.store.table().batch_write(binned).await?;
    }
    ask_or_forget(ports, live, marks, missing).await
}

/// Those of whom every replica has heard. Whom we created, deleted or restored a moment ago is asked for later.
async fn told_by_all(ports: &TenantPorts, items: Vec<AccountItem>) -> Result<Vec<AccountItem>, Stopped> {
    let now = ports.clock.now_seconds();
    let (late, told): (Vec<AccountItem>, Vec<AccountItem>) = items.into_iter().partition(|item| may_lag(item, now));
    if !late.is_empty() {
        let notes = late.iter().map(|item| stale(ports, &item.account.id));
        ports.store.table().batch_write(notes.collect()).await?;
    }
    Ok(told)
}

/// Accounts that left the recycle bin's listing, and came nowhere else. As in [`not_shown`].
pub(crate) async fn left_bin(
    ports: &TenantPorts,
    items: Vec<AccountItem>,
    marks: &mut Marks<'_>,
) -> Result<u64, Stopped> {
    let items = told_by_all(ports, items).await?;
    let count = items.len() as u64;
    ask_or_forget(ports, items, marks, &[]).await?;
    Ok(count)
}

/// Asks for those who are linked, and forgets the others. Gives those that are live.
async fn ask_or_forget(
    ports: &TenantPorts,
    items: Vec<AccountItem>,
    marks: &mut Marks<'_>,
    missing: &[Attr],
) -> Result<Vec<Account>, Stopped> {
    let ids: Vec<ObjectId> = items.iter().map(|item| item.account.id.clone()).collect();
    let linked: BTreeSet<ObjectId> =
        ports.store.links_to(&ports.scope, &ids).await?.into_iter().map(|link| link.value.account).collect();
    let mut asked = Vec::new();
    for item in &items {
        let id = &item.account.id;
        if linked.contains(id) {
            let waits = ports.store.note(&waiting(ports), id.as_str()).await?;
            asked.push((item, waits.map(|body| RecheckReason::read(&body))));
        } else {
            forget(ports, &item.account, marks).await?;
        }
    }
    recheck_accounts(ports, asked, marks, missing).await
}

/// Looks for accounts by their ids, live and in the recycle bin. Gives those that are live.
async fn recheck_accounts(
    ports: &TenantPorts,
    asked: Vec<(&AccountItem, Option<RecheckReason>)>,
    marks: &mut Marks<'_>,
    missing: &[Attr],
) -> Result<Vec<Account>, Stopped> {
    let now = ports.clock.now_seconds();
    let mut found = Vec::with_capacity(asked.len());
    let mut settled = Vec::with_capacity(asked.len());
    for (item, waits) in asked {
        let id = &item.account.id;
        if let Some(account) = ports.tenant.account(id).await? {
            if waits.is_some() {
                change_ledger(ports, id, |ledger| Ledger { unseen: None, ..ledger }).await?;
                settled.push(id.clone());
            }
            found.push(account);
            continue;
        }
        match waits {
            Some(waits @ RecheckReason::Unseen(_)) if waits.is_due(now) => {
                forget(ports, &item.account, marks).await?;
                settled.push(id.clone());
            }
            Some(RecheckReason::Unseen(_)) => {}
            Some(RecheckReason::Stale(_)) | None => {
                ports.store.table().batch_write(vec![note(ports, id, RecheckReason::Unseen(now))]).await?;
                change_ledger(ports, id, |ledger| Ledger { unseen: Some(now), ..ledger }).await?;
            }
        }
    }
    let live = found.iter().filter(|account| !account.is_deleted()).cloned().collect();
    let stored = store_accounts(ports, found, marks, missing).await?;
    // Whose sighting is stale once more has a new note.
    settled.retain(|id| !stored.stale.contains(id));
    settle(ports, &settled).await?;
    Ok(live)
}

/// Nobody needs to ask for these any more.
async fn settle(ports: &TenantPorts, ids: &[ObjectId]) -> Result<(), Stopped> {
    if ids.is_empty() {
        return Ok(());
    }
    let pk = waiting(ports);
    let keys = ids.iter().map(|id| Key::new(format!("NOTE#{pk}"), id.as_str()));
    Ok(ports.store.delete_keys(keys.collect()).await?)
}

/// An account that is gone for good: the tenant said so, or two looks some minutes apart found it nowhere. Its link
/// learns it, so that policy can decide what a lost account means.
pub(crate) async fn forget(ports: &TenantPorts, old: &Account, marks: &mut Marks<'_>) -> Result<(), Stopped> {
    marks.accounts(&[(Some(old), None)]).await?;
    marks.flush().await?;
    let now = ports.clock.now_seconds();
    let gone = |ledger: Ledger| Ledger { unseen: None, confirmed_gone: ledger.confirmed_gone.or(Some(now)), ..ledger };
    change_ledger(ports, &old.id, gone).await?;
    let mut writes = Vec::new();
    ports.store.delete_account(&ports.scope, old, &mut writes);
    // Should it come back, the lists of its groups may be the ones that were read last.
    let groups = old.memberships.iter().map(ObjectId::from);
    writes.extend(groups.map(|group| ports.store.note_membership(&ports.scope, &group, &old.id)));
    Ok(ports.store.write_facts_last(writes).await?)
}

/// Changes what an account's link knows, whoever writes it at the same time, and has its person decided again.
async fn change_ledger(ports: &TenantPorts, id: &ObjectId, change: impl Fn(Ledger) -> Ledger) -> Result<(), Stopped> {
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
        match ports.store.table().transact(writes).await {
            Ok(()) => return Ok(()),
            Err(TableError::Conflict { .. }) if tries < TRIES => tries += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Accounts that were met after the last full reading, and are in no fingerprint of it.
pub(crate) struct SeenSinceFullListing {
    pk: String,
}

impl SeenSinceFullListing {
    pub(crate) fn of(ports: &TenantPorts) -> Self {
        Self { pk: format!("{}#met", ports.scope.as_str()) }
    }

    /// The write that remembers one.
    pub(crate) fn note(&self, ports: &TenantPorts, id: &ObjectId) -> Write {
        ports.store.write_note(&self.pk, id.as_str(), ports.clock.now_seconds().to_string().into_bytes())
    }

    /// All of them, and when each was met.
    pub(crate) async fn all(&self, ports: &TenantPorts) -> Result<BTreeMap<ObjectId, i64>, Stopped> {
        let noted = ports.store.notes_of(&self.pk).await?;
        let met = |body: &[u8]| std::str::from_utf8(body).ok()?.parse().ok();
        Ok(noted.into_iter().map(|(id, body)| (ObjectId::new(id), met(&body).unwrap_or_default())).collect())
    }

    /// A full reading has shown or missed those who were met before it began.
    pub(crate) async fn settle(&self, ports: &TenantPorts, begun: i64) -> Result<(), Stopped> {
        let met = self.all(ports).await?;
        let before = met.into_iter().filter(|(_, at)| *at < begun);
        let keys: Vec<Key> = before.map(|(id, _)| Key::new(format!("NOTE#{}", self.pk), id.as_str())).collect();
        if keys.is_empty() { Ok(()) } else { Ok(ports.store.delete_keys(keys).await?) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_account_waits_for_comes_back_as_it_was_noted_and_half_a_note_is_due() {
        for waits in [RecheckReason::Stale(1_000), RecheckReason::Unseen(1_000)] {
            assert_eq!(RecheckReason::read(&waits.body()), waits);
        }
        assert!(
            !RecheckReason::Stale(1_000).is_due(1_000 + STALE_SECONDS - 1) && RecheckReason::Stale(1_000).is_due(1_900)
        );
        assert!(!RecheckReason::Unseen(1_000).is_due(1_299) && RecheckReason::Unseen(1_000).is_due(1_300));
        assert!(RecheckReason::read(b"unseen").is_due(1_000) && RecheckReason::read(&[0xff]).is_due(1_000));
    }
}
