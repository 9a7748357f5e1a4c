//! The command over real directories: `init` proposes the file, `doctor` names what is missing, and runs write anchors back.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use crate::asked_for;
use crate::people::hardmatch;
use crate::samba::{self, Samba};
use crate::slapd::{self, Slapd};

/// The values of an attribute of everybody who has one, as `ldbsearch` prints them.
fn anchors(server: &Samba) -> Vec<String> {
    let found = server.search("(mS-DS-ConsistencyGuid=*)", "mS-DS-ConsistencyGuid");
    let mut values: Vec<String> =
        found.lines().filter_map(|line| line.strip_prefix("mS-DS-ConsistencyGuid:: ").map(str::to_owned)).collect();
    values.sort();
    values
}

fn guids(server: &Samba) -> Vec<String> {
    let found = server.search("(&(objectClass=user)(mail=*))", "objectGUID");
    let guids = found.lines().filter_map(|line| line.strip_prefix("objectGUID: "));
    let mut values: Vec<String> =
        guids.map(|text| STANDARD.encode(hardmatch_domain::ids::Guid::parse(text).unwrap().ad_bytes())).collect();
    values.sort();
    values
}

fn hash(said: &str) -> String {
    let found = said.lines().find_map(|line| line.trim().strip_prefix("Apply it with: hardmatch apply "));
    found.unwrap_or_else(|| panic!("no plan: {said}")).trim().to_owned()
}

/// A folder with the authority's certificate.
fn folder(ca: &Path) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(ca, folder.path().join("ca.pem")).unwrap();
    folder
}

#[test]
fn o25_anchors_flow_back_into_active_directory_with_the_one_right_that_doctor_names() {
    if !asked_for("o25_anchors_flow_back_into_active_directory_with_the_one_right_that_doctor_names") {
        return;
    }
    let server = Samba::start();
    let people: String = (1..=3).map(|number| samba::person(number, "Engineer")).collect();
    server.add(&people);
    let home = folder(&server.ca());
    let run = |arguments: &[&str], status: i32| {
        let (code, said) = hardmatch(home.path(), arguments, samba::PASSWORD);
        assert_eq!(code, Some(status), "{arguments:?}: {said}");
        said
    };
    let url = server.url();
    let said = run(&["init", "--from", &url, "--bind", samba::READER, "--ca", "ca.pem", "--yes"], 0);
    assert!(said.contains("is Active Directory: 3 people below OU=People,OU=Lab"), "{said}");
    assert!(said.contains("CN=Users") && said.contains("nobody has an mS-DS-ConsistencyGuid"), "{said}");
    assert!(said.contains("contoso.com (3)"), "{said}");
    let file = home.path().join("hardmatch.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(&format!("base = \"{}\"", samba::BASE)) && !text.contains(samba::PASSWORD), "{text}");
    run(&["config", "check"], 0);
    // Off unless it is asked for.
    let said = run(&["plan"], 0);
    assert!(!said.contains("ConsistencyGuid") && said.contains("Create (3)") || said.contains("3  create"), "{said}");
    let taught = text.replace("# [write_back] ", "[write_back] ").replace("# mS-DS-Con", "mS-DS-Con");
    assert_ne!(taught, text);
    std::fs::write(&file, taught).unwrap();
    let said = run(&["doctor"], 0);
    for told in [
        "The certificate of",
        "days; CN=Lab CA issued it",
        "Changes are followed by",
        "Replicating Directory Changes",
        "Deleted entries are not seen",
        "no limit cuts them off",
        "MaxPageSize=",
        "seconds apart",
        "mS-DS-ConsistencyGuid may be written of 0 of 3",
        ":RPWP;mS-DS-ConsistencyGuid;user",
    ] {
        let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(told), "{told}: {said}");
    }
    let said = run(&["plan"], 0);
    assert!(said.contains("mS-DS-ConsistencyGuid of 3 people"), "{said}");
    assert!(anchors(&server).is_empty(), "a plan writes nothing");
    // Without the right, the accounts are made all the same, and the grant is named.
    let said = run(&["apply", &hash(&said)], 3);
    assert!(said.contains("3 refused") && said.contains("dsacls"), "{said}");
    assert!(anchors(&server).is_empty());
    server.grant_anchor();
    let said = run(&["doctor"], 0);
    assert!(said.split_whitespace().collect::<Vec<_>>().join(" ").contains("may be written, of all 3"), "{said}");
    let said = run(&["sync"], 0);
    assert!(said.contains("Values for the source: 3 written."), "{said}");
    assert_eq!(anchors(&server), guids(&server));
    let said = run(&["explain", "p2@contoso.com", "--history"], 0);
    assert!(said.contains("What the source was given") && said.contains(": written"), "{said}");
    run(&["sync"], 0);
    let said = run(&["sync"], 0);
    assert!(!said.contains("Values for the source"), "{said}");
}

