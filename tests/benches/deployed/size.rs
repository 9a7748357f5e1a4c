//! What room a function takes: its binary, and the zip that Lambda is given. And that Lambda could start it at all: it is
//! for the processor that it should be for, and asks of glibc nothing that Lambda's system does not have.

use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::functions::{self, Architecture, FUNCTIONS};
use crate::table::Table;

/// glibc's minor version in `provided.al2023`.
/// <https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html>
const GLIBC: u32 = 34;

pub(crate) fn x86(table: &mut Table) -> anyhow::Result<()> {
    size(table, Architecture::X86)
}

pub(crate) fn arm64(table: &mut Table) -> anyhow::Result<()> {
    size(table, Architecture::Arm64)
}

fn size(table: &mut Table, architecture: Architecture) -> anyhow::Result<()> {
    functions::build(architecture)?;
    let folder = tempfile::tempdir()?;
    for function in FUNCTIONS {
        let binary = std::fs::read(function.binary(architecture))?;
        let what = format!("{} for {}", function.name, architecture.name());
        ensure!(machine(&binary) == Some(architecture), "{what} is for another processor");
        let glibc = newest_glibc(&binary).with_context(|| format!("{what} asks nothing of glibc"))?;
        ensure!(glibc <= GLIBC, "{what} needs glibc 2.{glibc}, Lambda has 2.{GLIBC}");
        std::fs::write(folder.path().join("bootstrap"), &binary)?;
        // As `aws cloudformation package` does it: deflated, with Python's library.
        let zipped = Command::new("python3")
            .args(["-m", "zipfile", "-c", "function.zip", "bootstrap"])
            .current_dir(folder.path())
            .status()?;
        ensure!(zipped.success(), "python3 -m zipfile failed");
        let packed = std::fs::metadata(folder.path().join("function.zip"))?.len();
        let figure = format!("{} of a binary of {}; glibc 2.{glibc}", mb(packed), mb(binary.len() as u64));
        table.row(function.name, &format!("zip, {}", architecture.name()), figure, "6 MB");
    }
    Ok(())
}

/// The machine that an ELF file is for, by `e_machine` of its header: <https://gabi.xinuos.com/elf/02-eheader.html>.
fn machine(binary: &[u8]) -> Option<Architecture> {
    match (binary.get(..4)?, binary.get(18..20)?) {
        (b"\x7fELF", [62, 0]) => Some(Architecture::X86),
        (b"\x7fELF", [183, 0]) => Some(Architecture::Arm64),
        _ => None,
    }
}

/// The newest minor version of glibc whose symbols the binary names.
fn newest_glibc(binary: &[u8]) -> Option<u32> {
    const NAME: &[u8] = b"GLIBC_2.";
    let places = binary.windows(NAME.len()).enumerate().filter(|(_, window)| *window == NAME);
    let versions = places.filter_map(|(at, _)| {
        let digits = binary[at + NAME.len()..].iter().take_while(|byte| byte.is_ascii_digit());
        String::from_utf8(digits.copied().collect()).ok()?.parse().ok()
    });
    versions.max()
}

#[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
fn mb(bytes: u64) -> String {
    format!("{:.2} MB", bytes as f64 / 1e6)
}
