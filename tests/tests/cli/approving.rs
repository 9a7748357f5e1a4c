//! Approvals and undoing by the command line, as an operator does them.

use serde_json::Value;

use crate::fixture::{Fixture, Said, csv, rows, tenant};

/// Four people with accounts of ours, under a policy that wants an approval for new sign-in names; two have one.
fn two_wait() -> Fixture {
    let mut people = rows(4);
    let fixture = Fixture::with_people(tenant(), &people);
    fixture.configure("[state]", "[actions]\nrename = \"approve\"\n[state]");
    fixture.plan_and_apply();
    "new1@contoso.com".clone_into(&mut people[1].upn);
    "new2@contoso.com".clone_into(&mut people[2].upn);
    fixture.write("source.csv", csv(&people));
    fixture.sync().ends(3);
    fixture
}

/// A command about the laboratory's connection.
fn run(fixture: &Fixture, words: &[&str]) -> Said {
    let mut all = words.to_vec();
    all.extend(["--config", "lab.toml"]);
    fixture.run(&all)
}

fn list(fixture: &Fixture) -> Value {
    run(fixture, &["approvals", "list", "--json"]).json()
}

/// The name of the change that waits for a sign-in name.
fn name(list: &Value, upn: &str) -> String {
    let all = list["approvals"].as_array().unwrap();
    let found = all.iter().find(|one| one["upn"] == upn).unwrap_or_else(|| panic!("{list:#}"));
    found["change"].as_str().unwrap()[..12].to_owned()
}

#[test]
fn o18_one_change_is_approved_another_rejected_and_the_next_run_goes_by_it() {
    let fixture = two_wait();
    let waiting = list(&fixture);
    assert_eq!((waiting["pending"].as_u64(), waiting["approvals"][0]["action"].as_str()), (Some(2), Some("rename")));
    let (first, second) = (name(&waiting, "new1@contoso.com"), name(&waiting, "new2@contoso.com"));
    let shown = run(&fixture, &["approvals", "list"]).ends(3);
    assert!(shown.out.contains("userPrincipalName: person1@contoso.com → new1@contoso.com"), "{shown}");
    assert!(shown.out.contains(&format!("hardmatch approvals approve {first}")), "{shown}");
    run(&fixture, &["approvals", "approve", &first, "--comment", "seen with HR", "--json"]).ends(0);
    run(&fixture, &["approvals", "reject", "--person", "new2@contoso.com", "--comment", "stays until May"]).ends(0);
    fixture.sync();
    assert_eq!(fixture.user("new1@contoso.com")["displayName"], "Given1 Surname1");
    assert_eq!(fixture.user("person2@contoso.com")["displayName"], "Given2 Surname2");
    let why = run(&fixture, &["explain", "new2@contoso.com"]).ends(0);
    assert!(why.out.contains("rejected:") && why.out.contains("stays until May"), "{why}");
    let all = run(&fixture, &["approvals", "list", "--all", "--json"]).ends(0).json();
    assert_eq!((all["pending"].as_u64(), all["approvals"].as_array().unwrap().len()), (Some(0), 2));
    assert!(!second.is_empty());
}

#[test]
fn approvals_that_mean_nothing_are_refused_with_the_remedy() {
    let fixture = two_wait();
    run(&fixture, &["approvals", "approve"]).ends(2).says(&["hardmatch approvals list"]);
    run(&fixture, &["approvals", "approve", "00000000"]).ends(2).says(&["no change that waits is called 00000000"]);
    run(&fixture, &["approvals", "approve", "--action", "delete"]).ends(2).says(&["nothing of that kind waits"]);
    run(&fixture, &["approvals", "reject", "--action", "fly"]).ends(2).says(&["fly is no action"]);
}

#[test]
fn a_change_is_undone_by_its_name_and_the_history_tells_both() {
    let mut people = rows(4);
    let fixture = Fixture::with_people(tenant(), &people);
    fixture.plan_and_apply();
    people[1].department = "Sales".to_owned();
    fixture.write("source.csv", csv(&people));
    fixture.sync().ends(0);
    assert_eq!(fixture.user("person1@contoso.com")["department"], "Sales");
    let history = run(&fixture, &["explain", "person1@contoso.com", "--history", "--json"]).ends(0).json();
    assert_eq!(history["history"][0]["written"]["steps"][0]["after"]["department"], "Sales", "{history:#}");
    assert_eq!(history["immutable_ids"][0]["seen"], "source");
    let change = history["history"][0]["change"].as_str().unwrap()[..12].to_owned();
    let plan = run(&fixture, &["runs", "undo", "--change", &change, "--json"]).json();
    assert_eq!(plan["counts"]["by_action"]["update"], 1, "{plan:#}");
    run(&fixture, &["apply", plan["plan"].as_str().unwrap(), "--json"]);
    assert_eq!(fixture.user("person1@contoso.com")["department"], "Department 1");
    fixture.sync().ends(0);
    assert_eq!(fixture.user("person1@contoso.com")["department"], "Department 1", "it is not written again");
    let told = run(&fixture, &["explain", "person1@contoso.com", "--history"]).ends(0);
    assert!(told.out.contains("department: Sales → Department 1") && told.out.contains("Immutable IDs"), "{told}");
    run(&fixture, &["runs", "undo"]).ends(2).says(&["name what is to be undone"]);
}
