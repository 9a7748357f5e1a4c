//! Journals of repairs, and what open ones hold. A repair begins with its holds and its journal in one transaction, and ends
//! with its journal put away and its holds given back in another: there is no hold without an open repair.

use hardmatch_domain::repair::holds::{OpenRepair, OpenRepairs, RepairHold, holds};
use hardmatch_domain::repair::journal::Journal;
use hardmatch_ports::{Condition, TableError, Write};
use serde::{Deserialize, Serialize};

use crate::hashes::TenantKey;
use crate::{Result, Store, Stored, json, keys, parse};

/// Which repair holds a thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct HoldItem {
    v: u32,
    repair: Box<str>,
}

/// What came of beginning a repair.
#[derive(Debug)]
pub enum BeginRepair {
    /// It is open.
    Begun(Box<Stored<Journal>>),
    /// Another repair holds something that it would hold, or it was begun before.
    HeldByOther,
}

impl Store {
    /// Begins a repair: its holds and its journal, all or none.
    pub async fn begin_repair(&self, scope: &TenantKey, journal: &Journal) -> Result<BeginRepair> {
        let held = HoldItem { v: 1, repair: journal.id.clone() };
        let mut writes: Vec<Write> = holds(journal)
            .iter()
            .map(|what| Write::put_if(keys::repair_hold(scope, &self.secret, what), json(&held), Condition::Absent))
            .collect();
        writes.push(Write::put_if(keys::open_repair(scope, &journal.id), json(journal), Condition::Absent));
        match self.table.transact(writes).await {
            Ok(()) => match self.open_repair(scope, &journal.id).await? {
                Some(begun) => Ok(BeginRepair::Begun(Box::new(begun))),
                None => Ok(BeginRepair::HeldByOther),
            },
            Err(TableError::Conflict { .. }) => Ok(BeginRepair::HeldByOther),
            Err(error) => Err(error.into()),
        }
    }

    /// An open repair.
    pub async fn open_repair(&self, scope: &TenantKey, id: &str) -> Result<Option<Stored<Journal>>> {
        self.read(&keys::open_repair(scope, id), "repair").await
    }

    /// A repair that ended.
    pub async fn closed_repair(&self, scope: &TenantKey, run: &str, id: &str) -> Result<Option<Journal>> {
        Ok(self.read(&keys::closed_repair(scope, run, id), "repair").await?.map(|stored| stored.value))
    }

    /// The open repairs of a tenant, of every connection.
    pub async fn open_repairs(&self, scope: &TenantKey) -> Result<Vec<Stored<Journal>>> {
        let found = self.read_all(keys::open_repairs(scope), "repair").await?;
        Ok(found.into_iter().map(|(_, stored)| stored).collect())
    }

    /// What the open repairs of a tenant hold.
    pub async fn repair_holds(&self, scope: &TenantKey) -> Result<OpenRepairs> {
        let open = self.open_repairs(scope).await?;
        Ok(OpenRepairs(open.iter().map(|stored| OpenRepair::of(&stored.value)).collect()))
    }

    /// Repairs that ended, newest first, at most so many.
    pub async fn closed_repairs(&self, scope: &TenantKey, limit: usize) -> Result<Vec<Journal>> {
        let query = keys::closed_repairs(scope).descending().limit(limit);
        let found = self.read_all(query, "repair").await?;
        Ok(found.into_iter().map(|(_, stored): (_, Stored<Journal>)| stored.value).collect())
    }

    /// Stores a journal over the one that was read; whether nobody else wrote it meanwhile. The holds follow names that the
    /// journal has since chosen.
    pub async fn put_repair(&self, scope: &TenantKey, stored: &mut Stored<Journal>) -> Result<bool> {
        let write = Write::put_if(
            keys::open_repair(scope, &stored.value.id),
            json(&stored.value),
            Condition::Revision(stored.revision),
        );
        match self.table.write(write).await {
            Ok(revision) => {
                stored.revision = revision;
                Ok(true)
            }
            Err(TableError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends a repair: the journal is put away and its holds are given back, all or none; whether nobody else wrote it
    /// meanwhile.
    pub async fn close_repair(&self, scope: &TenantKey, stored: &Stored<Journal>) -> Result<bool> {
        let journal = &stored.value;
        let mut writes = vec![
            Write::Delete {
                key: keys::open_repair(scope, &journal.id),
                condition: Condition::Revision(stored.revision),
            },
            Write::Put {
                key: keys::closed_repair(scope, &journal.run, &journal.id),
                body: json(journal),
                // With the history of the people whose accounts it was about.
                expires: journal.ended_ms.map(|ms| self.end_of(ms / 1000)),
                condition: Condition::None,
            },
        ];
        writes.extend(holds(journal).iter().map(|what| Write::delete(keys::repair_hold(scope, &self.secret, what))));
        match self.table.transact(writes).await {
            Ok(()) => Ok(true),
            Err(TableError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The repair that holds one of these things, by its name. One read for all of them.
    pub async fn repair_that_holds(&self, scope: &TenantKey, what: &[RepairHold]) -> Result<Option<Box<str>>> {
        let wanted: Vec<_> = what.iter().map(|what| keys::repair_hold(scope, &self.secret, what)).collect();
        let items = self.table.batch_get(&wanted).await?;
        let first = items.first().map(|item| parse::<HoldItem>(item, "hold").map(|stored| stored.value.repair));
        first.transpose()
    }
}
