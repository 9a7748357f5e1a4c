//! `serve`, looked at by two programs of others that check SCIM servers. They are installed as the stand-in for AWS is.

use std::process::Command;

use hardmatch_aws::stand_in::venv;
use serde_json::Value;

use crate::fixture::text;
use crate::pushed::{Serving, scim, token};

const PACKAGES: [&str; 3] = ["scim2-cli==0.6.0", "scim2-tester==0.5.2", "scim-sanity==0.7.4"];

/// Runs a program of the virtual environment; its status, and what it printed.
fn run(program: &str, arguments: &[&str], token: &str) -> (Option<i32>, String) {
    let tools = venv(&PACKAGES).unwrap();
    let done = Command::new(tools.join("bin").join(program))
        .args(arguments)
        .env("SCIM_CLI_HEADERS", format!("Authorization: Bearer {token}"))
        .output()
        .unwrap();
    let said = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (done.status.code(), said)
}

#[test]
fn scim2_cli_finds_nothing_to_complain_of() {
    let fixture = scim();
    let serving = Serving::start(&fixture);
    let (code, said) = run("scim2", &["--url", serving.address("scim"), "test"], &token(&fixture));
    let complaints: Vec<&str> = said.split("\nERROR").skip(1).map(|one| one.get(..600).unwrap_or(one)).collect();
    assert_eq!(code, Some(0), "{complaints:#?}");
    assert!(said.matches("SUCCESS").count() > 150, "{said}");
}

/// Of its checks one fails, and is meant to: it adds a member whom nobody has made to a group. An administrator of an
/// identity provider is told that the user is to be made first; a member that is taken and never appears is told by nobody.
#[test]
fn scim_sanity_complains_of_members_who_are_not_there_alone() {
    let fixture = scim();
    let serving = Serving::start(&fixture);
    let token = token(&fixture);
    let arguments = ["probe", serving.address("scim"), "--token", &token, "--i-accept-side-effects", "--json-output"];
    let (_, said) = run("scim-sanity", &arguments, &token);
    let json = said.find('{').map(|at| &said[at..]).unwrap_or_default();
    let told: Value = serde_json::Deserializer::from_str(json)
        .into_iter()
        .next()
        .unwrap_or_else(|| panic!("{said}"))
        .unwrap_or_else(|error| panic!("{error}: {said}"));
    let results = told["results"].as_array().unwrap_or_else(|| panic!("{told}"));
    let failed: Vec<&str> =
        results.iter().filter(|one| one["status"] == "fail").map(|one| text(&one["name"])).collect();
    assert_eq!(failed, ["PATCH /Groups/{id} add member"], "{told:#}");
    assert!(results.iter().filter(|one| one["status"] == "pass").count() >= 27, "{told:#}");
}
