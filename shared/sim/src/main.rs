//! `hardmatch-sim`: a simulated Microsoft 365 tenant on this machine.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use hardmatch_sim::{Seed, Sim, TenantFaults};

/// A simulated Microsoft 365 tenant: login and Graph under one loopback address.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The tenant to start from (JSON; the format is in the crate's README).
    #[arg(long)]
    seed: PathBuf,
    /// Where to listen; loopback only. Port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8400")]
    listen: SocketAddr,
    /// Keep the tenant in this directory across starts.
    #[arg(long)]
    state: Option<PathBuf>,
    /// What goes wrong (JSON), instead of the seed's own faults.
    #[arg(long)]
    faults: Option<PathBuf>,
    /// The secret of every app that has none in the seed.
    #[arg(long)]
    secret: Option<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let text = std::fs::read_to_string(&args.seed).with_context(|| format!("reading {}", args.seed.display()))?;
    let mut seed = Seed::from_json(&text).with_context(|| format!("in {}", args.seed.display()))?;
    if let Some(path) = &args.faults {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        seed.faults = serde_json::from_str::<TenantFaults>(&text).with_context(|| format!("in {}", path.display()))?;
    }
    for app in seed.apps.iter_mut().filter(|a| a.secret.is_none()) {
        app.secret.clone_from(&args.secret);
    }
    let mut sim = Sim::new(seed);
    if let Some(directory) = args.state {
        sim = sim.state(directory);
    }
    let running = sim.start(args.listen).await?;
    announce(running.url());
    tokio::signal::ctrl_c().await.context("waiting for ctrl-c")?;
    running.stop().await;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the address is the command's result")]
fn announce(url: &str) {
    println!("{url}");
}
