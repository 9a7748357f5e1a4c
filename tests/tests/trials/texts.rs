//! Neighbours of the trials of files: encodings, numbers, words and dates as other programs write them.

use std::fmt::Write as _;

use hardmatch_tests::{Night, Trial};
use serde_json::{Value, json};

/// A GUID by number.
fn key(number: usize) -> String {
    format!("{number:08x}-1111-4222-8333-{number:012x}")
}

/// Rows `KEY,pN@contoso.example,Person N,CELL` behind a header whose fourth column is named.
fn rows(column: &str, cells: &[&str]) -> String {
    let mut text = format!("objectGUID,userPrincipalName,displayName,{column}\n");
    for (number, cell) in (1..).zip(cells) {
        let cell = cell.replace('"', "\"\"");
        let _ = writeln!(text, "{},p{number}@contoso.example,Person {number},\"{cell}\"", key(number));
    }
    text
}

/// One person of each display name.
fn called(names: &[&str]) -> String {
    let mut text = "objectGUID,userPrincipalName,displayName\n".to_owned();
    for (number, name) in (1..).zip(names) {
        let _ = writeln!(text, "{},p{number}@contoso.example,{name}", key(number));
    }
    text
}

/// An account without an immutable ID.
fn account(upn: &str, more: &Value) -> Value {
    let mut user = json!({ "userPrincipalName": upn, "displayName": "As It Was", "accountEnabled": true });
    for (name, value) in more.as_object().into_iter().flatten() {
        user[name] = value.clone();
    }
    user
}

fn upn(number: usize) -> String {
    format!("p{number}@contoso.example")
}

/// Whether a line of the file is told, with its column.
fn tells_line(night: &Night, line: usize, column: &str) -> bool {
    night.tells_both(&format!("line {line} "), column)
}

#[tokio::test]
async fn letters_read_in_the_wrong_encoding_are_written_to_nobody() {
    let wrong = ["JÃ¶rg MÃ¼ller", "M√ºller Anna", "M├╝ller Anna", "Liam Oâ€™Brien", "M&uuml;ller", "J?rg"];
    let users: Vec<Value> = (1..=wrong.len()).map(|number| account(&upn(number), &json!({}))).collect();
    let mut trial = Trial::of("people.csv", called(&wrong)).tenant(&json!({ "users": users })).await;
    let night = trial.first_night().await;
    for number in 1..=wrong.len() {
        assert!(tells_line(&night, number + 1, "displayName"), "{number}: {night:?}");
        assert_eq!(trial.account(&upn(number)).text("displayName"), "As It Was");
    }
    assert_ne!(trial.quiet_night().await.exit, 0);
    // Written as they should be, all of them are right the night after.
    let right = ["Jörg Müller", "Müller Anna", "Müller Anna", "Liam O’Brien", "Müller", "Jörg"];
    let night = trial.night_with(called(&right)).await;
    assert_eq!(night.exit, 0, "{night:?}");
    for (number, name) in (1..).zip(right) {
        assert_eq!(trial.account(&upn(number)).text("displayName"), name);
    }
}

#[tokio::test]
async fn an_entity_of_a_web_page_is_no_department() {
    let mut trial = Trial::of("people.csv", rows("department", &["R&amp;D", "R&D"])).await;
    let night = trial.first_night().await;
    assert!(tells_line(&night, 2, "department"), "{night:?}");
    assert_eq!(trial.account(&upn(1)).text("department"), "");
    assert_eq!(trial.account(&upn(2)).text("department"), "R&D");
    trial.quiet_night().await;
}

