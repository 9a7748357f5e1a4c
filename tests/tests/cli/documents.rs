//! The way an operator takes: plan, apply, edit the source, synchronise; and the documents printed on it.

use std::path::Path;

use serde_json::{Value, json};

use crate::fixture::{Fixture, Row, csv, jsonl, ldif, rows, tenant, text};

/// Bob is there without an ID, Carol with hers: a soft and a hard match beside the new people.
fn with_bob_and_carol() -> (hardmatch_sim::Seed, Vec<Row>) {
    let mut people = rows(30);
    let mut bob = Row::nth(900);
    "bob@contoso.com".clone_into(&mut bob.upn);
    let mut carol = Row::nth(901);
    "01234567-89ab-cdef-0123-456789abcdef".clone_into(&mut carol.guid);
    "carol@contoso.com".clone_into(&mut carol.upn);
    people.extend([bob, carol]);
    let seed = tenant()
        .user(json!({ "userPrincipalName": "bob@contoso.com", "displayName": "Bob Old", "mailNickname": "bob" }))
        .user(json!({
            "userPrincipalName": "carol@contoso.com", "displayName": "Carol Old", "mailNickname": "carol",
            "onPremisesImmutableId": "Z0UjAauJ780BI0VniavN7w==",
        }));
    (seed, people)
}

#[test]
fn o10_plan_apply_edit_sync() {
    let (seed, mut people) = with_bob_and_carol();
    let fixture = Fixture::with_people(seed, &people);
    let bob = fixture.user("bob@contoso.com")["id"].clone();
    let carol = fixture.user("carol@contoso.com")["id"].clone();

    // The plan says what would be done, once, and writes nothing.
    let said = fixture.run(&["plan", "--config", "lab.toml", "--json"]).ends(0);
    let plan = said.json();
    let hash = text(&plan["plan"]);
    assert_eq!(hash.len(), 64, "{plan}");
    assert_eq!(plan["counts"]["by_action"]["create"], 30, "{plan}");
    assert_eq!(plan["counts"]["by_reason"]["provision"], 30, "{plan}");
    assert_eq!(plan["counts"]["by_reason"]["takeover"], 1, "{plan}");
    assert_eq!(plan["counts"]["by_reason"]["hard_matched"], 1, "{plan}");
    assert_eq!(plan["people"], 32);
    assert_eq!(fixture.world().counters().writes, 0);
    assert_eq!(fixture.world().live_users(), 2);

    // Made again over the same facts it is the same plan.
    assert_eq!(fixture.plan()["plan"], plan["plan"]);

    // Applied, it is exactly that.
    let applied = fixture.run(&["apply", hash, "--config", "lab.toml", "--json"]).ends(0).json();
    assert_eq!(applied["status"], "converged", "{applied}");
    assert_eq!(applied["plan"], plan["plan"]);
    assert_eq!(applied["outcomes"]["done"], 32, "{applied}");
    assert_eq!(fixture.world().live_users(), 32);
    assert_eq!(fixture.user("bob@contoso.com")["id"], bob);
    assert_eq!(fixture.user("carol@contoso.com")["id"], carol);
    assert_eq!(fixture.user("bob@contoso.com")["displayName"], "Given900 Surname900");
    let boss = &fixture.user("person0@contoso.com")["id"];
    for upn in ["person29@contoso.com", "bob@contoso.com", "carol@contoso.com"] {
        assert_eq!(&fixture.user(upn)["manager"], boss, "{upn}");
    }

    // One value changes at the source: one write.
    "Research".clone_into(&mut people[3].department);
    fixture.write("source.csv", csv(&people));
    fixture.world().take_counters();
    let synced = fixture.sync().ends(0).json();
    assert_eq!(synced["status"], "converged", "{synced}");
    assert_eq!(synced["counts"]["by_action"], json!({ "update": 1 }), "{synced}");
    assert_eq!(synced["counts"]["by_reason"]["attributes_differ"], 1, "{synced}");
    assert_eq!(synced["writes"], 1, "{synced}");
    assert_eq!(synced["throttles"], 0, "{synced}");
    assert!(synced["requests"].as_u64().is_some_and(|requests| requests > 0), "{synced}");
    assert!(synced["duration_seconds"].is_number(), "{synced}");
    assert!(!text(&synced["run"]).is_empty());
    let report = std::fs::read_to_string(fixture.path(text(&synced["report"]))).unwrap();
    assert!(report.contains("Given3 Surname3"), "the report names whom it is about");
    assert_eq!(fixture.world().counters().writes_applied, 1);
    assert_eq!(fixture.user("person3@contoso.com")["department"], "Research");

    // Nothing changed: nothing is written.
    fixture.world().take_counters();
    let again = fixture.sync().ends(0).json();
    assert_eq!(again["writes"], 0, "{again}");
    assert_eq!(fixture.world().counters().writes, 0);
    fixture.lawful();
}

