//! A run's items: itself, and the slices it has to decide.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::run::Run;
use hardmatch_ports::{Condition, Key, Query, TableError, Write};

use crate::connection::{Meta, Slot};
use crate::keys::PersonHash;
use crate::{Result, Store, Stored, json, keys};

/// Where a run is entered as the open one.
#[derive(Clone, Debug)]
pub enum RunPlace {
    /// A run over everybody: one for each connection, as its state was read.
    Connection(Box<Stored<Meta>>),
    /// A run about one person: one for each person, whatever else runs; and whose it was as it was read.
    Person(PersonHash, Option<Stored<String>>),
}

/// A name for a run that begins now (Unix milliseconds): sorts by time.
pub fn new_run_id(now_ms: i64) -> String {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(u64::try_from(now_ms).unwrap_or(0));
    ulid::Ulid::from_datetime(time).to_string()
}

fn now_key(c: &ConnectionId, pid: PersonHash) -> Key {
    keys::connection(c, format!("NOW#{}", pid.hex()))
}

impl Store {
    fn run_key(c: &ConnectionId, id: &str) -> Key {
        keys::connection(c, format!("RUN#{id}"))
    }

    /// A run.
    pub async fn run(&self, c: &ConnectionId, id: &str) -> Result<Option<Stored<Run>>> {
        self.read(&Self::run_key(c, id), "run").await
    }

    /// Enters a new run into the table, all or nothing: the run, and who has it open (the connection with the scheduled
    /// time it is for, or one person's place where it is about one). A conflict means that somebody else opened one since
    /// `place` was read.
    pub async fn open_run(&self, run: &Run, place: &RunPlace) -> Result<()> {
        let c = &run.connection;
        let mut writes = vec![Write::put_if(Self::run_key(c, &run.id), json(run), Condition::Absent)];
        match place {
            RunPlace::Connection(meta) => {
                let mut meta = meta.clone();
                meta.value.run = Some(run.id.clone());
                if let Some(at) = &run.slot {
                    meta.value.slot = Some(Slot { at: at.clone(), run: run.id.clone() });
                }
                writes.extend(Self::meta_writes(c, &meta));
            }
            RunPlace::Person(pid, had) => {
                let condition = had.as_ref().map_or(Condition::Absent, |had| Condition::Revision(had.revision));
                writes.push(Write::put_if(now_key(c, *pid), json(&run.id), condition));
            }
        }
        Ok(self.table.transact(writes).await?)
    }

    /// The run about one person that is open, or waits with its plan.
    pub async fn now_run(&self, c: &ConnectionId, pid: PersonHash) -> Result<Option<Stored<String>>> {
        self.read(&now_key(c, pid), "run of one person").await
    }

    /// Names of all runs about one person that are open or wait with their plans.
    pub async fn now_runs(&self, c: &ConnectionId) -> Result<Vec<String>> {
        let query = Query::prefix(format!("CONN#{c}"), "NOW#");
        let found = self.read_all::<String>(query, "run of one person").await?;
        Ok(found.into_iter().map(|(_, stored)| stored.value).collect())
    }

    /// A run about one person is over: their place is free, unless a newer run has taken it.
    pub async fn free_place(&self, run: &Run) -> Result<()> {
        let Some(key) = &run.only else { return Ok(()) };
        let pid = self.secret().pid(key);
        let Some(held) = self.now_run(&run.connection, pid).await?.filter(|held| held.value == run.id) else {
            return Ok(());
        };
        let condition = Condition::Revision(held.revision);
        match self.table.write(Write::Delete { key: now_key(&run.connection, pid), condition }).await {
            Ok(_) | Err(TableError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Changes a run; tries again when somebody else was faster. `change` says whether it still applies; `None` when
    /// the run is gone or the change no longer applies.
    pub async fn update_run(
        &self,
        c: &ConnectionId,
        id: &str,
        change: impl Fn(&mut Run) -> bool,
    ) -> Result<Option<Run>> {
        loop {
            let Some(mut run) = self.run(c, id).await? else { return Ok(None) };
            if !change(&mut run.value) {
                return Ok(None);
            }
            let write = Write::put_if(Self::run_key(c, id), json(&run.value), Condition::Revision(run.revision));
            match self.table.write(write).await {
                Ok(_) => return Ok(Some(run.value)),
                Err(TableError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Cuts the people into slices by the first bits of their place, and stores each slice that has anybody.
    pub async fn put_slices(&self, run: &str, bits: u32, sorted: &[PersonHash]) -> Result<()> {
        let mut writes = Vec::new();
        for chunk in sorted.chunk_by(|a, b| a.prefix(bits) == b.prefix(bits)) {
            let slice = chunk[0].prefix(bits);
            writes.push(Write::put(keys::run(run, "todo", format!("{slice:06}")), pack(chunk)));
        }
        if !writes.is_empty() {
            self.table.batch_write(writes).await?;
        }
        Ok(())
    }

    /// The next slices not yet decided, in order, after a slice.
    pub async fn slices(&self, run: &str, after: Option<usize>, limit: usize) -> Result<Vec<(usize, Vec<PersonHash>)>> {
        let mut query = Query::prefix(format!("R#{run}#todo"), "").limit(limit);
        if let Some(after) = after {
            query = query.after(format!("{after:06}"));
        }
        let mut slices = Vec::new();
        self.each(query, |item| {
            if let Ok(number) = item.key.sk.parse() {
                slices.push((number, unpack(&item.body)));
            }
            Ok(())
        })
        .await?;
        Ok(slices)
    }

    /// A slice is decided.
    pub async fn delete_slice(&self, run: &str, slice: usize) -> Result<()> {
        self.table.write(Write::delete(keys::run(run, "todo", format!("{slice:06}")))).await?;
        Ok(())
    }

    /// Forgets everything a run left to do: slices, lane, held removals. History, summary and dirty marks stay.
    pub async fn clear_run(&self, run: &str) -> Result<()> {
        self.clear(format!("R#{run}#todo"), "").await?;
        self.clear(format!("R#{run}#held"), "").await?;
        self.clear(keys::lane_pk(run), "").await
    }
}

/// People's places, one after the other.
pub(crate) fn pack(pids: &[PersonHash]) -> Vec<u8> {
    pids.iter().flat_map(|pid| pid.bytes().iter().copied()).collect()
}

pub(crate) fn unpack(body: &[u8]) -> Vec<PersonHash> {
    body.chunks_exact(16).filter_map(|bytes| bytes.try_into().ok().map(PersonHash::from_bytes)).collect()
}
