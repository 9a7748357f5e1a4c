//! What room a function takes: its binary, and the zip that Lambda is given.

use std::process::Command;

use anyhow::ensure;

use crate::functions::{self, BINARIES, binary};
use crate::table::Table;

pub(crate) fn size(table: &mut Table) -> anyhow::Result<()> {
    functions::build()?;
    let folder = tempfile::tempdir()?;
    for name in BINARIES {
        let bootstrap = folder.path().join("bootstrap");
        let unpacked = std::fs::copy(binary(name), &bootstrap)?;
        // As `aws cloudformation package` does it: deflated, with Python's library.
        let zipped = Command::new("python3")
            .args(["-m", "zipfile", "-c", "function.zip", "bootstrap"])
            .current_dir(folder.path())
            .status()?;
        ensure!(zipped.success(), "python3 -m zipfile failed");
        let packed = std::fs::metadata(folder.path().join("function.zip"))?.len();
        table.row(name, "zip", format!("{} of a binary of {}", mb(packed), mb(unpacked)), "6 MB");
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
fn mb(bytes: u64) -> String {
    format!("{:.2} MB", bytes as f64 / 1e6)
}
