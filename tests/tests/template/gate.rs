//! The linter as a gate, and the gate itself.

use crate::expanded::{expand, findings, ours, path, template};

#[test]
fn the_linter_finds_nothing() {
    assert_eq!(findings(ours()), Vec::<String>::new());
}

#[test]
fn the_gate_refuses_what_only_shows_when_expanded() {
    let found = findings(&expand(&path("tests/fixtures/template/bad.yaml"))).join("\n");
    for (code, mistake) in [
        ("E3505", "a queue that hands messages over again before the function's time is over"),
        ("E3034", "a mapping with fewer than two at a time"),
        ("E3705", "more than ten messages of a queue in order"),
    ] {
        assert!(found.contains(code), "the gate lets {mistake} through:\n{found}");
    }
}

#[test]
fn c10_nothing_has_to_be_installed_or_kept_running() {
    let kinds = template()["Resources"].as_object().expect("resources").values().map(|one| &one["Type"]);
    for kind in kinds {
        let kind = kind.as_str().expect("a type");
        for server in ["AWS::EC2::", "AWS::ECS::", "AWS::RDS::", "AWS::AutoScaling::"] {
            assert!(!kind.starts_with(server), "{kind} is a server or a network");
        }
    }
    // The one network is the customer's own, for reading a directory, and without a parameter there is none.
    assert_eq!(ours().matches("VpcConfig").count(), 1);
    assert_eq!(template()["Parameters"]["SourceSubnetIds"]["Default"], "");
}

#[test]
fn every_parameter_explains_itself_has_a_default_and_is_no_secret() {
    let parameters = template()["Parameters"].as_object().expect("parameters");
    let listed: Vec<&str> = template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        .as_array()
        .expect("groups")
        .iter()
        .flat_map(|group| group["Parameters"].as_array().expect("names"))
        .filter_map(|name| name.as_str())
        .collect();
    for (name, parameter) in parameters {
        let description = parameter["Description"].as_str().unwrap_or_default();
        assert!(description.len() > 20, "{name} has no description");
        assert!(!parameter["Default"].is_null(), "{name} has no default");
        // A secret given as a parameter stands in change sets, histories and scripts.
        assert!(parameter["NoEcho"].is_null(), "{name} is a secret; secrets are not parameters");
        assert!(listed.contains(&name.as_str()), "{name} is in no group of parameters");
    }
    assert_eq!(listed.len(), parameters.len());
}

#[test]
fn outputs_say_what_an_operator_asks_for() {
    let outputs = template()["Outputs"].as_object().expect("outputs");
    for name in [
        "WorkTable",
        "TokenTable",
        "Bucket",
        "SourceQueue",
        "TenantQueue",
        "MatchQueue",
        "WriteQueue",
        "DeadLetters",
        "CommandQueue",
        "ApproveQueue",
        "Url",
        "SourceRole",
        "TenantRole",
        "WriteRole",
        "ConnectRole",
        "Topic",
        "ViewerPolicy",
        "OperatorPolicy",
        "ApproverPolicy",
    ] {
        assert!(outputs.contains_key(name), "no output {name}");
    }
    for (name, output) in outputs {
        assert!(output["Description"].as_str().is_some_and(|text| !text.is_empty()), "{name} has no description");
        assert!(output["Export"].is_null(), "{name} would keep other stacks from being removed");
    }
}
