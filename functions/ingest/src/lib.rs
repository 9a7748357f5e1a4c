#![doc = include_str!("../README.md")]

mod deadline;
mod source;
mod tenant;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hardmatch_domain::facts::Lookups;
use hardmatch_domain::ids::ConnectionId;
pub use hardmatch_ports::doorbell::After;
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::run::{Collection, CollectionState, Phase, Run};
use hardmatch_ports::{BlobError, Blobs, Clock, Doorbell, Policies, Source, TableError, TenantRead, Write};
use hardmatch_store::connection::ConnectionState;
use hardmatch_store::requeue::Requeue;
use hardmatch_store::run_lease::{Acquire, RunLease};
use hardmatch_store::{Store, StoreError, TenantKey};
use jiff::Timestamp;
pub use source::copied;

use source::{lookups, reading};
use tenant::{progress, refresh, round};

/// What the source side may use: no way to the tenant.
#[derive(Clone)]
pub struct SourcePorts {
    /// Where people are kept.
    pub store: Store,
    /// The cloud and tenant whose look-ups people are entered into.
    pub scope: TenantKey,
    /// The directory.
    pub source: Arc<dyn Source>,
    /// The policy of a revision: it says under what people are looked up.
    pub policies: Arc<dyn Policies>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// To say that the reading has ended.
    pub doorbell: Arc<dyn Doorbell>,
    /// When this message must have left everything in order; `None` where nobody ends a process that works long.
    pub deadline: Option<Timestamp>,
}

/// What the tenant side may use: reading only.
#[derive(Clone)]
pub struct TenantPorts {
    /// Where the mirror is kept.
    pub store: Store,
    /// Cloud and tenant.
    pub scope: TenantKey,
    /// The tenant.
    pub tenant: Arc<dyn TenantRead>,
    /// The policy of a revision: it says under what accounts are looked up.
    pub policies: Arc<dyn Policies>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// To say that the reading has ended.
    pub doorbell: Arc<dyn Doorbell>,
    /// How far a reading has come is kept there from one message to the next.
    pub blobs: Arc<dyn Blobs>,
    /// When this message must have left everything in order; `None` where nobody ends a process that works long.
    pub deadline: Option<Timestamp>,
}

/// Why an observation failed. The message is to be heard again.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// How far a reading has come could not be kept, or not be read.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

impl From<TableError> for ObserveError {
    fn from(error: TableError) -> Self {
        Self::Store(error.into())
    }
}

/// Reads the people of the source for a run that observes, and says so when it is finished. What does not fit into the
/// time is left to the next message.
pub async fn observe_source(ports: &SourcePorts, connection: &ConnectionId, run: &str) -> Result<After, ObserveError> {
    let lease =
        match RunLease::acquire(&ports.store, &*ports.clock, ports.deadline, format!("people~{connection}"), run)
            .await?
        {
            Acquire::Acquired(lease) => lease,
            Acquire::HeldByOther(after) => return Ok(after),
        };
    let after = read_source(ports, connection, run).await;
    lease.release(&ports.store).await;
    after
}

async fn read_source(ports: &SourcePorts, connection: &ConnectionId, run: &str) -> Result<After, ObserveError> {
    let Some(open) = observing(&ports.store, connection, run, PEOPLE).await? else { return Ok(After::Done) };
    let policy = lookups::policy(&ports.store, &*ports.policies, connection, open.policy_revision).await?;
    let result = match policy {
        Ok(policy) => {
            let store = ports.store.entering(Lookups::of(&policy));
            reading::observe(&SourcePorts { store, ..ports.clone() }, &open).await?
        }
        Err(problem) => lookups::unreadable(PEOPLE, problem),
    };
    finish(&ports.store, &*ports.clock, &*ports.doorbell, &open, result).await
}

/// Reads the tenant for a run that observes, and says so when it is finished. For a run that writes it looks, once an
/// hour at most, at what changed meanwhile: notify it whenever [`wants_refresh`] says so. What does not fit into the
/// time is left to the next message.
///
/// [`wants_refresh`]: hardmatch_store::accounts::TenantItem::wants_refresh
pub async fn observe_tenant(ports: &TenantPorts, connection: &ConnectionId, run: &str) -> Result<After, ObserveError> {
    let name = format!("accounts~{}", ports.scope.as_str());
    let lease = match RunLease::acquire(&ports.store, &*ports.clock, ports.deadline, name, run).await? {
        Acquire::Acquired(lease) => lease,
        Acquire::HeldByOther(after) => return Ok(after),
    };
    let after = read_tenant(ports, connection, run).await;
    lease.release(&ports.store).await;
    after
}

async fn read_tenant(ports: &TenantPorts, connection: &ConnectionId, run: &str) -> Result<After, ObserveError> {
    let Some(open) = observing(&ports.store, connection, run, USERS).await? else {
        return match ports.store.run(connection, run).await? {
            Some(open) if refresh::is_writing(&open.value) && is_connected(&ports.store, connection).await? => {
                refresh::refresh(ports, &open.value).await
            }
            Some(_) | None => {
                progress::clean(ports, run).await;
                Ok(After::Done)
            }
        };
    };
    let policy = lookups::policy(&ports.store, &*ports.policies, connection, open.policy_revision).await?;
    let result = match policy {
        Ok(policy) => round::observe(ports, &open, &policy).await?,
        Err(problem) => lookups::unreadable(USERS, problem),
    };
    let ended = result.again.is_none();
    let after = finish(&ports.store, &*ports.clock, &*ports.doorbell, &open, result).await?;
    if ended {
        progress::clean(ports, run).await;
    }
    Ok(after)
}

