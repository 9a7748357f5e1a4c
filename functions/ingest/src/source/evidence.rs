//! What the source itself shows of missing people, before any of them is taken for absent: an account that lost its rights
//! is shown less, with success.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::source::AbsenceEvidence;
use hardmatch_store::PersonHash;

use super::absent::Missing;
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

/// Asks the source for missing people whose records were read.
pub(super) async fn ask(ports: &SourcePorts, missing: Vec<Missing>) -> Result<Evidence, SourceStop> {
    let keys: Vec<PersonKey> =
        missing.iter().filter_map(|(_, record)| record.as_ref()).map(|record| record.person.key.clone()).collect();
    if keys.is_empty() {
        return Ok(Evidence { missing, ..Evidence::default() });
    }
    let said = ports.source.absence_evidence(&keys).await?;
    let reasons: BTreeMap<PersonKey, String> = keys
        .into_iter()
        .zip(said)
        .filter_map(|(key, said)| match said {
            AbsenceEvidence::Unclear(reason) => Some((key, reason)),
            AbsenceEvidence::ListingOnly | AbsenceEvidence::Gone => None,
        })
        .collect();
    let (unclear, missing): (Vec<Missing>, Vec<Missing>) = missing
        .into_iter()
        .partition(|(_, record)| record.as_ref().is_some_and(|record| reasons.contains_key(&record.person.key)));
    let unclear = unclear.into_iter().map(|(pid, _)| pid).collect();
    let reasons: BTreeSet<String> = reasons.into_values().collect();
    Ok(Evidence { missing, unclear, reasons: reasons.into_iter().collect() })
}
