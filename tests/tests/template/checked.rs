//! `infra/check.py rights`, as it is run against a real account: here against a stack on the stand-in, whose functions are
//! empty files. Its other half, `smoke`, takes functions that work.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use hardmatch_aws::stand_in::{PACKAGES, REGION, StandIn, StandInPolicies, venv};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::expanded::path;

const FUNCTIONS: [&str; 6] = ["ingest-source", "ingest-tenant", "match", "write", "connect", "webhook"];

/// A stack whose rights are real and whose functions are empty.
struct Deployed {
    server: StandIn,
    tools: PathBuf,
    folder: TempDir,
}

impl Deployed {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for function in FUNCTIONS {
            let function = folder.path().join("target/functions").join(function);
            fs::create_dir_all(&function).expect("a folder");
            fs::write(function.join("bootstrap"), "#!/bin/sh\n").expect("a file");
        }
        fs::create_dir_all(folder.path().join("infra")).expect("a folder");
        for file in ["template.yaml", "check.py", "rights.txt"] {
            fs::copy(path("infra").join(file), folder.path().join("infra").join(file)).expect("a copy");
        }
        let server = StandIn::start(StandInPolicies::Enforced).unwrap_or_else(|error| panic!("{error}"));
        let tools = venv(&PACKAGES).unwrap_or_else(|error| panic!("{error}"));
        let deployed = Self { server, tools, folder };
        for bucket in ["s3://packaged", "s3://people-files"] {
            deployed.aws(&["s3", "mb", bucket]);
        }
        let packaged = ["--s3-bucket", "packaged", "--output-template-file", "packaged.yaml"];
        let template = ["cloudformation", "package", "--template-file", "infra/template.yaml"];
        deployed.aws(&[&template[..], &packaged].concat());
        let stack = ["cloudformation", "deploy", "--stack-name", "hm", "--template-file", "packaged.yaml"];
        let means = ["--s3-bucket", "packaged", "--capabilities", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"];
        let parameters = ["--parameter-overrides", "SourceBucket=people-files", "SecretPrefix=hm/"];
        deployed.aws(&[&stack[..], &means, &parameters].concat());
        deployed
    }

    /// What a program came to, with the stand-in as AWS and an administrator's credentials.
    fn run(&self, program: &str, arguments: &[&str]) -> (bool, String) {
        let search = std::env::var_os("PATH").unwrap_or_default();
        let search = [self.tools.join("bin")].into_iter().chain(std::env::split_paths(&search));
        let ran = Command::new(self.tools.join("bin").join(program))
            .args(arguments)
            .current_dir(self.folder.path())
            .env("PATH", std::env::join_paths(search).expect("a path"))
            .env("AWS_ENDPOINT_URL", self.server.endpoint())
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_DEFAULT_REGION", REGION)
            .output()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        (ran.status.success(), said)
    }

    fn aws(&self, arguments: &[&str]) -> Value {
        let (good, said) = self.run("aws", &[arguments, &["--output", "json"]].concat());
        assert!(good, "{arguments:?}: {said}");
        serde_json::from_str(&said).unwrap_or_default()
    }

    /// Leaves of the rights that are checked those of these roles, and of the policies that roles share: each line takes
    /// seconds.
    fn rights_of(&self, roles: &[&str]) {
        let file = self.folder.path().join("infra/rights.txt");
        let rights = fs::read_to_string(&file).expect("rights");
        let shared: BTreeSet<&str> = rights
            .lines()
            .filter_map(|line| line.split_once(" | has | "))
            .map(|(_, policy)| policy.trim_matches(['$', '{', '}']))
            .collect();
        let kept = |line: &&str| {
            let who = line.split(" | ").next().unwrap_or_default();
            roles.contains(&who) || shared.contains(who)
        };
        let lines: Vec<&str> = rights.lines().filter(kept).collect();
        fs::write(&file, lines.join("\n")).expect("rights");
    }

    /// The check of rights: whether all is well, and what it says.
    fn check(&self) -> (bool, String) {
        self.run("python3", &["infra/check.py", "hm", "rights"])
    }
}

#[test]
fn the_check_of_an_account_finds_rights_as_they_were_meant_and_one_too_many() {
    let deployed = Deployed::new();
    let (good, said) = deployed.check();
    assert!(good, "{said}");
    for role in ["SourceRole", "TenantRole", "MatchRole", "WriteRole", "ConnectRole", "ApproverPolicy"] {
        assert!(said.contains(&format!("ok   {role} without any context")), "{role}: {said}");
    }
    assert!(said.contains("ok   ConnectRole dynamodb:DeleteItem dynamodb:PutItem elsewhere is refused"), "{said}");
    let forbidden =
        "ok   ViewerPolicy dynamodb:BatchGetItem dynamodb:GetItem dynamodb:Query is refused where ForAnyValue";
    assert!(said.contains(forbidden), "{said}");

    // Somebody lets the pages write every partition, and the source's function delete the table.
    let role = |name: &str| -> String {
        let words = ["cloudformation", "describe-stack-resources", "--stack-name", "hm", "--logical-resource-id", name];
        deployed.aws(&words)["StackResources"][0]["PhysicalResourceId"].as_str().expect("a name").to_owned()
    };
    let change = |name: &str, change: &dyn Fn(&mut Value)| {
        let role = role(name);
        let own = ["--role-name", &role, "--policy-name", "work"];
        let asked = deployed.aws(&[&["iam", "get-role-policy"][..], &own].concat());
        let mut document = asked["PolicyDocument"].clone();
        let statements = document["Statement"].as_array_mut().expect("statements");
        statements.iter_mut().for_each(change);
        let document = document.to_string();
        deployed.aws(&[&["iam", "put-role-policy"][..], &own, &["--policy-document", &document]].concat());
    };
    change("ConnectRole", &|statement| {
        if statement["Sid"] == "WriteLinks" {
            statement["Condition"] = json!({ "Null": { "dynamodb:LeadingKeys": "false" } });
        }
    });
    change("SourceRole", &|statement| {
        if statement["Sid"] == "ReadTable" {
            statement["Action"] =
                json!(["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:DeleteTable"]);
        }
    });
    // Looked at again: those two, and one who is as before.
    deployed.rights_of(&["ConnectRole", "SourceRole", "MatchRole"]);
    let (good, said) = deployed.check();
    assert!(!good, "{said}");
    assert!(said.contains("BAD  ConnectRole dynamodb:DeleteItem dynamodb:PutItem elsewhere is refused"), "{said}");
    assert!(said.contains("too many: dynamodb:DeleteTable on "), "{said}");
    assert!(said.contains("ok   MatchRole without any context"), "nobody else: {said}");
}
