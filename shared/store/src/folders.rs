//! Folders of blobs: which of them belong to a run, a connection, a tenant, so that all of it can be forgotten.

use hardmatch_domain::ids::ConnectionId;

use crate::hashes::TenantKey;

/// Where the folders of runs are.
pub const RUNS: &str = "runs/";

/// Plan, listing and report of a run, and how far its readings have come.
pub fn of_run(run: &str) -> String {
    format!("{RUNS}{run}/")
}

/// The run that a blob is of.
pub fn run_of(name: &str) -> Option<&str> {
    name.strip_prefix(RUNS)?.split('/').next()
}

/// Whether a run began longer ago than its plan and report are kept, at a time (Unix seconds). A run whose name tells no time
/// is kept.
pub fn is_over(run: &str, now: i64) -> bool {
    crate::keys::began(run).is_some_and(|began| began.saturating_add(crate::KEEP_DAYS * crate::DAY) <= now)
}

/// What is kept of a connection from run to run.
pub fn of_connection(c: &ConnectionId) -> String {
    format!("connections/{c}/")
}

/// The copies of the directories that a connection reads.
pub fn of_sources(c: &ConnectionId) -> String {
    format!("sources/{c}/")
}

/// What is kept of a tenant's mirror.
pub fn of_tenant(scope: &TenantKey) -> String {
    format!("tenants/{}/", part(scope.as_str()))
}

/// A name as part of a blob's name.
pub fn part(name: &str) -> String {
    name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '.', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_end_with_the_time_of_their_runs() {
        // The thirtieth day of July 2016, from the specification of such names.
        let run = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        let began = 1_469_922_850;
        let kept = crate::KEEP_DAYS * crate::DAY;
        assert_eq!((is_over(run, began + kept - 1), is_over(run, began + kept)), (false, true));
        assert!(!is_over("plan", i64::MAX), "no name of a run");
        assert_eq!(run_of(&format!("{}report.html", of_run(run))), Some(run));
        assert_eq!(run_of("connections/contoso/attention.json"), None);
    }
}
