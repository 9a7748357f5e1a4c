//! Which column feeds what, in every format alike.

use std::fmt::Write as _;

use hardmatch_domain::attribute::Attr;
use hardmatch_ports::source::Entry;
use hardmatch_sources_files::{Format, known_attributes};

use crate::support::{csv, read_as};

/// A header and a row of tab-separated cells.
fn row(header: &str, cells: &str) -> crate::support::Given {
    read_as(Format::Csv, format!("id\t{header}\n7\t{cells}\n"), |shape| shape.mapping.key = Some("id".into())).unwrap()
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
        shape.mapping.anchor_from =
            ["mS-DS-ConsistencyGuid", "objectGUID", "employeeID", "elsewhere"].map(Into::into).into();
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
        ("accountExpires", "31/12/2026 secret1"),
        ("enabled", "secret"),
        ("userPrincipalName", "#N/A"),
        ("memberOf", "sec\tret\u{fffd}"),
    ] {
        let given = read_as(Format::Csv, format!("id,{column}\n7,\"{value}\"\n"), |shape| {
            shape.mapping.key = Some("id".into());
        })
        .unwrap();
        let refused = given.refused();
        assert_eq!(refused.len(), 1, "{column}");
        assert_eq!((refused[0].line, refused[0].column.as_deref()), (2, Some(column)));
        assert_eq!(refused[0].key.as_ref().map(AsRef::as_ref), Some("7"));
        let words = format!("{} {}", refused[0].problem, refused[0].cure);
        assert!(!words.contains("secret") && refused[0].cure.len() > 10, "{words}");
        assert!(given.completeness.doubts.is_empty() && given.completeness.absence.is_empty(), "{column}");
    }
}

#[test]
fn an_optional_value_never_takes_the_person_along() {
    for (column, value) in [
        ("passwordExpired", "secret"),
        ("displayName", "sec\u{7}ret"),
        ("displayName", "S?cret"),
        ("sn", "Secre?"),
        ("title", "#REF!"),
        ("department", "NULL"),
        ("employeeID", "=\"\"0012secret\"\""),
        ("employeeID", "1.2E+11"),
        ("co", "#N/A"),
        ("manager", "sec\u{7}ret"),
    ] {
        let given = read_as(Format::Csv, format!("id,{column}\n7,\"{value}\"\n"), |shape| {
            shape.mapping.key = Some("id".into());
        })
        .unwrap();
        let person = given.one();
        assert!(person.attributes.is_empty() && person.manager.is_none(), "{column}: nothing is written or cleared");
        let left_out = &given.completeness.left_out;
        assert_eq!(left_out.len(), 1, "{column} {value}");
        assert_eq!((left_out[0].line, left_out[0].column.as_deref()), (2, Some(column)));
        assert_eq!(left_out[0].key.as_ref().map(AsRef::as_ref), Some("7"));
        let words = format!("{} {}", left_out[0].problem, left_out[0].cure).to_lowercase();
        assert!(!words.contains("secret") && left_out[0].cure.len() > 10, "{words}");
    }
}

#[test]
fn an_altered_number_is_no_key_and_no_anchor() {
    for value in ["=\"\"0012\"\"", "1.2E+11", "12.0", "#N/A"] {
        let given = read_as(Format::Csv, format!("employeeID,sn\n\"{value}\",A\n7,B\n"), |_| {}).unwrap();
        assert_eq!((given.people().len(), given.refused()[0].key.clone()), (1, None), "{value}");
        assert!(!given.completeness.absence.is_empty());
        let given = read_as(Format::Csv, format!("id,employeeID\n1,\"{value}\"\n"), |shape| {
            shape.mapping.key = Some("id".into());
            shape.mapping.anchor_from = vec!["employeeID".into()];
        })
        .unwrap();
        assert_eq!(given.refused()[0].key, Some("1".into()), "{value}");
    }
}

