//! Files and words that are wrong: all problems at once, where they are, what to do, and never a secret's value.

use base64::Engine as _;

use crate::fixture::{Fixture, SECRET_NAME, rows, tenant, text};

const PLAN: [&str; 3] = ["plan", "--config", "lab.toml"];

#[test]
fn a_file_that_is_no_toml_is_shown_where_it_breaks() {
    let fixture = Fixture::with_people(tenant(), &rows(1));
    fixture.configure("kind = \"csv\"", "kind = \"csv");
    fixture.run(&PLAN).ends(2).says(&["lab.toml:13:12", "kind"]);
}

#[test]
fn all_problems_come_at_once_each_with_its_line_and_the_nearest_name() {
    let fixture = Fixture::with_people(tenant(), &rows(1));
    let config = fixture
        .config()
        .replace("location", "loction")
        .replace("reenable = \"always\"", "reenable = \"allways\"")
        .replace("[match]", "[matsh]");
    fixture.write("lab.toml", config);
    fixture.run(&PLAN).ends(2).says(&[
        "loction",
        "location",
        "allways",
        "always",
        "matsh",
        "match",
        "lab.toml:14",
        "lab.toml:15",
        "lab.toml:18",
    ]);
}

#[test]
fn o21_an_unknown_name_in_an_expression_is_refused_before_anybody_is_read() {
    let fixture = Fixture::with_people(tenant(), &rows(1));
    fixture.configure("[match]", "[scope]\ninclude = \"person.departmnt == 'Sales'\"\n[match]");
    fixture.run(&PLAN).ends(2).says(&["departmnt", "department"]);
    assert_eq!(fixture.world().counters().round_trips, 0);
}

#[test]
fn o5_a_property_graph_does_not_let_us_write_is_refused() {
    let fixture = Fixture::with_people(tenant(), &rows(1));
    fixture.configure("[match]", "[attributes]\nproxyAddresses = \"person.mail\"\n[match]");
    fixture.run(&PLAN).ends(2).says(&["proxyAddresses"]);
}

#[test]
fn a_literal_secret_is_refused_and_never_repeated() {
    let fixture = Fixture::with_people(tenant(), &rows(1));
    fixture.configure(&format!("env:{SECRET_NAME}"), "hunter2-wallaby");
    let said = fixture.run(&PLAN).ends(2).says(&["env:NAME"]);
    assert!(!said.err.contains("wallaby") && !said.out.contains("wallaby"), "{said}");
}

#[test]
fn a_file_that_is_missing_is_named_and_the_way_to_write_one() {
    let fixture = Fixture::with_people(tenant(), &rows(1));
    fixture.run(&["plan", "--config", "other.toml"]).ends(2).says(&["other.toml", "hardmatch init"]);
}

#[test]
fn unknown_words_on_the_command_line_are_usage() {
    let fixture = Fixture::with_people(tenant(), &rows(1));
    fixture.run(&["pln", "--config", "lab.toml"]).ends(2).says(&["pln", "plan"]);
    fixture.run(&["plan", "--config", "lab.toml", "--jsn"]).ends(2).says(&["--jsn", "--json"]);
}

#[test]
fn a_state_path_that_cannot_be_written_is_named() {
    let fixture = Fixture::with_people(tenant(), &rows(1));
    fixture.configure("lab.db", "no/such/folder/lab.db");
    fixture.run(&PLAN).ends(1).says(&["no/such/folder", "does not exist", "state.path"]);
    fixture.configure("lab.db", "source.csv");
    fixture.run(&PLAN).ends(1).says(&["is not a state file", "state.path"]);
    std::fs::create_dir(fixture.path("folder.db")).unwrap();
    fixture.configure("lab.db", "folder.db");
    fixture.run(&PLAN).ends(1).says(&["is a folder", "state.path"]);
    assert_eq!(fixture.world().counters().round_trips, 0, "the tenant is not asked before the state is open");
}

