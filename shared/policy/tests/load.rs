//! Files as operators write them: what is read, what is refused, and in which words.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::path::{Path, PathBuf};

use LeavingAction::{Delete, RemoveLicenses, Suspend};
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::group::GroupKind;
use hardmatch_domain::policy::{
    AccountDeleted, FlowFrom, FlowWhen, LeavingAction, OnConflict, Reenable, SoftDeleted, SoftRule, Stage, Switch,
    WhenEmpty,
};
use hardmatch_policy::{
    ClientSecret, Cloud, Config, DEFAULT_FLOW, Endpoints, Location, Method, Paint, Passwords, ProblemKind, Problems,
    SecretRef, SourceKind,
};
use proptest::prelude::*;

const FIXTURE: &str = include_str!("files/lab.toml");
const DESIGN: &str = include_str!("files/design.toml");
const WRONG: &str = include_str!("files/wrong.toml");

/// The least a file can say.
const LEAST: &str = r#"
schema = 1
connection = "least"
[tenant]
id = "contoso.onmicrosoft.com"
cloud = "simulated"
[source]
kind = "csv"
location = "people.csv"
"#;

fn load(text: &str) -> Result<Config, Problems> {
    Config::load(text, "hardmatch.toml", Path::new("/srv"))
}

fn loaded(text: &str) -> Config {
    load(text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn refused(text: &str) -> Problems {
    match load(text) {
        Ok(_) => panic!("this should be refused:\n{text}"),
        Err(problems) => problems,
    }
}

/// The least file with more below it.
fn with(more: &str) -> String {
    format!("{LEAST}{more}\n")
}

/// The first problem's kind and message.
fn first(text: &str) -> (ProblemKind, String) {
    let problems = refused(text);
    let problem = problems.iter().next().unwrap();
    (problem.kind, format!("{} | {}", problem.message, problem.cure))
}

#[test]
fn people_may_lie_in_a_bucket() {
    let config = loaded(&DESIGN.replace("people.csv", "s3://hr-exports/nightly/people.csv"));
    let (bucket, key) = ("hr-exports".to_owned(), "nightly/people.csv".to_owned());
    assert_eq!(config.source.location, Location::S3 { bucket, key });
    assert!(hardmatch_policy::explain(&config).contains("s3://hr-exports/nightly/people.csv"));
}

#[test]
fn the_lab_file_loads() {
    let config = loaded(FIXTURE);
    assert_eq!(config.connection.as_str(), "lab");
    assert_eq!(config.state_path, Path::new("/srv/lab.db"));
    assert_eq!(config.source.location, Location::File("/srv/source.csv".into()));
    assert_eq!(config.lifecycle.reenable, Reenable::Always);
    let ends = Endpoints { login: "http://127.0.0.1:8400".into(), graph: "http://127.0.0.1:8400".into() };
    assert_eq!(config.tenant.cloud.endpoints(), Some(ends));
    let auth = config.tenant.auth.unwrap();
    let place = SecretRef::Env("HARDMATCH_CLIENT_SECRET".into());
    assert_eq!(auth.method, Method::Secret(ClientSecret { place, expires: None }));
    for kind in ["jsonl", "ldif"] {
        loaded(&FIXTURE.replace("kind = \"csv\"", &format!("kind = \"{kind}\"")));
    }
}

#[test]
fn the_example_of_the_manual_loads() {
    let config = loaded(DESIGN);
    assert_eq!(config.source.columns["department"], "Abteilung");
    assert_eq!(config.source_attributes(), ["costCentre"]);
    let policy = config.policy(7);
    assert_eq!(policy.revision, 7);
    assert_eq!(policy.flow.len(), DEFAULT_FLOW.len() + 1);
    assert!(policy.flow.windows(2).all(|pair| pair[0].to < pair[1].to));
    let mapping = |attr| policy.flow.iter().find(|mapping| mapping.to == attr).unwrap();
    assert!(matches!(mapping(Attr::JobTitle).from, FlowFrom::Expression(_)));
    assert!(matches!(mapping(Attr::City).from, FlowFrom::Same));
    assert_eq!(mapping(Attr::MobilePhone).when_empty, WhenEmpty::Keep);
    assert_eq!(mapping(Attr::City).when_empty, WhenEmpty::Clear);
    assert_eq!(mapping(Attr::DisplayName).when_empty, WhenEmpty::Keep);
    assert_eq!(mapping(Attr::ExtensionAttribute1).when, FlowWhen::Always);
    assert!(policy.flow.iter().all(|mapping| mapping.to != Attr::Mail));
}

/// The least file whose source is a directory, with more below it.
fn with_directory(more: &str) -> String {
    let directory = "kind = \"ldap\"\nlocation = \"ldaps://dc1.example.test\"\nbase = \"dc=x\"\nbind = \"cn=x\"\n\
                     password = \"env:P\"\nca = \"ca.pem\"\n";
    with(more).replace("kind = \"csv\"\nlocation = \"people.csv\"\n", directory)
}

#[test]
fn a_directory_may_be_asked_every_few_minutes() {
    assert!(loaded(LEAST).schedule.is_none());
    let schedule = loaded(&with_directory("[schedule]\nevery = \"5m\"")).schedule.unwrap();
    let every = schedule.every().map(|every| every.to_string());
    assert_eq!((every.as_deref(), schedule.full(), schedule.zone()), (Some("5m"), (2, 30), "UTC"));
    let text = with_directory("[schedule]\nevery = \"2h\"\nfull = \"23:05\"\ntime_zone = \"Europe/Berlin\"");
    let config = loaded(&text);
    let schedule = config.schedule.clone().unwrap();
    assert_eq!((schedule.full(), schedule.zone()), ((23, 5), "Europe/Berlin"));
    let said = hardmatch_policy::explain(&config);
    assert!(said.contains("Every 2h it is asked what changed") && said.contains("23:05"), "{said}");
    assert!(!hardmatch_policy::widens(&loaded(&with_directory("")), &config), "more often is not more people");
}

#[test]
fn a_schedule_that_no_clock_keeps_is_refused() {
    for (more, said) in [
        ("every = \"7m\"", "write \"6m\""),
        ("every = \"often\"", "minutes that divide an hour"),
        ("full = \"2:30\"", "write hours and minutes"),
        ("full = \"24:00\"", "write hours and minutes"),
        ("full = \"02:60\"", "write hours and minutes"),
        ("time_zone = \"Europe/Bonn\"", "`schedule.time_zone` is no time zone"),
        ("evry = \"5m\"", "did you mean"),
    ] {
        let (_, text) = first(&with_directory(&format!("[schedule]\n{more}")));
        assert!(text.contains(said), "{more}: {text}");
    }
}

#[test]
fn a_source_that_tells_no_changes_is_not_asked_every_few_minutes() {
    let (_, text) = first(&with("[schedule]\nevery = \"30m\""));
    assert!(text.contains("asks too often: a file does not tell what changed") && text.contains("\"1h\""), "{text}");
    let hourly = loaded(&with("[schedule]\nevery = \"1h\""));
    assert!(hourly.schedule.is_some());
    let program = with("[schedule]\nevery = \"5m\"").replace("kind = \"csv\"", "kind = \"command\"");
    let (_, text) = first(&program);
    assert!(text.contains("a program prints everybody each time"), "{text}");
    let pushed =
        with("[schedule]\nevery = \"1h\"").replace("kind = \"csv\"\nlocation = \"people.csv\"", "kind = \"scim\"");
    let (_, text) = first(&pushed);
    assert!(text.contains("each is provisioned when they are pushed") && text.contains("remove `every`"), "{text}");
    assert!(loaded(&pushed.replace("every = \"1h\"", "full = \"03:00\"")).schedule.is_some());
}

#[test]
fn what_is_not_said_has_a_default() {
    let config = loaded(LEAST);
    assert_eq!(config.tenant.cloud, Cloud::Simulated { seed: None });
    assert_eq!(config.tenant.cloud.endpoints(), None);
    assert_eq!(config.tenant.auth, None);
    assert_eq!(config.source.kind, SourceKind::Csv);
    assert_eq!((config.source.delimiter, config.source.encoding, config.source.key), (None, None, None));
    assert!(config.scope.is_none());
    assert_eq!(config.anchor.from, ["mS-DS-ConsistencyGuid", "objectGUID"]);
    assert_eq!(config.anchor.on_conflict, OnConflict::Stop);
    assert_eq!(config.matching.soft, [SoftRule::Upn, SoftRule::PrimarySmtp]);
    assert_eq!(config.matching.prove, [Attr::EmployeeId]);
    assert_eq!(config.matching.soft_deleted, SoftDeleted::Restore);
    assert!(!config.matching.merge_synced);
    let suspend = [Stage { action: LeavingAction::Suspend, after_seconds: 0 }];
    let rules = &config.lifecycle;
    assert_eq!(
        (&rules.absent[..], &rules.left_scope[..], &rules.disabled[..]),
        (&suspend[..], &suspend[..], &suspend[..])
    );
    assert!(rules.password_expired.is_empty());
    assert_eq!((rules.account_deleted, rules.reenable), (AccountDeleted::Report, Reenable::Ours));
    assert!(!rules.create_disabled && !rules.revoke_sessions);
    let a = config.actions;
    assert!(
        [a.create, a.update, a.takeover, a.rename, a.enable, a.suspend, a.restore, a.license, a.membership]
            .iter()
            .all(|s| *s == Switch::On)
    );
    assert!([a.delete, a.repair, a.merge, a.purge].iter().all(|s| *s == Switch::Approve));
    assert_eq!((config.guard.max_removals, config.guard.max_removals_percent, config.guard.always_allow), (500, 5, 3));
    assert_eq!(config.state_path, Path::new("/srv/least.db"));
    assert_eq!(config.passwords, Passwords::Discard);
    assert_eq!((config.manager.when, config.manager.when_empty), (FlowWhen::Always, WhenEmpty::Clear));
}

#[test]
fn clouds_have_their_hosts() {
    for (word, login, graph) in [
        ("global", "https://login.microsoftonline.com", "https://graph.microsoft.com"),
        ("usgov", "https://login.microsoftonline.us", "https://graph.microsoft.us"),
        ("usgov-dod", "https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
        ("china", "https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn"),
    ] {
        let text = DESIGN.replace("cloud = \"global\"", &format!("cloud = \"{word}\""));
        let ends = loaded(&text).tenant.cloud.endpoints().unwrap();
        assert_eq!((ends.login.as_str(), ends.graph.as_str()), (login, graph));
    }
}

#[test]
fn plain_http_is_for_this_machine_only() {
    let custom = |url: &str| FIXTURE.replace("graph = \"http://127.0.0.1:8400\"", &format!("graph = \"{url}\""));
    for (url, kept) in [
        ("http://127.0.0.1:8400/", "http://127.0.0.1:8400"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://[::1]:8400", "http://[::1]:8400"),
        ("https://graph.example.com/base/", "https://graph.example.com/base"),
    ] {
        assert_eq!(loaded(&custom(url)).tenant.cloud.endpoints().unwrap().graph, kept);
    }
    for url in [
        "http://graph.example.com",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "ftp://localhost",
        "https://",
        "https://u:hunter2@graph.example.com",
        "https://graph.example.com?x=1",
        "graph.example.com",
        "https://graph.example.com:99999",
        "http://10.0.0.1",
    ] {
        let problems = refused(&custom(url));
        assert_eq!(problems.len(), 1, "{url}");
        assert!(!problems.to_string().contains("hunter2"), "{problems}");
    }
}

#[test]
fn every_word_of_every_choice_is_taken() {
    let taken: &[(&str, &str, &[&str])] = &[
        ("anchor", "on_conflict", &["stop", "tenant-wins", "source-wins"]),
        ("match", "soft_deleted", &["restore", "purge", "wait", "refuse"]),
        ("lifecycle", "absent", &["ignore", "suspend", "remove-licenses", "delete"]),
        ("lifecycle", "left_scope", &["ignore", "suspend", "remove-licenses", "delete"]),
        ("lifecycle", "disabled", &["ignore", "suspend", "remove-licenses", "delete"]),
        ("lifecycle", "password_expired", &["ignore", "suspend", "remove-licenses", "delete"]),
        ("lifecycle", "account_deleted", &["report", "restore", "recreate"]),
        ("lifecycle", "reenable", &["ours", "always"]),
    ];
    for (table, key, words) in taken {
        for word in *words {
            loaded(&with(&format!("[{table}]\n{key} = \"{word}\"")));
        }
        let (kind, _) = first(&with(&format!("[{table}]\n{key} = \"nonsense\"")));
        assert_eq!(kind, ProblemKind::BadValue, "{table}.{key}");
    }
    for action in [
        "create",
        "update",
        "takeover",
        "rename",
        "enable",
        "suspend",
        "restore",
        "license",
        "membership",
        "delete",
        "repair",
        "merge",
        "purge",
    ] {
        for word in ["on", "approve", "off"] {
            loaded(&with(&format!("[actions]\n{action} = \"{word}\"")));
        }
    }
    for (delimiter, kept) in [("auto", None), (",", Some(',')), (";", Some(';')), ("|", Some('|')), ("tab", Some('\t'))]
    {
        assert_eq!(loaded(&with(&format!("delimiter = \"{delimiter}\""))).source.delimiter, kept);
    }
    assert_eq!(loaded(&with("encoding = \"windows-1252\"")).source.encoding.as_deref(), Some("windows-1252"));
}

#[test]
fn a_bucket_without_an_object_is_no_place_of_people() {
    for place in ["s3://bucket/", "s3://Bucket/people.csv", "s3://bucket", "s3:///people.csv"] {
        let (kind, words) = first(&DESIGN.replace("people.csv", place));
        assert_eq!(kind, ProblemKind::BadValue, "{words}");
        assert!(words.contains("s3://my-bucket/people.csv"), "{words}");
    }
}

#[test]
fn known_words_that_are_not_carried_out_say_so() {
    for (text, word) in [
        (DESIGN.replace("kind = \"csv\"", "kind = \"okta\""), "use one of: csv, jsonl, ldif"),
        (DESIGN.replace("kind = \"csv\"", "kind = \"jumpcloud\""), "use one of: csv, jsonl, ldif"),
    ] {
        let (kind, words) = first(&text);
        assert_eq!(kind, ProblemKind::NotAvailable, "{words}");
        assert!(words.contains("this version") && words.contains(word), "{words}");
        assert_eq!(refused(&text).len(), 1, "{}", refused(&text));
    }
}

#[test]
fn o19_leaving_goes_in_stages() {
    let s = |action, days: i64| Stage { action, after_seconds: days * 86_400 };
    for (value, stages) in [
        ("\"ignore\"", vec![]),
        ("\"suspend\"", vec![s(Suspend, 0)]),
        ("\"delete\"", vec![s(Delete, 0)]),
        ("{ action = \"suspend\", after = \"7d\" }", vec![s(Suspend, 7)]),
        ("{ action = \"delete\", after = \"30d\" }", vec![s(Suspend, 0), s(Delete, 30)]),
        (
            "[{ action = \"suspend\", after = \"2d\" }, { action = \"delete\", after = \"30d\" }]",
            vec![s(Suspend, 2), s(Delete, 30)],
        ),
        ("[{ action = \"delete\", after = \"30d\" }]", vec![s(Delete, 30)]),
        ("[\"suspend\", { action = \"delete\", after = \"24h\" }]", vec![s(Suspend, 0), s(Delete, 1)]),
        ("\"remove-licenses\"", vec![s(RemoveLicenses, 0)]),
        ("{ action = \"remove-licenses\", after = \"30d\" }", vec![s(RemoveLicenses, 30)]),
        (
            "[\"suspend\", { action = \"remove-licenses\", after = \"30d\" }, { action = \"delete\", after = \"90d\" }]",
            vec![s(Suspend, 0), s(RemoveLicenses, 30), s(Delete, 90)],
        ),
    ] {
        assert_eq!(loaded(&with(&format!("[lifecycle]\nabsent = {value}"))).lifecycle.absent, stages, "{value}");
    }
    let ninety = loaded(&with("[lifecycle]\nabsent = { action = \"suspend\", after = \"90m\" }"));
    assert_eq!(ninety.lifecycle.absent[0].after_seconds, 5400);
    for value in [
        "[]",
        "[\"ignore\"]",
        "[\"delete\", \"suspend\"]",
        "[\"suspend\", \"suspend\"]",
        "[\"remove-licenses\", \"suspend\"]",
        "[\"delete\", \"remove-licenses\"]",
        "\"remove_licenses\"",
        "3",
        "{ after = \"3d\" }",
        "{ action = \"ignore\", after = \"3d\" }",
        "{ action = \"delete\", after = \"3w\" }",
        "{ action = \"delete\", after = \"-3d\" }",
        "{ action = \"delete\", after = \"d\" }",
        "{ action = \"delete\", after = \"99999999999999999999d\" }",
        "{ action = \"delete\", after = \"9999d\" }",
        "{ action = \"delete\", after = \"3ü\" }",
        "[{ action = \"suspend\", after = \"9d\" }, { action = \"delete\", after = \"3d\" }]",
    ] {
        refused(&with(&format!("[lifecycle]\nabsent = {value}")));
    }
}

const RULES: &str = r#"
[[license]]
sku = " SPE_E3 "
disabled_plans = "SWAY"
when = "'Staff' in person.groups"
[[license]]
sku = "spe_e3"
disabled_plans = ["EXCHANGE_S_ENTERPRISE", "YAMMER_ENTERPRISE"]
when = "person.source['contract'] == 'temp'"
[[license]]
sku = "05E9A617-0261-4CEE-BB44-138D3EF5D965"
when = "true"
[[group]]
name = "All staff"
when = "person.enabled"
[[group]]
name = "Sales"
kind = "microsoft365"
when = "person.department == 'Sales'"
[[group]]
name = "Sales"
kind = "microsoft365"
when = "person.city == 'Oslo'"
"#;

#[test]
fn o22_rules_of_licenses_and_groups_are_read_in_their_order() {
    let config = loaded(&with(RULES));
    let licenses: Vec<(&str, Vec<&str>)> = config
        .licenses
        .iter()
        .map(|rule| (rule.sku.as_str(), rule.without.iter().map(String::as_str).collect()))
        .collect();
    assert_eq!(
        licenses,
        [
            ("SPE_E3", vec!["SWAY"]),
            ("spe_e3", vec!["EXCHANGE_S_ENTERPRISE", "YAMMER_ENTERPRISE"]),
            // An id as the tenant writes it, or nothing would be found by it.
            ("05e9a617-0261-4cee-bb44-138d3ef5d965", vec![]),
        ]
    );
    let groups: Vec<(&str, GroupKind)> = config.groups.iter().map(|rule| (rule.name.as_str(), rule.kind)).collect();
    assert_eq!(
        groups,
        [("All staff", GroupKind::Security), ("Sales", GroupKind::Microsoft365), ("Sales", GroupKind::Microsoft365)]
    );
    assert_eq!(config.source_attributes(), ["contract"], "what rules read is read from the source");
    let policy = config.policy(1);
    assert_eq!((policy.licenses.len(), policy.groups.len()), (3, 3));
    assert_eq!(policy.licenses[0].when.text(), "'Staff' in person.groups");
}

#[test]
fn o22_what_is_wrong_with_rules_is_said_at_once_and_with_its_cure() {
    let long = "x".repeat(257);
    let text = with(&format!(
        r#"
[[license]]
disabled_plans = []
[[license]]
sku = ""
when = "person.enabled"
[[license]]
sku = "SPE_E3"
plans = ["SWAY"]
disabled_plans = ["SWAY", "sway"]
when = "person.departmnt == 'x'"
[[license]]
sku = "SPE_E5"
disabled_plans = 3
when = "person.department"
[[license]]
sku = "SPB"
when = "'A' in person.groups"
[[license]]
sku = "spb"
disabled_plans = ["SWAY"]
when = "'A' in person.groups"
[[group]]
kind = "distribution"
when = ""
[[group]]
name = "  "
when = "true"
[[group]]
name = "{long}"
when = "true"
[[group]]
name = "Sales"
when = "person.department == 'Sales'"
[[group]]
name = "Sales"
kind = "microsoft365"
when = "person.city == 'Oslo'"
[[group]]
name = "sales"
when = "person.city == 'Oslo'"
[[group]]
name = "Sales"
when = "person.department == 'Sales'"
"#
    ));
    insta::assert_snapshot!("rules_lines", refused(&text).lines());
    for (one, cure) in [
        ("[license]\nsku = \"SPB\"\nwhen = \"true\"", "write [[license]], with two brackets"),
        ("[group]\nname = \"S\"\nwhen = \"true\"", "write [[group]], with two brackets"),
        ("[actions]\nlicenses = \"off\"", "did you mean `license`?"),
    ] {
        let (_, words) = first(&with(one));
        assert!(words.contains(cure), "{words}");
    }
    for neighbours in ["license = []", "license = [3]", "group = \"x\""] {
        let top = LEAST.replacen("schema = 1", &format!("schema = 1\n{neighbours}"), 1);
        assert_eq!(load(&top).is_ok(), neighbours.ends_with("[]"), "{neighbours}");
    }
}

#[test]
fn a_name_of_256_characters_is_the_longest_of_a_group() {
    let group = |length: usize| with(&format!("[[group]]\nname = \"{}\"\nwhen = \"true\"", "ü".repeat(length)));
    loaded(&group(256));
    refused(&group(257));
}

#[test]
fn k22_a_rule_that_names_a_directory_role_is_refused() {
    for rule in ["[[group]]\nname = \"Global Administrator\"", "[[license]]\nsku = \" user administrator \""] {
        let (_, words) = first(&with(&format!("{rule}\nwhen = \"true\"")));
        assert!(words.contains("roles are never given by rule") && words.contains("by hand"), "{words}");
    }
    loaded(&with("[[group]]\nname = \"Administrators\"\nwhen = \"true\""));
}

#[test]
fn o5_what_graph_does_not_let_us_write_is_refused() {
    for (name, why) in [
        ("accountEnabled", "[lifecycle] alone"),
        ("onPremisesImmutableId", "joining and repair alone"),
        ("proxyAddresses", "Graph does not let anybody write it"),
        ("assignedLicenses", "[[license]] rules"),
        ("memberOf", "[[group]] rules"),
        ("jobTittle", "did you mean `jobTitle`?"),
        ("title", "as Microsoft Graph names it"),
    ] {
        let (_, words) = first(&with(&format!("[attributes]\n{name} = \"person.jobTitle\"")));
        assert!(words.contains(why), "{name}: {words}");
    }
}

#[test]
fn an_attribute_can_be_left_out_or_only_started() {
    let config = loaded(&with(
        "[attributes]\ncity = { flow = \"never\" }\nmail = { flow = \"initial\" }\nmanager = { flow = \"never\" }",
    ));
    let policy = config.policy(1);
    let when = |attr| policy.flow.iter().find(|mapping| mapping.to == attr).map(|mapping| mapping.when);
    assert_eq!(when(Attr::City), Some(FlowWhen::Never));
    assert_eq!(when(Attr::Mail), Some(FlowWhen::Initial));
    assert_eq!(policy.manager.when, FlowWhen::Never);
}

#[test]
fn every_problem_is_reported_at_once() {
    let problems = refused(WRONG);
    insta::assert_snapshot!("all_at_once_lines", problems.lines());
    insta::assert_snapshot!("all_at_once_pictures", problems.pictures(Paint::Plain));
}

#[test]
fn missing_parts_are_named_once() {
    insta::assert_snapshot!("empty_file", refused("").lines());
    insta::assert_snapshot!(
        "missing_keys",
        refused("schema = 1\nconnection = \"x\"\n[tenant]\n[tenant.auth]\n[source]\n").lines()
    );
    insta::assert_snapshot!(
        "wrong_tables",
        refused(
            "schema = \"1\"\nconnection = 3\ntenant = \"x\"\nsource = []\nscope = 1\nattributes = 1\nlicense = 1\n"
        )
        .lines()
    );
}

#[test]
fn a_newer_file_is_not_picked_apart() {
    let problems = refused("schema = 2\nfuture = \"x\"\n[tenant]\nshape = 1\n");
    insta::assert_snapshot!("newer", problems.to_string());
}

#[test]
fn broken_toml_is_shown() {
    insta::assert_snapshot!("broken", refused("schema = 1\nconnection = \"lab\n[tenant\nid = 3 4\n").to_string());
    insta::assert_snapshot!("twice", refused("schema = 1\nschema = 1\n").to_string());
}

#[test]
fn a_literal_secret_is_never_echoed() {
    let secrets = [
        "hunter2~literal",
        "env:",
        "env:hunter2-1",
        "env:1hunter2",
        "file:",
        "secretsmanager:hunter2",
        "secretsmanager:arn:aws:iam::1:hunter2",
        "hunter2ü",
        "ENV:hunter2",
    ];
    for secret in secrets {
        let text = DESIGN.replace("env:HARDMATCH_CLIENT_SECRET", secret);
        let problems = refused(&text);
        let problem = problems.iter().next().unwrap();
        assert_eq!((problem.kind, problem.line), (ProblemKind::LiteralSecret, 10), "{secret}");
        assert!(problem.cure.contains("env:NAME"));
        let all = format!("{problems} {problems:?} {} {}", problems.lines(), problems.pictures(Paint::Colour));
        assert!(!all.contains("hunter2"), "{secret}: {all}");
    }
    // The same in places and forms where nobody looks for it.
    for text in [
        DESIGN.replace("secret = \"env:HARDMATCH_CLIENT_SECRET\"", "secrt = \"hunter2\""),
        DESIGN.replace("secret = \"env:HARDMATCH_CLIENT_SECRET\"", "secret = \"hunter2"),
        DESIGN.replace("secret = \"env:HARDMATCH_CLIENT_SECRET\"", "secret = \"\"\"\nhunter2\nhunter2\"\"\""),
        DESIGN.replace("secret = \"env:HARDMATCH_CLIENT_SECRET\"", "secret = '''\nhunter2\nhunter2"),
        DESIGN.replace("secret = \"env:HARDMATCH_CLIENT_SECRET\"", "secret = hunter2"),
        DESIGN.replace("secret = \"env:HARDMATCH_CLIENT_SECRET\"", "secret = [\"hunter2\"]"),
        DESIGN.replace("secret = \"env:HARDMATCH_CLIENT_SECRET\"", "secret = { value = \"hunter2\" }"),
        DESIGN.replace(
            "secret = \"env:HARDMATCH_CLIENT_SECRET\"",
            "client_secret = { value = [\"hunter2\"] }\nsecret = 3",
        ),
        DESIGN.replace("0f6b6c1d-7d0a-4f4e-8a51-2f6d1f3b9c77", "hunter2"),
        DESIGN.replace("[tenant.auth]", "[tenant.auth]\nsecret = \"hunter2\""),
        DESIGN.replace("secret = \"env:HARDMATCH_CLIENT_SECRET\"", "\"secret\" = \"hunter2\"\nbroken ="),
        DESIGN.replace("schema = 1", "schema = 1\nauth = { secret = \"hunter2\", x = 1"),
        with("[passwords]\ndeliver_to = \"hunter2\""),
    ] {
        let problems = refused(&text);
        let all = format!("{problems} {problems:?} {} {}", problems.lines(), problems.pictures(Paint::Colour));
        assert!(!all.contains("hunter2"), "{all}");
    }
    let picture = refused(&DESIGN.replace("env:HARDMATCH_CLIENT_SECRET", "hunter2~literal")).to_string();
    insta::assert_snapshot!("literal_secret", picture);
}

#[test]
fn a_configuration_prints_no_secret_places() {
    for (text, kept) in [
        ("file:secret.txt", SecretRef::File(PathBuf::from("/srv/secret.txt"))),
        (
            "secretsmanager:arn:aws:secretsmanager:eu-west-1:123456789012:secret:hardmatch-a1b2c3",
            SecretRef::SecretsManager("arn:aws:secretsmanager:eu-west-1:123456789012:secret:hardmatch-a1b2c3".into()),
        ),
    ] {
        let config = loaded(&DESIGN.replace("env:HARDMATCH_CLIENT_SECRET", text));
        assert!(!format!("{config:?}").contains(text));
        let want = Method::Secret(ClientSecret { place: kept, expires: None });
        assert_eq!(config.tenant.auth.unwrap().method, want);
    }
}

#[test]
fn names_of_connections_and_tenants_are_checked() {
    for name in ["a", "Con_1.x-y", &"n".repeat(64)] {
        loaded(&LEAST.replace("\"least\"", &format!("\"{name}\"")));
    }
    for name in ["", " ", "a b", "ü", "a/b", "a#b", &"n".repeat(65)] {
        refused(&LEAST.replace("\"least\"", &format!("\"{name}\"")));
    }
    for id in ["5F0D2C1E-6A0B-4C7E-9B6E-0A1B2C3D4E5F", "Contoso.Example", "a-b.onmicrosoft.com"] {
        assert_eq!(loaded(&LEAST.replace("contoso.onmicrosoft.com", id)).tenant.id, id.to_lowercase());
    }
    for id in [
        "common",
        "organizations",
        "contoso",
        "-a.com",
        "a..com",
        "a b.com",
        "5f0d2c1e6a0b4c7e9b6e0a1b2c3d4e5",
        "x@y.com",
    ] {
        refused(&LEAST.replace("contoso.onmicrosoft.com", id));
    }
}

#[test]
fn faults_of_expressions_are_shown_where_they_are() {
    for (value, under) in [
        ("\"person.departmnt == ''\"", "departmnt"),
        ("'person.departmnt == \"\"'", "departmnt"),
        ("'''\nperson.enabled &&\n  person.departmnt == \"\"'''", "departmnt"),
        // With an escape the places do not fit any more: the whole value is shown.
        ("\"person.departmnt == \\\"\\\"\"", "\"person.departmnt == \\\"\\\"\""),
    ] {
        let text = with(&format!("[scope]\ninclude = {value}"));
        let problems = refused(&text);
        let problem = problems.iter().next().unwrap();
        let line = text.lines().nth(problem.line - 1).unwrap();
        let shown: String = line.chars().skip(problem.column - 1).take(under.chars().count()).collect();
        assert_eq!(shown, under, "{problems}");
    }
}

#[test]
fn columns_are_known_attributes_in_any_case() {
    let config = loaded(&with(
        "columns = { DEPARTMENT = \"Abteilung\", employeeID = \"Nr\", groups = \"Gruppen\" }\nkey = \"Nr\"",
    ));
    assert_eq!(config.source.columns.keys().collect::<Vec<_>>(), ["department", "employeeID", "groups"]);
    assert_eq!(config.source.key.as_deref(), Some("Nr"));
    let (_, words) = first(&with("columns = { departmnt = \"x\" }"));
    assert!(words.contains("did you mean `department`?"), "{words}");
    // One column may fill several attributes.
    let config = loaded(&with("columns = { userPrincipalName = \"E-Mail\", mail = \"E-Mail\" }"));
    assert_eq!(config.source.columns["userPrincipalName"], config.source.columns["mail"]);
}

#[test]
fn words_for_yes_and_no_belong_to_switches() {
    let config = loaded(&with("columns = { active = { from = \"Status\", yes = [\"Aktiv\"], no = \"Ausgetreten\" } }"));
    assert_eq!(config.source.columns["active"], "Status");
    assert_eq!(
        (&config.source.words["active"].yes[..], &config.source.words["active"].no[..]),
        (&["Aktiv".to_owned()][..], &["Ausgetreten".to_owned()][..])
    );
    for (columns, words) in [
        ("{ department = { from = \"x\", yes = [\"a\"], no = [\"b\"] } }", "no yes or no"),
        ("{ active = { from = \"x\", yes = [\"a\"] } }", "`no`"),
        ("{ active = { yes = [\"a\"], no = [\"b\"] } }", "`from`"),
        ("{ active = { from = \"x\", yes = [\"A\"], no = [\"a\"] } }", "means yes and no"),
    ] {
        let (_, said) = first(&with(&format!("columns = {columns}")));
        assert!(said.contains(words), "{columns}: {said}");
    }
}

#[test]
fn first_and_last_days_are_expressions_in_a_time_zone() {
    let config = loaded(&with(
        "[lifecycle]\nstarts = \"date(person.source['Hire Date'], 'DD/MM/YYYY')\"\nends = \"person.source['End']\"\ntime_zone = \"Europe/Berlin\"",
    ));
    assert_eq!(config.source_attributes(), ["End", "Hire Date"]);
    assert_eq!(config.starts.unwrap().zone(), "Europe/Berlin");
    for (line, words) in [
        ("time_zone = \"Berlin\"", "no time zone"),
        ("starts = \"now()\"", "now"),
        ("ends = \"person.enabled\"", "text"),
    ] {
        let (_, said) = first(&with(&format!("[lifecycle]\n{line}")));
        assert!(said.contains(words), "{line}: {said}");
    }
}

#[test]
fn a_tenant_that_is_not_filled_in_is_fine_while_it_is_simulated() {
    let config = loaded(&LEAST.replace("contoso.onmicrosoft.com", "CHANGE-ME"));
    assert_eq!(config.tenant.id, "simulated.onmicrosoft.com");
    let real = LEAST.replace("contoso.onmicrosoft.com", "CHANGE-ME").replace("simulated", "global");
    let said = refused(&real).lines();
    assert!(said.contains("not filled in"), "{said}");
}

#[test]
fn pictures_keep_what_is_no_secret() {
    let problems = refused(&with(
        "[scope]\ninclude = \"person.passwordExpired == 'x'\"\n[lifecycle]\npassword_expired = \"suspned\"",
    ));
    let all = problems.to_string();
    assert!(all.contains("person.passwordExpired == 'x'") && all.contains("suspned"), "{all}");
}

#[test]
fn every_source_attribute_is_listed_once() {
    let mut names: Vec<String> = hardmatch_policy::SOURCE_ATTRIBUTES.iter().map(|name| name.to_lowercase()).collect();
    names.sort();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    for attr in Attr::ALL.iter().filter(|attr| attr.extension_number().is_none()) {
        assert!(names.contains(&attr.name().to_lowercase()), "{attr}");
    }
}

#[test]
fn files_with_windows_line_ends_and_byte_order_marks_load() {
    loaded(&DESIGN.replace('\n', "\r\n"));
    loaded(&format!("\u{feff}{DESIGN}"));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let _ = load(&text).map_err(|problems| problems.to_string());
    }

    #[test]
    fn no_value_makes_it_panic(key in "[a-z_]{1,12}", value in toml_value(), at in 0usize..40) {
        // Every line of a good file in turn is replaced, so that each reader meets each type.
        for file in [DESIGN, FIXTURE] {
            let lines: Vec<String> = file.lines().enumerate().map(|(number, line)| match line.split_once(" = ") {
                Some((own, _)) if number == at => format!("{own} = {value}"),
                _ if number == at && !line.starts_with('[') => format!("{key} = {value}"),
                _ => line.to_owned(),
            }).collect();
            if let Err(problems) = load(&lines.join("\n")) {
                prop_assert!(!problems.is_empty());
                prop_assert!(!problems.to_string().is_empty());
            }
        }
    }

    #[test]
    fn no_expression_makes_it_panic(expression in expression()) {
        let value = toml::Value::String(expression).to_string();
        let _ = load(&with(&format!("[scope]\ninclude = {value}"))).map_err(|problems| problems.to_string());
    }

    #[test]
    fn cut_files_never_panic(end in 0usize..DESIGN.len()) {
        if let Some(text) = DESIGN.get(..end) {
            let _ = load(text).map_err(|problems| problems.to_string());
        }
    }
}

/// Any TOML value, small, nested a little.
fn toml_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(|flag| flag.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        Just("1.5".to_owned()),
        Just("2026-01-01".to_owned()),
        "\\PC{0,12}".prop_map(|text| toml::Value::String(text).to_string()),
        Just("\"delete\"".to_owned()),
        Just("\"'''\"".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(", "))),
            proptest::collection::btree_map("(action|after|from|flow|when_empty|[a-z]{1,4})", inner, 0..3).prop_map(
                |pairs| {
                    let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{key} = {value}")).collect();
                    format!("{{ {} }}", pairs.join(", "))
                }
            ),
        ]
    })
}

