//! What is not yet as it should be, and what was said of people over time.

use hardmatch_sim::{Fault, FaultRule};

use crate::fixture::{Fixture, Said, csv, rows, tenant, text};

fn run(fixture: &Fixture, words: &[&str]) -> Said {
    let mut all = words.to_vec();
    all.extend(["--config", "lab.toml"]);
    fixture.run(&all)
}

#[test]
fn d2_attributes_that_are_not_yet_equal_are_listed_although_the_tenant_refused_them() {
    let mut people = rows(2);
    let fixture = Fixture::with_people(tenant(), &people);
    fixture.plan_and_apply();
    let refused = Fault::Status {
        status: 400,
        code: Some("Request_BadRequest".to_owned()),
        message: Some("Invalid value specified for property 'department' of resource 'User'.".to_owned()),
        retry_after: None,
        applied: false,
    };
    fixture.world().inject(FaultRule::new("PATCH /users/{id}", refused));
    "Odd".clone_into(&mut people[1].department);
    fixture.write("source.csv", csv(&people));
    fixture.sync().ends(3);
    for _ in 0..2 {
        let said = run(&fixture, &["explain", "person1@contoso.com"]).ends(0);
        let (_, missing) = said.out.split_once("Not yet equal\n").unwrap_or_else(|| panic!("{said}"));
        assert!(missing.contains("department: Department 1 → Odd"), "{said}");
        // Another run does not send it again, and it is listed all the same.
        fixture.sync();
    }
    let document = run(&fixture, &["explain", "person1@contoso.com", "--json"]).ends(0).json();
    assert_eq!(document["not_equal"].as_array().unwrap().len(), 1, "{document:#}");
    let equal = run(&fixture, &["explain", "person0@contoso.com", "--json"]).ends(0).json();
    assert!(equal["not_equal"].as_array().unwrap().is_empty(), "{equal:#}");
}

#[test]
fn d21_runs_and_people_are_found_by_reason_code_over_time() {
    let mut people = rows(3);
    "person2@nowhere.example".clone_into(&mut people[2].upn);
    let fixture = Fixture::with_people(tenant(), &people);
    let plan = fixture.plan();
    run(&fixture, &["apply", text(&plan["plan"]), "--json"]).ends(3);
    fixture.sync();
    let counted = run(&fixture, &["runs", "reasons"]).ends(0);
    let lines: Vec<&str> = counted.out.lines().filter(|line| line.ends_with(" 1 domain_not_verified")).collect();
    assert_eq!(lines.len(), 2, "one of each run: {counted}");
    let listed = run(&fixture, &["runs", "reasons", "domain_not_verified"]).ends(0);
    assert_eq!(listed.out.lines().count(), 2, "{listed}");
    assert!(listed.out.lines().all(|line| line.contains("person2@nowhere.example domain_not_verified")), "{listed}");
    let of_one = run(&fixture, &["runs", "reasons", "--person", "person1@contoso.com", "--json"]).ends(0).json();
    let of_one = of_one["reasons"].as_array().unwrap();
    assert!(!of_one.is_empty() && of_one.iter().all(|one| one["upn"] == "person1@contoso.com"), "{of_one:#?}");
    let unknown = run(&fixture, &["runs", "reasons", "no_such_code"]).ends(2);
    assert!(unknown.err.contains("hardmatch runs reasons"), "{unknown}");
}
