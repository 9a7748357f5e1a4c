//! A table, a clock, a lane, and people whose changes are decided.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hardmatch_domain::account::Account;
use hardmatch_domain::attribute::{Attr, Attributes, Texts};
use hardmatch_domain::change::{Action, Change, ChangeId, Hold, Removals, Revisions, Step};
use hardmatch_domain::group::{GroupKind, GroupTarget};
use hardmatch_domain::ids::{ConnectionId, ImmutableId, ObjectId, PersonKey, PersonRef};
use hardmatch_domain::license::License;
use hardmatch_domain::link::{JoinRule, LeavingCause, Ledger, Link};
use hardmatch_domain::person::{Addresses, Extra, Person, PersonRecord, SourceStatus};
use hardmatch_embedded::FileTable;
use hardmatch_ports::run::{Outcome, Phase, Run};
use hardmatch_ports::tenant::{Answer, Refusal, RefusalKind};
use hardmatch_ports::{Clock as _, Key, Table as _, Write};
use hardmatch_runtime::ManualClock;
use hardmatch_store::accounts::AccountItem;
use hardmatch_store::changes::{ChangeState, LanePhase, OpenChange};
use hardmatch_store::connection::Meta;
use hardmatch_store::leases::TakeLease;
use hardmatch_store::runs::RunPlace;
use hardmatch_store::{PersonHash, Store, TenantKey};
use hardmatch_write::{After, WriteError, WritePorts, answer, drain};
use jiff::Timestamp;
use serde_json::json;

use crate::tenant::{Messages, Sink, Tenant, lane, observe};

/// Noon on 15 January 2026, UTC.
const NOON: i64 = 1_768_478_400;
const RUN: &str = "run1";

pub(crate) fn contoso() -> ConnectionId {
    ConnectionId::new("contoso")
}

