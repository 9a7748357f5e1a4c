use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hardmatch_domain::account::{Account, AddressHolder, HolderKind};
use hardmatch_domain::attribute::{Attr, Attributes, Texts};
use hardmatch_domain::ids::{ObjectId, PersonKey, PersonRef};
use hardmatch_domain::link::{JoinRule, Ledger, Link};
use hardmatch_domain::person::{Addresses, Extra, Person};
use hardmatch_domain::repair::journal::RepairState;
use hardmatch_ports::Table as _;
use serde_json::{Map, json};

use super::spied::SpiedTable;
use super::*;
use crate::accounts::AccountItem;
use crate::entering::PersonSighting;
use crate::fingerprints::{bucket_of, object_id};
use crate::keys::every::{Parts, claim, every_key};
use crate::leases::TakeLease;
use crate::pushed::{PushedGroup, PushedPerson};
use crate::repairs::BeginRepair;

/// The day of the timer among all keys.
const NOW: i64 = DAY;

fn scope() -> TenantKey {
    TenantKey::new("graph.test", "tenant")
}

/// A table in which there is one item of every kind. What is found only by its own content is entered as it always is, and
/// the others are bodies without meaning under their keys.
struct Full {
    table: Arc<SpiedTable>,
    store: Store,
    c: ConnectionId,
    pid: PersonHash,
    account: ObjectId,
    lane: String,
}

impl Full {
    async fn new() -> Self {
        let table = Arc::new(SpiedTable::new());
        let store = Store::open(table.clone()).await.unwrap();
        let c = ConnectionId::new("contoso");
        let pid = store.pid(&PersonRef { connection: c.clone(), key: PersonKey::new("ada") });
        let lane = lane_name(&scope(), "client", Urgency::Scheduled);
        let full = Self { table, store, c, pid, account: object_id(&[9; 16]), lane };
        full.enter_person().await;
        full.enter_account().await;
        full.enter_pushed().await;
        full.enter_repairs().await;
        full.note_batch().await;
        full.fill().await;
        full
    }

    fn person() -> Person {
        let attributes = [(Attr::UserPrincipalName, "v@v"), (Attr::EmployeeId, "v")];
        Person {
            key: PersonKey::new("ada"),
            anchors: Vec::new(),
            attributes: Attributes::from_pairs(attributes),
            addresses: Addresses::default(),
            groups: Texts::default(),
            manager: None,
            enabled: Some(true),
            password_expired: None,
            extra: Extra::default(),
            given_by: None,
        }
    }

    async fn enter_person(&self) {
        let mut writes = Vec::new();
        let sighting = PersonSighting::Understood(Box::new(Self::person()));
        assert!(self.store.enter_person(&scope(), &self.c, None, sighting, &mut writes));
        self.store.write_facts_last(writes).await.unwrap();
        let name = *self.pid.bytes();
        let bucket = BTreeMap::from([(name, [0; 8])]);
        self.store.put_buckets(&Series::people(&self.c), [(bucket_of(&name), &bucket)]).await.unwrap();
    }

    async fn enter_account(&self) {
        let mut account = Account::blank(self.account.clone());
        account.attributes = Self::person().attributes;
        let mut writes = Vec::new();
        self.store.put_account(&scope(), None, &AccountItem { account, wrote: None }, &mut writes);
        let link = Link {
            person: PersonRef { connection: self.c.clone(), key: PersonKey::new("ada") },
            account: self.account.clone(),
            immutable_id: None,
            joined_by: JoinRule::HardMatch,
            ledger: Ledger::default(),
            revision: 1,
        };
        self.store.put_link(&scope(), None, &link, &mut writes);
        let holder = AddressHolder { id: self.account.clone(), kind: HolderKind::Group };
        writes.push(self.store.put_holder(&scope(), "v@v", &holder));
        let held = serde_json::to_vec(&[("v@v", holder)]).unwrap();
        writes.push(self.store.write_note(&NoteList::address_holders(&scope(), "groups"), "name", held));
        for write in writes {
            self.store.write(write).await.unwrap();
        }
        let bucket = BTreeMap::from([([9; 16], [0; 8])]);
        self.store.put_buckets(&Series::accounts(&scope()), [(bucket_of(&[9; 16]), &bucket)]).await.unwrap();
        self.store.want_proving(&scope(), &self.c, &[Attr::EmployeeId]).await.unwrap();
    }

    async fn enter_pushed(&self) {
        let person = PushedPerson {
            id: "id".to_owned(),
            key: PersonKey::new("ada"),
            attributes: Map::new(),
            had: BTreeSet::new(),
            claims: vec![claim()],
            found_by: BTreeSet::from([claim()]),
            created_ms: 0,
            changed_ms: 0,
            deleted: None,
        };
        let mut writes = self.store.put_pushed_person(&self.c, None, &person);
        let (id, name) = ("id".to_owned(), "Engineers".to_owned());
        let group = PushedGroup { id, name, attributes: Map::new(), created_ms: 0, changed_ms: 0 };
        writes.append(self.store.put_pushed_group(&self.c, None, &group));
        self.store.write_pushed(writes).await.unwrap();
    }

