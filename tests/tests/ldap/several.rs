//! Two directories of one connection: one account a person, and one directory that is lost takes nothing away.

use std::fmt::Write as _;

use crate::asked_for;
use crate::changes::FOLLOWED;
use crate::people::hardmatch;
use crate::slapd::{BASE, PASSWORD, READER, Slapd, person};

#[test]
fn two_directories_make_one_person_of_two_entries_and_a_lost_one_takes_nothing_away() {
    if !asked_for("two_directories_make_one_person_of_two_entries_and_a_lost_one_takes_nothing_away") {
        return;
    }
    let (corp, other) = (Slapd::start(FOLLOWED), Slapd::start(FOLLOWED));
    corp.change(&(1..=5).map(|number| person(number, "Engineer")).collect::<String>());
    // Two of them are in the other directory, too, which alone has three.
    other.change(&(4..=8).map(|number| person(number, "Doctor")).collect::<String>());
    let folder = tempfile::tempdir().unwrap();
    let mut config = "schema = 1\nconnection = \"corp\"\n\n[tenant]\nid = \"CHANGE-ME\"\ncloud = \"simulated\"\n\n\
                      [anchor]\nfrom = \"entryUUID\"\n\n[attributes]\nuserPrincipalName = \"person.mail\"\n\n\
                      [sources]\nsame_person = \"mail\"\n\n[sources.precedence]\njobTitle = [\"other\", \"corp\"]\n"
        .to_owned();
    for (name, server) in [("corp", &corp), ("other", &other)] {
        std::fs::copy(server.ca(), folder.path().join(format!("{name}.pem"))).unwrap();
        write!(
            config,
            "\n[[source]]\nname = \"{name}\"\nkind = \"ldap\"\nlocation = \"ldaps://127.0.0.1:{}\"\nbase = \"{BASE}\"\n\
             bind = \"{READER}\"\npassword = \"env:LDAP_PASSWORD\"\nca = \"{name}.pem\"\n",
            server.tls
        )
        .unwrap();
    }
    std::fs::write(folder.path().join("hardmatch.toml"), config).unwrap();
    let run = |arguments: &[&str], code: i32| {
        let (found, said) = hardmatch(folder.path(), arguments, PASSWORD);
        assert_eq!(found, Some(code), "{arguments:?}: {said}");
        said
    };
    let said = run(&["plan"], 0);
    assert!(said.contains("Create (8)") || said.contains("8  create"), "{said}");
    let hash = said.lines().find_map(|line| line.trim().strip_prefix("Apply it with: hardmatch apply ")).unwrap();
    run(&["apply", hash.trim()], 0);
    let said = run(&["explain", "p4@contoso.com"], 0);
    assert!(said.contains("corp, other have the person") && said.contains("From other: jobTitle"), "{said}");
    // A change of one directory reaches the account; the other has not changed.
    other.change(&format!("dn: uid=p4,{BASE}\nchangetype: modify\nreplace: title\ntitle: Surgeon\n-\n\n"));
    let said = run(&["sync", "--yes"], 0);
    assert!(said.contains("1  update") || said.contains("Update (1)"), "{said}");
    // The other one is down: the run ends, and nothing is concluded.
    drop(other);
    let said = run(&["sync", "--yes"], 1);
    assert!(said.contains("source other"), "{said}");
    let said = run(&["explain", "p8@contoso.com"], 0);
    assert!(!said.contains("block"), "{said}");
}
