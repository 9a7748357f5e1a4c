//! What is made from a good file: its words, its form, its rules tried out, its versions compared.

#![expect(clippy::panic, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::path::Path;

use hardmatch_domain::attribute::{Attr, Attributes, Texts};
use hardmatch_domain::ids::PersonKey;
use hardmatch_domain::person::{Addresses, Extra, Person};
use hardmatch_policy::{
    Config, Given, Problems, SourceKind, TemplateColumn, TemplateColumns, TraceOutcome, YesNo, entitlements, explain,
    json_schema, policy_hash, template, test_rules, widens,
};
use serde_json::Value;

const FIXTURE: &str = include_str!("files/lab.toml");
const DESIGN: &str = include_str!("files/design.toml");

/// Rules below a file: two of one licence, three of one group.
const RULES: &str = r#"
[[license]]
sku = "SPE_E3"
when = "person.jobTitle == 'Engineer'"
[[license]]
sku = "spe_e3"
disabled_plans = ["SWAY", "YAMMER_ENTERPRISE"]
when = "'Office 365' in person.groups"
[[license]]
sku = "VISIOCLIENT"
when = "person.department == 'Design'"
[[license]]
sku = "POWER_BI_PRO"
when = "person.department.substring(99) == 'x'"
[[group]]
name = "Compilers"
kind = "microsoft365"
when = "person.department.substring(99) == 'x'"
[[group]]
name = "Compilers"
kind = "microsoft365"
when = "person.department == 'Compilers'"
[[group]]
name = "Compilers"
kind = "microsoft365"
when = "person.city == 'Oslo'"
[[group]]
name = "Oslo"
when = "person.city == 'Oslo'"
"#;

fn load(text: &str) -> Result<Config, Problems> {
    Config::load(text, "hardmatch.toml", Path::new("/srv"))
}

fn loaded(text: &str) -> Config {
    load(text).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn c_15_a_file_says_in_words_what_it_will_do() {
    insta::assert_snapshot!("explained_design", explain(&loaded(DESIGN)));
    insta::assert_snapshot!("explained_lab", explain(&loaded(FIXTURE)));
    insta::assert_snapshot!("explained_rules", explain(&loaded(&format!("{FIXTURE}{RULES}"))));
}

/// Every path of keys that the schema knows, with the schema of each.
fn paths<'a>(schema: &'a Value, at: &[String], found: &mut Vec<(Vec<String>, &'a Value)>) {
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        let mut path = at.to_vec();
        path.push(name.clone());
        found.push((path.clone(), below));
        paths(below, &path, found);
        // The tables of a list, and a source that may stand alone or several times.
        paths(&below["items"], &path, found);
        if name == "source" {
            paths(&below["oneOf"][0], &path, found);
        }
    }
}

#[test]
fn schema_and_loader_know_the_same_keys() {
    let schema = json_schema();
    let mut found = Vec::new();
    paths(&schema, &[], &mut found);
    assert!(found.len() > 150, "{}", found.len());
    for (path, below) in &found {
        // A table within a table; its own keys are looked at below.
        if path[0] == "attributes" && below["properties"].is_object() && path.len() > 1 {
            continue;
        }
        assert!(
            below["description"].is_string() || path[0] == "source" || path[0] == "attributes",
            "{path:?} lacks words"
        );
        let (last, tables) = path.split_last().unwrap();
        // A value of a type that fits nowhere: the loader may complain about anything but the key.
        let known = |key: &str| {
            let header = match tables {
                [] => String::new(),
                [list] if list == "license" || list == "group" => format!("[[{list}]]\n"),
                _ => format!("[{}]\n", tables.join(".")),
            };
            let key = if key.contains('.') { format!("\"{key}\"") } else { key.to_owned() };
            let problems = load(&format!("{header}{key} = 2026-01-01\n")).unwrap_err();
            !problems.iter().any(|problem| problem.kind.as_str() == "unknown-key")
        };
        assert!(known(last), "the loader does not know {path:?}");
        assert!(!known(&format!("{last}x")), "the loader takes {path:?}x");
    }
    // And the other way round: the keys that the loader lists as known are in the schema.
    let top: BTreeSet<&str> =
        found.iter().filter(|(path, _)| path.len() == 1).map(|(path, _)| path[0].as_str()).collect();
    for key in [
        "schema",
        "connection",
        "tenant",
        "source",
        "sources",
        "scope",
        "anchor",
        "match",
        "attributes",
        "lifecycle",
        "actions",
        "guard",
        "license",
        "group",
        "state",
        "passwords",
    ] {
        assert!(top.contains(key), "{key}");
    }
    for (name, table) in [("tenant", &schema["properties"]["tenant"]), ("top", &schema)] {
        assert_eq!(table["additionalProperties"], false, "{name}");
    }
    insta::assert_snapshot!("schema_keys", found.iter().map(|(path, _)| path.join(".")).collect::<Vec<_>>().join("\n"));
}

