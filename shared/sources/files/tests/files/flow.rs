//! Which column feeds what, in every format alike.

use std::fmt::Write as _;

use hardmatch_domain::attribute::Attr;
use hardmatch_ports::source::Entry;
use hardmatch_sources_files::{Format, known_attributes};

use crate::support::{csv, read_as};

/// A header and a row of tab-separated cells.
fn row(header: &str, cells: &str) -> crate::support::Given {
    read_as(Format::Csv, format!("id\t{header}\n7\t{cells}\n"), |shape| shape.key = Some("id".into())).unwrap()
}

#[test]
fn the_default_flow() {
    for (column, attr) in [
        ("userPrincipalName", Attr::UserPrincipalName),
        ("mailNickname", Attr::MailNickname),
        ("displayName", Attr::DisplayName),
        ("cn", Attr::DisplayName),
        ("givenName", Attr::GivenName),
        ("sn", Attr::Surname),
        ("surname", Attr::Surname),
        ("title", Attr::JobTitle),
        ("jobTitle", Attr::JobTitle),
        ("DEPARTMENT", Attr::Department),
        ("company", Attr::CompanyName),
        ("employeeID", Attr::EmployeeId),
        ("employeeType", Attr::EmployeeType),
        ("physicalDeliveryOfficeName", Attr::OfficeLocation),
        ("streetAddress", Attr::StreetAddress),
        ("l", Attr::City),
        ("city", Attr::City),
        ("st", Attr::State),
        ("postalCode", Attr::PostalCode),
        ("telephoneNumber", Attr::BusinessPhones),
        ("mobile", Attr::MobilePhone),
        ("facsimileTelephoneNumber", Attr::FaxNumber),
        ("preferredLanguage", Attr::PreferredLanguage),
        ("extensionAttribute15", Attr::ExtensionAttribute15),
        ("msDS-cloudExtensionAttribute3", Attr::ExtensionAttribute3),
    ] {
        for value in ["x1", ""] {
            let given = row(column, value);
            let attributes = &given.one().attributes;
            assert_eq!(attributes.get(attr), Some(value), "{column}");
            assert_eq!(attributes.len(), 1, "{column}: a source that lacks a column says nothing about it");
        }
    }
}

#[test]
fn countries_and_usage_locations() {
    for (header, cells, country, location) in [
        ("c", "de", Some("de"), Some("DE")),
        ("c\tco", "DE\tGermany", Some("Germany"), Some("DE")),
        ("co", "Germany", Some("Germany"), None),
        ("country", "gb", Some("gb"), Some("GB")),
        ("country", "", Some(""), None),
        ("c\tco", "DE\t", Some("DE"), Some("DE")),
        ("c", "", Some(""), Some("")),
        ("usageLocation\tc", "us\tDE", Some("DE"), Some("US")),
        ("usageLocation\tc", "\tDE", Some("DE"), Some("DE")),
        ("usageLocation", "us", None, Some("US")),
    ] {
        let given = row(header, cells);
        let attributes = &given.one().attributes;
        assert_eq!(attributes.get(Attr::Country), country, "{header} {cells}");
        assert_eq!(attributes.get(Attr::UsageLocation), location, "{header} {cells}");
    }
}

#[test]
fn addresses_are_never_guessed() {
    for (header, cells, primary, all) in [
        (
            "proxyAddresses\tmail",
            "SMTP:A@x.com;smtp:b@x.com;X500:/o=x;SIP:a@x.com\tc@x.com",
            Some("a@x.com"),
            "a@x.com b@x.com",
        ),
        ("proxyAddresses\tmail", "SMTP:a@x.com;SMTP:b@x.com\tc@x.com", None, "a@x.com b@x.com"),
        ("proxyAddresses\tmail", "smtp:a@x.com\tC@x.com", Some("c@x.com"), "c@x.com a@x.com"),
        ("proxyAddresses\tmail", "smtp:a@x.com\ta@x.com", Some("a@x.com"), "a@x.com"),
        ("proxyAddresses", "smtp:a@x.com", None, "a@x.com"),
        ("proxyAddresses", "SMTP:a@x.com;SMTP:A@X.com", Some("a@x.com"), "a@x.com"),
        ("mail", "", None, ""),
    ] {
        let given = row(header, cells);
        let addresses = &given.one().addresses;
        assert_eq!(addresses.primary(), primary, "{cells}");
        assert_eq!(addresses.all().iter().collect::<Vec<_>>().join(" "), all, "{cells}");
    }
}

