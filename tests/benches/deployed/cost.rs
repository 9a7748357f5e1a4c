//! What people cost who changed, and who did not: units of the table, requests to Microsoft Graph and messages as the
//! handlers' own counters count them in the simulated world of `hardmatch-tests`, and dollars by the one price list.

use hardmatch_report::cost::{QUEUE_REQUESTS_A_MESSAGE, US_EAST_1, dollars, of_run};
use hardmatch_tests::month::{CHANGED_PERCENT, Night, company, measure, name, night, nights, of_night};

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
        row(table, &format!("{CHANGED} changed people"), &night(&mut small).await?, CHANGED as u64, CHANGED as u64);
        let mut large = company(UNCHANGED).await?;
        row(table, &format!("{UNCHANGED} unchanged people"), &night(&mut large).await?, UNCHANGED as u64, 0);
        let month = nights(COMPANY, &measure().await?, &US_EAST_1).micros();
        let what = format!("a month of nights of {COMPANY} people, {CHANGED_PERCENT} % changed each, without storage");
        table.row("cost", &what, dollars(month), "$1.00");
        Ok(())
    })
}

/// A night's figures, from the message of its schedule to the last, with a process of its own for each.
fn row(table: &mut Table, what: &str, night: &Night, people: u64, changed: u64) {
    let messages = night.trace.messages().len() as u64;
    let used = of_night(people, changed, night.units, messages);
    let figure = format!(
        "{} read and {} write units, {} requests to Graph, {} messages ({} requests to queues), {}",
        used.units.read,
        used.units.write,
        night.run.tenant_calls.requests,
        messages,
        messages * QUEUE_REQUESTS_A_MESSAGE,
        dollars(of_run(&used, &US_EAST_1).micros())
    );
    table.row("cost", what, figure, "");
}
