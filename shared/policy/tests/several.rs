//! `[[source]]` and `[sources]`: several sources of one connection, and what is wrong with them said at its place.

#![expect(clippy::panic, reason = "helpers of tests")]

use std::path::Path;

use hardmatch_policy::{Config, DisabledIn, Location, SamePerson, SeveralSources, explain};

const HEAD: &str = "schema = 1\nconnection = \"c\"\n[tenant]\nid = \"contoso.com\"\ncloud = \"simulated\"\n";
const CORP: &str = "[[source]]\nname = \"corp\"\nkind = \"csv\"\nlocation = \"corp.csv\"\n";
const HR: &str = "[[source]]\nname = \"hr\"\nkind = \"jsonl\"\nlocation = \"hr.jsonl\"\n";

fn loaded(sources: &str) -> Config {
    Config::load(&format!("{HEAD}{sources}"), "hardmatch.toml", Path::new("/srv")).unwrap_or_else(|p| panic!("{p}"))
}

fn several(config: &Config) -> &SeveralSources {
    match &config.source.location {
        Location::Several(several) => several,
        other => panic!("{other}"),
    }
}

fn problem(sources: &str) -> String {
    match Config::load(&format!("{HEAD}{sources}"), "hardmatch.toml", Path::new("/srv")) {
        Ok(_) => panic!("{sources} is taken"),
        Err(problems) => {
            problems.iter().map(|one| format!("{} {}", one.message, one.cure)).collect::<Vec<_>>().join("\n")
        }
    }
}

#[test]
fn several_sources_have_names_an_order_and_what_each_gives() {
    let config = loaded(&format!(
        "{CORP}{HR}people = false\nsame_person = \"pernr\"\n[sources]\nsame_person = \"EmployeeID\"\ndisabled = \"any\"\n[sources.precedence]\njobtitle = \"hr\"\ngroups = [\"hr\", \"corp\"]\n"
    ));
    let several = several(&config);
    assert_eq!(several.parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>(), ["corp", "hr"]);
    assert_eq!(
        several.parts.iter().map(|part| (part.plain_keys, part.adds_people)).collect::<Vec<_>>(),
        [(true, true), (false, false)]
    );
    assert_eq!(several.parts[0].same_person.as_ref().map(SamePerson::name), Some("employeeId"));
    assert_eq!(several.parts[1].same_person, Some(SamePerson::Source("pernr".to_owned())));
    assert_eq!(several.disabled, DisabledIn::Any);
    assert_eq!(several.precedence["jobTitle"], [1]);
    assert_eq!(several.precedence["groups"], [1, 0]);
    assert_eq!(config.source_attributes(), ["pernr"], "what joins is read");
    let words = explain(&config);
    for said in [
        "corp: People are read from the CSV file",
        "jobTitle is taken from hr, and from no other",
        "disabled in any source",
    ] {
        assert!(words.contains(said), "{said}: {words}");
    }
}

#[test]
fn an_anchor_joins_as_an_anchor() {
    let config = loaded(&format!("{CORP}{HR}[sources]\nsame_person = \"ms-ds-consistencyguid\"\n"));
    assert_eq!(several(&config).parts[0].same_person, Some(SamePerson::Anchor("mS-DS-ConsistencyGuid".to_owned())));
}

#[test]
fn what_is_wrong_with_several_sources_is_said_with_its_cure() {
    for (sources, said) in [
        (format!("{CORP}{CORP}"), "two sources are called corp"),
        (format!("{CORP}{}", HR.replace("name = \"hr\"\n", "")), "[[source]] lacks `name`"),
        (format!("{CORP}{}", HR.replace("\"hr\"", "\"h r\"")), "use lower case letters"),
        (format!("{CORP}[[source]]\nname = \"okta\"\nkind = \"scim\"\n"), "give them a connection of their own"),
        (format!("{CORP}{HR}[sources.precedence]\njobTitle = [\"sap\"]\n"), "there is corp, hr"),
        (format!("{CORP}{HR}[sources.precedence]\njobTitel = \"hr\"\n"), "did you mean `jobTitle`?"),
        (format!("{CORP}{HR}[sources.precedence]\njobTitle = []\n"), "names no source"),
        (format!("{CORP}{HR}people = false\n"), "same_person = \"employeeId\""),
        (format!("{CORP}people = false\n"), "no source has people"),
        (
            "[source]\nkind = \"csv\"\nlocation = \"a.csv\"\nname = \"corp\"\n".to_owned(),
            "belongs to one of several sources",
        ),
        ("[source]\nkind = \"csv\"\nlocation = \"a.csv\"\n[sources]\ndisabled = \"any\"\n".to_owned(), "there is one"),
        (format!("{CORP}{HR}filter = \"(a=b)\"\n"), "belongs to kind = \"ldap\""),
    ] {
        let found = problem(&sources);
        assert!(found.contains(said), "{sources}\n{found}");
    }
}
