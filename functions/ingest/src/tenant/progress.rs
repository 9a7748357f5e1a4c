//! How far a reading of the tenant has come, kept in one blob between two messages. Nothing is concluded from it: killed at
//! any point, the next message goes on from what was kept last, or reads from the beginning.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hardmatch_domain::account::{AddressHolder, Tenant};
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::run::{Collection, CollectionState};
use hardmatch_ports::tenant::Cursor;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::deadline::deadline_near;
use crate::tenant::dirty::Stopped;
use crate::tenant::groups::NamedGroups;
use crate::{
    CONTACTS, DELETED, DOMAINS, ELIGIBLE, GROUPS, LICENSES, MEMBERSHIPS, ObserveError, Observed, ROLES, TenantPorts,
};

/// Kept so often besides at the end of a message: a process that is ended early repeats no more than this.
const KEEP_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// Version of the shape.
const VERSION: u32 = 2;

/// Fingerprints: name of an account to a hash of its content.
pub(crate) type Entries = BTreeMap<[u8; 16], [u8; 8]>;

/// One reading of a tenant.
#[derive(Serialize, Deserialize)]
pub(crate) struct TenantProgress {
    v: u32,
    /// Which of its readings: a run may read again once its plan is accepted.
    pub(crate) of: i64,
    /// Attributes under which accounts are entered for the first time: all of them, or the reading is another.
    pub(crate) missing: Vec<Attr>,
    /// Units of work done: pages, mostly.
    pub(crate) units: u64,
    /// When the last of them was done (Unix milliseconds).
    pub(crate) moved_ms: i64,
    pub(crate) head: Option<Head>,
    pub(crate) groups: Holding,
    pub(crate) contacts: Holding,
    pub(crate) users: Users,
    pub(crate) bin: Bin,
    pub(crate) named: NamedGroups,
    /// Every account of a full reading so far.
    #[serde(skip)]
    pub(crate) entries: Entries,
}

/// What is read at once.
#[derive(Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) tenant: Tenant,
    pub(crate) domains: Collection,
    pub(crate) roles: Collection,
    /// Said only where it is unknown who may activate a role.
    #[serde(default)]
    pub(crate) eligibility: Option<Collection>,
    /// Read when rules ask for it.
    pub(crate) licenses: Option<Collection>,
    /// Everybody is to be decided again.
    pub(crate) everybody: bool,
}

/// Addresses that groups or contacts hold.
#[derive(Serialize, Deserialize)]
pub(crate) enum Holding {
    /// Before `page`; `None` is the first.
    Listing { page: Option<Cursor>, held: BTreeSet<(String, AddressHolder)> },
    /// All are known; what differs from the last time is stored up to `to`.
    Comparing { held: BTreeSet<(String, AddressHolder)>, to: Option<(String, AddressHolder)> },
    /// Compared, or withheld by the tenant.
    Ended(Collection),
}

impl Default for Holding {
    fn default() -> Self {
        Self::Listing { page: None, held: BTreeSet::new() }
    }
}

impl Holding {
    fn collection(&self) -> Option<&Collection> {
        match self {
            Holding::Listing { .. } | Holding::Comparing { .. } => None,
            Holding::Ended(collection) => Some(collection),
        }
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.collection().is_some_and(|collection| collection.state == CollectionState::Complete)
    }
}

/// Live users.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Users {
    pub(crate) way: ListingStage,
    /// Everything is read, not only what changed.
    pub(crate) full: bool,
    pub(crate) seen: u64,
    pub(crate) changed: u64,
    /// A change told of an account that is nowhere.
    #[serde(default)]
    pub(crate) doubt: bool,
    /// Accounts with a temporary sign-in name, when everything is read.
    pub(crate) temporary: u64,
}

/// Where the reading of users is.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) enum ListingStage {
    #[default]
    Begin,
    /// Before a page of the listing; `None` is the first. Changes since `start` follow.
    Listing { start: Cursor, page: Option<Cursor> },
    /// A delta round that tells of everybody.
    InitialDelta { cursor: Cursor },
    /// Asking for those who were not shown, behind a name. Changes since `start` follow.
    RecheckMissing { start: Cursor, after: Option<[u8; 16]> },
    /// Asking for those who were not shown and to whom people are linked, behind a person.
    RecheckLinked { start: Cursor, after: Option<(ConnectionId, [u8; 16])> },
    /// A delta round.
    Following { cursor: Cursor },
    /// The next round starts here.
    Ended { next: Cursor },
}

/// The recycle bin.
#[derive(Serialize, Deserialize)]
pub(crate) enum Bin {
    /// Before `page`; `None` is the first.
    Listing { page: Option<Cursor>, ids: BTreeSet<String>, changed: u64 },
    /// All are known; who left it is looked for.
    Clearing { ids: BTreeSet<String>, changed: u64 },
    /// Done.
    Ended(Collection),
}

impl Default for Bin {
    fn default() -> Self {
        Self::Listing { page: None, ids: BTreeSet::new(), changed: 0 }
    }
}

impl TenantProgress {
    pub(crate) fn begin(of: i64, missing: Vec<Attr>) -> Self {
        Self {
            v: VERSION,
            of,
            missing,
            units: 0,
            moved_ms: 0,
            head: None,
            groups: Holding::default(),
            contacts: Holding::default(),
            users: Users::default(),
            bin: Bin::default(),
            named: NamedGroups::default(),
            entries: Entries::new(),
        }
    }

