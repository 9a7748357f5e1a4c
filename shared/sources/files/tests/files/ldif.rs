//! LDIF, as ldapsearch, ldifde and slapcat write it.

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::person::Manager;
use hardmatch_sources_files::Format;

use crate::support::{Given, read, read_as};

fn ldif(text: &str) -> Given {
    read_as(Format::Ldif, text, |shape| {
        if !text.contains("objectGUID") {
            shape.mapping.key = Some("uid".into());
        }
    })
    .unwrap()
}

const JANE: &str = "\
version: 1
# extended LDIF
#
# a comment
  that goes on

dn:: Q049SmFuw6kgRG9lLE9VPVBlb3BsZSxEQz14
objectClass: top
objectClass: person
objectClass: organizationalPerson
objectClass: user
cn:: SmFuw6kgRG9l
objectGUID:: Z0UjAauJ780BI0VniavN7w==
userPrincipalName: jane@exam
 ple.com
# inside
proxyAddresses: SMTP:Jane@Example.com
proxyAddresses: smtp:jd@example.com
memberOf: CN=Office 365,OU=Groups,DC=x
memberOf: CN=Smith\\, Co,OU=Groups,DC=x
userAccountControl: 514
description;lang-de: Chefin
description: Boss
";

#[test]
fn k9_a_binary_guid_keeps_its_bytes() {
    for newline in ["\n", "\r\n"] {
        let given = read_as(Format::Ldif, JANE.replace('\n', newline), |shape| {
            shape.mapping.extra = vec!["description".into(), "objectGUID".into()];
        })
        .unwrap();
        let jane = given.one();
        assert_eq!(jane.key.as_str(), "01234567-89ab-cdef-0123-456789abcdef");
        assert_eq!(jane.immutable_id().unwrap().as_str(), "Z0UjAauJ780BI0VniavN7w==");
        assert_eq!(jane.attributes.get(Attr::DisplayName), Some("Jané Doe"));
        assert_eq!(jane.upn(), Some("jane@example.com"));
        assert_eq!(jane.addresses.primary().unwrap(), "jane@example.com");
        assert_eq!(
            jane.groups.iter().collect::<Vec<_>>(),
            ["Office 365", "CN=Office 365,OU=Groups,DC=x", "Smith, Co", "CN=Smith\\, Co,OU=Groups,DC=x"]
        );
        assert_eq!(jane.enabled, Some(false));
        assert_eq!(jane.extra.get("description"), Some("Boss;Chefin"));
        assert_eq!(jane.extra.get("objectGUID"), Some("01234567-89ab-cdef-0123-456789abcdef"));
        assert!(given.completeness.doubts.is_empty());
    }
}

#[test]
fn every_guid_form_is_one_guid() {
    for line in [
        "objectGUID:: Z0UjAauJ780BI0VniavN7w==",
        "objectGUID: 01234567-89ab-cdef-0123-456789abcdef",
        "objectGUID: {01234567-89AB-CDEF-0123-456789ABCDEF}",
        "objectGUID: \\67\\45\\23\\01\\ab\\89\\ef\\cd\\01\\23\\45\\67\\89\\ab\\cd\\ef",
        "objectGUID;binary:: Z0UjAauJ780BI0VniavN7w==",
        "objectGUID:: MDEyMzQ1NjctODlhYi1jZGVmLTAxMjMtNDU2Nzg5YWJjZGVm",
    ] {
        let given = ldif(&format!("dn: CN=a\n{line}\n"));
        assert_eq!(given.one().key.as_str(), "01234567-89ab-cdef-0123-456789abcdef", "{line}");
    }
    // Sixteen bytes that happen to be letters are written as they are.
    assert_eq!(
        ldif("dn: CN=a\nobjectGUID: abcdefghijklmnop\n").one().key.as_str(),
        "64636261-6665-6867-696a-6b6c6d6e6f70"
    );
}

