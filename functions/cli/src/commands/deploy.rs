//! `deploy`: the commands that build the functions and deploy the template, in order. They are AWS's own tools; nothing is
//! hidden behind ours, so that a pipeline can run the same lines.

use crate::args::DeployArgs;
use crate::fail::{Exit, Failure};
use crate::output;

/// The four functions: binary and package.
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
    let packages: Vec<String> = FUNCTIONS.iter().map(|name| format!("-p hardmatch-{name}")).collect();
    let features: Vec<String> = FUNCTIONS.iter().map(|name| format!("hardmatch-{name}/lambda")).collect();
    let (packages, features) = (packages.join(" "), features.join(","));
    let build = if architecture == "arm64" {
        format!(
            "cargo lambda build --profile lambda --arm64 --lambda-dir target/functions {packages} --features {features} --bins"
        )
    } else {
        format!(
            "cargo build --locked --profile lambda {packages} --features {features} --bins\nfor f in {}; do install -D target/lambda/$f target/functions/$f/bootstrap; done",
            FUNCTIONS.join(" ")
        )
    };
    format!(
        "{build}
aws cloudformation package --template-file infra/template.yaml --s3-bucket {bucket} --output-template-file packaged.yaml
aws cloudformation deploy --template-file packaged.yaml --s3-bucket {bucket} --stack-name {stack} --capabilities CAPABILITY_IAM CAPABILITY_NAMED_IAM CAPABILITY_AUTO_EXPAND --parameter-overrides Architecture={architecture}
hardmatch config push --stack {stack} --config hardmatch.toml
hardmatch plan --stack {stack} --config hardmatch.toml"
    )
}