#[test]
fn the_first_synchronisation_stops_at_its_plan_and_yes_accepts_exactly_that() {
    let fixture = Fixture::with_people(tenant(), &rows(3));
    let stopped = fixture.run(&["sync", "--config", "lab.toml", "--json"]).ends(3).json();
    assert_eq!(stopped["stop"], "first_run", "{stopped}");
    assert_eq!(fixture.world().counters().writes, 0);
    let done = fixture.sync().ends(0).json();
    assert_eq!(done["status"], "converged", "{done}");
    assert_eq!(fixture.world().live_users(), 3);
}

#[test]
fn o48_csv_json_lines_and_ldif_give_the_same_tenant() {
    let people = rows(25);
    let users = |kind: &str, name: &str, source: String| -> Vec<Value> {
        let fixture = Fixture::new(tenant());
        let config =
            fixture.config().replace("kind = \"csv\"", &format!("kind = \"{kind}\"")).replace("source.csv", name);
        fixture.write("lab.toml", config);
        fixture.write(name, source);
        fixture.plan_and_apply();
        fixture.lawful();
        let boss = fixture.user("person0@contoso.com")["id"].clone();
        let mut users = fixture.world().users();
        users.sort_by(|one, other| text(&one["userPrincipalName"]).cmp(text(&other["userPrincipalName"])));
        for user in &mut users {
            let user = user.as_object_mut().unwrap();
            if user.get("manager").is_some_and(|manager| *manager == boss) {
                user.insert("manager".to_owned(), json!("person0"));
            }
            user.retain(|name, _| !matches!(name.as_str(), "id" | "createdDateTime"));
        }
        users
    };
    let from_csv = users("csv", "people.csv", csv(&people));
    assert_eq!(from_csv.len(), 25);
    assert_eq!(from_csv, users("jsonl", "people.jsonl", jsonl(&people)));
    assert_eq!(from_csv, users("ldif", "people.ldif", ldif(&people)));
}

#[test]
fn a_shortened_hash_is_enough_and_a_plan_applied_twice_does_nothing_twice() {
    let fixture = Fixture::with_people(tenant(), &rows(5));
    let hash = text(&fixture.plan()["plan"])[..12].to_owned();
    let first = fixture.run(&["apply", &hash, "--config", "lab.toml", "--json"]).ends(0).json();
    let writes = fixture.world().counters().writes;
    let second = fixture.run(&["apply", &hash, "--config", "lab.toml", "--json"]).ends(0).says(&["was applied in run"]);
    assert_eq!(second.json()["run"], first["run"]);
    assert_eq!(fixture.world().counters().writes, writes);
}