#[test]
fn defaults_of_the_schema_are_those_of_the_loader() {
    let least = "schema = 1\nconnection = \"x\"\n[tenant]\nid = \"a.b\"\ncloud = \"simulated\"\n[source]\nkind = \"csv\"\nlocation = \"p\"\n";
    let plain = format!("{:?}", loaded(least));
    let schema = json_schema();
    let mut found = Vec::new();
    paths(&schema, &[], &mut found);
    let mut tried = 0;
    for (path, below) in found {
        let default = &below["default"];
        // The default cloud needs a sign-in; it is tried below. `[sources]` needs several.
        if default.is_null() || ["attributes", "tenant", "license", "group", "sources"].contains(&path[0].as_str()) {
            continue;
        }
        let (last, tables) = path.split_last().unwrap();
        let text = match tables {
            [table] if table == "source" => format!("{least}{last} = {default}\n"),
            _ => format!("{least}[{}]\n{last} = {default}\n", tables.join(".")),
        };
        assert_eq!(format!("{:?}", loaded(&text)), plain, "{path:?}");
        tried += 1;
    }
    assert!(tried >= 30, "{tried}");
    let global = DESIGN.replace("cloud = \"global\"\n", "").replace("method = \"secret\"\n", "");
    assert_eq!(format!("{:?}", loaded(&global)), format!("{:?}", loaded(DESIGN)));
}

fn person() -> Person {
    Person {
        key: PersonKey::new("k1"),
        anchors: vec![],
        attributes: Attributes::from_pairs([(Attr::JobTitle, "Engineer"), (Attr::Department, "Compilers")]),
        addresses: Addresses::default(),
        groups: Texts::new(["Office 365"]),
        manager: None,
        enabled: Some(true),
        password_expired: None,
        extra: Extra::new([("costCentre".into(), "4711".into())]),
        given_by: None,
    }
}

#[test]
fn o38_each_rule_says_what_it_makes_of_a_person() {
    let text = DESIGN.replace("person.source['costCentre']", "person.department.substring(99)");
    let traces = test_rules(&loaded(&text), &person());
    insta::assert_json_snapshot!("traces", traces);
    assert!(!format!("{traces:?}").contains("Engineer"));
}

#[test]
fn o37_of_two_rules_of_a_license_the_first_that_fits_is_named() {
    let given = entitlements(&loaded(&format!("{FIXTURE}{RULES}")), &person());
    insta::assert_json_snapshot!("entitlements", given);
    // People whom the first rule does not fit have the plans of the second.
    let other = Person { attributes: Attributes::from_pairs([(Attr::City, "Oslo")]), ..person() };
    let rules = RULES.replace("person.department.substring(99) == 'x'", "false");
    let given = entitlements(&loaded(&format!("{FIXTURE}{rules}")), &other);
    let first = &given.licenses[0];
    assert_eq!((first.given, first.by.as_deref()), (Given::Yes, Some("license.spe_e3#2")));
    assert_eq!(first.without, ["SWAY", "YAMMER_ENTERPRISE"]);
    assert_eq!(given.groups[1].by.as_deref(), Some("group.Oslo"));
    assert!(!given.takes_nothing);
}

