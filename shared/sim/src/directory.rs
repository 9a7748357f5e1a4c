//! The store of directory objects: versions in time, look-ups, and the log that delta reads.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use uuid::Uuid;

use crate::object::{Mask, Object};
use crate::schema::{Kind, at};

/// How long earlier versions are kept for stale reads, beyond any configured lag.
const KEEP_VERSIONS_MS: i64 = 600_000;

/// One line of the change log.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) slot: u32,
    pub(crate) at: i64,
    pub(crate) mask: Mask,
    /// Relationships that came or went.
    pub(crate) links: Vec<Link>,
}

/// A relationship that came (true) or went (false): its property and the other object.
pub(crate) type Link = (u8, Uuid, bool);

/// What came and went between two versions.
fn links(before: &Object, after: &Object) -> Vec<Link> {
    let mut found = Vec::new();
    if before.manager != after.manager {
        found.extend(before.manager.map(|id| (at::MANAGER, id, false)));
        found.extend(after.manager.map(|id| (at::MANAGER, id, true)));
    }
    for (prop, old, new) in
        [(at::MEMBERS, &before.members, &after.members), (at::OWNERS, &before.owners, &after.owners)]
    {
        // A group of fifty thousand members grows by twenty: what both begin with is not looked at one by one.
        let same = old.iter().zip(new).take_while(|(old, new)| old == new).count();
        let (old, new) = (&old[same..], &new[same..]);
        found.extend(without(old, new).map(|id| (prop, id, false)));
        found.extend(without(new, old).map(|id| (prop, id, true)));
    }
    found
}

/// Those that are not among `others`.
fn without<'o>(some: &'o [Uuid], others: &[Uuid]) -> impl Iterator<Item = Uuid> + 'o {
    let others: HashSet<Uuid> = others.iter().copied().collect();
    some.iter().copied().filter(move |id| !others.contains(id))
}

#[derive(Clone, Debug)]
struct Version {
    at: i64,
    object: Arc<Object>,
}

/// One object through time.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) object: Arc<Object>,
    at: i64,
    past: Vec<Version>,
    /// When it came into being; seeds are older than time.
    pub(crate) born: i64,
    /// Positions in the change log.
    pub(crate) changes: Vec<u64>,
    /// How much later than others this object is seen, in milliseconds.
    pub(crate) lag: i64,
}

impl Slot {
    /// The object as a replica saw it at `horizon`.
    pub(crate) fn seen(&self, horizon: i64) -> Option<&Arc<Object>> {
        let horizon = horizon - self.lag;
        if self.at <= horizon {
            return Some(&self.object);
        }
        if self.born > horizon {
            return None;
        }
        // The oldest version kept stands for everything before it.
        self.past.iter().rev().find(|v| v.at <= horizon).or(self.past.first()).map(|v| &v.object)
    }
}

/// What a value is looked up as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Upn,
    ImmutableId,
    Address,
    Mail,
    EmployeeId,
    Sid,
    Nickname,
    UniqueName,
}

/// All objects.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    pub(crate) slots: Vec<Slot>,
    by_id: HashMap<Uuid, u32>,
    by_kind: [Vec<u32>; 3],
    /// Hash of (key, folded value) to slots; candidates are always verified against the object.
    first: HashMap<u64, u32>,
    more: HashMap<u64, Vec<u32>>,
    pub(crate) deleted: BTreeSet<(i64, u32)>,
    pub(crate) log: Vec<Change>,
    /// Log positions start here: what was older has been compacted away.
    pub(crate) log_base: u64,
    /// Slots whose last write may not be visible everywhere yet.
    unsettled: HashSet<u32>,
    /// Slots changed since the journal last looked.
    pub(crate) dirty: Vec<u32>,
    pub(crate) live_users: usize,
    pub(crate) keep_ms: i64,
    /// The largest lag that any single object has.
    pub(crate) longest_lag: i64,
}

impl Directory {
    pub(crate) fn new(max_lag_ms: i64) -> Self {
        Self { keep_ms: max_lag_ms.max(KEEP_VERSIONS_MS), ..Self::default() }
    }

    pub(crate) fn of_kind(&self, kind: Kind) -> &[u32] {
        &self.by_kind[kind as usize]
    }

    pub(crate) fn slot_of(&self, id: Uuid) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    pub(crate) fn slot(&self, slot: u32) -> &Slot {
        &self.slots[slot as usize]
    }

