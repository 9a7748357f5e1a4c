//! Opening the file: whether it is ours, its format, who may read it, and errors that say what to do.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hardmatch_ports::table::TableError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::Missing;
use super::rows::{self, RowError};

/// Marks a file as ours, in its header (`file` and `PRAGMA application_id` show it): "hdmt".
const APPLICATION: i64 = 0x6864_6d74;
/// The format this version writes. Raised when an older version could no longer read the file.
const KNOWN_FORMAT: u64 = 1;

/// How every database begins. <https://www.sqlite.org/fileformat2.html#the_database_header>
const HEADER: &[u8] = b"SQLite format 3\0";
/// No database is smaller, in bytes.
const SMALLEST_PAGE: u64 = 512;

/// Pages that the log of writes may have before they are moved into the file.
const LOG_PAGES: u32 = 2000;

/// Another process is waited for in steps of a millisecond first, then of ten.
const SHORT_WAITS: i32 = 200;
/// Waits after which it is given up: 20 seconds, a hundred times what the longest transaction takes.
const WAITS: i32 = SHORT_WAITS + 1980;

/// Where the file is, for errors; `None` in memory.
#[derive(Clone, Debug)]
pub(super) struct Place(pub(super) Option<PathBuf>);

impl RowError {
    /// In the words of the port; `doing` is what was tried.
    pub(super) fn told(self, place: &Place, doing: &str) -> TableError {
        match self {
            Self::Damaged => place.damaged("an item is not as it was written"),
            Self::Database(error) => place.told(doing, &error),
        }
    }
}

/// Opens the file or begins it.
pub(super) fn open(path: &Path, missing: Missing, cache_kib: u32) -> Result<Connection, TableError> {
    let place = Place(Some(path.to_owned()));
    let told = |error: rusqlite::Error| place.told("open", &error);
    // Looked at without opening it: closing it again would give up the locks that another handle of this process has.
    match std::fs::metadata(path) {
        Ok(about) if about.is_dir() => return Err(explain(path, &ErrorKind::IsADirectory.into())),
        // The database would take it for one that is to be begun.
        Ok(about) if about.len() < SMALLEST_PAGE => return Err(remains(path, &place)),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound && missing == Missing::Create => begin(path, &place)?,
        Err(error) => return Err(explain(path, &error)),
    }
    let connection = connect(path, cache_kib).map_err(told)?;
    check_format(&connection, &place)?;
    Ok(connection)
}

/// What is too short for a state file: the beginning of one, or something else. It has no locks that reading it would
/// give up.
fn remains(path: &Path, place: &Place) -> TableError {
    match std::fs::read(path) {
        Ok(bytes) if HEADER.starts_with(&bytes) || bytes.starts_with(HEADER) => {
            place.damaged(&format!("{} bytes of it are left", bytes.len()))
        }
        Ok(_) => place.foreign(),
        Err(error) => explain(path, &error),
    }
}

/// Begins the file under another name and gives it its own when it is complete: a process that finds a file finds a whole one.
/// Only its owner may read it, as the files beside it that the database makes after its example.
fn begin(path: &Path, place: &Place) -> Result<(), TableError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beginning = path.with_file_name(format!(".{name}.{}-{}.new", std::process::id(), unique()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&beginning).map_err(|error| explain(path, &error))?;
    let told = |error: rusqlite::Error| place.told("begin", &error);
    let made = Connection::open(&beginning).map_err(told).and_then(|connection| {
        // Writes go into a log beside the file: readers and a writer do not wait for each other.
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).map_err(told)?;
        set_up(&connection).map_err(told)?;
        // Moves the log into the file, and flushes it.
        connection.close().map_err(|(_, error)| told(error))
    });
    let named = made.and_then(|()| match std::fs::hard_link(&beginning, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        // Not every file system knows links.
        Err(_) => std::fs::rename(&beginning, path).map_err(|error| explain(path, &error)),
        Ok(()) => Ok(()),
    });
    // After an error there is nothing to be told of it; after a rename it is gone.
    let _ = std::fs::remove_file(&beginning);
    named?;
    sync_folder(path).map_err(|error| explain(path, &error))
}

/// Told apart within this process.
fn unique() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

/// Another connection to a file that was opened before.
pub(super) fn connect(path: &Path, cache_kib: u32) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_handler(Some(wait))?;
    prepare(&connection, cache_kib)?;
    // Flushed at every commit: what was acknowledged survives a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    Ok(connection)
}

/// A database in memory.
pub(super) fn in_memory() -> Result<Connection, TableError> {
    let place = Place(None);
    let connection = Connection::open_in_memory().map_err(|error| place.told("open", &error))?;
    prepare(&connection, 8 * 1024).map_err(|error| place.told("open", &error))?;
    set_up(&connection).map_err(|error| place.told("open", &error))?;
    Ok(connection)
}

fn prepare(connection: &Connection, cache_kib: u32) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(16);
    // Otherwise a query is planned anew for each pair of sort keys that it reads between, which took a quarter of the
    // processor time of a plan. <https://www.sqlite.org/queryplanner-ng.html#qpstab>
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // A damaged file is not trusted with code or with the lengths that it claims.
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "cache_size", -i64::from(cache_kib))
}

