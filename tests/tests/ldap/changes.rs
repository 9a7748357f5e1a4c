//! What changed since the last reading, against Samba and slapd: every kind of change, and every reason to read whole.

use hardmatch_domain::person::Manager;
use hardmatch_ports::source::Entry;

use crate::asked_for;
use crate::people::{FULL_EVERY, Following, called, settings};
use crate::samba::{self, DOMAIN, Samba};
use crate::slapd::{self, Slapd};

/// Lines for slapd: changes are kept, and the reader has no size limit.
pub(crate) const FOLLOWED: &str = "limits dn.exact=\"cn=reader,dc=example,dc=org\" size=unlimited\noverlay syncprov\n\
                                   syncprov-sessionlog 1000";

fn has(entries: &[Entry], name: &str) -> bool {
    entries.iter().any(|entry| match entry {
        Entry::Person(person) => person.attributes.filled(hardmatch_domain::attribute::Attr::DisplayName) == Some(name),
        Entry::Refused(_) => false,
    })
}

/// Everything that happens to people of Active Directory, read by changes each time, and the same as a full reading.
async fn everything_that_happens(server: &Samba, by: &str, deletions_show: bool) {
    let people = samba::BASE;
    let change = |ldif: String| server.modify(&ldif);
    server.add(&(1..=6).map(|number| samba::person(number, "Engineer")).collect::<String>());
    server.add(&format!(
        "dn: OU=Sales,{people}\nobjectClass: organizationalUnit\n\ndn: OU=Outside,{DOMAIN}\nobjectClass: organizationalUnit\n\n\
         dn: CN=Team,OU=Lab,{DOMAIN}\nobjectClass: group\nsAMAccountName: Team\nmember: CN=Person 2,{people}\n\n\
         dn: CN=Staff,OU=Lab,{DOMAIN}\nobjectClass: group\nsAMAccountName: Staff\n\n"
    ));
    change(format!("dn: CN=Person 2,{people}\nchangetype: modify\nadd: manager\nmanager: CN=Person 1,{people}\n-\n\n"));
    let following = Following::new(settings(server.url(), people, samba::READER, &server.ca()));
    let (first, how) = following.later(samba::PASSWORD).await;
    assert_eq!((first.len(), how.as_str()), (6, ""));
    let read = async |what: &str| following.by_changes(samba::PASSWORD, what).await;
    let (_, how) = read("nothing").await;
    assert_eq!(how, format!("0 people were read again by {by}"));

    change(format!(
        "dn: CN=Person 3,{people}\nchangetype: modify\ndelete: mail\n-\nreplace: title\ntitle: Chief\n-\n\n"
    ));
    let (_, how) = read("a value is cleared and another changed").await;
    assert_eq!(how, format!("1 people were read again by {by}"));
    // The manager has another name: nobody reports those whose manager it is.
    change(format!(
        "dn: CN=Person 1,{people}\nchangetype: moddn\nnewrdn: CN=Boss\ndeleteoldrdn: 1\nnewsuperior: OU=Sales,{people}\n\n"
    ));
    let (entries, _) = read("a manager is moved and renamed").await;
    let boss = called(&entries, "Person 1").key.clone();
    assert_eq!(called(&entries, "Person 2").manager, Some(Manager::Person(boss.clone())));
    // Memberships, direct and nested, are reported at the group.
    change(format!(
        "dn: CN=Team,OU=Lab,{DOMAIN}\nchangetype: modify\nadd: member\nmember: CN=Person 4,{people}\n-\n\
         delete: member\nmember: CN=Person 2,{people}\n-\n\n\
         dn: CN=Staff,OU=Lab,{DOMAIN}\nchangetype: modify\nadd: member\nmember: CN=Team,OU=Lab,{DOMAIN}\n-\n\n"
    ));
    let (entries, _) = read("memberships change").await;
    assert!(called(&entries, "Person 4").groups.iter().any(|name| name == "Staff"));
    assert!(!called(&entries, "Person 2").groups.iter().any(|name| name == "Team"));
    change(format!(
        "dn: CN=Team,OU=Lab,{DOMAIN}\nchangetype: moddn\nnewrdn: CN=Crew\ndeleteoldrdn: 1\nnewsuperior: OU=Lab,{DOMAIN}\n\n"
    ));
    let (entries, _) = read("a group is renamed").await;
    assert!(called(&entries, "Person 4").groups.iter().any(|name| name == "Crew"));
    if deletions_show {
        change(format!("dn: CN=Crew,OU=Lab,{DOMAIN}\nchangetype: delete\n\n"));
        let (entries, _) = read("a group is deleted").await;
        assert!(!called(&entries, "Person 4").groups.iter().any(|name| name == "Crew" || name == "Staff"));
    }
    change(format!(
        "dn: CN=Person 5,{people}\nchangetype: moddn\nnewrdn: CN=Person 5\ndeleteoldrdn: 1\nnewsuperior: OU=Outside,{DOMAIN}\n\n"
    ));
    assert!(!has(&read("somebody leaves the scope").await.0, "Person 5"));
    change(format!(
        "dn: CN=Person 5,OU=Outside,{DOMAIN}\nchangetype: moddn\nnewrdn: CN=Person 5\ndeleteoldrdn: 1\nnewsuperior: {people}\n\n"
    ));
    assert!(has(&read("somebody is back in scope").await.0, "Person 5"));
    server.add(&samba::person(7, "Trainee"));
    assert!(has(&read("somebody joins").await.0, "Person 7"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_samba_by_the_control_with_the_replication_right() {
    if !asked_for("changes_of_samba_by_the_control_with_the_replication_right") {
        return;
    }
    let server = Samba::start();
    server.grant_replication();
    server.grant_deletions();
    everything_that_happens(&server, "DirSync", true).await;
    // With the right, deletions are told, and a restored entry is the same person.
    let people = samba::BASE;
    let following = Following::new(settings(server.url(), people, samba::READER, &server.ca()));
    let (before, _) = following.later(samba::PASSWORD).await;
    let key = called(&before, "Person 6").key.clone();
    server.modify(&format!("dn: CN=Person 6,{people}\nchangetype: delete\n\n"));
    let (entries, _) = following.by_changes(samba::PASSWORD, "somebody is deleted").await;
    assert!(!has(&entries, "Person 6"));
    server.restore(key.as_str(), &format!("CN=Person 6,{people}"));
    let (entries, _) = following.by_changes(samba::PASSWORD, "somebody is restored").await;
    assert!(entries.iter().any(|entry| entry.key() == Some(&key)));
    server.modify(&format!("dn: CN=Person 7,{people}\nchangetype: delete\n\n"));
    server.add(&samba::person(7, "Back again"));
    let (entries, _) = following.by_changes(samba::PASSWORD, "somebody is created again").await;
    assert!(has(&entries, "Person 7"));
    assert_ne!(called(&entries, "Person 7").key, called(&before, "Person 7").key);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_samba_by_the_control_as_a_reader() {
    if !asked_for("changes_of_samba_by_the_control_as_a_reader") {
        return;
    }
    let server = Samba::start();
    everything_that_happens(&server, "DirSync without the replication right", false).await;
    // A deletion is not told to a reader: the next full reading lacks the person.
    let people = samba::BASE;
    let following = Following::new(settings(server.url(), people, samba::READER, &server.ca()));
    following.later(samba::PASSWORD).await;
    server.modify(&format!("dn: CN=Person 6,{people}\nchangetype: delete\n\n"));
    assert!(has(&following.later(samba::PASSWORD).await.0, "Person 6"));
    following.clock.forward(FULL_EVERY);
    let (entries, how) = following.later(samba::PASSWORD).await;
    assert!(!has(&entries, "Person 6") && how.contains("The directory was read whole: it is time to"), "{how}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_that_cannot_be_followed_are_a_full_reading() {
    if !asked_for("changes_that_cannot_be_followed_are_a_full_reading") {
        return;
    }
    let server = Samba::start();
    server.grant_replication();
    server.add(&(1..=3).map(|number| samba::person(number, "Engineer")).collect::<String>());
    let mut following = Following::new(settings(server.url(), samba::BASE, samba::READER, &server.ca()));
    let whole = async |following: &Following, why: &str| {
        let (entries, how) = following.later(samba::PASSWORD).await;
        assert!(how.contains("was read whole") && how.contains(why), "{why}: {how}");
        following.same_as_afresh(&entries, samba::PASSWORD, why).await;
    };
    following.later(samba::PASSWORD).await;
    // A unit is renamed: what people below it are called changes, and nobody reports them.
    server.add(&format!("dn: OU=Sales,{}\nobjectClass: organizationalUnit\n\n", samba::BASE));
    whole(&following, "organizational unit").await;
    server.modify(&format!(
        "dn: CN=Person 2,{base}\nchangetype: moddn\nnewrdn: CN=Person 2\ndeleteoldrdn: 1\nnewsuperior: OU=Sales,{base}\n\n",
        base = samba::BASE
    ));
    following.by_changes(samba::PASSWORD, "into the unit").await;
    server.modify(&format!(
        "dn: OU=Sales,{base}\nchangetype: moddn\nnewrdn: OU=Distribution\ndeleteoldrdn: 1\nnewsuperior: {base}\n\n",
        base = samba::BASE
    ));
    whole(&following, "organizational unit").await;
    // Longer away than deletions are kept; the copy is damaged; a clock that was set back; another question.
    following.clock.forward(-2 * 24 * 60 * 60);
    whole(&following, "set back").await;
    let copy = following.memory.0.lock().unwrap().clone();
    if let Some(bytes) = following.memory.0.lock().unwrap().as_mut() {
        bytes[100] ^= 1;
    }
    let (entries, how) = following.later(samba::PASSWORD).await;
    assert_eq!((entries.len(), how.as_str()), (3, ""), "a damaged copy is none");
    *following.memory.0.lock().unwrap() = copy;
    following.settings.filter = Some("(title=Engineer)".to_owned());
    whole(&following, "asks for something else").await;
    // Another controller: the same people, other numbers.
    let other = Samba::start();
    other.grant_replication();
    other.add(&(1..=3).map(|number| samba::person(number, "Engineer")).collect::<String>());
    following.settings.servers = vec![other.url()];
    following.settings.ca = other.ca();
    whole(&following, "another controller").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_slapd_by_content_synchronization() {
    if !asked_for("changes_of_slapd_by_content_synchronization") {
        return;
    }
    let people = slapd::BASE;
    let mut server = Slapd::start(FOLLOWED);
    server.change(&(1..=6).map(|number| slapd::person(number, "Engineer")).collect::<String>());
    server.change(&format!(
        "dn: ou=Outside,dc=example,dc=org\nchangetype: add\nobjectClass: organizationalUnit\nou: Outside\n\n\
         dn: uid=p2,{people}\nchangetype: modify\nadd: manager\nmanager: uid=p1,{people}\n-\n\n\
         dn: cn=dev,ou=Groups,dc=example,dc=org\nchangetype: add\nobjectClass: groupOfNames\ncn: dev\nmember: uid=p2,{people}\n\n"
    ));
    let url = format!("ldaps://127.0.0.1:{}", server.tls);
    let following = Following::new(settings(url, people, slapd::READER, &server.ca()));
    let (first, how) = following.later(slapd::PASSWORD).await;
    assert_eq!((first.len(), how.as_str()), (6, ""));
    let read = async |what: &str| following.by_changes(slapd::PASSWORD, what).await;
    let (_, how) = read("nothing").await;
    assert_eq!(how, "0 people were read again by content synchronization");
    server.change(&format!(
        "dn: uid=p3,{people}\nchangetype: modify\ndelete: mail\n-\nreplace: title\ntitle: Chief\n-\n\n"
    ));
    assert_eq!(read("a value is cleared").await.1, "1 people were read again by content synchronization");
    server.change(&format!("dn: uid=p4,{people}\nchangetype: modrdn\nnewrdn: uid=p44\ndeleteoldrdn: 1\n\n"));
    read("somebody is renamed").await;
    server.change(&format!(
        "dn: cn=dev,ou=Groups,dc=example,dc=org\nchangetype: modify\nadd: member\nmember: uid=p5,{people}\n-\n\
         delete: member\nmember: uid=p2,{people}\n-\n\n"
    ));
    let (entries, _) = read("memberships change").await;
    assert!(called(&entries, "Person 5").groups.iter().any(|name| name == "dev"));
    assert!(!called(&entries, "Person 2").groups.iter().any(|name| name == "dev"));
    server.change("dn: cn=dev,ou=Groups,dc=example,dc=org\nchangetype: modrdn\nnewrdn: cn=crew\ndeleteoldrdn: 1\n\n");
    assert!(called(&read("a group is renamed").await.0, "Person 5").groups.iter().any(|name| name == "crew"));
    server.change("dn: cn=crew,ou=Groups,dc=example,dc=org\nchangetype: delete\n\n");
    assert!(!called(&read("a group is deleted").await.0, "Person 5").groups.iter().any(|name| name == "crew"));
    server.change(&format!("dn: uid=p6,{people}\nchangetype: modrdn\nnewrdn: uid=p6\ndeleteoldrdn: 0\nnewsuperior: ou=Outside,dc=example,dc=org\n\n"));
    assert!(!has(&read("somebody leaves the scope").await.0, "Person 6"));
    server.change(&format!("dn: uid=p1,{people}\nchangetype: delete\n\n{}", slapd::person(7, "Trainee")));
    let (entries, _) = read("one is deleted and one joins").await;
    assert!(!has(&entries, "Person 1") && has(&entries, "Person 7"));
    server.change(&slapd::person(1, "Back again"));
    read("somebody is created again").await;
    // The log of deletions is in memory: behind a restart nothing can be concluded from changes.
    server.change(&format!("dn: uid=p7,{people}\nchangetype: delete\n\n"));
    server.restart();
    let (entries, how) = following.later(slapd::PASSWORD).await;
    assert!(how.contains("read whole: the server has forgotten"), "{how}");
    following.same_as_afresh(&entries, slapd::PASSWORD, "behind a restart").await;
    read("nothing since").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_a_server_without_synchronization_by_their_time() {
    if !asked_for("changes_of_a_server_without_synchronization_by_their_time") {
        return;
    }
    let people = slapd::BASE;
    let server = Slapd::start("limits dn.exact=\"cn=reader,dc=example,dc=org\" size=unlimited");
    server.change(&(1..=3).map(|number| slapd::person(number, "Engineer")).collect::<String>());
    let following =
        Following::new(settings(format!("ldaps://127.0.0.1:{}", server.tls), people, slapd::READER, &server.ca()));
    following.later(slapd::PASSWORD).await;
    server.change(&format!(
        "dn: uid=p3,{people}\nchangetype: modify\nreplace: title\ntitle: Chief\n-\n\n{}",
        slapd::person(4, "Trainee")
    ));
    let (entries, how) = following.by_changes(slapd::PASSWORD, "somebody changes and somebody joins").await;
    assert!(how.ends_with("by modifyTimestamp") && has(&entries, "Person 4"), "{how}");
    // A deletion shows in the next full reading, and no earlier.
    server.change(&format!("dn: uid=p1,{people}\nchangetype: delete\n\n"));
    assert!(has(&following.later(slapd::PASSWORD).await.0, "Person 1"));
    following.clock.forward(FULL_EVERY);
    assert!(!has(&following.later(slapd::PASSWORD).await.0, "Person 1"));
}
