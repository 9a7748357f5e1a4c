//! What a configuration may say of its sources where functions read them, and what of it takes an approver. Each of several
//! sources is held to what a single one is held to.

use std::net::SocketAddr;

use hardmatch_domain::ids::ConnectionId;
use url::Url;

use super::{StackLimits, refused};
use crate::config::Config;
use crate::places::{AuthorityRef, SecretRef};
use crate::sources::{DirectorySettings, Location, SourceSettings};

/// The key of the secret that the source's function reads.
const PASSWORD: &str = "source.password";

impl StackLimits {
    /// What a configuration says of its sources that functions do not carry out; of several, each sentence names the source.
    pub(super) fn violations_of_sources(&self, config: &Config) -> Vec<String> {
        let mut found = Vec::new();
        for (name, source) in config.sources() {
            let said = self.violations_of_source(&config.connection, source).into_iter();
            found.extend(said.map(|said| match name {
                Some(name) => format!("source {name}: {said}"),
                None => said,
            }));
        }
        found
    }

    fn violations_of_source(&self, connection: &ConnectionId, source: &SourceSettings) -> Vec<String> {
        let mut found = Vec::new();
        match &source.location {
            Location::Directory(servers) => found.extend(servers.iter().filter_map(|server| self.server(server).err())),
            Location::Program { .. } => found.push(
                "source.location would start a program. Let the program run elsewhere and write what it prints to s3://BUCKET/KEY, with kind = \"csv\", \"jsonl\" or \"ldif\""
                    .to_owned(),
            ),
            Location::File(_) => found.push(
                "functions read people from s3://BUCKET/KEY, and source.location is a file of some machine. Put the file into the stack's source bucket"
                    .to_owned(),
            ),
            Location::S3 { .. } | Location::Pushed | Location::Several(_) => {}
        }
        if let Some(directory) = &source.directory {
            found.extend(self.password(connection, directory).err());
            found.extend(self.authority(connection, directory).err());
        }
        found
    }

    /// Whether functions may ask a server of a directory; otherwise why not.
    fn server(&self, text: &str) -> Result<(), String> {
        // The controllers of a domain are looked up by its name, and spoken to by TLS.
        let whole = if text.contains("://") { text.to_owned() } else { format!("ldaps://{text}") };
        let default = if whole.starts_with("ldaps:") { 636 } else { 389 };
        let url = Url::parse(&whole).map_err(|_| format!("source.location: {text} is no server of a directory"))?;
        let (host, port) = (url.host_str().unwrap_or_default().to_ascii_lowercase(), url.port().unwrap_or(default));
        if self.hosts.iter().any(|allowed| allowed.host == host && allowed.takes(port)) {
            return Ok(());
        }
        Err(format!(
            "source.location names the server {host}:{port}, which is not in the stack's list of hosts. Let the stack's owner add {host}:{port} to the parameter AllowedHosts, and set Directories to true"
        ))
    }

    /// Whether functions can get at the password of a directory's account; otherwise why not.
    fn password(&self, connection: &ConnectionId, directory: &DirectorySettings) -> Result<(), String> {
        match &directory.password {
            SecretRef::SecretsManager(arn) => self.source_secret(connection, PASSWORD, arn),
            SecretRef::Env(_) => Err(refused(PASSWORD, "env:", "an environment variable of the function")),
            SecretRef::File(_) => Err(refused(PASSWORD, "file:", "a file of the function")),
        }
    }

    /// Whether functions can get at the authorities of a directory; otherwise why not.
    fn authority(&self, connection: &ConnectionId, directory: &DirectorySettings) -> Result<(), String> {
        match &directory.ca {
            AuthorityRef::S3 { .. } => Ok(()),
            AuthorityRef::SecretsManager(arn) => self.source_secret(connection, "source.ca", arn),
            AuthorityRef::File(_) => Err(
                "source.ca is a file of some machine. Put it into the stack's source bucket and write ca = \"s3://BUCKET/KEY\", or store it beside the password and write ca = \"secretsmanager:ARN\""
                    .to_owned(),
            ),
        }
    }

    /// Whether a connection may use a secret for a source: one of its own, in the part that the source's function reads.
    /// What that function can read opens no tenant.
    ///
    /// # Errors
    /// A sentence with its cure.
    pub fn source_secret(&self, connection: &ConnectionId, key: &str, arn: &str) -> Result<(), String> {
        self.secret(connection, arn)?;
        if self.is_of_source(connection, arn) {
            return Ok(());
        }
        let folder = self.source_folder(connection);
        Err(format!(
            "{key} names a secret outside {folder}, and the function that reads the source reads no other. Store it under a name that begins with {folder}"
        ))
    }

    pub(super) fn source_folder(&self, connection: &ConnectionId) -> String {
        format!("{}{connection}/source/", self.secret_prefix.as_deref().unwrap_or_default())
    }

    pub(super) fn is_of_source(&self, connection: &ConnectionId, arn: &str) -> bool {
        arn.splitn(7, ':').nth(6).is_some_and(|name| name.starts_with(&self.source_folder(connection)))
    }
}

/// Where people come from, in the order of the sources.
pub(super) fn locations(config: &Config) -> Vec<&Location> {
    config.sources().into_iter().map(|(_, source)| &source.location).collect()
}

/// Whose word it is taken by that a directory is the one that is meant: certificates, and the names of a domain's servers.
pub(super) fn authorities(config: &Config) -> Vec<Option<(&AuthorityRef, Option<SocketAddr>)>> {
    let directories = config.sources().into_iter().map(|(_, source)| source.directory.as_ref());
    directories.map(|directory| directory.map(|directory| (&directory.ca, directory.nameserver))).collect()
}

/// Which password goes to which of several directories. Of a single one nothing: whatever its secret, it goes to the directory
/// that an approver named.
pub(super) fn passwords(config: &Config) -> Vec<&SecretRef> {
    let directories = config.sources().into_iter().filter_map(|(_, source)| source.directory.as_ref());
    let passwords: Vec<&SecretRef> = directories.map(|directory| &directory.password).collect();
    if passwords.len() > 1 { passwords } else { Vec::new() }
}
