//! What the policy file switches, as the tenant sees it.

use serde_json::json;

use crate::fixture::{Fixture, Row, csv, rows, tenant, text};

/// Twenty people with accounts, under this addition to the file.
fn settled(addition: &str) -> (Fixture, Vec<Row>) {
    let people = rows(20);
    let fixture = Fixture::with_people(tenant(), &people);
    fixture.write("lab.toml", fixture.config().replace("reenable = \"always\"\n", addition));
    fixture.plan_and_apply();
    fixture.world().take_counters();
    fixture.world().take_requests();
    (fixture, people)
}

/// Routes of the writes so far, with what they were sent.
fn writes(fixture: &Fixture) -> Vec<(String, serde_json::Value)> {
    let requests = fixture.world().take_requests();
    let writes = requests.into_iter().filter(|request| request.method != "GET");
    let writes = writes.filter(|request| request.route != "/$batch" && request.route != "/token");
    writes.map(|request| (format!("{} {}", request.method, request.route), request.body.unwrap_or_default())).collect()
}

#[test]
fn j18_a_leaver_is_blocked_once_and_signed_out() {
    let (fixture, mut people) = settled("revoke_sessions = true\n");
    people.truncate(19);
    fixture.write("source.csv", csv(&people));
    fixture.sync().ends(0);
    let block = ("PATCH /users/{id}".to_owned(), json!({ "accountEnabled": false }));
    let written = writes(&fixture);
    assert_eq!(written[0], block);
    assert_eq!(written[1].0, "POST /users/{id}/revokeSignInSessions");
    assert_eq!(written.len(), 2, "{written:?}");
    assert_eq!(fixture.user("person19@contoso.com")["accountEnabled"], false);
}

#[test]
fn o19_delete_suspend_or_nothing() {
    for (policy, deleted, enabled) in [("ignore", false, true), ("suspend", false, false), ("delete", true, true)] {
        let addition = format!("absent = \"{policy}\"\n[actions]\ndelete = \"on\"\n");
        let (fixture, mut people) = settled(&addition);
        people.truncate(19);
        fixture.write("source.csv", csv(&people));
        fixture.sync().ends(0);
        let gone = fixture.user("person19@contoso.com");
        assert_eq!(gone["deleted"] == true, deleted, "{policy}: {gone}");
        assert_eq!(gone["accountEnabled"] == true, enabled, "{policy}: {gone}");
    }
}

#[test]
fn o17_a_deletion_waits_for_approval_and_an_update_does_not() {
    let (fixture, mut people) = settled("absent = \"delete\"\n");
    people.truncate(19);
    people[3].department = "Research".to_owned();
    fixture.write("source.csv", csv(&people));
    let document = fixture.sync().ends(3).json();
    assert_eq!(document["counts"]["by_reason"]["awaiting_approval"], 1, "{document}");
    assert_eq!(fixture.user("person3@contoso.com")["department"], "Research");
    assert_ne!(fixture.user("person19@contoso.com")["deleted"], true);
    // The plan that shows it approves it.
    let applied = fixture.plan_and_apply();
    assert_eq!(applied["status"], "converged", "{applied}");
    assert_eq!(fixture.user("person19@contoso.com")["deleted"], true);
}

#[test]
fn j19_who_was_blocked_by_an_administrator_stays_blocked() {
    let (fixture, mut people) = settled("reenable = \"ours\"\n");
    fixture.world().set_user("person5@contoso.com", json!({ "accountEnabled": false })).unwrap();
    people[6].control = 514;
    fixture.write("source.csv", csv(&people));
    fixture.sync();
    assert_eq!(fixture.user("person6@contoso.com")["accountEnabled"], false);
    people[6].control = 512;
    fixture.write("source.csv", csv(&people));
    fixture.sync();
    assert_eq!(fixture.user("person6@contoso.com")["accountEnabled"], true, "what we blocked we allow again");
    assert_eq!(fixture.user("person5@contoso.com")["accountEnabled"], false, "what they blocked stays blocked");
}

