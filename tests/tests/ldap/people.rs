//! Sources of the two servers, and the command.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_domain::person::Person;
use hardmatch_ports::Clock;
use hardmatch_ports::source::{Completeness, Entry, Source, SourceError, read_whole};
use hardmatch_sources_ldap::{LdapSettings, LdapSource, PasswordPlace};
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
    }
}

pub(crate) fn source(settings: LdapSettings, password: &str) -> Arc<dyn Source> {
    Arc::new(LdapSource::new(settings, Arc::new(Word(password.to_owned())), Arc::new(Still)))
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

/// Runs the command in a folder; its exit status, and what it printed.
pub(crate) fn hardmatch(folder: &Path, arguments: &[&str], password: &str) -> (Option<i32>, String) {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let binary = profile.join("hardmatch");
    assert!(binary.exists(), "build the command first: cargo build -p hardmatch");
    let output = Command::new(binary)
        .args(arguments)
        .current_dir(folder)
        .env("LDAP_PASSWORD", password)
        .env("XDG_STATE_HOME", folder)
        .env("HOME", folder)
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), said)
}