pub(crate) struct Fixture {
    pub(crate) store: Store,
    clock: ManualClock,
    scope: TenantKey,
    tenant: Arc<Tenant>,
    sink: Arc<Sink>,
    messages: Arc<Messages>,
    decided: usize,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let table = FileTable::in_memory().unwrap();
        table.write(Write::put(Key::new("STORE", "SECRET"), vec![7; 32])).await.unwrap();
        let store = Store::open(Arc::new(table)).await.unwrap();
        let run: Run = serde_json::from_value(json!({
            "v": 1, "id": RUN, "connection": "contoso", "intent": "sync", "phase": "writing",
            "policy_revision": 1, "started_ms": NOON * 1000, "everybody": false, "collections": {},
        }))
        .unwrap();
        let meta = store.meta(&contoso()).await.unwrap();
        store.open_run(&run, &RunPlace::Connection(Box::new(meta))).await.unwrap();
        let scope = TenantKey::new("graph", "tenant");
        let tenant = Tenant {
            store: store.clone(),
            scope: scope.clone(),
            answers: Mutex::default(),
            asked: Mutex::default(),
            noted: Mutex::default(),
            observes: Mutex::default(),
        };
        Self {
            store,
            clock: ManualClock::auto(Timestamp::from_second(NOON).unwrap()),
            scope,
            tenant: Arc::new(tenant),
            sink: Arc::default(),
            messages: Arc::default(),
            decided: 0,
        }
    }

    pub(crate) fn answers(&self, answers: impl IntoIterator<Item = Answer>) {
        self.tenant.answers.lock().unwrap().extend(answers);
    }

    /// What the tenant was asked so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.tenant.asked.lock().unwrap().clone()
    }

    pub(crate) fn delivered(&self) -> Vec<String> {
        self.sink.delivered.lock().unwrap().clone()
    }

    pub(crate) fn sink_fails(&self) {
        *self.sink.fails.lock().unwrap() = true;
    }

    /// The people who were noted as under way, at each batch of calls.
    pub(crate) fn noted_when_asked(&self) -> Vec<Vec<PersonHash>> {
        self.tenant.noted.lock().unwrap().clone()
    }

    /// While the next calls are on their way, another look at the tenant finds a value that somebody else wrote.
    pub(crate) fn observe_during_call(&self, id: &str, attr: Attr, value: &str) {
        *self.tenant.observes.lock().unwrap() = Some((id.to_owned(), attr, value.to_owned()));
    }

    /// An earlier writer noted the person's step as sent, and was killed.
    pub(crate) async fn killed_after_noting(&self, pid: PersonHash) {
        let now_ms = self.clock.now().as_millisecond();
        let taken = self.store.lease(&lane(&self.scope), "an earlier writer", now_ms, 1).await.unwrap();
        let TakeLease::Taken(lease) = taken else { panic!("{taken:?}") };
        self.store.write(Store::put_batch(&lease.proof(), 0, &contoso(), &[pid])).await.unwrap();
        self.store.release(lease).await.unwrap();
    }

    /// The answer to a look at an account that is as the mirror has it, but for one value.
    pub(crate) async fn account_with(&self, id: &str, attr: Attr, value: &str) -> Answer {
        let item = self.store.account(&self.scope, &ObjectId::from(id)).await.unwrap().unwrap();
        let mut account = item.account;
        account.attributes = account.attributes.with(attr, value);
        Answer::Done(Some(Box::new(account)))
    }

    pub(crate) fn pass_seconds(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) fn pass_hours(&self, hours: u64) {
        self.clock.advance(Duration::from_secs(hours * 60 * 60));
    }

    /// The answer of a creation, or of a look for what it made.
    #[expect(clippy::unused_self, reason = "read beside the other answers")]
    pub(crate) fn made(&self, id: &str) -> Answer {
        let account = Account {
            immutable_id: Some(ImmutableId::new("AAAA")),
            enabled: Some(true),
            ..Account::blank(ObjectId::from(id))
        };
        Answer::Done(Some(Box::new(account)))
    }

    /// The answer to a look at an account that is as the mirror has it.
    pub(crate) async fn account_as_it_is(&self, id: &str) -> Answer {
        let item = self.store.account(&self.scope, &ObjectId::from(id)).await.unwrap().unwrap();
        Answer::Done(Some(Box::new(item.account)))
    }

    fn who(name: &str) -> PersonRef {
        PersonRef { connection: contoso(), key: PersonKey::new(name) }
    }

    /// A person, their change, and its place in the lane.
    pub(crate) async fn decide(&mut self, name: &str, steps: Vec<Step>, account: Option<&str>) -> PersonHash {
        self.open(name, steps, None, account).await
    }

    /// A person, their change with removals from a step on, and its place in the lane.
    pub(crate) async fn decide_removal(
        &mut self,
        name: &str,
        steps: Vec<Step>,
        from: usize,
        account: &str,
    ) -> PersonHash {
        self.open(name, steps, Some(from), Some(account)).await
    }

    async fn open(
        &mut self,
        name: &str,
        steps: Vec<Step>,
        removal_from: Option<usize>,
        account: Option<&str>,
    ) -> PersonHash {
        let who = Self::who(name);
        let pid = self.store.pid(&who);
        let person = Person {
            key: PersonKey::new(name),
            anchors: Vec::new(),
            attributes: Attributes::default(),
            addresses: Addresses::default(),
            groups: Texts::default(),
            manager: None,
            enabled: Some(true),
            password_expired: None,
            extra: Extra::default(),
            given_by: None,
        };
        let (standing, former) = (SourceStatus::Present, Vec::new());
        let record = PersonRecord { connection: contoso(), person, standing, revision: 1, former };
        let mut writes = Vec::new();
        self.store.put_person(&self.scope, None, &record, &mut writes);
        let account = account.map(ObjectId::from);
        let revision = match &account {
            Some(id) => self.store.account(&self.scope, id).await.unwrap().unwrap().account.revision,
            None => 0,
        };
        let change = Change {
            id: ChangeId::of(&who, account.as_ref(), &steps),
            person: who,
            account,
            action: Action::Update,
            steps,
            after: Vec::new(),
            hold: removal_from.map(|_| Hold::Removal),
            removals: Removals { suspends: u32::from(removal_from.is_some()), ..Removals::default() },
            removal_from,
            depth: 0,
            link_from: None,
            decided_on: Revisions { person: 1, account: revision, policy: 1 },
            joined_by: JoinRule::Link,
            reasons: Vec::new(),
            undoes: None,
        };
        let open = OpenChange {
            v: 1,
            change,
            run: RUN.to_owned(),
            state: ChangeState::Ready,
            done: 0,
            attempts: 0,
            not_before_ms: 0,
            accepted: false,
            manager_pending: None,
            refusal: None,
            refused_parts: Vec::new(),
            unwritten: Vec::new(),
            password_unknown: false,
            decided_ms: self.clock.now().as_millisecond(),
            account_revision: None,
            keep_open: false,
            account_id: None,
            lost: false,
            mark: None,
        };
        self.store.put_decided(&contoso(), pid, None, &open, &mut writes);
        writes.extend(self.store.put_pointers(RUN, LanePhase::Write, 0, self.decided, &[pid]));
        self.decided += 1;
        for write in writes {
            self.store.write(write).await.unwrap();
        }
        pid
    }

    /// An earlier process handed the person's step to the tenant and was ended before the answer.
    pub(crate) async fn left_in_flight(&self, pid: PersonHash) {
        let stored = self.store.changes(&contoso(), &[pid]).await.unwrap().remove(0).1;
        let open = OpenChange { state: ChangeState::Sending(0), ..stored.value };
        self.store.write(self.store.put_change(&contoso(), pid, stored.revision, &open)).await.unwrap();
    }

    /// Somebody noticed that the person's facts changed.
    pub(crate) async fn mark(&self, pid: PersonHash) {
        self.store.write(self.store.mark_dirty(&contoso(), pid)).await.unwrap();
    }

    /// An account of a person's, linked to them.
    pub(crate) async fn linked_account(&self, name: &str, id: &str) {
        let account = Account {
            attributes: Attributes::from_pairs([(Attr::UserPrincipalName, format!("{id}@x.example").as_str())]),
            immutable_id: Some(ImmutableId::new("AAAA")),
            enabled: Some(true),
            revision: 1,
            ..Account::blank(ObjectId::from(id))
        };
        let link = Link {
            person: Self::who(name),
            account: account.id.clone(),
            immutable_id: account.immutable_id.clone(),
            joined_by: JoinRule::Link,
            ledger: Ledger::default(),
            revision: 1,
        };
        let mut writes = Vec::new();
        self.store.put_account(&self.scope, None, &AccountItem { account, wrote: None }, &mut writes);
        self.store.put_link(&self.scope, None, &link, &mut writes);
        self.store.transact(writes).await.unwrap();
    }

    /// Another look at the tenant found a value that somebody else wrote.
    pub(crate) async fn observe(&self, id: &str, attr: Attr, value: &str) {
        observe(&self.store, &self.scope, id, attr, value).await;
    }

    /// The gate lets the person's removals through.
    pub(crate) async fn release(&self, pid: PersonHash) {
        let stored = self.store.changes(&contoso(), &[pid]).await.unwrap().remove(0).1;
        assert_eq!(stored.value.state, ChangeState::Held, "they wait at the gate");
        let open = OpenChange { state: ChangeState::Ready, ..stored.value };
        self.store.write(self.store.put_change(&contoso(), pid, stored.revision, &open)).await.unwrap();
        for write in self.store.put_pointers(RUN, LanePhase::Remove, 0, 0, &[pid]) {
            self.store.write(write).await.unwrap();
        }
        self.store
            .update_run(&contoso(), RUN, |run| {
                run.phase = Phase::Removing;
                true
            })
            .await
            .unwrap();
    }

    pub(crate) async fn drain(&self) -> Result<(), WriteError> {
        drain(&self.ports(None), &contoso(), RUN).await.map(|_| ())
    }

    /// A message about the run is answered, by a function that has five minutes.
    pub(crate) async fn answer(&self) -> Result<After, WriteError> {
        let deadline = self.clock.now().checked_add(Duration::from_mins(5)).unwrap();
        answer(&self.ports(Some(deadline)), &contoso(), RUN).await
    }

    /// The messages that were sent so far.
    pub(crate) fn messages(&self) -> Vec<String> {
        self.messages.0.lock().unwrap().clone()
    }

    fn ports(&self, deadline: Option<Timestamp>) -> WritePorts {
        WritePorts {
            store: self.store.clone(),
            scope: self.scope.clone(),
            client: "client".to_owned(),
            tenant: self.tenant.clone(),
            passwords: self.sink.clone(),
            clock: Arc::new(self.clock.clone()),
            doorbell: self.messages.clone(),
            holder: "a test".to_owned(),
            deadline,
        }
    }

    /// Another writer takes the lane, and is gone again after so many seconds.
    pub(crate) async fn another_writer_for(&self, seconds: i64) {
        let lane = lane(&self.scope);
        let now_ms = self.clock.now().as_millisecond();
        self.store.lease(&lane, "another writer", now_ms, seconds * 1000).await.unwrap();
    }

    /// An operator pauses the connection, or resumes it.
    pub(crate) async fn pause(&self, paused: bool) {
        let now = self.clock.now().as_second();
        let change =
            |meta: &mut Meta| if paused { meta.status.pause("an operator", now) } else { meta.status.resume() };
        self.store.update_together(&contoso(), change).await.unwrap();
    }

    /// The stored change of a person becomes unreadable.
    pub(crate) async fn damage(&self, pid: PersonHash) {
        let stored = self.store.changes(&contoso(), &[pid]).await.unwrap().remove(0).1;
        let Write::Put { key, .. } = self.store.put_change(&contoso(), pid, stored.revision, &stored.value) else {
            panic!("a change is put")
        };
        self.store.write(Write::put(key, b"{\"v\":1".to_vec())).await.unwrap();
    }

    /// How far a change that is still open is.
    pub(crate) async fn state(&self, pid: PersonHash) -> Option<(ChangeState, usize)> {
        let found = self.store.changes(&contoso(), &[pid]).await.unwrap();
        found.first().map(|(_, stored)| (stored.value.state, stored.value.done))
    }

    /// Calls that were noted as under way and are not known to be over.
    pub(crate) async fn noted(&self) -> usize {
        self.store.batches(&lane(&self.scope)).await.unwrap().len()
    }

    pub(crate) async fn outcome(&self, pid: PersonHash) -> Outcome {
        self.store.history(&contoso(), pid, 1).await.unwrap().remove(0)
    }

    pub(crate) async fn linked(&self, name: &str) -> Option<String> {
        let link = self.store.link_of(&self.scope, &Self::who(name)).await.unwrap();
        link.map(|link| link.value.account.as_str().to_owned())
    }

    pub(crate) async fn value(&self, id: &str, attr: Attr) -> Option<String> {
        let item = self.store.account(&self.scope, &ObjectId::from(id)).await.unwrap().unwrap();
        item.account.attributes.get(attr).map(str::to_owned)
    }
}