#[test]
fn c4_who_leaves_the_scope_is_said_to_have_left_it() {
    let (fixture, mut people) = settled("[scope]\ninclude = \"person.department != 'Elsewhere'\"\n");
    people[2].department = "Elsewhere".to_owned();
    fixture.write("source.csv", csv(&people));
    let plan = fixture.run(&["plan", "--config", "lab.toml", "--json", "--rows"]).ends(0).json();
    let rows = plan["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["upn"] == "person2@contoso.com").unwrap();
    assert_eq!(row["reasons"][0]["code"], "left_scope", "{row}");
    assert_eq!(row["action"], "suspend", "{row}");
}

#[test]
fn k13_k17_what_is_switched_off_is_reported_and_done_once_it_is_on() {
    let (fixture, mut people) = settled("[actions]\nupdate = \"off\"\n");
    for row in &mut people[..4] {
        row.department = "Research".to_owned();
    }
    fixture.write("source.csv", csv(&people));
    let document = fixture.sync().json();
    assert_eq!(document["counts"]["by_reason"]["action_off"], 4, "{document}");
    assert_eq!(fixture.world().counters().writes, 0);
    fixture.write("lab.toml", fixture.config());
    let plan = fixture.plan();
    assert_eq!(plan["counts"]["by_action"]["update"], 4, "{plan}");
    fixture.run(&["apply", text(&plan["plan"]), "--config", "lab.toml"]).ends(0);
    assert_eq!(fixture.world().counters().writes_applied, 4);
}

#[test]
fn o33_o39_a_changed_rule_makes_everybody_be_decided_again() {
    let (fixture, _) = settled("");
    let config = std::fs::read_to_string(fixture.path("lab.toml")).unwrap();
    fixture.write("lab.toml", config + "[attributes]\njobTitle = \"'Member of ' + person.department\"\n");
    let plan = fixture.plan();
    assert_eq!(plan["people"], 20, "{plan}");
    assert_eq!(plan["counts"]["by_action"]["update"], 20, "{plan}");
    let changes = plan["policy_changes"].as_array().unwrap();
    assert_eq!(changes[0], "attributes.jobTitle is new: \"'Member of ' + person.department\"", "{plan}");
    assert!(changes[1].as_str().unwrap().contains("of 20 people it leaves 0"), "{plan}");
    let said = fixture.run(&["plan", "--config", "lab.toml"]).ends(0);
    let told = said.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("The configuration changed since the last run. attributes.jobTitle is new"), "{said}");
    let applied = fixture.plan_and_apply();
    let page = std::fs::read_to_string(fixture.path(applied["report"].as_str().unwrap())).unwrap();
    assert!(page.contains("attributes.jobTitle is new"), "the report says it");
    let quiet = fixture.sync().ends(0).json();
    assert!(quiet["policy_changes"].as_array().unwrap().is_empty(), "told once: {quiet}");
}

#[test]
fn j20_j31_an_account_somebody_deleted_is_reported_and_not_made_again() {
    let (fixture, _) = settled("");
    fixture.world().delete_user("person7@contoso.com").unwrap();
    let document = fixture.sync().json();
    assert_eq!(fixture.world().counters().writes, 0, "{document}");
    assert_eq!(fixture.world().live_users(), 19);
    let reasons = &document["counts"]["by_reason"];
    assert!(reasons["account_deleted"] == 1 || reasons["account_unseen"] == 1, "{document}");
}

#[test]
fn j31_what_somebody_changed_in_the_tenant_is_seen_in_the_next_run() {
    let (fixture, _) = settled("");
    fixture.world().set_user("person8@contoso.com", json!({ "department": "by hand" })).unwrap();
    let document = fixture.sync().ends(0).json();
    assert_eq!(document["counts"]["by_reason"]["drift"], 1, "{document}");
    assert_eq!(fixture.user("person8@contoso.com")["department"], "Department 1");
}

