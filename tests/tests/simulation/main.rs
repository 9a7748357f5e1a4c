//! Random histories, from seeds: people come, go, move and marry, administrators meddle, the network, the queues and
//! the machine fail. After every command the invariants hold, and when the faults end everything settles.

mod history;

use hardmatch_runtime::env;
use history::History;

/// Histories played when nobody asks for others.
const SEEDS: u64 = 30;

/// `HARDMATCH_TEST_SEEDS=FROM..TO` plays others, for long nights.
fn seeds() -> std::ops::Range<u64> {
    let asked = env::read("HARDMATCH_TEST_SEEDS").ok().flatten();
    let range = asked.as_deref().and_then(|text| text.split_once(".."));
    match range.map(|(from, to)| (from.parse(), to.parse())) {
        Some((Ok(from), Ok(to))) => from..to,
        _ => 0..SEEDS,
    }
}

async fn play(seeds: impl Iterator<Item = u64>) {
    for seed in seeds {
        History::begin(seed).await.play().await;
    }
}

#[tokio::test]
async fn whatever_goes_wrong_even_seeds() {
    play(seeds().filter(|seed| seed % 2 == 0)).await;
}

#[tokio::test]
async fn whatever_goes_wrong_odd_seeds() {
    play(seeds().filter(|seed| seed % 2 == 1)).await;
}