#[test]
fn enablement_and_passwords() {
    for (header, cells, enabled, expired) in [
        ("userAccountControl", "512", Some(true), None),
        ("userAccountControl", "514", Some(false), None),
        ("userAccountControl", "66050", Some(false), None),
        ("userAccountControl", "8389120", Some(true), Some(true)),
        ("userAccountControl", "", None, None),
        ("userAccountControl\tmsDS-User-Account-Control-Computed", "512\t0", Some(true), Some(false)),
        ("userAccountControl\tmsDS-User-Account-Control-Computed", "512\t8388608", Some(true), Some(true)),
        ("accountExpires", "0", None, None),
        ("accountExpires", "9223372036854775807", None, None),
        ("accountExpires\tenabled", "9223372036854775807\ttrue", Some(true), None),
        ("accountExpires\tuserAccountControl", "130000000000000000\t512", Some(false), None),
        ("accountEnabled", "No", Some(false), None),
        ("active\tpasswordExpired", "1\tTrue", Some(true), Some(true)),
        ("enabled\tuserAccountControl", "true\t514", Some(false), None),
        ("department", "x", None, None),
    ] {
        let given = row(header, cells);
        assert_eq!(given.one().enabled, enabled, "{header} {cells}");
        assert_eq!(given.one().password_expired, expired, "{header} {cells}");
    }
}

#[test]
fn groups_have_names_and_dns() {
    let given = row("memberOf", "CN=Office 365,OU=Groups,DC=x;Sales;\"CN=A\\;B,DC=x\"");
    let groups: Vec<_> = given.one().groups.iter().collect();
    assert_eq!(groups[..3], ["Office 365", "CN=Office 365,OU=Groups,DC=x", "Sales"]);
    let quoted = csv("id,memberOf\n7,\"CN=A\\;B,DC=x;CN=C,DC=x\"\n");
    assert_eq!(quoted.one().groups.iter().collect::<Vec<_>>(), ["A;B", "CN=A\\;B,DC=x", "C", "CN=C,DC=x"]);
}

#[test]
fn anchors_come_in_the_order_of_the_policy() {
    let text = "objectGUID,mS-DS-ConsistencyGuid,employeeID\n\
                01234567-89ab-cdef-0123-456789abcdef,6SNZnFLe6jOI3n68hjO5zA==,1001\n\
                897485c7-81a7-42e3-97c6-37ed73077b1f,,\n";
    let given = read_as(Format::Csv, text, |shape| {
        shape.anchor_from = ["mS-DS-ConsistencyGuid", "objectGUID", "employeeID", "elsewhere"].map(Into::into).into();
    })
    .unwrap();
    let anchors = |at: usize| {
        let anchors = given.people()[at].anchors.iter();
        anchors.map(|anchor| format!("{} {}", anchor.from, anchor.id.as_str())).collect::<Vec<_>>()
    };
    assert_eq!(
        anchors(0),
        ["mS-DS-ConsistencyGuid 6SNZnFLe6jOI3n68hjO5zA==", "objectGUID Z0UjAauJ780BI0VniavN7w==", "employeeID 1001"]
    );
    assert_eq!(anchors(1), ["objectGUID x4V0iaeB40KXxjftcwd7Hw=="]);
}

#[test]
fn bad_values_name_their_column_and_never_themselves() {
    for (column, value) in [
        ("objectGUID", "secret"),
        ("mS-DS-ConsistencyGuid", "System.Byte[]"),
        ("mail", "secret"),
        ("proxyAddresses", "SMTP:secret"),
        ("userAccountControl", "secret"),
        ("accountExpires", "31/12/2026 secret"),
        ("enabled", "secret"),
        ("passwordExpired", "secret"),
        ("displayName", "sec\u{7}ret"),
        ("memberOf", "sec\tret\u{fffd}"),
    ] {
        let given = read_as(Format::Csv, format!("id,{column}\n7,\"{value}\"\n"), |shape| {
            shape.key = Some("id".into());
        })
        .unwrap();
        let refused = given.refused();
        assert_eq!(refused.len(), 1, "{column}");
        assert_eq!((refused[0].line, refused[0].column.as_deref()), (2, Some(column)));
        assert_eq!(refused[0].key.as_ref().map(AsRef::as_ref), Some("7"));
        let words = format!("{} {}", refused[0].problem, refused[0].cure);
        assert!(!words.contains("secret") && refused[0].cure.len() > 10, "{words}");
        assert!(given.completeness.doubts.is_empty());
    }
}

#[test]
fn known_attributes_are_those_of_directories() {
    for name in ["objectGUID", "mS-DS-ConsistencyGuid", "extensionAttribute15", "usageLocation", "entryUUID"] {
        assert!(known_attributes().any(|known| known == name), "{name}");
    }
}

#[test]
fn a_listing_comes_in_chunks_and_whole() {
    let mut text = String::from("id,displayName\n");
    for number in 0..1234 {
        writeln!(text, "{number},Person {number}").unwrap();
    }
    let given = csv(text);
    assert_eq!(given.completeness.entries, 1234);
    let Entry::Person(last) = &given.entries[1233] else { panic!("refused") };
    assert_eq!(last.key.as_str(), "1233");
}