#[test]
fn only_people_are_people() {
    let given = ldif(
        "dn: OU=x\nobjectClass: organizationalUnit\nou: x\n\n\
         dn: CN=pc,OU=x\nobjectClass: person\nobjectClass: user\nobjectClass: computer\nuid: pc\n\n\
         dn: CN=c,OU=x\nobjectClass: person\nobjectClass: contact\n\n\
         dn: CN=g,OU=x\nobjectClass: group\nmember: CN=a,OU=x\n\n\
         ref: ldap://elsewhere/DC=x\n\n\
         dn: CN=a,OU=x\nobjectClass: inetOrgPerson\nuid: a\nmanager: cn=b, ou=x\n\n\
         dn: CN=b,OU=x\nchangetype: add\nuid: b\nmanager: CN=g,OU=x\n\n\
         # search result\nsearch: 2\nresult: 0 Success\n",
    );
    let people = given.people();
    assert_eq!(people.iter().map(|person| person.key.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(people[0].manager, Some(Manager::Person("b".into())));
    assert_eq!(people[1].manager, Some(Manager::Unknown("CN=g,OU=x".into())));
    assert_eq!(given.completeness.columns, ["dn", "objectclass", "uid", "manager"]);
    assert!(given.completeness.doubts.is_empty());
}

#[test]
fn broken_entries_are_refused_by_line() {
    for (entry, key, column, problem) in [
        ("dn: CN=b\nuid: b\nmemberOf;range=0-1499: CN=g", Some("b"), Some("memberOf"), "range"),
        ("dn: CN=b\nuid: b\nmail:: ***", Some("b"), Some("mail"), "base64"),
        ("dn: CN=b\nmail:< file:///etc/passwd\nuid: b", Some("b"), Some("mail"), "never fetched"),
        ("dn: CN=b\nuid: b\nuid: d", Some("b"), Some("uid"), "two values"),
        ("dn: CN=b\nuid:: ***", None, Some("uid"), "base64"),
        ("dn: CN=b\nchangetype: modify\nreplace: mail\nmail: x@x.com", None, None, "change"),
        ("dn: CN=b\nno colon here\nuid: b", None, None, "name: value"),
        ("uid: b", None, None, "begin with"),
        ("dn: CN=b\nuid:", None, Some("uid"), "no key"),
        ("dn: CN=b\nuid: b\nmail:: /w==", Some("b"), Some("mail"), "not text"),
    ] {
        let given = ldif(&format!("dn: CN=a\nuid: a\ndisplayName: A\n\n\n{entry}\n\ndn: CN=c\nuid: c\n"));
        assert_eq!(given.people().len(), 2, "{entry}");
        let refused = given.refused()[0];
        assert_eq!(refused.line, 6, "{entry}");
        assert_eq!(refused.key.as_ref().map(AsRef::as_ref), key, "{entry}");
        assert_eq!(refused.column.as_deref(), column, "{entry}");
        assert!(refused.problem.contains(problem), "{entry}: {refused:?}");
        assert!(given.completeness.doubts.is_empty(), "{entry}");
        let hides = key.is_none() || problem == "base64" || problem == "two values";
        assert_eq!(!given.completeness.absence.is_empty(), hides, "{entry}");
    }
}

#[test]
fn entries_run_together_are_both_refused_by_line() {
    let given = ldif("dn: CN=a\nuid: a\nsn: A\ndn: CN=b\nuid: b\nsn: B\n\ndn: CN=c\nuid: c\n");
    assert_eq!(given.people().len(), 1);
    let refused: Vec<_> = given.refused().iter().map(|r| (r.line, r.key.clone().unwrap())).collect();
    assert_eq!(refused, [(1, "a".into()), (4, "b".into())]);
    assert!(!given.completeness.absence.is_empty() && given.completeness.doubts.is_empty());
}

#[test]
fn a_value_that_nothing_uses_is_passed_over_and_counted() {
    let given = ldif(
        "dn: CN=a\nuid: a\nthumbnailPhoto:< file:///tmp/x\nsn: A\n\ndn: CN=b\nuid: b\nthumbnailPhoto:< file:///tmp/y\n",
    );
    assert_eq!((given.people().len(), given.refused().len()), (2, 0));
    let completeness = &given.completeness;
    assert!(completeness.absence.is_empty() && completeness.left_out.is_empty());
    assert!(completeness.notes[0].contains("2 values of thumbnailPhoto"), "{:?}", completeness.notes);
}

#[test]
fn a_search_that_did_not_end_well_is_not_complete() {
    for (rest, expected) in [
        ("search: 2\nresult: 4 Size limit exceeded\n", "result is not 0"),
        ("dn: CN=b\nuid: b\nmail: b@x.c", "ends inside a line"),
    ] {
        let given = ldif(&format!("dn: CN=a\nuid: a\n\n{rest}"));
        assert_eq!(given.people().len(), 1);
        assert!(given.completeness.doubts.iter().any(|doubt| doubt.contains(expected)), "{given:?}");
    }
    assert!(
        read(Format::Ldif, "dn: OU=x\nobjectClass: organizationalUnit\n").unwrap_err().problem.contains("no people")
    );
}