    /// A repair under way, and one that ended.
    async fn enter_repairs(&self) {
        let person = json!({ "connection": self.c, "key": "ada" });
        let journal: Journal = serde_json::from_value(json!({
            "v": 1, "id": "repair", "kind": "set_id", "connection": self.c, "person": person, "run": "run", "change": "change", "reasons": [],
            "calls": [{ "account": self.account, "write": { "do": "delete" } }], "originals": [],
            "direction": "forward", "done": 0, "state": "open", "began_ms": 0,
        }))
        .unwrap();
        assert!(matches!(self.store.begin_repair(&scope(), &journal).await.unwrap(), BeginRepair::Begun(_)));
        let closed = Journal { state: RepairState::Repaired, ..journal };
        let closed = Write::put(keys::closed_repair(&scope(), "run", "repair"), crate::json(&closed));
        self.store.write(closed).await.unwrap();
    }

    async fn note_batch(&self) {
        let TakeLease::Taken(lease) = self.store.lease(&self.lane, "writer", 0, 1).await.unwrap() else {
            panic!("the lane is free");
        };
        let batch = Store::put_batch(&lease.proof(), 1, &self.c, &[self.pid]);
        self.store.write_all(vec![batch]).await.unwrap();
    }

    async fn fill(&self) {
        for key in self.every_key() {
            if self.table.get(&key).await.unwrap().is_none() {
                self.table.write(Write::put(key, b"1".to_vec())).await.unwrap();
            }
        }
    }

    fn every_key(&self) -> Vec<Key> {
        every_key(&Parts {
            c: &self.c,
            pid: self.pid,
            scope: &scope(),
            id: &self.account,
            hashing: &self.store.secret,
            lane: &self.lane,
            collection: "groups",
        })
    }

    async fn forget(&self, with_tenant: bool) -> Forgotten {
        let scope = scope();
        let of = Forgetting { connection: &self.c, scope: &scope, client: Some("client"), with_tenant, now: NOW };
        self.store.forget_connection(of, || true).await.unwrap()
    }

    /// What is left, by the first word of its key.
    async fn left(&self) -> BTreeSet<String> {
        let all = self.table.everything().await;
        all.into_iter().map(|key| key.pk.split('#').next().unwrap_or_default().to_owned()).collect()
    }
}

/// What names no connection and nobody, or ends within the hour.
const KEPT: [&str; 5] = ["CONNECT", "GATE", "LOCK", "MESSAGE", "STORE"];

#[tokio::test]
async fn no_kind_of_item_is_left_of_a_connection_and_its_tenant() {
    let full = Full::new().await;
    let all = full.table.everything().await.len();
    let forgotten = full.forget(true).await;
    assert_eq!(full.left().await, BTreeSet::from(KEPT.map(str::to_owned)));
    let left = full.table.everything().await.len();
    assert_eq!((forgotten.done, forgotten.items), (true, (all - left) as u64), "what is told was deleted");
    assert_eq!(full.forget(true).await, Forgotten { items: 0, done: true });
}

#[tokio::test]
async fn the_mirror_of_a_tenant_with_another_connection_stays() {
    let full = Full::new().await;
    full.forget(false).await;
    let mut kept = BTreeSet::from(KEPT.map(str::to_owned));
    kept.extend(["A", "FA", "KA", "NOTE", "T"].map(str::to_owned));
    assert_eq!(full.left().await, kept);
    for key in full.table.everything().await {
        let named = [full.c.as_str(), &*full.pid.hex()].map(|name| key.pk.contains(name) || key.sk.contains(name));
        assert_eq!(named, [false, false], "{key:?} names the connection or its person");
    }
    assert!(full.store.proving(&scope()).await.unwrap().wanted.is_empty());
}

#[tokio::test]
async fn forgetting_that_is_cut_short_goes_on_where_it_was() {
    let full = Full::new().await;
    let all = full.table.everything().await.len() as u64;
    let scope = scope();
    let of = Forgetting { connection: &full.c, scope: &scope, client: Some("client"), with_tenant: true, now: NOW };
    let (mut items, mut asked) = (0, 0);
    loop {
        // Nothing but what every attempt has to do is done in one.
        let forgotten = full.store.forget_connection(of, || false).await.unwrap();
        (items, asked) = (items + forgotten.items, asked + 1);
        assert!(asked < 200, "it never ends");
        if forgotten.done {
            break;
        }
        assert!(full.store.connections().await.unwrap().contains(&full.c), "the name goes last");
    }
    assert_eq!(items, all - full.table.everything().await.len() as u64);
    assert!(asked > 2, "it was cut short");
}
