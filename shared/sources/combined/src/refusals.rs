//! Entries of which no person is made, in words.

use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::source::RefusedEntry;

use crate::groups::Fault;
use crate::held::Hold;
use crate::settings::{JoinBy, Part};

/// The refusal of an entry that does not make a person.
pub(crate) fn of_fault(parts: &[Part], here: usize, key: PersonKey, fault: Fault) -> RefusedEntry {
    let name = |place: usize| &*parts[place].name;
    let (problem, cure) = match fault {
        Fault::Ambiguous { part } => (
            format!("Source {} has several entries with one {}, by which a person is found in another source", name(part), by(&parts[part])),
            "Give each entry its own, or leave the second account of a person out with `filter` of that source".to_owned(),
        ),
        Fault::Unjoined { part } => match &parts[here].join {
            None => (
                format!("Source {} has an entry with the same sign-in name, address or immutable ID, and nothing says that it is the same person", name(part)),
                "If it is, write same_person = \"employeeId\", or another attribute that both have, below [sources]; if it is not, correct one of the two".to_owned(),
            ),
            Some(_) => (
                format!(
                    "Source {} has an entry with the same sign-in name, address or immutable ID and another {}, or none",
                    name(part),
                    by(&parts[part])
                ),
                format!("Fill {} of both entries with one value if they are one person; if they are not, correct what they share", by(&parts[here])),
            ),
        },
        Fault::SameKey { part } => (
            format!("Source {} has an entry with the same key, and nothing says that it is the same person", name(part)),
            "Write keys = \"named\" for one of the two sources, or join their entries with same_person below [sources]".to_owned(),
        ),
    };
    refused(&parts[here], key, &problem, cure)
}

/// The refusal of a person who is not decided without an entry that they had.
pub(crate) fn of_hold(parts: &[Part], key: PersonKey, hold: Hold, doubtful: Option<&str>) -> RefusedEntry {
    match hold {
        Hold::Hidden(place) => {
            let why = doubtful.unwrap_or("it may hide entries");
            let problem = format!("The person had an entry there, which may be hidden: {why}");
            refused(&parts[place], key, &problem, "Until the source is whole the person stays as they are".to_owned())
        }
        Hold::Unjoined(place) => {
            let by = by(&parts[place]);
            let problem =
                format!("An entry that was the person's has no {by} any more, and nothing else joins the two");
            let cure = format!("Fill {by} there again; if the two are different people, run once with --accept-source");
            refused(&parts[place], key, &problem, cure)
        }
    }
}

/// A refusal of the source itself, as it stands among those of the others.
pub(crate) fn of_source(part: &Part, key: Option<PersonKey>, mut entry: RefusedEntry) -> RefusedEntry {
    entry.key = key;
    entry.problem = format!("Source {}: {}", part.name, entry.problem);
    entry
}

fn by(part: &Part) -> String {
    match &part.join {
        Some(JoinBy::Attribute(attr)) => attr.name().to_owned(),
        Some(JoinBy::Anchor(name) | JoinBy::Source(name)) => name.to_string(),
        None => "key".to_owned(),
    }
}

fn refused(part: &Part, key: PersonKey, problem: &str, cure: String) -> RefusedEntry {
    RefusedEntry {
        key: Some(key),
        problem: format!("Source {}: {problem}", part.name),
        cure,
        ..RefusedEntry::default()
    }
}
