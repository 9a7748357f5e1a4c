//! Neighbours of the trials of files: what stands around the people, entries run together, rows of one key.

use hardmatch_tests::{Night, Trial};
use serde_json::json;

const HEADER: &str = "objectGUID,userPrincipalName,displayName,department";
const PEOPLE: [&str; 3] = [
    "00000001-1111-4222-8333-000000000001,ann@contoso.example,Ann Ash,Ops",
    "00000002-1111-4222-8333-000000000002,bob@contoso.example,Bob Birch,Ops",
    "00000003-1111-4222-8333-000000000003,cat@contoso.example,Cat Cedar,Ops",
];
const UPNS: [&str; 3] = ["ann@contoso.example", "bob@contoso.example", "cat@contoso.example"];

/// The three people, and everybody else who is created from the text.
async fn first_night(file: &str, text: impl Into<Vec<u8>>) -> (Trial, Night) {
    let mut trial = Trial::of(file, text).await;
    let night = trial.first_night().await;
    (trial, night)
}

fn plain() -> String {
    format!("{HEADER}\n{}\n", PEOPLE.join("\n"))
}

#[tokio::test]
async fn what_stands_around_the_people_stops_nobody() {
    let rows = PEOPLE.join("\n");
    let lines = |separator: &str| [&[HEADER][..], &PEOPLE].concat().join(separator);
    for (name, text) in [
        ("bars", plain().replace(',', "|")),
        ("tabs", plain().replace(',', "\t")),
        ("a delimiter behind every row", lines(",\n") + ",\n"),
        ("a column of row numbers", format!(",{HEADER}\n0,{}\n", PEOPLE.join("\n1,"))),
        ("two returns a line", lines("\r\r\n") + "\r\r\n"),
        ("line breaks of three kinds", format!("{HEADER}\r\n{}\n{}\r{}\r\n", PEOPLE[0], PEOPLE[1], PEOPLE[2])),
        ("an end mark of DOS", lines("\r\n") + "\r\n\u{1a}"),
        ("an end mark behind the last cell", lines("\r\n") + "\u{1a}"),
        ("a header once more", format!("{HEADER}\n{}\n{HEADER}\n{}\n{}\n", PEOPLE[0], PEOPLE[1], PEOPLE[2])),
        (
            "two files in one",
            format!("\u{feff}{HEADER}\n{}\n\u{feff}{HEADER}\n{}\n{}\n", PEOPLE[0], PEOPLE[1], PEOPLE[2]),
        ),
        ("blank rows", format!("{HEADER}\n,,,\n{rows}\n , , , \n")),
        ("a German footer", format!("{HEADER}\n{rows}\n\nAnzahl der Datensätze: 3\nErstellt am 15.01.2026\n")),
        ("a French footer", format!("{HEADER}\n{rows}\nTotal : 3 personnes\n")),
        ("a footer of one word", format!("{HEADER}\n{rows}\nEnde\n")),
        ("UTF-16 without a mark", plain()),
    ] {
        let bytes = match name {
            "UTF-16 without a mark" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            _ => text.into_bytes(),
        };
        let (mut trial, night) = first_night("people.csv", bytes).await;
        assert_eq!(trial.upns(), UPNS, "{name}: {night:?}");
        assert_eq!(night.exit, 0, "{name}: {night:?}");
        let night = trial.quiet_night().await;
        assert_eq!(night.exit, 0, "{name}: {night:?}");
        // The same people in a plain file are the same people.
        let night = trial.night_with(plain()).await;
        assert!(night.writes().is_empty(), "{name}: {night:?}");
    }
}

#[tokio::test]
async fn what_is_passed_over_is_said() {
    let text = format!(",{HEADER}\n0,{}\n,{HEADER}\n1,{}\n\nSumme: 2 Personen\n", PEOPLE[0], PEOPLE[1]);
    let (_, night) = first_night("people.csv", text).await;
    for said in ["column without a name", "1 row that repeats the header", "1 footer behind the last entry"] {
        assert!(night.tells(said), "{said}: {night:?}");
    }
}

