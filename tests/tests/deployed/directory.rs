//! People of a directory, read by the deployed function over TLS with a password and an authority that AWS keeps: begun by the
//! connection's own schedule, followed by what changed, and left as they are by a wrong password. Then a second directory and a
//! file beside it, each with rights of its own.

use hardmatch_ports::Clock as _;
use hardmatch_runtime::RealClock;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::Fixture;
use crate::company::{Company, Tenant};
use crate::fake::{BASE, Fake, PASSWORD, READER, Tree, Trust, name_of};
use crate::stack::{Keys, PEOPLE, Stack};

const NAME: &str = "wingtip";
const TICK: &str = r#"{"v":1,"kind":"tick"}"#;

pub(crate) fn story(fixture: &mut Fixture) {
    let tenant = Tenant::start(fixture);
    let stack = &fixture.stack;
    let trust = Trust::new();
    let corp = controller(&trust, "corp", 1..=6);
    let [bind, other, mistyped] = [("corp", PASSWORD), ("lab", PASSWORD), ("mistyped", "not-the-word")]
        .map(|(name, value)| stack.secret(&format!("hm/{NAME}/source/{name}"), value));
    stack.people(&format!("{NAME}-ca.pem"), &std::fs::read_to_string(trust.ca()).unwrap());

    // The schedule begins the first run, whose plan waits for somebody.
    let an_hour_ago = RealClock.now() - SignedDuration::from_hours(1);
    let schedule = format!("[schedule]\nfull = \"{}\"\n", an_hour_ago.strftime("%H:%M"));
    let one = |password: &str| format!("[source]\n{}{schedule}", directory(&corp, password));
    let company = Company::reading(fixture, NAME, &tenant, &one(&bind));
    company.says(stack, &["config", "push"], 0);
    let listed = || company.says(stack, &["runs", "list"], 0)["runs"].as_array().cloned().unwrap_or_default();
    stack.send("MatchQueue", TICK);
    stack.until("the plan that the schedule begins", || listed().iter().any(|run| run["plan"].is_string()));
    let first = listed().remove(0);
    assert_eq!((tenant.world().live_users(), listed().len()), (0, 1), "{first}");
    let applied = company.says(stack, &["apply", first["plan"].as_str().unwrap()], 0);
    assert_eq!((&applied["status"], tenant.world().live_users()), (&json!("converged"), 6), "{applied}");
    let copies = || stack.files().into_iter().filter(|name| name.starts_with(&format!("sources/{NAME}/"))).count();
    assert_eq!((copies(), corp.is().listings), (1, 1), "{:?}", stack.files());

    // Changes alone are read.
    corp.is().tree.set(&name_of(2), "title", &["Chief"]);
    let changed = company.says(stack, &["sync", "--yes"], 0);
    assert_eq!((title(&tenant, 2).as_str(), tenant.world().live_users()), ("Chief", 6), "{changed}");
    assert_eq!(corp.is().listings, 1, "the directory was not listed again");
    assert_eq!(changed["counts"]["by_action"], json!({ "update": 1 }), "{changed}");

    // A wrong password removes nobody, and nothing is concluded from what changed meanwhile.
    company.reads(stack, &tenant, &one(&mistyped));
    corp.is().tree.set(&name_of(6), "title", &["Head"]);
    fails(stack, &company, &["password is wrong"]);
    assert_eq!((tenant.world().live_users(), title(&tenant, 6).as_str()), (6, "Engineer"));

    // A second directory has two people of the first one and two others; a file says who is what.
    let lab = controller(&trust, "lab", 5..=8);
    stack.people(&format!("{NAME}-hr.csv"), "id,mail,title\n3,p3@contoso.com,Lead\n8,p8@contoso.com,Doctor\n");
    let several = |password: &str| {
        format!(
            "[sources]\nsame_person = \"mail\"\n[sources.precedence]\njobTitle = [\"hr\", \"corp\", \"lab\"]\n\
         [[source]]\nname = \"corp\"\n{}[[source]]\nname = \"lab\"\n{}\
         [[source]]\nname = \"hr\"\nkind = \"csv\"\nlocation = \"s3://{PEOPLE}/{NAME}-hr.csv\"\npeople = false\n{schedule}",
            directory(&corp, &bind),
            directory(&lab, password)
        )
    };
    company.reads(stack, &tenant, &several(&mistyped));
    let before = tenant.world().counters().writes;
    fails(stack, &company, &["source lab", "password is wrong"]);
    assert_eq!(tenant.world().counters().writes, before, "nothing is concluded from the other sources");
    company.reads(stack, &tenant, &several(&other));
    let joined = company.says(stack, &["sync", "--yes"], 0);
    assert_eq!((&joined["status"], tenant.world().live_users()), (&json!("converged"), 8), "{joined}");
    let titles = [2, 3, 6, 7, 8].map(|number| title(&tenant, number));
    assert_eq!(titles, ["Chief", "Lead", "Head", "Engineer", "Doctor"]);
    company.nothing_to_do(stack, &tenant);
    tenant.nobody_twice();

    // With the connection go the copies of both directories, and what was known of their entries.
    assert_eq!(copies(), 4, "one of the first configuration, two directories, the entries: {:?}", stack.files());
    company.says(stack, &["auth", "disconnect"], 0);
    company.says(stack, &["connection", "remove", "--yes"], 0);
    assert_eq!(copies(), 0, "{:?}", stack.files());
}

/// A controller that has people of these numbers.
fn controller(trust: &Trust, name: &str, numbers: std::ops::RangeInclusive<u32>) -> Fake {
    let mut tree = Tree::new(&format!("{name:.>16}"));
    // No two directories have entries of one GUID.
    tree.made = u64::from(*numbers.start()) * 1_000;
    numbers.for_each(|number| drop(tree.person(number)));
    Fake::start(trust, "dc1.corp.example.test", tree)
}

/// What a configuration says of a directory.
fn directory(controller: &Fake, bind: &str) -> String {
    format!(
        "kind = \"ldap\"\nlocation = \"{}\"\nbase = \"{BASE}\"\nbind = \"{READER}\"\n\
         password = \"secretsmanager:{bind}\"\nca = \"s3://{PEOPLE}/{NAME}-ca.pem\"\n",
        controller.url()
    )
}

/// A sync that ends without a plan, and says why; never with a password.
#[track_caller]
fn fails(stack: &Stack, company: &Company, words: &[&str]) {
    let ran = stack.hardmatch(&Keys::root(), &["sync", "--yes", "--config", &company.file, "--json"]);
    let said = ran.out + &ran.err;
    assert_ne!(ran.code, 0, "{said}");
    assert!(words.iter().all(|word| said.contains(word)), "{words:?}: {said}");
    assert!(!said.contains(PASSWORD) && !said.contains("not-the-word"), "{said}");
}

/// The job title of a person's account.
fn title(tenant: &Tenant, number: u32) -> String {
    let name = format!("p{number}@contoso.com");
    let users = tenant.world().users();
    let user = users.iter().find(|user| user["userPrincipalName"] == name.as_str());
    user.map_or(&Value::Null, |user| &user["jobTitle"]).as_str().unwrap_or_default().to_owned()
}
