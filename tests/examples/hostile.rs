//! What hostile answers cost: seconds, peak memory and requests of the real command, one line a kind.
//!
//! ```text
//! cargo run -p hardmatch-tests --example hostile                      with the everyday build
//! HARDMATCH_TESTED_BINARY=PATH cargo run -p hardmatch-tests --example hostile
//! ```

#[path = "../benches/scale/proc.rs"]
mod proc;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use hardmatch_tests::hostile::{Hostile, HostileServer};

fn main() -> anyhow::Result<()> {
    let binary = binary()?;
    let mut out = std::io::stdout();
    writeln!(out, "{:<18} {:>7} {:>8} {:>9}  exit", "answers", "seconds", "peak MB", "requests")?;
    for hostile in Hostile::ALL {
        let server = HostileServer::start(hostile)?;
        let folder = tempfile::tempdir()?;
        server.connection(folder.path())?;
        let mut command = Command::new(&binary);
        command.arg("plan").current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::piped());
        let (used, output) = proc::run(&mut command)?;
        let said = String::from_utf8_lossy(&output.stderr);
        let exit = output.status.code().context("the command was killed")?;
        ensure!(exit == 1 && said.contains(hostile.said()), "{hostile:?}: exit {exit}: {said}");
        let name = format!("{hostile:?}");
        writeln!(out, "{name:<18} {:>7.1} {:>8.0} {:>9}  {exit}", used.wall, used.peak_mb, server.requests())?;
    }
    Ok(())
}

/// The named command, or the one of this build: <target>/<profile>/hardmatch beside <target>/<profile>/examples.
fn binary() -> anyhow::Result<PathBuf> {
    if let Some(given) = std::env::var_os("HARDMATCH_TESTED_BINARY") {
        return Ok(std::fs::canonicalize(given)?);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built =
        Command::new(cargo).args(["build", "--quiet", "--package", "hardmatch", "--bin", "hardmatch"]).status()?;
    ensure!(built.success(), "hardmatch could not be built");
    let ourselves = std::env::current_exe()?;
    let profile =
        ourselves.parent().and_then(std::path::Path::parent).context("the example lies in no target folder")?;
    Ok(profile.join(format!("hardmatch{}", std::env::consts::EXE_SUFFIX)))
}
