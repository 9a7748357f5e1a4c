//! Active Directory, as Samba is one: the contract of sources, what an entry means, and the command from plan to apply.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hardmatch_domain::ids::{Guid, PersonKey};
use hardmatch_domain::person::Manager;
use hardmatch_ports::Source;
use hardmatch_ports::contract::{TestDirectory, source_contract};
use hardmatch_ports::source::{WriteBack, WrittenBack};

use crate::asked_for;
use crate::people::{called, fails, hardmatch, read, settings, source};
use crate::proxy::Proxy;
use crate::samba::{BASE, DOMAIN, PASSWORD, READER, Samba, person};

/// People of numbers below the base, and their GUIDs.
struct Numbered {
    server: Samba,
    proxy: Proxy,
    people: Mutex<BTreeMap<u32, (String, PersonKey)>>,
}

#[async_trait]
impl TestDirectory for Numbered {
    fn source(&self) -> Arc<dyn Source> {
        source(settings(format!("ldaps://127.0.0.1:{}", self.proxy.port), BASE, READER, &self.server.ca()), PASSWORD)
    }

    async fn set(&self, people: &BTreeMap<u32, String>) {
        let mut there = self.people.lock().unwrap();
        let (mut changes, mut added) = (String::new(), String::new());
        for (number, title) in people {
            match there.get(number) {
                None => added.push_str(&person(*number, title)),
                Some((have, _)) if have != title => write!(
                    changes,
                    "dn: CN=Person {number},{BASE}\nchangetype: modify\nreplace: title\ntitle: {title}\n-\n\n"
                )
                .unwrap(),
                Some(_) => {}
            }
        }
        for number in there.keys().filter(|number| !people.contains_key(number)) {
            write!(changes, "dn: CN=Person {number},{BASE}\nchangetype: delete\n\n").unwrap();
        }
        if !changes.is_empty() {
            self.server.modify(&changes);
        }
        if !added.is_empty() {
            self.server.add(&added);
        }
        let guids = self.server.search("(&(objectCategory=person)(sAMAccountName=p*))", "objectGUID");
        let mut number = None;
        there.clear();
        for line in guids.lines() {
            if let Some(dn) = line.strip_prefix("dn: CN=Person ") {
                number = dn.split(',').next().and_then(|number| number.parse::<u32>().ok());
            } else if let (Some(guid), Some(number)) = (line.strip_prefix("objectGUID: "), number)
                && let Some(title) = people.get(&number)
            {
                there.insert(number, (title.clone(), PersonKey::new(guid.trim())));
            }
        }
        assert_eq!(there.len(), people.len());
    }

    fn key(&self, number: u32) -> PersonKey {
        // Somebody who is not there has a GUID, too.
        let nobody = || PersonKey::new(format!("{number:08x}-1a2b-4c3d-8e4f-0123456789ab"));
        self.people.lock().unwrap().get(&number).map_or_else(nobody, |(_, key)| key.clone())
    }

    async fn break_off(&self, broken: bool) {
        self.proxy.cuts.store(broken, Ordering::SeqCst);
    }

