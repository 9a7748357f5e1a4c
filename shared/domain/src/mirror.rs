//! What our own writes mean for what is observed after them.

/// For so long after a write a replica of the tenant may still show the time before it (seconds): an observation equal to
/// the value before the write is stale, not a change by somebody else.
/// Graph documents no bound; public reports speak of seconds, rarely minutes.
/// <https://learn.microsoft.com/entra/architecture/architecture>
pub const STALE_SECONDS: i64 = 15 * 60;

/// Whether an observation may still show the time before a write, both in Unix seconds.
pub fn may_be_stale(written: i64, observed: i64) -> bool {
    observed - written < STALE_SECONDS
}