/// Something like an expression.
fn expression() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("person".to_owned()),
        Just(".groups".to_owned()),
        Just(".department".to_owned()),
        Just("source".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just("(".to_owned()),
        Just(")".to_owned()),
        Just("'a'".to_owned()),
        Just(" in ".to_owned()),
        Just(" && ".to_owned()),
        Just("==".to_owned()),
        Just("!".to_owned()),
        Just(".exists(g, ".to_owned()),
        Just(".matches(".to_owned()),
        Just("ü".to_owned()),
        Just("\"".to_owned()),
        Just("?".to_owned()),
        Just(":".to_owned()),
        Just("1".to_owned()),
        Just("has(".to_owned()),
        "\\PC{1,3}",
    ];
    proptest::collection::vec(part, 0..16).prop_map(|parts| parts.concat())
}

#[test]
fn o5_lists_and_members_of_org_data_can_be_mapped() {
    let config = loaded(&with(
        "[attributes]\notherMails = \"person.source['private']\"\npasswordPolicies = \"'DisablePasswordExpiration'\"\nemployeeOrgData.division = \"person.department\"\n\"employeeOrgData.costCenter\" = \"person.source['cc']\"",
    ));
    for attr in [Attr::OtherMails, Attr::PasswordPolicies, Attr::Division, Attr::CostCenter] {
        assert!(config.attributes.contains_key(&attr), "{attr}");
    }
    let problems = refused(&with(
        "[attributes]\nemployeeOrgData.nothing = \"person.department\"\nextension_0a_x = \"person.city\"",
    ));
    let all = problems.to_string();
    assert!(all.contains("nothing") && all.contains("directory extension"), "{all}");
}

