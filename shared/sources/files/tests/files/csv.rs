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
        assert_eq!(jane.addresses.primary().unwrap(), "jane@example.com", "{name}");
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
        (b"mail,department\n", "never change"),
    ] {
        let error = read(Format::Csv, bytes).unwrap_err();
        assert!(error.problem.contains(expected), "{error}");
        assert!(!error.cure.is_empty() && !error.problem.contains('@'));
    }
}

#[test]
fn lines_are_true_to_the_file() {
    for newline in ["\n", "\r\n", "\r"] {
        let text = "objectGUID,mail,streetAddress\n\
                    01234567-89ab-cdef-0123-456789abcdef,a@x.com,\"1 High St\n\nYork\"\n\
                    \n\
                    897485c7-81a7-42e3-97c6-37ed73077b1f,bad,\n\
                    ,,\n\
                    3f2504e0-4f89-11d3-9a0c-0305e82c3301,b@x.com,\"say \"\"hi\"\"\"\n\
                    9c5923e9,c@x.com,\n"
            .replace('\n', newline);
        let given = csv(&text);
        let lines: Vec<_> = given.refused().iter().map(|refused| (refused.line, refused.column.as_deref())).collect();
        assert_eq!(lines, [(6, Some("mail")), (9, Some("objectGUID"))], "{newline:?}");
        assert_eq!(given.refused()[0].key, Some("897485c7-81a7-42e3-97c6-37ed73077b1f".into()));
        assert_eq!(given.refused()[1].key, None);
        assert_eq!(given.people()[1].attributes.get(Attr::StreetAddress), Some("say \"hi\""));
        assert_eq!(given.completeness.entries, 4);
        assert_eq!(given.completeness.absence, ["1 refused without a readable key, the first in line 9"]);
        assert_eq!(given.completeness.doubts, Vec::<String>::new());
    }
}

#[test]
fn accidents_never_look_like_absence() {
    const TOP: &str = "employeeID,mail,department\n1001,a@x.com,Sales\n";
    for (rest, key, expected) in [
        // Cut off inside the last row: its key may be cut off too.
        ("10", None, "cut off"),
        ("1002,b@x.com", None, "cut off"),
        ("1002,b@x.com,\"Sal", None, "cut off"),
        // An open quote swallows the rows below it.
        ("1002,\"b@x.com,Sales\n1003,c@x.com,Sales\n1004,\"d@x.com\",Sales\n", None, "without a readable key"),
        ("1002,b@x.com,\"Sales\n1003,c@x.com,Sales\n1004,d@x.com,Sales\"\n", None, "without a readable key"),
        // One cell too many: the first has not moved.
        ("1002,b@x.com,Sales, Marketing\n", Some("1002"), "structure is damaged"),
        ("1002,b@@ x.com,Sales\n", Some("1002"), ""),
        ("1002,\"b\"@x.com,Sales\n", None, "without a readable key"),
        (",b@x.com,Sales\n", None, "without a readable key"),
        ("1002,b@x.com\n1003,c@x.com,\n", Some("1002"), "structure is damaged"),
        ("1002,b@\0\0\0,Sales\n", None, "without a readable key"),
    ] {
        let given = csv(format!("{TOP}{rest}"));
        let refused = given.refused();
        assert_eq!(refused.len(), 1, "{rest}: {refused:?}");
        assert_eq!(refused[0].key.as_ref().map(AsRef::as_ref), key, "{rest}");
        assert_eq!(refused[0].line, 3, "{rest}");
        assert!(!refused[0].cure.is_empty() && !refused[0].problem.contains("x.com"));
        let cut = expected == "cut off";
        assert_eq!(given.completeness.doubts.is_empty(), !cut, "{rest}: only a file that was cut off stops the run");
        let doubts = [given.completeness.doubts, given.completeness.absence].concat().join("\n");
        assert_eq!(doubts.is_empty(), expected.is_empty(), "{rest}: {doubts}");
        assert!(doubts.contains(expected), "{rest}: {doubts}");
    }
    assert_eq!(csv("employeeID,mail\n").completeness.doubts, ["The file has no entries"]);
}

