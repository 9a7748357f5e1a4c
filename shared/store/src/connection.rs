//! A connection's own items, read together by one query and changed by concern.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::{Condition, TableError, Write};
use serde::Serialize;

pub use crate::concerns::{
    ActivePolicy, ConnectionState, ConnectionStatus, CredentialState, GuardHistory, LastListing, Paused, Quarantine,
    RunHistory, ScheduleState, Slot,
};
use crate::keys::{self, MetaKind};
use crate::timers::Timer;
use crate::{Result, Store, json, parse};

/// What is kept of a connection beside its runs and policy texts: an item for each field, as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Which tenant it is of, and what it may do there.
    pub status: ConnectionStatus,
    /// The policy that new runs pin.
    pub policy: ActivePolicy,
    /// The open run and the slot that was taken last.
    pub schedule: ScheduleState,
    /// The last complete listing.
    pub listing: LastListing,
    /// What the runs so far came to.
    pub history: RunHistory,
    /// What the guard let through lately.
    pub guard: GuardHistory,
    /// The credential and its tokens.
    pub credential: CredentialState,
    /// Nothing is written until a time, and why.
    pub quarantine: Option<Quarantine>,
    /// Under which revision each was read.
    pub revisions: MetaRevisions,
}

/// The revisions of a connection's items, 0 for one that is not there yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetaRevisions([u64; MetaKind::ALL.len()]);

impl MetaRevisions {
    fn of(&self, kind: MetaKind) -> u64 {
        self.0[kind as usize]
    }

    fn condition(&self, kind: MetaKind) -> Condition {
        match self.of(kind) {
            0 => Condition::Absent,
            revision => Condition::Revision(revision),
        }
    }
}

/// One concern of a connection: an item of its own.
pub trait Concern: Sized {
    /// The field of the connection's state that holds the concern.
    fn of(meta: &mut Meta) -> &mut Self;
}

macro_rules! concerns {
    ($($field:ident: $kind:ident = $type:ty;)*) => {
        $(impl Concern for $type {
            fn of(meta: &mut Meta) -> &mut Self {
                &mut meta.$field
            }
        })*

        impl Meta {
            /// Enters an item as it was read.
            fn enter(&mut self, item: &hardmatch_ports::Item) -> Result<()> {
                let Some(kind) = keys::meta_of(&item.key) else { return Ok(()) };
                self.revisions.0[kind as usize] = item.revision;
                match kind {
                    $(MetaKind::$kind => self.$field = parse(item, kind.name())?.value,)*
                }
                Ok(())
            }

            /// The kinds that differ, each with its body.
            fn changed(&self, before: &Self) -> Vec<(MetaKind, Vec<u8>)> {
                let mut changed = Vec::new();
                $(if self.$field != before.$field {
                    changed.push((MetaKind::$kind, json(&self.$field)));
                })*
                changed
            }
        }
    };
}

concerns! {
    status: Status = ConnectionStatus;
    policy: Policy = ActivePolicy;
    schedule: Schedule = ScheduleState;
    listing: Listing = LastListing;
    history: History = RunHistory;
    guard: Guard = GuardHistory;
    credential: Credential = CredentialState;
    quarantine: Quarantine = Option<Quarantine>;
}

impl Store {
    /// A connection's state; the default when it is new.
    pub async fn meta(&self, c: &ConnectionId) -> Result<Meta> {
        let mut meta = Meta::default();
        self.each(keys::metas(c), |item| meta.enter(&item)).await?;
        Ok(meta)
    }

    /// The writes that bring a connection's state from what was read to `next`, each under the revision that was read: an
    /// item for each concern that differs. A change of what a run rests on when it is opened (status, policy, quarantine)
    /// takes the schedule along, so that no run is opened on what was so before.
    pub(crate) fn meta_writes(c: &ConnectionId, before: &Meta, next: &Meta) -> Vec<Write> {
        let mut changed = next.changed(before);
        if changed.iter().any(|(kind, _)| kind.stops_opening())
            && changed.iter().all(|(kind, _)| *kind != MetaKind::Schedule)
        {
            changed.push((MetaKind::Schedule, json(&next.schedule)));
        }
        let new = before.revisions == MetaRevisions::default();
        let mut writes: Vec<Write> = changed
            .into_iter()
            .map(|(kind, body)| Write::put_if(keys::meta(c, kind), body, before.revisions.condition(kind)))
            .collect();
        if new && !writes.is_empty() {
            writes.push(Write::put(keys::listed(c), Vec::new()));
        }
        writes
    }

