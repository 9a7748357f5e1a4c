//! Sources that are missing, empty, cut off or wrong in a row: nobody is taken for gone, and the place is named.

use serde_json::{Value, json};

use crate::fixture::{Fixture, Row, csv, ldif, rows, tenant};

const SYNC: [&str; 5] = ["sync", "--config", "lab.toml", "--yes", "--json"];

/// Twenty people with accounts.
fn settled() -> (Fixture, Vec<Row>) {
    let people = rows(20);
    let fixture = Fixture::with_people(tenant(), &people);
    fixture.plan_and_apply();
    fixture.world().take_counters();
    (fixture, people)
}

/// Nobody was touched.
#[track_caller]
fn untouched(fixture: &Fixture) {
    assert_eq!(fixture.world().counters().writes, 0);
    assert!(fixture.world().users().iter().all(|user| user["accountEnabled"] == true));
}

#[test]
fn a_missing_source_removes_nobody() {
    let (fixture, people) = settled();
    std::fs::remove_file(fixture.path("source.csv")).unwrap();
    fixture.run(&SYNC).ends(1).says(&["source.csv"]);
    untouched(&fixture);
    // It comes back, and all is as before.
    fixture.write("source.csv", csv(&people));
    fixture.run(&SYNC).ends(0);
    untouched(&fixture);
}

#[test]
fn an_empty_source_removes_nobody() {
    let (fixture, _) = settled();
    for nothing in [String::new(), csv(&[])] {
        fixture.write("source.csv", nothing);
        fixture.run(&SYNC).ends(1);
        untouched(&fixture);
    }
}

#[test]
fn a_source_that_breaks_off_removes_nobody() {
    let (fixture, people) = settled();
    let whole = csv(&people);
    // In the middle of a quoted cell.
    let cut = whole.replace("Department 5,000012", "\"Department 5,000012");
    assert_ne!(cut, whole);
    fixture.write("source.csv", cut);
    fixture.run(&SYNC).ends(1).says(&["nothing was written"]);
    untouched(&fixture);
    let mut config = fixture.config();
    config = config.replace("kind = \"csv\"", "kind = \"ldif\"").replace("source.csv", "source.ldif");
    fixture.write("lab.toml", config);
    let whole = ldif(&people);
    fixture.write("source.ldif", &whole[..whole.len() - 7]);
    fixture.run(&SYNC).ends(1).says(&["nothing was written"]);
    untouched(&fixture);
}

#[test]
fn a_column_that_is_lost_is_named_and_may_be_given_up_on_purpose() {
    let (fixture, people) = settled();
    let without: String = csv(&people)
        .lines()
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            [&cells[..6], &cells[7..]].concat().join(",") + "\n"
        })
        .collect();
    assert!(!without.contains("department"));
    fixture.write("source.csv", without);
    fixture.run(&SYNC).ends(1).says(&["department", "--accept-source"]);
    untouched(&fixture);
    fixture.run(&["sync", "--config", "lab.toml", "--yes", "--json", "--accept-source"]).ends(0);
    // A source without a column says nothing about it.
    assert_eq!(fixture.user("person3@contoso.com")["department"], "Department 3");
}

#[test]
fn a_source_with_other_keys_is_taken_for_rekeyed() {
    let (fixture, mut people) = settled();
    for row in &mut people {
        row.guid.replace_range(9..13, "ffff");
    }
    fixture.write("source.csv", csv(&people));
    fixture.run(&SYNC).ends(1);
    untouched(&fixture);
}

/// The refused rows of a document.
fn refused(document: &Value) -> &Vec<Value> {
    document["refused_entries"].as_array().unwrap()
}

#[test]
fn a_value_that_cannot_be_read_is_named_by_line_and_column_and_left_out() {
    let (fixture, mut people) = settled();
    people[4].department = "x\u{7}y".to_owned();
    people[5].department = "New".to_owned();
    fixture.write("source.csv", csv(&people));
    let document = fixture.run(&SYNC).ends(3).json();
    assert!(refused(&document).is_empty(), "a value that nobody needs takes no person along: {document}");
    let bad = document["left_out"].as_array().unwrap();
    assert_eq!(bad.len(), 1, "{document}");
    assert_eq!(bad[0]["line"], 6, "{document}");
    assert_eq!(bad[0]["column"], "department", "{document}");
    assert!(!crate::fixture::text(&bad[0]["cure"]).is_empty(), "{document}");
    assert_eq!(fixture.user("person5@contoso.com")["department"], "New");
    assert_eq!(fixture.user("person4@contoso.com")["department"], "Department 4");
    assert_eq!(fixture.user("person4@contoso.com")["accountEnabled"], true, "left out is not gone");
}

#[test]
fn a_row_without_a_key_stops_conclusions_about_absence_and_nothing_else() {
    let (fixture, mut people) = settled();
    people[4].guid.clear();
    people[5].department = "New".to_owned();
    fixture.write("source.csv", csv(&people));
    let document = fixture.run(&SYNC).ends(3).json();
    let bad = refused(&document);
    assert_eq!((bad.len(), bad[0]["line"].clone()), (1, json!(6)), "{document}");
    assert_eq!(fixture.user("person4@contoso.com")["accountEnabled"], true, "nobody is missing beside such a row");
    assert_eq!(fixture.user("person5@contoso.com")["department"], "New");
}

#[test]
fn a_row_that_is_too_long_is_named_by_its_line() {
    let (fixture, people) = settled();
    let text = csv(&people).replace("person7@contoso.com,Given7", "person7@contoso.com,,Given7");
    fixture.write("source.csv", text);
    let said = fixture.run(&SYNC);
    assert!(matches!(said.code, Some(1 | 3)), "{said}");
    let document = said.json();
    assert_eq!(refused(&document)[0]["line"], 9, "{document}");
    untouched(&fixture);
}

#[test]
fn two_rows_with_one_key_are_both_refused() {
    let (fixture, mut people) = settled();
    people[9].guid = people[8].guid.clone();
    fixture.write("source.csv", csv(&people));
    let said = fixture.run(&SYNC);
    let document = said.json();
    assert_eq!(refused(&document).len(), 2, "{said}");
    assert_ne!(said.code, Some(0));
    assert_eq!(fixture.user("person8@contoso.com")["accountEnabled"], true);
}
