//! How long functions work at a stretch when there are a hundred thousand people. Messages have no time at all: each does the
//! least that it can and hands the rest on. The longest shows which piece of work cannot be cut, and how much time the limit
//! of a function must leave for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_sim::Seed;
use hardmatch_tests::{Processes, Ran, Stopped, Watch, World, guid, immutable_id};
use serde_json::json;

use crate::table::Table;

const PEOPLE: usize = 100_000;

pub(crate) fn long(table: &mut Table) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut world = company().await;
        let times = Arc::new(Times::default());
        world.watch = Some(times.clone());
        let plan = ran(world.try_plan().await)?;
        times.rows(table, "plan, who all need a change");
        ran(world.try_apply(&plan.hash()).await)?;
        times.rows(table, "apply");
        ran(world.try_sync(hardmatch_match::Accept::Nothing).await)?;
        times.rows(table, "the night after, who were all written");
        Ok(())
    })
}

/// People who join accounts that have another name.
async fn company() -> World {
    let name = |number: usize| format!("p{number:06}");
    let mut seed = Seed::contoso();
    for number in 0..PEOPLE {
        let upn = format!("{}@contoso.com", name(number));
        seed = seed.user(json!({
            "userPrincipalName": upn,
            "mail": upn,
            "onPremisesImmutableId": immutable_id(&guid(number + 1)),
            "displayName": "Somebody Else",
            "employeeId": format!("E{:04}", number + 1),
        }));
    }
    let mut world = World::with(seed, "").await;
    for number in 0..PEOPLE {
        world.people.hire(&name(number));
    }
    (world.processes, world.time) = (Processes::OneForEachMessage, Some(Duration::ZERO));
    world
}

fn ran(ended: Result<Ran, Stopped>) -> anyhow::Result<Ran> {
    ended.map_err(|why| anyhow!("{why:?}"))
}

/// How long each message was answered, by kinds.
#[derive(Default)]
struct Times(Mutex<Taken>);

#[derive(Default)]
struct Taken {
    began: Option<Instant>,
    by_kind: BTreeMap<&'static str, Vec<Duration>>,
}

impl Watch for Times {
    fn begins(&self, _: &MessageKind) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).began = Some(Instant::now());
    }

    fn ends(&self, message: &MessageKind) {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(began) = taken.began.take() {
            taken.by_kind.entry(message.name()).or_default().push(began.elapsed());
        }
    }
}

impl Times {
    fn rows(&self, table: &mut Table, what: &str) {
        let by_kind = std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).by_kind);
        for (kind, times) in by_kind {
            let Some((place, longest)) = (1..).zip(&times).max_by_key(|(_, time)| **time) else { continue };
            let figure = format!("{:.2} s, message {place} of {}", longest.as_secs_f64(), times.len());
            table.row(&format!("{PEOPLE} people, {what}"), &format!("longest {kind}"), figure, "");
        }
    }
}
