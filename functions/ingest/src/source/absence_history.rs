//! Which missing people are absent. A damaged entry may swallow neighbors that nothing names, so it makes absence
//! unknown. One case is certain all the same: somebody is missing in two readings in a row, and every fault of these
//! readings already stood, byte for byte, while that person was listed. Such faults did not swallow them.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_store::{NoteList, PersonHash, Store, StoreError};
use serde::{Deserialize, Serialize};

/// Faults that are remembered, and people: from a listing with more of either nothing is concluded.
const MOST: usize = 1_000;

/// Two readings that say the same are this far apart at least (milliseconds): a plan, and its application minutes later,
/// read one and the same export.
const APART_MS: i64 = 6 * 60 * 60 * 1000;

/// What the readings so far say of absence. Kept beside a connection's fingerprints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AbsenceHistory {
    v: u32,
    /// When this was last changed (Unix milliseconds). Everybody who is not in `missing` was listed then.
    at: i64,
    /// Since when absence is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unknown_since: Option<i64>,
    /// Faults of the last reading, and since when each has stood without a break.
    faults: BTreeMap<String, i64>,
    /// People who are missing, and not taken for absent yet.
    missing: BTreeMap<String, MissingPerson>,
    /// More people were missing than are remembered. Of the others it is unknown when they were listed.
    #[serde(default)]
    too_many: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct MissingPerson {
    /// When they were listed last.
    listed: i64,
    /// Since when they are missing in readings of which no fault is younger than that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<i64>,
}

const NAME: &str = "absence";

impl AbsenceHistory {
    /// The history of a connection. One that cannot be read proves nobody's absence.
    pub(super) async fn of(store: &Store, place: &NoteList) -> Result<Self, StoreError> {
        let body = store.note(place, NAME).await?;
        Ok(body.and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default())
    }

    pub(super) async fn put(&self, store: &Store, place: &NoteList) -> Result<(), StoreError> {
        let body = serde_json::to_vec(self).unwrap_or_default();
        store.put_note(place, NAME, body).await
    }

    /// Since when absence is unknown (Unix milliseconds); `None` where it is known.
    pub(super) fn unknown_since(&self) -> Option<i64> {
        self.unknown_since
    }

    /// The history with one more reading, of `now` (Unix milliseconds): `missing` are known people whom it lacks. Gives
    /// the people who are absent, too.
    pub(super) fn with(
        &self,
        now: i64,
        unknown: bool,
        faults: &BTreeSet<[u8; 16]>,
        missing: &[PersonHash],
    ) -> (Self, Vec<PersonHash>) {
        let mut next = Self { v: 1, at: now, ..Self::default() };
        if !unknown {
            return (next, missing.to_vec());
        }
        next.unknown_since = Some(self.unknown_since.unwrap_or(now));
        // Faults without a name, or more than are remembered, may be new in every reading.
        let told = !faults.is_empty() && faults.len() <= MOST;
        if told {
            next.faults = faults
                .iter()
                .map(|fault| {
                    let name = PersonHash::from_bytes(*fault).hex();
                    let since = self.faults.get(&name).copied().unwrap_or(now);
                    (name, since)
                })
                .collect();
        }
        let youngest = if told { next.faults.values().copied().max().unwrap_or(now) } else { i64::MAX };
        let mut absent = Vec::new();
        for pid in missing {
            let name = pid.hex();
            let known = self.missing.get(&name).copied();
            let unknown = if self.v == 0 || self.too_many { i64::MIN } else { self.at };
            let listed = known.map_or(unknown, |known| known.listed);
            let since = (youngest <= listed).then(|| known.and_then(|known| known.since).unwrap_or(now));
            if since.is_some_and(|since| now - since >= APART_MS) {
                absent.push(*pid);
            } else if next.missing.len() < MOST {
                next.missing.insert(name, MissingPerson { listed, since });
            } else {
                next.too_many = true;
            }
        }
        (next, absent)
    }