#[test]
fn o36_where_a_usage_location_comes_from() {
    let of = |more: &str, location: &str| {
        let attributes = Attributes::from_pairs([(Attr::UsageLocation, location), (Attr::City, "Oslo")]);
        entitlements(&loaded(&format!("{FIXTURE}{more}")), &Person { attributes, ..person() }).usage_location
    };
    assert_eq!(of("", "SE").as_deref(), Some("SE"));
    assert_eq!(of("", ""), None);
    assert_eq!(of("", "Sweden"), None, "Microsoft 365 takes two letters");
    assert_eq!(of("[attributes]\nusageLocation = \"'NO'\"\n", "").as_deref(), Some("NO"));
    assert_eq!(of("[attributes]\nusageLocation = \"person.city\"\n", "SE"), None);
    assert_eq!(of("[attributes]\nusageLocation = { flow = \"never\" }\n", "SE"), None);
}

#[test]
fn each_rule_of_several_is_traced_by_its_own_name() {
    let traces = test_rules(&loaded(&format!("{FIXTURE}{RULES}")), &person());
    let keys: Vec<&str> = traces.iter().map(|trace| trace.key.as_str()).collect();
    assert_eq!(
        &keys[keys.len() - 8..],
        [
            "license.SPE_E3",
            "license.spe_e3#2",
            "license.VISIOCLIENT",
            "license.POWER_BI_PRO",
            "group.Compilers",
            "group.Compilers#2",
            "group.Compilers#3",
            "group.Oslo"
        ]
    );
    let failing = traces.iter().find(|trace| trace.key == "license.POWER_BI_PRO").map(|trace| &trace.outcome);
    assert!(matches!(failing, Some(TraceOutcome::Unknown(_))), "{failing:?}");
}

#[test]
fn o33_another_rule_of_a_license_or_group_stops_to_be_looked_at() {
    let base = format!("{DESIGN}{RULES}");
    let old = loaded(&base);
    let change = |from: &str, to: &str| {
        let text = base.replacen(from, to, 1);
        assert_ne!(text, base, "{from}");
        widens(&old, &loaded(&text))
    };
    let visio = "[[license]]\nsku = \"VISIOCLIENT\"\nwhen = \"person.department == 'Design'\"\n";
    let oslo = "[[group]]\nname = \"Oslo\"\nwhen = \"person.city == 'Oslo'\"\n";
    let sway = "disabled_plans = [\"SWAY\", \"YAMMER_ENTERPRISE\"]\n";
    let first = "[[license]]\nsku = \"SPE_E3\"\nwhen = \"person.jobTitle == 'Engineer'\"\n";
    for (from, to) in [
        (visio, format!("{visio}[[license]]\nsku = \"SPB\"\nwhen = \"person.enabled\"\n")),
        (visio, visio.replace("Design", "Sales")),
        (visio, visio.replace("VISIOCLIENT", "PROJECTPREMIUM")),
        (sway, String::new()),
        (sway, sway.replace("SWAY", "TEAMS1")),
        // People whom only this rule of two fitted lose the licence.
        (first, String::new()),
        (oslo, format!("{oslo}[[group]]\nname = \"Bergen\"\nwhen = \"person.enabled\"\n")),
        (oslo, oslo.replace("city", "state")),
        (oslo, oslo.replace("when", "kind = \"microsoft365\"\nwhen")),
        ("[actions]", "[actions]\nlicense = \"on\"\nmembership = \"on\"".to_owned()),
    ] {
        let wider = change(from, &to);
        assert_eq!(wider, from != "[actions]", "{from} to {to}");
    }
    // What no rule names is left as it is.
    assert!(!change(visio, ""));
    assert!(!change(oslo, ""));
    assert!(widens(&loaded(&base.replace(visio, "")), &old), "and named again it is new");
    // The order of licences among each other says nothing; that of the rules of one does.
    let second = base.replacen(first, "", 1).replacen(visio, &format!("{visio}{first}"), 1);
    assert!(widens(&old, &loaded(&second)));
    assert!(!widens(&old, &loaded(&format!("{}{visio}", base.replace(visio, "")))));
    for switch in ["license", "membership"] {
        let with = |word: &str| loaded(&base.replacen("[actions]", &format!("[actions]\n{switch} = \"{word}\""), 1));
        assert!(widens(&with("off"), &with("approve")) && widens(&with("approve"), &old), "{switch}");
        assert!(!widens(&old, &with("approve")) && !widens(&old, &with("off")), "{switch}");
    }
    let stage = "absent = [\"suspend\", { action = \"remove-licenses\", after = \"30d\" }]";
    let staged = loaded(&base.replacen("absent = \"suspend\"", stage, 1));
    assert!(widens(&old, &staged) && !widens(&staged, &old));
    let sooner = loaded(&base.replacen("absent = \"suspend\"", &stage.replace("30d", "29d"), 1));
    assert!(widens(&staged, &sooner) && !widens(&sooner, &staged));
}

