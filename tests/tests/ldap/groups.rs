//! Groups of a directory by their GUID, which stays when the name changes.

use hardmatch_domain::attribute::Attr;
use hardmatch_ports::Entry;

use crate::asked_for;
use crate::changes::FOLLOWED;
use crate::people::{Following, called, settings};
use crate::server::run;
use crate::slapd::{BASE, PASSWORD, READER, Slapd, person};

const GROUPS: &str = "ou=Groups,dc=example,dc=org";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o31_a_group_of_openldap_that_gets_another_name_keeps_its_members_by_its_uuid() {
    if !asked_for("o31_a_group_of_openldap_that_gets_another_name_keeps_its_members_by_its_uuid") {
        return;
    }
    let server = Slapd::start(FOLLOWED);
    server.change(&(1..=3).map(|number| person(number, "Engineer")).collect::<String>());
    // Two groups, one in the other.
    server.change(&format!(
        "dn: cn=dev,{GROUPS}\nchangetype: add\nobjectClass: groupOfNames\ncn: dev\nmember: uid=p2,{BASE}\n\n\
         dn: cn=staff,{GROUPS}\nchangetype: add\nobjectClass: groupOfNames\ncn: staff\nmember: cn=dev,{GROUPS}\n\
         member: uid=p1,{BASE}\n\n"
    ));
    let url = format!("ldap://127.0.0.1:{}", server.plain);
    let found = run("ldapsearch", &["-x", "-LLL", "-H", &url, "-b", GROUPS, "(cn=staff)", "entryUUID"], "");
    let uuid = found.lines().find_map(|line| line.strip_prefix("entryUUID: ")).unwrap().to_owned();
    let mut asked = settings(format!("ldaps://127.0.0.1:{}", server.tls), BASE, READER, &server.ca());
    asked.mapping.group_ids = vec![uuid.as_str().into()];
    let following = Following::new(asked);
    let holds = |entries: &[Entry], number: u32| {
        let person = called(entries, &format!("Person {number}"));
        assert_eq!(person.attributes.filled(Attr::JobTitle), Some("Engineer"));
        (person.groups.contains(&uuid), person.groups.contains("staff"), person.groups.contains("everybody"))
    };
    let (entries, _) = following.later(PASSWORD).await;
    assert_eq!(
        [1, 2, 3].map(|number| holds(&entries, number)),
        [(true, true, false), (true, true, false), (false, false, false)]
    );
    server.change(&format!("dn: cn=staff,{GROUPS}\nchangetype: modrdn\nnewrdn: cn=everybody\ndeleteoldrdn: 1\n\n"));
    let (entries, _) = following.by_changes(PASSWORD, "a group with another name").await;
    assert_eq!(
        [1, 2, 3].map(|number| holds(&entries, number)),
        [(true, false, true), (true, false, true), (false, false, false)]
    );
}
