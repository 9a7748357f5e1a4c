//! What waits for an approver's word, what is undone, and a connection that is removed: through the stack's queues, by roles
//! that may and may not. And one person's change, followed through the logs of the functions by hash.

use serde_json::{Value, json};

use crate::Fixture;
use crate::company::{Company, Tenant};
use crate::stack::{Keys, Stack};

const NAME: &str = "proseware";
const APPROVE: &str = "[actions]\nupdate = \"approve\"\n[guard]\nalways_allow = 50\nmax_removals_percent = 100\n";

pub(crate) fn story(fixture: &mut Fixture) {
    let tenant = Tenant::start(fixture);
    let company = Company::with(fixture, NAME, &tenant, APPROVE);
    let stack = &fixture.stack;
    company.people(stack, 0..6, "Sales");
    let first = company.says(stack, &["sync", "--yes"], 0);
    assert_eq!((&first["status"], tenant.count("Sales")), (&json!("converged"), 6), "{first}");
    let [operator, approver] = ["OperatorPolicy", "ApproverPolicy"].map(|name| stack.person(name));
    let say =
        |keys: &Keys, words: &[&str]| stack.hardmatch(keys, &[words, &["--config", &company.file, "--json"]].concat());

    // Everybody moves. The plan's facts are kept, and make the same plan again with nobody asked.
    company.people(stack, 0..6, "Legal");
    let recorded = say(&operator, &["plan", "--rows", "--record", "facts.db"]);
    let replayed = stack.here(&["plan", "--from", "facts.db", "--rows", "--json"]).json(recorded.code);
    let recorded = recorded.json(recorded.code);
    // What a plan says of people, and nothing of the run that it was made in.
    let told = |plan: &Value| ["plan", "counts", "people", "rows"].map(|name| plan[name].to_string());
    assert_eq!(told(&replayed), told(&recorded));
    assert_eq!(recorded["rows"].as_array().map(Vec::len), Some(6), "{recorded}");

    // Nothing is written before somebody says so.
    let held = say(&operator, &["sync"]).json(3);
    assert_eq!(tenant.count("Legal"), 0, "{held}");
    let list = say(&operator, &["approvals", "list"]).json(3);
    assert_eq!(list["pending"], 6, "{list}");
    let one = list["approvals"][0]["change"].as_str().unwrap()[..12].to_owned();
    let denied = say(&operator, &["approvals", "approve", &one]);
    assert_eq!(denied.code, 1, "an operator approves: {}{}", denied.out, denied.err);
    assert!(denied.err.contains("approver"), "{}", denied.err);
    say(&approver, &["approvals", "approve", &one, "--comment", "seen with HR"]).json(0);
    say(&operator, &["sync"]).json(3);
    assert_eq!(tenant.count("Legal"), 1, "the one that was approved");

    // What that run holds is applied by its hash: an approver's word for everything in it.
    let newest = company.newest(stack);
    let hash = newest["plan"].as_str().unwrap_or_else(|| panic!("{newest}")).to_owned();
    let denied = say(&operator, &["apply", &hash]);
    assert_eq!((denied.code, tenant.count("Legal")), (1, 1), "an operator applies: {}{}", denied.out, denied.err);
    let applied = say(&approver, &["apply", &hash]).json(0);
    assert_eq!((&applied["status"], tenant.count("Legal")), (&json!("converged"), 6), "{applied}");
    follow(stack, &company, &applied);

    // Undone again: a plan of its own, applied by its hash.
    let run = applied["run"].as_str().unwrap();
    let undoing = say(&operator, &["runs", "undo", run]);
    let plan: Value = serde_json::from_str(&undoing.out).unwrap_or_else(|_| panic!("{}{}", undoing.out, undoing.err));
    assert_eq!(plan["counts"]["by_action"]["update"], 5, "{plan}");
    let undone = say(&approver, &["apply", plan["plan"].as_str().unwrap()]).json(0);
    assert_eq!((tenant.count("Sales"), tenant.count("Legal")), (5, 1), "{undone}");
    tenant.nobody_twice();
    remove(stack, &company, &tenant, &operator, &approver);
}

/// One person's change is found in the logs of all functions that had to do with it, under the hash that `explain` says.
fn follow(stack: &Stack, company: &Company, applied: &Value) {
    let explained = company.says(stack, &["explain", "person3@contoso.com", "--history"], 0);
    let hash = explained["person_hash"].as_str().unwrap_or_else(|| panic!("{explained}"));
    let of = |function: &str| -> Vec<Value> {
        let lines = stack.logs(function).into_iter().filter_map(|line| serde_json::from_str::<Value>(&line).ok());
        lines.filter(|line| line["person.hash"] == hash).collect()
    };
    let [read, decided, written] = ["ingest-source", "match", "write"].map(of);
    assert!(read.len() >= 2, "entered, and moved: {read:?}");
    assert!(decided.iter().any(|line| line["change.action"] == "update"), "{decided:?}");
    // Another connection may have somebody of the same key: the run tells them apart.
    let of_run = |line: &&Value| line["run.id"] == applied["run"] && line["change.action"] == "update";
    let ended = written.iter().filter(of_run).find(|line| line["change.result"] == "done");
    let ended = ended.unwrap_or_else(|| panic!("{written:?}"));
    assert_eq!(ended["connection.id"], NAME, "{ended}");
    assert!(decided.iter().any(|line| line["change.id"] == ended["change.id"]), "{decided:?}");
}

/// The connection is removed, and nothing of it is left in tables or bucket.
fn remove(stack: &Stack, company: &Company, tenant: &Tenant, operator: &Keys, approver: &Keys) {
    let say =
        |keys: &Keys, words: &[&str]| stack.hardmatch(keys, &[words, &["--config", &company.file, "--json"]].concat());
    let words = ["connection", "remove", "--yes"];
    let early = say(approver, &words);
    assert!(early.code != 0 && early.err.contains("auth disconnect"), "{}{}", early.out, early.err);
    say(operator, &["auth", "disconnect"]).json(0);
    let denied = say(operator, &words);
    assert!(denied.code != 0 && denied.err.contains("approver"), "{}{}", denied.out, denied.err);
    let runs = |stack: &Stack| stack.files().into_iter().filter(|name| name.starts_with("runs/")).count();
    let before = runs(stack);
    let removed = say(approver, &words).json(0);
    assert!(removed["items"].as_u64().unwrap() > 20, "{removed}");
    // The replies to what was asked lie there for a day, and links for an hour: neither leads to a person.
    let ended = |key: &String| key.contains("/ REPLY#") || key.starts_with("CONNECT#") || key.starts_with("MESSAGE#");
    let of_us = |key: &String| key.contains(&format!("#{NAME}")) || key.ends_with(NAME);
    let left: Vec<String> = stack.keys("WorkTable").into_iter().filter(|key| of_us(key) && !ended(key)).collect();
    assert_eq!(left, Vec::<String>::new());
    assert!(!stack.keys("TokenTable").iter().any(of_us), "tokens are left");
    assert!(runs(stack) < before, "reports are left");
    assert!(!stack.files().iter().any(|name| name.contains(NAME)), "{:?}", stack.files());
    assert_eq!(tenant.world().users().iter().filter(|user| user["department"] != Value::Null).count(), 6);
}
