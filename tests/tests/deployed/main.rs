//! The product as a cloud team runs it: the shipped template, deployed unmodified on a stand-in for AWS with its policies
//! enforced; the functions as Lambda starts them, over the wire protocols of SQS, DynamoDB, S3, KMS and STS, against a
//! simulated tenant over HTTP.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod stack;

use std::fmt::Write as _;
use std::fs;

use hardmatch_sim::{App, Domain, DomainType, FederatedCredential, Running, Seed, Signature, Sim, World};
use serde_json::Value;
use stack::Stack;

const TENANT: &str = "5f0d2c1e-6a0b-4c7e-9b6e-0a1b2c3d4e5f";
const CLIENT: &str = "0f6b6c1d-7d0a-4f4e-8a51-2f6d1f3b9c77";
const ROLES: &[&str] = &[
    "User.ReadWrite.All",
    "GroupMember.Read.All",
    "OrgContact.Read.All",
    "Organization.Read.All",
    "Domain.Read.All",
    "LicenseAssignment.Read.All",
    "RoleManagement.Read.Directory",
    "User.DeleteRestore.All",
    "User.RevokeSessions.All",
];

/// A tenant that trusts the stack. The stand-in gives every role the same subject and signs with a key that it tells
/// nobody, so neither role nor signature is checked here; issuer, subject and audience are.
async fn tenant() -> Running {
    let mut seed = Seed::contoso();
    TENANT.clone_into(&mut seed.tenant.id);
    let mut own = Domain::new("contoso.com", DomainType::Managed);
    own.default = true;
    seed.domains = vec![own, Domain::new("lab.onmicrosoft.com", DomainType::Managed)];
    let trusted = FederatedCredential {
        name: "stack".to_owned(),
        issuer: "https://sts.amazonaws.com".to_owned(),
        subject: "arn:aws:iam::000000000000:root".to_owned(),
        audiences: vec!["api://AzureADTokenExchange".to_owned()],
        jwks: None,
        signature: Signature::Unverified,
        created: None,
    };
    seed.apps = vec![App {
        client_id: CLIENT.to_owned(),
        roles: ROLES.iter().map(|role| (*role).to_owned()).collect(),
        federated_identity_credentials: vec![trusted],
        ..App::default()
    }];
    Sim::new(seed).start_local().await.unwrap()
}

/// A connection of the tenant, whose people lie in the bucket.
fn connection(stack: &Stack, url: &str, name: &str) -> String {
    let text = format!(
        r#"schema = 1
connection = "{name}"

[tenant]
id = "{TENANT}"
cloud = "custom"
login = "{url}"
graph = "{url}"

[tenant.auth]
method = "federated"
client_id = "{CLIENT}"

[source]
kind = "csv"
location = "s3://{people}/{name}.csv"

[guard]
always_allow = 50
"#,
        people = stack::PEOPLE
    );
    let file = format!("{name}.toml");
    fs::write(stack.folder.path().join(&file), text).unwrap();
    file
}

/// People from a number on.
fn people(numbers: std::ops::Range<u32>, department: &str) -> String {
    let mut text = "objectGUID,userPrincipalName,givenName,sn,displayName,mail,department,employeeID\n".to_owned();
    for n in numbers {
        writeln!(
            text,
            "{n:08x}-1a2b-4c3d-8e4f-0123456789ab,person{n}@contoso.com,Given{n},Surname{n},Given{n} Surname{n},person{n}@contoso.com,{department},{n:06}"
        )
        .unwrap();
    }
    text
}

fn live(world: &World) -> usize {
    let ours = |user: &&Value| user["userPrincipalName"].as_str().is_some_and(|upn| upn.starts_with("person"));
    world.users().iter().filter(ours).count()
}

/// By command, by roles that may and may not, and by schedule; again without a write; with messages doubled and poisoned;
/// with the stack deployed anew meanwhile. One story: what is deployed once is used by all.
#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_template_runs_a_nightly_sync() {
    let running = tenant().await;
    tokio::task::block_in_place(|| story(running.world(), running.url()));
    running.stop().await;
}

