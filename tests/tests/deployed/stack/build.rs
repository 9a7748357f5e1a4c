//! What the story deploys and what it is told by: the functions as the template wants them, and the command with AWS in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use hardmatch_tests::built::Built;

use super::ROOT;

/// What is deployed: the feature that makes it a function, by binary.
const FUNCTIONS: [(&str, &str); 6] = [
    ("ingest-source", "hardmatch-ingest/lambda-source"),
    ("ingest-tenant", "hardmatch-ingest/lambda-tenant"),
    ("match", "hardmatch-match/lambda"),
    ("write", "hardmatch-write/lambda"),
    ("connect", "hardmatch-connect/lambda"),
    ("webhook", "hardmatch-webhook/lambda"),
];

/// Builds the functions where the template looks for them, stripped, and gives the command's path.
///
/// In one go, so that the libraries for AWS are compiled once for all; with the profile and the folder of this test, so
/// that what is compiled already is not compiled again.
pub(crate) fn build() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let mut arguments =
            vec!["build".to_owned(), "--bins".to_owned(), "--package".to_owned(), "hardmatch".to_owned()];
        let mut features = vec!["hardmatch/aws".to_owned()];
        for (_, feature) in FUNCTIONS {
            let package = feature.split('/').next().unwrap();
            arguments.extend(["--package".to_owned(), package.to_owned()]);
            features.push(feature.to_owned());
        }
        arguments.extend(["--features".to_owned(), features.join(",")]);
        cargo(&arguments);
        for (name, _) in FUNCTIONS {
            let folder = Path::new(ROOT).join("target/functions").join(name);
            fs::create_dir_all(&folder).unwrap();
            let bootstrap = folder.join("bootstrap");
            replace(&profile().join(name), &bootstrap);
            let stripped = Command::new("strip").arg(&bootstrap).output().unwrap();
            assert!(stripped.status.success(), "{}", String::from_utf8_lossy(&stripped.stderr));
            // What Lambda would not start, or what has grown, is told before anything is deployed.
            let built = Built { function: name, architecture: "x86_64", profile: &profile_name(), binary: &bootstrap };
            built.check().unwrap_or_else(|error| panic!("{error}"));
        }
        // In a folder of its own: the command beside this test may be the one without AWS, and others are using it.
        let folder = target().join("with-aws");
        fs::create_dir_all(&folder).unwrap();
        let command = folder.join("hardmatch");
        replace(&profile().join("hardmatch"), &command);
        command
    })
}

/// Makes another build of each function: the same program, whose file is another one.
pub(crate) fn build_anew() {
    for (name, _) in FUNCTIONS {
        let bootstrap = Path::new(ROOT).join("target/functions").join(name).join("bootstrap");
        let mut bytes = fs::read(&bootstrap).unwrap();
        bytes.extend_from_slice(b"another build");
        let fresh = bootstrap.with_extension("new");
        fs::copy(&bootstrap, &fresh).unwrap();
        fs::write(&fresh, bytes).unwrap();
        fs::rename(fresh, bootstrap).unwrap();
    }
}

fn replace(from: &Path, to: &Path) {
    let fresh = to.with_extension("new");
    fs::copy(from, &fresh).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    fs::rename(fresh, to).unwrap();
}

/// The folder of this test's own profile.
fn profile() -> PathBuf {
    let ourselves = std::env::current_exe().unwrap();
    ourselves.parent().and_then(Path::parent).unwrap().to_owned()
}

fn target() -> PathBuf {
    profile().parent().unwrap().to_owned()
}

/// The name of this test's own profile.
fn profile_name() -> String {
    let name = profile().file_name().unwrap().to_string_lossy().into_owned();
    if name == "debug" { "dev".to_owned() } else { name }
}

fn cargo(arguments: &[String]) {
    let name = profile_name();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(arguments)
        .args(["--quiet", "--locked", "--profile", &name, "--target-dir"])
        .arg(target())
        .current_dir(ROOT)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}