#[test]
fn k1_every_row_of_a_plan_says_how_it_was_joined_and_why() {
    let (seed, people) = with_bob_and_carol();
    let fixture = Fixture::with_people(seed, &people);
    let plan = fixture.run(&["plan", "--config", "lab.toml", "--json", "--rows"]).ends(0).json();
    let rows = plan["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 32);
    for row in rows {
        assert!(!row["join"].is_null(), "{row}");
        assert!(row["reasons"].as_array().is_some_and(|reasons| !reasons.is_empty()), "{row}");
        assert!(row["evidence"].is_array(), "{row}");
    }
    let of = |upn: &str| rows.iter().find(|row| row["upn"] == upn).unwrap();
    assert!(!of("bob@contoso.com")["evidence"].as_array().unwrap().is_empty(), "{}", of("bob@contoso.com"));
}

#[test]
fn d1_people_who_were_there_before_are_joined_and_nobody_is_created_twice() {
    let people = rows(50);
    let seed = people.iter().fold(tenant(), |seed, row| {
        seed.user(json!({ "userPrincipalName": row.upn, "displayName": row.name(), "mail": row.upn }))
    });
    let fixture = Fixture::with_people(seed, &people);
    let done = fixture.plan_and_apply();
    assert_eq!(done["counts"]["by_reason"]["takeover"], 50, "{done}");
    assert_eq!(fixture.world().live_users(), 50);
    assert_eq!(fixture.world().counters().requests.get("POST /users"), None);
}

#[test]
fn without_json_a_table_is_printed_and_the_way_on() {
    let fixture = Fixture::with_people(tenant(), &rows(2));
    let plan = fixture.run(&["plan", "--config", "lab.toml"]).ends(0);
    assert!(plan.out.contains("person1@contoso.com"), "{plan}");
    let way = plan.out.lines().find_map(|line| line.strip_prefix("Apply it with: hardmatch ")).unwrap().to_owned();
    let words: Vec<&str> = way.split_whitespace().collect();
    fixture.run(&words).ends(0);
    assert_eq!(fixture.world().live_users(), 2);
    assert!(!plan.out.contains('\u{1b}'), "no colours where nobody looks: {plan}");
}

#[test]
fn it_works_from_any_folder_because_paths_are_relative_to_the_file() {
    let fixture = Fixture::with_people(tenant(), &rows(2));
    let config = fixture.path("lab.toml");
    let mut command = fixture.command(&["sync", "--yes", "--json", "--config"]);
    Fixture::finish(command.arg(&config).current_dir(Path::new("/"))).ends(0);
    assert!(fixture.path("lab.db").is_file());
    assert_eq!(fixture.world().live_users(), 2);
}

#[test]
fn d21_a_report_says_who_needs_attention_since_the_last_run() {
    let mut people = rows(8);
    "nobody@elsewhere.example".clone_into(&mut people[2].upn);
    let fixture = Fixture::with_people(tenant(), &people);
    let report = |document: &Value| std::fs::read_to_string(fixture.path(text(&document["report"]))).unwrap();
    let first = fixture.sync().ends(3).json();
    assert!(!report(&first).contains("new since the last run"), "before the first run nothing is known");
    let same = fixture.sync().ends(3).json();
    assert!(!report(&same).contains("new since the last run"), "the same person for the same reason");
    "somebody@elsewhere.example".clone_into(&mut people[5].upn);
    fixture.write("source.csv", csv(&people));
    // A plan says it, too, and does not count as the last run.
    fixture.run(&["plan", "--config", "lab.toml", "--json"]).ends(3);
    let more = fixture.sync().ends(3).json();
    let page = report(&more);
    assert!(page.contains("<b>2</b> <small>1 new since the last run</small>"), "{more}");
    assert_eq!(page.matches("\"new\":true").count(), 1);
}

/// A night with somebody in every list: changes, changes that the limits hold, a refusal, a leaver without an account.
fn busy_night() -> Fixture {
    let mut people = rows(40);
    "nobody@elsewhere.example".clone_into(&mut people[2].upn);
    people[3].control = 514;
    let fixture = Fixture::with_people(tenant(), &people);
    let plan = fixture.run(&["plan", "--config", "lab.toml", "--json"]).ends(3).json();
    fixture.run(&["apply", text(&plan["plan"]), "--config", "lab.toml", "--json"]).ends(3);
    for person in &mut people[10..35] {
        person.upn = format!("new.{}", person.upn);
    }
    for person in &mut people[35..] {
        "Board".clone_into(&mut person.department);
    }
    fixture.write("source.csv", csv(&people));
    fixture
}

#[test]
fn terminal_page_csv_json_lines_and_document_agree_on_every_list() {
    let fixture = busy_night();
    let document = fixture.sync().ends(3).json();
    let lists = document["counts"]["by_list"].as_object().unwrap();
    let count = |list: &str| lists[list].as_u64().unwrap();
    assert_eq!((count("needs"), count("waiting"), count("changes")), (1, 25, 5), "{document}");
    let limit = &document["limits"][0];
    assert_eq!((&limit["kind"], &limit["wanted"]), (&json!("renames"), &json!(25)), "{document}");

    let beside = |name: &str| {
        let page = fixture.path(text(&document["report"]));
        std::fs::read_to_string(page.with_file_name(name)).unwrap()
    };
    let page = beside("report.html");
    let data = page.split_once("id=\"data\">").and_then(|(_, rest)| rest.split_once("</script>")).unwrap().0;
    let data: Value = serde_json::from_str(data).unwrap();
    let jsonl = beside("report.jsonl");
    let rows: Vec<Value> = jsonl.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let table = beside("report.csv");
    let mut lines = table.lines();
    assert!(lines.next().is_some_and(|header| header.ends_with(",list")));
    let lines: Vec<&str> = lines.collect();
    for list in lists.keys() {
        let found = [
            data["lists"][list].as_array().map_or(0, Vec::len),
            rows.iter().filter(|row| row["list"] == **list).count(),
            lines.iter().filter(|line| line.ends_with(&format!(",{list}"))).count(),
        ];
        assert_eq!(found.map(|count| count as u64), [count(list); 3], "{list}");
    }
    for (list, label) in [("needs", "Need attention"), ("waiting", "Waiting for approval"), ("changes", "Changes")] {
        let card = format!("data-list=\"{list}\"><span>{label}</span> <b>{}</b>", count(list));
        assert!(page.contains(&card), "{card}");
    }

    let said = fixture.run(&["runs", "show", "--config", "lab.toml"]);
    let told = |what: &str| -> u64 {
        let counts = said.out.lines().filter_map(|line| line.trim().split_once("  "));
        counts.filter(|(_, of)| *of == what).filter_map(|(count, _)| count.parse::<u64>().ok()).sum()
    };
    assert_eq!(told("need attention"), count("needs"), "{said}");
    assert_eq!(told("waiting for approval"), count("waiting"), "{said}");
    assert_eq!(told("updated"), count("changes"), "{said}");
    let rest = told("skipped") + told("as they should be");
    assert_eq!(rest, count("rest"), "{said}");
    assert_eq!(told("people in all"), 40, "{said}");
    let limit = "25 new sign-in names wait for an approval: at most";
    assert!(said.out.contains(limit) && page.contains(limit), "{said}");
}

#[test]
fn a_plan_tells_which_changes_its_limits_will_hold() {
    let fixture = busy_night();
    let said = fixture.run(&["plan", "--config", "lab.toml"]).ends(3);
    assert!(said.out.contains("New sign-in names: 25. Limit: "), "{said}");
    assert!(!said.out.contains("New accounts:") && !said.out.contains("Takeovers:"), "{said}");
}
