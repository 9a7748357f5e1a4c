//! Files that hold a secret: made without ever overwriting, readable by their owner alone, whole or not there.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use uuid::Uuid;

/// Who may read a file that is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Its owner (mode 0600).
    Owner,
    /// Everybody whom the machine's defaults allow.
    Usual,
}

/// Makes the file with this content. Fails with [`io::ErrorKind::AlreadyExists`] when there is one. Nobody ever sees half
/// of it: it is written beside, and then linked to its name.
pub(crate) fn create(path: &Path, content: &[u8], readers: Readers) -> io::Result<()> {
    let beside = path.with_file_name(format!(".{}.tmp", Uuid::new_v4()));
    let made = write_new(&beside, content, readers).and_then(|()| fs::hard_link(&beside, path));
    let removed = fs::remove_file(&beside);
    made.and(removed)
}

fn write_new(path: &Path, content: &[u8], readers: Readers) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if readers == Readers::Owner {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _ = readers;
    let mut file: File = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Whether anybody but its owner may read or change it.
#[cfg(unix)]
pub(crate) fn open_to_others(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    metadata.mode() & 0o077 != 0
}

/// Whether every user of the machine may read it.
#[cfg(unix)]
pub(crate) fn readable_by_all(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    metadata.mode() & 0o004 != 0
}

#[cfg(not(unix))]
pub(crate) fn open_to_others(_: &Metadata) -> bool {
    false
}

#[cfg(not(unix))]
pub(crate) fn readable_by_all(_: &Metadata) -> bool {
    false
}
