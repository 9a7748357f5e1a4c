//! A run's items: itself, and the slices it has to decide.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::run::Run;
use hardmatch_ports::{Condition, Key, Query, Write};

use crate::keys::Pid;
use crate::{Result, Store, Stored, json, keys};

impl Store {
    fn run_key(c: &ConnectionId, id: &str) -> Key {
        keys::connection(c, format!("RUN#{id}"))
    }

    /// A run.
    pub async fn run(&self, c: &ConnectionId, id: &str) -> Result<Option<Stored<Run>>> {
        self.read(&Self::run_key(c, id), "run").await
    }

    /// Stores a new run.
    pub async fn create_run(&self, run: &Run) -> Result<()> {
        let key = Self::run_key(&run.connection, &run.id);
        self.table.write(Write::put_if(key, json(run), Condition::Absent)).await?;
        Ok(())
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
                Err(hardmatch_ports::TableError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Cuts the people into slices by the first bits of their place, and stores each slice that has anybody.
    pub async fn put_slices(&self, run: &str, bits: u32, sorted: &[Pid]) -> Result<usize> {
        let mut writes = Vec::new();
        for chunk in sorted.chunk_by(|a, b| a.prefix(bits) == b.prefix(bits)) {
            let slice = chunk[0].prefix(bits);
            writes.push(Write::put(keys::run(run, "todo", format!("{slice:06}")), pack(chunk)));
        }
        let count = writes.len();
        if count > 0 {
            self.table.batch_write(writes).await?;
        }
        Ok(count)
    }

    /// The next slices not yet decided, in order, after a slice.
    pub async fn slices(&self, run: &str, after: Option<usize>, limit: usize) -> Result<Vec<(usize, Vec<Pid>)>> {
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

    /// Forgets everything a run left to do: slices, lane, held removals. History and summary stay.
    pub async fn clear_run(&self, run: &str) -> Result<()> {
        for part in ["todo", "held"] {
            self.clear(format!("R#{run}#{part}"), "").await?;
        }
        self.clear(keys::lane_pk(run), "").await
    }
}

pub(crate) fn pack(pids: &[Pid]) -> Vec<u8> {
    pids.iter().flat_map(|pid| pid.bytes().iter().copied()).collect()
}

pub(crate) fn unpack(body: &[u8]) -> Vec<Pid> {
    body.chunks_exact(16).filter_map(|bytes| bytes.try_into().ok().map(Pid::from_bytes)).collect()
}
