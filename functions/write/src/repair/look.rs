//! What is read before each call of a repair: its accounts, live or in the recycle bin, the tenant's domains, and who holds
//! a directory role.

use std::collections::BTreeMap;

use hardmatch_domain::account::Account;
use hardmatch_domain::ids::ObjectId;
use hardmatch_domain::repair::next::Observed;
use hardmatch_ports::TenantError;
use hardmatch_ports::tenant::{Answer, Call, MAX_CALLS, Priority, Refusal, RefusalKind};

use crate::WritePorts;

/// Why nothing is known.
#[derive(Debug)]
pub(super) enum Unseen {
    /// The service failed, or asks for time.
    Unavailable,
    /// The tenant does not take the credentials.
    LockedOut(Refusal),
}

/// Reads everything that a repair looks at.
pub(super) async fn look(ports: &WritePorts, accounts: &[ObjectId], priority: Priority) -> Result<Observed, Unseen> {
    let domains = ports.tenant.domains().await.map_err(failed)?;
    let privileged = ports.tenant.privileged().await.map_err(failed)?;
    let accounts = read(ports, accounts, priority).await?;
    Ok(Observed { accounts, domains, privileged })
}

async fn read(
    ports: &WritePorts,
    accounts: &[ObjectId],
    priority: Priority,
) -> Result<BTreeMap<ObjectId, Account>, Unseen> {
    let mut found = BTreeMap::new();
    for some in accounts.chunks(MAX_CALLS / 2) {
        let calls: Vec<Call> = some
            .iter()
            .flat_map(|id| [Call::Read { account: id.clone() }, Call::ReadDeleted { account: id.clone() }])
            .collect();
        let answers = ports.tenant.perform(&calls, priority).await;
        for (id, pair) in some.iter().zip(answers.chunks(2)) {
            for answer in pair {
                match answer {
                    Answer::Done(Some(account)) => {
                        found.entry(id.clone()).or_insert_with(|| (**account).clone());
                    }
                    Answer::NotFound => {}
                    Answer::Refused(refusal) if refusal.kind == RefusalKind::Credentials => {
                        return Err(Unseen::LockedOut(refusal.clone()));
                    }
                    Answer::Done(None)
                    | Answer::Made(_)
                    | Answer::Refused(_)
                    | Answer::Later(_)
                    | Answer::Unknown(_) => return Err(Unseen::Unavailable),
                }
            }
        }
    }
    Ok(found)
}

fn failed(error: TenantError) -> Unseen {
    if !error.is_credentials() {
        return Unseen::Unavailable;
    }
    let TenantError { status, code, message, request_id, .. } = error;
    let kind = RefusalKind::Credentials;
    Unseen::LockedOut(Refusal { kind, status, code, message, request_id, conflict: None, property: None })
}
