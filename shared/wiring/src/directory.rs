//! The directory that a configuration describes.

use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_policy::{Config, SecretRef, SourceSettings};
use hardmatch_ports::{Blobs, Clock, Source, SourceError};
use hardmatch_sources_files::ColumnMapping;
use hardmatch_sources_ldap::{CopyPlace, KeptCopy, LdapSettings, LdapSource, PasswordPlace, Survey, TimeLimits};
use hardmatch_store::folders::of_sources;
use hardmatch_vault::{SecretPlace, SecretString};

/// For so long changes are laid over the copy of a full reading (seconds): a directory that is read each night is read
/// whole each night.
const FULL_EVERY: i64 = 20 * 60 * 60;

/// The name of the blob that holds the copy of a directory; `part` is the source's name, where there are several.
pub(crate) fn copy_name(config: &Config, part: Option<&str>) -> String {
    match part {
        None => format!("{}directory", of_sources(&config.connection)),
        Some(part) => format!("{}parts/{part}/directory", of_sources(&config.connection)),
    }
}

/// A directory, at these servers. `mapping` is what the attributes mean, `written` the attributes that are written back; with
/// `kept`, a copy is kept among these blobs under that name, and a reading reads what changed since the last one.
pub(crate) fn directory(
    settings: &SourceSettings,
    servers: &[String],
    mapping: ColumnMapping,
    written: Vec<String>,
    clock: &Arc<dyn Clock>,
    kept: Option<(Arc<dyn Blobs>, String)>,
) -> Result<Arc<dyn Source>, SourceError> {
    let (settings, password) = means(settings, servers, mapping)?;
    let source = LdapSource::new(settings, Arc::new(password), Arc::clone(clock)).writing(written);
    Ok(Arc::new(match kept {
        Some((blobs, name)) => {
            let place = Arc::new(CopyBlob { blobs, name });
            source.with_copy(KeptCopy { place, full_every: FULL_EVERY })
        }
        None => source,
    }))
}

/// Looks at a directory; without a base, for where its people are.
pub(crate) async fn survey(
    settings: &SourceSettings,
    servers: &[String],
    mapping: ColumnMapping,
    base: Option<&str>,
) -> Result<Survey, SourceError> {
    let (settings, password) = means(settings, servers, mapping)?;
    let base = base.unwrap_or_default().to_owned();
    hardmatch_sources_ldap::survey(LdapSettings { base, ..settings }, &password).await
}

/// Where the directory is, and where its account's password is kept.
fn means(
    settings: &SourceSettings,
    servers: &[String],
    mapping: ColumnMapping,
) -> Result<(LdapSettings, Kept), SourceError> {
    let Some(directory) = &settings.directory else {
        return Err(SourceError {
            problem: "[source] does not say how one signs in at the directory".to_owned(),
            cure: "Add base, bind, password and ca".to_owned(),
            retry: false,
        });
    };
    let place = match &directory.password {
        SecretRef::Env(name) => {
            SecretPlace::env(name.clone(), |name| hardmatch_runtime::env::read(name).ok().flatten())
        }
        SecretRef::File(path) => SecretPlace::file(path.clone()),
        SecretRef::SecretsManager(_) => {
            return Err(SourceError {
                problem: "secretsmanager: references need AWS".to_owned(),
                cure: "Use env:NAME or file:PATH for [source] password on this machine".to_owned(),
                retry: false,
            });
        }
    };
    let settings = LdapSettings {
        servers: servers.to_vec(),
        base: directory.base.clone(),
        filter: directory.filter.clone(),
        bind: directory.bind.clone(),
        ca: directory.ca.clone(),
        mapping,
        nameserver: directory.nameserver,
        limits: TimeLimits::default(),
    };
    Ok((settings, Kept(place)))
}

/// The copy of a directory, as a blob.
struct CopyBlob {
    blobs: Arc<dyn Blobs>,
    name: String,
}

fn unkept(error: &hardmatch_ports::BlobError) -> SourceError {
    SourceError {
        problem: format!("The copy of the directory cannot be kept ({error})"),
        cure: "Run again; if it stays, look at where the state is kept".to_owned(),
        retry: true,
    }
}

#[async_trait]
impl CopyPlace for CopyBlob {
    async fn load(&self) -> Result<Option<Vec<u8>>, SourceError> {
        self.blobs.get(&self.name).await.map_err(|error| unkept(&error))
    }

    async fn keep(&self, bytes: Vec<u8>) -> Result<(), SourceError> {
        self.blobs.put(&self.name, bytes).await.map_err(|error| unkept(&error))
    }
}

/// A password that is kept in some place.
struct Kept(SecretPlace);

#[async_trait]
impl PasswordPlace for Kept {
    async fn password(&self) -> Result<SecretString, SourceError> {
        self.0.read("password of the directory's bind account").await.map_err(|error| SourceError {
            problem: error.0.trim_end_matches('.').to_owned(),
            cure: "Then start again".to_owned(),
            retry: false,
        })
    }
}
