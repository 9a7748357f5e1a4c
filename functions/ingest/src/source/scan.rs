//! The scan: one pass over a listing that holds 24 bytes an entry in memory, and what may be concluded from it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use std::fmt::Write as _;

use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::source::{Completeness, RefusedEntry, Spool};
use hardmatch_ports::{Entry, SourceError};
use hardmatch_store::Secret;

use super::kept::{KeptListing, Scanned};

/// Refusals kept for the report.
const REFUSALS_KEPT: usize = 1000;

/// With fewer known people, a change of most keys is no pattern yet.
const REKEY_MIN: usize = 5;

/// The people in a listing, and the refused entries.
#[derive(Default)]
pub(super) struct Scan {
    /// Name and content of every entry with a readable key, sorted by name.
    pub(super) entries: BTreeMap<[u8; 16], [u8; 8]>,
    pub(super) refused: Vec<RefusedEntry>,
    pub(super) refused_count: u64,
    /// Words of refused entries: a person who is named there is not absent.
    pub(super) words: HashSet<u64>,
    /// Names and addresses that stand in entries without a readable key.
    pub(super) claims: HashSet<u64>,
    /// Entries that may hide others, by name of the fault.
    pub(super) faults: BTreeSet<[u8; 16]>,
    /// Entries that a cross-check refused although the source understood them, and why.
    pub(super) replaced: BTreeMap<[u8; 16], RefusedEntry>,
    pub(super) completeness: Completeness,
}

/// Scans the entries of a reading as the source gives them, and keeps them for later passes.
pub(super) struct Scanner<'a> {
    secret: &'a Secret,
    scan: Scan,
    keyless: u64,
    kept: KeptListing,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(secret: &'a Secret) -> Self {
        Self { secret, scan: Scan::default(), keyless: 0, kept: KeptListing::new() }
    }

    /// The source came to the end of the listing.
    pub(super) fn finish(self, completeness: Completeness) -> Result<(Scan, KeptListing), SourceError> {
        let Self { mut scan, keyless, kept, .. } = self;
        scan.completeness = completeness;
        if keyless > 0 && scan.completeness.doubts.is_empty() && scan.completeness.absence.is_empty() {
            scan.completeness.absence.push(format!("{keyless} entries have no readable key"));
        }
        Ok((scan, kept.finish()?))
    }
}

impl Spool for Scanner<'_> {
    fn put(&mut self, entries: Vec<Entry>) -> Result<(), SourceError> {
        for entry in entries {
            let scanned = Scanned::of(&entry, self.secret);
            if let Some(scanned) = &scanned {
                self.scan.entries.insert(scanned.name, scanned.content);
            }
            self.kept.put(scanned.as_ref())?;
            if let Entry::Refused(refused) = &entry {
                self.keyless += u64::from(refused.key.is_none());
                self.scan.refuse(refused, self.secret);
            }
        }
        Ok(())
    }
}

impl Scan {
    fn refuse(&mut self, refused: &RefusedEntry, secret: &Secret) {
        self.refused_count += 1;
        self.words.extend(&refused.words);
        self.claims.extend(&refused.claims);
        self.faults.extend(refused.fault.map(|fault| fault_name(fault, secret)));
        if self.refused.len() < REFUSALS_KEPT {
            self.refused.push(RefusedEntry { words: Vec::new(), claims: Vec::new(), ..refused.clone() });
        }
    }

    /// Counts an entry as refused from here on, whatever the source says of it.
    pub(super) fn replace(&mut self, name: [u8; 16], refused: RefusedEntry, secret: &Secret) {
        self.refuse(&refused, secret);
        let refused = RefusedEntry { words: Vec::new(), claims: Vec::new(), ..refused };
        if let Some(scanned) = Scanned::of(&Entry::Refused(refused.clone()), secret) {
            self.entries.insert(scanned.name, scanned.content);
        }
        self.replaced.insert(name, refused);
    }

    /// An entry as this scan takes it: refused, where a cross-check refused it.
    pub(super) fn taken(&self, entry: Entry, secret: &Secret) -> Entry {
        let Entry::Person(person) = &entry else { return entry };
        if self.replaced.is_empty() {
            return entry;
        }
        match self.replaced.get(secret.pid(&person.key).bytes()) {
            Some(refused) => Entry::Refused(refused.clone()),
            None => entry,
        }
    }
}

/// The name under which a fault is stored. Without the store's secret nobody can guess from it what the entry says.
fn fault_name(fault: [u8; 16], secret: &Secret) -> [u8; 16] {
    let mut text = String::from("fault ");
    for byte in fault {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    *secret.pid(&PersonKey::new(text)).bytes()
}

/// Why nothing may be concluded from this scan, given the people and columns that were there before.
pub(super) fn doubts(scan: &Scan, known: &[[u8; 16]], known_columns: &[String]) -> Vec<String> {
    let mut doubts = scan.completeness.doubts.clone();
    if scan.completeness.entries == 0 && doubts.is_empty() {
        doubts.push("the listing is empty".to_owned());
    }
    let lost: Vec<&str> =
        known_columns.iter().filter(|column| !scan.completeness.columns.contains(column)).map(String::as_str).collect();
    if !lost.is_empty() {
        doubts.push(format!(
            "the listing lacks what it used to have: {}. Put it back; if it is gone for good, run once with --accept-source",
            lost.join(", ")
        ));
    }
    let kept = known.iter().filter(|name| scan.entries.contains_key(*name)).count();
    let (gone, fresh) = (known.len() - kept, scan.entries.len() - kept);
    if known.len() >= REKEY_MIN && gone * 2 > known.len() && fresh * 2 > known.len() {
        doubts.push(format!(
            "the listing looks re-keyed: {gone} of {} known keys are gone and {fresh} new ones appeared. Check [source] key; if the keys really changed, run once with --accept-source",
            known.len()
        ));
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(names: impl IntoIterator<Item = u8>, columns: &[&str]) -> Scan {
        let entries: BTreeMap<_, _> = names.into_iter().map(|n| ([n; 16], [0; 8])).collect();
        let completeness = Completeness {
            doubts: Vec::new(),
            columns: columns.iter().map(|&c| c.to_owned()).collect(),
            expected: Vec::new(),
            entries: entries.len() as u64,
            ..Completeness::default()
        };
        Scan { entries, completeness, ..Scan::default() }
    }

    fn known(names: impl IntoIterator<Item = u8>) -> Vec<[u8; 16]> {
        names.into_iter().map(|n| [n; 16]).collect()
    }

    #[test]
    fn c1_an_empty_listing_is_not_complete() {
        assert_eq!(doubts(&scan([], &["mail"]), &known(0..9), &[]).len(), 1);
    }

    #[test]
    fn a_lost_column_is_named() {
        let found = doubts(&scan(0..9, &["mail"]), &known(0..9), &["mail".into(), "department".into()]);
        assert!(found[0].contains("department"), "{found:?}");
    }

    #[test]
    fn most_keys_changed_is_rekeyed_and_a_large_leaving_is_not() {
        assert_eq!(doubts(&scan(100..110, &[]), &known(0..10), &[]).len(), 1);
        assert_eq!(doubts(&scan(0..3, &[]), &known(0..10), &[]), Vec::<String>::new());
        assert_eq!(doubts(&scan(0..30, &[]), &known(0..10), &[]), Vec::<String>::new());
    }
}
