//! Marks: whose look at the tenant must be taken again, written before the facts that concern them.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::account::Account;
use hardmatch_domain::ids::{ObjectId, PersonRef};
use hardmatch_ports::run::Run;
use hardmatch_ports::{TenantError, Write};
use hardmatch_store::StoreError;

use crate::TenantPorts;

/// Why an observation stopped early.
pub(crate) enum Stopped {
    Tenant(TenantError),
    Store(StoreError),
}

impl From<TenantError> for Stopped {
    fn from(error: TenantError) -> Self {
        Self::Tenant(error)
    }
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<hardmatch_ports::TableError> for Stopped {
    fn from(error: hardmatch_ports::TableError) -> Self {
        Self::Store(error.into())
    }
}

/// People whose look at the tenant must be taken again, collected and written together.
pub(crate) struct Marks<'a> {
    ports: &'a TenantPorts,
    /// Everybody is decided anyway: nobody needs a mark.
    everybody: bool,
    people: BTreeSet<PersonRef>,
}

impl<'a> Marks<'a> {
    pub(crate) fn new(ports: &'a TenantPorts, run: &Run, first: bool) -> Self {
        Self { ports, everybody: run.everybody && first, people: BTreeSet::new() }
    }

    /// Everybody whom a change of an account concerns: its person, and all who hold one of its values.
    pub(crate) async fn account(&mut self, old: Option<&Account>, new: Option<&Account>) -> Result<(), Stopped> {
        if self.everybody {
            return Ok(());
        }
        let Some(id) = new.or(old).map(|account| &account.id) else { return Ok(()) };
        if let Some(link) = self.ports.store.link_to(&self.ports.scope, id).await? {
            self.people.insert(link.value.person);
        }
        let mut values = BTreeSet::new();
        for account in [old, new].into_iter().flatten() {
            self.ports.store.lookups().account(account, &mut |by, value| {
                values.insert((by, value.to_owned()));
            });
        }
        for (by, value) in values {
            self.people.extend(self.ports.store.people_by(&self.ports.scope, by, &value).await?);
        }
        Ok(())
    }

    pub(crate) async fn flush(&mut self) -> Result<(), Stopped> {
        let store = &self.ports.store;
        let writes: Vec<Write> =
            self.people.iter().map(|who| store.mark_open(&who.connection, store.pid(who))).collect();
        if !writes.is_empty() {
            store.table().batch_write(writes).await?;
        }
        self.people.clear();
        Ok(())
    }
}

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
    for id in concerned {
        if let Some(link) = ports.store.link_to(&ports.scope, id).await? {
            let who = &link.value.person;
            writes.push(ports.store.mark_open(&who.connection, ports.store.pid(who)));
        }
    }
    if !writes.is_empty() {
        ports.store.table().batch_write(writes).await?;
    }
    Ok(())
}