#[test]
fn init_proposes_a_file_for_openldap_that_works_without_editing() {
    if !asked_for("init_proposes_a_file_for_openldap_that_works_without_editing") {
        return;
    }
    let server = Slapd::start(
        "limits dn.exact=\"cn=reader,dc=example,dc=org\" size=unlimited\noverlay syncprov\nsyncprov-sessionlog 100",
    );
    let people: String = (1..=4).map(|number| slapd::person(number, "Engineer")).collect();
    server.change(&people);
    let home = folder(&server.ca());
    let url = format!("ldaps://127.0.0.1:{}", server.tls);
    let asked = ["init", "--from", &url, "--bind", slapd::READER, "--ca", "ca.pem", "--yes"];
    // What is wrong is said, and no file is written.
    for (arguments, password, told) in [
        (&asked[..], "wrong", "name or password is wrong"),
        (&asked[..], "", "holds no password"),
        (&asked[..3], slapd::PASSWORD, "--bind svc-sync@corp.example"),
        (&asked[..5], slapd::PASSWORD, "--ca ca.pem"),
        (
            &["init", "--from", "ldaps://dc.invalid", "--bind", "x", "--ca", "ca.pem"][..],
            "x",
            "dc.invalid is not known",
        ),
        (&[&asked[..], &["--base", "ou=Nobody,dc=example,dc=org"]].concat()[..], slapd::PASSWORD, "has no ou=Nobody"),
        (
            &[&asked[..], &["--base", "ou=Groups,dc=example,dc=org"]].concat()[..],
            slapd::PASSWORD,
            "nobody below ou=Groups",
        ),
    ] {
        let (code, said) = hardmatch(home.path(), arguments, password);
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        assert!(said.contains(told), "{told}: {said}");
        assert!(!home.path().join("hardmatch.toml").exists(), "{arguments:?}");
    }
    let other = tempfile::tempdir().unwrap();
    crate::server::certificates(other.path(), "127.0.0.1");
    std::fs::copy(other.path().join("ca.pem"), home.path().join("other.pem")).unwrap();
    let foreign = ["init", "--from", &url, "--bind", slapd::READER, "--ca", "other.pem"];
    let (code, said) = hardmatch(home.path(), &foreign, slapd::PASSWORD);
    assert!(code == Some(2) && said.contains("another authority"), "{said}");

    let (code, said) = hardmatch(home.path(), &asked, slapd::PASSWORD);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("4 people below ou=People,dc=example,dc=org") && said.contains("entryUUID"), "{said}");
    let (code, said) = hardmatch(home.path(), &["plan"], slapd::PASSWORD);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Create (4)") || said.contains("4  create"), "{said}");
    let (_, said) = hardmatch(home.path(), &["doctor"], slapd::PASSWORD);
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in ["Changes are followed by", "All 4 people below the base are listed", "does not tell its time"] {
        assert!(flat.contains(told), "{told}: {said}");
    }
}
