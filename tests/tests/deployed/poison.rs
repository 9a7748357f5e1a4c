//! What can never be answered or written is put aside, with its reason, and takes nobody along.

use hardmatch_tests::connection::people;
use hardmatch_tests::immutable_id;
use hardmatch_tests::lab::{tenant, trusting_the_stand_in};
use serde_json::{Value, json};

use crate::Lab;
use crate::company::{Company, Tenant};

/// No program understands it.
const NO_BELL: &str = "poison";
/// A bell, about a connection that there is not.
const NOBODYS: &str = r#"{"v":1,"connection":"nobody","run":"01KCZZZZZZZZZZZZZZZZZZZZZZ","kind":"write"}"#;
/// For a version that is not deployed yet.
const NEWER: &str = r#"{"v":99,"kind":"something-new"}"#;

/// At the beginning: a message is given up after five attempts, which takes its time.
pub(crate) fn sent(lab: &mut Lab) {
    lab.stack.send("WriteQueue", NO_BELL);
    lab.stack.send("WriteQueue", NOBODYS);
    lab.stack.send("MatchQueue", NEWER);
}

/// Much later: everything that was done meanwhile was done beside it.
pub(crate) fn story(lab: &mut Lab) {
    // Somebody who left, and whom the tenant lets no application block: refused whenever that is written.
    let seed = tenant(trusting_the_stand_in()).user(json!({
        "userPrincipalName": "person3@contoso.com",
        "mail": "person3@contoso.com",
        "onPremisesImmutableId": immutable_id("00000003-1a2b-4c3d-8e4f-0123456789ab"),
        "restricted": true,
    }));
    let tenant = Tenant::of(lab, seed);
    let company = Company::new(lab, "poisoned", &tenant);
    let stack = &lab.stack;
    let standing = |line: &str| if line.starts_with("00000003") { "514" } else { "512" };
    let people: Vec<String> = people(0..20, "Sales")
        .lines()
        .enumerate()
        .map(|(n, line)| format!("{line},{}", if n == 0 { "userAccountControl" } else { standing(line) }))
        .collect();
    stack.people("poisoned.csv", &people.join("\n"));
    let planned = company.says(stack, &["plan"], 0);
    let run = company.says(stack, &["apply", planned["plan"].as_str().unwrap()], 3);
    assert_eq!(run["status"], "attention", "{run}");
    assert!(tenant.count("Sales") >= 19, "everybody else");
    assert_eq!(tenant.world().user("person3@contoso.com").unwrap()["accountEnabled"], true);
    let reasons: Vec<&String> = run["refusals"].as_object().unwrap().keys().collect();
    assert_eq!(reasons.len(), 1, "{run}");
    let why = company.says(stack, &["explain", "person3@contoso.com", "--history"], 0);
    assert!(why.to_string().contains(reasons[0]), "{why}");
    let told = stack.told(run["run"].as_str().unwrap());
    let ended = told.iter().find(|line| line["RunsEnded"] == 1).unwrap();
    assert_eq!(ended["RefusalsByReason"], run["refusals"], "{ended}");
    assert_eq!((&ended["People"], &ended["Refusals"]), (&json!(20), &json!(1)), "{ended}");
    let again = company.says(stack, &["sync"], 3);
    assert_eq!(again["status"], "attention", "they are told of again: {again}");
    tenant.nobody_twice();

    // What was sent in the beginning.
    let shown = stack.json(&["connection", "dead-letters"], 3);
    let queues = shown["queues"].as_array().unwrap();
    assert_eq!(queues.len(), 1, "{shown}");
    assert_eq!((&queues[0]["queue"], &queues[0]["count"]), (&json!("write"), &json!(2)), "{shown}");
    let letters = queues[0]["letters"].as_array().unwrap();
    let of = |what: &str| -> &Value { letters.iter().find(|letter| letter["what"] == what).unwrap() };
    assert!(of("no bell")["why"].as_str().unwrap().contains("no bell"), "{shown}");
    assert_eq!(of("write")["connection"], "nobody", "{shown}");
    assert!(of("write")["why"].as_str().unwrap().contains("connection"), "{shown}");
    assert!(letters.iter().all(|letter| letter["since"].is_string()), "{shown}");
    assert!(!shown.to_string().contains(NO_BELL), "what strangers send is not repeated: {shown}");
    assert_eq!(stack.holds("MatchQueue")[2], 1, "a message of a newer version waits for that");
}