    pub(crate) fn object(&self, slot: u32) -> &Arc<Object> {
        &self.slot(slot).object
    }

    pub(crate) fn by_id(&self, id: Uuid) -> Option<&Arc<Object>> {
        self.slot_of(id).map(|s| self.object(s))
    }

    pub(crate) fn live(&self, id: Uuid) -> Option<&Arc<Object>> {
        self.by_id(id).filter(|o| o.live())
    }

    /// Adds an object that was always there: no change is logged.
    pub(crate) fn seed(&mut self, object: Object) -> u32 {
        self.insert(object, i64::MIN)
    }

    fn insert(&mut self, object: Object, born: i64) -> u32 {
        let slot = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.by_id.insert(object.id, slot);
        self.by_kind[object.kind as usize].push(slot);
        self.index(slot, &object);
        self.slots.push(Slot {
            object: Arc::new(object),
            at: born,
            past: Vec::new(),
            born,
            changes: Vec::new(),
            lag: 0,
        });
        slot
    }

    /// Adds a new object.
    pub(crate) fn create(&mut self, object: Object, now: i64) -> u32 {
        let slot = self.insert(object, now);
        let empty = Object::new(self.object(slot).kind, self.object(slot).id);
        let links = links(&empty, self.object(slot));
        self.record(slot, now, Mask::ALL, links);
        slot
    }

    /// Replaces an object by its next version.
    pub(crate) fn update(&mut self, slot: u32, object: Object, now: i64, mask: Mask) {
        let before = Arc::clone(self.object(slot));
        let links = links(&before, &object);
        self.unindex(slot, &before);
        self.index(slot, &object);
        let keep_from = now.saturating_sub(self.keep_ms);
        let entry = &mut self.slots[slot as usize];
        entry.past.push(Version { at: entry.at, object: before });
        // Keep one version older than the window: a read at its edge needs it.
        let cut = entry.past.iter().rposition(|v| v.at <= keep_from).unwrap_or(0);
        entry.past.drain(..cut);
        entry.object = Arc::new(object);
        entry.at = now;
        self.record(slot, now, mask, links);
    }

    fn record(&mut self, slot: u32, now: i64, mask: Mask, links: Vec<Link>) {
        let position = self.log_end();
        self.log.push(Change { slot, at: now, mask, links });
        self.slots[slot as usize].changes.push(position);
        self.unsettled.insert(slot);
        self.dirty.push(slot);
    }

    /// Puts back a change of an earlier process.
    pub(crate) fn replay(&mut self, slot: u32, at: i64, mask: Mask, links: Vec<Link>) {
        let position = self.log_end();
        self.log.push(Change { slot, at, mask, links });
        self.slots[slot as usize].changes.push(position);
    }

    /// Puts back an object of an earlier process without logging.
    pub(crate) fn put(&mut self, object: Object) -> u32 {
        match self.slot_of(object.id) {
            None => self.insert(object, i64::MIN),
            Some(slot) => {
                let before = Arc::clone(self.object(slot));
                self.unindex(slot, &before);
                self.index(slot, &object);
                self.slots[slot as usize].object = Arc::new(object);
                slot
            }
        }
    }

    pub(crate) fn log_end(&self) -> u64 {
        self.log_base + self.log.len() as u64
    }

    /// The end of the log as seen at `horizon`.
    ///
    /// An object that is later than others holds the end back, so that nothing it did is ever skipped.
    pub(crate) fn log_seen(&self, horizon: i64) -> u64 {
        let mut end = self.log.len();
        for (i, change) in self.log.iter().enumerate().rev() {
            if change.at <= horizon - self.longest_lag {
                break;
            }
            if change.at > horizon - self.slot(change.slot).lag {
                end = i;
            }
        }
        self.log_base + end as u64
    }

    /// Makes one object later than others by so many milliseconds.
    pub(crate) fn delay(&mut self, slot: u32, lag: i64) {
        self.slots[slot as usize].lag = lag;
        self.longest_lag = self.longest_lag.max(lag);
        self.keep_ms = self.keep_ms.max(lag + KEEP_VERSIONS_MS);
    }

    pub(crate) fn change(&self, position: u64) -> Option<&Change> {
        usize::try_from(position.checked_sub(self.log_base)?).ok().and_then(|i| self.log.get(i))
    }

