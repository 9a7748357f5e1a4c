//! The addresses of others on a port of this machine: what they may push to, and what they are told of a person.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use hardmatch_domain::ids::{ConnectionId, PersonKey, PersonRef};
use hardmatch_match::{DecidedPerson, MatchPorts};
use hardmatch_policy::Location;
use hardmatch_ports::Doorbell;
use hardmatch_ports::run::Outcome;
use hardmatch_report::{RowStatus, row_document};
use hardmatch_store::connection::Meta;
use hardmatch_webhook::{
    Limits, NotKnown, PersonState, PersonStates, Provisioning, PushedConnections, PushedSource, Rate, WebhookAddresses,
    WebhookPorts,
};
use serde_json::{Map, Value, json};

use crate::connection::State;

/// Requests at once after a rest, for each of a second.
const BURST: u32 = 30;

/// The connections that are served.
pub(crate) struct Pushes {
    states: Arc<BTreeMap<ConnectionId, State>>,
}

impl Pushes {
    /// Of the states of connections.
    pub(crate) fn new(states: impl IntoIterator<Item = State>) -> Self {
        let states = states.into_iter().map(|state| (state.loaded.config.connection.clone(), state)).collect();
        Self { states: Arc::new(states) }
    }

    /// What is served of them. `url` has no slash at its end.
    pub(crate) fn router(&self, url: &str, doorbell: Arc<dyn Doorbell>, rate: u32) -> Option<Router> {
        let first = self.states.values().next()?;
        let rate = Rate { per_second: rate.max(1), burst: rate.max(1).saturating_mul(BURST) };
        Some(hardmatch_webhook::router(WebhookPorts {
            store: first.store.clone(),
            clock: Arc::clone(&first.clock),
            doorbell,
            connections: Arc::new(Served(Arc::clone(&self.states))),
            people: Arc::new(Served(Arc::clone(&self.states))),
            url: url.to_owned(),
            limits: Arc::new(Limits::new(rate)),
        }))
    }

    /// The one line that says where everything is.
    pub(crate) fn addresses(&self, url: &str) -> Value {
        let connections: Map<String, Value> = self
            .states
            .keys()
            .map(|connection| {
                let WebhookAddresses { scim, bulk_upload, hooks, people } = WebhookAddresses::of(url, connection);
                let told = json!({ "scim": scim, "bulk_upload": bulk_upload, "hooks": hooks, "people": people });
                (connection.to_string(), told)
            })
            .collect();
        json!({ "v": 1, "url": url, "connections": connections })
    }
}

struct Served(Arc<BTreeMap<ConnectionId, State>>);

#[async_trait]
impl PushedConnections for Served {
    async fn source(&self, connection: &ConnectionId) -> Result<Option<PushedSource>, NotKnown> {
        Ok(self.0.get(connection).map(|state| match state.loaded.config.source.location {
            Location::Pushed => PushedSource::Pushed,
            Location::File(_) | Location::S3 { .. } | Location::Directory(_) => PushedSource::Read,
        }))
    }
}

#[async_trait]
impl PersonStates for Served {
    async fn state(&self, connection: &ConnectionId, key: &PersonKey) -> Result<Option<PersonState>, NotKnown> {
        let Some(state) = self.0.get(connection) else { return Ok(None) };
        let meta = state.store.meta(connection).await.map_err(|error| NotKnown(error.to_string()))?;
        let Some(ports) = state.deciding(&meta) else { return Ok(None) };
        let who = PersonRef { connection: connection.clone(), key: key.clone() };
        let decided = hardmatch_match::decide_one(&ports, &who).await;
        let Some(decided) = decided.map_err(|error| NotKnown(error.to_string()))? else { return Ok(None) };
        let pid = ports.store.pid(&who);
        let last = ports.store.history(connection, pid, 1).await.map_err(|error| NotKnown(error.to_string()))?;
        let account = account(&ports, &who).await?;
        Ok(Some(told(&decided, last.first(), account, is_first(&meta))))
    }
}

/// Whether no plan of the connection was applied yet: until then nothing is written that somebody pushes.
fn is_first(meta: &Meta) -> bool {
    meta.history.first_accepted.is_none()
}

/// The object id of the account that the person has.
async fn account(ports: &MatchPorts, who: &PersonRef) -> Result<Option<String>, NotKnown> {
    let link = ports.store.link_of(&ports.scope, who).await.map_err(|error| NotKnown(error.to_string()))?;
    Ok(link.map(|link| link.value.account.to_string()))
}

fn told(decided: &DecidedPerson, last: Option<&Outcome>, account: Option<String>, first: bool) -> PersonState {
    let row = &decided.row;
    // An outcome is of the change that the facts still ask for, or of an earlier one.
    let last = last.filter(|last| row.decision.change.as_ref().is_some_and(|change| change.id == last.change));
    let status = RowStatus::of(row, last);
    let mut told = PersonState {
        provisioning: Provisioning::Provisioned,
        reason: None,
        detail: None,
        remedy: None,
        account,
        row: row_document(row, last),
    };
    let main = row.decision.reasons.iter().max_by_key(|reason| reason.code.weight());
    let refused = last.map(Outcome::said).and_then(|said| said.into_iter().next());
    let reason = refused.map(|reason| reason.code).or_else(|| main.map(|reason| reason.code));
    told.provisioning = match status {
        RowStatus::Unchanged | RowStatus::Done => return told,
        RowStatus::Planned if first => {
            told.detail = Some("The first plan of the connection is not applied yet.".to_owned());
            told.remedy = Some("Look at `hardmatch plan`, and apply it.".to_owned());
            Provisioning::Held
        }
        RowStatus::Planned | RowStatus::FactsMoved | RowStatus::Unavailable => {
            return PersonState { provisioning: Provisioning::Pending, ..told };
        }
        RowStatus::Held => Provisioning::Held,
        RowStatus::Refused => Provisioning::Refused,
    };
    if told.detail.is_none()
        && let Some(code) = reason
    {
        told.reason = Some(code.as_str().to_owned());
        told.detail = Some(code.sentence().to_owned());
        told.remedy = Some(code.remedy().to_owned()).filter(|remedy| !remedy.is_empty());
    }
    told
}