#[test]
fn a_key_that_repeats_refuses_every_row_that_has_it() {
    let given = csv("id,mail\n7,a@x.com\n8,b@x.com\n7,c@x.com\n");
    let refused: Vec<_> = given.refused().iter().map(|r| (r.line, r.key.clone().unwrap(), r.problem.clone())).collect();
    assert_eq!(refused[0], (2, "7".into(), "The row has the same key as line 4".into()));
    assert_eq!(refused[1], (4, "7".into(), "The row has the same key as line 2".into()));
    assert_eq!(given.one_of_many("8").addresses.primary().unwrap(), "b@x.com");
    assert_eq!(given.completeness.doubts, Vec::<String>::new());
    assert_eq!(given.completeness.absence, ["2 refused whose structure is damaged, the first in line 2"]);
}

#[test]
fn a_whole_row_is_refused_with_the_broken_one_that_has_its_key() {
    let given = csv("id,mail\n7,a@x.com\n8,b@x.com\n7,c@x.com,Sales\n");
    let refused: Vec<_> = given.refused().iter().map(|r| (r.line, r.key.clone().unwrap(), r.problem.clone())).collect();
    assert_eq!(refused[0], (2, "7".into(), "The row has the same key as line 4".into()));
    assert_eq!(refused[1], (4, "7".into(), "The row has 3 cells, the header 2".into()));
    assert_eq!((given.people().len(), given.completeness.doubts), (1, Vec::new()));
}

#[test]
fn one_damaged_value_of_utf8_is_left_out_by_its_line() {
    let mut bytes = "id,displayName\n1,José\n2,Zoë\n3,".as_bytes().to_vec();
    bytes.extend(b"Jos\xe9\n4,Ren\xc3\xa9\n");
    let given = csv(bytes);
    assert_eq!(given.people().len(), 4);
    let left_out = &given.completeness.left_out[0];
    assert_eq!((left_out.line, left_out.column.as_deref()), (4, Some("displayName")));
    assert_eq!(left_out.key, Some("3".into()));
    assert_eq!(given.one_of_many("3").attributes.get(Attr::DisplayName), None, "nothing is cleared");
}

#[test]
fn an_encoding_that_only_looks_similar_is_not_guessed() {
    let polish = "id;displayName\n1;Zażółć gęślą jaźń\n2;Łukasz Wiśniewski\n3;Małgorzata Kwiatkowska-Święch\n";
    let (bytes, ..) = encoding_rs::WINDOWS_1250.encode(polish);
    let error = read(Format::Csv, &bytes).unwrap_err();
    assert!(error.problem.contains("windows-125"), "{error}");
    let given = read_as(Format::Csv, &bytes, |shape| shape.encoding = Some("windows-1250".into())).unwrap();
    assert_eq!(given.people()[0].attributes.get(Attr::DisplayName), Some("Zażółć gęślą jaźń"));
}

#[test]
fn columns_of_any_name_in_any_order() {
    let text = "Abteilung;Kennung;E-Post;costCentre\nVertrieb;7;A@x.com;K1\n";
    let given = read_as(Format::Csv, text, |shape| {
        shape.mapping.columns =
            [("department", "abteilung"), ("mail", "E-Post")].map(|(a, b)| (a.into(), b.into())).into();
        shape.mapping.key = Some("Kennung".into());
        shape.mapping.anchor_from = vec!["kennung".into()];
        shape.mapping.extra = vec!["costcentre".into(), "department".into()];
    })
    .unwrap();
    let person = given.one();
    assert_eq!(person.key.as_str(), "7");
    assert_eq!(person.attributes.get(Attr::Department), Some("Vertrieb"));
    assert_eq!(person.immutable_id().unwrap().as_str(), "7");
    assert_eq!(person.extra.get("costCentre"), Some("K1"));
    assert_eq!(person.extra.get("department"), Some("Vertrieb"));
    assert_eq!(person.addresses.primary().unwrap(), "a@x.com");
    for (attribute, column, expected) in [("departement", "Abteilung", "no attribute"), ("title", "Rolle", "Rolle")] {
        let error = read_as(Format::Csv, text, |shape| {
            shape.mapping.columns = [(attribute.into(), column.into())].into();
        })
        .unwrap_err();
        assert!(error.problem.contains(expected), "{error}");
    }
}

