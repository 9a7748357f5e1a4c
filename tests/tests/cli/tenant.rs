//! A tenant that refuses, is away, or is not who we took it for: exit status, words and remedy.

use hardmatch_sim::{Fault, FaultRule};
use serde_json::json;

use crate::fixture::{CLIENT, Fixture, ROLES, Row, SECRET_NAME, csv, rows, tenant, text};

const PLAN: [&str; 4] = ["plan", "--config", "lab.toml", "--json"];

#[test]
fn a_tenant_that_cannot_be_reached_is_named() {
    let fixture = Fixture::with_people(tenant(), &rows(2));
    let mut command = fixture.command(&PLAN);
    let folder = fixture.stop_tenant();
    Fixture::finish(&mut command).ends(1).says(&["could not be reached", "Check the network"]);
    drop(folder);
}

#[test]
fn a_wrong_secret_is_named_with_its_code() {
    let fixture = Fixture::with_people(tenant(), &rows(2));
    let said = Fixture::finish(fixture.command(&PLAN).env(SECRET_NAME, "not~the.secret-wombat"))
        .ends(1)
        .says(&["AADSTS7000215", "Put the secret's value, not its id"]);
    assert!(!said.err.contains("wombat"), "{said}");
    assert_eq!(fixture.world().counters().round_trips, 0, "Graph is not asked without a token");
}

#[test]
fn an_expired_secret_is_told_apart_from_a_wrong_one() {
    let fixture = Fixture::with_people(tenant(), &rows(2));
    fixture.world().change_app(CLIENT, |app| app.secret_expired = true).unwrap();
    fixture.run(&PLAN).ends(1).says(&["AADSTS7000222", "Create a new secret"]);
}

#[test]
fn a_missing_secret_names_the_variable() {
    let fixture = Fixture::with_people(tenant(), &rows(2));
    let said = Fixture::finish(fixture.command(&PLAN).env_remove(SECRET_NAME)).ends(1);
    said.says(&[SECRET_NAME, "Set it to the client secret"]);
}

#[test]
fn a_secret_that_is_wrong_or_gone_shows_at_once_although_a_token_is_kept() {
    let fixture = Fixture::with_people(tenant(), &rows(2));
    fixture.plan();
    let asked = fixture.world().counters().round_trips;
    let wrong = Fixture::finish(fixture.command(&PLAN).env(SECRET_NAME, "not~the.secret-wombat"));
    wrong.ends(1).says(&["AADSTS7000215"]);
    let gone = Fixture::finish(fixture.command(&PLAN).env_remove(SECRET_NAME));
    gone.ends(1).says(&[SECRET_NAME, "Set it to the client secret"]);
    assert_eq!(fixture.world().counters().round_trips, asked, "Graph is not asked with a token of another secret");
    fixture.plan();
}

#[test]
fn an_unknown_tenant_is_named_with_its_code() {
    let fixture = Fixture::with_people(tenant(), &rows(2));
    fixture.configure("5f0d2c1e-6a0b-4c7e-9b6e-0a1b2c3d4e5f", "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee");
    fixture.run(&PLAN).ends(1).says(&["AADSTS90002", "Check tenant.id"]);
}

#[test]
fn an_unknown_application_is_named_with_its_code() {
    let fixture = Fixture::with_people(tenant(), &rows(2));
    fixture.configure(CLIENT, "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee");
    fixture.run(&PLAN).ends(1).says(&["AADSTS700016", "Check the client id"]);
}

#[test]
fn c1_a_permission_that_is_missing_for_reading_is_named() {
    let fixture = Fixture::with_people(tenant(), &rows(2));
    fixture.world().change_app(CLIENT, |app| app.roles.retain(|role| !role.starts_with("User.Read"))).unwrap();
    fixture.run(&PLAN).ends(1).says(&["User.Read.All"]);
    assert_eq!(fixture.world().counters().writes, 0);
}

#[test]
fn c1_a_permission_that_is_missing_for_writing_is_named_and_people_stay_waiting() {
    let fixture = Fixture::with_people(tenant(), &rows(3));
    fixture
        .world()
        .change_app(CLIENT, |app| {
            app.roles.retain(|role| role != "User.ReadWrite.All");
            app.roles.push("User.Read.All".to_owned());
        })
        .unwrap();
    let said = fixture.sync().ends(3);
    let document = said.json();
    assert_eq!(document["status"], "attention", "{document}");
    assert!(document["report"].is_string(), "{document}");
    let shown = fixture.run(&["plan", "--config", "lab.toml", "--full", "--json"]).json();
    assert_eq!(shown["counts"]["by_action"]["create"], 3, "{shown}");
    let report = std::fs::read_to_string(fixture.path(text(&document["report"]))).unwrap();
    assert!(report.contains("permission_missing") && report.contains("Authorization_RequestDenied"), "{document}");
    // Granted, the next run does what was left.
    fixture
        .world()
        .change_app(CLIENT, |app| app.roles = ROLES.iter().map(|role| (*role).to_owned()).collect())
        .unwrap();
    assert_eq!(fixture.sync().ends(0).json()["status"], "converged");
    assert_eq!(fixture.world().live_users(), 3);
}

#[test]
fn without_the_right_to_read_roles_nobody_is_taken_for_unprivileged() {
    let seed = tenant().user(json!({ "userPrincipalName": "person1@contoso.com", "displayName": "there before" }));
    let fixture = Fixture::with_people(seed, &rows(2));
    fixture.world().change_app(CLIENT, |app| app.roles.retain(|role| role != "RoleManagement.Read.Directory")).unwrap();
    let plan = fixture.plan();
    assert_eq!(plan["counts"]["by_action"].get("takeover"), None, "{plan}");
    assert_eq!(plan["counts"]["by_reason"]["roles_unknown"], 1, "{plan}");
}

