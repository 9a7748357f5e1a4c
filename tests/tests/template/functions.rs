//! Functions: what each is given, and what none shares.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_policy::{Cloud, Endpoints, StackLimits};
use hardmatch_report::cost::FUNCTION_MB;
use hardmatch_runtime::env::{self, Variable};
use hardmatch_tests::built::kept;
use serde_json::{Value, json};

use crate::expanded::{number, of_type, properties, target, template, text};

/// What every function reads when it starts.
const EVERY: [Variable; 12] = [
    env::ALLOWED_HOSTS,
    env::SECRET_PREFIX,
    env::STACK,
    env::TABLE,
    env::BUCKET,
    env::QUEUE_SOURCE,
    env::QUEUE_TENANT,
    env::QUEUE_MATCH,
    env::QUEUE_WRITE,
    env::KEEP_DAYS,
    env::METRICS,
    env::LOG,
];

fn variables(function: &Value) -> BTreeMap<&str, &Value> {
    let variables = function["Environment"]["Variables"].as_object().expect("variables");
    variables.iter().map(|(name, value)| (name.as_str(), value)).collect()
}

#[test]
fn every_function_has_a_role_and_a_log_group_of_its_own() {
    let functions = of_type("AWS::Lambda::Function");
    assert_eq!(functions.len(), 6);
    let of = |what: fn(&Value) -> &Value| -> BTreeSet<&str> {
        functions.iter().filter_map(|(_, function)| target(what(function))).collect()
    };
    assert_eq!(of(|function| &function["Role"]).len(), functions.len(), "two functions share a role");
    let logs = of(|function| &function["LoggingConfig"]["LogGroup"]);
    assert_eq!(logs.len(), functions.len(), "two functions share a log group");
    for (name, group) in of_type("AWS::Logs::LogGroup") {
        assert!(number(&group["RetentionInDays"]) > 0, "{name} keeps logs for ever");
    }
}

#[test]
fn every_function_has_a_size_that_is_kept() {
    let template = text("infra/template.yaml");
    let folders = template.lines().filter_map(|line| line.trim().strip_prefix("CodeUri: ../target/functions/"));
    let built: Vec<&str> = folders.map(|folder| folder.trim_end_matches('/')).collect();
    assert_eq!(built.len(), of_type("AWS::Lambda::Function").len(), "{built:?}");
    for function in built {
        assert!(kept("x86_64", "dev", function).is_some(), "infra/sizes.txt has no size of {function}");
    }
}

#[test]
fn functions_requeue_and_only_public_pages_are_bounded() {
    for (name, function) in of_type("AWS::Lambda::Function") {
        // Without it AWS stops long work after sixteen requeued messages.
        assert_eq!(function["RecursiveLoop"], "Allow", "{name}");
        // What is reserved for one is taken from the account's others; mappings limit instead. What anybody may call is
        // limited where the account has room for it.
        let reserved = &function["ReservedConcurrentExecutions"];
        match name {
            "ConnectFunction" | "WebhookFunction" => {
                let limited = json!({"Fn::If": ["HasPagesAtOnce", {"Ref": "PagesAtOnce"}, {"Ref": "AWS::NoValue"}]});
                assert_eq!(*reserved, limited);
                // A page that hangs keeps a function busy; who has a token of the webhook may wait for what becomes of a
                // person, within what the gateway waits.
                let longest = if name == "ConnectFunction" { 15 } else { 29 };
                assert!(number(&function["Timeout"]) <= longest, "{name}");
            }
            _ => assert!(reserved.is_null(), "{name}"),
        }
        assert_eq!((&function["Runtime"], &function["Handler"]), (&"provided.al2023".into(), &"bootstrap".into()));
        assert_eq!(function["LoggingConfig"]["LogFormat"], "JSON", "{name}");
        assert_eq!(
            number(&function["MemorySize"]),
            FUNCTION_MB,
            "{name}: the price of a run reckons with another size"
        );
        // Only the function that reads a directory may be in a network, where somebody names one.
        let network = &function["VpcConfig"];
        let may = name == "SourceFunction" && network["Fn::If"][0] == "HasSourceNetwork";
        assert!((network.is_null() || may) && function["Layers"].is_null(), "{name}");
    }
}

#[test]
fn functions_are_told_what_they_read_and_nothing_else() {
    let known: BTreeSet<&str> = env::ALL.iter().map(|variable| variable.name).collect();
    let mut set = BTreeSet::new();
    for (name, function) in of_type("AWS::Lambda::Function") {
        let variables = variables(function);
        for variable in variables.keys() {
            assert!(known.contains(variable), "{name} is given {variable}, which nobody reads");
        }
        for needed in EVERY {
            assert!(variables.contains_key(needed.name), "{name} is not given {}", needed.name);
        }
        set.extend(variables.into_keys());
    }
    for variable in env::ALL.iter().filter(|variable| variable.meaning.starts_with("On AWS:")) {
        assert!(set.contains(variable.name), "{} is read on AWS and given to nobody", variable.name);
    }
    for secret in [env::CLIENT_SECRET, env::NO_COLOR] {
        assert!(!set.contains(secret.name), "{} has no place in a function", secret.name);
    }
}

#[test]
fn only_who_speaks_to_the_tenant_knows_where_tokens_are() {
    for (name, function) in of_type("AWS::Lambda::Function") {
        let variables = variables(function);
        let speaks = matches!(name, "TenantFunction" | "WriteFunction" | "ConnectFunction");
        for variable in [env::TOKEN_TABLE, env::KEY] {
            assert_eq!(variables.contains_key(variable.name), speaks, "{name} and {}", variable.name);
        }
        let pages = matches!(name, "ConnectFunction" | "WebhookFunction");
        assert_eq!(variables.contains_key(env::URL.name), pages, "{name} and {}", env::URL.name);
    }
}

#[test]
fn configurations_may_name_the_hosts_of_microsoft_alone_until_the_owner_says_otherwise() {
    for (name, function) in of_type("AWS::Lambda::Function") {
        let variables = variables(function);
        assert_eq!(variables[env::ALLOWED_HOSTS.name]["Ref"], "AllowedHosts", "{name}");
        assert_eq!(variables[env::SECRET_PREFIX.name]["Ref"], "SecretPrefix", "{name}");
    }
    let default = template()["Parameters"]["AllowedHosts"]["Default"].as_str().expect("a default");
    StackLimits::new(default, "").expect("hosts");
    let mut wanted = BTreeSet::new();
    for cloud in [Cloud::Global, Cloud::UsGov, Cloud::UsGovDod, Cloud::China] {
        let Endpoints { login, graph } = cloud.endpoints().expect("endpoints");
        wanted.extend([login, graph].map(|url| url.trim_start_matches("https://").to_owned()));
    }
    assert_eq!(default.split(',').map(str::to_owned).collect::<BTreeSet<_>>(), wanted);
    assert_eq!(
        template()["Parameters"]["SecretPrefix"]["Default"],
        "",
        "functions read no secret until the owner says so"
    );
}

#[test]
fn urls_of_queues_go_to_the_right_names() {
    let variables = variables(properties("MatchFunction"));
    for (variable, resource) in [
        (env::QUEUE_SOURCE, "SourceQueue"),
        (env::QUEUE_TENANT, "TenantQueue"),
        (env::QUEUE_MATCH, "MatchQueue"),
        (env::QUEUE_WRITE, "WriteQueue"),
        (env::TABLE, "WorkTable"),
        (env::BUCKET, "Bucket"),
    ] {
        assert_eq!(target(variables[variable.name]), Some(resource), "{}", variable.name);
    }
}