    /// The history with people who are missing and may be hidden: absence is unknown for them, and they were not listed.
    /// `before` is the history of the reading before.
    pub(super) fn with_unclear(mut self, before: &Self, unclear: &[PersonHash]) -> Self {
        if unclear.is_empty() {
            return self;
        }
        self.unknown_since = self.unknown_since.or(before.unknown_since).or(Some(self.at));
        for pid in unclear {
            let name = pid.hex();
            let listed = before.missing.get(&name).map_or(before.at, |known| known.listed);
            if self.missing.len() < MOST {
                self.missing.insert(name, MissingPerson { listed, since: None });
            } else {
                self.too_many = true;
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1000;

    fn faults(all: &[u8]) -> BTreeSet<[u8; 16]> {
        all.iter().map(|&number| [number; 16]).collect()
    }

    fn person(number: u8) -> PersonHash {
        PersonHash::from_bytes([number; 16])
    }

    /// Nights of faults and missing people; who is absent in the end.
    fn nights(all: &[(&[u8], &[u8])]) -> Vec<PersonHash> {
        let mut readings = AbsenceHistory::default();
        let mut absent = Vec::new();
        for (night, (broken, missing)) in all.iter().enumerate() {
            let missing: Vec<PersonHash> = missing.iter().map(|&number| person(number)).collect();
            let at = (i64::try_from(night).unwrap() + 1) * DAY;
            (readings, absent) = readings.with(at, !broken.is_empty(), &faults(broken), &missing);
        }
        absent
    }

    #[test]
    fn a_person_missing_beside_a_fault_is_not_absent() {
        assert_eq!(nights(&[(&[], &[]), (&[], &[7])]), [person(7)]);
        assert_eq!(nights(&[(&[], &[]), (&[1], &[7])]), []);
        assert_eq!(nights(&[(&[], &[]), (&[1], &[7]), (&[1], &[7]), (&[1], &[7])]), [], "the fault may be their row");
    }

    #[test]
    fn a_fault_that_stood_while_they_were_listed_hides_nobody() {
        let stood: &[(&[u8], &[u8])] = &[(&[1], &[]), (&[1], &[7])];
        assert_eq!(nights(stood), [], "once is not enough");
        assert_eq!(nights(&[(&[1], &[]), (&[1], &[7]), (&[1], &[7])]), [person(7)]);
        assert_eq!(nights(&[(&[1], &[]), (&[1, 2], &[7]), (&[1, 2], &[7])]), [], "one fault is younger");
        assert_eq!(nights(&[(&[1], &[]), (&[1, 2], &[7]), (&[1], &[7])]), [], "the first of the two was not clean");
        assert_eq!(nights(&[(&[1], &[]), (&[1, 2], &[7]), (&[1], &[7]), (&[1], &[7])]), [person(7)]);
        assert_eq!(nights(&[(&[1], &[]), (&[1], &[7]), (&[1], &[]), (&[1], &[7])]), [], "they were back between");
        assert_eq!(nights(&[(&[1], &[7]), (&[1], &[7]), (&[1], &[7])]), [], "nobody saw them");
    }

    #[test]
    fn hidden_people_keep_absence_unknown_since_the_first_night() {
        let (first, absent) = AbsenceHistory::default().with(DAY, false, &faults(&[]), &[person(1)]);
        let first = first.with_unclear(&AbsenceHistory::default(), &[person(7)]);
        assert_eq!((absent, first.unknown_since()), (vec![person(1)], Some(DAY)), "others are absent all the same");
        let (second, _) = first.with(2 * DAY, false, &faults(&[]), &[]);
        assert_eq!(second.clone().with_unclear(&first, &[person(7)]).unknown_since(), Some(DAY));
        assert_eq!(second.with_unclear(&first, &[]).unknown_since(), None);
    }

    #[test]
    fn two_readings_of_one_night_are_one() {
        let (first, _) = AbsenceHistory::default().with(DAY, true, &faults(&[1]), &[]);
        let (second, absent) = first.with(2 * DAY, true, &faults(&[1]), &[person(7)]);
        assert_eq!(absent, []);
        let (third, absent) = second.with(2 * DAY + 60_000, true, &faults(&[1]), &[person(7)]);
        assert_eq!(absent, []);
        assert_eq!(third.with(3 * DAY, true, &faults(&[1]), &[person(7)]).1, [person(7)]);
        assert_eq!(third.unknown_since(), Some(DAY));
    }
}
