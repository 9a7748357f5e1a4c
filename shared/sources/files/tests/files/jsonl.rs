//! JSON Lines.

use hardmatch_domain::attribute::Attr;
use hardmatch_sources_files::Format;

use crate::support::{Given, read, read_as};

fn jsonl(text: &str) -> Given {
    read(Format::JsonLines, text).unwrap()
}

#[test]
fn values_of_every_kind() {
    let given = read_as(
        Format::JsonLines,
        concat!(
            r#"{"objectGUID":"Z0UjAauJ780BI0VniavN7w==","displayName":"Jan\u00e9","employeeID":1001,"enabled":false,"#,
            r#""proxyAddresses":["SMTP:A@x.com","smtp:b@x.com"],"memberOf":["CN=A;B,DC=x","Sales; North"],"#,
            r#""mobile":null,"manager":{"id":"x"},"tags":[{"n":1},{"n":2.5}],"accountExpires":9223372036854775807}"#,
            "\r\n\n",
            r#"{"OBJECTGUID":"897485c7-81a7-42e3-97c6-37ed73077b1f","city":"York"}"#,
        ),
        |shape| shape.mapping.extra = vec!["tags.n".into(), "manager.id".into()],
    )
    .unwrap();
    let jane = given.people()[0];
    assert_eq!(jane.key.as_str(), "01234567-89ab-cdef-0123-456789abcdef");
    assert_eq!(jane.attributes.get(Attr::DisplayName), Some("Jané"));
    assert_eq!(jane.attributes.get(Attr::EmployeeId), Some("1001"));
    assert_eq!(jane.enabled, Some(false));
    assert_eq!(jane.addresses.all().iter().collect::<Vec<_>>(), ["a@x.com", "b@x.com"]);
    assert_eq!(jane.groups.iter().collect::<Vec<_>>(), ["A;B", "CN=A;B,DC=x", "Sales; North"]);
    assert_eq!(jane.attributes.get(Attr::MobilePhone), Some(""));
    assert_eq!((jane.extra.get("tags.n"), jane.extra.get("manager.id")), (Some("1;2.5"), Some("x")));
    // What the listing has elsewhere is empty here.
    assert_eq!(jane.attributes.get(Attr::City), Some(""));
    let other = given.people()[1];
    assert_eq!(other.attributes.get(Attr::EmployeeId), Some(""));
    assert_eq!(other.attributes.get(Attr::JobTitle), None);
    assert!(given.completeness.doubts.is_empty());
    assert_eq!(given.completeness.columns[..2], ["objectguid", "displayname"]);
}

#[test]
fn broken_lines_are_refused_by_number() {
    for (line, problem) in [
        (r#"{"id":2"#, "not JSON"),
        ("[1]", "array"),
        ("7", "not a JSON object"),
        (r#"{"id":"2"} x"#, "not JSON"),
        (r#"{"id":"2","Id":"3"}"#, "twice"),
        (r#"{"id":12345678901234567890123}"#, "too long to be exact"),
        (r#"{"id":""}"#, "no key"),
        (r#"{"mail":"a@x.com"}"#, "no key"),
    ] {
        let given = jsonl(&format!("{{\"id\":\"1\"}}\n\n{line}\n{{\"id\":\"4\"}}\n"));
        assert_eq!(given.people().len(), 2, "{line}");
        assert_eq!(given.refused()[0].line, 3, "{line}");
        assert!(given.refused()[0].problem.contains(problem), "{:?}", given.refused());
        assert_eq!(given.completeness.absence, ["1 refused without a readable key, the first in line 3"]);
        assert!(given.completeness.doubts.is_empty(), "everybody else is decided");
    }
    let cut = jsonl("{\"id\":\"1\"}\n{\"id\":\"2\",\"mail\":\"a@");
    assert!(cut.completeness.doubts.iter().any(|doubt| doubt.contains("cut off at line 2")));
    for (text, problem) in [("", "no people"), ("{\"i", "line 1")] {
        assert!(read(Format::JsonLines, text).unwrap_err().problem.contains(problem));
    }
}
