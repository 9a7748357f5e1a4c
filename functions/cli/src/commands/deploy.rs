//! `deploy`: the commands that build the functions and deploy the template, in order. They are AWS's own tools; nothing is
//! hidden behind ours, so that a pipeline can run the same lines.

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
    output::line(script(args));
    output::note(
        "Run these in the repository. What is created, what it costs, and how to let the functions sign in without a secret: infra/README.md",
    );
    Ok(Exit::Converged)
}

fn script(args: &DeployArgs) -> String {
    let DeployArgs { stack, bucket, architecture } = args;
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
    let build = format!("{one}\n{}", all.join("\n"));
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
    use super::*;

    const README: &str = include_str!("../../../../infra/README.md");

    fn script_for(architecture: &str) -> String {
        let (stack, bucket) = ("people".to_owned(), "YOUR-DEPLOY-BUCKET".to_owned());
        script(&DeployArgs { stack, bucket, architecture: architecture.to_owned() })
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
