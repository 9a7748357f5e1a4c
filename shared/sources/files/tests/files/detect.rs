//! A first look at an unknown file.

use std::io::Write as _;

use hardmatch_ports::source::SourceError;
use hardmatch_sources_files::{Detected, Format, detect};

fn look(bytes: impl AsRef<[u8]>) -> Result<Detected, SourceError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes.as_ref()).unwrap();
    file.flush().unwrap();
    detect(file.path())
}

#[test]
fn csv_is_described() {
    let detected = look(
        b"Personalnummer;objectGUID;E-Mail;Abteilung;mail\n\
          1001;01234567-89ab-cdef-0123-456789abcdef;a@x.com;Verk\xe4ufe;a@x.com\n\
          1002;897485c7-81a7-42e3-97c6-37ed73077b1f;b@x.com;Verk\xe4ufe;b@x.com\n\
          1003;x\n",
    )
    .unwrap();
    assert_eq!(detected.format, Format::Csv);
    assert_eq!((detected.encoding.as_str(), detected.delimiter), ("windows-1252", Some(';')));
    assert_eq!((detected.entries, detected.refused), (2, 1));
    assert_eq!(detected.keys, ["objectGUID", "Personalnummer", "mail"]);
    assert_eq!(detected.anchors, ["objectGUID", "Personalnummer"]);
    let understood: Vec<_> = detected.columns.iter().map(|column| column.understood).collect();
    assert_eq!(understood, [None, Some("objectGUID"), None, None, Some("mail")]);
}

#[test]
fn other_formats_are_recognised() {
    for (text, format) in [
        ("\n{\"id\":1}\n", Format::JsonLines),
        ("# comment\nversion: 1\n\ndn: CN=a\nuid: a\n", Format::Ldif),
        ("dn: CN=a\nuid: a\n", Format::Ldif),
        ("dn,uid\n\"CN=a\",a\n", Format::Csv),
    ] {
        let detected = look(text).unwrap();
        assert_eq!((detected.format, detected.entries, detected.refused), (format, 1, 0), "{text}");
        assert_eq!(detected.delimiter.is_some(), format == Format::Csv);
    }
    assert!(look("[\n{\"id\":1}\n]").unwrap_err().cure.contains("jq"));
}

#[test]
fn a_total_below_the_people_is_counted_as_nobody() {
    let found = look("ID;Name;Mail\n1;Ada;ada@x.example\n2;Bo;bo@x.example\n\nTotal: 2 people\n").unwrap();
    assert_eq!((found.entries, found.refused), (2, 0));
}
