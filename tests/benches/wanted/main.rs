//! How fast one person is provisioned: from the moment they are asked for to their account in the tenant, through the
//! engine that `hardmatch serve` runs, with the table in a file and the simulated tenant over loopback.
//!
//! ```text
//! cargo bench -p hardmatch-tests --bench wanted                    latency over 200 people, 0 and 50 ms a Graph call
//! cargo bench -p hardmatch-tests --bench wanted -- many 100000     so many asked for one by one, then a run over everybody
//! ```

mod engine;
mod source;

use std::time::{Duration, Instant};

use hardmatch_sim::{Fault, FaultRule, Place};

use engine::Served;

/// People whose time is measured.
const MEASURED: usize = 200;
/// People who are there before.
const BEFORE: usize = 10;
/// Graph calls one after the other: the look-up, and the creation.
const CALLS: u32 = 2;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Cargo passes `--bench`.
    let asked: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    match asked.as_slice() {
        [] => {
            for ms in [0, 50] {
                latency(ms).await?;
            }
            Ok(())
        }
        [many, count] if many == "many" => self::many(count.parse()?).await,
        _ => anyhow::bail!("there are no scenarios but the unnamed one and `many COUNT`"),
    }
}

async fn latency(ms: u64) -> anyhow::Result<()> {
    let served = Served::new(BEFORE).await?;
    if ms > 0 {
        let slow = FaultRule::new("*", Fault::Latency { ms }).only(Place::Outer);
        served.tenant().inject(slow);
    }
    let engine = served.attend();
    let mut times = Vec::with_capacity(MEASURED);
    for number in BEFORE..BEFORE + MEASURED {
        let key = served.people.push(number, "Engineer");
        let began = Instant::now();
        served.want(&key).await?;
        served.until_there(number).await?;
        times.push(began.elapsed());
        served.until_answered(&key).await?;
    }
    engine.stop().await;
    times.sort_unstable();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    let calls = Duration::from_millis(ms) * CALLS;
    say(&format!(
        "Graph {ms} ms: asked for → account written, {MEASURED} people: p50 {:.1} ms, p99 {:.1} ms; p50 above the Graph calls {:.1} ms (aim: 25)",
        millis(at(50)),
        millis(at(99)),
        millis(at(50).saturating_sub(calls)),
    ));
    Ok(())
}

async fn many(count: usize) -> anyhow::Result<()> {
    let served = Served::new(BEFORE).await?;
    let engine = served.attend();
    let began = Instant::now();
    for number in BEFORE..BEFORE + count {
        let key = served.people.push(number, "Engineer");
        served.want(&key).await?;
    }
    let stored = began.elapsed();
    served.until_all_answered().await?;
    let written = began.elapsed();
    engine.stop().await;
    let accounts = served.tenant().live_users();
    let nightly = Instant::now();
    let run = served.reconcile().await?;
    say(&format!(
        "{count} people one by one: stored in {:.1} s, written in {:.1} s, {accounts} accounts; reconciliation {:.1} s, {} people with something to write, status {:?}",
        stored.as_secs_f64(),
        written.as_secs_f64(),
        nightly.elapsed().as_secs_f64(),
        run.plan.as_ref().map_or(0, |plan| plan.changed_slices),
        run.status,
    ));
    Ok(())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[expect(clippy::print_stdout, reason = "the benchmark's result")]
fn say(text: &str) {
    println!("{text}");
}