#[test]
fn a_line_break_in_a_cell_is_legal() {
    let given = csv("id,title,sn\n1,\"Head of\n night shift\",A\n2,Clerk,B\n");
    assert_eq!(given.people()[0].attributes.get(Attr::JobTitle), Some("Head of night shift"));
    assert_eq!((given.people().len(), given.refused().len()), (2, 0));
}

#[test]
fn the_first_filled_column_counts_and_any_may_say_no() {
    let given = csv("id,email,mail,enabled,active\n1,,a@x.com,,false\n2,,b@x.com,,true\n3,c@x.com,d@x.com,yes,no\n");
    let people = given.people();
    let primary = |at: usize| people[at].addresses.primary();
    assert_eq!([primary(0), primary(1), primary(2)], [Some("a@x.com"), Some("b@x.com"), Some("c@x.com")]);
    assert_eq!(people.iter().map(|person| person.enabled).collect::<Vec<_>>(), [Some(false), Some(true), Some(false)]);
    assert_eq!(people[1].attributes.get(Attr::Mail), Some("b@x.com"));
}

#[test]
fn a_list_in_a_cell_is_read_or_refused() {
    for (header, cell, expected) in [
        ("proxyAddresses", "\"SMTP:a@x.com,smtp:b@x.com\"", Some("a@x.com b@x.com")),
        ("proxyAddresses", "SMTP:a@x.com|smtp:b@x.com", Some("a@x.com b@x.com")),
        ("proxyAddresses", "SMTP:a@x.com smtp:b@x.com", Some("a@x.com b@x.com")),
        ("proxyAddresses", "SMTP:a@x.com;X400:C=DE;A= ;P=ORG;S=Ash;G=Ann;", Some("a@x.com")),
        ("proxyAddresses", "SMTP:a@x.com/smtp:b@x.com", None),
        ("mail", "a@x.com;b@x.com", Some("a@x.com b@x.com")),
        ("mail", "n/a", None),
    ] {
        let given = csv(format!("id,{header}\n7,{cell}\n"));
        match expected {
            Some(all) => {
                assert_eq!(given.one().addresses.all().iter().collect::<Vec<_>>().join(" "), all, "{cell}");
            }
            None => assert_eq!(given.refused()[0].key, Some("7".into()), "{cell}"),
        }
    }
}

#[test]
fn several_mail_addresses_have_one_primary_in_any_order() {
    for (cell, primary, told) in [
        ("a@x.com;u@x.com", Some("u@x.com"), 0),
        ("u@x.com;a@x.com", Some("u@x.com"), 0),
        ("b@x.com;a@x.com", None, 1),
        ("a@x.com;b@x.com", None, 1),
    ] {
        let given = csv(format!("id\tuserPrincipalName\tmail\n7\tu@x.com\t{cell}\n"));
        assert_eq!(given.one().addresses.primary(), primary, "{cell}");
        assert_eq!(given.completeness.left_out.len(), told, "{cell}");
        assert_eq!(given.one().addresses.all().iter().count(), 2);
    }
}

#[test]
fn who_is_disabled_is_so_beside_a_bad_cell() {
    for (rows, disabled) in [
        ("7,n/a,false\n", &[true][..]),
        ("7,n/a,true\n", &[false]),
        ("7,n/a,\n", &[false]),
        // The structure is damaged: nobody knows whose word it is.
        ("7,n/a,false,x\n", &[false]),
        ("7,a@x.com,false\n7,b@x.com,no\n", &[true, true]),
        ("7,a@x.com,false\n7,b@x.com,true\n", &[false, false]),
    ] {
        let given = csv(format!("id,mail,enabled\n{rows}"));
        let said: Vec<bool> = given.refused().iter().map(|refused| refused.disabled).collect();
        assert_eq!(said, disabled, "{rows}");
    }
}

#[test]
fn a_date_of_expiry_is_understood() {
    let given = csv("id,Enabled,AccountExpirationDate\n1,True,01/31/2020 00:00:00\n2,True,\n3,True,soon\n");
    let people = given.people();
    assert_eq!(people.iter().map(|person| person.enabled).collect::<Vec<_>>(), [Some(false), Some(true)]);
    assert_eq!(given.refused()[0].column.as_deref(), Some("AccountExpirationDate"));
    let told = csv("id,sn,termination_date\n1,A,2020-01-01\n").completeness.notes;
    assert!(told.len() == 1 && told[0].contains("termination_date"), "{told:?}");
}