#[tokio::test]
async fn what_hides_the_header_is_told_with_a_cure_that_helps() {
    for (name, text) in [
        ("a title", format!("Employee list as of 2026-01-15\n\n{}", plain())),
        ("a remark", format!("# exported 2026-01-15\n{}", plain())),
        ("a web page", format!("<!DOCTYPE html>\n<html><body>Sign in</body></html>\n{}", plain())),
        ("rows in quotes", format!("\"{}\"\n", plain().trim_end().replace('\n', "\"\n\""))),
    ] {
        let (trial, night) = first_night("people.csv", text).await;
        assert!(night.exit == 1 && night.tells("row of column names") && trial.live().is_empty(), "{name}: {night:?}");
    }
    // Put right as it says, the file is read.
    let mut trial = Trial::of("people.csv", format!("Employees\n\n{}", plain())).await;
    trial.first_night().await;
    trial.write(plain());
    trial.reconfigure("");
    trial.first_night().await;
    assert_eq!(trial.upns(), UPNS);
}

#[tokio::test]
async fn a_last_line_that_may_be_a_lost_row_stops_the_run() {
    for last in ["00000004-1111-42", "Ende"] {
        let (mut trial, night) = first_night("people.csv", plain() + last).await;
        assert!(night.exit == 1 && night.tells("line 5") && trial.live().is_empty(), "{last}: {night:?}");
        // The cure that is named: the remark is left out, or the file is written again.
        trial.write(plain());
        trial.first_night().await;
        assert_eq!(trial.upns(), UPNS, "{last}");
    }
}

#[tokio::test]
async fn quotes_that_are_not_doubled_are_told_by_line() {
    for name in ["\"Bob \\\"Bo\\\" Birch\"", "\"Bob \"Bo\" Birch\"", "\"Birch\", Bob"] {
        let text = plain().replace("Bob Birch", name);
        let (mut trial, night) = first_night("people.csv", text).await;
        assert!(night.exit == 3 && night.tells("line 3"), "{name}: {night:?}");
        assert_eq!(trial.upns(), [UPNS[0], UPNS[2]], "{name}");
        // The row cannot be read, so it hides nobody who was there, and blocks nobody.
        trial.night_with(plain()).await;
        let night = trial.night_with(plain().replace("Bob Birch", name)).await;
        assert!(night.writes().is_empty() && night.exit == 3, "{name}: {night:?}");
    }
}

#[tokio::test]
async fn rows_of_one_key_give_nobody_anothers_values() {
    let bob = json!({ "userPrincipalName": "bob@contoso.example", "displayName": "As It Was", "accountEnabled": true });
    let twice = format!("{}{}\n", plain(), PEOPLE[1]);
    let other = format!("{}{}\n", plain(), PEOPLE[1].replace("Ops", "Sales"));
    for text in [twice, other] {
        let mut trial = Trial::of("people.csv", text.clone()).tenant(&json!({ "users": [bob] })).await;
        let night = trial.first_night().await;
        assert!(night.tells("line 3") && night.tells("line 5") && night.exit == 3, "{night:?}");
        assert_eq!(trial.account(UPNS[1]).text("displayName"), "As It Was");
        // One row again: he is joined, and stays so when the second row comes back.
        trial.night_with(plain()).await;
        assert_eq!(trial.account(UPNS[1]).text("displayName"), "Bob Birch");
        let night = trial.night_with(text).await;
        assert!(night.writes().is_empty() && trial.account(UPNS[1]).enabled(), "{night:?}");
    }
}

/// An entry as directories write it.
fn entry(number: usize, name: &str, more: &str) -> String {
    let uid = name.split(' ').next().unwrap_or_default().to_lowercase();
    format!(
        "dn: uid={uid},ou=people,dc=contoso,dc=example\nobjectClass: top\nobjectClass: inetOrgPerson\nuid: {uid}\n\
         entryUUID: {number:08x}-1111-4222-8333-{number:012x}\nuserPrincipalName: {uid}@contoso.example\ncn: {name}\n{more}"
    )
}

const ANCHOR: &str = "anchor.from = \"entryUUID\"";