#[test]
fn a_state_file_of_a_newer_version_is_left_as_it_is() {
    let fixture = Fixture::with_people(tenant(), &rows(1));
    fixture.plan();
    let database = rusqlite::Connection::open(fixture.path("lab.db")).unwrap();
    let format: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    database.pragma_update(None, "user_version", format + 1).unwrap();
    drop(database);
    fixture.run(&PLAN).ends(1).says(&["was written by a newer hardmatch", "Use the newer version"]);
}

#[test]
fn o45_a_hash_that_is_no_plans_is_refused_and_the_plan_that_waits_named() {
    let fixture = Fixture::with_people(tenant(), &rows(2));
    let apply = |hash: &str| fixture.run(&["apply", hash, "--config", "lab.toml", "--json"]);
    apply("0123456789abcdef").ends(2).says(&["no plan of connection lab", "hardmatch plan"]);
    let plan = fixture.plan();
    let hash = text(&plan["plan"]);
    apply("0123456789abcdef").ends(2).says(&["no plan of connection lab", hash]);
    apply(&hash[..7]).ends(2);
    assert_eq!(fixture.world().counters().writes, 0);
}

#[test]
fn a_plan_of_another_connection_is_not_applied() {
    let fixture = Fixture::with_people(tenant(), &rows(2));
    let plan = fixture.plan();
    let other = fixture.config().replace("connection = \"lab\"", "connection = \"other\"");
    fixture.write("same-state.toml", &other);
    fixture.write("other.toml", other.replace("lab.db", "other.db"));
    for config in ["other.toml", "same-state.toml"] {
        let said = fixture.run(&["apply", text(&plan["plan"]), "--config", config, "--json"]).ends(2);
        said.says(&["no plan of connection other"]);
    }
    assert_eq!(fixture.world().counters().writes, 0);
}

#[test]
fn o18_a_plan_that_was_made_anew_over_other_facts_does_not_go_under_the_old_hash() {
    let fixture = Fixture::with_people(tenant(), &rows(2));
    let old = fixture.plan();
    fixture.write("source.csv", crate::fixture::csv(&rows(3)));
    let new = fixture.plan();
    assert_ne!(old["plan"], new["plan"]);
    let said = fixture.run(&["apply", text(&old["plan"]), "--config", "lab.toml", "--json"]).ends(2);
    said.says(&["The plan that waits is", text(&new["plan"])]);
    assert_eq!(fixture.world().counters().writes, 0);
}

#[test]
fn k9_the_immutable_id_is_the_guid_in_the_byte_order_of_the_directory() {
    let fixture = Fixture::with_people(tenant(), &rows(2));
    fixture.plan_and_apply();
    let id = fixture.user("person1@contoso.com")["onPremisesImmutableId"].clone();
    let bytes = base64::engine::general_purpose::STANDARD.decode(text(&id)).unwrap();
    // 00000001-1a2b-4c3d-8e4f-0123456789ab
    assert_eq!(bytes, [1, 0, 0, 0, 0x2b, 0x1a, 0x3d, 0x4c, 0x8e, 0x4f, 1, 0x23, 0x45, 0x67, 0x89, 0xab]);
}

#[test]
fn o5_every_property_that_is_read_only_is_refused_by_name() {
    use hardmatch_domain::attribute::Attr;
    let fixture = Fixture::with_people(tenant(), &rows(1));
    let config = std::fs::read_to_string(fixture.path("lab.toml")).unwrap();
    let mut unknown = Vec::new();
    for (name, writable) in hardmatch_sim::user_properties() {
        let mapped = Attr::ALL.iter().any(|attr| attr.member().0 == name)
            || matches!(name, "onPremisesExtensionAttributes" | "manager");
        if mapped {
            assert!(writable || matches!(name, "manager" | "onPremisesExtensionAttributes"), "{name} is read-only");
            continue;
        }
        let text = config.replace("[match]", &format!("[attributes]\n{name} = \"person.city\"\n[match]"));
        let problems = hardmatch_policy::Config::load(&text, "lab.toml", &fixture.path(".")).map(|_| ()).unwrap_err();
        if !problems.to_string().contains("cannot be mapped:") {
            unknown.push(name);
        }
    }
    assert!(unknown.is_empty(), "no reason is given for {unknown:?}");
}
