//! People who become dirty because something of the tenant changed. They are marked before the facts are stored, so that a
//! kill in between leaves too many people dirty, never too few.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _};
use hardmatch_domain::account::Account;
use hardmatch_domain::ids::{ObjectId, PersonRef};
use hardmatch_ports::run::Run;
use hardmatch_store::accounts::AccountItem;

use super::stop::TenantStop;
use crate::ports::TenantPorts;

/// Accounts whose people are looked up side by side: each is half a dozen queries, one after the other.
const TOGETHER: usize = 16;

/// People to be marked dirty, collected and written together.
pub(super) struct DirtyMarks<'a> {
    ports: &'a TenantPorts,
    /// The run decides everybody: no mark is needed.
    everybody: bool,
    people: BTreeSet<PersonRef>,
}

impl<'a> DirtyMarks<'a> {
    /// `first`: the tenant is read for the first time.
    pub(super) fn new(ports: &'a TenantPorts, run: &Run, first: bool) -> Self {
        Self { ports, everybody: run.everybody && first && run.plan.is_none(), people: BTreeSet::new() }
    }

    /// Adds the people whom changes of accounts concern: people who are linked to one, and people who hold one of its values.
    /// Each change is the account before and after.
    pub(super) async fn accounts(
        &mut self,
        changes: &[(Option<&Account>, Option<&Account>)],
    ) -> Result<(), TenantStop> {
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

    /// Adds the people who are linked to accounts, and nobody else: memberships concern no other person.
    pub(super) async fn linked(&mut self, accounts: &[ObjectId]) -> Result<(), TenantStop> {
        if self.everybody || accounts.is_empty() {
            return Ok(());
        }
        let links = self.ports.store.links_to(&self.ports.scope, accounts).await?;
        self.people.extend(links.into_iter().map(|link| link.value.person));
        Ok(())
    }

    /// Writes the marks.
    pub(super) async fn flush(&mut self) -> Result<(), TenantStop> {
        let writes = self.ports.store.mark_people(&std::mem::take(&mut self.people));
        self.ports.store.write_all(writes).await?;
        Ok(())
    }
}

async fn concerned(
    ports: &TenantPorts,
    old: Option<&Account>,
    new: Option<&Account>,
) -> Result<BTreeSet<PersonRef>, TenantStop> {
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

/// Marks the people of accounts that became an administrator's or ceased to be one. Their accounts get a new revision, so
/// that a change decided before is not written.
pub(super) async fn mark_role_changes(
    ports: &TenantPorts,
    old: Option<&BTreeMap<ObjectId, Vec<String>>>,
    new: Option<&BTreeMap<ObjectId, Vec<String>>>,
) -> Result<(), TenantStop> {
    let empty = BTreeMap::new();
    let (old, new) = (old.unwrap_or(&empty), new.unwrap_or(&empty));
    let concerned: BTreeSet<&ObjectId> =
        old.keys().chain(new.keys()).filter(|id| old.contains_key(*id) != new.contains_key(*id)).collect();
    let mut writes = Vec::new();
    let ids: Vec<ObjectId> = concerned.iter().map(|id| (*id).clone()).collect();
    for item in ports.store.accounts(&ports.scope, &ids).await? {
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
    ports.store.write_all(writes).await?;
    Ok(())
}
