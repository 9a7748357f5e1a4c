//! What the released command costs: processor time, memory, requests and time of the real `hardmatch` binary against
//! a simulated tenant over loopback, at the size of a company.
//!
//! ```text
//! cargo bench -p hardmatch-tests --bench scale                  everything but the slow one
//! cargo bench -p hardmatch-tests --bench scale -- create faults only these
//! cargo bench -p hardmatch-tests --bench scale -- group         a group of 50,000 members, and ten changes of it
//! cargo bench -p hardmatch-tests --bench scale -- first-sync    10,000 people at the documented write quota: 6 minutes
//! ```
//!
//! Figures of processor time and memory come from Linux's `/proc` and are those of our process alone. Decisions per
//! second are another command: `cargo bench -p hardmatch-domain`.

mod fixture;
mod people;
mod proc;
mod scenarios;
mod table;

use table::Table;

type Scenario = fn(&mut Table) -> anyhow::Result<()>;

/// Name, whether it runs unasked, and what it does.
const SCENARIOS: &[(&str, Unasked, Scenario)] = &[
    ("create", Unasked::Runs, scenarios::create),
    ("storm", Unasked::Runs, scenarios::storm),
    ("faults", Unasked::Runs, scenarios::faults),
    ("company", Unasked::Runs, scenarios::company),
    ("group", Unasked::Waits, scenarios::group),
    ("first-sync", Unasked::Waits, scenarios::first_sync),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unasked {
    Runs,
    Waits,
}

fn main() -> anyhow::Result<()> {
    // Cargo passes `--bench`.
    let asked: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    for name in &asked {
        let known = SCENARIOS.iter().any(|(known, _, _)| known == name);
        anyhow::ensure!(known, "no scenario {name}; there are create, storm, faults, company, group and first-sync");
    }
    let mut table = Table::default();
    for (name, unasked, scenario) in SCENARIOS {
        let runs = if asked.is_empty() { *unasked == Unasked::Runs } else { asked.iter().any(|asked| asked == name) };
        if runs {
            table::note(&format!("{name} …"));
            scenario(&mut table)?;
        }
    }
    table.print();
    Ok(())
}
