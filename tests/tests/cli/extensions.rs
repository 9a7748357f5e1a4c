//! Directory extensions: mapped by name, written, read back, cleared, undone; and what a tenant says that knows none of the
//! name.

use hardmatch_sim::{App, Seed, SeedExtension};
use serde_json::{Value, json};

use crate::fixture::{CLIENT, Fixture, ROLES, Row, SECRET, csv, rows, tenant, text};

fn extension(own: &str) -> String {
    format!("extension_b7d8e648520f41d3b9c0fdeb91768a0a_{own}")
}

/// A tenant in which an application has registered extensions of both types.
fn registered() -> Seed {
    let mut seed = tenant();
    let flag = SeedExtension { data_type: "Boolean".to_owned(), ..SeedExtension::text(extension("flag")) };
    seed.extensions = vec![SeedExtension::text(extension("badge")), SeedExtension::text(extension("floor")), flag];
    seed
}

/// The same tenant, which tells the application what is registered.
fn telling() -> Seed {
    let roles: Vec<&str> = ROLES.iter().copied().chain(["Directory.Read.All"]).collect();
    Seed { apps: vec![App::new(CLIENT, SECRET, &roles)], ..registered() }
}

/// People with a badge each, in a column of their own; the first has none.
fn with_badges(people: &[Row], badge: impl Fn(usize) -> String) -> String {
    let text = csv(people);
    let mut lines = text.lines().enumerate();
    let head = lines.next().map(|(_, head)| format!("{head},badge")).unwrap();
    let people = lines.map(|(number, line)| format!("{line},{}", badge(number - 1)));
    std::iter::once(head).chain(people).map(|line| line + "\n").collect()
}

fn nth_badge(number: usize) -> String {
    if number == 0 { String::new() } else { format!("B-{number}") }
}

fn map(fixture: &Fixture, lines: &str) {
    fixture.write("lab.toml", format!("{}[attributes]\n{lines}", fixture.config()));
}

fn badge_line() -> String {
    format!("{} = \"person.source['badge']\"\n", extension("badge"))
}

/// Twelve people whose badges are written.
fn settled(seed: Seed) -> Fixture {
    let people = rows(12);
    let fixture = Fixture::with_people(seed, &people);
    fixture.write("source.csv", with_badges(&people, nth_badge));
    map(&fixture, &badge_line());
    let plan = fixture.plan();
    assert_eq!(plan["counts"]["by_action"]["create"], 12, "{plan}");
    fixture.run(&["apply", text(&plan["plan"]), "--config", "lab.toml", "--json"]).ends(0);
    fixture
}

#[track_caller]
fn badge(fixture: &Fixture, number: usize) -> Value {
    fixture.user(&format!("person{number}@contoso.com"))[extension("badge")].clone()
}

#[test]
fn o5_a_directory_extension_is_written_once_and_cleared() {
    let fixture = settled(registered());
    assert_eq!((badge(&fixture, 3), badge(&fixture, 0)), (json!("B-3"), Value::Null));
    assert_eq!(fixture.sync().ends(0).json()["writes"], 0, "written once");
    // One value is cleared at the source, one changes.
    let changed = |number| match number {
        3 => String::new(),
        4 => "B-four".to_owned(),
        other => nth_badge(other),
    };
    fixture.write("source.csv", with_badges(&rows(12), changed));
    let done = fixture.sync().ends(0).json();
    assert_eq!(done["writes"], 2, "{done}");
    assert_eq!((badge(&fixture, 3), badge(&fixture, 4)), (Value::Null, json!("B-four")));
    assert_eq!(fixture.sync().ends(0).json()["writes"], 0, "cleared once");
    fixture.lawful();
}

#[test]
fn o5_a_directory_extension_is_named_in_plan_explanation_and_history() {
    let fixture = settled(registered());
    fixture.write(
        "source.csv",
        with_badges(&rows(12), |number| if number == 4 { "B-four".into() } else { nth_badge(number) }),
    );
    let plan = fixture.run(&["plan", "--config", "lab.toml"]).ends(0);
    assert!(plan.out.contains(&format!("{}: B-4 → B-four", extension("badge"))), "{plan}");
    fixture.sync().ends(0);
    let history = fixture.run(&["explain", "person4@contoso.com", "--history", "--config", "lab.toml"]).ends(0);
    assert!(history.out.contains(&extension("badge")) && history.out.contains("B-four"), "{history}");
    let account = fixture.run(&["explain", "person4@contoso.com", "--account", "--config", "lab.toml"]).ends(0);
    let line = format!("{}: B-four  [person.source['badge']]", extension("badge"));
    assert!(account.out.contains(&line), "{account}");
}