    /// What is known of the collections so far, in the run's words. The users are added by whoever knows how it ended.
    pub(crate) fn observed(&self) -> Observed {
        let mut observed = Observed::default();
        if let Some(head) = &self.head {
            observed.everybody = head.everybody;
            observed.collections.extend([(DOMAINS, head.domains.clone()), (ROLES, head.roles.clone())]);
            observed.collections.extend(head.eligibility.clone().map(|eligible| (ELIGIBLE, eligible)));
            observed.collections.extend(head.licenses.clone().map(|licenses| (LICENSES, licenses)));
        }
        for (name, holding) in [(GROUPS, &self.groups), (CONTACTS, &self.contacts)] {
            observed.collections.extend(holding.collection().map(|collection| (name, collection.clone())));
        }
        if let Bin::Ended(collection) = &self.bin {
            observed.collections.push((DELETED, collection.clone()));
        }
        observed.collections.extend(self.named.collection().map(|members| (MEMBERSHIPS, members)));
        observed
    }

    /// Length of the JSON, the JSON, then 24 bytes an entry.
    fn to_bytes(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).unwrap_or_default();
        let mut body = Vec::with_capacity(8 + json.len() + self.entries.len() * 24);
        body.extend((json.len() as u64).to_be_bytes());
        body.extend(json);
        for (name, content) in &self.entries {
            body.extend(name);
            body.extend(content);
        }
        body
    }

    fn from_bytes(body: &[u8]) -> Option<Self> {
        let (length, rest) = body.split_first_chunk::<8>()?;
        let (json, entries) = rest.split_at_checked(usize::try_from(u64::from_be_bytes(*length)).ok()?)?;
        let mut reading: Self = serde_json::from_slice(json).ok()?;
        for entry in entries.chunks_exact(24) {
            let (name, content) = entry.split_at(16);
            reading.entries.insert(name.try_into().ok()?, content.try_into().ok()?);
        }
        Some(reading).filter(|reading| reading.v == VERSION)
    }
}

/// Keeps a reading between messages.
pub(crate) struct Checkpoint<'p> {
    ports: &'p TenantPorts,
    name: String,
    kept: Timestamp,
}

impl<'p> Checkpoint<'p> {
    /// `what` tells the readings of a run apart.
    pub(crate) fn new(ports: &'p TenantPorts, run: &str, what: &str) -> Self {
        Self { ports, name: format!("{}{what}", folder(run)), kept: ports.clock.now() }
    }

    /// The reading that was begun, when it is the one that is wanted; otherwise the one that begins.
    pub(crate) async fn go_on(&self, begins: TenantProgress) -> Result<TenantProgress, ObserveError> {
        let kept = self.ports.blobs.get(&self.name).await?.and_then(|body| TenantProgress::from_bytes(&body));
        // Who was read before an attribute was asked for is not entered under it.
        let fits = |kept: &TenantProgress| {
            kept.of == begins.of && begins.missing.iter().all(|attr| kept.missing.contains(attr))
        };
        Ok(kept.filter(fits).unwrap_or(begins))
    }

    /// A unit of work is done and `reading` says so: goes on, or keeps it and stops.
    pub(crate) async fn unit(&mut self, reading: &mut TenantProgress) -> Result<(), Stopped> {
        let now = self.ports.clock.now();
        reading.units += 1;
        reading.moved_ms = now.as_millisecond();
        if deadline_near(&*self.ports.clock, self.ports.deadline) {
            self.keep(reading).await?;
            return Err(Stopped::Time);
        }
        if self.ports.deadline.is_some() && now.duration_since(self.kept) >= KEEP_EVERY {
            self.keep(reading).await?;
        }
        Ok(())
    }

    pub(crate) async fn keep(&mut self, reading: &TenantProgress) -> Result<(), ObserveError> {
        self.ports.blobs.put(&self.name, reading.to_bytes()).await?;
        self.kept = self.ports.clock.now();
        Ok(())
    }

    /// The next message reads from the beginning.
    pub(crate) async fn forget(&self) -> Result<(), ObserveError> {
        Ok(self.ports.blobs.delete_all(&self.name).await?)
    }
}

/// What readings of a run leave behind while they are not at their end.
fn folder(run: &str) -> String {
    format!("runs/{run}/observe/")
}

/// Forgets what readings of a run kept. What stays behind is never trusted, so a failure is only told.
pub(crate) async fn clean(ports: &TenantPorts, run: &str) {
    if let Err(error) = ports.blobs.delete_all(&folder(run)).await {
        tracing::warn!(run.id = run, error = %error, "what a reading kept could not be deleted");
    }
}

/// What a stopped reading means for the message.
pub(crate) fn later(reading: &TenantProgress, again: Duration) -> Observed {
    Observed { again: Some(again), units: reading.units, ..Observed::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_comes_back_as_it_was_kept_and_half_a_blob_is_none() {
        let mut reading = TenantProgress::begin(7, vec![Attr::EmployeeId]);
        reading.users.way = ListingStage::Listing { start: Cursor("s".into()), page: Some(Cursor("p".into())) };
        reading.entries = (0..100u8).map(|n| ([n; 16], [n; 8])).collect();
        let body = reading.to_bytes();
        let back = TenantProgress::from_bytes(&body).unwrap();
        assert_eq!((back.of, &back.missing, &back.entries), (7, &reading.missing, &reading.entries));
        assert!(matches!(back.users.way, ListingStage::Listing { page: Some(page), .. } if page == Cursor("p".into())));
        assert!(TenantProgress::from_bytes(&body[..20]).is_none());
        assert!(TenantProgress::from_bytes(b"").is_none());
        let newer = TenantProgress { v: VERSION + 1, ..TenantProgress::begin(7, Vec::new()) };
        assert!(TenantProgress::from_bytes(&newer.to_bytes()).is_none());
    }
}
