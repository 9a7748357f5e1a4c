//! What an expression costs per person: `cargo bench -p hardmatch-policy`.

#![expect(clippy::unwrap_used, reason = "a bench that cannot run says so")]

use std::path::Path;

use divan::{Bencher, black_box};
use hardmatch_domain::attribute::{Attr, Attributes, Texts};
use hardmatch_domain::ids::PersonKey;
use hardmatch_domain::person::{Address, Addresses, Extra, Person};
use hardmatch_domain::policy::{FlowFrom, Policy};
use hardmatch_policy::Config;

fn main() {
    divan::main();
}

fn policy(scope: &str, title: &str) -> Policy {
    let text = format!(
        r#"
schema = 1
connection = "bench"
[tenant]
id = "contoso.onmicrosoft.com"
cloud = "simulated"
[source]
kind = "csv"
location = "people.csv"
[scope]
include = "{scope}"
[attributes]
jobTitle = "{title}"
displayName = "person.surname + ', ' + person.givenName"
extensionAttribute1 = "person.source['costCentre']"
"#
    );
    Config::load(&text, "bench", Path::new(".")).map_err(|problems| problems.to_string()).unwrap().policy(1)
}

fn person() -> Person {
    Person {
        key: PersonKey::new("897485c7-81a7-42e3-97c6-37ed73077b1f"),
        anchors: vec![],
        attributes: Attributes::from_pairs([
            (Attr::GivenName, "Grace"),
            (Attr::Surname, "Hopper"),
            (Attr::JobTitle, "Engineer"),
            (Attr::Department, "Compilers"),
        ]),
        addresses: Addresses::new(Address::parse("grace@example.com"), Texts::new(["grace@example.com"])),
        groups: Texts::new(["Domain Users", "Staff", "VPN", "Printers 2nd floor", "Office 365"]),
        manager: None,
        enabled: Some(true),
        password_expired: None,
        extra: Extra::new([("costCentre".into(), "4711".into())]),
        given_by: None,
    }
}

const RULES: &[&str] = &[
    "person.enabled",
    "'Office 365' in person.groups",
    "person.department == 'Sales' || person.department == 'Compilers'",
    "person.primarySmtp.endsWith('@example.com') && !person.passwordExpired",
    "person.groups.exists(g, g.startsWith('Office'))",
    "person.department.matches('^(Sales|Comp)')",
];

#[divan::bench(args = RULES)]
fn rule(bencher: Bencher<'_, '_>, text: &str) {
    let policy = policy(text, "person.jobTitle");
    let scope = policy.scope.unwrap();
    let person = person();
    bencher.bench_local(|| scope.test(black_box(&person)).unwrap());
}

const FLOWS: &[&str] = &[
    "person.jobTitle",
    "person.jobTitle + ' (' + person.department + ')'",
    "person.jobTitle.trim().lower()",
    "firstOf(person.companyName, person.department)",
];

#[divan::bench(args = FLOWS)]
fn flow(bencher: Bencher<'_, '_>, text: &str) {
    let policy = policy("person.enabled", text);
    let from = policy.flow.iter().find(|mapping| mapping.to == Attr::JobTitle).map(|mapping| mapping.from.clone());
    let Some(FlowFrom::Expression(expression)) = from else { return };
    let person = person();
    bencher.bench_local(|| expression.eval(black_box(&person)).unwrap());
}

/// What the product aims at: a scope and three expressions for each of 150,000 people in a second.
#[divan::bench]
fn a_scope_and_three_flows(bencher: Bencher<'_, '_>) {
    let policy = policy("'Office 365' in person.groups", "person.jobTitle + ' (' + person.department + ')'");
    let person = person();
    bencher.bench_local(|| {
        let inside = policy.scope.as_ref().is_some_and(|scope| scope.test(black_box(&person)).unwrap());
        let mut chars = usize::from(inside);
        for mapping in &policy.flow {
            if let FlowFrom::Expression(expression) = &mapping.from {
                chars += expression.eval(black_box(&person)).unwrap().len();
            }
        }
        chars
    });
}
