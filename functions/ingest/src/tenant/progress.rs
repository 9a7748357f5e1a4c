//! The progress of one reading of the tenant, as it is kept between two messages. Nothing is concluded from it.

use std::collections::BTreeSet;

use hardmatch_domain::account::{AddressHolder, Tenant};
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::run::{Collection, CollectionState};
use hardmatch_ports::tenant::Cursor;
use hardmatch_store::Progress;
use serde::{Deserialize, Serialize};

use super::fingerprints::Entries;
use super::named_groups::NamedGroups;
use crate::observed::{CONTACTS, DELETED, DOMAINS, ELIGIBLE, GROUPS, LICENSES, MEMBERSHIPS, Observed, ROLES};

/// Version of the shape.
const VERSION: u32 = 2;

/// One reading of a tenant.
#[derive(Serialize, Deserialize)]
pub(super) struct TenantProgress {
    v: u32,
    /// When this reading began (Unix milliseconds): a run reads again once its plan is accepted.
    pub(super) of: i64,
    /// Attributes under which every account is entered for the first time. A reading that lacks one of them is not
    /// continued.
    pub(super) missing: Vec<Attr>,
    /// The directory extensions that accounts are read with. A reading with others is not continued.
    #[serde(default)]
    pub(super) extensions: Vec<Attr>,
    /// Units of work done: pages, mostly.
    pub(super) units: u64,
    /// When the last unit was done (Unix milliseconds).
    pub(super) moved_ms: i64,
    pub(super) head: Option<Head>,
    pub(super) groups: HoldersReading,
    pub(super) contacts: HoldersReading,
    pub(super) users: UsersReading,
    pub(super) bin: RecycleBin,
    pub(super) named: NamedGroups,
    /// Every account of a full listing so far.
    #[serde(skip)]
    pub(super) entries: Entries,
}

/// What is read at once, before anything that has pages.
#[derive(Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) tenant: Tenant,
    pub(super) domains: Collection,
    pub(super) roles: Collection,
    /// Set only where it is unknown who may activate a role.
    #[serde(default)]
    pub(super) eligibility: Option<Collection>,
    /// Set when licence rules ask for it.
    pub(super) licenses: Option<Collection>,
    /// Everybody is to be decided again.
    pub(super) everybody: bool,
}

/// The reading of addresses that groups or contacts hold.
#[derive(Serialize, Deserialize)]
pub(super) enum HoldersReading {
    /// Before `page`; `None` is the first.
    Listing { page: Option<Cursor>, held: BTreeSet<(String, AddressHolder)> },
    /// All addresses are known. Differences from the last reading are stored up to `to`.
    Comparing { held: BTreeSet<(String, AddressHolder)>, to: Option<(String, AddressHolder)> },
    /// All addresses are compared, or the tenant withholds them.
    Ended(Collection),
}

impl Default for HoldersReading {
    fn default() -> Self {
        Self::Listing { page: None, held: BTreeSet::new() }
    }
}

impl HoldersReading {
    fn collection(&self) -> Option<&Collection> {
        match self {
            HoldersReading::Listing { .. } | HoldersReading::Comparing { .. } => None,
            HoldersReading::Ended(collection) => Some(collection),
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.collection().is_some_and(|collection| collection.state == CollectionState::Complete)
    }
}

/// The reading of live users.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct UsersReading {
    pub(super) stage: ListingStage,
    /// All users are read, not only changes.
    pub(super) full: bool,
    pub(super) seen: u64,
    pub(super) changed: u64,
    /// A change named an account that is nowhere: the mirror may lack others, too.
    #[serde(default)]
    pub(super) doubt: bool,
    /// Accounts with a temporary sign-in name, when all users are read.
    pub(super) temporary: u64,
}

/// The stage of the reading of users.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) enum ListingStage {
    #[default]
    Begin,
    /// Before a page of the listing; `None` is the first. Changes since `start` follow.
    Listing { start: Cursor, page: Option<Cursor> },
    /// A delta round that names every user.
    InitialDelta { cursor: Cursor },
    /// Asking for known accounts that were not shown, those after a name. Changes since `start` follow.
    RecheckMissing { start: Cursor, after: Option<[u8; 16]> },
    /// Asking for linked accounts that were neither shown nor asked for, those of people after a person. Changes since
    /// `start` follow.
    RecheckLinked { start: Cursor, after: Option<(ConnectionId, [u8; 16])> },
    /// A delta round of changes.
    Following { cursor: Cursor },
    /// The next round starts here.
    Ended { next: Cursor },
}

/// The reading of the recycle bin.
#[derive(Serialize, Deserialize)]
pub(super) enum RecycleBin {
    /// Before `page`; `None` is the first.
    Listing { page: Option<Cursor>, ids: BTreeSet<String>, changed: u64 },
    /// The whole bin is known; accounts that left it are looked for.
    Clearing { ids: BTreeSet<String>, changed: u64 },
    /// Every account that left the bin was looked for.
    Ended(Collection),
}

impl Default for RecycleBin {
    fn default() -> Self {
        Self::Listing { page: None, ids: BTreeSet::new(), changed: 0 }
    }
}

impl TenantProgress {
    /// A reading that begins.
    pub(super) fn begin(of: i64, missing: Vec<Attr>, extensions: Vec<Attr>) -> Self {
        Self {
            v: VERSION,
            of,
            missing,
            extensions,
            units: 0,
            moved_ms: 0,
            head: None,
            groups: HoldersReading::default(),
            contacts: HoldersReading::default(),
            users: UsersReading::default(),
            bin: RecycleBin::default(),
            named: NamedGroups::default(),
            entries: Entries::new(),
        }
    }

    /// The collections that are read so far. The collection of users is added at the end of the round.
    pub(super) fn observed(&self) -> Observed {
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
        if let RecycleBin::Ended(collection) = &self.bin {
            observed.collections.push((DELETED, collection.clone()));
        }
        observed.collections.extend(self.named.collection().map(|members| (MEMBERSHIPS, members)));
        observed
    }
}

impl Progress for TenantProgress {
    /// Serialized: the length of the JSON, the JSON, then 24 bytes an entry.
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

    /// Deserialized; `None` for half a blob, or one of another version.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_as_it_was_kept_and_half_a_blob_is_none() {
        let mut reading = TenantProgress::begin(7, vec![Attr::EmployeeId], Vec::new());
        reading.users.stage = ListingStage::Listing { start: Cursor("s".into()), page: Some(Cursor("p".into())) };
        reading.entries = (0..100u8).map(|n| ([n; 16], [n; 8])).collect();
        let body = reading.to_bytes();
        let back = TenantProgress::from_bytes(&body).unwrap();
        assert_eq!((back.of, &back.missing, &back.entries), (7, &reading.missing, &reading.entries));
        assert!(
            matches!(back.users.stage, ListingStage::Listing { page: Some(page), .. } if page == Cursor("p".into()))
        );
        assert!(TenantProgress::from_bytes(&body[..20]).is_none());
        assert!(TenantProgress::from_bytes(b"").is_none());
        let newer = TenantProgress { v: VERSION + 1, ..TenantProgress::begin(7, Vec::new(), Vec::new()) };
        assert!(TenantProgress::from_bytes(&newer.to_bytes()).is_none());
    }
}
