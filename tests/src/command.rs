//! The command as it is shipped, for tests that start it.

#![expect(clippy::unwrap_used, reason = "a helper of tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Names a binary to be tested instead of the one built here: a release, say.
const BINARY: &str = "HARDMATCH_TESTED_BINARY";

/// The command, built once for all tests of a run. Test runners start many processes at a time, so the first that comes
/// builds and the others wait for its lock.
pub fn binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        if let Some(given) = std::env::var_os(BINARY) {
            return given.into();
        }
        // <target>/<profile>/deps/<test>-<hash>
        let ourselves = std::env::current_exe().unwrap();
        let profile = ourselves.parent().and_then(Path::parent).unwrap();
        let target = profile.parent().unwrap();
        let binary = profile.join(format!("hardmatch{}", std::env::consts::EXE_SUFFIX));
        let lock = fs::File::create(profile.join("hardmatch-built.lock")).unwrap();
        lock.lock().unwrap();
        // nextest names its run; another runner has one process, so one build.
        let run = std::env::var_os("NEXTEST_RUN_ID").map(|id| id.to_string_lossy().into_owned());
        let stamp = profile.join("hardmatch-built.run");
        if run.is_none() || fs::read_to_string(&stamp).ok() != run {
            build(target, profile);
            fs::write(&stamp, run.unwrap_or_default()).unwrap();
        }
        assert!(binary.is_file(), "{} was not built", binary.display());
        binary
    })
}

fn build(target: &Path, profile: &Path) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let name = profile.file_name().unwrap().to_string_lossy().into_owned();
    let name = if name == "debug" { "dev".to_owned() } else { name };
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--locked", "--package", "hardmatch", "--bin", "hardmatch", "--profile", &name])
        .arg("--target-dir")
        .arg(target)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap();
    assert!(built.status.success(), "hardmatch could not be built:\n{}", String::from_utf8_lossy(&built.stderr));
}
