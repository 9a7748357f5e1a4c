//! A run's items: itself, and the slices it has to decide.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::run::Run;
use hardmatch_ports::{Condition, TableError, Write};

use crate::connection::{Meta, Slot};
use crate::hashes::{PersonHash, pack, unpack};
use crate::{Result, Store, Stored, json, keys};

/// Where a run is entered as the open one.
#[derive(Clone, Debug)]
pub enum RunPlace {
    /// A run over everybody: one for each connection, as its state was read.
    Connection(Box<Meta>),
    /// A run about one person: one for each person, whatever else runs; and whose it was as it was read.
    Person(PersonHash, Option<Stored<String>>),
    /// A run about people of sync requests: one for each connection, whatever else runs; and whose it was as it was read.
    Requests(Option<Stored<String>>),
}

/// A name for a run that begins now (Unix milliseconds): sorts by time.
pub fn new_run_id(now_ms: i64) -> String {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(u64::try_from(now_ms).unwrap_or(0));
    ulid::Ulid::from_datetime(time).to_string()
}

impl Store {
    /// A run of the connection; `None` when there is none of this id.
    pub async fn run(&self, c: &ConnectionId, id: &str) -> Result<Option<Stored<Run>>> {
        self.read(&keys::run(c, id), "run").await
    }

    /// Enters a new run into the table, all or nothing: the run, and who has it open (the connection with the scheduled
    /// time it is for, or one person's place where it is about one). A conflict means that somebody else opened one since
    /// `place` was read.
    pub async fn open_run(&self, run: &Run, place: &RunPlace) -> Result<()> {
        let c = &run.connection;
        let mut writes = vec![Write::put_if(keys::run(c, &run.id), json(run), Condition::Absent)];
        match place {
            RunPlace::Connection(meta) => {
                let mut next = (**meta).clone();
                next.schedule.run = Some(run.id.clone());
                next.schedule.wanted = false;
                if let Some(at) = &run.slot {
                    next.schedule.slot = Some(Slot { at: at.clone(), run: run.id.clone() });
                }
                writes.extend(Self::meta_writes(c, meta, &next));
            }
            RunPlace::Person(pid, had) => {
                let condition = had.as_ref().map_or(Condition::Absent, |had| Condition::Revision(had.revision));
                writes.push(Write::put_if(keys::person_run(c, *pid), json(&run.id), condition));
            }
            RunPlace::Requests(had) => {
                let condition = had.as_ref().map_or(Condition::Absent, |had| Condition::Revision(had.revision));
                writes.push(Write::put_if(keys::requests_run(c), json(&run.id), condition));
            }
        }
        Ok(self.table.transact(writes).await?)
    }

    /// The run about one person that is open, or waits with its plan.
    pub async fn now_run(&self, c: &ConnectionId, pid: PersonHash) -> Result<Option<Stored<String>>> {
        self.read(&keys::person_run(c, pid), "run of one person").await
    }

    /// The run about people of sync requests that is open.
    pub async fn requests_run(&self, c: &ConnectionId) -> Result<Option<Stored<String>>> {
        self.read(&keys::requests_run(c), "run of sync requests").await
    }

    /// Names of all runs about some people that are open or wait with their plans.
    pub async fn now_runs(&self, c: &ConnectionId) -> Result<Vec<String>> {
        let query = keys::person_runs(c);
        let found = self.read_all::<String>(query, "run of one person").await?;
        Ok(found.into_iter().map(|(_, stored)| stored.value).collect())
    }

    /// A run about some people is over: its place is free, unless a newer run has taken it.
    pub async fn free_place(&self, run: &Run) -> Result<()> {
        let c = &run.connection;
        let (key, held) = match &run.only {
            Some(key) => {
                let pid = self.secret().pid(key);
                (keys::person_run(c, pid), self.now_run(c, pid).await?)
            }
            None if run.requests => (keys::requests_run(c), self.requests_run(c).await?),
            None => return Ok(()),
        };
        let Some(held) = held.filter(|held| held.value == run.id) else { return Ok(()) };
        let condition = Condition::Revision(held.revision);
        match self.table.write(Write::Delete { key, condition }).await {
            Ok(_) | Err(TableError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Names of all runs, newest first, at most so many.
    pub async fn run_ids(&self, c: &ConnectionId, limit: usize) -> Result<Vec<String>> {
        let query = keys::runs(c).descending().limit(limit);
        let mut ids = Vec::new();
        self.each(query, |item| {
            ids.push(keys::run_of(&item.key).to_owned());
            Ok(())
        })
        .await?;
        Ok(ids)
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
            let write = Write::Put {
                key: keys::run(c, id),
                body: json(&run.value),
                expires: run.value.closed_ms.map(|ms| self.end_of(ms / 1000)),
                condition: Condition::Revision(run.revision),
            };
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
            writes.push(Write::put(keys::slice(run, slice), pack(chunk)));
        }
        self.write_all(writes).await
    }

    /// The next slices not yet decided, in order, after a slice.
    pub async fn slices(&self, run: &str, after: Option<usize>, limit: usize) -> Result<Vec<(usize, Vec<PersonHash>)>> {
        let query = keys::slices(run, after).limit(limit);
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
        self.table.write(Write::delete(keys::slice(run, slice))).await?;
        Ok(())
    }

    /// Forgets whom a run was about that was not about everybody.
    pub async fn clear_asked(&self, run: &str) -> Result<()> {
        self.clear(keys::all_asked(run)).await
    }

    /// Forgets everything a run left to do: slices, lane, held removals. History, summary and dirty marks stay.
    pub async fn clear_run(&self, run: &str) -> Result<()> {
        self.clear(keys::slices(run, None)).await?;
        self.clear(keys::all_held(run)).await?;
        self.clear(keys::all_to_write_back(run)).await?;
        self.clear(keys::lane(run)).await
    }
}
