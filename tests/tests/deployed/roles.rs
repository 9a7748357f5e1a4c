//! By command, by roles that may and may not: what a role may do is decided by IAM alone.

use serde_json::{Value, json};

use crate::Fixture;
use crate::company::{Company, Tenant};
use crate::stack::Keys;

pub(crate) fn story(fixture: &mut Fixture) {
    let tenant = Tenant::start(fixture);
    let company = Company::new(fixture, "contoso", &tenant);
    let stack = &fixture.stack;
    company.people(stack, 0..20, "Sales");

    // j15: many may look and plan, some may accept.
    let [viewer, operator, approver] =
        ["ViewerPolicy", "OperatorPolicy", "ApproverPolicy"].map(|name| stack.person(name));
    let plan = ["plan", "--config", &company.file, "--json"];
    let denied = stack.hardmatch(&viewer, &plan);
    assert_eq!(denied.code, 1, "a viewer asks for a plan: {}{}", denied.out, denied.err);
    // Whose tenant it is, an approver says.
    let push = ["config", "push", "--config", &company.file, "--json"];
    let denied = stack.hardmatch(&operator, &push);
    assert_eq!(denied.code, 1, "an operator sets a tenant: {}{}", denied.out, denied.err);
    assert!(denied.err.contains("takes an approver, because it is the connection's first"), "{}", denied.err);
    stack.hardmatch(&approver, &push).json(0);
    let planned = stack.hardmatch(&operator, &plan).json(0);
    assert_eq!(planned["counts"]["by_action"]["create"], 20, "{planned}");
    let hash = planned["plan"].as_str().unwrap().to_owned();
    let apply = ["apply", &hash, "--config", &company.file, "--json"];
    let denied = stack.hardmatch(&operator, &apply);
    assert_eq!(denied.code, 1, "an operator accepts a plan: {}{}", denied.out, denied.err);
    assert!(denied.err.contains("approver"), "{}", denied.err);
    assert_eq!(tenant.count("Sales"), 0);
    let applied = stack.hardmatch(&approver, &apply).json(0);
    assert_eq!(applied["status"], "converged", "{applied}");
    assert_eq!(tenant.count("Sales"), 20);
    // What it cost is told by the functions, by the report, and is what the tenant has seen.
    let told = stack.told(planned["run"].as_str().unwrap());
    let sum = |metric: &str| told.iter().filter_map(|line| line[metric].as_u64()).sum::<u64>();
    assert_eq!((sum("GraphWrites"), &applied["writes"]), (20, &json!(20)), "{applied}");
    assert_eq!(tenant.world().counters().writes, 20);
    assert_eq!(json!(sum("GraphRequests")), applied["requests"], "{applied}");
    let listed = stack.hardmatch(&viewer, &["runs", "list", "--config", &company.file, "--json"]).json(0);
    assert_eq!(listed["runs"][0]["run"], planned["run"], "{listed}");
    // What was sent at the beginning may be a dead letter by now, or not. A viewer may count dead letters and looks into none;
    // an operator looks into them.
    let letters = |keys: &Keys| -> Value {
        let ran = stack.hardmatch(keys, &["connection", "dead-letters", "--json"]);
        assert!(matches!(ran.code, 0 | 3), "{}{}", ran.out, ran.err);
        serde_json::from_str(&ran.out).unwrap()
    };
    let unseen = letters(&viewer);
    assert!(unseen["count"].is_u64() && unseen["queues"] == json!([]), "{unseen}");
    assert!(unseen["unseen"].as_str().unwrap().contains("AccessDenied"), "{unseen}");
    let seen = letters(&operator);
    assert!(seen["unseen"].is_null(), "{seen}");

    // How the stack reaches the tenant is looked at by the function that has the tokens, and told to who asked for it.
    let status = stack.hardmatch(&operator, &["auth", "status", "--config", &company.file, "--json"]).json(0);
    assert_eq!((&status["method"], &status["permissions"]["missing"]), (&json!("federated"), &json!([])), "{status}");
    let checked = stack.hardmatch(&operator, &["doctor", "--config", &company.file, "--json"]).json(0);
    let check = |area: &str| {
        let checks = checked["checks"].as_array().unwrap();
        checks.iter().find(|check| check["area"] == area).map(|check| check["state"].clone())
    };
    for area in ["source", "clock", "credentials", "permissions", "tenant"] {
        assert_eq!(check(area), Some(json!("ok")), "{area}: {checked}");
    }

    // A link to the pages, made by an operator who writes into no table.
    let connect = ["auth", "connect", "--config", &company.file, "--no-wait", "--json"];
    let link = stack.hardmatch(&operator, &connect).json(3);
    let page = stack.page(link["url"].as_str().unwrap());
    assert!(page.contains("contoso") && page.contains("User.ReadWrite.All"), "{page}");

    tenant.nobody_twice();
    company.nothing_to_do(stack, &tenant);
}
