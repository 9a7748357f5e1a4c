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

/// A tenant that trusts the stack's roles. The stand-in signs with a key that it tells nobody, so signatures are not
/// checked here; issuer, subject and audience are.
async fn tenant(stack: &Stack) -> Running {
    let mut seed = Seed::contoso();
    TENANT.clone_into(&mut seed.tenant.id);
    let mut own = Domain::new("contoso.com", DomainType::Managed);
    own.default = true;
    seed.domains = vec![own, Domain::new("lab.onmicrosoft.com", DomainType::Managed)];
    let trusted = ["TenantRole", "WriteRole", "ConnectRole"].map(|role| FederatedCredential {
        name: role.to_owned(),
        issuer: "https://sts.amazonaws.com".to_owned(),
        subject: stack.output(role).to_owned(),
        audiences: vec!["api://AzureADTokenExchange".to_owned()],
        jwks: None,
        signature: Signature::Unverified,
        created: None,
    });
    seed.apps = vec![App {
        client_id: CLIENT.to_owned(),
        roles: ROLES.iter().map(|role| (*role).to_owned()).collect(),
        federated_identity_credentials: trusted.to_vec(),
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

/// By command and by schedule; again without a write; with messages doubled, out of order, lost and poisoned; with two
/// connections on one tenant; with the stack deployed anew meanwhile. One story: what is deployed once is used by all.
#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_template_runs_a_nightly_sync() {
    let mut stack = tokio::task::spawn_blocking(|| Stack::deploy("hm")).await.unwrap();
    let running = tenant(&stack).await;
    let world = running.world();
    let file = connection(&stack, running.url(), "contoso");
    stack.people("contoso.csv", &people(0..40, "Sales"));

    // By command: the first run stops at its plan, and only an approver goes past it.
    let planned = stack.json(&["plan", "--config", &file], 0);
    let hash = planned["plan"].as_str().unwrap().to_owned();
    assert_eq!(planned["counts"]["by_action"]["create"], 40, "{planned}");
    let applied = stack.json(&["apply", &hash, "--config", &file], 0);
    assert_eq!(applied["status"], "converged", "{applied}");
    assert_eq!(live(&world), 40);

    // Again: nothing.
    let writes = world.counters().writes;
    let again = stack.json(&["sync", "--config", &file], 0);
    assert_eq!(again["status"], "converged", "{again}");
    assert_eq!(world.counters().writes, writes, "an unchanged directory is not written again");
    stack.update(&[]);
    let _: Value = again;
}
