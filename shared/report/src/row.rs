//! What a row and its outcome say together: the reasons, and the account they are about.

use hardmatch_domain::change::Join;
use hardmatch_domain::ids::ObjectId;
use hardmatch_domain::reason::{Code, Reason};
use hardmatch_ports::run::{Outcome, PlanRow};

/// The account a row is about: where the change ended, else what it was decided on.
pub(crate) fn account<'a>(row: &'a PlanRow, outcome: Option<&'a Outcome>) -> Option<&'a ObjectId> {
    let joined = match &row.decision.join {
        Join::Joined { account, .. } => Some(account),
        Join::Refused { account } => account.as_ref(),
        Join::None | Join::NotLooked => None,
    };
    let changed = row.decision.change.as_deref().and_then(|change| change.account.as_ref());
    outcome.and_then(|outcome| outcome.account.as_ref()).or(changed).or(joined)
}

/// What is said of the outcome, then the decision's reasons as far as the outcome says nothing under their codes.
pub(crate) fn reasons<'a>(row: &'a PlanRow, outcome: Option<&'a Outcome>) -> impl Iterator<Item = &'a Reason> {
    let said = outcome.map(Outcome::said).unwrap_or_default();
    let codes: Vec<Code> = said.iter().map(|reason| reason.code).collect();
    let others = row.decision.reasons.iter().filter(move |reason| !codes.contains(&reason.code));
    said.into_iter().chain(others)
}