fn detected() -> TemplateColumns {
    TemplateColumns {
        connection: "Contoso \"HR\"".to_owned(),
        tenant: None,
        kind: SourceKind::Csv,
        location: "people's list.csv".to_owned(),
        columns: vec![],
        attributes: vec![],
        starts: None,
        ends: None,
        time_zone: None,
        key: None,
        anchor_from: vec![],
        groups: vec![],
        directory: None,
    }
}

fn column(attribute: &str, column: &str, words: Option<YesNo>) -> TemplateColumn {
    TemplateColumn { attribute: attribute.to_owned(), column: column.to_owned(), words, comment: "why".to_owned() }
}

#[test]
fn the_first_file_loads_as_it_is_written() {
    let text = template(&detected());
    insta::assert_snapshot!("template_least", text);
    let config = loaded(&text);
    assert_eq!(config.connection.as_str(), "Contoso--HR");
    let full = TemplateColumns {
        tenant: Some("contoso.onmicrosoft.com".to_owned()),
        kind: SourceKind::Ldif,
        columns: vec![
            column("department", "Abteilung \\ \"A\"", None),
            column("nonsense", "x", None),
            column("active", "Status", Some(YesNo { yes: vec!["Aktiv".to_owned()], no: vec!["Aus\"".to_owned()] })),
        ],
        attributes: vec![("displayName".to_owned(), "\"person.givenName\"".to_owned(), "none has one".to_owned())],
        starts: Some("date(person.source['Date d\\'entrée'], 'DD/MM/YYYY')".to_owned()),
        key: Some("Nr".to_owned()),
        anchor_from: vec!["objectGUID".to_owned()],
        groups: vec!["it's".to_owned(), "Staff".to_owned()],
        ..detected()
    };
    let text = template(&full);
    insta::assert_snapshot!("template_full", text);
    let config = loaded(&text);
    assert_eq!(config.source.columns["department"], "Abteilung \\ \"A\"");
    assert_eq!(config.anchor.from, ["objectGUID"]);
    assert_eq!(config.source.words["active"].no, ["Aus\""]);
    assert_eq!(config.source_attributes(), ["Date d'entrée"]);
    // The commented lines are as good as the others.
    let uncommented: Vec<&str> = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(code) if (code.contains(" = ") || code.starts_with("[[")) && !code.starts_with("`hardmatch") => code,
            _ => line,
        })
        .collect();
    let whole = loaded(&uncommented.join("\n"));
    assert_eq!((whole.licenses.len(), whole.groups.len()), (1, 1));
    for name in ["", "---", "ü", &"x".repeat(200)] {
        loaded(&template(&TemplateColumns { connection: name.to_owned(), ..detected() }));
    }
}

