//! How long functions work at a stretch when there are a hundred thousand people. Each bell has little time and hands the rest
//! on; what a bell takes longer than that is a piece of work that cannot be cut, and is what the limit of a function must
//! leave room for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::anyhow;
use hardmatch_sim::Seed;
use hardmatch_tests::{Processes, Ran, Stopped, Watch, World, guid, immutable_id};
use serde_json::json;

use crate::table::Table;

const PEOPLE: usize = 100_000;
/// What a bell has of time.
const TIME: Duration = Duration::from_secs(10);
/// How often the clock of the functions follows that of the wall.
const BEAT: Duration = Duration::from_millis(20);

pub(crate) fn long(table: &mut Table) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut world = runtime.block_on(company());
    let clock = world.clock.clone();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                wait(BEAT);
                clock.advance(BEAT);
            }
        });
        let measured = runtime.block_on(nights(table, &mut world));
        ended.store(true, Ordering::Relaxed);
        measured
    })
}

async fn company() -> World {
    let mut seed = Seed::contoso();
    for number in 0..PEOPLE {
        seed = seed.user(json!({
            "userPrincipalName": upn(number),
            "mail": upn(number),
            "onPremisesImmutableId": immutable_id(&guid(number + 1)),
            "displayName": "Somebody Else",
            "employeeId": format!("E{:04}", number + 1),
        }));
    }
    let mut world = World::with(seed, "").await;
    for number in 0..PEOPLE {
        world.people.hire(&name(number));
    }
    (world.processes, world.time) = (Processes::OneForEachBell, Some(TIME));
    world
}

fn name(number: usize) -> String {
    format!("p{number:06}")
}

fn upn(number: usize) -> String {
    format!("{}@contoso.com", name(number))
}

async fn nights(table: &mut Table, world: &mut World) -> anyhow::Result<()> {
    let watch = Watch::default();
    world.watch = Some(watch.clone());
    let plan = ran(world.try_plan().await)?;
    rows(table, "plan, who all need a change", &watch);
    world.time = Some(TIME);
    let hash = plan.run.plan.ok_or_else(|| anyhow!("no plan"))?.hash;
    drop(plan.rows);
    ran(world.try_apply(&hash).await)?;
    rows(table, "apply", &watch);
    ran(world.try_sync(hardmatch_match::Accept::Nothing).await)?;
    rows(table, "the night after, who were all written", &watch);
    Ok(())
}

fn ran(ended: Result<Ran, Stopped>) -> anyhow::Result<Ran> {
    ended.map_err(|why| anyhow!("{why:?}"))
}

fn rows(table: &mut Table, what: &str, watch: &Watch) {
    for (kind, (bells, longest)) in watch.take() {
        let figure = format!("{:.1} s of {bells} bells that have {} s each", longest.as_secs_f64(), TIME.as_secs());
        table.row(&format!("{PEOPLE} people, {what}"), &format!("longest {kind}"), figure, "");
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark lets time pass as it does")]
fn wait(time: Duration) {
    std::thread::sleep(time);
}
