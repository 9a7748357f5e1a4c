//! Everything a batch looks at, read at once for all of its people: before their steps are prepared, and once more after the
//! answers, which name accounts that nobody knew before.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::change::{ManagerTarget, Step};
use hardmatch_domain::group::{GroupKind, GroupTarget};
use hardmatch_domain::ids::{ConnectionId, ObjectId, PersonRef};
use hardmatch_domain::license::Sku;
use hardmatch_domain::link::Link;
use hardmatch_domain::refused::Refused;
use hardmatch_domain::repair::holds::OpenRepairs;
use hardmatch_ports::tenant::{Answer, Refusal};
use hardmatch_store::accounts::AccountItem;
use hardmatch_store::changes::LanePhase;
use hardmatch_store::connection::Meta;
use hardmatch_store::together::AccountItems;
use hardmatch_store::{PersonHash, StoreError, Stored};

use crate::task::{Next, OtherLane, Task};
use crate::timing::{TIMING, millis};
use crate::{WriteError, WritePorts};

/// What is known of the people of a batch. Nothing is decided on anything else.
#[derive(Default)]
pub(crate) struct Snapshot {
    /// What the connection may do.
    pub(crate) connection: Meta,
    /// The table's revisions of open changes; a person without one has no open change any more.
    pub(crate) changes: BTreeMap<PersonHash, u64>,
    /// The revisions of people's facts, of those for whom nothing was sent in this phase.
    pub(crate) people: BTreeMap<PersonHash, u64>,
    /// The revisions of dirty marks, of the same people.
    pub(crate) marks: BTreeMap<PersonHash, u64>,
    /// The mirror.
    pub(crate) accounts: BTreeMap<ObjectId, Stored<AccountItem>>,
    /// Links by account.
    pub(crate) links: BTreeMap<ObjectId, Stored<Link>>,
    /// The accounts of managers whom steps name as people.
    pub(crate) managers: BTreeMap<PersonRef, ObjectId>,
    /// What was refused of people last.
    pub(crate) refusals: BTreeMap<PersonHash, Refused>,
    /// The tenant's licences, where an exchange of licences was refused.
    pub(crate) skus: Vec<Sku>,
    /// Groups that steps join by name.
    pub(crate) groups: Groups,
    /// What open repairs hold, where something of a change is sent for the first time.
    pub(crate) repairs: OpenRepairs,
}

/// What is known of a group.
#[derive(Clone, Debug)]
pub(crate) enum Which {
    /// The group has this id.
    Is(ObjectId),
    /// It is not known within so many milliseconds.
    Later(i64),
    /// The group cannot be had.
    Refused(Refusal),
}

/// Groups by kind and name, as rules name them.
#[derive(Debug, Default)]
pub(crate) struct Groups(BTreeMap<(GroupKind, Box<str>), Which>);

impl Groups {
    pub(crate) fn insert(&mut self, target: &GroupTarget, which: Which) {
        self.0.insert((target.kind, target.name.clone()), which);
    }

    /// The group that a target means. A name that nobody looked up is looked up in the next batch.
    pub(crate) fn get(&self, target: &GroupTarget) -> Which {
        match &target.id {
            Some(id) => Which::Is(id.clone()),
            None => self.0.get(&(target.kind, target.name.clone())).cloned().unwrap_or(Which::Later(0)),
        }
    }
}

/// Reads what the next steps of the tasks rest on.
pub(crate) async fn load(
    ports: &WritePorts,
    connection: &ConnectionId,
    tasks: &[Task],
    phase: LanePhase,
) -> Result<Snapshot, WriteError> {
    // Asked at each batch: what an operator says takes effect on what is decided.
    let meta = ports.store.meta(connection).await?;
    if !meta.status.may_write() {
        return Ok(Snapshot { connection: meta, ..Snapshot::default() });
    }
    let now_ms = ports.clock.now().as_millisecond();
    let (known, unsure): (Vec<&Task>, Vec<&Task>) =
        tasks.iter().partition(|task| now_ms - task.known_at_ms <= millis(TIMING.change_known));
    let unsure: Vec<PersonHash> = unsure.into_iter().map(|task| task.pid).collect();
    let fresh: Vec<PersonHash> = tasks.iter().filter(|task| is_first_look(task, phase)).map(|task| task.pid).collect();
    let ids = accounts_of(tasks, phase);
    let managers: BTreeSet<PersonRef> = tasks.iter().filter_map(|task| manager_person(task, phase)).collect();
    let managers: Vec<PersonRef> = managers.into_iter().collect();
    let refused: Vec<PersonHash> = tasks
        .iter()
        .filter(|task| task.open.refusal.is_some() || task.open.change.undoes.is_some())
        .map(|task| task.pid)
        .collect();
    let store = &ports.store;
    let (read, marks, accounts, managers, refusals, repairs) = futures::try_join!(
        store.person_items(connection, &unsure),
        store.marks(connection, &fresh),
        store.account_items(&ports.scope, ids),
        store.accounts_of_people(&ports.scope, &managers),
        store.refusals(connection, &refused),
        open_repairs(ports, &fresh),
    )?;
    let (mut changes, mut people) = (BTreeMap::new(), BTreeMap::new());
    for (pid, items) in read {
        changes.extend(items.last.filter(|last| last.open.is_some()).map(|last| (pid, last.revision)));
        people.extend(items.record.map(|record| (pid, record.revision)));
    }
    for task in known {
        changes.insert(task.pid, task.revision);
        // A person is marked before their facts change, and the mark is read after the facts were.
        people.extend(task.person_revision.map(|revision| (task.pid, revision)));
    }
    let mut snapshot =
        Snapshot { connection: meta, changes, people, marks, managers, refusals, repairs, ..Snapshot::default() };
    snapshot.put_accounts(accounts);
    Ok(snapshot)
}

