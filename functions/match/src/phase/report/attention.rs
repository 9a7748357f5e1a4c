//! Who needed attention or waited for an approval when the last run ended, and why: the next report says who is new.

use std::collections::BTreeMap;

use hardmatch_domain::ids::{ConnectionId, PersonKey};
use hardmatch_ports::run::{Outcome, PlanRow, Run};
use hardmatch_report::attention_reason;
use hardmatch_store::folders;
use serde::{Deserialize, Serialize};

use crate::error::MatchError;
use crate::ports::MatchPorts;

/// Kept as a blob beside the connection's other marker: it may be as long as the people who need attention are many.
#[derive(Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Attention {
    v: u32,
    /// The main reason by person.
    people: BTreeMap<PersonKey, String>,
}

fn name(connection: &ConnectionId) -> String {
    format!("{}attention.json", folders::of_connection(connection))
}

impl Attention {
    /// What the last run left; `None` when nothing is known of it.
    pub(super) async fn load(ports: &MatchPorts, connection: &ConnectionId) -> Result<Option<Self>, MatchError> {
        let body = ports.blobs.get(&name(connection)).await?;
        // A record that cannot be read is none: then nobody is called new.
        Ok(body.and_then(|body| serde_json::from_slice(&body).ok()))
    }

    /// Notes a row, when it needs attention or an approval.
    pub(super) fn note(&mut self, row: &PlanRow, outcome: Option<&Outcome>) {
        if let Some(code) = attention_reason(row, outcome) {
            self.people.insert(row.decision.key.clone(), code.as_str().to_owned());
        }
    }

    /// Whether a row needs attention or an approval for a reason that the person did not have then.
    pub(super) fn is_new(&self, row: &PlanRow, outcome: Option<&Outcome>) -> bool {
        attention_reason(row, outcome)
            .is_some_and(|code| self.people.get(&row.decision.key).is_none_or(|then| then != code.as_str()))
    }

    /// Keeps it for the next run. A run about one person knows nothing of the others and keeps nothing.
    pub(super) async fn keep(mut self, ports: &MatchPorts, run: &Run, last: Option<&Self>) -> Result<(), MatchError> {
        self.v = 1;
        if run.is_partial() || last == Some(&self) {
            return Ok(());
        }
        let body = serde_json::to_vec(&self).map_err(|error| MatchError::Broken(error.to_string()))?;
        Ok(ports.blobs.put(&name(&run.connection), body).await?)
    }
}
