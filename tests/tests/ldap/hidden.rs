//! A reading that shrank: an account that lost its rights is shown less, with success, and nobody is taken for a leaver.

use std::collections::BTreeMap;

use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::Source;
use hardmatch_ports::source::{AbsenceEvidence, Entry};

use crate::asked_for;
use crate::people::{FULL_EVERY, Following, called, read, settings};
use crate::samba::{self, DOMAIN, Samba};
use crate::slapd::{self, Slapd};

/// Reads whole, and asks about everybody who was there before and is not now.
async fn missing(following: &Following, before: &[Entry], password: &str) -> BTreeMap<PersonKey, AbsenceEvidence> {
    following.clock.forward(FULL_EVERY);
    let source = following.source(password);
    let (entries, completeness) = read(&source).await.unwrap();
    assert!(completeness.doubts.is_empty(), "{completeness:?}");
    let keys: Vec<PersonKey> = before
        .iter()
        .filter_map(Entry::key)
        .filter(|key| !entries.iter().any(|entry| entry.key() == Some(key)))
        .cloned()
        .collect();
    let said = source.absence_evidence(&keys).await.unwrap();
    keys.into_iter().zip(said).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_of_samba_that_lost_its_rights_has_no_leavers() {
    if !asked_for("a_unit_of_samba_that_lost_its_rights_has_no_leavers") {
        return;
    }
    let server = Samba::start();
    let people = samba::BASE;
    server.add(&format!("dn: OU=Sales,{people}\nobjectClass: organizationalUnit\n\n"));
    server.add(&(1..=6).map(|number| samba::person(number, "Engineer")).collect::<String>());
    server.add(
        &(11..=13)
            .map(|number| samba::person(number, "Seller").replace(people, &format!("OU=Sales,{people}")))
            .collect::<String>(),
    );
    let following = Following::new(settings(server.url(), people, samba::READER, &server.ca()));
    let (before, _) = following.later(samba::PASSWORD).await;
    assert_eq!(before.len(), 9);
    server.hide(&format!("OU=Sales,{people}"));
    server.modify(&format!("dn: CN=Person 6,{people}\nchangetype: delete\n\n"));
    let key = |number: u32| called(&before, &format!("Person {number}")).key.clone();
    for night in 1..=2 {
        let said = missing(&following, &before, samba::PASSWORD).await;
        assert_eq!(said.len(), 4, "night {night}: {said:?}");
        for number in 11..=13 {
            let AbsenceEvidence::Unclear(reason) = &said[&key(number)] else { panic!("{number}: {said:?}") };
            assert!(reason.contains("OU=Sales") && reason.contains("--accept-source"), "{reason}");
        }
        assert_eq!(said[&key(6)], AbsenceEvidence::ListingOnly, "without the right to see deletions");
    }
    // Where deletions are seen, they are evidence; and a person without one is hidden, were it only one.
    server.grant_deletions();
    server.hide(&format!("CN=Person 5,{people}"));
    server.modify(&format!("dn: CN=Person 4,{people}\nchangetype: moddn\nnewrdn: CN=Person 4\ndeleteoldrdn: 1\nnewsuperior: OU=Lab,{DOMAIN}\n\n"));
    let said = missing(&following, &before, samba::PASSWORD).await;
    assert_eq!((&said[&key(6)], &said[&key(4)]), (&AbsenceEvidence::Gone, &AbsenceEvidence::Gone));
    assert!(
        matches!(&said[&key(5)], AbsenceEvidence::Unclear(reason) if reason.contains("no deletion of them")),
        "{said:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_of_slapd_that_became_empty_has_no_leavers() {
    if !asked_for("a_part_of_slapd_that_became_empty_has_no_leavers") {
        return;
    }
    let people = slapd::BASE;
    let server = Slapd::start(
        "limits dn.exact=\"cn=reader,dc=example,dc=org\" size=unlimited\n\
         access to dn.subtree=\"ou=Sales,ou=People,dc=example,dc=org\" filter=(title=Hidden) by dn.exact=\"cn=reader,dc=example,dc=org\" none by * read\n\
         access to attrs=userPassword by * auth\naccess to * by * read",
    );
    server.change(&format!("dn: ou=Sales,{people}\nchangetype: add\nobjectClass: organizationalUnit\nou: Sales\n\n"));
    server.change(&(1..=6).map(|number| slapd::person(number, "Engineer")).collect::<String>());
    server.change(
        &(11..=13)
            .map(|number| slapd::person(number, "Seller").replace(people, &format!("ou=Sales,{people}")))
            .collect::<String>(),
    );
    let following =
        Following::new(settings(format!("ldaps://127.0.0.1:{}", server.tls), people, slapd::READER, &server.ca()));
    let (before, _) = following.later(slapd::PASSWORD).await;
    let hide = |title: &str| {
        let change = |number: u32| {
            format!("dn: uid=p{number},ou=Sales,{people}\nchangetype: modify\nreplace: title\ntitle: {title}\n-\n\n")
        };
        server.change(&(11..=13).map(change).collect::<String>());
    };
    hide("Hidden");
    server.change(&format!("dn: uid=p6,{people}\nchangetype: delete\n\n"));
    let said = missing(&following, &before, slapd::PASSWORD).await;
    let unclear = said.values().filter(
        |said| matches!(said, AbsenceEvidence::Unclear(reason) if reason.contains("showed 3 people, and now 0")),
    );
    assert_eq!(unclear.count(), 3, "{said:?}");
    assert_eq!(said[&called(&before, "Person 6").key], AbsenceEvidence::ListingOnly);
    // They are shown again: nobody is missing but the one who left.
    hide("Seller");
    assert_eq!(missing(&following, &before, slapd::PASSWORD).await.len(), 1);
}