/// Checks the whole file: the structure of its pages, and each row. Reads everything once.
pub(super) fn check(connection: &Connection, place: &Place) -> Result<(), TableError> {
    let told = |error: rusqlite::Error| place.told("check", &error);
    let transaction = connection.unchecked_transaction().map_err(told)?;
    let found: String = transaction.query_row("PRAGMA quick_check(1)", (), |row| row.get(0)).map_err(told)?;
    if found != "ok" {
        return Err(place.damaged(found.lines().last().unwrap_or_default()));
    }
    rows::check_everything(&transaction).map_err(|error| error.told(place, "check"))
}

/// Copies everything into a new file. The file is begun first, so that it is its owner's alone before anything is in it.
pub(super) fn copy(connection: &Connection, place: &Place, to: &Path) -> Result<(), TableError> {
    let told =
        |error: &dyn std::fmt::Display| TableError::Unavailable(format!("{} cannot be written: {error}", to.display()));
    let mut begin = std::fs::OpenOptions::new();
    begin.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut begin, 0o600);
    begin.open(to).map_err(|error| told(&error))?;
    let name = to.to_str().ok_or_else(|| told(&"its name is not UTF-8"))?;
    let copied = connection.execute("VACUUM INTO ?1", [name]);
    copied.map(drop).map_err(|error| {
        // A part of a copy is of no use to anybody.
        let _ = std::fs::remove_file(to);
        place.told("copy", &error)
    })
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(rows::SCHEMA)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", KNOWN_FORMAT.cast_signed())?;
    transaction.commit()
}

/// Whether the file is ours, and of a format that we know.
fn check_format(connection: &Connection, place: &Place) -> Result<(), TableError> {
    let told = |error: rusqlite::Error| place.told("open", &error);
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(told);
    let (application, format) = (number("application_id")?, number("user_version")?);
    if application != APPLICATION {
        return Err(place.foreign());
    }
    match u64::try_from(format) {
        Ok(KNOWN_FORMAT) => connection.prepare_cached("SELECT 1 FROM items LIMIT 0").map(drop).map_err(told),
        Ok(found) if found > KNOWN_FORMAT => Err(TableError::Newer { path: place.shown(), found, known: KNOWN_FORMAT }),
        Ok(_) | Err(_) => Err(place.damaged(&format!("there is no format {format}"))),
    }
}

#[expect(clippy::disallowed_methods, reason = "another process writes, and nobody tells when it has ended")]
fn wait(tries: i32) -> bool {
    let time = if tries < SHORT_WAITS { Duration::from_millis(1) } else { Duration::from_millis(10) };
    std::thread::sleep(time);
    tries < WAITS
}

/// A new file is there after a power cut only when its folder was flushed too.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn explain(path: &Path, error: &io::Error) -> TableError {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let shown = path.display();
    TableError::Unavailable(match (error.kind(), folder) {
        (ErrorKind::NotFound, Some(folder)) if !folder.is_dir() => format!(
            "the folder {} of the state file does not exist. Create it, or name another file in state.path",
            folder.display()
        ),
        (ErrorKind::NotFound, _) => {
            format!("there is no state file {shown}. Make a plan first, or name another file in state.path")
        }
        (ErrorKind::PermissionDenied, _) => not_permitted(&shown.to_string()),
        (ErrorKind::IsADirectory, _) => format!("{shown} is a folder. Name a file in state.path"),
        _ => format!("the state file {shown} cannot be opened: {error}"),
    })
}

fn not_permitted(shown: &str) -> String {
    format!("the state file {shown} may not be written. Give this user write permission to it and its folder")
}

impl Place {
    pub(super) fn shown(&self) -> String {
        self.0.as_ref().map_or_else(|| "(memory)".to_owned(), |path| path.display().to_string())
    }

    /// The file cannot be trusted any more.
    pub(super) fn damaged(&self, what: &str) -> TableError {
        TableError::Damaged { path: self.shown(), what: what.to_owned() }
    }

    fn foreign(&self) -> TableError {
        TableError::Unavailable(format!(
            "{} is not a state file, or its beginning is damaged. Name another one in state.path, or restore it from a copy",
            self.shown()
        ))
    }

    /// What the database says, in the words of the port.
    pub(super) fn told(&self, doing: &str, error: &rusqlite::Error) -> TableError {
        let shown = self.shown();
        let what = match error {
            rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
            other => other.to_string(),
        };
        let unavailable = |text: String| TableError::Unavailable(text);
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => self.foreign(),
            // Also a statement of ours that does not fit the schema, and what was read in another type than it is written:
            // the file is not as we left it.
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::Unknown | ErrorCode::TypeMismatch) | None => {
                self.damaged(&what)
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
                unavailable(format!(
                    "cannot {doing} the state file {shown}: another process has been writing to it for too long. Wait for it to finish, or stop it"
                ))
            }
            Some(ErrorCode::DiskFull) => {
                unavailable(format!("cannot {doing} the state file {shown}: the disk is full. Free space on this disk"))
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                unavailable(not_permitted(&shown))
            }
            Some(_) => {
                unavailable(format!("cannot {doing} the state file {shown}: {what}. Look at the disk it lies on"))
            }
        }
    }
}
