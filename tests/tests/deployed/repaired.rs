//! Repairs in a deployed stack, one of each of these: an immutable ID that is set, replaced in a federated domain, and cleared; a
//! pair of accounts of the cloud, and one that Entra Connect masters; the holder of an ID in the recycle bin; somebody hired
//! again; an exchange of sign-in names, and a link. Found by a viewer's and an operator's commands, started by an approver
//! alone.

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
merge_synced = true
soft_deleted = "purge"
[guard]
always_allow = 50
max_removals_percent = 100
[attributes]
mail = { flow = "never" }
"#;
const ID: &str = "onPremisesImmutableId";
const FEDERATED: &str = "federated.example";

/// The sign-in name of a person.
fn upn(number: u32) -> String {
    format!("person{number}@{}", if number == 0 { FEDERATED } else { "contoso.com" })
}

fn guid(number: u32) -> String {
    format!("{number:08x}-1a2b-4c3d-8e4f-0123456789ab")
}

/// How many people there are. The last one is hired again.
const PEOPLE: u32 = 8;
/// The number of the entry that the last one has then.
const HIRED_AGAIN: u32 = 17;

/// Everybody, as CSV: the third and the fourth under these people's sign-in names, and the last one in an entry of this number.
fn people(third: u32, fourth: u32, last: u32) -> String {
    let columns = "objectGUID,userPrincipalName,givenName,sn,displayName,mail,employeeID\n".to_owned();
    (0..PEOPLE).fold(columns, |text, n| {
        let named = match n {
            2 => third,
            3 => fourth,
            _ => n,
        };
        let entry = guid(if n == PEOPLE - 1 { last } else { n });
        let (upn, mail) = (upn(named), upn(n));
        text + &format!("{entry},{upn},Given{n},Surname{n},Given{n} Surname{n},{mail},{n:06}\n")
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
    // The first person's account is under somebody else's ID; the second and the seventh have two, of which a tool made one;
    // the sixth's ID is in the recycle bin.
    let with = |mut account: Value, name: &str, value: Value| {
        account[name] = value;
        account
    };
    let under = |account: Value, number: u32| with(account, ID, json!(immutable_id(&guid(number))));
    let mailed = |n: u32| with(account(n, &upn(n)), "mail", json!(upn(n)));
    let wrong = under(with(account(0, &upn(0)), "employeeId", json!("000000")), 0xdead);
    let copy = under(account(1, "copy1@contoso.com"), 1);
    let synced = with(under(account(6, "copy6@contoso.com"), 6), "onPremisesSyncEnabled", json!(true));
    let binned = under(account(5, "binned5@contoso.com"), 5);
    // What nothing but somebody's word joins to the fifth.
    let foreign = account(4, "somebody@contoso.com");
    // Left behind: an ID of nobody, once under Entra Connect; and one that only an approver knows to be wrong.
    let left = with(under(account(98, "left@contoso.com"), 98), "onPremisesSyncEnabled", json!(false));
    let named = under(account(99, "named@contoso.com"), 99);
    let seeded = [wrong, copy, mailed(1), synced, mailed(6), binned, foreign, left, named];
    let tenant = Tenant::of(fixture, seeded.into_iter().fold(seed, hardmatch_sim::Seed::user));
    tenant.world().delete_user("binned5@contoso.com").unwrap();
    let company = Company::with(fixture, NAME, &tenant, POLICY);
    let stack = &fixture.stack;
    let file = format!("{NAME}.csv");
    stack.people(&file, &people(2, 3, PEOPLE - 1));
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
    let broken = BTreeSet::from(["clear_id", "merge", "merge_synced", "purge_holder", "replace_id", "set_id"]);
    assert_eq!(kinds, broken, "{found:#}");
    assert!(!found["unread"].as_array().unwrap().is_empty(), "an operator does not reach the tenant: {found:#}");
    fs::write(stack.folder.path().join("broken.json"), &audit.out).unwrap();
    let start = ["repair", "start", "--from", "broken.json"];
    let writes = tenant.world().counters().writes;
    denied(&start);
    assert_eq!(tenant.world().counters().writes, writes, "an operator has started a repair");
    let started = say(&approver, &start).json(0);
    assert_eq!(started["repairs"].as_array().unwrap().len(), 6, "{started:#}");
    // One is cleared by its account's name.
    let clear = ["repair", "clear", "named@contoso.com"];
    denied(&clear);
    say(&approver, &clear).json(0);
    say(&operator, &["sync"]).json(0);
    assert_eq!(user(&upn(4))["id"], somebody, "the linked account is kept");
    for number in [0, 1, 4, 5, 6] {
        assert_eq!(user(&upn(number))[ID], json!(immutable_id(&guid(number))), "person {number}");
    }
    assert!(Seen(user("copy1@contoso.com")).deleted(), "one account is made of two");
    // The ID of an account in the recycle bin, and of one that Entra Connect masters, is free when that is deleted for good.
    for purged in ["binned5@contoso.com", "copy6@contoso.com"] {
        assert!(tenant.world().user(purged).is_none(), "{purged}");
    }
    for cleared in ["left@contoso.com", "named@contoso.com"] {
        assert_eq!(user(cleared)[ID], Value::Null, "{cleared}");
    }

    // An exchange of names waits like them, and is approved by its name.
    stack.people(&file, &people(3, 2, PEOPLE - 1));
    let ids = [2, 3].map(|number| user(&upn(number))["id"].clone());
    say(&operator, &["sync"]).json(3);
    let list = say(&operator, &["approvals", "list"]).json(3);
    assert_eq!(list["pending"], 1, "{list:#}");
    let change = list["approvals"][0]["change"].as_str().unwrap()[..12].to_owned();
    denied(&["approvals", "approve", &change]);
    say(&approver, &["approvals", "approve", &change]).json(0);
    say(&operator, &["sync"]).json(0);
    assert_eq!([3, 2].map(|number| user(&upn(number))["id"].clone()), ids, "they have exchanged their names");

    // Hired again: the file has an entry of another GUID with the employee ID of one that is gone.
    let last = user(&upn(PEOPLE - 1))["id"].clone();
    stack.people(&file, &people(3, 2, HIRED_AGAIN));
    say(&operator, &["sync"]).json(3);
    let start = ["repair", "start", &guid(HIRED_AGAIN)];
    denied(&start);
    say(&approver, &start).json(0);
    say(&operator, &["sync"]).json(0);
    let hired = user(&upn(PEOPLE - 1));
    assert_eq!((&hired["id"], &hired[ID]), (&last, &json!(immutable_id(&guid(HIRED_AGAIN)))));

    // Who looks sees what was done, and takes back what is open only by an operator's queue.
    let list = say(&viewer, &["repair", "list"]).json(0);
    let repairs = list["repairs"].as_array().unwrap();
    assert_eq!(repairs.len(), 9, "{list:#}");
    let shown = say(&viewer, &["repair", "show", repairs[0]["id"].as_str().unwrap()]).json(0);
    assert_eq!(shown["repair"]["state"], "repaired", "{shown:#}");
    let refused = say(&operator, &["repair", "rollback", repairs[0]["id"].as_str().unwrap()]);
    assert!(refused.code == 2 && refused.err.contains("has ended"), "{}{}", refused.out, refused.err);
    company.nothing_to_do(stack, &tenant);
    assert_eq!(tenant.world().violations(), Vec::<String>::new());
}
