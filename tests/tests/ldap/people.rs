//! Sources of the two servers, and the command.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::person::Person;
use hardmatch_ports::Clock;
use hardmatch_ports::source::{Completeness, Entry, Source, SourceError, read_whole};
use hardmatch_sources_ldap::{CopyPlace, KeptCopy, LdapSettings, LdapSource, PasswordPlace, TimeLimits};
use jiff::Timestamp;
use secrecy::SecretString;

/// 2026-11-21T00:00:00Z.
pub(crate) struct Still;

#[async_trait]
impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_795_219_200).unwrap()
    }

    async fn sleep(&self, _: Duration) {}
}

struct Word(String);

#[async_trait]
impl PasswordPlace for Word {
    async fn password(&self) -> Result<SecretString, SourceError> {
        Ok(SecretString::from(self.0.as_str()))
    }
}

/// Settings for a server.
pub(crate) fn settings(server: impl Into<String>, base: &str, bind: &str, ca: &Path) -> LdapSettings {
    LdapSettings {
        servers: vec![server.into()],
        base: base.to_owned(),
        filter: None,
        bind: bind.to_owned(),
        ca: ca.to_owned(),
        mapping: hardmatch_sources_files::ColumnMapping::default(),
        nameserver: None,
        limits: TimeLimits::default(),
    }
}

pub(crate) fn source(settings: LdapSettings, password: &str) -> Arc<dyn Source> {
    Arc::new(LdapSource::new(settings, Arc::new(Word(password.to_owned())), Arc::new(Still)))
}

/// The copy of a directory, in memory.
#[derive(Default)]
pub(crate) struct Memory(pub(crate) Mutex<Option<Vec<u8>>>);

#[async_trait]
impl CopyPlace for Memory {
    async fn load(&self) -> Result<Option<Vec<u8>>, SourceError> {
        Ok(self.0.lock().unwrap().clone())
    }

    async fn keep(&self, bytes: Vec<u8>) -> Result<(), SourceError> {
        *self.0.lock().unwrap() = Some(bytes);
        Ok(())
    }
}

/// A clock that a test turns.
pub(crate) struct Turned(pub(crate) Mutex<i64>);

impl Turned {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(1_795_219_200)))
    }

    pub(crate) fn forward(&self, seconds: i64) {
        *self.0.lock().unwrap() += seconds;
    }
}

#[async_trait]
impl Clock for Turned {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(*self.0.lock().unwrap()).unwrap()
    }

    async fn sleep(&self, _: Duration) {}
}

/// A day of readings by changes follows a full one.
pub(crate) const FULL_EVERY: i64 = 20 * 60 * 60;

/// A source that keeps a copy, and follows changes.
pub(crate) struct Following {
    pub(crate) settings: LdapSettings,
    pub(crate) memory: Arc<Memory>,
    pub(crate) clock: Arc<Turned>,
    pub(crate) full_every: i64,
    /// Whether each reading comes after a look for changes. A test that counts requests, or plans a fault, wants none.
    pub(crate) looks: bool,
    last: Mutex<Option<Last>>,
}

/// What was read last, and the copy of it.
struct Last {
    copy: Option<Vec<u8>>,
    entries: Vec<Entry>,
}

impl Following {
    pub(crate) fn new(settings: LdapSettings) -> Self {
        let (memory, last) = (Arc::default(), Mutex::default());
        Self { settings, memory, clock: Turned::new(), full_every: FULL_EVERY, looks: true, last }
    }

    /// The source, as another process would make it.
    pub(crate) fn source(&self, password: &str) -> LdapSource {
        let kept = KeptCopy { place: self.memory.clone(), full_every: self.full_every, full_times: None };
        LdapSource::new(self.settings.clone(), Arc::new(Word(password.to_owned())), self.clock.clone()).with_copy(kept)
    }

    /// What a source reads that has no copy.
    pub(crate) async fn afresh(&self, password: &str) -> Vec<Entry> {
        let source = LdapSource::new(self.settings.clone(), Arc::new(Word(password.to_owned())), self.clock.clone());
        sorted(read(&source).await.unwrap().0)
    }