#[test]
fn the_same_text_has_the_same_hash() {
    let hash = policy_hash(FIXTURE);
    assert_eq!(hash.len(), 64);
    assert_eq!(policy_hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(policy_hash(&FIXTURE.replace('\n', "\r\n")), hash);
    assert_eq!(policy_hash(&format!("\u{feff}{FIXTURE}\n\n")), hash);
    assert_ne!(policy_hash(&FIXTURE.replace("restore", "refuse")), hash);
}

#[test]
fn what_widens_a_policy_stops_to_be_looked_at() {
    let base = loaded(DESIGN);
    let change = |from: &str, to: &str| {
        let text = DESIGN.replacen(from, to, 1);
        assert_ne!(text, DESIGN, "{from}");
        widens(&base, &loaded(&text))
    };
    for (from, to) in [
        ("'Office 365' in", "'Staff' in"),
        ("people.csv", "other.csv"),
        ("\"Abteilung\"", "\"Bereich\""),
        ("contoso.onmicrosoft.com", "fabrikam.onmicrosoft.com"),
        ("cloud = \"global\"", "cloud = \"usgov\""),
        ("\"mS-DS-ConsistencyGuid\", ", ""),
        ("on_conflict = \"stop\"", "on_conflict = \"source-wins\""),
        ("[\"userPrincipalName\", \"primarySmtp\"]", "[\"userPrincipalName\"]"),
        ("prove = [\"employeeId\"]", "prove = []"),
        ("soft_deleted = \"restore\"", "soft_deleted = \"purge\""),
        ("merge_synced = false", "merge_synced = true"),
        ("absent = \"suspend\"", "absent = \"delete\""),
        ("after = \"30d\"", "after = \"29d\""),
        ("password_expired = \"ignore\"", "password_expired = \"suspend\""),
        ("account_deleted = \"report\"", "account_deleted = \"recreate\""),
        ("create_disabled = false", "create_disabled = true"),
        ("reenable = \"ours\"", "reenable = \"always\""),
        ("reenable = \"ours\"", "revoke_sessions = true"),
        ("delete = \"approve\"", "delete = \"on\""),
        ("max_removals = 500", "max_removals = 501"),
        ("max_removals_percent = 5", "max_removals_percent = 6"),
        ("always_allow = 3", "always_allow = 4"),
        ("max_creations_percent = 20", "max_creations_percent = 21"),
        ("max_identity_changes_percent = 20", "max_identity_changes_percent = 21"),
        ("when_empty = \"keep\"", "when_empty = \"clear\""),
        ("extensionAttribute1 = ", "extensionAttribute2 = "),
        ("person.source['costCentre']", "person.source['cc']"),
        ("[attributes]", "[attributes]\nmanager = { flow = \"initial\" }"),
    ] {
        assert!(change(from, to), "{from} to {to}");
    }
    assert!(!widens(&base, &base));
    for (from, to) in [
        ("absent = \"suspend\"", "absent = \"ignore\""),
        ("after = \"30d\"", "after = \"31d\""),
        ("takeover = \"on\"", "takeover = \"approve\""),
        ("rename = \"on\"", "rename = \"off\""),
        ("max_removals = 500", "max_removals = 499"),
        ("always_allow = 3", "always_allow = 0"),
        (
            "mobilePhone = { from = \"person.mobilePhone\", when_empty = \"keep\" }",
            "mobilePhone = { flow = \"never\" }",
        ),
        ("contoso.db", "other.db"),
        ("HARDMATCH_CLIENT_SECRET", "OTHER_SECRET"),
        ("[guard]", "# a comment\n[guard]"),
    ] {
        assert!(!change(from, to), "{from} to {to}");
    }
}
