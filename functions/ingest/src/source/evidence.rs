//! What the source itself shows of missing people, before any of them is taken for absent: an account that lost its rights
//! is shown less, with success.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::PersonKey;
use hardmatch_domain::person::Person;
use hardmatch_ports::Entry;
use hardmatch_ports::source::AbsenceEvidence;
use hardmatch_store::PersonHash;

use super::absent::Missing;
use super::kept::KeptListing;
use super::progress::SourceStop;
use crate::ports::SourcePorts;

/// Missing people, sorted by what the source shows of them.
#[derive(Default)]
pub(super) struct Evidence {
    /// People whom the listing lacks, and of whom the source shows nothing that speaks against that.
    pub(super) missing: Vec<Missing>,
    /// People who may be there and hidden: they stay as they are.
    pub(super) unclear: Vec<PersonHash>,
    /// Why, one line a reason.
    pub(super) reasons: Vec<String>,
}

/// So many people who are missing from one part at once, when they are more than are left there, are no leavers.
const MANY: usize = 5;

/// Asks the source for missing people whose records were read, and looks for parts of the listing that shrank.
pub(super) async fn ask(
    ports: &SourcePorts,
    kept: &KeptListing,
    missing: Vec<Missing>,
) -> Result<Evidence, SourceStop> {
    let keys: Vec<PersonKey> =
        missing.iter().filter_map(|(_, record)| record.as_ref()).map(|record| record.person.key.clone()).collect();
    if keys.is_empty() {
        return Ok(Evidence { missing, ..Evidence::default() });
    }
    let said = ports.source.absence_evidence(&keys).await?;
    let listing_only: BTreeSet<&PersonKey> =
        keys.iter().zip(&said).filter(|(_, said)| **said == AbsenceEvidence::ListingOnly).map(|(key, _)| key).collect();
    let shrunken = match ports.source.part() {
        Some(part) => {
            let people = missing.iter().filter_map(|(_, record)| record.as_ref()).map(|record| &record.person);
            shrunken(kept, part, people.filter(|person| listing_only.contains(&person.key)))?
        }
        None => BTreeMap::new(),
    };
    let mut reasons: BTreeMap<PersonKey, String> = keys
        .into_iter()
        .zip(said)
        .filter_map(|(key, said)| match said {
            AbsenceEvidence::Unclear(reason) => Some((key, reason)),
            AbsenceEvidence::ListingOnly | AbsenceEvidence::Gone => None,
        })
        .collect();
    reasons.extend(shrunken);
    let (unclear, missing): (Vec<Missing>, Vec<Missing>) = missing
        .into_iter()
        .partition(|(_, record)| record.as_ref().is_some_and(|record| reasons.contains_key(&record.person.key)));
    let unclear = unclear.into_iter().map(|(pid, _)| pid).collect();
    let reasons: BTreeSet<String> = reasons.into_values().collect();
    Ok(Evidence { missing, unclear, reasons: reasons.into_iter().collect() })
}

/// Why people are probably hidden whose part of the listing became empty, or lost most people at once, while others did not.
/// A listing of one part is judged as a whole, by the accidental-removal limit.
fn shrunken<'m>(
    kept: &KeptListing,
    part: Attr,
    missing: impl Iterator<Item = &'m Person>,
) -> Result<BTreeMap<PersonKey, String>, SourceStop> {
    let mut gone: BTreeMap<&str, Vec<&PersonKey>> = BTreeMap::new();
    for person in missing {
        if let Some(name) = person.attributes.filled(part) {
            gone.entry(name).or_default().push(&person.key);
        }
    }
    gone.retain(|_, people| people.len() > 1);
    if gone.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (mut left, mut elsewhere) = (BTreeMap::<String, usize>::new(), 0);
    kept.each(
        |_| true,
        |_, _, entry| {
            let Entry::Person(person) = entry else { return };
            match person.attributes.filled(part) {
                Some(name) if gone.contains_key(name) => *left.entry(name.to_owned()).or_default() += 1,
                _ => elsewhere += 1,
            }
        },
    )?;
    let mut reasons = BTreeMap::new();
    for (name, people) in &gone {
        let now = left.get(*name).copied().unwrap_or_default();
        let others = elsewhere + left.values().sum::<usize>() - now;
        if others > 0 && (now == 0 || (people.len() >= MANY && people.len() > now)) {
            let reason = format!(
                "{} {name} had {} people, and now has {now}. Look why the source gives so few; if these people left, run once with --accept-source",
                part.name(),
                people.len() + now
            );
            reasons.extend(people.iter().map(|key| ((*key).clone(), reason.clone())));
        }
    }
    Ok(reasons)
}