/// Each file of single-byte text says which encodings fit, and the first one it names gives the right names.
#[tokio::test]
async fn the_encoding_that_is_named_first_gives_the_right_names() {
    let names = |names: [&str; 2]| called(&names);
    let eastern = names(["Łukasz Żółć", "Paweł Wąs"]);
    let turkish = names(["Işıl Yılmaz", "Çağrı Öztürk"]);
    let german = names(["Jörg Höß", "Bärbel Groß"]);
    let dos = |text: &str| -> Vec<u8> {
        let byte = |c: char| match c {
            'ö' => 0x94,
            'ß' => 0xe1,
            'ä' => 0x84,
            c => u8::try_from(c).unwrap(),
        };
        text.chars().map(byte).collect()
    };
    for (bytes, label, right) in [
        (encoding_rs::WINDOWS_1250.encode(&eastern).0.into_owned(), "windows-1250", "Łukasz Żółć"),
        (encoding_rs::WINDOWS_1254.encode(&turkish).0.into_owned(), "windows-1254", "Işıl Yılmaz"),
        (dos(&german), "cp850", "Jörg Höß"),
    ] {
        let mut trial = Trial::of("people.csv", bytes.clone()).await;
        let night = trial.first_night().await;
        assert!(night.tells(&format!("set `encoding = \"{label}\"`")) && night.writes().is_empty(), "{night:?}");
        trial.write(called(&["A", "B"]));
        trial.reconfigure(&format!("source.encoding = \"{label}\""));
        trial.write(bytes);
        trial.first_night().await;
        assert_eq!(trial.account(&upn(1)).text("displayName"), right, "{label}");
        trial.quiet_night().await;
    }
}

#[tokio::test]
async fn characters_without_width_change_no_key_and_no_name() {
    let plain = called(&["Ann Ash", "Bob Birch"]);
    let mut trial = Trial::of("people.csv", plain.clone()).await;
    trial.first_night().await;
    let hidden = plain
        .replace("Ann Ash", "Ann Ash\u{200b}")
        .replace(&key(2), &format!("\u{202a}{}\u{202c}", key(2)))
        .replace("p1@contoso.example", "p1@contoso.example\u{feff}");
    let night = trial.night_with(format!("\u{feff}\u{feff}{hidden}")).await;
    assert!(night.exit == 0 && night.writes().is_empty(), "{night:?}");
}

#[tokio::test]
async fn numbers_that_a_spreadsheet_altered_are_told_and_not_written() {
    let wrong = ["'0012", "1,001", "4-Mar", "04. Mrz", "0012.", "1.2E+4", "1'001", "04.03.2026", "1001,0"];
    let mut trial = Trial::of("people.csv", rows("employeeID", &wrong)).await;
    let night = trial.first_night().await;
    for number in 1..=wrong.len() {
        assert!(tells_line(&night, number + 1, "employeeID"), "{number}: {night:?}");
        assert_eq!(trial.account(&upn(number)).text("employeeId"), "", "{number}");
    }
    trial.quiet_night().await;
}

#[tokio::test]
async fn telephones_and_postal_codes_that_were_altered_are_not_written() {
    let head = "objectGUID,userPrincipalName,displayName,telephoneNumber,mobile,postalCode\n";
    let person = |number: usize, cells: &str| format!("{},{},Person {number},{cells}\n", key(number), upn(number));
    let file =
        [head.to_owned(), person(1, "4.42071E+11,'+44 20 1,\"=\"\"01234\"\"\""), person(2, "+44 20 7183,+44 7,01234")];
    let mut trial = Trial::of("people.csv", file.concat()).await;
    let night = trial.first_night().await;
    for column in ["telephoneNumber", "mobile", "postalCode"] {
        assert!(tells_line(&night, 2, column) && !tells_line(&night, 3, column), "{night:?}");
    }
    let (ann, bob) = (trial.account(&upn(1)), trial.account(&upn(2)));
    assert_eq!((ann.text("mobilePhone"), ann.text("postalCode")), ("", ""));
    assert!(ann.0["businessPhones"].as_array().is_none_or(Vec::is_empty));
    assert_eq!((bob.text("mobilePhone"), bob.text("postalCode")), ("+44 7", "01234"));
    trial.quiet_night().await;
}

#[tokio::test]
async fn a_key_in_groups_of_digits_is_no_leaver_and_no_joiner() {
    let file = |one: &str| {
        let people =
            ["1002", "1003", "1004", "1005", "1006"].map(|number| format!("{number},p{number}@contoso.example,P\n"));
        format!("employeeID,userPrincipalName,displayName\n{one},ann@contoso.example,Ann\n{}", people.concat())
    };
    let config = "source.key = \"employeeID\"\nanchor.from = \"employeeID\"";
    let mut trial = Trial::of("people.csv", file("1001")).with(config).await;
    trial.first_night().await;
    for altered in ["1.001", "1.001", "\"1,001\"", "'1001", "1001.", "1001.0", "1.001E+3", "01001"] {
        let night = trial.night_with(file(altered)).await;
        assert!(night.writes().is_empty() && night.exit == 3, "{altered}: {night:?}");
        assert!(trial.live().len() == 6 && trial.account("ann@contoso.example").enabled(), "{altered}");
    }
    let night = trial.night_with(file("1001")).await;
    assert!(night.exit == 0 && night.writes().is_empty(), "{night:?}");
}

