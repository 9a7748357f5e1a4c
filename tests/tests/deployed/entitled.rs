//! Licences and group memberships by rule, through the functions and their roles.

use hardmatch_tests::fixture::{tenant, trusting_the_stand_in};
use serde_json::{Value, json};

use crate::Fixture;
use crate::company::{Company, Tenant};

/// So many that two who leave the group are no more than a fifth of it.
const PEOPLE: u64 = 12;
const RULES: &str = r#"
[guard]
always_allow = 50
max_removals_percent = 100
[attributes]
usageLocation = "'SE'"
[[license]]
sku = "SPE_E3"
when = "person.department == 'Sales'"
[[group]]
name = "Sales"
when = "person.department == 'Sales'"
"#;

pub(crate) fn story(fixture: &mut Fixture) {
    let mut seed = tenant(trusting_the_stand_in());
    let sku = json!({ "skuId": "05e9a617-0261-4cee-bb44-138d3ef5d965", "skuPartNumber": "SPE_E3", "enabled": 20 });
    seed.skus = vec![serde_json::from_value(sku).unwrap()];
    let tenant = Tenant::of(fixture, seed);
    let company = Company::with(fixture, "adatum", &tenant, RULES);
    let stack = &fixture.stack;
    company.people(stack, 0..12, "Sales");
    company.says(stack, &["sync", "--yes"], 0);
    assert_eq!((licensed(&tenant), members(&tenant)), (PEOPLE, PEOPLE));
    company.nothing_to_do(stack, &tenant);

    // Two move on: what the rules gave them is taken back by the rules.
    let movers = hardmatch_tests::connection::people(10..12, "Legal");
    let all = hardmatch_tests::connection::people(0..10, "Sales") + movers.split_once('\n').unwrap().1;
    stack.people("adatum.csv", &all);
    company.says(stack, &["sync"], 0);
    assert_eq!((licensed(&tenant), members(&tenant)), (10, 10));
    company.nothing_to_do(stack, &tenant);
    tenant.nobody_twice();
}

fn licensed(tenant: &Tenant) -> u64 {
    let has = |user: &&Value| user["assignedLicenses"].as_array().is_some_and(|licenses| !licenses.is_empty());
    tenant.world().users().iter().filter(has).count() as u64
}

/// Of the one group there is.
fn members(tenant: &Tenant) -> u64 {
    let groups = tenant.world().groups();
    assert_eq!(groups.len(), 1, "the first member makes it, once");
    groups[0]["members"].as_array().map_or(0, Vec::len) as u64
}
