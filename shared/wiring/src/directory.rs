//! The directory that a configuration describes.

use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_policy::{Config, SecretRef};
use hardmatch_ports::{Clock, Source, SourceError};
use hardmatch_sources_ldap::{LdapSettings, LdapSource, PasswordPlace};
use hardmatch_vault::{SecretPlace, SecretString};

/// The directory of a configuration, at these servers. `mapping` is what the attributes mean.
pub(crate) fn directory(
    config: &Config,
    servers: &[String],
    mapping: hardmatch_sources_files::ColumnMapping,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn Source>, SourceError> {
    let Some(directory) = &config.source.directory else {
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
    };
    Ok(Arc::new(LdapSource::new(settings, Arc::new(Kept(place)), Arc::clone(clock))))
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