pub(crate) fn create(name: &str) -> Step {
    let upn = format!("{name}@x.example");
    let attributes = Attributes::from_pairs([(Attr::UserPrincipalName, upn.as_str()), (Attr::DisplayName, name)]);
    Step::Create { attributes, immutable_id: Some(ImmutableId::new("AAAA")), enabled: true, manager: None }
}

pub(crate) fn update(pairs: &[(Attr, &str)]) -> Step {
    let after = Attributes::from_pairs(pairs.iter().copied());
    Step::Update { immutable_id: None, before: Attributes::default(), after }
}

pub(crate) fn licenses(skus: &[&str]) -> Step {
    let one = |sku: &&str| License {
        sku: (*sku).into(),
        part_number: (*sku).into(),
        without: Texts::default(),
        held: false,
        before: Texts::default(),
    };
    Step::SetLicenses { give: skus.iter().map(one).collect(), take: Vec::new() }
}

pub(crate) fn join(group: &str) -> Step {
    let id = Some(ObjectId::from(group));
    Step::JoinGroup { group: GroupTarget { name: group.into(), kind: GroupKind::Security, id } }
}

pub(crate) fn rename(before: &str, after: &str) -> Step {
    Step::Rename { before: before.into(), after: after.into() }
}

pub(crate) fn block() -> Step {
    Step::SetEnabled { before: Some(true), after: false, cause: Some(LeavingCause::Absent) }
}

pub(crate) fn no(kind: RefusalKind, property: Option<&str>) -> Answer {
    Answer::Refused(Refusal {
        kind,
        status: 400,
        code: "Request_BadRequest".to_owned(),
        message: "no".to_owned(),
        request_id: String::new(),
        conflict: None,
        property: property.map(str::to_owned),
    })
}