#[test]
fn too_many_leavers_at_once_wait_and_the_rest_goes_on() {
    let (fixture, mut people) = settled("");
    people.truncate(10);
    people[1].department = "Research".to_owned();
    fixture.write("source.csv", csv(&people));
    let document = fixture.sync().ends(3).json();
    assert_eq!(document["guard"]["released"], false, "{document}");
    assert_eq!(document["guard"]["removals"], 10, "{document}");
    assert_eq!(fixture.world().counters().writes_applied, 1);
    // The same again with --yes is not an answer to the guard.
    fixture.sync().ends(3);
    assert_eq!(fixture.world().counters().writes_applied, 1);
    // The plan's hash is.
    let applied = fixture.plan_and_apply();
    assert_eq!(applied["status"], "converged", "{applied}");
    assert_eq!(fixture.world().users().iter().filter(|user| user["accountEnabled"] == false).count(), 10);
}

/// The command that a text shows, as words.
fn shown_command(text: &str) -> Vec<String> {
    let line = text.lines().find_map(|line| line.trim().strip_prefix("hardmatch apply "));
    let line = line.unwrap_or_else(|| panic!("no command is shown:\n{text}"));
    std::iter::once("apply").chain(line.split_whitespace()).map(str::to_owned).collect()
}

#[test]
fn o35_the_command_that_a_run_shows_for_what_it_holds_works_as_typed() {
    let (fixture, mut people) = settled("");
    people.truncate(10);
    people[1].department = "Research".to_owned();
    fixture.write("source.csv", csv(&people));
    let said = fixture.run(&["sync", "--config", "lab.toml"]).ends(3);
    assert!(said.out.contains("10 people wait for an approval."), "{said}");
    let command = shown_command(&said.out);
    assert_eq!(&command[2..], ["--config", "lab.toml"], "{said}");
    let explained = fixture.run(&["explain", "person15@contoso.com", "--config", "lab.toml"]).ends(0);
    assert_eq!(shown_command(&explained.out), command, "{explained}");
    let report = text(&fixture.run(&["runs", "show", "--config", "lab.toml", "--json"]).json()["report"]).to_owned();
    let report = std::fs::read_to_string(fixture.path(&report)).unwrap();
    assert!(report.contains(&format!("<code class=\"cmd\">hardmatch apply {}", command[1])), "the report names it");
    assert_eq!(fixture.world().counters().writes_applied, 1);
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    fixture.run(&words).ends(0);
    assert_eq!(fixture.world().users().iter().filter(|user| user["accountEnabled"] == false).count(), 10);
    // Typed again it does nothing more.
    fixture.world().take_counters();
    fixture.run(&words).ends(0);
    assert_eq!(fixture.world().counters().writes, 0);
}

#[test]
fn o35_what_a_run_did_not_show_is_not_applied_by_its_hash() {
    let (fixture, mut people) = settled("");
    people.truncate(10);
    fixture.write("source.csv", csv(&people));
    let said = fixture.run(&["sync", "--config", "lab.toml"]).ends(3);
    let command = shown_command(&said.out);
    people[4].department = "Research".to_owned();
    fixture.write("source.csv", csv(&people));
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let said = fixture.run(&words).ends(2).says(&["1 change is planned now that run", "did not show"]);
    assert_eq!(fixture.world().counters().writes, 0, "{said}");
    // The plan of now does both.
    let now = said.err.rsplit("hardmatch apply ").next().unwrap().trim().to_owned();
    fixture.run(&["apply", &now, "--config", "lab.toml"]).ends(0);
    assert_eq!(fixture.user("person4@contoso.com")["department"], "Research");
    assert_eq!(fixture.user("person19@contoso.com")["accountEnabled"], false);
}

#[test]
fn c11_o23_one_person_is_synchronised_alone_and_alike() {
    let (fixture, mut people) = settled("");
    for row in &mut people[3..6] {
        row.department = "Research".to_owned();
    }
    fixture.write("source.csv", csv(&people));
    let one = ["sync", "person4@contoso.com", "--config", "lab.toml", "--yes", "--json"];
    let document = fixture.run(&one).ends(0).json();
    assert_eq!(document["people"], 1, "{document}");
    assert_eq!(document["counts"]["by_action"], json!({ "update": 1 }), "{document}");
    assert_eq!(fixture.user("person4@contoso.com")["department"], "Research");
    assert_eq!(fixture.user("person3@contoso.com")["department"], "Department 3");
    fixture.sync().ends(0);
    assert_eq!(fixture.user("person3@contoso.com")["department"], "Research");
    assert_eq!(fixture.user("person5@contoso.com")["department"], "Research");
}

