//! A company as its directory would export it. Everything follows from the number of a person.

use std::fmt::Write as _;
use std::ops::Range;

use serde_json::{Value, json};

/// People who report to one manager.
const TEAM: usize = 20;

/// The export, with the titles of some changed.
pub(crate) fn csv(people: usize, changed: usize) -> String {
    let mut text = String::from(
        "objectGUID,userPrincipalName,mail,givenName,sn,displayName,department,title,company,employeeID,manager,userAccountControl,c,l,telephoneNumber\n",
    );
    for n in 0..people {
        let manager = if n == 0 { String::new() } else { upn(n / TEAM) };
        let new = if n < changed { "Senior " } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{},{},{},Given{n},Sur{n},Given{n} Sur{n},Dept{},{new}Title{},Contoso,{n:06},{manager},512,US,City{},+1 555 {n:07}",
            guid(n),
            upn(n),
            upn(n),
            n % 17,
            n % 31,
            n % 9,
        );
    }
    text
}

/// A group of the directory.
pub(crate) const GROUP: &str = "8c1fa4b0-1111-4222-8333-000000000001";

/// The export, where some are members of [`GROUP`].
pub(crate) fn csv_with_group(people: usize, members: Range<usize>) -> String {
    let export = csv(people, 0);
    let groups = (0..people).map(|n| if members.contains(&n) { GROUP } else { "" });
    let mut text = String::with_capacity(export.len() + people * 40);
    for (line, groups) in export.lines().zip(std::iter::once("memberOf").chain(groups)) {
        let _ = writeln!(text, "{line},{groups}");
    }
    text
}

/// The same person as an account of the tenant, already joined by immutable ID and with every value in step.
pub(crate) fn account(n: usize) -> Value {
    let mut account = json!({
        "userPrincipalName": upn(n),
        "onPremisesImmutableId": immutable_id(n),
        "mailNickname": format!("user{n}"),
        "mail": upn(n),
        "givenName": format!("Given{n}"),
        "surname": format!("Sur{n}"),
        "displayName": format!("Given{n} Sur{n}"),
        "department": format!("Dept{}", n % 17),
        "jobTitle": format!("Title{}", n % 31),
        "companyName": "Contoso",
        "employeeId": format!("{n:06}"),
        "accountEnabled": true,
        "country": "US",
        "usageLocation": "US",
        "city": format!("City{}", n % 9),
        "businessPhones": [format!("+1 555 {n:07}")],
    });
    if n > 0 {
        account["manager"] = json!(upn(n / TEAM));
    }
    account
}

/// Sign-in name.
pub(crate) fn upn(n: usize) -> String {
    format!("user{n}@contoso.com")
}

fn guid(n: usize) -> String {
    format!("{:08x}-0000-4000-8000-{n:012x}", n.wrapping_mul(2_654_435_761) & 0xFFFF_FFFF)
}

/// Base64 of the GUID's bytes in Active Directory's order.
pub(crate) fn immutable_id(n: usize) -> String {
    hardmatch_tests::immutable_id(&guid(n))
}
