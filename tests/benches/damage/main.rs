//! Random damage of a source, from seeds: how many people are blocked, overwritten or created for it.
//!
//! ```text
//! cargo bench -p hardmatch-tests --bench damage                       10,000 listings through the engine, 1,000,000 through the rules
//! cargo bench -p hardmatch-tests --bench damage -- engine=500 rules=0   fewer
//! cargo bench -p hardmatch-tests --bench damage -- engine=10 from=41    the company of seed 41 alone
//! ```
//!
//! Ends with 1 when something went wrong; each line of what went wrong names its seed. `--profile dev` builds faster and
//! runs slower.

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use hardmatch_tests::damage::{engine, rules};

/// Damaged listings through the engine.
const LISTINGS: u64 = 10_000;
/// Observations through the pure rules.
const OBSERVATIONS: u64 = 1_000_000;
/// What the tables may show.
const ALLOWED: &str = "Allowed: no block, overwrite or creation where the damage can be told. A listing that looks right may block \
    people as if they had left, up to the accidental-removal limit (\"left\"), and never more; what it blocked is enabled \
    again by the next good listing (\"not undone\" stays 0).";
/// Lines of what went wrong.
const SHOWN: usize = 100;

fn main() -> anyhow::Result<()> {
    let (mut listings, mut observations, mut from) = (LISTINGS, OBSERVATIONS, 0);
    // Cargo passes `--bench`.
    for arg in std::env::args().skip(1).filter(|arg| !arg.starts_with("--")) {
        match arg.split_once('=') {
            Some(("engine", count)) => listings = count.parse()?,
            Some(("rules", count)) => observations = count.parse()?,
            Some(("from", seed)) => from = seed.parse()?,
            _ => anyhow::bail!("{arg} is not understood; there are engine=N, rules=N and from=SEED"),
        }
    }
    let mut out = std::io::stdout().lock();
    let mut wrong = Vec::new();
    if observations > 0 {
        let companies = observations.div_ceil(rules::OBSERVATIONS);
        let tallies = on_every_processor(from, companies, || (), |(), seed| rules::company(seed, rules::OBSERVATIONS));
        let mut sum = rules::Tally::default();
        for tally in tallies {
            sum.add(tally);
        }
        writeln!(out, "Through the pure rules, from seed {from}:\n{}", sum.table())?;
        wrong.extend(sum.wrong);
    }
    if listings > 0 {
        let companies = listings.div_ceil(engine::FAULTS as u64);
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let tallies =
            on_every_processor(from, companies, runtime, |runtime, seed| runtime.block_on(engine::company(seed)));
        let mut sum = engine::Tally::default();
        for tally in tallies {
            sum.add(tally);
        }
        writeln!(out, "Through the engine, from seed {from}:\n{}", sum.table())?;
        wrong.extend(sum.wrong);
    }
    writeln!(out, "{ALLOWED}")?;
    for wrong in wrong.iter().take(SHOWN) {
        writeln!(out, "wrong: {wrong}")?;
    }
    anyhow::ensure!(wrong.is_empty(), "{} went wrong", wrong.len());
    Ok(())
}

/// What so many companies from this seed on came to; each processor has a state of its own.
fn on_every_processor<S, T: Send>(
    from: u64,
    companies: u64,
    state: impl Fn() -> S + Sync,
    company: impl Fn(&S, u64) -> T + Sync,
) -> Vec<T> {
    let next = AtomicU64::new(0);
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let work = || {
        let state = state();
        let numbers = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)));
        numbers
            .take_while(|number| *number < companies)
            .map(|number| company(&state, from + number))
            .collect::<Vec<T>>()
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker")).collect()
    })
}