#[test]
fn o5_an_administrators_extension_value_is_seen_by_delta_and_set_back() {
    let fixture = settled(registered());
    fixture.world().set_user("person5@contoso.com", json!({ extension("badge"): "by hand" })).unwrap();
    fixture.world().take_counters();
    let done = fixture.sync().ends(0).json();
    assert_eq!((&done["writes"], badge(&fixture, 5)), (&json!(1), json!("B-5")), "{done}");
    assert_eq!(fixture.world().counters().requests.get("GET /users"), None, "changes were followed");
}

#[test]
fn o5_a_run_that_wrote_an_extension_is_undone() {
    let fixture = settled(registered());
    fixture.write(
        "source.csv",
        with_badges(&rows(12), |number| if number == 4 { "B-four".into() } else { nth_badge(number) }),
    );
    let done = fixture.sync().ends(0).json();
    assert_eq!(badge(&fixture, 4), json!("B-four"));
    let plan = fixture.run(&["runs", "undo", text(&done["run"]), "--config", "lab.toml", "--json"]).json();
    fixture.run(&["apply", text(&plan["plan"]), "--config", "lab.toml", "--json"]).json();
    assert_eq!(badge(&fixture, 4), json!("B-4"), "{plan}");
}

#[test]
fn o5_an_extension_that_is_mapped_later_is_read_of_everybody_first() {
    let fixture = settled(registered());
    // Somebody else has filled the second one, for some rightly.
    for (number, floor) in [(1, "Department 1"), (2, "Department 2"), (3, "elsewhere")] {
        let values = json!({ extension("floor"): floor });
        fixture.world().set_user(&format!("person{number}@contoso.com"), values).unwrap();
    }
    fixture.sync().ends(0);
    fixture.world().take_counters();
    map(&fixture, &format!("{}{} = \"person.department\"\n", badge_line(), extension("floor")));
    let plan = fixture.plan();
    assert!(fixture.world().counters().requests.contains_key("GET /users"), "the stored changes lack the extension");
    assert_eq!(plan["counts"]["by_action"]["update"], 10, "two have the value already: {plan}");
    fixture.run(&["apply", text(&plan["plan"]), "--config", "lab.toml", "--json"]).ends(0);
    let floor = |number: usize| fixture.user(&format!("person{number}@contoso.com"))[extension("floor")].clone();
    assert_eq!((floor(3), floor(4)), (json!("Department 3"), json!("Department 4")));
    fixture.world().take_counters();
    assert_eq!(fixture.sync().ends(0).json()["writes"], 0);
    assert_eq!(fixture.world().counters().requests.get("GET /users"), None, "changes are followed again");
}

#[test]
fn o5_an_extension_that_the_tenant_lacks_is_told_before_anybody_is_created() {
    for (seed, words) in [
        (registered(), vec!["the tenant knows no directory extension of that name"]),
        (telling(), vec!["no application has registered", "The tenant has for users:", "_badge"]),
    ] {
        let fixture = Fixture::with_people(seed, &rows(3));
        let bagde = extension("bagde");
        map(&fixture, &format!("{bagde} = \"person.employeeId\"\n"));
        let said = fixture.run(&["sync", "--yes", "--config", "lab.toml"]);
        assert_eq!(said.code, Some(1), "{said}");
        let all = said.to_string();
        assert!(all.contains(&bagde) && words.iter().all(|word| all.contains(word)), "{said}");
        assert_eq!((fixture.upns().len(), fixture.world().counters().writes), (0, 0), "{said}");
        map(&fixture, &format!("{} = \"person.employeeId\"\n", extension("badge")));
        fixture.plan_and_apply();
        assert_eq!(badge(&fixture, 1), json!("000001"), "after the cure");
    }
}

#[test]
fn o5_an_extension_that_is_no_text_is_told_where_the_tenant_says_so() {
    let fixture = Fixture::with_people(telling(), &rows(3));
    map(&fixture, &format!("{} = \"'true'\"\n", extension("flag")));
    let said = fixture.run(&["plan", "--config", "lab.toml"]);
    assert!(said.to_string().contains("its type is Boolean") && said.code == Some(1), "{said}");
    assert_eq!(fixture.world().counters().writes, 0);
    // A tenant that does not tell: what it refuses is left out, and the rest of the person is written.
    let fixture = Fixture::with_people(registered(), &rows(3));
    map(&fixture, &format!("{} = \"'true'\"\n", extension("flag")));
    let plan = fixture.plan();
    let done = fixture.run(&["apply", text(&plan["plan"]), "--config", "lab.toml"]);
    assert!(done.to_string().contains(&extension("flag")), "{done}");
    assert_eq!(fixture.upns().len(), 3, "{done}");
}
