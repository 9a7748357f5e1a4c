//! What open repairs hold: nobody else writes these people and accounts, nor gives these IDs, names and addresses away,
//! until the repair is closed.

use crate::repair::journal::{Journal, RepairState};
use crate::vocabulary::attribute::{Attr, Attributes};
use crate::vocabulary::change::Change;
use crate::vocabulary::ids::{ImmutableId, ObjectId, PersonRef};
use crate::vocabulary::repair::RepairWrite;
use crate::vocabulary::step::Step;
use crate::vocabulary::text::lookup_form;
use crate::vocabulary::values;

/// One thing that an open repair holds.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RepairHold {
    /// A person: no other change of theirs is decided.
    Person(PersonRef),
    /// An account.
    Account(ObjectId),
    /// An immutable ID.
    Id(ImmutableId),
    /// A sign-in name or an address, in look-up form.
    Name(String),
}

/// What an open repair holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenRepair {
    /// The repair's name.
    pub id: Box<str>,
    /// Whether somebody must look at it.
    pub blocked: bool,
    /// Everything it holds.
    pub holds: Vec<RepairHold>,
}

impl OpenRepair {
    /// What a journal holds.
    pub fn of(journal: &Journal) -> Self {
        Self { id: journal.id.clone(), blocked: journal.state == RepairState::Blocked, holds: holds(journal) }
    }
}

/// So many addresses of its accounts a repair holds, at most: its holds are made in one transaction.
const MOST_ADDRESSES: usize = 40;

/// Everything a repair holds, in a stable order, each once. Temporary names are not held: nobody else is given one, and they
/// may change on the way.
pub fn holds(journal: &Journal) -> Vec<RepairHold> {
    let people = journal.person.iter().chain(&journal.people);
    let mut found: Vec<RepairHold> = people.cloned().map(RepairHold::Person).collect();
    found.extend(journal.addresses.iter().take(MOST_ADDRESSES).map(|address| RepairHold::Name(lookup_form(address))));
    for original in &journal.originals {
        found.extend(original.upn.iter().map(|upn| RepairHold::Name(lookup_form(upn))));
        found.extend(original.immutable_id.clone().map(RepairHold::Id));
    }
    for call in &journal.calls {
        found.push(RepairHold::Account(call.account.clone()));
        match &call.write {
            RepairWrite::Upn { before, after } => {
                found.extend([before, after].map(|name| RepairHold::Name(lookup_form(name))));
            }
            RepairWrite::Id { before, after } => {
                found.extend([before, after].into_iter().flatten().cloned().map(RepairHold::Id));
            }
            RepairWrite::Restore { upn } => found.extend(upn.iter().map(|upn| RepairHold::Name(lookup_form(upn)))),
            RepairWrite::Delete | RepairWrite::Purge => {}
        }
    }
    found.retain(|what| !matches!(what, RepairHold::Name(name) if values::is_temporary(name)));
    found.sort_unstable();
    found.dedup();
    found
}

/// The open repairs of a tenant. They are few, so decisions are given all of them.
#[derive(Clone, Debug, Default)]
pub struct OpenRepairs(pub Vec<OpenRepair>);

impl OpenRepairs {
    /// No repair is open.
    pub const NONE: &'static Self = &Self(Vec::new());

    /// The repair that holds something.
    pub fn holder(&self, what: &RepairHold) -> Option<&OpenRepair> {
        self.0.iter().find(|open| open.holds.binary_search(what).is_ok())
    }

    /// The repair that holds something that a change would write or claim.
    pub fn holder_against(&self, change: &Change) -> Option<&OpenRepair> {
        if self.0.is_empty() {
            return None;
        }
        let mut touched = vec![RepairHold::Person(change.person.clone())];
        touched.extend(change.account.clone().map(RepairHold::Account));
        touched.extend(change.link_from.clone().map(RepairHold::Person));
        change.steps.iter().for_each(|step| touches(step, &mut touched));
        touched.iter().find_map(|what| self.holder(what))
    }
}

/// What a step would write or claim that a repair may hold.
pub(crate) fn touches(step: &Step, touched: &mut Vec<RepairHold>) {
    let mut names = |attributes: &Attributes| {
        for attr in [Attr::UserPrincipalName, Attr::Mail] {
            touched.extend(attributes.filled(attr).map(|name| RepairHold::Name(lookup_form(name))));
        }
    };
    match step {
        Step::Create { attributes, immutable_id, .. } => {
            names(attributes);
            touched.extend(immutable_id.clone().map(RepairHold::Id));
        }
        Step::Update { immutable_id, after, .. } => {
            names(after);
            touched.extend(immutable_id.clone().map(RepairHold::Id));
        }
        Step::Rename { after, .. } => touched.push(RepairHold::Name(lookup_form(after))),
        Step::Purge { account } => touched.push(RepairHold::Account(account.clone())),
        Step::Repair(plan) => {
            touched.extend(plan.people.iter().cloned().map(RepairHold::Person));
            for call in &plan.calls {
                touched.push(RepairHold::Account(call.account.clone()));
                match &call.write {
                    RepairWrite::Upn { after, .. } => touched.push(RepairHold::Name(lookup_form(after))),
                    RepairWrite::Id { before, after } => {
                        let ids = [before, after].into_iter().flatten();
                        touched.extend(ids.map(|id: &ImmutableId| RepairHold::Id(id.clone())));
                    }
                    RepairWrite::Delete | RepairWrite::Restore { .. } | RepairWrite::Purge => {}
                }
            }
        }
        Step::ClearId { before } => touched.push(RepairHold::Id(before.clone())),
        Step::Link
        | Step::Unlink
        | Step::SetEnabled { .. }
        | Step::RevokeSessions
        | Step::SetManager { .. }
        | Step::SetLicenses { .. }
        | Step::JoinGroup { .. }
        | Step::LeaveGroup { .. }
        | Step::Restore
        | Step::Delete { .. } => {}
    }
}
