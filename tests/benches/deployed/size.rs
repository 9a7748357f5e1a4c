//! What room a function takes: its binary, and the zip that Lambda is given. And that Lambda could start it at all: it is
//! for the processor that it should be for, and asks of glibc nothing that Lambda's system does not have. What has grown by a
//! tenth since `infra/sizes.txt` was written fails.

use std::fmt::Write as _;

use hardmatch_store::hashes::hex;
use hardmatch_tests::built::{Built, Checked};
use sha2::{Digest as _, Sha256};

use crate::functions::{self, Architecture, FUNCTIONS};
use crate::table::Table;

pub(crate) fn x86(table: &mut Table) -> anyhow::Result<()> {
    size(table, Architecture::X86)
}

pub(crate) fn arm64(table: &mut Table) -> anyhow::Result<()> {
    size(table, Architecture::Arm64)
}

fn size(table: &mut Table, architecture: Architecture) -> anyhow::Result<()> {
    functions::build(architecture)?;
    // What `hardmatch deploy --release` takes.
    let released = functions::target().join(format!("released-{}", architecture.name()));
    std::fs::create_dir_all(&released)?;
    let mut sums = String::new();
    for function in FUNCTIONS {
        let (name, binary) = (function.name, function.binary(architecture));
        let built =
            Built { function: name, architecture: architecture.name(), profile: functions::PROFILE, binary: &binary };
        let Checked { zip, binary, glibc } = built.check().map_err(anyhow::Error::msg)?;
        let name = format!("{}-{}.zip", function.name, architecture.name());
        std::fs::write(released.join(&name), &zip)?;
        writeln!(sums, "{}  {name}", hex(&Sha256::digest(&zip)))?;
        let figure =
            format!("{} ({} bytes) of a binary of {}; glibc 2.{glibc}", mb(zip.len() as u64), zip.len(), mb(binary));
        table.row(function.name, &format!("zip, {}", architecture.name()), figure, "6.5 MB");
    }
    std::fs::write(released.join("SHA256SUMS"), sums)?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
fn mb(bytes: u64) -> String {
    format!("{:.2} MB", bytes as f64 / 1e6)
}
