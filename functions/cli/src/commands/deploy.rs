//! `deploy`: the commands that build the functions and deploy the template, in order. They are AWS's own tools; nothing is
//! hidden behind ours, so that a pipeline can run the same lines. Released functions are checked against their checksums
//! first, and nothing is built.

use std::fs;
use std::path::Path;

use hardmatch_store::hashes::hex;
use sha2::{Digest as _, Sha256};

use crate::args::DeployArgs;
use crate::fail::{Exit, Failure};
use crate::output;

/// The functions, by binary, each with its package and the feature that makes it one.
const FUNCTIONS: [(&str, &str, &str); 6] = [
    ("ingest-source", "hardmatch-ingest", "lambda-source"),
    ("ingest-tenant", "hardmatch-ingest", "lambda-tenant"),
    ("match", "hardmatch-match", "lambda"),
    ("write", "hardmatch-write", "lambda"),
    ("connect", "hardmatch-connect", "lambda"),
    ("webhook", "hardmatch-webhook", "lambda"),
];

pub(crate) fn deploy(args: &DeployArgs) -> Result<Exit, Failure> {
    for name in [&args.stack, &args.bucket] {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        if name.is_empty() || !name.bytes().all(plain) {
            return Err(Failure::usage(format!(
                "{name} is no name of a stack or bucket: letters, digits, - and . only"
            )));
        }
    }
    let release = args.release.as_deref().map(|folder| verified(folder, &args.architecture)).transpose()?;
    output::line(script(args, release.as_deref()));
    output::note(
        "Run these in the repository. What is created, what it costs, and how to let the functions sign in without a secret: infra/README.md",
    );
    Ok(Exit::Converged)
}

/// Names of checksums and zips, as a release has them.
const SUMS: &str = "SHA256SUMS";

/// The lines that put released functions where the template looks for them, once each is what its checksum says.
fn verified(folder: &Path, architecture: &str) -> Result<String, Failure> {
    let read = |path: &Path| {
        fs::read(path).map_err(|error| {
            Failure::usage(format!("{} cannot be read: {error}. Unpack a release there", path.display()))
        })
    };
    let sums = read(&folder.join(SUMS))?;
    let sums = String::from_utf8_lossy(&sums);
    let place = folder.display();
    // Quoted for a shell; a quote itself would end that.
    if place.to_string().contains(['\'', '\n']) {
        return Err(Failure::usage(format!("{place}: a folder of releases has no quotes in its name")));
    }
    let mut lines = Vec::new();
    for (function, ..) in FUNCTIONS {
        let name = format!("{function}-{architecture}.zip");
        let listed = sums.lines().find_map(|line| {
            let (sum, of) = line.split_once(char::is_whitespace)?;
            (of.trim_start_matches([' ', '*']) == name).then(|| sum.to_ascii_lowercase())
        });
        let listed = listed.ok_or_else(|| {
            Failure::usage(format!(
                "{SUMS} in {place} has no line for {name}. Take the whole release, for {architecture}"
            ))
        })?;
        let is = hex(&Sha256::digest(read(&folder.join(&name))?));
        if is != listed {
            return Err(Failure::run(format!(
                "{place}/{name} is not what its release says: its checksum is {is}, not {listed}. Download it again; deploy nothing of it"
            )));
        }
        lines.push(format!(
            "rm -rf target/functions/{function} && unzip -q '{place}/{name}' -d target/functions/{function}"
        ));
    }
    Ok(lines.join("\n"))
}