#[test]
fn rows_without_their_last_cells_are_a_habit_or_damage() {
    let habit = csv("id,sn,title,mobile\n1,A,T,5\n2,B,T\n3,C\n");
    assert_eq!((habit.people().len(), habit.refused().len()), (3, 0));
    assert_eq!(habit.one_of_many("3").attributes.get(Attr::JobTitle), Some(""));
    // This writer writes empty cells: a row that lacks some is damaged.
    let damage = csv("id,sn,title,mobile\n1,A,T,\n2,B,T\n3,C\n");
    assert_eq!((damage.people().len(), damage.refused().len()), (1, 2));
    assert!(!damage.completeness.absence.is_empty());
    // One alone is no habit.
    assert_eq!(csv("id,sn,title,mobile\n1,A,T,5\n2,B,T\n3,C,T,5\n").refused().len(), 1);
}

#[test]
fn a_last_line_that_is_nobody_is_passed_over_and_said() {
    for footer in
        ["(2 rows affected)\n", "(2 rows affected)", "Total: 2,,\n", "\n(2 rows affected)\n\nCompletion time: now\n"]
    {
        let given = csv(format!("id,sn,title\n1,A,T\n2,B,T\n,,\n{footer}"));
        assert_eq!((given.people().len(), given.refused().len()), (2, 0), "{footer}");
        let completeness = &given.completeness;
        assert!(completeness.absence.is_empty() && completeness.doubts.is_empty(), "{footer}");
        assert!(completeness.notes[0].contains("footer"), "{footer}: {:?}", completeness.notes);
    }
    // A row of only a key may be one that lost its end.
    assert_eq!(csv("id,sn,title\n1,A,T\n2,B,T\n3,,\n").entries.len(), 3);
}

#[test]
fn system_accounts_are_no_people() {
    let given = csv("id,sAMAccountName,displayName,userAccountControl,isCriticalSystemObject\n\
                     1,krbtgt_AzureAD,k,512,TRUE\n2,SM_1,SystemMailbox{bb558c35},512,\n3,FABRIKAM$,F,2080,\n\
                     4,HealthMailbox0659e34,H,512,\n5,ann,Ann,512,\n6,pc,PC,4096,FALSE\n");
    assert_eq!(given.one().key.as_str(), "5");
    assert!(given.completeness.notes[0].contains("5 system accounts"), "{:?}", given.completeness.notes);
}

#[test]
fn what_is_too_much_is_refused_by_name() {
    let long = "x".repeat(900_000);
    let given = csv(format!("id,sn,title\n1,A,{long}\n2,B,T\n"));
    assert_eq!(given.people().len(), 2);
    let told = &given.completeness.left_out[0];
    assert_eq!((told.line, told.column.as_deref()), (2, Some("title")));
    let wide = (0..5_000).map(|number| format!("c{number}")).collect::<Vec<_>>().join(",");
    let error = crate::support::read(Format::Csv, format!("id,{wide}\n")).unwrap_err();
    assert!(error.problem.contains("5001 columns"), "{error}");
    let names = (0..300_000).map(|number| format!("\"n{number}\":1")).collect::<Vec<_>>().join(",");
    let given = crate::support::read(Format::JsonLines, format!("{{\"id\":\"1\"}}\n{{{names}}}\n")).unwrap();
    assert_eq!((given.people().len(), given.refused()[0].line), (1, 2));
    assert!(given.refused()[0].problem.contains("names"), "{:?}", given.refused()[0].problem);
    let groups = (0..9_000).map(|number| format!("CN=Group {number},OU=Groups,DC=x")).collect::<Vec<_>>().join(";");
    let given = csv(format!("id,memberOf\n1,\"{groups}\"\n"));
    assert!(given.refused()[0].problem.contains("KiB"), "{:?}", given.refused()[0].problem);
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
