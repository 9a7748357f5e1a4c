//! One process at a time for something that several may want, known from the operating system: a lock on a small file.
//! It ends with the process, however that ends, so the process that gets it knows that every earlier holder is gone.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Somebody who only looked, or a process that is just dying, has the lock for a moment: it is asked for so often.
const TRIES: u32 = 50;
/// Waited between two tries.
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// A lock that this process has until it is dropped.
///
/// Its file names the holder for the processes that are refused. It stays when the lock goes: were it deleted, two processes could
/// hold locks on two files of one name.
#[derive(Debug)]
pub struct ProcessLock {
    file: File,
}

/// What came of asking for a lock.
#[derive(Debug)]
pub enum Lock {
    /// This process has it.
    Ours(ProcessLock),
    /// A process that lives has it: who and since when, and what it noted.
    Theirs(Holder),
}

/// A process that has a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Process id, program and first word of its command, since when; in words for people. Later words of the command are
    /// left out: they may name people.
    pub name: String,
    /// What it noted for others.
    pub note: Option<String>,
}

impl ProcessLock {
    /// Takes the lock, and writes this process's name into its file, which only its owner may read.
    pub fn take(path: &Path) -> io::Result<Lock> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        if !is_free(&file)? {
            return Ok(Lock::Theirs(holder(path)));
        }
        let lock = Self { file };
        lock.write(&ourselves())?;
        Ok(Lock::Ours(lock))
    }

    /// Who has the lock now; `None` when nobody has.
    pub fn holder(path: &Path) -> io::Result<Option<Holder>> {
        match File::open(path) {
            Ok(file) => Ok((!is_free(&file)?).then(|| holder(path))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Leaves a line for others beside the name.
    pub fn note(&self, note: &str) -> io::Result<()> {
        self.write(&format!("{}\n{note}", ourselves()))
    }

    fn write(&self, text: &str) -> io::Result<()> {
        self.file.set_len(0)?;
        let mut file = &self.file;
        io::Seek::rewind(&mut file)?;
        file.write_all(text.as_bytes())
    }
}

#[expect(clippy::disallowed_methods, reason = "another process has it, and nobody tells when it has ended")]
fn is_free(file: &File) -> io::Result<bool> {
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => std::thread::sleep(BETWEEN_TRIES),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(false)
}

fn holder(path: &Path) -> Holder {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut lines = text.lines();
    let name = lines.next().filter(|line| !line.is_empty()).unwrap_or("another process").to_owned();
    // The file's own time says since when, without asking a clock.
    let since = std::fs::metadata(path).and_then(|about| about.modified()).ok();
    let name = match since.and_then(|since| jiff::Timestamp::try_from(since).ok()) {
        Some(since) => format!("{name}, since {since:.0}"),
        None => name,
    };
    Holder { name, note: lines.next().map(str::to_owned) }
}

fn ourselves() -> String {
    let mut words = std::env::args_os();
    let program = words.next().map(PathBuf::from);
    let program = program.as_deref().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    let verb = words.next().and_then(|word| word.into_string().ok());
    let verb = verb.filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
    let command = [Some(program), verb].into_iter().flatten().collect::<Vec<_>>().join(" ");
    format!("process {} ({command})", std::process::id())
}

/// The mode of a file that others than its owner may read or write; `None` when only the owner may, or there is none.
pub fn open_to_others(path: &Path) -> Option<u32> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
        (mode & 0o077 != 0).then_some(mode)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}
