//! Writes of one batch.

use std::collections::BTreeMap;

use hardmatch_ports::Write;

/// Each item once, as the last write leaves it. A person may stand twice in one listing, and an account may be entered
/// twice; a table takes no item twice in one batch.
pub(crate) fn last_of_each(writes: Vec<Write>) -> Vec<Write> {
    let mut last: BTreeMap<_, Write> = BTreeMap::new();
    for write in writes {
        last.insert(write.key().clone(), write);
    }
    last.into_values().collect()
}
