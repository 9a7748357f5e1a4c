//! The census: one pass over a listing that keeps 24 bytes an entry, and what may be concluded from it. Pure but for
//! the reading.

use std::collections::BTreeMap;

use hardmatch_ports::source::{Completeness, Refused};
use hardmatch_ports::{Entry, Listing, SourceError};
use hardmatch_store::Secret;
use hardmatch_store::fingerprints::content_hash;

/// Refusals kept for the report.
const REFUSALS_KEPT: usize = 1000;

/// Below so many known people a change of most keys is no pattern yet.
const REKEY_MIN: usize = 5;

/// Who is in a listing, and what was refused.
#[derive(Default)]
pub(crate) struct Census {
    /// Name and content of every entry with a readable key, sorted by name.
    pub(crate) entries: BTreeMap<[u8; 16], [u8; 8]>,
    pub(crate) refused: Vec<Refused>,
    pub(crate) refused_count: u64,
    pub(crate) completeness: Completeness,
}

/// Reads a listing to its end.
pub(crate) async fn take(listing: &mut dyn Listing, secret: &Secret) -> Result<Census, SourceError> {
    let mut census = Census::default();
    let mut keyless = 0u64;
    loop {
        let entries = listing.next().await?;
        if entries.is_empty() {
            break;
        }
        for entry in &entries {
            if let Some((name, content)) = print(entry, secret) {
                census.entries.insert(name, content);
            }
            if let Entry::Refused(refused) = entry {
                census.refused_count += 1;
                keyless += u64::from(refused.key.is_none());
                if census.refused.len() < REFUSALS_KEPT {
                    census.refused.push(refused.clone());
                }
            }
        }
    }
    census.completeness = listing.finish();
    if keyless > 0 && census.completeness.doubts.is_empty() {
        census.completeness.doubts.push(format!("{keyless} entries have no readable key"));
    }
    Ok(census)
}

/// The fingerprint of an entry; `None` when it has no key.
pub(crate) fn print(entry: &Entry, secret: &Secret) -> Option<([u8; 16], [u8; 8])> {
    match entry {
        Entry::Person(person) => {
            let body = serde_json::to_vec(person).unwrap_or_default();
            Some((*secret.pid(&person.key).bytes(), content_hash(&body)))
        }
        Entry::Refused(refused) => {
            // That they were refused is all that is stored of them; why is in the run. Two entries with one key, each
            // refused for the other's sake, must be one and the same in every pass, and a line that moved is no news.
            let key = refused.key.as_ref()?;
            Some((*secret.pid(key).bytes(), content_hash(b"refused")))
        }
    }
}

/// Why nobody may be taken for absent on the word of this census, given who and which columns were there before.
pub(crate) fn doubts(census: &Census, known: &[[u8; 16]], known_columns: &[String]) -> Vec<String> {
    let mut doubts = census.completeness.doubts.clone();
    if census.completeness.entries == 0 && doubts.is_empty() {
        doubts.push("the listing is empty".to_owned());
    }
    let lost: Vec<&str> = known_columns
        .iter()
        .filter(|column| !census.completeness.columns.contains(column))
        .map(String::as_str)
        .collect();
    if !lost.is_empty() {
        doubts.push(format!(
            "the listing lacks what it used to have: {}. Put it back; if it is gone for good, run once with --accept-source",
            lost.join(", ")
        ));
    }
    let kept = known.iter().filter(|name| census.entries.contains_key(*name)).count();
    let (gone, fresh) = (known.len() - kept, census.entries.len() - kept);
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

    fn census(names: impl IntoIterator<Item = u8>, columns: &[&str]) -> Census {
        let entries: BTreeMap<_, _> = names.into_iter().map(|n| ([n; 16], [0; 8])).collect();
        let completeness = Completeness {
            doubts: Vec::new(),
            columns: columns.iter().map(|&c| c.to_owned()).collect(),
            expected: Vec::new(),
            entries: entries.len() as u64,
        };
        Census { entries, completeness, ..Census::default() }
    }

    fn known(names: impl IntoIterator<Item = u8>) -> Vec<[u8; 16]> {
        names.into_iter().map(|n| [n; 16]).collect()
    }

    #[test]
    fn c1_an_empty_listing_is_not_complete() {
        assert_eq!(doubts(&census([], &["mail"]), &known(0..9), &[]).len(), 1);
    }

    #[test]
    fn a_lost_column_is_named() {
        let found = doubts(&census(0..9, &["mail"]), &known(0..9), &["mail".into(), "department".into()]);
        assert!(found[0].contains("department"), "{found:?}");
    }

    #[test]
    fn most_keys_changed_is_rekeyed_and_a_large_leaving_is_not() {
        assert_eq!(doubts(&census(100..110, &[]), &known(0..10), &[]).len(), 1);
        assert_eq!(doubts(&census(0..3, &[]), &known(0..10), &[]), Vec::<String>::new());
        assert_eq!(doubts(&census(0..30, &[]), &known(0..10), &[]), Vec::<String>::new());
    }
}
