//! The folder that the demo lives in: the sample company's files, and a mark that it is ours to begin anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::fail::Failure;

/// The connection's file.
pub(super) const CONFIG: &str = "hardmatch.toml";
/// The mark.
const MARK: &str = ".hardmatch-demo";
const PEOPLE: &str = include_str!("../../../../../tests/fixtures/acme/people.csv");
const TENANT: &str = include_str!("../../../../../tests/fixtures/acme/tenant.json");
const FILE: &str = include_str!("../../../../../tests/fixtures/acme/hardmatch.toml");
/// What the demo leaves in its folder beside the mark. Nothing else is ever removed.
const OURS: [&str; 10] = [
    CONFIG,
    "people.csv",
    "tenant.json",
    "acme.db",
    "acme.db-wal",
    "acme.db-shm",
    "acme.db.lock",
    "acme.files",
    "acme.tenant",
    "acme.tenant.lock",
];
/// Deleted accounts were deleted so long ago: after thirty days a tenant forgets them.
const DELETED_AGO: SignedDuration = SignedDuration::from_hours(10 * 24);

/// Whether a demo lies in the folder.
pub(super) fn is_demo(folder: &Path) -> bool {
    folder.join(MARK).exists()
}

/// Writes the sample company. A folder with other things in it is not touched; an earlier demo begins anew.
pub(super) fn begin(folder: &Path, now: Timestamp) -> Result<(), Failure> {
    let failed = |doing: &str, error: std::io::Error| {
        Failure::run(format!(
            "cannot {doing} the demo's folder {}: {error}. Name another one with --folder",
            folder.display()
        ))
    };
    let full = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if full && !is_demo(folder) {
        return Err(Failure::usage(format!(
            "{} is there already and is no demo of ours, so it is not touched. Name another folder with --folder",
            folder.display()
        )));
    }
    for name in OURS {
        let path = folder.join(name);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        if let Err(error) = removed
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(failed("clear", error));
        }
    }
    fs::create_dir_all(folder).map_err(|error| failed("make", error))?;
    let tenant = deleted_lately(TENANT, now)?;
    for (name, text) in [(MARK, ""), (CONFIG, FILE), ("people.csv", PEOPLE), ("tenant.json", tenant.as_str())] {
        fs::write(folder.join(name), text).map_err(|error| failed("write", error))?;
    }
    Ok(())
}

/// The tenant with its deletions moved to ten days ago.
fn deleted_lately(text: &str, now: Timestamp) -> Result<String, Failure> {
    let mut tenant: Value = serde_json::from_str(text).map_err(Failure::run)?;
    let at = (now - DELETED_AGO).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    for user in tenant["users"].as_array_mut().into_iter().flatten() {
        if let Some(deleted) = user.get_mut("deletedDateTime") {
            *deleted = Value::String(at.clone());
        }
    }
    serde_json::to_string_pretty(&tenant).map_err(Failure::run)
}

/// Which reason each person of the sample company demonstrates, by key.
pub(super) fn demonstrates() -> BTreeMap<String, String> {
    let mut reader = csv::Reader::from_reader(PEOPLE.as_bytes());
    let records = reader.records().flatten();
    records.filter_map(|record| Some((record.get(1)?.to_owned(), record.get(0)?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_ours_is_never_touched() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("people.csv"), "precious").unwrap();
        let refused = begin(place.path(), Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!(refused.code(), 2);
        assert_eq!(fs::read_to_string(place.path().join("people.csv")).unwrap(), "precious");
    }

    #[test]
    fn a_demo_begins_anew_and_leaves_what_is_not_its_own() {
        let place = tempfile::tempdir().unwrap();
        begin(place.path(), Timestamp::UNIX_EPOCH).unwrap();
        fs::write(place.path().join("notes.txt"), "mine").unwrap();
        fs::write(place.path().join("people.csv"), "changed").unwrap();
        begin(place.path(), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(fs::read_to_string(place.path().join("people.csv")).unwrap(), PEOPLE);
        assert_eq!(fs::read_to_string(place.path().join("notes.txt")).unwrap(), "mine");
    }

    #[test]
    fn each_rule_is_in_the_page_of_the_sample_company() {
        let page = include_str!("../../../../../tests/fixtures/acme/README.md");
        for (key, code) in demonstrates() {
            assert!(page.contains(&format!("`{code}`")), "{key}: {code}");
        }
    }
}