fn script(args: &DeployArgs, release: Option<&str>) -> String {
    let DeployArgs { stack, bucket, architecture, .. } = args;
    // One by one: built together, each would link what only another needs.
    let one = if architecture == "arm64" {
        r#"rustup target add aarch64-unknown-linux-gnu
build() {
  cargo lambda build --locked --profile lambda --arm64 --lambda-dir target/functions -p "$2" --features "$3" --bin "$1"
}"#
    } else {
        r#"build() {
  cargo build --locked --profile lambda --target x86_64-unknown-linux-gnu -p "$2" --features "$3" --bin "$1"
  install -D "target/x86_64-unknown-linux-gnu/lambda/$1" "target/functions/$1/bootstrap"
}"#
    };
    let all = FUNCTIONS.map(|(binary, package, feature)| format!("build {binary} {package} {feature}"));
    let build = release.map_or_else(|| format!("{one}\n{}", all.join("\n")), str::to_owned);
    format!(
        "{build}
aws cloudformation package --template-file infra/template.yaml --s3-bucket {bucket} --output-template-file target/packaged.yaml
aws cloudformation deploy --template-file target/packaged.yaml --s3-bucket {bucket} --stack-name {stack} --capabilities CAPABILITY_IAM CAPABILITY_NAMED_IAM CAPABILITY_AUTO_EXPAND --parameter-overrides Architecture={architecture}
hardmatch config push --stack {stack} --config hardmatch.toml
hardmatch plan --stack {stack} --config hardmatch.toml"
    )
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    const README: &str = include_str!("../../../../infra/README.md");

    fn script_for(architecture: &str) -> String {
        let (stack, bucket) = ("people".to_owned(), "YOUR-DEPLOY-BUCKET".to_owned());
        script(&DeployArgs { stack, bucket, architecture: architecture.to_owned(), release: None }, None)
    }

    /// A folder with a zip of each function, and its checksums.
    fn release() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mut sums = String::new();
        for (function, ..) in FUNCTIONS {
            let (name, body) = (format!("{function}-arm64.zip"), format!("a zip of {function}"));
            fs::write(folder.path().join(&name), &body).unwrap();
            writeln!(sums, "{}  {name}", hex(&Sha256::digest(&body))).unwrap();
        }
        fs::write(folder.path().join(SUMS), sums).unwrap();
        folder
    }

    #[test]
    fn released_functions_take_the_place_of_building() {
        let folder = release();
        let lines = verified(folder.path(), "arm64").unwrap();
        for (function, ..) in FUNCTIONS {
            assert!(lines.contains(&format!("{function}-arm64.zip' -d target/functions/{function}")), "{lines}");
        }
        let args = DeployArgs {
            stack: "people".to_owned(),
            bucket: "bucket".to_owned(),
            architecture: "arm64".to_owned(),
            release: Some(folder.path().to_owned()),
        };
        let script = script(&args, Some(&lines));
        assert!(!script.contains("cargo"), "no Rust is needed: {script}");
        assert!(script.starts_with("rm -rf target/functions/ingest-source && unzip"), "{script}");
        assert!(script.contains("\naws cloudformation package ") && script.contains("Architecture=arm64"), "{script}");
    }

    #[test]
    fn a_release_that_is_not_whole_or_not_itself_is_not_deployed() {
        let folder = release();
        let said = |architecture: &str| verified(folder.path(), architecture).unwrap_err().to_string();
        assert!(said("x86_64").contains("no line for ingest-source-x86_64.zip"), "{}", said("x86_64"));
        fs::write(folder.path().join("match-arm64.zip"), "another zip").unwrap();
        assert!(said("arm64").contains("match-arm64.zip is not what its release says"), "{}", said("arm64"));
        fs::remove_file(folder.path().join("ingest-source-arm64.zip")).unwrap();
        assert!(said("arm64").contains("cannot be read"), "{}", said("arm64"));
        fs::remove_file(folder.path().join(SUMS)).unwrap();
        assert!(said("arm64").contains(SUMS), "{}", said("arm64"));
    }

    #[test]
    fn functions_are_built_as_the_readme_says() {
        for architecture in ["arm64", "x86_64"] {
            let script = script_for(architecture);
            let (build, _) = script.split_once("\naws ").unwrap();
            assert!(README.contains(&format!("```sh\n{build}\n```")), "infra/README.md does not say:\n{build}");
            assert!(script.contains(&format!("--parameter-overrides Architecture={architecture}\n")), "{script}");
        }
    }

    #[test]
    fn every_function_of_the_template_is_built() {
        let template = include_str!("../../../../infra/template.yaml");
        let places = template.lines().filter_map(|line| line.trim().strip_prefix("CodeUri: ../target/functions/"));
        let mut wanted: Vec<&str> = places.map(|place| place.trim_end_matches('/')).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut built = FUNCTIONS.map(|(binary, ..)| binary);
        built.sort_unstable();
        assert_eq!(wanted, built);
    }
}
