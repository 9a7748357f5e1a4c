//! `deploy`: the commands that build the functions and deploy the template, in order. They are AWS's own tools; nothing is
//! hidden behind ours, so that a pipeline can run the same lines.

use crate::args::DeployArgs;
use crate::fail::{Exit, Failure};
use crate::output;

/// The functions, by binary.
const FUNCTIONS: [&str; 4] = ["ingest", "match", "write", "connect"];

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
    let functions = FUNCTIONS.join(" ");
    // One by one: built together, each would link what only another needs.
    let build = if architecture == "arm64" {
        format!(
            r#"rustup target add aarch64-unknown-linux-gnu
for f in {functions}; do
  cargo lambda build --locked --profile lambda --arm64 --lambda-dir target/functions -p "hardmatch-$f" --features lambda --bin "$f"
done"#
        )
    } else {
        format!(
            r#"for f in {functions}; do
  cargo build --locked --profile lambda --target x86_64-unknown-linux-gnu -p "hardmatch-$f" --features lambda
  install -D "target/x86_64-unknown-linux-gnu/lambda/$f" "target/functions/$f/bootstrap"
done"#
        )
    };
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
        let mut built = FUNCTIONS;
        built.sort_unstable();
        assert_eq!(wanted, built);
    }
}