/// What open repairs hold. A change was decided before a repair that began since took its holds.
async fn open_repairs(ports: &WritePorts, fresh: &[PersonHash]) -> Result<OpenRepairs, StoreError> {
    if fresh.is_empty() {
        return Ok(OpenRepairs::default());
    }
    ports.store.repair_holds(&ports.scope).await
}

impl Snapshot {
    /// Reads what the answers ask for besides: accounts that they name for the first time, what was refused before of people
    /// who were refused now, and the licences that an exchange is taken apart by.
    pub(crate) async fn complete<'a>(
        &mut self,
        ports: &WritePorts,
        connection: &ConnectionId,
        answers: impl Iterator<Item = (&'a Task, &'a Answer)>,
    ) -> Result<(), WriteError> {
        let (mut made, mut refused, mut exchanges) = (BTreeSet::new(), Vec::new(), false);
        for (task, answer) in answers {
            match (answer, task.step()) {
                (Answer::Done(Some(account)), Some(Step::Create { .. })) => {
                    made.insert(account.id.clone());
                }
                (Answer::Refused(_), step) => {
                    refused.push(task.pid);
                    exchanges |= matches!(step, Some(Step::SetLicenses { take, .. }) if !take.is_empty());
                }
                _ => {}
            }
        }
        refused.retain(|pid| !self.refusals.contains_key(pid));
        let store = &ports.store;
        let (accounts, refusals) =
            futures::try_join!(store.account_items(&ports.scope, made), store.refusals(connection, &refused))?;
        self.put_accounts(accounts);
        self.refusals.extend(refusals);
        if exchanges {
            let tenant = store.tenant(&ports.scope).await?;
            self.skus = tenant.and_then(|tenant| tenant.value.tenant.skus).unwrap_or_default();
        }
        Ok(())
    }

    fn put_accounts(&mut self, found: BTreeMap<ObjectId, AccountItems>) {
        for (id, items) in found {
            self.accounts.extend(items.account.map(|account| (id.clone(), account)));
            self.links.extend(items.link.map(|link| (id, link)));
        }
    }

    /// The account as it is mirrored.
    pub(crate) fn account(&self, id: &ObjectId) -> Option<&AccountItem> {
        self.accounts.get(id).map(|stored| &stored.value)
    }
}

/// Whether the person's facts, their mark and their account are compared with those of the decision: before the first step
/// of a phase. A person whom the other lane had in flight is compared with what came of it instead.
pub(crate) fn is_first_look(task: &Task, phase: LanePhase) -> bool {
    task.is_fresh(phase) && task.other_lane != OtherLane::InFlight
}

/// Accounts whose mirror or link the batch looks at.
fn accounts_of(tasks: &[Task], phase: LanePhase) -> BTreeSet<ObjectId> {
    let mut ids = BTreeSet::new();
    for task in tasks {
        if is_first_look(task, phase) {
            ids.extend(task.open.change.account.clone());
        }
        match task.next(phase) {
            Next::Settle | Next::SendManager => {}
            Next::Send | Next::Verify | Next::Reread => {
                ids.extend(task.account().cloned());
                if let Some(Step::Purge { account }) = task.step() {
                    ids.insert(account.clone());
                }
            }
        }
    }
    ids
}

/// The manager whom the present step names as a person of the source.
pub(crate) fn manager_person(task: &Task, phase: LanePhase) -> Option<PersonRef> {
    if !matches!(task.next(phase), Next::Send | Next::Verify) {
        return None;
    }
    let (Step::Create { manager: target, .. } | Step::SetManager { after: target, .. }) = task.step()? else {
        return None;
    };
    match target.as_ref()? {
        ManagerTarget::Account(_) => None,
        ManagerTarget::Person(key) => {
            Some(PersonRef { connection: task.open.change.person.connection.clone(), key: key.clone() })
        }
    }
}
