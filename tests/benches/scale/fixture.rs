//! A folder with a connection, the simulated tenant it points at, and the command.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use hardmatch_sim::{CONTOSO_CLIENT_ID, CONTOSO_SECRET, CONTOSO_TENANT_ID, Running, Seed, Sim, World};
use hardmatch_tests::connection::{Connection, Proof};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::people;
use crate::proc::{self, Used};

/// Names a binary to be measured instead of the one built here: a release, say.
const BINARY: &str = "HARDMATCH_TESTED_BINARY";

/// The stage of one scenario.
pub(crate) struct Fixture {
    folder: TempDir,
    binary: PathBuf,
    sim: Running,
    /// Serves the tenant.
    _runtime: Runtime,
}

/// What a command did.
pub(crate) struct Ran {
    pub(crate) used: Used,
    /// Its JSON document.
    pub(crate) said: Value,
}

impl Ran {
    /// A number of the document, 0 when it is not there.
    pub(crate) fn number(&self, pointer: &str) -> u64 {
        self.said.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
    }
}

impl Fixture {
    /// A tenant from a seed, and a connection that knows nothing yet.
    pub(crate) fn new(seed: Seed) -> anyhow::Result<Self> {
        Self::with(seed, "")
    }

    /// The same with more in its configuration.
    pub(crate) fn with(seed: Seed, more: &str) -> anyhow::Result<Self> {
        let binary = binary()?;
        let runtime = Runtime::new()?;
        let sim = runtime.block_on(Sim::new(seed).start_local())?;
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("secret"), CONTOSO_SECRET)?;
        std::fs::write(folder.path().join("hardmatch.toml"), config(sim.url(), more))?;
        Ok(Self { folder, binary, sim, _runtime: runtime })
    }

    /// The tenant.
    pub(crate) fn tenant(&self) -> &World {
        self.sim.world()
    }

    /// Replaces the directory's export.
    pub(crate) fn export(&self, people: usize, changed: usize) -> anyhow::Result<()> {
        self.write(people::csv(people, changed))
    }

    /// Replaces the directory's export by one with a group, of which the people of these numbers are members.
    pub(crate) fn export_group(&self, people: usize, members: Range<usize>) -> anyhow::Result<()> {
        self.write(people::csv_with_group(people, members))
    }

    fn write(&self, export: String) -> anyhow::Result<()> {
        Ok(std::fs::write(self.folder.path().join("people.csv"), export)?)
    }

    /// Runs a command to its end. A run that people must look at is a result; one that could not run is not.
    pub(crate) fn run(&self, words: &[&str]) -> anyhow::Result<Ran> {
        let said = self.folder.path().join("said.json");
        let mut command = Command::new(&self.binary);
        command
            .args(words)
            .args(["--json", "--config", "hardmatch.toml"])
            .current_dir(self.folder.path())
            .stdout(std::fs::File::create(&said)?)
            .stderr(Stdio::piped());
        let (used, output) = proc::run(&mut command)?;
        ensure!(
            matches!(output.status.code(), Some(0 | 3)),
            "{words:?} ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        let said = serde_json::from_slice(&std::fs::read(&said)?).with_context(|| format!("what {words:?} said"))?;
        Ok(Ran { used, said })
    }

    /// `plan`, and `apply` of what it shows.
    pub(crate) fn plan_and_apply(&self) -> anyhow::Result<(Ran, Ran)> {
        let plan = self.run(&["plan"])?;
        let hash = plan.said["plan"].as_str().context("the plan has no hash")?.to_owned();
        let apply = self.run(&["apply", &hash])?;
        Ok((plan, apply))
    }
}

fn config(url: &str, more: &str) -> String {
    Connection {
        name: "scale",
        tenant: CONTOSO_TENANT_ID,
        client: CONTOSO_CLIENT_ID,
        url,
        proof: Proof::Secret("file:secret"),
        people: "people.csv",
        more: &format!("[state]\npath = \"scale.db\"\n{more}"),
    }
    .toml()
}

/// The released command, built with this benchmark's profile.
fn binary() -> anyhow::Result<PathBuf> {
    if let Some(given) = std::env::var_os(BINARY) {
        return Ok(std::fs::canonicalize(given)?);
    }
    // <target>/<profile>/deps/scale-<hash>
    let ourselves = std::env::current_exe()?;
    let profile = ourselves.parent().and_then(Path::parent).context("the benchmark lies in no target folder")?;
    let target = profile.parent().context("the benchmark lies in no target folder")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--release", "--package", "hardmatch", "--bin", "hardmatch", "--target-dir"])
        .arg(target)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status()?;
    ensure!(built.success(), "hardmatch could not be built");
    Ok(target.join("release").join(format!("hardmatch{}", std::env::consts::EXE_SUFFIX)))
}
