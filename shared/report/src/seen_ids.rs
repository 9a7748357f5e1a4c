//! Every immutable ID that was ever seen of a person, and where.

use hardmatch_domain::change::Step;
use hardmatch_domain::ids::ImmutableId;
use hardmatch_domain::person::PersonRecord;
use hardmatch_ports::run::Outcome;
use serde::Serialize;

use crate::lines::Lines;
use crate::words;

/// An immutable ID of a person, and where it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeenId {
    /// The ID, as the tenant stores it.
    pub id: ImmutableId,
    /// Where it was seen.
    pub seen: SeenAt,
    /// When it was written (Unix milliseconds).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<i64>,
    /// The run that wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// Where an immutable ID was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SeenAt {
    /// The source gives it now.
    Source,
    /// The source gave it before.
    SourceBefore,
    /// The linked account had it when the link was made or last confirmed.
    Link,
    /// A run of ours wrote it.
    Written,
}

/// Every immutable ID of a person: from the source now and before, from the link, and from what was written, newest first.
pub fn seen_ids(record: &PersonRecord, linked: Option<&ImmutableId>, history: &[Outcome]) -> Vec<SeenId> {
    let plain = |id: &ImmutableId, seen| SeenId { id: id.clone(), seen, at_ms: None, run: None };
    let mut all: Vec<SeenId> = record.person.anchors.iter().map(|anchor| plain(&anchor.id, SeenAt::Source)).collect();
    all.extend(linked.map(|id| plain(id, SeenAt::Link)));
    for outcome in history {
        for step in outcome.written.iter().flat_map(|written| &written.steps) {
            if let Step::Create { immutable_id: Some(id), .. } | Step::Update { immutable_id: Some(id), .. } = step {
                let (at_ms, run) = (Some(outcome.at_ms), Some(outcome.run.clone()));
                all.push(SeenId { id: id.clone(), seen: SeenAt::Written, at_ms, run });
            }
        }
    }
    all.extend(record.former.iter().rev().map(|id| plain(id, SeenAt::SourceBefore)));
    all
}

/// Every immutable ID that was seen, in words for terminals.
pub fn seen_ids_text(ids: &[SeenId]) -> String {
    let mut text = Lines::default();
    text.heading("Immutable IDs");
    if ids.is_empty() {
        text.line(1, "None was ever seen.");
    }
    for SeenId { id, seen, at_ms, run } in ids {
        let place = match seen {
            SeenAt::Source => "the source gives it".to_owned(),
            SeenAt::SourceBefore => "the source gave it before".to_owned(),
            SeenAt::Link => "the linked account has it".to_owned(),
            SeenAt::Written => {
                let at = at_ms.map(words::moment).unwrap_or_default();
                format!("written {at} by run {}", run.as_deref().unwrap_or_default())
            }
        };
        text.line(1, &format!("{}: {place}", id.as_str()));
    }
    text.0
}
