//! Notes about accounts that outlive a reading: accounts to be asked for by their id, the recycle bin as it was listed
//! last, and accounts that were seen since the last full listing.

use std::collections::BTreeMap;

use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::Write;
use hardmatch_store::{NoteList, StoreError};

use super::mirror::STALE_SECONDS;
use crate::ports::TenantPorts;

/// Two looks at an account that is nowhere are this far apart at least (seconds).
const UNSEEN_SECONDS: i64 = 5 * 60;

/// Why an account is to be asked for by its id, and since when (Unix seconds).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecheckReason {
    /// A listing showed the account as it was before our write: a real change may hide behind that.
    Stale(i64),
    /// A first look found the account nowhere.
    Unseen(i64),
}

impl RecheckReason {
    /// The reason in the body of a note. An account whose note cannot be read is due.
    pub(super) fn read(body: &[u8]) -> Self {
        let text = std::str::from_utf8(body).unwrap_or_default();
        let since = |text: &str| text.parse().unwrap_or_default();
        text.strip_prefix("unseen ").map_or_else(|| Self::Stale(since(text)), |text| Self::Unseen(since(text)))
    }

    fn body(self) -> Vec<u8> {
        match self {
            Self::Stale(since) => since.to_string().into_bytes(),
            Self::Unseen(since) => format!("unseen {since}").into_bytes(),
        }
    }

    /// Whether enough time has passed at `now` (Unix seconds) to ask for the account.
    pub(super) fn is_due(self, now: i64) -> bool {
        match self {
            Self::Stale(since) => now - since >= STALE_SECONDS,
            Self::Unseen(since) => now - since >= UNSEEN_SECONDS,
        }
    }

    /// The write that notes the reason.
    pub(super) fn note(self, ports: &TenantPorts, id: &ObjectId) -> Write {
        ports.store.write_note(&NoteList::recheck(&ports.scope), id.as_str(), self.body())
    }

    /// The reason that is noted for an account.
    pub(super) async fn of(ports: &TenantPorts, id: &ObjectId) -> Result<Option<Self>, StoreError> {
        Ok(ports.store.note(&NoteList::recheck(&ports.scope), id.as_str()).await?.map(|body| Self::read(&body)))
    }

    /// All accounts that are noted.
    pub(super) async fn all(ports: &TenantPorts) -> Result<Vec<(ObjectId, Self)>, StoreError> {
        let noted = ports.store.notes_of(&NoteList::recheck(&ports.scope)).await?;
        Ok(noted.into_iter().map(|(id, body)| (ObjectId::new(id), Self::read(&body))).collect())
    }

    /// Forgets the notes of accounts.
    pub(super) async fn forget(ports: &TenantPorts, ids: &[ObjectId]) -> Result<(), StoreError> {
        ports.store.delete_notes(&NoteList::recheck(&ports.scope), ids.iter().map(ObjectId::as_str)).await
    }
}

/// The write that notes an account which a listing showed as it was before our write.
pub(super) fn stale(ports: &TenantPorts, id: &ObjectId) -> Write {
    RecheckReason::Stale(ports.clock.now_seconds()).note(ports, id)
}

/// The write that makes the next listing of the recycle bin miss an account that is not in it.
pub(super) fn noted_in_bin(ports: &TenantPorts, id: &ObjectId) -> Write {
    ports.store.write_note(&NoteList::recycle_bin(&ports.scope), id.as_str(), Vec::new())
}

/// Accounts that were seen after the last full listing, and are in no fingerprint of it. The next full listing must know to
/// miss them.
pub(super) struct SeenSinceFullListing {
    place: NoteList,
}

impl SeenSinceFullListing {
    pub(super) fn of(ports: &TenantPorts) -> Self {
        Self { place: NoteList::seen(&ports.scope) }
    }

    /// The write that notes an account.
    pub(super) fn note(&self, ports: &TenantPorts, id: &ObjectId) -> Write {
        ports.store.write_note(&self.place, id.as_str(), ports.clock.now_seconds().to_string().into_bytes())
    }

    /// All accounts that are noted, and when each was seen (Unix seconds).
    pub(super) async fn all(&self, ports: &TenantPorts) -> Result<BTreeMap<ObjectId, i64>, StoreError> {
        let noted = ports.store.notes_of(&self.place).await?;
        let seen = |body: &[u8]| std::str::from_utf8(body).ok()?.parse().ok();
        Ok(noted.into_iter().map(|(id, body)| (ObjectId::new(id), seen(&body).unwrap_or_default())).collect())
    }

    /// Forgets accounts that were seen before `begun` (Unix seconds): a full listing that began then has shown or missed
    /// them.
    pub(super) async fn settle(&self, ports: &TenantPorts, begun: i64) -> Result<(), StoreError> {
        let before: Vec<ObjectId> =
            self.all(ports).await?.into_iter().filter(|(_, at)| *at < begun).map(|(id, _)| id).collect();
        ports.store.delete_notes(&self.place, before.iter().map(ObjectId::as_str)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_read_as_it_was_noted_and_half_a_note_is_due() {
        for reason in [RecheckReason::Stale(1_000), RecheckReason::Unseen(1_000)] {
            assert_eq!(RecheckReason::read(&reason.body()), reason);
        }
        assert!(!RecheckReason::Stale(1_000).is_due(1_000 + STALE_SECONDS - 1));
        assert!(RecheckReason::Stale(1_000).is_due(1_000 + STALE_SECONDS));
        assert!(!RecheckReason::Unseen(1_000).is_due(1_299) && RecheckReason::Unseen(1_000).is_due(1_300));
        assert!(RecheckReason::read(b"unseen").is_due(1_000) && RecheckReason::read(&[0xff]).is_due(1_000));
    }
}