#[test]
fn c11_o23_somebody_new_at_the_source_is_synchronised_alone() {
    let (fixture, mut people) = settled("");
    people.extend([Row::nth(20), Row::nth(21)]);
    fixture.write("source.csv", csv(&people));
    let one = |who| ["sync", who, "--config", "lab.toml", "--yes", "--json"];
    let document = fixture.run(&one("Person20@contoso.com")).ends(0).json();
    assert_eq!(document["counts"]["by_action"], json!({ "create": 1 }), "{document}");
    assert_eq!((fixture.upns().len(), fixture.world().user("person21@contoso.com")), (21, None));
    fixture.run(&one("nobody@contoso.com")).ends(2).says(&["nobody@contoso.com"]);
    fixture.run(&one("000021")).ends(0);
    assert_eq!(fixture.upns().len(), 22);
}

#[test]
fn d20_a_forced_look_at_everybody_writes_nothing_when_equal() {
    let (fixture, _) = settled("");
    let document = fixture.run(&["sync", "--config", "lab.toml", "--full", "--yes", "--json"]).ends(0).json();
    assert_eq!(document["people"], 20, "{document}");
    assert_eq!(fixture.world().counters().writes, 0, "{document}");
}

#[test]
fn j26_an_update_never_carries_a_password_and_o4_a_synced_account_is_never_written() {
    let (fixture, mut people) = settled("");
    fixture.world().set_user("person9@contoso.com", json!({ "onPremisesSyncEnabled": true })).unwrap();
    for row in &mut people {
        row.department.push_str(" North");
    }
    fixture.write("source.csv", csv(&people));
    let document = fixture.sync().ends(3).json();
    assert_eq!(document["counts"]["by_reason"]["mastered_elsewhere"], 1, "{document}");
    let written = writes(&fixture);
    assert_eq!(written.len(), 19);
    assert!(written.iter().all(|(_, body)| body.get("passwordProfile").is_none()));
    assert_eq!(fixture.user("person9@contoso.com")["department"], "Department 2");
}

#[test]
fn j7_two_tenants_never_mix() {
    let (one, people) = settled("");
    let (two, mut others) = settled("");
    others[0].department = "Only there".to_owned();
    two.write("source.csv", csv(&others));
    two.sync().ends(0);
    assert_eq!(one.world().counters().writes, 0);
    assert_eq!(one.user(&people[0].upn)["department"], "Department 0");
    // One file that suddenly names the other tenant is stopped.
    one.configure(crate::fixture::TENANT, "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee");
    one.sync().ends(2).says(&["a connection and a state file of its own"]);
}

#[test]
fn c2_somebody_in_an_unverified_domain_is_refused_and_the_others_go_on() {
    let mut people = rows(5);
    "person2@elsewhere.example".clone_into(&mut people[2].upn);
    let fixture = Fixture::with_people(tenant(), &people);
    let plan = fixture.run(&["plan", "--config", "lab.toml", "--json"]).ends(3).json();
    assert_eq!(plan["counts"]["by_reason"]["domain_not_verified"], 1, "{plan}");
    assert_eq!(plan["counts"]["by_action"]["create"], 4, "{plan}");
    fixture.sync().ends(3);
    assert_eq!(fixture.world().live_users(), 4);
    let requests = fixture.world().requests();
    let refused = requests.iter().filter(|request| request.status >= 400 && request.method != "GET");
    assert_eq!(refused.count(), 0, "nothing was sent that is refused");
}

#[test]
fn j22_who_comes_back_gets_the_same_account() {
    let (fixture, people) = settled("absent = \"delete\"\n[actions]\ndelete = \"on\"\n");
    let before = fixture.user("person19@contoso.com")["id"].clone();
    fixture.write("source.csv", csv(&people[..19]));
    fixture.sync().ends(0);
    assert_eq!(fixture.user("person19@contoso.com")["deleted"], true);
    fixture.write("source.csv", csv(&people));
    fixture.sync().ends(0);
    let back = fixture.user("person19@contoso.com");
    assert_ne!(back["deleted"], true);
    assert_eq!(back["id"], before);
    assert_eq!(fixture.world().counters().requests.get("POST /users"), None);
}

