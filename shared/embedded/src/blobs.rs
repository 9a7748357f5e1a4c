//! Blobs as files of a folder. A blob is there whole or not at all, also after a power cut; only its owner may read it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_ports::blobs::{BlobError, Blobs, NAME_RULE, is_name, is_prefix};

/// A folder is made again so often when somebody deletes it.
const TRIES: u32 = 100;
/// Waited between two tries: a folder that is being deleted looks as if it were there until its deletion has ended, and
/// the process that deletes it may wait for a processor meanwhile.
const BETWEEN_TRIES: Duration = Duration::from_millis(1);

/// Ends the name of a file that is still being written.
const UNFINISHED: &str = ".tmp";

/// [`Blobs`] in a folder, which is made when the first one is stored. Slashes of a name are folders.
#[derive(Clone, Debug)]
pub struct FolderBlobs {
    folder: PathBuf,
}

impl FolderBlobs {
    /// Blobs of this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        name: &str,
        work: impl FnOnce(&Path, &str) -> io::Result<T> + Send + 'static,
    ) -> Result<T, BlobError> {
        let (folder, owned) = (self.folder.clone(), name.to_owned());
        let failed = |cause: String| BlobError { doing, name: name.to_owned(), cause };
        tokio::task::spawn_blocking(move || work(&folder, &owned))
            .await
            .map_err(|_| failed("interrupted".to_owned()))?
            .map_err(|error| failed(cause(&error)))
    }
}

#[async_trait]
impl Blobs for FolderBlobs {
    async fn put(&self, name: &str, body: Vec<u8>) -> Result<(), BlobError> {
        self.run("write", name, move |folder, name| write(folder, &inside(folder, name)?, &mut body.as_slice())).await
    }

    async fn put_file(&self, name: &str, mut file: File) -> Result<(), BlobError> {
        self.run("write", name, move |folder, name| {
            file.seek(SeekFrom::Start(0))?;
            write(folder, &inside(folder, name)?, &mut file)
        })
        .await
    }

    async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, BlobError> {
        self.run("read", name, |folder, name| if_there(fs::read(inside(folder, name)?))).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, BlobError> {
        self.run("list", prefix, |folder, prefix| {
            let mut names = Vec::new();
            walk(folder, prefix, &mut |name, entry| {
                if entry == Entry::Blob {
                    names.push(name.to_owned());
                }
                Ok(())
            })?;
            names.sort_unstable();
            Ok(names)
        })
        .await
    }

    async fn delete_all(&self, prefix: &str) -> Result<(), BlobError> {
        self.run("delete", prefix, |folder, prefix| {
            walk(folder, prefix, &mut |name, entry| match entry {
                Entry::Blob | Entry::Unfinished => if_there(fs::remove_file(folder.join(name))).map(drop),
                Entry::Folder => match fs::remove_dir(folder.join(name)) {
                    // Something outside the prefix is left in it, or somebody was faster.
                    Err(e) if matches!(e.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::NotFound) => Ok(()),
                    other => other,
                },
            })
        })
        .await
    }

    fn location(&self, name: &str) -> String {
        let place = self.folder.join(name);
        // The reader may stand in another folder.
        std::path::absolute(&place).unwrap_or(place).display().to_string()
    }
}

/// Writes beside the place, flushes, and renames onto it.
fn write(folder: &Path, place: &Path, body: &mut dyn Read) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let parent = place.parent().unwrap_or(folder);
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let unfinished = parent.join(format!(".{name}.{}-{count}{UNFINISHED}", std::process::id()));
    let written = create(parent, &unfinished)
        .and_then(|mut file| {
            io::copy(body, &mut file)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&unfinished, place));
    if written.is_err() {
        // The first error is the one to tell; the remains would only be in the way.
        let _ = fs::remove_file(&unfinished);
    }
    written?;
    flush(parent)
}

fn create(parent: &Path, unfinished: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut tries = 1;
    loop {
        match make_folders(parent).and_then(|()| options.open(unfinished)) {
            // A deletion took the folder, or one above it, away while it was still empty.
            Err(e) if e.kind() == ErrorKind::NotFound && tries < TRIES => {
                tries += 1;
                wait(BETWEEN_TRIES);
            }
            other => return other,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "another process deletes, and nobody tells when it has")]
fn wait(time: Duration) {
    std::thread::sleep(time);
}

/// Makes the folders that are missing, each flushed into the one above it.
fn make_folders(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
    if let Some(above) = above {
        make_folders(above)?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(e),
        Ok(()) | Err(_) => above.map_or(Ok(()), flush),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    Blob,
    /// What a process left that was killed while it wrote; its name is given without the additions.
    Unfinished,
    /// After what is in it.
    Folder,
}

/// Visits everything whose name begins with the prefix.
fn walk(folder: &Path, prefix: &str, visit: &mut dyn FnMut(&str, Entry) -> io::Result<()>) -> io::Result<()> {
    if !is_prefix(prefix) {
        return Err(refused());
    }
    walk_folder(folder, "", prefix, visit)
}

fn walk_folder(
    top: &Path,
    within: &str,
    prefix: &str,
    visit: &mut dyn FnMut(&str, Entry) -> io::Result<()>,
) -> io::Result<()> {
    let Some(entries) = if_there(fs::read_dir(top.join(within)))? else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry?;
        // A name that is not text is not ours.
        let Ok(file) = entry.file_name().into_string() else { continue };
        let full = |file: &str| if within.is_empty() { file.to_owned() } else { format!("{within}/{file}") };
        let name = full(&file);
        if let Some(target) = unfinished_target(&file) {
            if full(target).starts_with(prefix) {
                visit(&name, Entry::Unfinished)?;
            }
        } else if entry.file_type()?.is_dir() {
            let below = format!("{name}/");
            if below.starts_with(prefix) || prefix.starts_with(&below) {
                walk_folder(top, &name, prefix, visit)?;
                visit(&name, Entry::Folder)?;
            }
        } else if name.starts_with(prefix) && is_name(&name) {
            visit(&name, Entry::Blob)?;
        }
    }
    Ok(())
}

/// Which blob an unfinished file was to become.
fn unfinished_target(file: &str) -> Option<&str> {
    let (target, _process_and_count) = file.strip_prefix('.')?.strip_suffix(UNFINISHED)?.rsplit_once('.')?;
    Some(target)
}

fn inside(folder: &Path, name: &str) -> io::Result<PathBuf> {
    if is_name(name) { Ok(folder.join(name)) } else { Err(refused()) }
}

fn refused() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, NAME_RULE)
}

fn cause(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => format!("{error}. Give this user write permission to the folder"),
        ErrorKind::StorageFull => format!("{error}. Free space on this disk"),
        _ => error.to_string(),
    }
}

fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(there) => Ok(Some(there)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// A rename is there after a power cut only when its folder was flushed too.
fn flush(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
