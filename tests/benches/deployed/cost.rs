//! What people cost who changed, and who did not: units of the table, requests to Microsoft Graph and messages as the
//! handlers' own counters count them in the simulated world of `hardmatch-tests`, and dollars by the one price list.

use anyhow::{anyhow, ensure};
use hardmatch_ports::run::Status;
use hardmatch_report::cost::{QUEUE_REQUESTS_A_BELL, US_EAST_1, dollars, of_run};
use hardmatch_tests::month::{CHANGED_PERCENT, measure, nights, of_night};
use hardmatch_tests::ran::Ran;
use hardmatch_tests::world::World;

use crate::table::Table;

const CHANGED: usize = 1_000;
const UNCHANGED: usize = 100_000;
/// The size for which there is an aim.
const COMPANY: u64 = 50_000;

pub(crate) fn cost(table: &mut Table) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut small = company(CHANGED).await?;
        for number in 0..CHANGED {
            small.people.set(&name(number), "title", "Director");
        }
        let changed = night(&mut small, CHANGED).await?;
        row(table, &format!("{CHANGED} changed people"), &changed, CHANGED as u64, CHANGED as u64);
        let mut large = company(UNCHANGED).await?;
        let quiet = night(&mut large, 0).await?;
        row(table, &format!("{UNCHANGED} unchanged people"), &quiet, UNCHANGED as u64, 0);
        let month = nights(COMPANY, &measure().await?, &US_EAST_1).micros();
        let what = format!("a month of nights of {COMPANY} people, {CHANGED_PERCENT} % changed each, without storage");
        table.row("cost", &what, dollars(month), "$1.00");
        Ok(())
    })
}

fn name(number: usize) -> String {
    format!("p{number:06}")
}

/// People whose accounts are in step, and nothing else to tell.
async fn company(people: usize) -> anyhow::Result<World> {
    let mut world = World::new().await;
    for number in 0..people {
        world.people.hire(&name(number));
    }
    let first = world.settle_by_hash().await;
    ensure!(first.status() == Some(Status::Converged), "the first run: {:?}", first.run.problems);
    // What the first run wrote is seen by the tenant's first round of changes, once.
    for _ in 0..2 {
        night(&mut world, 0).await?;
    }
    Ok(world)
}

async fn night(world: &mut World, changed: usize) -> anyhow::Result<Ran> {
    world.pass_days(1);
    let ran = world.sync().await;
    ensure!(ran.status() == Some(Status::Converged), "a night: {:?}", ran.run.problems);
    if ran.writes.len() == changed { Ok(ran) } else { Err(anyhow!("{} writes for {changed}", ran.writes.len())) }
}

/// A night's figures; each bell's note of its own cost among the units, as on AWS.
fn row(table: &mut Table, what: &str, ran: &Ran, people: u64, changed: u64) {
    let used = of_night(people, changed, ran.run.units, ran.bells);
    let figure = format!(
        "{} read and {} write units, {} requests to Graph, {} messages ({} requests to queues), {}",
        used.units.read,
        used.units.write,
        ran.run.tenant_calls.requests,
        ran.bells,
        ran.bells * QUEUE_REQUESTS_A_BELL,
        dollars(of_run(&used, &US_EAST_1).micros())
    );
    table.row("cost", what, figure, "");
}