#[tokio::test]
async fn entries_run_together_in_other_ways_give_nobody_anothers_values() {
    let (ann, bob, cat) = (entry(1, "Ann Ash", ""), entry(2, "Bob Birch", ""), entry(3, "Cat Cedar", ""));
    let without_dn = bob.split_once('\n').map(|(_, rest)| rest.to_owned()).unwrap_or_default();
    let in_base64 = format!("dn:: dWlkPWJvYixvdT1wZW9wbGUsZGM9Y29udG9zbyxkYz1leGFtcGxl\n{without_dn}");
    let half = without_dn.replace("userPrincipalName: bob@contoso.example\n", "");
    let keyless = ann.replace("entryUUID: 00000001-1111-4222-8333-000000000001\n", "");
    let comment = format!("{ann}# bob, people\n{bob}");
    let folded = format!("{ann}{}", bob.replace("ou=people", "ou=peo\n ple"));
    for (name, together) in [
        ("a dn in base64", format!("{ann}{in_base64}")),
        ("a comment between", comment),
        ("a folded dn", folded),
        ("a line of one space", format!("{ann} \n{bob}")),
        ("a lost dn", format!("{ann}{without_dn}")),
        ("a lost dn and a lost key", format!("{keyless}{half}")),
        (
            "a hole up to the name of the next",
            format!("{ann}displayName: Ann Ash\nemployeeNumber: 7\ndisplayName: Bob Birch\nemployeeNumber: 8\n"),
        ),
        ("a hole up to the number of the next", format!("{ann}employeeNumber: 7\nemployeeNumber: 8\n")),
    ] {
        let right = format!("{ann}\n{bob}\n{cat}");
        let mut trial = Trial::of("people.ldif", format!("{together}\n{cat}")).with(ANCHOR).await;
        let night = trial.first_night().await;
        assert!(night.exit == 3 && night.tells("line 1 "), "{name}: {night:?}");
        assert_eq!(trial.upns(), [UPNS[2]], "{name}");
        trial.night_with(right).await;
        assert_eq!(trial.upns(), UPNS, "{name}");
        for _ in 0..3 {
            let night = trial.night_with(format!("{together}\n{cat}")).await;
            assert!(night.writes().is_empty() && night.exit == 3, "{name}: {night:?}");
        }
    }
}

#[tokio::test]
async fn the_order_of_values_in_a_directory_changes_nothing() {
    let one = entry(1, "Ann Ash", "cn: A. Ash\ngivenName: Ann\ngivenName: Anna\ntitle: Lead\ntitle: Buyer\n");
    let other = entry(1, "A. Ash", "cn: Ann Ash\ngivenName: Anna\ngivenName: Ann\ntitle: Buyer\ntitle: Lead\n");
    let other =
        other.replace("uid=a.,", "uid=ann,").replace("uid: a.", "uid: ann").replace("a.@contoso", "ann@contoso");
    let mut trial = Trial::of("people.ldif", one.clone()).with(ANCHOR).await;
    trial.first_night().await;
    assert_eq!(trial.upns(), [UPNS[0]]);
    for text in [other, one] {
        let night = trial.night_with(text).await;
        assert!(night.writes().is_empty() && night.exit == 0, "{night:?}");
    }
}

#[tokio::test]
async fn an_export_of_a_directory_is_read_with_all_its_surroundings() {
    let text = format!(
        "\u{feff}version: 1\n\n# ann, people\n{}\n{}\n# search result\nsearch: 2\nresult: 0 Success\n\n# numEntries: 2\n",
        entry(1, "Ann Ash", "sn;lang-de: Esche\nSN: Ash\ndescription:: WmVpbGUxClplaWxlMg==\n"),
        entry(2, "Bob Birch", "jpegPhoto:< file:///tmp/photo\n"),
    );
    let mut trial = Trial::of("people.ldif", text.replace('\n', "\r\n")).with(ANCHOR).await;
    let night = trial.first_night().await;
    assert_eq!(trial.upns(), UPNS[..2], "{night:?}");
    assert_eq!(trial.account(UPNS[0]).text("surname"), "Ash");
    trial.quiet_night().await;
    let night = trial.night_with(text.replace("result: 0 Success", "result: 4 Size limit exceeded")).await;
    assert!(night.exit == 1 && night.writes().is_empty() && night.tells("did not end well"), "{night:?}");
}