/// The collection of the source.
pub const PEOPLE: &str = "people";
/// The collection of live users.
pub const USERS: &str = "users";
/// The collections without which nobody can be decided.
pub const NEEDED: &[&str] = &[PEOPLE, USERS, DELETED, DOMAINS];
const DELETED: &str = "deleted_users";
const DOMAINS: &str = "domains";
const ROLES: &str = "roles";
const ELIGIBLE: &str = "eligible_roles";
const GROUPS: &str = "groups";
const CONTACTS: &str = "contacts";
const LICENSES: &str = "licences";
const MEMBERSHIPS: &str = "memberships";

/// What an observation found out, to be entered into the run.
#[derive(Default)]
struct Observed {
    collections: Vec<(&'static str, Collection)>,
    refused: Vec<hardmatch_ports::source::RefusedEntry>,
    left_out: Vec<hardmatch_ports::source::RefusedEntry>,
    problems: Vec<String>,
    everybody: bool,
    /// Not finished: go on after this time.
    again: Option<Duration>,
    /// Units of work done by then, in this message and those before.
    units: u64,
}

/// For so long a side that may recover is asked again; then its run ends incomplete, and the next one asks.
const PATIENCE_MS: i64 = 60 * 60 * 1000;

/// Whether a run may still wait for a side that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    Left,
    Over,
}

/// `since_ms`: when the side last moved.
fn patience(since_ms: i64, now_ms: i64) -> Patience {
    if now_ms - since_ms < PATIENCE_MS { Patience::Left } else { Patience::Over }
}

/// When a run began to observe: its start, or the acceptance of a plan that lay.
fn begun_ms(run: &Run) -> i64 {
    run.accepted.as_ref().map_or(run.started_ms, |accepted| accepted.at_ms.max(run.started_ms))
}

/// The run, when it observes and the collection is not read yet.
async fn observing(
    store: &Store,
    connection: &ConnectionId,
    run: &str,
    collection: &str,
) -> Result<Option<Run>, StoreError> {
    let open = store.run(connection, run).await?.map(|stored| stored.value);
    let open = open.filter(|open| {
        open.phase == Phase::Observing
            && open.collections.get(collection).is_none_or(|known| known.state == CollectionState::Reading)
    });
    // Whose credentials were given up is not read, whoever opened the run.
    let connected = open.is_some() && is_connected(store, connection).await?;
    Ok(open.filter(|_| connected))
}

async fn is_connected(store: &Store, connection: &ConnectionId) -> Result<bool, StoreError> {
    Ok(store.meta(connection).await?.value.standing != ConnectionState::Disconnected)
}

/// Enters what was found into the run, or leaves the rest to another message.
async fn finish(
    store: &Store,
    clock: &dyn Clock,
    doorbell: &dyn Doorbell,
    open: &Run,
    observed: Observed,
) -> Result<After, ObserveError> {
    let (connection, run) = (&open.connection, &open.id);
    if let Some(delay) = observed.again {
        if !delay.is_zero() {
            return Ok(After::Again(delay));
        }
        let news = i64::try_from(observed.units).unwrap_or(i64::MAX);
        return Ok(match store.note_progress(connection, run, news, clock.now().as_millisecond()).await? {
            Requeue::Continue => After::Again(Duration::ZERO),
            Requeue::GiveUp => After::Done,
        });
    }
    let entered = store
        .update_run(connection, run, |open| {
            for (name, collection) in &observed.collections {
                open.collections.insert((*name).to_owned(), collection.clone());
            }
            if !observed.refused.is_empty() {
                open.refused_entries.clone_from(&observed.refused);
            }
            if !observed.left_out.is_empty() {
                open.left_out.clone_from(&observed.left_out);
            }
            for problem in &observed.problems {
                if !open.problems.contains(problem) {
                    open.problems.push(problem.clone());
                }
            }
            open.everybody |= observed.everybody;
            true
        })
        .await?;
    // Of two sides that end at the same moment, the one whose word is entered last finds the other's. A lost message is no
    // loss: whoever sends a message next finds both sides read.
    if entered.is_some_and(|run| is_observed(&run))
        && let Err(error) = doorbell.notify(open.message(MessageKind::Advance), Duration::ZERO).await
    {
        tracing::warn!(run.id = run, error = %error, "the message could not be sent");
    }
    Ok(After::Done)
}

/// Whether nobody's reading is waited for any more: everything that is needed was read, or something of it cannot be.
fn is_observed(run: &Run) -> bool {
    let state = |name: &&str| run.collections.get(*name).map(|known| known.state);
    NEEDED.iter().any(|name| state(name) == Some(CollectionState::Unknown))
        || NEEDED.iter().all(|name| state(name) == Some(CollectionState::Complete))
}

fn complete(seen: u64, changed: u64) -> Collection {
    Collection { state: CollectionState::Complete, seen, changed, ..Collection::default() }
}

fn unknown(doubt: impl Into<String>) -> Collection {
    Collection { state: CollectionState::Unknown, doubts: vec![doubt.into()], ..Collection::default() }
}

/// Each item once, as the last write leaves it: a person twice in one listing, or an account entered twice, is written
/// twice, and a table takes no item twice in one batch.
fn last_of_each(writes: Vec<Write>) -> Vec<Write> {
    let mut last: BTreeMap<_, Write> = BTreeMap::new();
    for write in writes {
        last.insert(write.key().clone(), write);
    }
    last.into_values().collect()
}