#[test]
fn c5_c6_one_refused_person_does_not_stop_the_others() {
    // Groups may not be read, so that one of them holds an address shows only at the write.
    let seed =
        tenant().group(json!({ "displayName": "Seven", "mailNickname": "seven", "mail": "person7@contoso.com" }));
    let fixture = Fixture::with_people(seed, &rows(100));
    fixture.world().change_app(CLIENT, |app| app.roles.retain(|role| !role.starts_with("GroupMember."))).unwrap();
    let document = fixture.sync().ends(3).json();
    assert_eq!(document["status"], "attention", "{document}");
    assert_eq!(document["outcomes"]["refused"], 1, "{document}");
    assert_eq!(document["outcomes"]["done"], 99, "{document}");
    assert_eq!(fixture.world().live_users(), 99);
    // The report's rows have exactly one failure, with our code, Graph's code and its request id.
    let report = fixture.path(text(&document["report"])).parent().unwrap().to_owned();
    let rows: Vec<String> = std::fs::read_dir(report)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let failed: Vec<serde_json::Value> = rows
        .iter()
        .flat_map(|text| text.lines())
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|row: &serde_json::Value| row["outcome"] == "refused")
        .collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0]["upn"], "person7@contoso.com", "{}", failed[0]);
    assert_eq!(failed[0]["graph"]["status"], 400, "{}", failed[0]);
    assert!(!text(&failed[0]["graph"]["code"]).is_empty(), "{}", failed[0]);
    assert!(!text(&failed[0]["graph"]["request_id"]).is_empty(), "{}", failed[0]);
    assert!(!text(&failed[0]["reasons"][0]["code"]).is_empty(), "{}", failed[0]);
    fixture.lawful();
}

#[test]
fn throttling_is_waited_out_and_counted() {
    let fixture = Fixture::with_people(tenant(), &rows(30));
    let throttled = Fault::Throttled { retry_after: Some("0.2".to_owned()) };
    fixture.world().inject(FaultRule::new("POST /users", throttled).times(5));
    let document = fixture.sync().ends(0).json();
    assert!(document["throttles"].as_u64() >= Some(1), "{document}");
    assert_eq!(fixture.world().live_users(), 30);
    assert_eq!(fixture.world().counters().early_calls, 0, "nothing is sent before it may be");
}

#[test]
fn what_moved_between_plan_and_apply_is_left_alone_and_the_rest_is_done() {
    let mut people = rows(10);
    let seed = tenant().user(json!({ "userPrincipalName": "person4@contoso.com", "displayName": "there before" }));
    let fixture = Fixture::with_people(seed, &people);
    let plan = fixture.plan();
    assert_eq!(plan["counts"]["by_reason"]["takeover"], 1, "{plan}");
    // Somebody anchors the account to another person, and one person's row changes.
    fixture
        .world()
        .set_user("person4@contoso.com", json!({ "onPremisesImmutableId": "Z0UjAauJ780BI0VniavN7w==" }))
        .unwrap();
    people[6].department = "moved meanwhile".to_owned();
    fixture.write("source.csv", csv(&people));
    let applied = fixture.run(&["apply", text(&plan["plan"]), "--config", "lab.toml", "--json"]).ends(3).json();
    assert_eq!(applied["status"], "attention", "{applied}");
    assert_eq!(applied["outcomes"]["facts_moved"], 2, "{applied}");
    assert_eq!(applied["outcomes"]["done"], 8, "{applied}");
    let kept = fixture.user("person4@contoso.com");
    assert_eq!(kept["displayName"], "there before");
    assert_eq!(kept["onPremisesImmutableId"], "Z0UjAauJ780BI0VniavN7w==");
    assert!(fixture.world().user("person6@contoso.com").is_none(), "what the plan did not show is not done");
}

#[test]
fn o13_the_old_graph_is_never_asked_and_c8_the_organisation_never_changed() {
    let fixture = Fixture::with_people(tenant(), &rows(5));
    fixture.plan_and_apply();
    let requests = fixture.world().requests();
    assert!(requests.iter().all(|request| request.method == "GET" || !request.route.starts_with("/organization")));
    assert!(
        requests.iter().all(|request| !request.route.contains("authentication")),
        "J10: sign-in methods are not ours"
    );
    fixture.lawful();
}

#[test]
fn j13_j34_accounts_that_belong_to_nobody_are_listed_as_a_file() {
    let fixture = Fixture::with_people(tenant(), &rows(4));
    fixture.plan_and_apply();
    for name in ["stray", "other"] {
        let stray = serde_json::json!({
            "userPrincipalName": format!("{name}@contoso.com"), "displayName": format!("A {name}, by hand"),
            "mailNickname": name, "accountEnabled": true,
        });
        fixture.world().add_user(stray).unwrap();
    }
    fixture.world().take_counters();
    // Joined by this very plan: not nobody's.
    let mut people = rows(4);
    people.push(Row { upn: "other@contoso.com".to_owned(), ..Row::nth(4) });
    fixture.write("source.csv", csv(&people));
    let said = fixture.run(&["plan", "--unmatched", "--config", "lab.toml"]).ends(0);
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].starts_with("objectId,userPrincipalName,displayName"), "{said}");
    assert!(lines[1].contains("stray@contoso.com,\"A stray, by hand\""), "{said}");
    let document = fixture.run(&["plan", "--unmatched", "--config", "lab.toml", "--json"]).ends(0).json();
    assert_eq!(document["unmatched"].as_array().map(Vec::len), Some(1), "{document}");
    assert_eq!(document["unmatched"][0]["userPrincipalName"], "stray@contoso.com");
    assert_eq!(fixture.world().counters().writes, 0, "looking writes nothing");
}