#[tokio::test]
async fn texts_of_programs_are_nobodys_department() {
    let wrong = [
        "#BEZUG!",
        "#¡REF!",
        "#NOMBRE?",
        "#NV",
        "undefined",
        "NaN",
        "None",
        "\\N",
        "<null>",
        "null",
        "System.Object[]",
        "[object Object]",
        "@{Name=Ops}",
        "=VLOOKUP(A1;B2)",
        "#ÜBERLAUF!",
    ];
    let mut trial = Trial::of("people.csv", rows("department", &wrong)).await;
    let night = trial.first_night().await;
    for number in 1..=wrong.len() {
        assert!(tells_line(&night, number + 1, "department"), "{number}: {night:?}");
        assert_eq!(trial.account(&upn(number)).text("department"), "", "{number}");
    }
    trial.quiet_night().await;
}

#[tokio::test]
async fn days_without_separators_are_read_and_numbers_of_days_are_told() {
    let cells =
        ["20991231", "20991231235959.0Z", "20200131", "47848", "4102358400", "31-Dec-2099", "9223372036854775807"];
    let mut trial = Trial::of("people.csv", rows("accountExpires", &["0"; 7])).await;
    trial.first_night().await;
    let night = trial.night_with(rows("accountExpires", &cells)).await;
    let blocked: Vec<bool> = (1..=7).map(|number| !trial.account(&upn(number)).enabled()).collect();
    assert_eq!(blocked, [false, false, true, false, false, false, false], "{night:?}");
    for line in 5..=7 {
        assert!(tells_line(&night, line, "accountExpires"), "{night:?}");
    }
}

#[tokio::test]
async fn words_for_no_block_and_words_of_nobody_are_told() {
    let cells = ["1.0", "0.0", "-1", "nie", "nej", "x", "WAHR", "FALSCH", "=TRUE()", "n/a"];
    let mut trial = Trial::of("people.csv", rows("enabled", &["true"; 10])).with("[guard]\nalways_allow = 10").await;
    trial.first_night().await;
    let night = trial.night_with(rows("enabled", &cells)).await;
    let said: Vec<bool> = (1..=10).map(|number| trial.account(&upn(number)).enabled()).collect();
    let no = [2, 4, 5, 8];
    for (number, enabled) in (1..).zip(said) {
        assert!(enabled || no.contains(&number), "{number}: {night:?}");
        assert!(!enabled || !no.contains(&number) || night.tells("guarded"), "{number}: {night:?}");
    }
    assert!(tells_line(&night, 7, "enabled") && tells_line(&night, 11, "enabled"), "{night:?}");
    assert!(!tells_line(&night, 2, "enabled") && !tells_line(&night, 4, "enabled"), "{night:?}");
}

#[tokio::test]
async fn bits_of_a_control_are_read_with_decimals() {
    let mut trial = Trial::of("people.csv", rows("userAccountControl", &["512", "512", "512", "512"])).await;
    trial.first_night().await;
    let night = trial.night_with(rows("userAccountControl", &["512.0", "514.0", "66.048", "0x200"])).await;
    assert!(!trial.account(&upn(2)).enabled() && trial.account(&upn(1)).enabled(), "{night:?}");
    assert!(tells_line(&night, 4, "userAccountControl") && trial.account(&upn(3)).enabled(), "{night:?}");
}

