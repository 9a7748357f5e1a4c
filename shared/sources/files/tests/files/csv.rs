//! CSV: every encoding, delimiter and accident.

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::person::Manager;
use hardmatch_sources_files::Format;

use crate::support::{csv, read, read_as};

const HEADER: &str = "objectGUID,userPrincipalName,displayName,mail,department";
const JANE: &str = "01234567-89ab-cdef-0123-456789abcdef,jane@example.com,Jané Doe,Jane@Example.com,Sales";

fn file() -> String {
    format!("{HEADER}\r\n{JANE}\r\n")
}

/// The bytes in an encoding, without byte order mark.
fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn a_person_comes_out_of_every_encoding() {
    let text = file();
    let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let marked = |mark: &[u8], bytes: Vec<u8>| [mark, &bytes].concat();
    for (name, bytes) in [
        ("utf-8", text.clone().into_bytes()),
        ("utf-8 with mark", marked(b"\xef\xbb\xbf", text.clone().into_bytes())),
        ("utf-16le", utf16(&text, u16::to_le_bytes)),
        ("utf-16be", utf16(&text, u16::to_be_bytes)),
        ("utf-16le with mark", marked(b"\xff\xfe", utf16(&text, u16::to_le_bytes))),
        ("utf-16be with mark", marked(b"\xfe\xff", utf16(&text, u16::to_be_bytes))),
        ("windows-1252", latin),
    ] {
        let given = csv(bytes);
        let jane = given.one();
        assert_eq!(jane.key.as_str(), "01234567-89ab-cdef-0123-456789abcdef", "{name}");
        assert_eq!(jane.attributes.get(Attr::DisplayName), Some("Jané Doe"), "{name}");
        assert_eq!(jane.immutable_id().unwrap().as_str(), "Z0UjAauJ780BI0VniavN7w==", "{name}");
        assert_eq!(jane.addresses.primary.as_ref().unwrap().as_str(), "jane@example.com", "{name}");
        assert_eq!(jane.attributes.get(Attr::City), None, "{name}");
        assert_eq!(given.completeness.doubts, Vec::<String>::new(), "{name}");
        assert_eq!(given.completeness.columns[3], "mail", "{name}");
        assert_eq!(given.completeness.entries, 1, "{name}");
    }
}

#[test]
fn delimiters_are_found_or_given() {
    for delimiter in [",", ";", "\t"] {
        let text = file().replace(',', delimiter);
        assert_eq!(csv(&text).one().upn(), Some("jane@example.com"), "{delimiter:?}");
        let given = read_as(Format::Csv, &text, |shape| shape.delimiter = delimiter.chars().next()).unwrap();
        assert_eq!(given.one().upn(), Some("jane@example.com"));
    }
    let odd = "objectGUID;displayName\n01234567-89ab-cdef-0123-456789abcdef;Doe, Jane, Dr., MSc\n";
    assert_eq!(csv(odd).one().attributes.get(Attr::DisplayName), Some("Doe, Jane, Dr., MSc"));
}

#[test]
fn managers_are_found_by_key_upn_and_dn() {
    let given = csv("employeeID,userPrincipalName,dn,manager\n\
         1,boss@example.com,\"CN=Boss,DC=x\",\n\
         2,a@example.com,\"CN=A,DC=x\",1\n\
         3,b@example.com,\"CN=B,DC=x\",BOSS@example.com\n\
         4,c@example.com,\"CN=C,DC=x\",\"cn=boss, dc=x\"\n\
         5,d@example.com,\"CN=D,DC=x\",elsewhere\n");
    let managers: Vec<_> = given.people().into_iter().map(|person| person.manager.clone().unwrap()).collect();
    let boss = Manager::Person("1".into());
    assert_eq!(managers[0], Manager::Nobody);
    assert!(managers[1..4].iter().all(|manager| *manager == boss));
    assert_eq!(managers[4], Manager::Unknown("elsewhere".into()));
}

#[test]
fn a_file_that_is_none_is_an_error_with_a_cure() {
    for (bytes, expected) in [
        (&b""[..], "empty"),
        (b"PK\x03\x04rest", "workbook"),
        (b"1001,jane@example.com\n1002,max@example.com\n", "looks like data"),
        (b"objectGUID,mail,Mail\n", "both called"),
        (b"objectGUID,,mail\n", "no name"),
        (b"mail,department\n", "never change"),
    ] {
        let error = read(Format::Csv, bytes).unwrap_err();
        assert!(error.problem.contains(expected), "{error}");
        assert!(!error.cure.is_empty() && !error.problem.contains('@'));
    }
}