fn extension(own: &str) -> String {
    format!("extension_b7d8e648520f41d3b9c0fdeb91768a0a_{own}")
}

#[test]
fn o5_directory_extensions_can_be_mapped_by_their_names() {
    let (badge, floor, off) = (extension("badge"), extension("floor_2"), extension("off"));
    let config = loaded(&with(&format!(
        "[attributes]\n{badge} = \"person.source['badge']\"\n{floor} = {{ from = \"person.city\", flow = \"initial\", when_empty = \"keep\" }}\n{off} = {{ flow = \"never\" }}"
    )));
    let names: Vec<&str> = config.directory_extensions().iter().map(|extension| extension.name()).collect();
    assert_eq!(names, [&badge, &floor]);
    let policy = config.policy(1);
    let mapped = |name: &str| policy.flow.iter().find(|mapping| mapping.to.name() == name).unwrap();
    assert_eq!((mapped(&badge).when, mapped(&badge).when_empty), (FlowWhen::Always, WhenEmpty::Clear));
    assert_eq!((mapped(&floor).when, mapped(&floor).when_empty), (FlowWhen::Initial, WhenEmpty::Keep));
    let words = hardmatch_policy::explain(&config);
    assert!(words.contains(&badge), "{words}");
}

#[test]
fn o5_a_directory_extension_that_cannot_be_mapped_says_why() {
    let said = |lines: &str| refused(&with(&format!("[attributes]\n{lines}"))).lines();
    let upper = extension("x").replace("b7d8", "B7D8");
    for bad in [upper, extension("a-b"), "extension_badge".to_owned(), extension("")] {
        let said = said(&format!("{bad} = \"person.city\""));
        assert!(
            said.contains("not the name of a directory extension") && said.contains("extensionProperties"),
            "{said}"
        );
    }
    let said_of_none = said(&format!("{} = {{ flow = \"always\" }}", extension("x")));
    assert!(said_of_none.contains("does not say where its value comes from"), "{said_of_none}");
    let many: Vec<String> = (0..33).map(|n| format!("{} = \"person.city\"", extension(&format!("n{n}")))).collect();
    assert!(said(&many.join("\n")).contains("maps 33 directory extensions: one configuration maps at most 32"));
    loaded(&with(&format!("[attributes]\n{}", many[..32].join("\n"))));
}

