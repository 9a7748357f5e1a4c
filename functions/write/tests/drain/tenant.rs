//! The writer's surroundings: a tenant that answers as it is told, a sink for passwords, and messages that are kept.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_domain::account::Domain;
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::group::Group;
use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::credentials::{CredentialError, PasswordSink};
use hardmatch_ports::doorbell::{Doorbell, DoorbellError, Message};
use hardmatch_ports::tenant::{Answer, Call, Counters, Priority, TenantError, TenantWrite};
use hardmatch_store::accounts::AccountItem;
use hardmatch_store::{PersonHash, Store, TenantKey};
use secrecy::SecretString;

/// A tenant that answers in turn, whatever it is asked, and looks meanwhile at what the writer noted.
pub(crate) struct Tenant {
    pub(crate) store: Store,
    pub(crate) scope: TenantKey,
    pub(crate) answers: Mutex<VecDeque<Answer>>,
    pub(crate) asked: Mutex<Vec<String>>,
    pub(crate) noted: Mutex<Vec<Vec<PersonHash>>>,
    pub(crate) observes: Mutex<Option<(String, Attr, String)>>,
}

#[async_trait]
impl TenantWrite for Tenant {
    async fn perform(&self, calls: &[Call], _: Priority) -> Vec<Answer> {
        self.asked.lock().unwrap().extend(calls.iter().map(said));
        let noted = self.store.batches(&lane(&self.scope)).await.unwrap();
        self.noted.lock().unwrap().extend(noted.into_iter().map(|batch| batch.pids));
        let observes = self.observes.lock().unwrap().take();
        if let Some((id, attr, value)) = observes {
            observe(&self.store, &self.scope, &id, attr, &value).await;
        }
        let mut answers = self.answers.lock().unwrap();
        calls
            .iter()
            .map(|call| answers.pop_front().unwrap_or_else(|| panic!("nobody expected {}", said(call))))
            .collect()
    }

    async fn find_groups(&self, _: &str) -> Result<Vec<Group>, TenantError> {
        Ok(Vec::new())
    }

    async fn domains(&self) -> Result<BTreeMap<String, Domain>, TenantError> {
        Ok(BTreeMap::new())
    }

    async fn privileged(&self) -> Result<Option<BTreeMap<ObjectId, Vec<String>>>, TenantError> {
        Ok(Some(BTreeMap::new()))
    }

    fn counters(&self) -> Counters {
        Counters::default()
    }
}

/// The lane of scheduled work.
pub(crate) fn lane(scope: &TenantKey) -> String {
    format!("lane~{}~client", scope.as_str())
}

/// A look at the tenant finds a value that somebody else wrote.
pub(crate) async fn observe(store: &Store, scope: &TenantKey, id: &str, attr: Attr, value: &str) {
    let old = store.account(scope, &ObjectId::from(id)).await.unwrap().unwrap();
    let mut account = old.account.clone();
    account.attributes = account.attributes.with(attr, value);
    account.revision += 1;
    let mut writes = Vec::new();
    store.put_account(scope, Some(&old.account), &AccountItem { account, ..old.clone() }, &mut writes);
    store.transact(writes).await.unwrap();
}

fn said(call: &Call) -> String {
    match call {
        Call::Create { .. } => "create".to_owned(),
        Call::Update { attributes, .. } => {
            let names: Vec<&str> = attributes.iter().map(|(attr, _)| attr.name()).collect();
            sorted(&format!("update {}", names.join(" ")))
        }
        Call::SetEnabled { enabled, .. } => format!("enabled {enabled}"),
        Call::SetLicenses { give, .. } => {
            format!("give {}", give.iter().map(|license| &*license.sku).collect::<Vec<_>>().join(" "))
        }
        Call::AddMember { account, .. } => format!("join {}", account.as_str()),
        Call::AddMembers { accounts, .. } => {
            sorted(&format!("join {}", accounts.iter().map(ObjectId::as_str).collect::<Vec<_>>().join(" ")))
        }
        Call::Read { .. } => "read".to_owned(),
        Call::FindByImmutableId { .. } | Call::FindByUpn { .. } => "find".to_owned(),
        other => panic!("not in these tests: {other:?}"),
    }
}

/// What is asked for, its words after the first in order.
pub(crate) fn sorted(text: &str) -> String {
    let mut words: Vec<&str> = text.split(' ').collect();
    words[1..].sort_unstable();
    words.join(" ")
}

/// Where initial passwords go, until it fails.
#[derive(Default)]
pub(crate) struct Sink {
    pub(crate) delivered: Mutex<Vec<String>>,
    pub(crate) fails: Mutex<bool>,
}

#[async_trait]
impl PasswordSink for Sink {
    async fn deliver(&self, upn: &str, _: &SecretString) -> Result<(), CredentialError> {
        if *self.fails.lock().unwrap() {
            return Err(CredentialError("the disk is full".to_owned()));
        }
        self.delivered.lock().unwrap().push(upn.to_owned());
        Ok(())
    }
}

/// Keeps the messages that were sent.
#[derive(Default)]
pub(crate) struct Messages(pub(crate) Mutex<Vec<String>>);

#[async_trait]
impl Doorbell for Messages {
    async fn notify(&self, message: Message, _: Duration) -> Result<(), DoorbellError> {
        self.0.lock().unwrap().push(message.kind.name().to_owned());
        Ok(())
    }
}
