//! What a format gives, entry by entry.

use hardmatch_sources_entry::row::EntryFault;

/// What reading the next entry gave.
pub(crate) enum Read {
    /// An entry, in the row.
    Row,
    /// Something that is not an entry.
    Fault(EntryFault),
    /// A last line that is no entry and no fault.
    Footer,
    /// The header once more.
    Header,
    /// The end of the file.
    End,
}
