//! The table is lost. Links are found again by immutable IDs, nothing is written before somebody has seen the plan, nobody is
//! provisioned a second time, and nothing of what is found is taken for our own doing.

use serde_json::json;

use crate::Fixture;
use crate::company::{Company, Tenant};

const PEOPLE: u32 = 25;

pub(crate) fn story(fixture: &mut Fixture) {
    let tenant = Tenant::start(fixture);
    let company = Company::new(fixture, "lost", &tenant);
    company.people(&fixture.stack, 0..PEOPLE, "Sales");
    let first = company.says(&fixture.stack, &["sync", "--yes"], 0);
    assert_eq!(first["status"], "converged", "{first}");
    // Ours is that one is blocked: they left.
    company.people(&fixture.stack, 1..PEOPLE, "Sales");
    let left = company.says(&fixture.stack, &["sync"], 0);
    assert_eq!(left["changes"]["suspend"], 1, "{left}");
    let blocked = || tenant.world().user("person0@contoso.com").unwrap()["accountEnabled"] == json!(false);
    assert!(blocked());

    let lost = fixture.stack.lose_table();
    assert!(lost > 100, "{lost} items");
    // A table that is made anew is given to functions that are started anew.
    fixture.stack.update(&["LogLevel=info", "LogRetentionDays=30"]);

    // The one who left is back, which undoes what is ours, if it were; and somebody moved.
    company.people(&fixture.stack, 0..PEOPLE, "Marketing");
    let writes = tenant.world().counters().writes;
    let stopped = company.says(&fixture.stack, &["sync"], 3);
    assert_eq!((&stopped["status"], &stopped["stop"]), (&json!("planned"), &json!("state_lost")), "{stopped}");
    assert_eq!(tenant.world().counters().writes, writes, "nothing before the plan is accepted");
    let planned = company.says(&fixture.stack, &["plan"], 3);
    assert_eq!(planned["attention"], 1, "one is blocked, and whose doing it was is not known any more: {planned}");
    assert_eq!(planned["stop"], "state_lost", "{planned}");
    let counts = &planned["counts"]["by_action"];
    assert_eq!(counts["create"], json!(null), "{planned}");
    assert_eq!(planned["counts"]["by_reason"]["hard_matched"], PEOPLE, "{planned}");
    let applied = company.says(&fixture.stack, &["apply", planned["plan"].as_str().unwrap()], 3);
    assert_eq!(applied["counts"]["by_reason"]["blocked_elsewhere"], 1, "somebody looks at that: {applied}");
    assert_eq!(tenant.count("Marketing"), PEOPLE as usize);
    assert_eq!(tenant.world().live_users(), PEOPLE as usize, "nobody twice");
    assert!(blocked(), "who blocked them is not known any more: not ours to undo");
    tenant.nobody_twice();
    let again = company.says(&fixture.stack, &["sync"], 3);
    assert_eq!(again["writes"], 0, "{again}");
}
