//! Who has the file open. The lock of the file itself decides; the small file beside it only names the holder, so that
//! the one who is refused knows whom to wait for.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use hardmatch_ports::table::TableError;

/// Names this process as the holder until dropped.
pub(super) struct Lease {
    beside: PathBuf,
}

impl Lease {
    /// Writes the name. To be called with the lock held, so what an earlier process left behind is stale.
    pub(super) fn take(path: &Path) -> Result<Self, TableError> {
        let beside = beside(path);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
            .open(&beside)
            .and_then(|mut file| file.write_all(ourselves().as_bytes()))
            .map_err(|e| TableError::Unavailable(format!("cannot write {}: {e}", beside.display())))?;
        Ok(Self { beside })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Left behind it would mislead nobody: the lock decides.
        let _ = fs::remove_file(&self.beside);
    }
}

/// Who holds the file: process, command and since when, as far as known.
pub(super) fn holder(path: &Path) -> String {
    let beside = beside(path);
    let Ok(name) = fs::read_to_string(&beside) else {
        return "another process".to_owned();
    };
    let name = name.lines().next().unwrap_or_default().to_owned();
    // The file's own time says since when, without asking a clock.
    let since = fs::metadata(&beside).and_then(|about| about.modified()).ok();
    match since.and_then(|since| jiff::Timestamp::try_from(since).ok()) {
        Some(since) => format!("{name}, since {since:.0}"),
        None => name,
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    beside.into()
}

/// Process id, program and its first word. Later words may name people or hold secrets.
fn ourselves() -> String {
    let mut words = std::env::args_os();
    let program = words.next().map(PathBuf::from);
    let program = program.as_deref().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    let verb = words.next().and_then(|word| word.into_string().ok());
    let verb = verb.filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
    let command = [Some(program), verb].into_iter().flatten().collect::<Vec<_>>().join(" ");
    format!("process {} ({command})\n", std::process::id())
}
