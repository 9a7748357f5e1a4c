//! When somebody signed in for the last time, for findings with several accounts: it shows which of them is used.

use std::collections::BTreeMap;

use hardmatch_domain::ids::ObjectId;
use hardmatch_graph::LastSignIn;

use super::clinic::Tenant;
use super::finding::Finding;
use crate::fail::Failure;

/// Accounts that are asked about at most, since each is a request of its own.
const MOST: usize = 500;

const SIGN_INS: &str =
    "when somebody signed in to an account for the last time (AuditLog.Read.All, and a plan of Entra ID P1)";
const MORE_SIGN_INS: &str = "when somebody signed in to the accounts beyond the first 500";

/// Adds the last sign-in of each account to the findings that have several.
pub(super) async fn add(tenant: &mut Tenant, findings: &mut [Finding]) -> Result<(), Failure> {
    let mut known: BTreeMap<ObjectId, String> = BTreeMap::new();
    for finding in findings.iter_mut().filter(|finding| finding.accounts.len() > 1) {
        let Some(client) = &tenant.client else {
            tenant.unread.push(SIGN_INS);
            return Ok(());
        };
        for account in &finding.accounts {
            let told = match known.get(account) {
                Some(told) => told.clone(),
                None if known.len() == MOST => {
                    tenant.unread.push(MORE_SIGN_INS);
                    return Ok(());
                }
                None => match client.last_sign_in(account).await {
                    Ok(LastSignIn::At(time)) => format!("{account} was last signed in to at {time}"),
                    Ok(LastSignIn::Never) => format!("nobody has signed in to {account}"),
                    Ok(LastSignIn::Withheld) => {
                        tenant.unread.push(SIGN_INS);
                        return Ok(());
                    }
                    Err(error) => return Err(Failure::run(format!("the last sign-in cannot be read: {error}"))),
                },
            };
            finding.evidence.push(told.clone());
            known.insert(account.clone(), told);
        }
    }
    Ok(())
}