    /// Performs writes of [`meta_writes`](Self::meta_writes), all or none.
    async fn write_meta(&self, mut writes: Vec<Write>) -> Result<()> {
        match (writes.pop(), writes.is_empty()) {
            (None, _) => Ok(()),
            (Some(only), true) => self.write(only).await.map(drop),
            (Some(last), false) => self.transact(writes.into_iter().chain([last]).collect()).await,
        }
    }

    /// Changes one concern of a connection; tries again when another process was faster. What stays as it is is not written.
    pub async fn update<T: Concern + Clone + PartialEq + Serialize>(
        &self,
        c: &ConnectionId,
        change: impl Fn(&mut T),
    ) -> Result<T> {
        let mut meta = self.update_together(c, |meta| change(T::of(meta))).await?;
        Ok(T::of(&mut meta).clone())
    }

    /// Changes several concerns of a connection, all or none, for a caller of whom one rests on another; tries again when
    /// another process changed one of these. What stays as it is is not written.
    pub async fn update_together(&self, c: &ConnectionId, change: impl Fn(&mut Meta)) -> Result<Meta> {
        loop {
            let before = self.meta(c).await?;
            let mut next = before.clone();
            change(&mut next);
            match self.write_meta(Self::meta_writes(c, &before, &next)).await {
                Ok(()) => return Ok(next),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// All connections, by name.
    pub async fn connections(&self) -> Result<Vec<ConnectionId>> {
        let mut found = Vec::new();
        self.each(keys::all_connections(), |item| {
            found.push(ConnectionId::new(item.key.sk));
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// Nothing of the connection is written until `next`, and a timer brings the next attempt: after 6 hours, 12, 24, then
    /// daily. For bad credentials (`why` names the cure) and for runs of which too much failed. A run that is told twice
    /// counts once.
    pub async fn quarantine(&self, c: &ConnectionId, run: &str, why: &str, now: i64) -> Result<Quarantine> {
        loop {
            let before = self.meta(c).await?;
            if let Some(had) = before.quarantine.as_ref().filter(|had| had.run == run) {
                return Ok(had.clone());
            }
            let quarantine = Quarantine::after(before.quarantine.as_ref(), run, why, now);
            let next = Meta { quarantine: Some(quarantine.clone()), ..before.clone() };
            let mut writes = Self::meta_writes(c, &before, &next);
            writes.push(self.put_timer(c, Timer::Quarantine, quarantine.next));
            match self.table.transact(writes).await {
                Ok(()) => return Ok(quarantine),
                Err(TableError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes a scheduled time without a run, under the state that was read. A conflict means that another process changed it.
    pub async fn take_slot(&self, c: &ConnectionId, before: &Meta, at: &str) -> Result<()> {
        let mut next = before.clone();
        next.schedule.slot = Some(Slot { at: at.to_owned(), run: String::new() });
        self.write_meta(Self::meta_writes(c, before, &next)).await
    }

    /// Ends a quarantine by hand; whether there was one. Its timer finds nothing to do.
    pub async fn release_quarantine(&self, c: &ConnectionId) -> Result<bool> {
        let held = self.meta(c).await?.quarantine.is_some();
        if held {
            self.update(c, |quarantine: &mut Option<Quarantine>| *quarantine = None).await?;
        }
        Ok(held)
    }

    /// Takes a connection up again that was disconnected: `tenant` is the directory id that its new credentials are of.
    /// Of another tenant than before they bring nothing back: that is another connection.
    pub async fn reconnect(&self, c: &ConnectionId, tenant: &str, now: i64) -> Result<ConnectionStatus> {
        self.update(c, |status: &mut ConnectionStatus| {
            if status.tenant.as_deref().is_none_or(|known| known.eq_ignore_ascii_case(tenant)) {
                status.reconnect(now);
            }
        })
        .await
    }
}
