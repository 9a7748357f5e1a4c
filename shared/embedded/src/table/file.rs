//! Opening the file: its format, its lock, and errors that say what to do.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;

use hardmatch_ports::table::TableError;
use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Builder, Database, DatabaseError, ReadableDatabase as _, StorageError, TableDefinition};

use super::lease;
use super::{Missing, Options};

/// The items.
pub(super) const ITEMS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("items");
/// What the file says about itself.
const ABOUT: TableDefinition<'static, &str, u64> = TableDefinition::new("about");
const FORMAT: &str = "format";
/// The format this version writes. Raised when an older version could no longer read the file.
const KNOWN_FORMAT: u64 = 1;

/// Opens the file or begins it.
pub(super) fn open(path: &Path, options: &Options) -> Result<Database, TableError> {
    let file = open_file(path, options.missing)?;
    let begun = file.metadata().is_ok_and(|about| about.len() == 0);
    let backend = FileBackend::new(file).map_err(|e| explain(path, e))?;
    let database = Builder::new()
        .set_cache_size(options.cache_bytes)
        .set_repair_callback(|repair| {
            if repair.progress() == 0.0 {
                tracing::info!("the state file was not closed the last time; it is being checked");
            }
        })
        .create_with_backend(backend)
        .map_err(|e| explain(path, e))?;
    set_up(&database, &path.display().to_string())?;
    if begun {
        sync_folder(path)?;
    }
    Ok(database)
}

/// The same, in memory.
pub(super) fn in_memory() -> Result<Database, TableError> {
    let database = Builder::new().create_with_backend(InMemoryBackend::new()).map_err(|e| unavailable("open", &e))?;
    set_up(&database, "(memory)")?;
    Ok(database)
}

/// Storage failed while doing this.
pub(super) fn unavailable(doing: &str, cause: &dyn Display) -> TableError {
    TableError::Unavailable(format!("cannot {doing} the state file: {cause}"))
}

fn open_file(path: &Path, missing: Missing) -> Result<File, TableError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(missing == Missing::Create).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| {
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
            (ErrorKind::PermissionDenied, _) => {
                format!(
                    "the state file {shown} may not be written. Give this user write permission to it and its folder"
                )
            }
            (ErrorKind::IsADirectory, _) => {
                format!("{shown} is a folder. Name a file in state.path")
            }
            _ => format!("the state file {shown} cannot be opened: {error}"),
        })
    })
}

fn explain(path: &Path, error: DatabaseError) -> TableError {
    let shown = path.display().to_string();
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            TableError::Locked { holder: lease::holder(path), path: shown }
        }
        DatabaseError::Storage(StorageError::Corrupted(cause)) => TableError::Unavailable(format!(
            "the state file {shown} is damaged ({cause}). Restore it from a copy, or move it away to begin anew"
        )),
        DatabaseError::Storage(StorageError::Io(cause)) if cause.kind() == ErrorKind::InvalidData => {
            TableError::Unavailable(format!("{shown} is not a state file. Name another one in state.path"))
        }
        other => TableError::Unavailable(format!("the state file {shown} cannot be opened: {other}")),
    }
}

/// Checks the format and makes sure that the tables exist, so that readers need not care.
fn set_up(database: &Database, path: &str) -> Result<(), TableError> {
    let failed = |e: redb::Error| unavailable("open", &e);
    let found = match database.begin_read().map_err(|e| failed(e.into()))?.open_table(ABOUT) {
        Ok(about) => about.get(FORMAT).map_err(|e| failed(e.into()))?.map(|format| format.value()),
        Err(redb::TableError::TableDoesNotExist(_)) => None,
        Err(e) => return Err(failed(e.into())),
    };
    match found {
        Some(KNOWN_FORMAT) => return Ok(()),
        Some(found) if found > KNOWN_FORMAT => {
            return Err(TableError::Newer { path: path.to_owned(), found, known: KNOWN_FORMAT });
        }
        Some(_) | None => {}
    }
    let transaction = database.begin_write().map_err(|e| failed(e.into()))?;
    transaction.open_table(ITEMS).map_err(|e| failed(e.into()))?;
    transaction
        .open_table(ABOUT)
        .map_err(|e| failed(e.into()))?
        .insert(FORMAT, KNOWN_FORMAT)
        .map_err(|e| failed(e.into()))?;
    transaction.commit().map_err(|e| failed(e.into()))
}

/// A new file is there after a power cut only when its folder was flushed too.
fn sync_folder(path: &Path) -> Result<(), TableError> {
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| unavailable("create", &e))?;
    }
    let _ = path;
    Ok(())
}
