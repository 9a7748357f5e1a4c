//! Where initial passwords go on this machine.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_policy::{Config, Passwords};
use hardmatch_ports::credentials::{CredentialError, DiscardPasswords, PasswordSink};
use secrecy::{ExposeSecret as _, SecretString};

/// Where initial passwords go, as the file says.
pub(crate) fn password_sink(config: &Config) -> Arc<dyn PasswordSink> {
    match &config.passwords {
        Passwords::Discard => Arc::new(DiscardPasswords),
        Passwords::File(path) => Arc::new(PasswordFile { path: path.clone(), turn: tokio::sync::Mutex::new(()) }),
    }
}

/// Appends `userPrincipalName,password` lines to a file that only its owner can read.
struct PasswordFile {
    path: PathBuf,
    turn: tokio::sync::Mutex<()>,
}

#[async_trait]
impl PasswordSink for PasswordFile {
    async fn deliver(&self, upn: &str, password: &SecretString) -> Result<(), CredentialError> {
        let _turn = self.turn.lock().await;
        self.append(upn, password).map_err(|error| {
            CredentialError(format!(
                "an initial password could not be written to {}: {error}. Make the file writable for its owner and run again",
                self.path.display()
            ))
        })
    }
}

impl PasswordFile {
    fn append(&self, upn: &str, password: &SecretString) -> std::io::Result<()> {
        let mut options = fs::OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut file = options.open(&self.path)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            if file.metadata()?.permissions().mode() & 0o077 != 0 {
                file.set_permissions(fs::Permissions::from_mode(0o600))?;
            }
        }
        let mut line = csv::WriterBuilder::new().from_writer(Vec::new());
        line.write_record([upn, password.expose_secret()])?;
        let line = line.into_inner().map_err(|error| std::io::Error::other(error.to_string()))?;
        file.write_all(&line)?;
        file.sync_data()
    }
}