#[test]
fn what_powershell_and_excel_leave_behind() {
    let given = csv("#TYPE Selected.Microsoft.ActiveDirectory.Management.ADUser\n\
                     \"ObjectGUID\",\"Enabled\",\"memberOf\"\n\
                     \"01234567-89ab-cdef-0123-456789abcdef\",\"True\",\"Microsoft.ActiveDirectory.Management.ADPropertyValueCollection\"\n");
    assert_eq!((given.refused()[0].line, given.refused()[0].column.as_deref()), (3, Some("memberOf")));
    assert!(given.refused()[0].cure.contains("-join ';'"));
    assert_eq!(csv("sep=;\r\nid;displayName\r\n7;Doe, Jane\r\n ; \r\n").one().key.as_str(), "7");
}

#[test]
fn what_is_no_file_is_refused_at_once_and_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for (path, problem) in [(folder.path(), "a folder"), (pipe.as_path(), "a pipe")] {
        let error = read_as(Format::Csv, "", |shape| shape.path = path.to_owned()).unwrap_err();
        assert!(error.problem.contains(problem) && !error.retry, "{error:?}");
    }
}

#[test]
fn of_several_columns_of_one_name_the_first_filled_one_counts() {
    const ONE: &str = "01234567-89ab-cdef-0123-456789abcdef";
    let text = format!(
        "ID,Phone,enabled,mail,Enabled,Mail,phone,id\n\
         {ONE},,true,,true,jane@example.com,2,\n\
         ,1,true,bo@example.com,false,other@example.com,2,897485c7-81a7-42e3-97c6-37ed73077b1f\n"
    );
    let given = read_as(Format::Csv, &text, |shape| {
        shape.mapping.key = Some("ID".to_owned());
        shape.mapping.columns.insert("telephoneNumber".to_owned(), "phone".to_owned());
        shape.mapping.extra.push("Phone".to_owned());
    })
    .unwrap();
    let people = given.people();
    let phones: Vec<_> = people.iter().map(|person| person.attributes.get(Attr::BusinessPhones)).collect();
    assert_eq!(phones, [Some("2"), Some("1")]);
    let mail: Vec<_> = people.iter().map(|person| person.addresses.primary()).collect();
    assert_eq!(mail, [Some("jane@example.com"), Some("bo@example.com")]);
    assert_eq!(people.iter().map(|person| person.enabled).collect::<Vec<_>>(), [Some(true), Some(false)]);
    assert_eq!(people[1].key.as_str(), "897485c7-81a7-42e3-97c6-37ed73077b1f");
    assert_eq!(given.completeness.notes.iter().filter(|note| note.starts_with("Several columns")).count(), 4);
}

#[test]
fn a_last_line_of_several_cells_that_sums_up_is_a_footer() {
    const TOP: &str = "employeeID,userPrincipalName,displayName,department,city\n\
        1001,a@x.com,Ann,Sales,York\n1002,b@x.com,Bo,Sales,York\n";
    for last in [
        "Total,2,,,\n",
        "Exported by Ann Ash, 12 March 2026, 2 rows\n",
        "Summe,2",
        "\nTotal:,2,,,\nStand 12.03.2026, 10:15\n",
    ] {
        let given = csv(format!("{TOP}{last}"));
        assert_eq!((given.people().len(), given.refused().len()), (2, 0), "{last}");
        let completeness = &given.completeness;
        assert!(completeness.doubts.is_empty() && completeness.absence.is_empty(), "{last}: {completeness:?}");
        assert!(completeness.notes.iter().any(|note| note.contains("footer")), "{last}: {completeness:?}");
    }
    // In the middle it is a row like any other.
    let given = csv(format!("{TOP}Total,2\n1003,c@x.com,Cy,Sales,York\n"));
    assert_eq!((given.people().len(), given.refused().len()), (3, 1));
}