#[test]
fn a_directory_is_named_by_its_servers_or_by_its_domain() {
    let directory = |location: &str, more: &str| {
        let source = format!(
            "kind = \"ldap\"\nlocation = \"{location}\"\nbase = \"DC=x\"\nbind = \"svc@x\"\npassword = \"env:P\"\nca = \"ca.pem\"\n{more}"
        );
        LEAST.replace("kind = \"csv\"\nlocation = \"people.csv\"", &source)
    };
    let domain = loaded(&directory("corp.example.test", "nameserver = \"127.0.0.1:5353\""));
    assert_eq!(domain.source.location, Location::Directory(vec!["corp.example.test".to_owned()]));
    let nameserver = domain.source.directory.unwrap().nameserver.unwrap();
    assert_eq!(nameserver.to_string(), "127.0.0.1:5353");
    let plain = loaded(&directory("ldaps://dc1.corp.test ldap://dc2.corp.test:389", "nameserver = \"10.0.0.2\""));
    assert_eq!(plain.source.directory.unwrap().nameserver.unwrap().port(), 53);
    for wrong in ["corp", "dc1.corp.test:636", "10.0.0.2", "https://corp.test", "corp..test", "svc@corp.test", ""] {
        assert!(load(&directory(wrong, "")).is_err(), "{wrong}");
    }
    assert!(first(&directory("corp.test", "nameserver = \"dns.corp.test\"")).1.contains("`source.nameserver`"));
    assert!(first(&with("nameserver = \"10.0.0.2\"")).1.contains("belongs to kind = \"ldap\""));
}