#[test]
fn o5_lists_org_data_and_password_policies_are_written_read_and_cleared() {
    let (fixture, _) = settled("");
    let config = std::fs::read_to_string(fixture.path("lab.toml")).unwrap();
    let mapped = "[attributes]\notherMails = \"'b.' + person.mail + '; a.' + person.mail\"\nemployeeOrgData = { division = \"person.department\", costCenter = \"person.employeeId\" }\npasswordPolicies = \"'DisablePasswordExpiration'\"\n";
    fixture.write("lab.toml", format!("{config}{mapped}"));
    fixture.plan_and_apply();
    let user = fixture.user("person8@contoso.com");
    assert_eq!(user["otherMails"], json!(["b.person8@contoso.com", "a.person8@contoso.com"]), "{user}");
    assert_eq!(user["employeeOrgData"], json!({ "division": "Department 1", "costCenter": "000008" }), "{user}");
    assert_eq!(user["passwordPolicies"], "DisablePasswordExpiration");
    assert_eq!(fixture.sync().ends(0).json()["writes"], 0, "written once");
    // One of the two members changes, and Graph would clear the other one beside it.
    let other = mapped.replace("person.employeeId", "'C-' + person.employeeId");
    fixture.write("lab.toml", format!("{config}{other}"));
    fixture.plan_and_apply();
    let data = &fixture.user("person8@contoso.com")["employeeOrgData"];
    assert_eq!(data, &json!({ "division": "Department 1", "costCenter": "C-000008" }));
    let cleared = mapped.replace("person.employeeId", "''").replace("'b.' + person.mail + '; a.' + person.mail", "''");
    fixture.write("lab.toml", format!("{config}{cleared}"));
    fixture.plan_and_apply();
    let user = fixture.user("person8@contoso.com");
    assert_eq!(user["employeeOrgData"]["division"], "Department 1", "{user}");
    assert!(user["employeeOrgData"]["costCenter"].is_null() && user["otherMails"] == json!([]), "{user}");
}

#[test]
fn k23_explain_shows_every_property_of_the_account_and_where_it_comes_from() {
    let (fixture, _) = settled("");
    let said = fixture.run(&["explain", "person8@contoso.com", "--account", "--config", "lab.toml"]).ends(0);
    for line in [
        "department: Department 1  [the source's department]",
        "faxNumber: (none)  [the tenant: not mapped]",
        "accountEnabled: true  [[lifecycle]]",
        "userType: Member  [the tenant]",
    ] {
        assert!(said.out.contains(line), "{line}: {said}");
    }
    let document =
        fixture.run(&["explain", "person8@contoso.com", "--account", "--config", "lab.toml", "--json"]).json();
    assert_eq!(document["account"]["displayName"]["from"], "the source's displayName", "{document}");
    let read = ["id", "onPremisesImmutableId", "proxyAddresses", "assignedLicenses", "memberOf", "createdDateTime"];
    assert!(read.iter().all(|name| !document["account"][name]["from"].is_null()), "{document}");
}

#[test]
fn c13_one_person_is_synchronised_in_every_connection() {
    let (fixture, mut people) = settled("");
    people[3].department = "Research".to_owned();
    fixture.write("source.csv", csv(&people));
    // A file beside it that is no connection's.
    fixture.write("notes.toml", "title = \"no connection\"\n");
    let said = fixture.run(&["sync", "person3@contoso.com", "--all-connections", "--config", "lab.toml"]).ends(0);
    assert!(said.out.contains("lab.toml") && !said.out.contains("notes.toml"), "{said}");
    assert_eq!(fixture.user("person3@contoso.com")["department"], "Research");
    let nobody = fixture.run(&["sync", "nobody@contoso.com", "--all-connections", "--config", "lab.toml"]);
    assert!(nobody.code == Some(2) && nobody.err.contains("nobody@contoso.com"), "{nobody}");
    fixture.run(&["sync", "--all-connections", "--config", "lab.toml"]).ends(2);
}