    /// What a reading gives five minutes later, and how it was read.
    pub(crate) async fn later(&self, password: &str) -> (Vec<Entry>, String) {
        self.clock.forward(300);
        let copy = || self.memory.0.lock().unwrap().clone();
        let (had, mut changed) = (copy(), true);
        if self.looks {
            changed = self.source(password).has_changed().await.unwrap_or(true);
        }
        let (entries, completeness) = read(&self.source(password)).await.unwrap();
        let now = sorted(entries.clone());
        let before = self.last.lock().unwrap().replace(Last { copy: copy(), entries: now.clone() });
        // Another reading in between has followed the changes.
        let same = before.is_some_and(|last| last.copy != had || last.entries == now);
        assert!(changed || same, "something changed, and the look before the reading did not see it");
        assert_eq!((completeness.doubts.len(), completeness.absence.len()), (0, 0), "{completeness:?}");
        (sorted(entries), completeness.notes.join("; "))
    }

    /// What a reading by changes gives, which is what everybody is in a full reading of another source.
    pub(crate) async fn by_changes(&self, password: &str, what: &str) -> (Vec<Entry>, String) {
        let (entries, how) = self.later(password).await;
        assert!(how.contains("were read again by"), "{what}: {how}");
        if self.looks {
            assert!(
                !self.source(password).has_changed().await.unwrap(),
                "{what}: it was read, and nothing changed since"
            );
        }
        self.same_as_afresh(&entries, password, what).await;
        (entries, how)
    }

    pub(crate) async fn same_as_afresh(&self, entries: &[Entry], password: &str, what: &str) {
        let fresh = self.afresh(password).await;
        let only = |some: &[Entry], others: &[Entry]| -> Vec<String> {
            some.iter().filter(|entry| !others.contains(entry)).map(shown).collect()
        };
        let (lacks, has) = (only(&fresh, entries), only(entries, &fresh));
        assert!(lacks.is_empty() && has.is_empty(), "{what}: should be {lacks:#?}, is {has:#?}");
    }
}

fn shown(entry: &Entry) -> String {
    match entry {
        Entry::Person(person) => {
            let groups: Vec<&str> = person.groups.iter().collect();
            let value = |attr| person.attributes.filled(attr).unwrap_or_default();
            let (name, title) = (value(Attr::DisplayName), value(Attr::JobTitle));
            format!("{name}, {title}, {groups:?}, manager {:?}", person.manager.as_ref())
        }
        Entry::Refused(refused) => refused.problem.clone(),
    }
}

fn sorted(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_by(|one, other| one.key().cmp(&other.key()));
    entries
}

/// Everything that a reading gives.
pub(crate) async fn read(source: &dyn Source) -> Result<(Vec<Entry>, Completeness), SourceError> {
    let mut entries = Vec::new();
    let completeness = read_whole(source, &mut entries).await?;
    Ok((entries, completeness))
}

/// The person whose key or sign-in name or display name this is.
#[track_caller]
pub(crate) fn called<'a>(entries: &'a [Entry], name: &str) -> &'a Person {
    let found = entries.iter().find_map(|entry| match entry {
        Entry::Person(person) => {
            let named = person.attributes.filled(hardmatch_domain::attribute::Attr::DisplayName) == Some(name);
            named.then_some(person.as_ref())
        }
        Entry::Refused(refused) => panic!("refused: {} {}", refused.problem, refused.cure),
    });
    found.unwrap_or_else(|| panic!("{name} is not among {} entries", entries.len()))
}

/// The error of a reading.
pub(crate) async fn fails(source: &dyn Source) -> SourceError {
    match read(source).await {
        Ok((entries, completeness)) => panic!("{} entries were read: {completeness:?}", entries.len()),
        Err(error) => error,
    }
}

/// The command in a folder.
pub(crate) fn command(folder: &Path, arguments: &[&str], password: &str) -> Command {
    let mut command = Command::new(hardmatch_tests::command::binary());
    command.args(arguments).current_dir(folder);
    command.env("LDAP_PASSWORD", password).env("XDG_STATE_HOME", folder).env("HOME", folder);
    command
}

/// Runs the command in a folder; its exit status, and what it printed.
pub(crate) fn hardmatch(folder: &Path, arguments: &[&str], password: &str) -> (Option<i32>, String) {
    let output = command(folder, arguments, password).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), said)
}