#[test]
fn o31_a_group_of_the_directory_is_named_by_its_guid() {
    const ID: &str = "8C1FA4B0-1111-4222-8333-000000000001";
    let config = loaded(&with(&format!(
        "[scope]\ninclude = \"'{ID}' in person.groups\"\n[[group]]\nname = \"{ID}\"\nmembers_of = \"{ID}\""
    )));
    assert_eq!(config.groups[0].when.written(), format!("'{}' in person.groups", ID.to_lowercase()));
    assert_eq!(config.groups[0].name, ID.to_lowercase(), "as the tenant writes ids");
    let ids = config.group_ids();
    assert_eq!(ids, [ID.into(), ID.to_lowercase().into()], "as the rules write them");
    assert!(loaded(&with("[scope]\ninclude = \"person.city == 'x'\"")).group_ids().is_empty());
    for (more, said) in [
        ("members_of = \"Sales\"", "names change"),
        ("members_of = 3", "a text belongs"),
        ("members_of = \"8c1fa4b0-1111-4222-8333-000000000001\"\nwhen = \"true\"", "write one of the two"),
        ("", "lacks `when`"),
    ] {
        let found = refused(&with(&format!("[[group]]\nname = \"S\"\n{more}"))).to_string();
        assert!(found.contains(said), "{more}: {found}");
    }
}