    fn writable(&self) -> Option<Box<str>> {
        Some("mS-DS-ConsistencyGuid".into())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn samba_reads_whole_and_one_by_one() {
    if !asked_for("samba_reads_whole_and_one_by_one") {
        return;
    }
    let server = Samba::start();
    server.grant_anchor();
    let people: String = (1..=3).map(|number| person(number, "Engineer")).collect();
    server.add(&people);
    server.add(&format!(
        "dn: CN=Team,OU=Lab,{DOMAIN}\nobjectClass: group\nsAMAccountName: Team\nmember: CN=Person 2,{BASE}\n\n\
         dn: CN=Staff,OU=Lab,{DOMAIN}\nobjectClass: group\nsAMAccountName: Staff\nmember: CN=Team,OU=Lab,{DOMAIN}\n\n"
    ));
    server.modify(&format!(
        "dn: CN=Person 2,{BASE}\nchangetype: modify\nadd: manager\nmanager: CN=Person 1,{BASE}\n-\n\n\
         dn: CN=Team,OU=Lab,{DOMAIN}\nchangetype: modify\nadd: member\nmember: CN=Staff,OU=Lab,{DOMAIN}\n-\n\n\
         dn: CN=Person 3,{BASE}\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: 546\n-\n\n"
    ));
    let settings = settings(server.url(), BASE, READER, &server.ca());
    let source = source(settings.clone(), PASSWORD);
    let (entries, completeness) = read(&*source).await.unwrap();
    assert_eq!((completeness.entries, completeness.doubts.len()), (3, 0), "{completeness:?}");
    let [one, two, three] = [1, 2, 3].map(|number| called(&entries, &format!("Person {number}")));
    assert_eq!((one.enabled, three.enabled), (Some(true), Some(false)));
    assert_eq!(two.manager, Some(Manager::Person(one.key.clone())));
    let groups: Vec<&str> = two.groups.iter().collect();
    assert!(["Team", "Staff", "Domain Users"].iter().all(|name| groups.contains(name)), "{groups:?}");
    let guid = Guid::parse(two.key.as_str()).unwrap();
    let anchor = two.anchors.iter().find(|anchor| anchor.from.as_str() == "objectGUID").unwrap();
    assert_eq!(anchor.id.as_str(), STANDARD.encode(guid.ad_bytes()));

    // Learnt elsewhere and written back: once, and never over another value.
    let value = |bytes: [u8; 16]| WriteBack {
        key: two.key.clone(),
        attribute: "mS-DS-ConsistencyGuid".into(),
        values: vec![bytes.to_vec()],
    };
    let written = source.write_back(&[value(guid.ad_bytes()), value(guid.ad_bytes()), value([7; 16])]).await.unwrap();
    assert_eq!(written, [WrittenBack::Written, WrittenBack::AlreadyThere, WrittenBack::Kept]);
    let other = WriteBack { attribute: "description".into(), ..value([65; 16]) };
    let refused = source.write_back(&[other]).await.unwrap();
    assert!(
        matches!(&refused[0], WrittenBack::Refused { cure, .. } if cure.contains("dsacls")),
        "the account may write nothing else: {refused:?}"
    );

    // Names under which Active Directory lets one sign in, and what it says of those it does not.
    for bind in ["svc-sync@corp.example.test", "CORP\\svc-sync"] {
        let source = crate::people::source(
            hardmatch_sources_ldap::LdapSettings { bind: bind.to_owned(), ..settings.clone() },
            PASSWORD,
        );
        source.probe().await.unwrap();
    }
    let wrong = fails(&*crate::people::source(settings.clone(), "wrong")).await;
    assert!(wrong.problem.contains("the password is wrong (data 52e)"), "{wrong}");
    server.tool(&["user", "disable", "svc-sync"]);
    let disabled = fails(&*source).await;
    assert!(disabled.problem.contains("disabled (data 533)"), "{disabled}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn samba_keeps_the_contract_of_sources() {
    if !asked_for("samba_keeps_the_contract_of_sources") {
        return;
    }
    let server = Samba::start();
    server.grant_anchor();
    let proxy = Proxy::to(format!("{}:636", server.address));
    source_contract(&Numbered { server, proxy, people: Mutex::default() }).await;
}

#[test]
fn a_plan_of_active_directory_is_applied_and_a_lost_directory_removes_nobody() {
    if !asked_for("a_plan_of_active_directory_is_applied_and_a_lost_directory_removes_nobody") {
        return;
    }
    let server = Samba::start();
    let people: String = (1..=5).map(|number| person(number, "Engineer")).collect();
    server.add(&people);
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(server.ca(), folder.path().join("ca.pem")).unwrap();
    std::fs::write(
        folder.path().join("hardmatch.toml"),
        format!(
            "schema = 1\nconnection = \"corp\"\n\n[tenant]\nid = \"CHANGE-ME\"\ncloud = \"simulated\"\n\n[source]\nkind = \"ldap\"\n\
             location = \"{}\"\nbase = \"{BASE}\"\nbind = \"{READER}\"\npassword = \"env:LDAP_PASSWORD\"\nca = \"ca.pem\"\n",
            server.url()
        ),
    )
    .unwrap();
    let (code, said) = hardmatch(folder.path(), &["plan"], PASSWORD);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Create (5)") || said.contains("5  create"), "{said}");
    let hash = said.lines().find_map(|line| line.trim().strip_prefix("Apply it with: hardmatch apply ")).unwrap();
    let (code, said) = hardmatch(folder.path(), &["apply", hash.trim()], PASSWORD);
    assert_eq!(code, Some(0), "{said}");
    // Everything that can be lost of a directory, one after the other; then it is back, and nothing is to be done.
    let (code, said) = hardmatch(folder.path(), &["sync", "--yes"], "wrong");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the password is wrong"), "{said}");
    let (code, said) = hardmatch(folder.path(), &["sync", "--yes"], "");
    assert_eq!(code, Some(1), "{said}");
    let (code, said) = hardmatch(folder.path(), &["sync", "--yes"], PASSWORD);
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("block"), "{said}");
}
