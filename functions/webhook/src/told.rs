//! What a client is told of a person, from what is decided about them now and what became of them last.

use hardmatch_domain::ids::PersonRef;
use hardmatch_ports::run::{Outcome, PlanRow};
use hardmatch_report::{RowStatus, row_document};
use hardmatch_store::{Store, TenantKey};

use crate::ports::{NotKnown, PersonState, Provisioning};

/// What is told of a person whose decision is known. `first` says that no plan of the connection was applied yet: until
/// then nothing is written that somebody pushes.
pub async fn tell(
    store: &Store,
    scope: &TenantKey,
    who: &PersonRef,
    row: &PlanRow,
    first: bool,
) -> Result<PersonState, NotKnown> {
    let unknown = |error: hardmatch_store::StoreError| NotKnown(error.to_string());
    let last = store.history(&who.connection, store.pid(who), 1).await.map_err(unknown)?;
    let link = store.link_of(scope, who).await.map_err(unknown)?;
    let account = link.map(|link| link.value.account.to_string());
    Ok(told(row, last.first(), account, first))
}

fn told(row: &PlanRow, last: Option<&Outcome>, account: Option<String>, first: bool) -> PersonState {
    // An outcome is of the change that the facts still ask for, or of an earlier one.
    let last = last.filter(|last| row.decision.change.as_ref().is_some_and(|change| change.id == last.change));
    let status = RowStatus::of(row, last);
    let mut told = PersonState {
        provisioning: Provisioning::Provisioned,
        reason: None,
        detail: None,
        remedy: None,
        account,
        row: row_document(row, last, None),
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
