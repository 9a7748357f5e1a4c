//! Licence and group rules on the command line: tried on a person, held against the tenant, planned with their seats.

use hardmatch_sim::{Seed, SeedSku};
use serde_json::{Value, json};

use crate::fixture::{Fixture, rows, tenant, text};

const RULES: &str = r#"
[[license]]
sku = "SPE_E3"
when = "person.employeeId == '000001'"
[[license]]
sku = "SPE_E3"
disabled_plans = ["SWAY"]
when = "person.department.startsWith('Department')"
[[license]]
sku = "Office 365 E3"
when = "person.department.substring(99) == 'x'"
[[group]]
name = "Department 1"
when = "person.department == 'Department 1'"
[[group]]
name = "All"
when = "true"
"#;

/// A tenant with so many seats of one licence.
fn bought(seats: i64) -> Seed {
    let mut seed = tenant();
    let sku: SeedSku = serde_json::from_value(json!({
        "skuId": "05e9a617-0261-4cee-bb44-138d3ef5d965",
        "skuPartNumber": "SPE_E3",
        "enabled": seats,
        "plans": [{ "servicePlanId": "a23b959c-7ce8-4e57-9140-b90eb88a9e97", "servicePlanName": "SWAY" }],
    }))
    .unwrap();
    seed.skus = vec![sku];
    seed
}

fn fixture(seats: i64, rules: &str) -> Fixture {
    let fixture = Fixture::with_people(bought(seats), &rows(4));
    let country = "[attributes]\nusageLocation = \"'SE'\"\n";
    fixture.write("lab.toml", format!("{}{country}{rules}", fixture.config()));
    fixture
}

/// What a command ends with and prints.
#[track_caller]
fn shows(fixture: &Fixture, command: &[&str], code: i32, words: &[&str]) -> String {
    let said = fixture.run(command).ends(code).to_string();
    for word in words {
        assert!(said.contains(word), "{word} is not in\n{said}");
    }
    said
}

#[test]
fn o22_o37_the_rule_that_decides_is_named() {
    let fixture = fixture(2, RULES);
    let said = shows(
        &fixture,
        &["config", "test", "--config", "lab.toml", "person1@contoso.com"],
        3,
        &[
            "licence SPE_E3: given by license.SPE_E3 (license.SPE_E3#2 fits as well and changes nothing)",
            "licence Office 365 E3: unknown, so left as it is",
            "group Department 1: member by group.Department 1",
            "a rule could not be worked out: nothing is taken away from this person",
        ],
    );
    assert!(!said.contains("no usage location"), "{said}");
    let other =
        fixture.run(&["config", "test", "--config", "lab.toml", "--json", "person2@contoso.com"]).ends(3).json();
    let person = &other["people"][0];
    assert_eq!(
        person["licenses"][0],
        json!({ "name": "SPE_E3", "given": "yes", "by": "license.SPE_E3#2", "without": ["SWAY"] })
    );
    assert_eq!(person["groups"][0], json!({ "name": "Department 1", "given": "no" }));
    assert_eq!((&person["takes_nothing"], &person["usage_location"]), (&json!(true), &json!("SE")));
}

#[test]
fn who_is_not_managed_or_has_no_country_is_told_so() {
    let rules = RULES.replace("person.department.substring(99) == 'x'", "false");
    let fixture = fixture(2, &rules);
    let test = ["config", "test", "--config", "lab.toml", "person1@contoso.com"];
    let scoped = fixture.config().replace("[match]", "[scope]\ninclude = \"person.employeeId == '000002'\"\n[match]");
    fixture.write("lab.toml", format!("{scoped}[actions]\nlicense = \"off\"\nmembership = \"approve\"\n{rules}"));
    shows(
        &fixture,
        &test,
        0,
        &[
            "not in scope: given nothing of this",
            "no usage location at the source",
            "licences are switched off: only reported",
            "changes of memberships wait for an approval",
        ],
    );
}

#[test]
fn o20_doctor_knows_what_the_tenant_calls_a_license() {
    let fixture = fixture(2, RULES);
    let said = fixture.run(&["doctor", "--config", "lab.toml", "--json"]).ends(3).json();
    let of = |area: &str| -> Vec<&Value> {
        said["checks"].as_array().unwrap().iter().filter(|check| check["area"] == area).collect()
    };
    let licenses = of("licence rules");
    assert_eq!(licenses[0]["state"], "fail");
    let cure = text(&licenses[0]["cure"]);
    assert!(cure.contains("its part number is ENTERPRISEPACK, which the tenant has not bought"), "{cure}");
    assert_eq!(licenses[1]["finding"], "Free seats of what the rules name: SPE_E3 2 of 2.");
    let groups = of("group rules");
    assert_eq!(groups.len(), 2);
    assert!(text(&groups[0]["finding"]).contains("made, a security group, with its first member"), "{groups:?}");
    assert_eq!(fixture.world().counters().writes, 0);
}

#[test]
fn doctor_counts_whom_no_country_keeps_from_their_license() {
    let fixture = fixture(2, "");
    let rules = RULES.replace("person.department.substring(99) == 'x'", "false");
    fixture.write("lab.toml", format!("{}{rules}", fixture.config()));
    shows(
        &fixture,
        &["doctor", "--config", "lab.toml"],
        3,
        &["4 people whom licence rules fit have no usage location at the source"],
    );
}

#[test]
fn c3_a_plan_says_which_seats_it_lacks_before_any_write() {
    let rules = RULES.split_once("[[license]]\nsku = \"Office 365 E3\"").unwrap().0;
    let fixture = fixture(2, rules);
    let plan = fixture.run(&["plan", "--config", "lab.toml", "--json"]).json();
    assert_eq!(plan["seats"], json!([{ "part_number": "SPE_E3", "needed": 4, "free": 2, "short": 2 }]));
    let words = ["Seats: SPE_E3 needs 4 seats and 2 are free: 2 short."];
    shows(&fixture, &["plan", "--config", "lab.toml"], 0, &words);
    assert_eq!(fixture.world().counters().writes, 0);
}
