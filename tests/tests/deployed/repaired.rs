//! Repairs in a deployed stack, one of each kind: an immutable ID in a federated domain, a pair of accounts, an exchange of
//! sign-in names, and a link. Found by a viewer's and an operator's commands, started by an approver alone.

use std::collections::BTreeSet;
use std::fs;

use hardmatch_sim::{DomainType, SeedDomain};
use hardmatch_tests::fixture::{tenant, trusting_the_stand_in};
use hardmatch_tests::{Seen, immutable_id};
use serde_json::{Value, json};

use crate::Fixture;
use crate::company::{Company, Tenant};
use crate::stack::{Keys, Ran};

const NAME: &str = "margie";
const POLICY: &str = r#"
[anchor]
on_conflict = "source-wins"
[match]
prove = ["employeeId"]
[guard]
always_allow = 50
max_removals_percent = 100
[attributes]
mail = { flow = "never" }
"#;
const FEDERATED: &str = "federated.example";

/// The sign-in name of a person.
fn upn(number: u32) -> String {
    format!("person{number}@{}", if number == 0 { FEDERATED } else { "contoso.com" })
}

fn guid(number: u32) -> String {
    format!("{number:08x}-1a2b-4c3d-8e4f-0123456789ab")
}

/// People with these sign-in names, as CSV.
fn people(names: &[(u32, String)]) -> String {
    let columns = "objectGUID,userPrincipalName,givenName,sn,displayName,mail,employeeID\n".to_owned();
    names.iter().fold(columns, |text, (n, upn)| {
        text + &format!("{},{upn},Given{n},Surname{n},Given{n} Surname{n},{},{n:06}\n", guid(*n), self::upn(*n))
    })
}

fn account(n: u32, upn: &str) -> Value {
    json!({ "userPrincipalName": upn, "displayName": format!("Given{n} Surname{n}") })
}

pub(crate) fn story(fixture: &mut Fixture) {
    let mut seed = tenant(trusting_the_stand_in());
    let mut domain = SeedDomain::new(FEDERATED, DomainType::Federated);
    domain.default = false;
    seed.domains.push(domain);
    // The first person's account is under somebody else's ID; the second has two, of which a tool made one.
    let mut wrong = account(0, &upn(0));
    wrong["employeeId"] = json!("000000");
    wrong["onPremisesImmutableId"] = json!(immutable_id("deadbeef-1a2b-4c3d-8e4f-0123456789ab"));
    let mut copy = account(1, "copy1@contoso.com");
    copy["onPremisesImmutableId"] = json!(immutable_id(&guid(1)));
    let mut named = account(1, &upn(1));
    named["mail"] = json!(upn(1));
    // What nothing but somebody's word joins to the fifth.
    let foreign = account(4, "somebody@contoso.com");
    let seed = [wrong, copy, named, foreign].into_iter().fold(seed, hardmatch_sim::Seed::user);
    let tenant = Tenant::of(fixture, seed);
    let company = Company::with(fixture, NAME, &tenant, POLICY);
    let stack = &fixture.stack;
    let names =
        |named: [u32; 5]| people(&named.map(upn).into_iter().zip(0..).map(|(upn, n)| (n, upn)).collect::<Vec<_>>());
    stack.people(&format!("{NAME}.csv"), &names([0, 1, 2, 3, 4]));
    company.says(stack, &["plan"], 3);

    let [viewer, operator, approver] =
        ["ViewerPolicy", "OperatorPolicy", "ApproverPolicy"].map(|name| stack.person(name));
    let say = |keys: &Keys, words: &[&str]| -> Ran {
        stack.hardmatch(keys, &[words, &["--config", &company.file, "--json"]].concat())
    };
    let denied = |words: &[&str]| {
        let ran = say(&operator, words);
        assert!(ran.code == 1 && ran.err.contains("approver"), "{words:?}: {}{}", ran.out, ran.err);
    };
    let user = |upn: &str| tenant.world().user(upn).unwrap_or_else(|| panic!("{upn} is not there"));

    // A link.
    let somebody = user("somebody@contoso.com")["id"].as_str().unwrap().to_owned();
    let link = ["repair", "link", "--person", &upn(4), "--account", &somebody];
    denied(&link);
    say(&approver, &link).json(0);

    // The audit finds what waits, and what it found is started from its output.
    say(&approver, &["sync", "--yes"]).json(3);
    let audit = say(&operator, &["repair", "audit"]);
    let found = audit.json(3);
    let findings = found["findings"].as_array().unwrap();
    let kinds: BTreeSet<&str> = findings.iter().filter_map(|one| one["repair"]["kind"].as_str()).collect();
    assert_eq!(kinds, BTreeSet::from(["merge", "replace_id", "set_id"]), "{found:#}");
    assert!(!found["unread"].as_array().unwrap().is_empty(), "an operator does not reach the tenant: {found:#}");
    fs::write(stack.folder.path().join("broken.json"), &audit.out).unwrap();
    let start = ["repair", "start", "--from", "broken.json"];
    let writes = tenant.world().counters().writes;
    denied(&start);
    assert_eq!(tenant.world().counters().writes, writes, "an operator has started a repair");
    let started = say(&approver, &start).json(0);
    assert_eq!(started["repairs"].as_array().unwrap().len(), 3, "{started:#}");
    say(&operator, &["sync"]).json(0);
    assert_eq!(user(&upn(4))["id"], somebody, "the linked account is kept");
    for number in [0, 1, 4] {
        assert_eq!(user(&upn(number))["onPremisesImmutableId"], json!(immutable_id(&guid(number))));
    }
    assert!(Seen(user("copy1@contoso.com")).deleted(), "one account is made of two");

    // An exchange of names waits like them, and is approved by its name.
    stack.people(&format!("{NAME}.csv"), &names([0, 1, 3, 2, 4]));
    let ids = [2, 3].map(|number| user(&upn(number))["id"].clone());
    say(&operator, &["sync"]).json(3);
    let list = say(&operator, &["approvals", "list"]).json(3);
    assert_eq!(list["pending"], 1, "{list:#}");
    let change = list["approvals"][0]["change"].as_str().unwrap()[..12].to_owned();
    denied(&["approvals", "approve", &change]);
    say(&approver, &["approvals", "approve", &change]).json(0);
    say(&operator, &["sync"]).json(0);
    assert_eq!([3, 2].map(|number| user(&upn(number))["id"].clone()), ids, "they have exchanged their names");

    // Who looks sees what was done, and takes back what is open only by an operator's queue.
    let list = say(&viewer, &["repair", "list"]).json(0);
    let repairs = list["repairs"].as_array().unwrap();
    assert_eq!(repairs.len(), 4, "{list:#}");
    let shown = say(&viewer, &["repair", "show", repairs[0]["id"].as_str().unwrap()]).json(0);
    assert_eq!(shown["repair"]["state"], "repaired", "{shown:#}");
    let refused = say(&operator, &["repair", "rollback", repairs[0]["id"].as_str().unwrap()]);
    assert!(refused.code == 2 && refused.err.contains("has ended"), "{}{}", refused.out, refused.err);
    company.nothing_to_do(stack, &tenant);
    assert_eq!(tenant.world().violations(), Vec::<String>::new());
}
