//! The network of the source's side: off unless subnets are named, and then for that function alone.

use serde_json::{Value, json};

use crate::expanded::{list, of_type, properties, template};

/// The statement of a role by its name, and the condition under which it is there.
fn statement(role: &str, sid: &str) -> (Value, Value) {
    let policies = list(&properties(role)["Policies"]).into_iter();
    let mut all = policies.flat_map(|policy| list(&policy["PolicyDocument"]["Statement"]));
    let found = all.find(|entry| entry["Fn::If"][1]["Sid"] == sid).expect("a statement");
    (found["Fn::If"][0].clone(), found["Fn::If"][1].clone())
}

#[test]
fn only_the_sources_function_is_put_into_subnets_and_only_where_some_are_named() {
    for (name, function) in of_type("AWS::Lambda::Function") {
        let network = &function["VpcConfig"];
        if name != "SourceFunction" {
            assert!(network.is_null(), "{name}: {network}");
            continue;
        }
        assert_eq!(network["Fn::If"][0], "HasSourceNetwork");
        assert_eq!(network["Fn::If"][1]["SubnetIds"], json!({ "Ref": "SourceSubnetIds" }));
        assert_eq!(network["Fn::If"][1]["SecurityGroupIds"], json!({ "Ref": "SourceSecurityGroupIds" }));
        assert_eq!(network["Fn::If"][2], json!({ "Ref": "AWS::NoValue" }));
    }
    for parameter in ["SourceSubnetIds", "SourceSecurityGroupIds"] {
        assert_eq!(template()["Parameters"][parameter]["Default"], "", "{parameter}: nothing changes without it");
    }
    assert_eq!(template()["Parameters"]["Directories"]["Default"], "false");
}

#[test]
fn network_interfaces_are_lambdas_to_make_and_not_the_functions() {
    let (given, allowed) = statement("SourceRole", "Network");
    let (given_too, denied) = statement("SourceRole", "NotByItself");
    assert_eq!((&given, &given_too), (&json!("HasSourceNetwork"), &json!("HasSourceNetwork")));
    assert_eq!((&allowed["Effect"], &denied["Effect"]), (&json!("Allow"), &json!("Deny")));
    assert_eq!(allowed["Action"], denied["Action"], "each right is Lambda's alone");
    let function = &denied["Condition"]["ArnLike"]["lambda:SourceFunctionArn"]["Fn::Sub"];
    assert!(
        function.as_str().is_some_and(|arn| arn.ends_with(":function:${AWS::StackName}-ingest-source")),
        "{function}"
    );
}

#[test]
fn what_directories_need_is_there_where_directories_are_wanted() {
    for (sid, wanted) in [
        ("DirectorySecrets", "HasDirectorySecrets"),
        ("DirectoryCopies", "HasDirectories"),
        ("DirectoryCopyNames", "HasDirectories"),
        ("DirectoryCopiesAtRest", "HasDirectoryKey"),
    ] {
        assert_eq!(statement("SourceRole", sid).0, wanted, "{sid}");
    }
}
