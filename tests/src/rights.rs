//! The table as a function of the stack may use it: what its role in `infra/rights.txt` does not allow is refused, as IAM
//! refuses it. Every story runs its functions over this, so that a right that the template lacks fails where it is needed.

use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_ports::table::Units;
use hardmatch_ports::{Item, Key, Page, Query, Table, TableError, Write};

const RIGHTS: &str = include_str!("../../infra/rights.txt");

/// What a role may do with the table of work: an action, and beginnings of partitions; none where it may with all.
#[derive(Clone, Debug, Default)]
pub(crate) struct TableRights(Arc<Vec<(String, Option<Vec<String>>)>>);

impl TableRights {
    /// Of a role of the template.
    pub(crate) fn of(role: &str) -> Self {
        let lines = RIGHTS.lines().filter_map(|line| {
            let parts: Vec<&str> = line.split(" | ").collect();
            let [who, "allow", action, resource, when] = parts[..] else { return None };
            let ours = who == role && action.starts_with("dynamodb:") && resource.contains("${WorkTable.Arn}");
            let keys = when.split("; ").find_map(|one| one.split_once("dynamodb:LeadingKeys = "));
            ours.then(|| (action.to_owned(), keys.map(|(_, keys)| keys.split(", ").map(str::to_owned).collect())))
        });
        Self(Arc::new(lines.collect()))
    }

    /// Whether an action on a partition is allowed. As IAM compares, `*` at the end stands for anything.
    pub(crate) fn allow(&self, action: &str, partition: &str) -> bool {
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(beginning) => partition.starts_with(beginning),
            None => partition == pattern,
        };
        self.0.iter().any(|(one, keys)| one == action && keys.as_ref().is_none_or(|keys| keys.iter().any(fits)))
    }
}

/// A table that refuses what a role may not do.
pub(crate) struct GuardedTable {
    inner: Arc<dyn Table>,
    role: &'static str,
    rights: TableRights,
}

impl GuardedTable {
    /// In front of a table, with the rights of a role of the template.
    pub(crate) fn new(inner: Arc<dyn Table>, role: &'static str) -> Self {
        Self { inner, role, rights: TableRights::of(role) }
    }

    fn check(&self, action: &str, key_pk: &str) -> Result<(), TableError> {
        if self.rights.allow(action, key_pk) {
            return Ok(());
        }
        let kind = key_pk.split('#').next().unwrap_or_default();
        Err(TableError::Unavailable(format!(
            "AccessDenied: {} may not {action} in partitions {kind}#. Where it must, allow it in infra/template.yaml",
            self.role
        )))
    }

    fn check_write(&self, write: &Write) -> Result<(), TableError> {
        let action = match write {
            Write::Put { .. } => "dynamodb:PutItem",
            Write::Delete { .. } => "dynamodb:DeleteItem",
            Write::Check { .. } => "dynamodb:ConditionCheckItem",
        };
        self.check(action, &write.key().pk)
    }
}

#[async_trait]
impl Table for GuardedTable {
    async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        self.check("dynamodb:GetItem", &key.pk)?;
        self.inner.get(key).await
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Item>, TableError> {
        keys.iter().try_for_each(|key| self.check("dynamodb:BatchGetItem", &key.pk))?;
        self.inner.batch_get(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        self.check("dynamodb:Query", &query.pk)?;
        self.inner.query(query).await
    }

    async fn write(&self, write: Write) -> Result<u64, TableError> {
        self.check_write(&write)?;
        self.inner.write(write).await
    }

    async fn batch_write(&self, writes: Vec<Write>) -> Result<(), TableError> {
        writes.iter().try_for_each(|write| self.check("dynamodb:BatchWriteItem", &write.key().pk))?;
        self.inner.batch_write(writes).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<(), TableError> {
        writes.iter().try_for_each(|write| self.check_write(write))?;
        self.inner.transact(writes).await
    }

    fn units(&self) -> Units {
        self.inner.units()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_faces_strangers_or_reads_their_files_writes_no_state_and_no_lane() {
        let writes = ["dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"];
        let may = |role: &str, partition: &str| {
            let rights = TableRights::of(role);
            writes.iter().any(|action| rights.allow(action, partition))
        };
        for partition in ["CONN#contoso", "CONNS", "STORE", "P#contoso#1", "LANE#r1", "GATE#t", "A#t#1"] {
            assert!(!may("ConnectRole", partition), "the pages write {partition}");
        }
        assert!(may("ConnectRole", "CONNECT#1") && may("ConnectRole", "CONNECTING#contoso"));
        for partition in ["LANE#r1", "BATCH#l", "GATE#t", "A#t#1", "KA#t#upn#1", "CONNS", "CONNECT#1", "STORE"] {
            assert!(!may("SourceRole", partition), "who reads foreign files writes {partition}");
        }
        for partition in [
            "CONN#contoso",
            "CONNS",
            "STORE",
            "P#contoso#1",
            "KP#t",
            "A#t#1",
            "DIRTY#contoso#0",
            "LANE#r1",
            "GATE#t",
            "R#r1",
            "LOCK#x",
            "DUE#contoso#1",
            "APPROVAL#contoso",
            "NOTE#contoso#source",
        ] {
            assert!(!may("WebhookRole", partition), "a holder of a token writes {partition}");
        }
        for partition in ["PUSHED#contoso#people", "SYNC#contoso", "HOOK#contoso#1"] {
            assert!(may("WebhookRole", partition), "{partition}");
        }
        for (role, partition) in [
            ("TenantRole", "LANE#r1"),
            ("TenantRole", "FP#contoso"),
            ("WriteRole", "FP#contoso"),
            ("WriteRole", "KP#t"),
        ] {
            assert!(!may(role, partition), "{role} writes {partition}");
        }
        // What the pages read is nobody's record.
        assert!(!TableRights::of("ConnectRole").allow("dynamodb:Query", "P#contoso#1"));
        assert!(!TableRights::of("ConnectRole").allow("dynamodb:BatchGetItem", "CONN#contoso"));
    }
}