#[tokio::test]
async fn a_misspelt_address_makes_no_second_account() {
    let cells = [
        "mailto:p1.x@contoso.example",
        "Person <p2.x@contoso.example>",
        "p3.x@contoso.example.",
        "p4.x@contoso,example",
        "p5.x @contoso.example",
        "p6.x(at)contoso.example",
        "SIP:p7.x@contoso.example",
        "p8.x@contoso..example",
        "p9.x@contoso.example; ",
    ];
    let mailbox = |number: usize| {
        let mail = format!("p{number}.x@contoso.example");
        account(&format!("old{number}@contoso.example"), &json!({ "mail": mail }))
    };
    let users: Vec<Value> = (1..=cells.len()).map(mailbox).collect();
    let mut trial = Trial::of("people.csv", rows("mail", &cells)).tenant(&json!({ "users": users })).await;
    let night = trial.first_night().await;
    assert_eq!(trial.live().len(), cells.len(), "{night:?}");
    for number in 1..=cells.len() {
        let joined = trial.find(&upn(number)).is_some_and(|account| account.immutable_id().is_some());
        assert!(joined || tells_line(&night, number + 1, "mail"), "{number}: {night:?}");
    }
    assert!(trial.find(&upn(1)).is_some() && trial.find(&upn(9)).is_some(), "{:?}", trial.upns());
    assert_eq!(trial.sleep().await.writes().len(), 0);
    assert_eq!(trial.live().len(), cells.len());
}

#[tokio::test]
async fn a_list_of_addresses_is_understood_or_told() {
    let list = |number: usize, form: &str| form.replace('@', &format!("{number}.x@contoso.example"));
    let forms = [
        "{SMTP:p@, smtp:q@}",
        "[\"SMTP:p@\",\"smtp:q@\"]",
        "SMTP:p@ / smtp:q@",
        "SMTP:p@\\nsmtp:q@",
        "SMTP: p@; smtp: q@",
        "X500:/o=Contoso/ou=Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=p;SMTP:p@;SIP:p@;x400:C=US;A= ;P=Contoso;O=Exchange;S=P;",
        "smtp:q@%SMTP:p@",
        "SMTP:p@#smtp:q@",
        "SMTP:p@+smtp:q@",
    ];
    let cells: Vec<String> = (1..).zip(forms).map(|(number, form)| list(number, form)).collect();
    let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
    let mailbox = |number: usize| {
        account(&format!("old{number}@contoso.example"), &json!({ "mail": format!("p{number}.x@contoso.example") }))
    };
    let users: Vec<Value> = (1..=cells.len()).map(mailbox).collect();
    let mut trial = Trial::of("people.csv", rows("proxyAddresses", &cells)).tenant(&json!({ "users": users })).await;
    let night = trial.first_night().await;
    assert_eq!(trial.live().len(), cells.len(), "nobody has a second account: {night:?}");
    for number in 1..=cells.len() {
        let joined = trial.find(&upn(number)).is_some_and(|account| account.immutable_id().is_some());
        let understood = [5, 6, 9].contains(&number);
        assert_eq!(joined, understood, "{number}: {night:?}");
        assert!(joined || tells_line(&night, number + 1, "proxyAddresses"), "{number}: {night:?}");
    }
    trial.quiet_night().await;
}

#[tokio::test]
async fn a_list_of_groups_that_cannot_be_read_costs_no_license() {
    let rule = "[[license]]\nsku = \"ENTERPRISEPACK\"\nwhen = \"'IT' in person.groups\"";
    let groups = |first: &str| {
        let others = ["IT;HR", "IT", "Sales"];
        let mut text = "objectGUID,userPrincipalName,displayName,usageLocation,groups\n".to_owned();
        for (number, cell) in (1..).zip([&[first][..], &others].concat()) {
            let _ = writeln!(text, "{},{},Person {number},GB,\"{cell}\"", key(number), upn(number));
        }
        text
    };
    let mut trial = Trial::of("people.csv", groups("IT;Sales")).with(rule).seats("ENTERPRISEPACK", 9).await;
    trial.first_night().await;
    assert_eq!(trial.licenses(&upn(1)).len(), 1);
    for cell in [
        "IT,Sales",
        "IT / Sales",
        "IT+Sales",
        "IT & HR",
        "IT:HR",
        "{IT, Sales}",
        "[IT;Sales]",
        "#REF!",
        "System.String[]",
        "IT;Sales…",
        "NULL",
    ] {
        let night = trial.night_with(groups(cell)).await;
        assert!(tells_line(&night, 2, "groups") && night.writes().is_empty(), "{cell}: {night:?}");
        assert_eq!(trial.licenses(&upn(1)).len(), 1, "{cell}");
    }
    // With a semicolon behind it, a name that holds a separator is one name.
    let night = trial.night_with(groups("IT,Sales;")).await;
    assert!(!tells_line(&night, 2, "groups"), "{night:?}");
}
