//! A program as the source: what it prints is read as a file is, and nobody is taken for gone by what it fails to print.

use crate::fixture::{Fixture, Row, csv, jsonl, ldif, rows, tenant};

const SYNC: [&str; 5] = ["sync", "--config", "lab.toml", "--yes", "--json"];

/// Twenty people of four departments, printed by a program.
fn settled(format: &str, text: &str) -> Fixture {
    let fixture = Fixture::with_people(tenant(), &rows(20));
    let source = format!("kind = \"command\"\nformat = \"{format}\"");
    let config = fixture.config().replace("kind = \"csv\"", &source).replace("\"source.csv\"", "\"sh people.sh\"");
    fixture.write("lab.toml", config);
    fixture.write("people.txt", text);
    fixture.write("people.sh", "cat people.txt\n");
    fixture.plan_and_apply();
    fixture.world().take_counters();
    fixture
}

fn departments() -> Vec<Row> {
    rows(20)
        .into_iter()
        .enumerate()
        .map(|(at, row)| Row { department: format!("Department {}", at % 4), ..row })
        .collect()
}

#[track_caller]
fn untouched(fixture: &Fixture) {
    assert_eq!(fixture.world().counters().writes, 0);
    assert!(fixture.world().users().iter().all(|user| user["accountEnabled"] == true));
}

#[test]
fn a_program_that_fails_or_prints_too_little_removes_nobody() {
    let people = departments();
    for (format, text) in [("jsonl", jsonl(&people)), ("csv", csv(&people)), ("ldif", ldif(&people))] {
        let fixture = settled(format, &text);
        for (script, said) in [
            ("cat people.txt; exit 3", "exit status: 3"),
            ("exit 0", "printed nothing"),
            ("exec ./nowhere", "exit status: 127"),
        ] {
            fixture.write("people.sh", script);
            fixture.run(&SYNC).ends(1).says(&[said, "Run it by hand"]);
            untouched(&fixture);
        }
        // A department is lost, and two others leave.
        let fewer: Vec<Row> = people.iter().filter(|row| row.department != "Department 1").cloned().collect();
        let fewer = match format {
            "jsonl" => jsonl(&fewer),
            "csv" => csv(&fewer),
            _ => ldif(&fewer),
        };
        fixture.write("fewer.txt", fewer);
        fixture.write("people.sh", "cat fewer.txt");
        let held = fixture.run(&SYNC).ends(3).json();
        let why = held["collections"]["people"]["absence"][0].as_str().unwrap().to_owned();
        assert!(why.contains("Department 1 had 5 people, and now has 0") && why.contains("--accept-source"), "{why}");
        untouched(&fixture);
        fixture.write("people.sh", "cat people.txt");
        fixture.run(&SYNC).ends(0);
        untouched(&fixture);
    }
}

#[test]
fn a_program_that_lost_a_column_is_concluded_from_in_nothing() {
    let people = departments();
    for (format, text, lost) in [
        ("csv", csv(&people), "cut -d, -f1-6,8- people.txt"),
        ("jsonl", jsonl(&people), "sed 's/\"department\":\"[^\"]*\",//' people.txt"),
        ("ldif", ldif(&people), "grep -v '^department:' people.txt"),
    ] {
        let fixture = settled(format, &text);
        fixture.write("people.sh", lost);
        fixture.run(&SYNC).ends(1).says(&["department"]);
        untouched(&fixture);
    }
}

#[test]
fn what_a_program_says_about_people_is_not_repeated() {
    let fixture = settled("csv", &csv(&departments()));
    fixture.write("people.sh", "echo 'no manager for person7@contoso.com' >&2; exit 5");
    let said = fixture.run(&SYNC).ends(1).says(&["exit status: 5", "Run it by hand, to see what it says"]);
    assert!(!said.err.contains("person7") && !said.out.contains("person7"), "{said}");
}

#[test]
fn a_person_who_leaves_a_program_is_a_leaver() {
    let people = departments();
    let fixture = settled("jsonl", &jsonl(&people[..]));
    fixture.write("people.txt", jsonl(&people[1..]));
    fixture.run(&SYNC);
    assert_eq!(fixture.world().users().iter().filter(|user| user["accountEnabled"] == false).count(), 1);
}
