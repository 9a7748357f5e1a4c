//! Changes that wait for an approval: which of them are approved, and asking about the others. A run that asks again asks
//! nothing new, so all of this may be repeated.

use std::collections::BTreeSet;

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::change::{Change, Hold};
use hardmatch_domain::reason::{Code, Reason};
use hardmatch_ports::run::{PlanRow, Run};
use hardmatch_store::PersonHash;
use hardmatch_store::approvals::{Approval, ApprovalState};

use crate::acceptance::is_by_hash;
use crate::commit::commit_plain;
use crate::error::MatchError;
use crate::plan::{Slices, to_write};
use crate::ports::MatchPorts;

/// The changes that approvals cover now.
#[derive(Default)]
pub(crate) struct Approved(BTreeSet<String>);

impl Approved {
    /// Those of a run's connection. A run whose plan was applied by its hash asks nobody.
    pub(crate) async fn of_run(ports: &MatchPorts, run: &Run) -> Result<Self, MatchError> {
        if is_by_hash(run) {
            return Ok(Self::default());
        }
        let now_ms = ports.clock.now().as_millisecond();
        Ok(Self(ports.store.approved(&run.connection, now_ms).await?))
    }

    /// Whether an approval covers this very change.
    pub(crate) fn covers(&self, change: &Change) -> bool {
        self.0.contains(change.id.as_str())
    }
}

/// The question about a change, for people who are called so.
pub(crate) fn asked(
    ports: &MatchPorts,
    run: &Run,
    (name, upn): (&str, &str),
    change: &Change,
    waits: Reason,
) -> Approval {
    Approval {
        v: 1,
        change: change.id.clone(),
        person: change.person.key.clone(),
        name: name.into(),
        upn: upn.into(),
        account: change.account.clone(),
        action: change.action,
        waits,
        why: change.reasons.clone(),
        steps: change.steps.clone(),
        run: run.id.clone(),
        asked_ms: ports.clock.now().as_millisecond(),
        verdict: None,
    }
}

/// Asks about changes. What is asked already stays as it was asked first; what was rejected or approved too long ago is asked
/// again.
pub(crate) async fn ask(ports: &MatchPorts, run: &Run, waiting: Vec<Approval>) -> Result<(), MatchError> {
    if waiting.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = waiting.iter().map(|one| one.change.as_str().to_owned()).collect();
    let known = ports.store.approvals(&run.connection, &ids).await?;
    let now_ms = ports.clock.now().as_millisecond();
    let mut writes = Vec::new();
    for one in waiting {
        match known.get(one.change.as_str()).map(|known| known.value.state(now_ms)) {
            Some(ApprovalState::Pending | ApprovalState::Approved) => {}
            Some(ApprovalState::Rejected | ApprovalState::Expired) | None => {
                ports.store.put_approval(&run.connection, &one, &mut writes);
            }
        }
    }
    commit_plain(ports, writes).await
}

/// Asks about changes of people whose rows are not at hand.
pub(crate) async fn ask_of_people(
    ports: &MatchPorts,
    run: &Run,
    waiting: Vec<(PersonHash, Change, Reason)>,
) -> Result<(), MatchError> {
    if waiting.is_empty() {
        return Ok(());
    }
    let pids: Vec<PersonHash> = waiting.iter().map(|(pid, ..)| *pid).collect();
    let people = ports.store.people(&run.connection, &pids).await?;
    let called = |pid: PersonHash, attr: Attr| {
        let person = people.iter().find(|(known, _)| *known == pid).map(|(_, record)| &record.person);
        person.and_then(|person| person.attributes.filled(attr)).unwrap_or_default()
    };
    let all = waiting.into_iter().map(|(pid, change, waits)| {
        let names = (called(pid, Attr::DisplayName), called(pid, Attr::UserPrincipalName));
        asked(ports, run, names, &change, waits)
    });
    ask(ports, run, all.collect()).await
}

/// Asks about the changes of a plan that policy wants an approval for, so that they can be approved before anything is
/// written. Plans without such changes are not read.
pub(crate) async fn ask_of_plan(ports: &MatchPorts, run: &Run) -> Result<(), MatchError> {
    let plan = to_write(ports, &run.id).await?;
    let mut slices = Slices::named(ports, &run.id, plan.slices);
    while let Some((_, rows)) = slices.next().await? {
        let waits = rows.iter().filter_map(|row: &PlanRow| {
            let change = row.decision.change.as_deref().filter(|change| change.hold == Some(Hold::Approval))?;
            Some(asked(ports, run, (&row.name, &row.upn), change, Reason::plain(Code::AwaitingApproval)))
        });
        let waits: Vec<Approval> = waits.collect();
        ask(ports, run, waits).await?;
    }
    Ok(())
}
