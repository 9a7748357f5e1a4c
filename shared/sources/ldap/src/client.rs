//! A directory as a source.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::clock::Clock;
use hardmatch_ports::source::{
    AbsenceEvidence, Asked, Read, Source, SourceCursor, SourceError, SourceFinding, Spool, WriteBack, WrittenBack,
};
use secrecy::SecretString;

use crate::copy::{Copy, Listed};
use crate::locate;
use crate::reading::{self, Keep};
use crate::session::{Session, contained};
use crate::settings::{KeptCopy, LdapSettings, PasswordPlace};
use crate::{asking, evidence, examining, writing};

/// A directory that is read over LDAP.
pub struct LdapSource {
    settings: LdapSettings,
    password: Arc<dyn PasswordPlace>,
    clock: Arc<dyn Clock>,
    /// Where a copy is kept between readings; without it every reading is a full one.
    kept: Option<KeptCopy>,
    /// Attributes that are written back.
    written: Vec<String>,
    /// The attributes of the last listing.
    names: Mutex<Option<Vec<String>>>,
    /// The server of the last reading: what is asked afterwards is asked there.
    server: Mutex<Option<String>>,
    /// Who was listed in the last listing, and whether so much time lay before it that deletions may have been forgotten.
    listed: Mutex<Option<(Listed, bool)>>,
}

/// Deletions are forgotten after so long, at the earliest (seconds).
const FORGOTTEN: i64 = 59 * 24 * 60 * 60;

impl LdapSource {
    /// Connects to nothing yet. The clock tells whose account has expired.
    pub fn new(settings: LdapSettings, password: Arc<dyn PasswordPlace>, clock: Arc<dyn Clock>) -> Self {
        Self {
            settings,
            password,
            clock,
            kept: None,
            written: Vec::new(),
            names: Mutex::default(),
            server: Mutex::default(),
            listed: Mutex::default(),
        }
    }

    /// What is written back, by attribute: `examine` says whether the account may.
    #[must_use]
    pub fn writing(self, attributes: Vec<String>) -> Self {
        Self { written: attributes, ..self }
    }

    /// Keeps a copy between readings, and reads what changed since.
    #[must_use]
    pub fn with_copy(self, kept: KeptCopy) -> Self {
        Self { kept: Some(kept), ..self }
    }

    /// The copy of the last reading; a damaged one is none.
    async fn copy(&self) -> Result<Option<Box<Copy>>, SourceError> {
        let Some(kept) = &self.kept else { return Ok(None) };
        Ok(kept.place.load().await?.and_then(|bytes| Copy::from_bytes(&bytes)).map(Box::new))
    }

    /// What a connection is made with. The server of the last reading is tried first.
    async fn means(&self) -> Result<(LdapSettings, SecretString), SourceError> {
        let before = self.server.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut settings = self.located(before.as_deref()).await?;
        if let Some(at) = settings.servers.iter().position(|server| Some(server) == before.as_ref()) {
            settings.servers[..=at].rotate_right(1);
        }
        Ok((settings, self.password.password().await?))
    }

    /// The settings with the servers that the location means now.
    async fn located(&self, known: Option<&str>) -> Result<LdapSettings, SourceError> {
        Ok(LdapSettings { servers: locate::servers(&self.settings, known).await?, ..self.settings.clone() })
    }

    async fn contained<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, SourceError>> + Send + 'static,
    ) -> Result<T, SourceError> {
        contained(self.location(), self.settings.limits, work).await
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
        let now = self.clock.now_seconds();
        let before = self.copy().await?;
        let settings = self.located(before.as_deref().map(|before| before.server.as_str())).await?;
        let password = self.password.password().await?;
        let away = before.as_ref().is_none_or(|before| now - before.read_at > FORGOTTEN);
        let keep = match &self.kept {
            Some(kept) => Keep::Copy { before, full_since: kept.full_since(now), now },
            None => Keep::Nothing,
        };
        let mut gathered = self.contained(reading::gather(settings, password, keep)).await?;
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(gathered.server.clone());
        self.remember(gathered.names.clone());
        let completeness = gathered.hand_on(&self.settings, now, to)?;
        // A listing from which nothing is concluded leaves the copy as it was.
        if let (Some(kept), Some(copy), true) = (&self.kept, gathered.copy, completeness.doubts.is_empty()) {
            kept.place.keep(copy.to_bytes()).await?;
            *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = Some((copy.listed, away));
        }
        Ok(Read::Complete(completeness))
    }

    async fn absence_evidence(&self, people: &[PersonKey]) -> Result<Vec<AbsenceEvidence>, SourceError> {
        let listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((listed, away)) = listed else { return Ok(vec![AbsenceEvidence::ListingOnly; people.len()]) };
        let (mut settings, password) = self.means().await?;
        // The controller that gave the listing, and no other: another one may know more or less.
        settings.servers = self.server.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        let asking = evidence::evidence(settings, password, listed, away, people.to_vec());
        self.contained(asking).await
    }

    async fn ask(&self, key: &PersonKey) -> Result<Asked, SourceError> {
        let (settings, password) = self.means().await?;
        let asking = asking::ask(settings, password, key.clone(), self.remembered(), self.clock.now_seconds());
        let (asked, names) = self.contained(asking).await?;
        self.remember(names);
        Ok(asked)
    }

    async fn probe(&self) -> Result<(), SourceError> {
        let (settings, password) = self.means().await?;
        self.contained(async move { Session::open(settings, password).await?.require_base().await }).await
    }

    async fn has_changed(&self) -> Result<bool, SourceError> {
        let now = self.clock.now_seconds();
        let (Some(kept), Some(before)) = (&self.kept, self.copy().await?) else { return Ok(true) };
        if before.full_at < kept.full_since(now) {
            return Ok(true);
        }
        let settings = self.located(Some(before.server.as_str())).await?;
        let password = self.password.password().await?;
        self.contained(reading::has_changed(settings, password, before, now)).await
    }

    async fn examine(&self) -> Result<Vec<SourceFinding>, SourceError> {
        let (settings, password) = self.means().await?;
        let now = self.clock.now_seconds();
        self.contained(examining::examine(settings, password, self.written.clone(), now)).await
    }

    async fn write_back(&self, values: &[WriteBack]) -> Result<Vec<WrittenBack>, SourceError> {
        let (settings, password) = self.means().await?;
        self.contained(writing::write_back(settings, password, values.to_vec())).await
    }

    fn location(&self) -> String {
        self.settings.servers.join(" ")
    }
}
