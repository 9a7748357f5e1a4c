//! What the deployed functions cost: how fast they start, how much memory and room they take, how many people a second
//! go through them, and in units, requests, messages and dollars.
//!
//! ```text
//! cargo bench -p hardmatch-tests --bench deployed                every figure
//! cargo bench -p hardmatch-tests --bench deployed -- cold-start  process start to first poll, and memory, by function
//! cargo bench -p hardmatch-tests --bench deployed -- size        of each function's zip, for x86_64
//! cargo bench -p hardmatch-tests --bench deployed -- size-arm64  the same for arm64
//! cargo bench -p hardmatch-tests --bench deployed -- pipeline    people a second through the stack on the stand-in
//! cargo bench -p hardmatch-tests --bench deployed -- cost        of 1,000 changed and of 100,000 unchanged people
//! cargo bench -p hardmatch-tests --bench deployed -- long        the longest message of 100,000 people
//! ```
//!
//! `cold-start` and `size` build the functions as `infra/README.md` says for x86_64, `size-arm64` as it says for arm64, in the
//! profile that is shipped: some minutes each. Memory is what Linux's `/proc` says.

mod cost;
mod functions;
mod lambda;
mod long;
mod pipeline;
mod size;
mod start;
#[path = "../scale/table.rs"]
mod table;

use table::Table;

type Scenario = fn(&mut Table) -> anyhow::Result<()>;

const SCENARIOS: [(&str, Scenario); 6] = [
    ("cold-start", start::cold_start),
    ("size", size::x86),
    ("size-arm64", size::arm64),
    ("pipeline", pipeline::pipeline),
    ("cost", cost::cost),
    ("long", long::long),
];

fn main() -> anyhow::Result<()> {
    // Cargo passes `--bench`.
    let asked: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    for name in &asked {
        let known = SCENARIOS.iter().any(|(known, _)| known == name);
        anyhow::ensure!(known, "no scenario {name}; there are cold-start, size, size-arm64, pipeline, cost and long");
    }
    let mut table = Table::default();
    for (name, scenario) in SCENARIOS {
        if asked.is_empty() || asked.iter().any(|asked| asked == name) {
            table::note(&format!("{name} …"));
            scenario(&mut table)?;
        }
    }
    table.print();
    Ok(())
}
