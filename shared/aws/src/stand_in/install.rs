//! Installs the stand-in under `target/`, once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::StandInError;

/// What is installed. Pinned: another version may refuse other things.
/// The stand-in, what expands a SAM template inside it, and AWS's own command line.
pub const PACKAGES: [&str; 3] = ["ministack==1.5.33", "aws-sam-translator==1.115.0", "awscli==1.46.3"];

const NEEDS: &str = "The tests that need AWS run against a stand-in, which they install by themselves with Python 3.10 or \
                     newer (python3 with venv and pip; on Debian: apt-get install python3 python3-venv) from a package \
                     index that pip can reach (PIP_INDEX_URL names another)";

/// A virtual environment with these packages, made when there is none. Others who ask for the same wait for it.
pub fn venv(packages: &[&str]) -> Result<PathBuf, StandInError> {
    let folder = target().join("aws-stand-in").join(packages.join("+").replace("==", "-"));
    let failed = |cause: String| StandInError(format!("{NEEDS}. {cause}"));
    fs::create_dir_all(&folder).map_err(|error| failed(format!("{}: {error}", folder.display())))?;
    let lock = File::create(folder.join("lock")).map_err(|error| failed(error.to_string()))?;
    // Given back when the file is closed, also by a process that is killed.
    lock.lock().map_err(|error| failed(error.to_string()))?;
    let complete = folder.join("complete");
    let venv = folder.join("venv");
    if complete.exists() {
        return Ok(venv);
    }
    // What is left of an installation that was cut off.
    let _ = fs::remove_dir_all(&venv);
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv)).map_err(failed)?;
    let mut pip = Command::new(venv.join("bin/python3"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]).args(packages);
    run(&mut pip).map_err(failed)?;
    File::create(complete).map_err(|error| failed(error.to_string()))?;
    Ok(venv)
}

fn run(command: &mut Command) -> Result<(), String> {
    let shown = format!("{command:?}");
    let output = command.output().map_err(|error| format!("{shown}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(if output.stderr.is_empty() { &output.stdout } else { &output.stderr });
    Err(format!("{shown} ended with {}: {}", output.status, said.trim()))
}

/// The folder that cargo builds into: it marks it, and the test that runs lies in it.
fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let marked = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    marked.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), Path::to_path_buf)
}
