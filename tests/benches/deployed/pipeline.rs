//! The whole way on the stand-in for AWS: the shipped template deployed, policies enforced, a thousand people through the
//! queues and functions into a simulated tenant. The stand-in is one process of Python that all queues, tables and
//! functions share, and it is the slowest part: what is counted holds on AWS, what is timed is a floor.

#[path = "../../tests/deployed/stack.rs"]
#[allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "the stage of the deployed story, and not all of it")]
mod stack;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use hardmatch_report::cost::dollars;
use hardmatch_sim::{Running, Sim};
use hardmatch_tests::connection::{Connection, Proof, people};
use hardmatch_tests::fixture::{self, CLIENT, TENANT};
use serde_json::Value;
use stack::Stack;
use tokio::runtime::Runtime;

use crate::table::Table;

const NAME: &str = "bench";
const PEOPLE: u32 = 1_000;
/// How often the functions' memory is looked at. The kernel keeps the peak, so only the last moments can be missed.
const LOOK: Duration = Duration::from_millis(50);

pub(crate) fn pipeline(table: &mut Table) -> anyhow::Result<()> {
    let runtime = Runtime::new()?;
    let tenant = runtime.block_on(tenant())?;
    let stack = Stack::deploy(NAME);
    let config = connect(&stack, tenant.url())?;
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| peaks_until(&ended));
        let measured = nights(table, &stack, &config);
        ended.store(true, Ordering::Relaxed);
        let peaks = watch.join().unwrap_or_default();
        for (function, mb) in peaks {
            table.row(&function, "peak resident memory in the pipeline", format!("{mb:.0} MB"), "");
        }
        measured
    })?;
    ensure!(tenant.world().violations().is_empty(), "{:?}", tenant.world().violations());
    runtime.block_on(tenant.stop());
    Ok(())
}

fn nights(table: &mut Table, stack: &Stack, config: &str) -> anyhow::Result<()> {
    stack.people("bench.csv", &people(0..PEOPLE, "Sales"));
    let planned = timed(|| stack.json(&["plan", "--config", config], 0));
    let hash = planned.1["plan"].as_str().context("the plan has no hash")?.to_owned();
    pace(table, "read and decided, by plan", planned.0);
    let applied = timed(|| stack.json(&["apply", &hash, "--config", config], 0));
    pace(table, "written, as new accounts", applied.0);
    bill(table, &format!("{PEOPLE} new people"), &applied.1);

    stack.people("bench.csv", &people(0..PEOPLE, "Marketing"));
    let changed = timed(|| stack.json(&["sync", "--config", config], 0));
    ensure!(changed.1["outcomes"]["done"] == PEOPLE, "{}", changed.1["outcomes"]);
    pace(table, "read, decided and written, one change each", changed.0);
    bill(table, &format!("{PEOPLE} changed people"), &changed.1);

    // What was written is seen by the next round of changes, once.
    stack.json(&["sync", "--config", config], 0);
    let quiet = timed(|| stack.json(&["sync", "--config", config], 0));
    pace(table, "read and found unchanged", quiet.0);
    bill(table, &format!("{PEOPLE} unchanged people"), &quiet.1);
    Ok(())
}

fn timed<T>(what: impl FnOnce() -> T) -> (Duration, T) {
    let began = Instant::now();
    let done = what();
    (began.elapsed(), done)
}

fn pace(table: &mut Table, what: &str, took: Duration) {
    let figure = format!("{:.0} a second ({:.1} s)", f64::from(PEOPLE) / took.as_secs_f64(), took.as_secs_f64());
    table.row("pipeline", &format!("people {what}"), figure, "");
}

/// What a run says that it cost.
fn bill(table: &mut Table, what: &str, run: &Value) {
    let cost = &run["cost"];
    let micros = cost["microdollars"]["total"].as_u64().unwrap_or_default();
    let figure = format!(
        "{} read and {} write units, {} requests to Graph, {} messages, {} s of functions, {}",
        cost["read_units"],
        cost["write_units"],
        cost["requests"],
        cost["messages"],
        cost["seconds"],
        dollars(micros)
    );
    table.row("pipeline", &format!("{what}, by the run's own account"), figure, "");
}

/// A tenant that trusts the stack.
async fn tenant() -> anyhow::Result<Running> {
    Ok(Sim::new(fixture::tenant(fixture::trusting_the_stand_in())).start_local().await?)
}

fn connect(stack: &Stack, url: &str) -> anyhow::Result<String> {
    let text = Connection {
        name: "bench",
        tenant: TENANT,
        client: CLIENT,
        url,
        proof: Proof::Federated,
        people: &format!("s3://{}/bench.csv", stack::PEOPLE),
        more: "",
    }
    .toml();
    fs::write(stack.folder.path().join("bench.toml"), text)?;
    Ok("bench.toml".to_owned())
}

/// Peak memory of the stack's functions while they run, in MB.
fn peaks_until(ended: &AtomicBool) -> BTreeMap<String, f64> {
    let mut peaks = BTreeMap::<String, f64>::new();
    while !ended.load(Ordering::Relaxed) {
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            if let Some((function, mb)) = function(&process.path()) {
                let peak = peaks.entry(function).or_default();
                *peak = peak.max(mb);
            }
        }
        wait(LOOK);
    }
    peaks
}

/// Which function of ours a process is, and its peak.
fn function(process: &Path) -> Option<(String, f64)> {
    let environment = fs::read(process.join("environ")).ok()?;
    let variables = environment.split(|byte| *byte == 0).filter_map(|one| std::str::from_utf8(one).ok());
    let variables: BTreeMap<&str, &str> = variables.filter_map(|one| one.split_once('=')).collect();
    let ours = variables.get("HARDMATCH_STACK") == Some(&NAME);
    let name = variables.get("AWS_LAMBDA_FUNCTION_NAME").filter(|_| ours)?.strip_prefix(NAME)?.trim_start_matches('-');
    let status = fs::read_to_string(process.join("status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"))?;
    Some((name.to_owned(), peak.trim().parse::<f64>().ok()? / 1024.0))
}

#[expect(clippy::disallowed_methods, reason = "a benchmark looks at processes of this machine")]
fn wait(time: Duration) {
    std::thread::sleep(time);
}
