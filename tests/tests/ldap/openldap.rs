//! OpenLDAP: the contract of sources, and every refusal in words.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hardmatch_domain::ids::PersonKey;
use hardmatch_domain::person::Manager;
use hardmatch_ports::Source;
use hardmatch_ports::contract::{TestDirectory, source_contract};
use hardmatch_sources_ldap::LdapSettings;

use crate::people::{called, fails, read, settings, source};
use crate::proxy::Proxy;
use crate::slapd::{BASE, PASSWORD, READER, Slapd, person};
use crate::{asked_for, server};

const UNLIMITED: &str = "limits dn.exact=\"cn=reader,dc=example,dc=org\" size=unlimited";
const WRITABLE: &str = "access to attrs=employeeNumber by dn.exact=\"cn=reader,dc=example,dc=org\" write by * read\n\
                        access to attrs=userPassword by * auth\naccess to * by * read";

fn with_key(server: &Slapd, port: u16) -> LdapSettings {
    let mut settings = settings(format!("ldaps://127.0.0.1:{port}"), BASE, READER, &server.ca());
    settings.mapping.key = Some("uid".to_owned());
    settings
}

/// People of numbers below the base.
struct Numbered {
    server: Slapd,
    proxy: Proxy,
    people: Mutex<BTreeMap<u32, String>>,
}

#[async_trait]
impl TestDirectory for Numbered {
    fn source(&self) -> Arc<dyn Source> {
        source(with_key(&self.server, self.proxy.port), PASSWORD)
    }

    async fn set(&self, people: &BTreeMap<u32, String>) {
        let mut there = self.people.lock().unwrap();
        let mut ldif = String::new();
        for number in there.keys().filter(|number| !people.contains_key(number)) {
            write!(ldif, "dn: uid=p{number},{BASE}\nchangetype: delete\n\n").unwrap();
        }
        for (number, title) in people {
            match there.get(number) {
                None => ldif.push_str(&person(*number, title)),
                Some(have) if have != title => {
                    write!(ldif, "dn: uid=p{number},{BASE}\nchangetype: modify\nreplace: title\ntitle: {title}\n-\n\n")
                        .unwrap();
                }
                Some(_) => {}
            }
        }
        if !ldif.is_empty() {
            self.server.change(&ldif);
        }
        there.clone_from(people);
    }

    fn key(&self, number: u32) -> PersonKey {
        PersonKey::new(format!("p{number}"))
    }

    async fn break_off(&self, broken: bool) {
        self.proxy.cuts.store(broken, Ordering::SeqCst);
    }

