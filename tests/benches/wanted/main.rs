//! How fast people who are pushed are stored and provisioned: SCIM over HTTP, the engine that `hardmatch serve` runs, the
//! table in a file and the simulated tenant, all on loopback.
//!
//! ```text
//! cargo bench -p hardmatch-tests --bench wanted                    pushed to account: 200 people, 0 and 50 ms a Graph call
//! cargo bench -p hardmatch-tests --bench wanted -- bulk 1000       so many in one Bulk request: accepted and stored
//! cargo bench -p hardmatch-tests --bench wanted -- many 100000     so many pushed one by one, then a run over everybody
//! ```

mod engine;

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
        [bulk, count] if bulk == "bulk" => self::bulk(count.parse()?).await,
        [many, count] if many == "many" => self::many(count.parse()?).await,
        _ => anyhow::bail!("there are no scenarios but the unnamed one, `bulk COUNT` and `many COUNT`"),
    }
}

async fn latency(ms: u64) -> anyhow::Result<()> {
    let served = Served::new(BEFORE).await?;
    if ms > 0 {
        let slow = FaultRule::new("*", Fault::Latency { ms }).only(Place::Outer);
        served.tenant().inject(slow);
    }
    let engine = served.attend();
    let (mut accepted, mut times) = (Vec::with_capacity(MEASURED), Vec::with_capacity(MEASURED));
    for number in BEFORE..BEFORE + MEASURED {
        let began = Instant::now();
        served.push(number).await?;
        accepted.push(began.elapsed());
        let began = Instant::now();
        served.until_there(number).await?;
        times.push(began.elapsed());
        served.until_all_answered().await?;
    }
    engine.stop().await;
    accepted.sort_unstable();
    times.sort_unstable();
    let at = |times: &[Duration], share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    let calls = Duration::from_millis(ms) * CALLS;
    say(&format!(
        "Graph {ms} ms, {MEASURED} people: accepted in p50 {:.1} ms, p99 {:.1} ms; accepted → account written p50 {:.1} ms, p99 {:.1} ms; p50 above the Graph calls {:.1} ms (aim: 25)",
        millis(at(&accepted, 50)),
        millis(at(&accepted, 99)),
        millis(at(&times, 50)),
        millis(at(&times, 99)),
        millis(at(&times, 50).saturating_sub(calls)),
    ));
    Ok(())
}

async fn bulk(count: usize) -> anyhow::Result<()> {
    let served = Served::new(BEFORE).await?;
    let began = Instant::now();
    served.push_together(BEFORE..BEFORE + count).await?;
    let took = began.elapsed();
    say(&format!(
        "{count} people in one Bulk request: accepted and stored in {:.2} s, {:.0} a second (aim: 900)",
        took.as_secs_f64(),
        f64::from(u32::try_from(count)?) / took.as_secs_f64(),
    ));
    Ok(())
}

/// An identity provider that is connected to a company of this size, whose people have accounts: everybody is pushed, the
/// first plan joins them, and a run over everybody follows. That nothing is created keeps Graph's quota of writes out of it,
/// at which 100,000 new accounts take 84 minutes.
async fn many(count: usize) -> anyhow::Result<()> {
    let served = Served::with_accounts(count).await?;
    // As `serve` does beside it: before the first plan is applied, who is pushed is decided and held.
    let engine = served.attend();
    let began = Instant::now();
    for number in 0..count {
        served.push(number).await?;
    }
    let stored = began.elapsed();
    served.until_all_answered().await?;
    engine.stop().await;
    let answered = began.elapsed();
    let began = Instant::now();
    served.first_plan(count).await?;
    let applied = began.elapsed();
    let began = Instant::now();
    let run = served.reconcile().await?;
    let changed = run.plan.as_ref().map_or(0, |plan| plan.changed_slices);
    say(&format!(
        "{count} people one by one: stored in {:.1} s, decided and held in {:.1} s; first plan made and applied in {:.1} s; reconciliation {:.1} s, {} writes, status {:?}",
        stored.as_secs_f64(),
        answered.as_secs_f64(),
        applied.as_secs_f64(),
        began.elapsed().as_secs_f64(),
        run.tenant_calls.writes,
        run.status,
    ));
    anyhow::ensure!((changed, run.tenant_calls.writes) == (0, 0), "the reconciliation found something to write");
    Ok(())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[expect(clippy::print_stdout, reason = "the benchmark's result")]
fn say(text: &str) {
    println!("{text}");
}