    /// Slots that might hold `value`, newest state; also those still settling, which may have held it.
    pub(crate) fn candidates(&mut self, key: Key, value: &str, horizon: i64) -> Vec<u32> {
        let mut found = self.holders(key, value);
        let Self { unsettled, slots, .. } = self;
        unsettled.retain(|s| slots[*s as usize].at > horizon - slots[*s as usize].lag);
        found.extend(unsettled.iter());
        found.sort_unstable();
        found.dedup();
        found
    }

    fn holders(&self, key: Key, value: &str) -> Vec<u32> {
        let h = folded_hash(key, value);
        let mut found: Vec<u32> = self.first.get(&h).copied().into_iter().collect();
        if let Some(more) = self.more.get(&h) {
            found.extend(more);
        }
        found
    }

    /// Slots that hold exactly this (case apart, but for immutable IDs), soft-deleted ones included.
    pub(crate) fn holding(&self, key: Key, value: &str) -> Vec<u32> {
        let wanted = fold(value);
        let exact = key == Key::ImmutableId;
        self.holders(key, value)
            .into_iter()
            .filter(|s| {
                let mut holds = false;
                each_key(self.object(*s), |k, v| {
                    holds |= k == key && if exact { v == value } else { fold(v) == wanted };
                });
                holds
            })
            .collect()
    }

    pub(crate) fn user_by_upn(&self, upn: &str) -> Option<u32> {
        self.holding(Key::Upn, upn).into_iter().find(|s| self.object(*s).live())
    }

    fn index(&mut self, slot: u32, object: &Object) {
        if object.purged {
            return;
        }
        if object.kind == Kind::User && object.live() {
            self.live_users += 1;
        }
        if let Some(at) = object.deleted_at {
            self.deleted.insert((at, slot));
        }
        each_key(object, |key, value| {
            let h = folded_hash(key, value);
            if *self.first.entry(h).or_insert(slot) != slot {
                self.more.entry(h).or_default().push(slot);
            }
        });
    }

    fn unindex(&mut self, slot: u32, object: &Object) {
        if object.purged {
            return;
        }
        if object.kind == Kind::User && object.live() {
            self.live_users -= 1;
        }
        if let Some(at) = object.deleted_at {
            self.deleted.remove(&(at, slot));
        }
        each_key(object, |key, value| {
            let h = folded_hash(key, value);
            if let Some(more) = self.more.get_mut(&h) {
                more.retain(|s| *s != slot);
            }
            if self.first.get(&h) == Some(&slot) {
                match self.more.get_mut(&h).and_then(Vec::pop) {
                    Some(next) => self.first.insert(h, next),
                    None => self.first.remove(&h),
                };
            }
        });
    }
}

/// Hashes a value without regard to case and without allocating: a large tenant does this a million times at start.
fn folded_hash(key: Key, value: &str) -> u64 {
    // FNV-1a.
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut state = 0xcbf2_9ce4_8422_2325_u64 ^ key as u64;
    if value.is_ascii() {
        for byte in value.as_bytes() {
            state = (state ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(PRIME);
        }
    } else {
        for byte in fold(value).as_bytes() {
            state = (state ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
    }
    state
}

/// Directory comparison ignores case.
pub(crate) fn fold(value: &str) -> String {
    value.to_lowercase()
}

/// Calls `f` for each value the object is looked up by. A soft-deleted object has let go of its addresses.
fn each_key(object: &Object, mut f: impl FnMut(Key, &str)) {
    let one = |prop, key, f: &mut dyn FnMut(Key, &str)| {
        if let Some(value) = object.text(prop) {
            f(key, value);
        }
    };
    if object.live() {
        for address in object.texts(at::PROXY_ADDRESSES) {
            f(Key::Address, address);
        }
        one(at::MAIL, Key::Mail, &mut f);
    }
    match object.kind {
        Kind::User => {
            one(at::UPN, Key::Upn, &mut f);
            one(at::IMMUTABLE_ID, Key::ImmutableId, &mut f);
            one(at::EMPLOYEE_ID, Key::EmployeeId, &mut f);
            one(at::SID, Key::Sid, &mut f);
        }
        Kind::Group if object.live() => {
            one(at::MAIL_NICKNAME, Key::Nickname, &mut f);
            one(at::UNIQUE_NAME, Key::UniqueName, &mut f);
        }
        Kind::Group | Kind::Contact => {}
    }
}
