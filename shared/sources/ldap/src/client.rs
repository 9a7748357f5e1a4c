//! A directory as a source.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::clock::Clock;
use hardmatch_ports::source::{Asked, Read, Source, SourceCursor, SourceError, Spool, WriteBack, WrittenBack};
use secrecy::SecretString;

use crate::session::{Session, contained};
use crate::settings::{LdapSettings, PasswordPlace};
use crate::{asking, reading, writing};

/// A directory that is read over LDAP.
pub struct LdapSource {
    settings: LdapSettings,
    password: Arc<dyn PasswordPlace>,
    clock: Arc<dyn Clock>,
    /// The attributes of the last listing.
    names: Mutex<Option<Vec<String>>>,
}

impl LdapSource {
    /// Connects to nothing yet. The clock tells whose account has expired.
    pub fn new(settings: LdapSettings, password: Arc<dyn PasswordPlace>, clock: Arc<dyn Clock>) -> Self {
        Self { settings, password, clock, names: Mutex::new(None) }
    }

    async fn means(&self) -> Result<(LdapSettings, SecretString), SourceError> {
        Ok((self.settings.clone(), self.password.password().await?))
    }

    fn remember(&self, names: Vec<String>) {
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = Some(names);
    }

    fn remembered(&self) -> Option<Vec<String>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Source for LdapSource {
    /// A place in a paged result is worth nothing on another connection, so a reading is one piece.
    async fn read(&self, to: &mut dyn Spool, _: Option<SourceCursor>) -> Result<Read, SourceError> {
        let (settings, password) = self.means().await?;
        let gathered = contained(self.location(), reading::gather(settings, password)).await?;
        self.remember(gathered.names.clone());
        gathered.hand_on(&self.settings, self.clock.now_seconds(), to).map(Read::Complete)
    }

    async fn ask(&self, key: &PersonKey) -> Result<Asked, SourceError> {
        let (settings, password) = self.means().await?;
        let asking = asking::ask(settings, password, key.clone(), self.remembered(), self.clock.now_seconds());
        let (asked, names) = contained(self.location(), asking).await?;
        self.remember(names);
        Ok(asked)
    }

    async fn probe(&self) -> Result<(), SourceError> {
        let (settings, password) = self.means().await?;
        contained(self.location(), async move { Session::open(settings, password).await?.require_base().await }).await
    }

    async fn write_back(&self, values: &[WriteBack]) -> Result<Vec<WrittenBack>, SourceError> {
        let (settings, password) = self.means().await?;
        contained(self.location(), writing::write_back(settings, password, values.to_vec())).await
    }

    fn location(&self) -> String {
        self.settings.servers.join(" ")
    }
}
