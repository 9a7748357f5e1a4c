//! Exports of fifteen systems, as people have them: from `init` to a run that finds nothing left to do, without a hand on
//! the file that `init` wrote.

use std::fs;
use std::path::Path;

use hardmatch_ports::Clock as _;
use hardmatch_sim::Seed;
use serde_json::Value;

use crate::fixture::Fixture;

const EXPORTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/exports");

/// An empty folder with one export in it.
fn with(export: &str) -> Fixture {
    let fixture = Fixture::new(Seed::contoso());
    fs::copy(Path::new(EXPORTS).join(export), fixture.path("people.csv")).unwrap();
    fixture
}

/// `column → attributes` of what `init --json` proposes.
fn fills(init: &Value, column: &str) -> Vec<String> {
    let found = init["columns"].as_array().unwrap().iter().find(|row| row["column"] == column);
    let found = found.unwrap_or_else(|| panic!("no column {column} in {init:#}"));
    let mut all: Vec<String> =
        found["attributes"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    all.extend(found["day"].as_str().map(str::to_owned));
    all
}

/// From the file to a quiet second run. Gives what `init` proposed, and the actions of the first plan.
#[track_caller]
fn converges(export: &str, people: u64, created: u64) -> Value {
    let fixture = with(export);
    let init = fixture.run(&["init", "--from", "people.csv", "--json"]).ends(0).json();
    assert_eq!(
        (init["source"]["people"].as_u64(), init["source"]["usable"].as_u64()),
        (Some(people), Some(people)),
        "{init:#}"
    );
    let plan = fixture.run(&["plan", "--json", "--rows"]).ends(0).json();
    assert_eq!(plan["counts"]["by_action"]["create"], created, "{plan:#}");
    assert!(plan["rows"].as_array().unwrap().iter().all(|row| row["reasons"][0]["weight"] != "refused"), "{plan:#}");
    fixture.run(&["apply", plan["plan"].as_str().unwrap(), "--json"]).ends(0);
    let again = fixture.run(&["sync", "--full", "--json"]).ends(0).json();
    assert_eq!((again["status"].as_str(), again["writes"].as_u64()), (Some("converged"), Some(0)), "{again:#}");
    init
}

#[test]
fn a_german_spreadsheet_converges_untouched() {
    let init = converges("01-german-excel.csv", 6, 5);
    assert_eq!(fills(&init, "E-Mail"), ["userPrincipalName", "mail"]);
    assert_eq!(fills(&init, "Vorgesetzter (Personalnummer)"), ["manager"]);
    assert_eq!(fills(&init, "Austrittsdatum"), ["last"]);
    assert_eq!(fills(&init, "Kostenstelle"), Vec::<String>::new());
}

#[test]
fn active_directory_users_converge_untouched() {
    let init = converges("02-get-aduser.csv", 5, 4);
    assert_eq!(fills(&init, "Name"), ["displayName"]);
    assert_eq!(init["key"], "ObjectGUID");
}

#[test]
fn an_hr_systems_report_converges_untouched() {
    let init = converges("03-workday.csv", 5, 4);
    assert_eq!(fills(&init, "Worker Status"), ["active"]);
    assert_eq!(fills(&init, "Hire Date"), ["first"]);
}

#[test]
fn exports_of_twelve_more_systems_converge_untouched() {
    for (export, people, created) in [
        ("04-bamboohr.csv", 5, 4),
        ("05-successfactors.csv", 5, 4),
        ("06-personio.csv", 6, 4),
        ("07-admin-center.csv", 5, 4),
        ("08-csvde.csv", 5, 4),
        ("09-entra-download.csv", 5, 4),
        ("10-french-payroll.csv", 4, 3),
        ("11-spanish-hr.csv", 4, 3),
        ("12-google-workspace.csv", 5, 4),
        ("13-okta.csv", 5, 4),
        ("14-adp.csv", 5, 4),
        ("15-headers-without-names.csv", 4, 4),
    ] {
        converges(export, people, created);
    }
}

#[test]
fn a_file_without_sign_in_names_fails_in_one_sentence() {
    let fixture = with("01-german-excel.csv");
    fixture.write("people.csv", "Personalnummer;Nachname;Vorname\n1;Müller;Jörg\n2;Weiß;Karl\n");
    let said = fixture.run(&["init", "--from", "people.csv"]).ends(2).says(&["can be the sign-in name"]);
    assert_eq!(said.err.trim().lines().count(), 1, "{said}");
    assert!(!fixture.path("hardmatch.toml").exists());
    fixture.write(
        "hardmatch.toml",
        "schema = 1\nconnection = \"x\"\n[tenant]\nid = \"CHANGE-ME\"\ncloud = \"simulated\"\n[source]\nkind = \"csv\"\nlocation = \"people.csv\"\nkey = \"Personalnummer\"\n",
    );
    let said = fixture.run(&["config", "check"]).ends(2).says(&["fills the sign-in name"]);
    assert_eq!(said.err.trim().lines().count(), 1, "{said}");
    let said = fixture.run(&["doctor", "--json"]).ends(3).json();
    assert!(said.to_string().contains("fills the sign-in name"), "{said:#}");
    let said = fixture.run(&["config", "check", "--json"]).ends(2).json();
    assert!(said["error"]["message"].as_str().unwrap().contains("fills the sign-in name"), "{said:#}");
}

#[test]
fn login_names_and_a_domain_make_sign_in_names() {
    let fixture = with("01-german-excel.csv");
    fixture.write(
        "people.csv",
        "Personalnummer;Benutzername;Nachname;Vorname\n1;JMueller;Müller;Jörg\n2;kweiss;Weiß;Karl\n",
    );
    fixture.run(&["init", "--from", "people.csv", "--domain", "contoso.com", "--yes"]).ends(0);
    let plan = fixture.run(&["plan", "--json", "--rows"]).ends(0).json();
    assert!(plan.to_string().contains("jmueller@contoso.com"), "{plan:#}");
}

#[test]
fn rows_that_cannot_be_used_are_named_by_line() {
    let fixture = with("01-german-excel.csv");
    fixture.write("people.csv", "Personalnummer;E-Mail;Name\n1;a@x.example;A\n2;b@x.example;B\n3;no address;C\n4;d@x.example;D\n5;e@x.example;E\n6;f@x.example;F\n7;g@x.example;G\n8;h@x.example;H\n9;i@x.example;I\n10;j@x.example;J\n");
    let said = fixture.run(&["init", "--from", "people.csv", "--yes"]).ends(0);
    assert!(said.out.contains("9 of 10 usable; line 4"), "{said}");
    let said = fixture.run(&["config", "check"]).ends(0);
    assert!(said.out.contains("9 of 10 usable; line 4"), "{said}");
}

#[test]
fn a_plan_says_by_its_exit_status_whether_there_are_changes() {
    let fixture = with("12-google-workspace.csv");
    fixture.run(&["init", "--from", "people.csv", "--yes"]).ends(0);
    let plan = fixture.run(&["plan", "--detailed-exitcode"]).ends(4);
    let hash = plan.out.split("hardmatch apply ").nth(1).unwrap().trim().to_owned();
    assert!(plan.out.contains("        4  create\n        1  skipped\n        5  people in all\n"), "{plan}");
    fixture.run(&["apply", &hash]).ends(0);
    let plan = fixture.run(&["plan", "--detailed-exitcode"]).ends(0);
    assert!(plan.out.starts_with("No changes. 5 people, "), "{plan}");
    assert!(!plan.out.contains("hardmatch apply"), "{plan}");
}

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let fixture = with("12-google-workspace.csv");
    let full = fs::OpenOptions::new().write(true).open("/dev/full");
    let Ok(full) = full else { return };
    let status =
        fixture.command(&["config", "schema"]).stdout(full).stderr(std::process::Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn errors_are_documents_where_a_document_was_asked_for() {
    let fixture = with("12-google-workspace.csv");
    let said = fixture.run(&["plan", "--json"]).ends(2).json();
    assert_eq!(said["error"]["exit_status"], 2);
    let said = fixture.run(&["plan", "--json", "--nonsense"]).ends(2).json();
    assert!(said["error"]["message"].as_str().unwrap().contains("--nonsense"), "{said:#}");
}

#[test]
fn another_default_for_the_file_comes_from_the_environment() {
    let fixture = with("12-google-workspace.csv");
    fixture.run(&["init", "--from", "people.csv", "--yes", "--config", "other.toml"]).ends(0);
    let mut command = fixture.command(&["config", "check"]);
    let said = Fixture::finish(command.env("HARDMATCH_CONFIG", "other.toml")).ends(0);
    assert!(said.out.starts_with("other.toml: good"), "{said}");
}

#[test]
fn what_is_acknowledged_does_not_set_the_exit_status_until_facts_change() {
    let fixture = with("12-google-workspace.csv");
    let header = "Employee ID,Email,First Name,Last Name,Department\n";
    let nobody = "3,c@nowhere.invalid,Cy,Young,Sales\n";
    fixture.write(
        "people.csv",
        format!("{header}1,a@x.example,Ada,Lovelace,Sales\n2,b@x.example,Bo,Derek,Sales\n{nobody}"),
    );
    fixture.run(&["init", "--from", "people.csv", "--yes"]).ends(0);
    // A tenant of the file's own has every domain of it, so one that is not verified comes later.
    let hash = fixture.run(&["plan", "--json"]).ends(0).json()["plan"].as_str().unwrap().to_owned();
    fixture.run(&["apply", &hash]).ends(0);
    let contested = "4,a@x.example,Ava,Lovelace,Sales\n";
    fixture.write(
        "people.csv",
        format!("{header}1,a@x.example,Ada,Lovelace,Sales\n2,b@x.example,Bo,Derek,Sales\n{nobody}{contested}"),
    );
    fixture.run(&["sync"]).ends(3);
    let wrong = ["acknowledge", "4", "--until", "2020-01-01", "--comment", "known"];
    fixture.run(&wrong).ends(2).says(&["is over"]);
    fixture.run(&["acknowledge", "1", "--until", "2020-01-01"]).ends(2);
    let day = hardmatch_runtime::RealClock.now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let day = day.checked_add(jiff::Span::new().days(30)).unwrap().to_string();
    for who in ["4", "1"] {
        let said = fixture.run(&["acknowledge", who, "--until", &day, "--comment", "HR corrects it"]);
        assert!(said.code == Some(0) || said.err.contains("needs nobody"), "{said}");
    }
    for command in ["plan", "sync"] {
        let said = fixture.run(&[command, "--full"]).ends(0);
        assert!(said.out.contains("  acknowledged\n") && said.out.contains("HR corrects it"), "{said}");
    }
    let run = fixture.run(&["runs", "show", "--json"]).ends(0).json();
    assert_eq!((&run["attention"], run["status"].as_str()), (&0.into(), Some("converged")), "{run}");
    assert!(run["acknowledged"].as_u64() >= Some(1), "{run}");
    let page = fs::read_to_string(fixture.path(run["report"].as_str().unwrap())).unwrap();
    assert!(page.contains(&format!("Acknowledged until {day} by ")) && page.contains("HR corrects it"));
    fixture.run(&["acknowledge", "4", "--withdraw"]).ends(0);
    fixture.run(&["plan", "--full"]).ends(3);
    fixture.run(&["sync", "--full"]).ends(3);
}

/// Every run of twelve hexadecimal digits: hashes differ from state to state.
fn masked(text: &str) -> String {
    let hash = |word: &str| word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let line =
        |line: &str| line.split(' ').map(|word| if hash(word) { "HASH" } else { word }).collect::<Vec<_>>().join(" ");
    text.lines().filter(|line| !line.starts_with("Report: ")).map(line).collect::<Vec<_>>().join("\n").trim().to_owned()
}

#[test]
fn the_readmes_commands_print_what_it_shows() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let shown = readme.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let fixture = with("01-german-excel.csv");
    let folder = fixture.path("nordwind");
    fs::create_dir(&folder).unwrap();
    fs::rename(fixture.path("people.csv"), folder.join("people.csv")).unwrap();
    let run = |words: &[&str]| Fixture::finish(fixture.command(words).current_dir(&folder)).ends(0);
    for command in ["hardmatch init --from people.csv", "hardmatch plan"] {
        assert!(readme.lines().any(|line| line == command), "the README does not show {command}");
    }
    run(&["init", "--from", "people.csv"]);
    let plan = run(&["plan"]);
    assert_eq!(masked(&plan.out), masked(shown));
}

/// What stands between backticks or in blocks of a page and begins as our command does, without what is said behind it.
fn commands(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (nth, part) in page.split("```").enumerate() {
        if nth % 2 == 1 {
            let lines = part.lines().map(|line| line.split(" #").next().unwrap_or_default());
            found.extend(lines.filter(|line| line.starts_with("hardmatch ")).map(str::to_owned));
            found.extend(part.lines().filter(|line| line.starts_with("cargo run")).map(str::to_owned));
        } else {
            let quoted = part.split('`').skip(1).step_by(2);
            let is_ours =
                |text: &&str| text.split_whitespace().next() == Some("hardmatch") && text.contains(char::is_whitespace);
            found.extend(quoted.filter(is_ours).map(str::to_owned));
        }
    }
    found.into_iter().map(|command| command.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn every_command_of_the_readme_works_as_typed() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let fixture = with("01-german-excel.csv");
    let mut hash = String::new();
    let mut seen = Vec::new();
    for command in commands(&readme) {
        let command = command.replace("cargo run -p hardmatch -- ", "hardmatch ");
        let words = command.replace("HASH", &hash).replace("WHO", "Uta");
        let words: Vec<&str> = words.split(' ').skip(1).collect();
        // The demo's folder holds the secrets of its simulated tenant; it lies apart from what is searched for secrets.
        let apart = tempfile::tempdir().unwrap();
        let said = match words[0] {
            "demo" => Fixture::finish(fixture.command(&words).current_dir(apart.path())),
            _ => fixture.run(&words),
        };
        assert_eq!(said.code, Some(0), "{command}: {said}");
        if words == ["plan"] {
            let at = said.out.rsplit("hardmatch apply ").next().unwrap();
            at.split_whitespace().next().unwrap().clone_into(&mut hash);
        }
        seen.push(words[0].to_owned());
    }
    for word in ["demo", "init", "plan", "apply", "sync", "schedule", "explain"] {
        assert!(seen.iter().any(|have| have == word), "the README does not show {word}: {seen:?}");
    }
}

#[test]
fn every_command_of_the_docs_is_one_of_ours() {
    let fixture = with("01-german-excel.csv");
    for page in ["docs/tenant.md", "docs/aws.md", "docs/configuration.md", "docs/measured.md", "infra/README.md"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page)).unwrap();
        for command in commands(&text).into_iter().filter(|command| command.starts_with("hardmatch ")) {
            let words = command.split(' ').skip(1).filter(|word| *word != "…");
            // Help is given for words that are understood, and only for these.
            let words: Vec<&str> = words.chain(["--help"]).collect();
            assert_eq!(fixture.run(&words).code, Some(0), "{page}: {command}");
        }
    }
}

#[test]
fn an_hr_report_with_legal_and_preferred_names_is_understood() {
    let fixture = with("01-german-excel.csv");
    fixture.write(
        "people.csv",
        "Employee ID,Legal Name - First Name,Legal Name - Last Name,Preferred Name,Primary Work Email,Worker Status,Manager ID\n\
         100201,Grace,Hopper,Amazing Grace,grace@acme.example,Active,\n\
         100202,Ada,Lovelace,Ada King,ada@acme.example,Active,100201\n\
         100203,Alan,Turing,Alan Turing,alan@acme.example,Terminated,100201\n",
    );
    let init = fixture.run(&["init", "--from", "people.csv", "--json"]).ends(0).json();
    assert_eq!((&init["source"]["usable"], &init["source"]["people"]), (&3.into(), &3.into()), "{init:#}");
    assert_eq!(fills(&init, "Legal Name - First Name"), ["givenName"]);
    assert_eq!(fills(&init, "Legal Name - Last Name"), ["sn"]);
    assert_eq!(fills(&init, "Preferred Name"), ["displayName"]);
}