fn story(world: &World, url: &str) {
    let mut stack = Stack::deploy("hm");
    let file = connection(&stack, url, "contoso");
    stack.people("contoso.csv", &people(0..40, "Sales"));

    // j15: many may look and plan, some may accept, and what a role may do is decided by IAM alone.
    let (viewer, operator, approver) =
        (stack.person("ViewerPolicy"), stack.person("OperatorPolicy"), stack.person("ApproverPolicy"));
    let plan = ["plan", "--config", &file, "--stack", stack.name, "--json"];
    let denied = stack.hardmatch(&viewer, &plan);
    assert_eq!(denied.code, 1, "a viewer rings for a plan: {}{}", denied.out, denied.err);
    let planned = stack.hardmatch(&operator, &plan).json(0);
    assert_eq!(planned["counts"]["by_action"]["create"], 40, "{planned}");
    let hash = planned["plan"].as_str().unwrap().to_owned();
    let apply = ["apply", &hash, "--config", &file, "--stack", stack.name, "--json"];
    let denied = stack.hardmatch(&operator, &apply);
    assert_eq!(denied.code, 1, "an operator accepts a plan: {}{}", denied.out, denied.err);
    assert!(denied.err.contains("approver"), "{}", denied.err);
    assert_eq!(live(world), 0);
    let applied = stack.hardmatch(&approver, &apply).json(0);
    assert_eq!(applied["status"], "converged", "{applied}");
    assert_eq!(live(world), 40);
    let listed =
        stack.hardmatch(&viewer, &["runs", "list", "--config", &file, "--stack", stack.name, "--json"]).json(0);
    assert_eq!(listed["runs"][0]["run"], planned["run"], "{listed}");

    // A link to the pages, made by an operator who writes into no table.
    let connect = ["auth", "connect", "--config", &file, "--stack", stack.name, "--no-wait", "--json"];
    let link = stack.hardmatch(&operator, &connect).json(3);
    let page = stack.page(link["url"].as_str().unwrap());
    assert!(page.contains("contoso") && page.contains("User.ReadWrite.All"), "{page}");

    // Again: nothing is written.
    let writes = world.counters().writes;
    let again = stack.json(&["sync", "--config", &file], 0);
    assert_eq!(again["status"], "converged", "{again}");
    assert_eq!(world.counters().writes, writes, "an unchanged directory is not written again");

    // By schedule: told twice it is one run, and what is no bell takes nobody along.
    stack.people("contoso.csv", &people(0..40, "Marketing"));
    stack.send("WriteQueue", "poison");
    let nightly = r#"{"v":1,"kind":"nightly","slot":"2031-01-15T02:00:00Z"}"#;
    stack.send("MatchQueue", nightly);
    stack.send("MatchQueue", nightly);
    // Deployed anew with the run under way.
    stack.update(&["NightlyTimeZone=Europe/Berlin"]);
    let moved = || {
        let there = |user: &&Value| user["department"] == "Marketing";
        world.users().iter().filter(there).count()
    };
    stack.until("the nightly run", || moved() == 40);
    let runs = || stack.json(&["runs", "list", "--config", &file], 0)["runs"].clone();
    stack.until("the end of the nightly run", || runs()[0]["status"] == "converged");
    assert_eq!(runs().as_array().unwrap().len(), 3, "told twice is one run: {}", runs());
    assert!(stack.depth("WriteQueue") + stack.depth("WriteDeadLetters") >= 1, "the poison is kept");
    for function in ["match", "ingest-source", "ingest-tenant", "write"] {
        let logs = stack.logs(function);
        assert!(logs.contains(r#"\"Connection\":\"contoso\""#), "{function} says whose work it is: {logs}");
        assert!(!logs.contains("Surname7"), "{function} logs a person");
    }
    assert!(stack.logs("match").contains("RunsEnded"), "CloudWatch is told");
}
