//! Marks: whose look at the tenant must be taken again, written before the facts that concern them.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _};
use hardmatch_domain::account::Account;
use hardmatch_domain::ids::{ObjectId, PersonRef};
use hardmatch_ports::run::Run;
use hardmatch_ports::{BlobError, TenantError};
use hardmatch_store::StoreError;
use hardmatch_store::accounts::AccountItem;

use crate::{ObserveError, TenantPorts};

/// Accounts whose people are looked for at a time: each is half a dozen queries, one after the other.
const TOGETHER: usize = 16;

/// Why an observation stopped early.
pub(crate) enum Stopped {
    Tenant(TenantError),
    Failed(ObserveError),
    /// How far it came is kept; the next message goes on.
    Time,
}

impl From<TenantError> for Stopped {
    fn from(error: TenantError) -> Self {
        Self::Tenant(error)
    }
}

impl From<ObserveError> for Stopped {
    fn from(error: ObserveError) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<BlobError> for Stopped {
    fn from(error: BlobError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<hardmatch_ports::TableError> for Stopped {
    fn from(error: hardmatch_ports::TableError) -> Self {
        Self::Failed(StoreError::from(error).into())
    }
}

/// People whose look at the tenant must be taken again, collected and written together.
pub(crate) struct Marks<'a> {
    ports: &'a TenantPorts,
    /// Everybody is decided anyway: nobody needs a mark.
    everybody: bool,
    /// People of this run are decided already: each is marked by themselves, so that whoever carries a decision out sees
    /// that it rests on something else now.
    decided: bool,
    people: BTreeSet<PersonRef>,
}

impl<'a> Marks<'a> {
    pub(crate) fn new(ports: &'a TenantPorts, run: &Run, first: bool) -> Self {
        let decided = run.plan.is_some();
        Self { ports, everybody: run.everybody && first && !decided, decided, people: BTreeSet::new() }
    }

    /// Everybody whom changes of accounts concern: their people, and all who hold one of their values. Each change is
    /// the account before and after.
    pub(crate) async fn accounts(&mut self, changes: &[(Option<&Account>, Option<&Account>)]) -> Result<(), Stopped> {
        if self.everybody {
            return Ok(());
        }
        let asked: Vec<_> = changes.iter().map(|&(old, new)| concerned(self.ports, old, new)).collect();
        let mut found = futures::stream::iter(asked).buffer_unordered(TOGETHER);
        while let Some(people) = found.try_next().await? {
            self.people.extend(people);
        }
        Ok(())
    }

    /// The people who are linked to accounts: whom else would it concern of which groups these are members?
    pub(crate) async fn linked(&mut self, accounts: &[ObjectId]) -> Result<(), Stopped> {
        if self.everybody || accounts.is_empty() {
            return Ok(());
        }
        let links = self.ports.store.links_to(&self.ports.scope, accounts).await?;
        self.people.extend(links.into_iter().map(|link| link.value.person));
        Ok(())
    }

    pub(crate) async fn flush(&mut self) -> Result<(), Stopped> {
        let store = &self.ports.store;
        let people = std::mem::take(&mut self.people);
        let writes = if self.decided {
            people.iter().map(|who| store.mark_dirty(&who.connection, store.pid(who))).collect()
        } else {
            store.mark_people(&people)
        };
        if !writes.is_empty() {
            store.table().batch_write(writes).await?;
        }
        Ok(())
    }
}

async fn concerned(
    ports: &TenantPorts,
    old: Option<&Account>,
    new: Option<&Account>,
) -> Result<BTreeSet<PersonRef>, Stopped> {
    let mut people = BTreeSet::new();
    let Some(id) = new.or(old).map(|account| &account.id) else { return Ok(people) };
    if let Some(link) = ports.store.link_to(&ports.scope, id).await? {
        people.insert(link.value.person);
    }
    let mut values = BTreeSet::new();
    for account in [old, new].into_iter().flatten() {
        ports.store.lookups().account(account, &mut |by, value| {
            values.insert((by, value.to_owned()));
        });
    }
    for (by, value) in values {
        people.extend(ports.store.people_by(&ports.scope, by, &value).await?);
    }
    Ok(people)
}

/// Who became an administrator or ceased to be one: changes decided before are not written, and their people are decided
/// again.
pub(crate) async fn mark_role_changes(
    ports: &TenantPorts,
    old: Option<&BTreeMap<ObjectId, Vec<String>>>,
    new: Option<&BTreeMap<ObjectId, Vec<String>>>,
) -> Result<(), Stopped> {
    let empty = BTreeMap::new();
    let (old, new) = (old.unwrap_or(&empty), new.unwrap_or(&empty));
    let concerned: BTreeSet<&ObjectId> =
        old.keys().chain(new.keys()).filter(|id| old.contains_key(*id) != new.contains_key(*id)).collect();
    let mut writes = Vec::new();
    let ids: Vec<ObjectId> = concerned.iter().map(|id| (*id).clone()).collect();
    for item in ports.store.accounts(&ports.scope, &ids).await? {
        // What was decided of the account before is not to be written: it may have become an administrator's.
        let account = Account { revision: item.account.revision + 1, ..item.account.clone() };
        let next = AccountItem { account, wrote: item.wrote.clone() };
        ports.store.put_account(&ports.scope, Some(&item.account), &next, &mut writes);
    }
    for id in concerned {
        if let Some(link) = ports.store.link_to(&ports.scope, id).await? {
            let who = &link.value.person;
            writes.push(ports.store.mark_dirty(&who.connection, ports.store.pid(who)));
        }
    }
    if !writes.is_empty() {
        ports.store.table().batch_write(writes).await?;
    }
    Ok(())
}
