//! What must not be found anywhere: whatever the tenant issued or received at sign-in. Each story takes part, whatever it
//! is about: every item that is written, every file, every error and every log line is looked through.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};

use hardmatch_ports::Write;
use hardmatch_sim::{CONTOSO_SECRET, World};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

/// What a log line of any story must not hold: the one client secret, and the heads of tokens, `{"typ"` and `{"alg"` in
/// base64.
const MARKS: [&str; 3] = [CONTOSO_SECRET, "eyJ0eXAi", "eyJhbGci"];

/// Log lines that hold a secret. One for all stories of a process, because there is one log.
static LEAKS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Looks for the secrets of one tenant. At its end it looks through the folder, and fails the story that left one.
pub struct SecretScan {
    tenant: World,
    folder: PathBuf,
    found: Mutex<Vec<String>>,
}

impl SecretScan {
    /// Of a tenant, over what a story leaves in a folder.
    pub fn new(tenant: World, folder: &Path) -> Self {
        listen();
        Self { tenant, folder: folder.to_owned(), found: Mutex::default() }
    }

    /// Looks at something that was written or said.
    pub fn look(&self, place: &str, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        if self.tenant.issued_secrets().iter().any(|secret| secret.len() >= 8 && text.contains(secret.as_str())) {
            self.found.lock().unwrap_or_else(PoisonError::into_inner).push(place.to_owned());
        }
    }

    /// Looks at items on their way into the table.
    pub fn look_at(&self, writes: &[Write]) {
        for write in writes {
            if let Write::Put { key, body, .. } = write {
                self.look(&format!("the item {} / {}", key.pk, key.sk), body);
                self.look("a key", format!("{}{}", key.pk, key.sk).as_bytes());
            }
        }
    }

    /// Where a secret was found.
    pub fn found(&self) -> Vec<String> {
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(bytes) = fs::read(&path) {
                    self.look(&path.display().to_string(), &bytes);
                }
            }
        }
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
        found.extend(LEAKS.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        found
    }
}

impl Drop for SecretScan {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.found(), Vec::<String>::new(), "a secret or token was found there");
        }
    }
}

/// Starts the one log of this process, at its loudest for what is ours.
fn listen() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        // All our crates' names begin so.
        let ours = Targets::new().with_default(LevelFilter::WARN).with_target("hardmatch", LevelFilter::TRACE);
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(Ear);
        let log = tracing_subscriber::registry().with(ours).with(lines);
        // Another one may be there already: then its lines are not ours to look at.
        drop(tracing::subscriber::set_global_default(log));
    });
}

/// Hears each line.
struct Ear;

impl std::io::Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let line = String::from_utf8_lossy(bytes);
        if MARKS.iter().any(|mark| line.contains(mark)) {
            let target = line.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
            LEAKS.lock().unwrap_or_else(PoisonError::into_inner).push(format!("a log line: {target}"));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Ear {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Ear
    }
}