    fn writable(&self) -> Option<Box<str>> {
        Some("employeeNumber".into())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openldap_keeps_the_contract_of_sources() {
    if !asked_for("openldap_keeps_the_contract_of_sources") {
        return;
    }
    let server = Slapd::start(&format!("{UNLIMITED}\n{WRITABLE}"));
    let proxy = Proxy::to(format!("127.0.0.1:{}", server.tls));
    source_contract(&Numbered { server, proxy, people: Mutex::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_of_openldap_have_groups_managers_and_uuids() {
    if !asked_for("people_of_openldap_have_groups_managers_and_uuids") {
        return;
    }
    let server = Slapd::start(&format!("{UNLIMITED}\n{WRITABLE}"));
    server.change(&format!("{}{}", person(1, "Boss"), person(2, "Engineer")));
    server.change(&format!(
        "dn: uid=p2,{BASE}\nchangetype: modify\nadd: manager\nmanager: uid=p1,{BASE}\n-\nadd: jpegPhoto\njpegPhoto:: /9j/4AAQ\n-\n\n\
         dn: cn=dev,ou=Groups,dc=example,dc=org\nchangetype: add\nobjectClass: groupOfNames\ncn: dev\nmember: uid=p2,{BASE}\n\n\
         dn: cn=staff,ou=Groups,dc=example,dc=org\nchangetype: add\nobjectClass: groupOfNames\ncn: staff\n\
         member: cn=dev,ou=Groups,dc=example,dc=org\n\n"
    ));
    // Over StartTLS, too.
    for url in [format!("ldaps://127.0.0.1:{}", server.tls), format!("ldap://127.0.0.1:{}", server.plain)] {
        let source = source(settings(url, BASE, READER, &server.ca()), PASSWORD);
        let (entries, completeness) = read(&*source).await.unwrap();
        assert_eq!((completeness.entries, completeness.doubts.len()), (2, 0));
        let (boss, engineer) = (called(&entries, "Person 1"), called(&entries, "Person 2"));
        assert_eq!(boss.key.as_str().len(), 36, "entryUUID is the key");
        assert_eq!(engineer.manager, Some(Manager::Person(boss.key.clone())));
        let groups: Vec<&str> = engineer.groups.iter().collect();
        assert!(groups.contains(&"dev") && groups.contains(&"staff"), "{groups:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_openldap_refuses_is_said_with_its_cure_and_nobody_is_read() {
    if !asked_for("what_openldap_refuses_is_said_with_its_cure_and_nobody_is_read") {
        return;
    }
    let server = Slapd::start(WRITABLE);
    let people: String = (1..=600).map(|number| person(number, "Engineer")).collect();
    server.change(&people);
    let url = format!("ldaps://127.0.0.1:{}", server.tls);
    let with = |change: &dyn Fn(&mut LdapSettings), password: &str| {
        let mut settings = settings(url.clone(), BASE, READER, &server.ca());
        change(&mut settings);
        source(settings, password)
    };
    let limit = fails(&*with(&|_| {}, PASSWORD)).await;
    assert!(limit.problem.contains("size limit"), "{limit}");
    assert!(limit.cure.contains("limits dn.exact=\"cn=reader,dc=example,dc=org\" size=unlimited"), "{limit}");
    let wrong = fails(&*with(&|_| {}, "no")).await;
    assert!(wrong.problem.contains("name or password is wrong") && !wrong.retry, "{wrong}");
    let empty = fails(&*with(&|_| {}, "")).await;
    assert!(empty.problem.contains("never sent"), "{empty}");
    let base = fails(&*with(&|settings| settings.base = "ou=Nobody,dc=example,dc=org".to_owned(), PASSWORD)).await;
    assert!(base.problem.contains("has no ou=Nobody"), "{base}");
    let host = fails(&*with(&|settings| settings.servers = vec!["ldaps://dc.invalid:636".to_owned()], PASSWORD)).await;
    assert!(host.problem.contains("dc.invalid is not known"), "{host}");
    let other = tempfile::tempdir().unwrap();
    server::certificates(other.path(), "127.0.0.1");
    let foreign = fails(&*with(&|settings| settings.ca = other.path().join("ca.pem"), PASSWORD)).await;
    assert!(foreign.problem.contains("another authority") && !foreign.retry, "{foreign}");
    let closed = format!("ldaps://127.0.0.1:{}", server::free_port());
    let refused = fails(&*with(&|settings| settings.servers = vec![closed.clone()], PASSWORD)).await;
    assert!(refused.problem.contains("refuses connections") && refused.retry, "{refused}");
    // A server that is down gives way to the next one; the limit is that one's.
    let second = fails(&*with(&|settings| settings.servers.insert(0, closed.clone()), PASSWORD)).await;
    assert!(second.problem.contains("size limit"), "{second}");
    let filter = fails(&*with(&|settings| settings.filter = Some("(uid=".to_owned()), PASSWORD)).await;
    assert!(filter.problem.contains("filter"), "{filter}");
    // Everything that is read fits below the limit: the same server, the same account.
    let few = with(&|settings| settings.filter = Some("(uid=p1*)".to_owned()), PASSWORD);
    let (entries, completeness) = read(&*few).await.unwrap();
    assert_eq!((entries.len(), completeness.doubts.len()), (111, 0));
    let nobody = with(&|settings| settings.filter = Some("(uid=nobody)".to_owned()), PASSWORD);
    let (entries, completeness) = read(&*nobody).await.unwrap();
    assert_eq!((entries.len(), completeness.doubts.len()), (0, 1));
    // A part of the tree that lies elsewhere.
    server.change(
        "dn: ou=Away,ou=People,dc=example,dc=org\nchangetype: add\nobjectClass: referral\nobjectClass: extensibleObject\n\
         ou: Away\nref: ldap://away.example.org/ou=Away,dc=example,dc=org\n\n",
    );
    let few = with(&|settings| settings.filter = Some("(uid=p1*)".to_owned()), PASSWORD);
    let (_, completeness) = read(&*few).await.unwrap();
    assert!(completeness.doubts.iter().any(|doubt| doubt.contains("away.example.org")), "{completeness:?}");
}
