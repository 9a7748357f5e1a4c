//! Sources that are missing, empty, cut off or wrong in a row: nobody is taken for gone, and the place is named.

use serde_json::{Value, json};

use crate::lab::{Lab, Row, csv, ldif, rows, tenant};

const SYNC: [&str; 5] = ["sync", "--config", "lab.toml", "--yes", "--json"];

/// Twenty people with accounts.
fn settled() -> (Lab, Vec<Row>) {
    let people = rows(20);
    let lab = Lab::with_people(tenant(), &people);
    lab.plan_and_apply();
    lab.world().take_counters();
    (lab, people)
}

/// Nobody was touched.
#[track_caller]
fn untouched(lab: &Lab) {
    assert_eq!(lab.world().counters().writes, 0);
    assert!(lab.world().users().iter().all(|user| user["accountEnabled"] == true));
}

#[test]
fn a_missing_source_removes_nobody() {
    let (lab, people) = settled();
    std::fs::remove_file(lab.path("source.csv")).unwrap();
    lab.run(&SYNC).ends(1).says(&["source.csv"]);
    untouched(&lab);
    // It comes back, and all is as before.
    lab.write("source.csv", csv(&people));
    lab.run(&SYNC).ends(0);
    untouched(&lab);
}

#[test]
fn an_empty_source_removes_nobody() {
    let (lab, _) = settled();
    for nothing in [String::new(), csv(&[])] {
        lab.write("source.csv", nothing);
        lab.run(&SYNC).ends(1);
        untouched(&lab);
    }
}

#[test]
fn a_source_that_breaks_off_removes_nobody() {
    let (lab, people) = settled();
    let whole = csv(&people);
    // In the middle of a quoted cell.
    let cut = whole.replace("Department 5,000012", "\"Department 5,000012");
    assert_ne!(cut, whole);
    lab.write("source.csv", cut);
    lab.run(&SYNC).ends(1).says(&["nothing was written"]);
    untouched(&lab);
    let mut config = lab.config();
    config = config.replace("kind = \"csv\"", "kind = \"ldif\"").replace("source.csv", "source.ldif");
    lab.write("lab.toml", config);
    let whole = ldif(&people);
    lab.write("source.ldif", &whole[..whole.len() - 7]);
    lab.run(&SYNC).ends(1).says(&["nothing was written"]);
    untouched(&lab);
}

#[test]
fn a_column_that_is_lost_is_named_and_may_be_given_up_on_purpose() {
    let (lab, people) = settled();
    let without: String = csv(&people)
        .lines()
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            [&cells[..6], &cells[7..]].concat().join(",") + "\n"
        })
        .collect();
    assert!(!without.contains("department"));
    lab.write("source.csv", without);
    lab.run(&SYNC).ends(1).says(&["department", "--accept-source"]);
    untouched(&lab);
    lab.run(&["sync", "--config", "lab.toml", "--yes", "--json", "--accept-source"]).ends(0);
    // A source without a column says nothing about it.
    assert_eq!(lab.user("person3@contoso.com")["department"], "Department 3");
}

#[test]
fn a_source_with_other_keys_is_taken_for_rekeyed() {
    let (lab, mut people) = settled();
    for row in &mut people {
        row.guid.replace_range(9..13, "ffff");
    }
    lab.write("source.csv", csv(&people));
    lab.run(&SYNC).ends(1);
    untouched(&lab);
}

/// The refused rows of a document.
fn refused(document: &Value) -> &Vec<Value> {
    document["refused_entries"].as_array().unwrap()
}

#[test]
fn a_value_that_cannot_be_read_is_named_by_line_and_column_and_left_out() {
    let (lab, mut people) = settled();
    people[4].department = "x\u{7}y".to_owned();
    people[5].department = "New".to_owned();
    lab.write("source.csv", csv(&people));
    let document = lab.run(&SYNC).ends(3).json();
    assert!(refused(&document).is_empty(), "a value that nobody needs takes no person along: {document}");
    let bad = document["left_out"].as_array().unwrap();
    assert_eq!(bad.len(), 1, "{document}");
    assert_eq!(bad[0]["line"], 6, "{document}");
    assert_eq!(bad[0]["column"], "department", "{document}");
    assert!(!crate::lab::text(&bad[0]["cure"]).is_empty(), "{document}");
    assert_eq!(lab.user("person5@contoso.com")["department"], "New");
    assert_eq!(lab.user("person4@contoso.com")["department"], "Department 4");
    assert_eq!(lab.user("person4@contoso.com")["accountEnabled"], true, "left out is not gone");
}

#[test]
fn a_row_without_a_key_stops_conclusions_about_absence_and_nothing_else() {
    let (lab, mut people) = settled();
    people[4].guid.clear();
    people[5].department = "New".to_owned();
    lab.write("source.csv", csv(&people));
    let document = lab.run(&SYNC).ends(3).json();
    let bad = refused(&document);
    assert_eq!((bad.len(), bad[0]["line"].clone()), (1, json!(6)), "{document}");
    assert_eq!(lab.user("person4@contoso.com")["accountEnabled"], true, "nobody is missing beside such a row");
    assert_eq!(lab.user("person5@contoso.com")["department"], "New");
}

#[test]
fn a_row_that_is_too_long_is_named_by_its_line() {
    let (lab, people) = settled();
    let text = csv(&people).replace("person7@contoso.com,Given7", "person7@contoso.com,,Given7");
    lab.write("source.csv", text);
    let said = lab.run(&SYNC);
    assert!(matches!(said.code, Some(1 | 3)), "{said}");
    let document = said.json();
    assert_eq!(refused(&document)[0]["line"], 9, "{document}");
    untouched(&lab);
}

#[test]
fn two_rows_with_one_key_are_both_refused() {
    let (lab, mut people) = settled();
    people[9].guid = people[8].guid.clone();
    lab.write("source.csv", csv(&people));
    let said = lab.run(&SYNC);
    let document = said.json();
    assert_eq!(refused(&document).len(), 2, "{said}");
    assert_ne!(said.code, Some(0));
    assert_eq!(lab.user("person8@contoso.com")["accountEnabled"], true);
}
