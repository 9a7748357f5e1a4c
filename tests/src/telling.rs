//! A source that tells whether it has changed, as a directory does: a people's file, compared with what it was when it was
//! read last.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::source::{Asked, Read, SourceCursor, Spool};
use hardmatch_ports::{Source, SourceError};

/// What was read last, kept between processes.
#[derive(Clone, Debug, Default)]
pub struct LastRead(Arc<Mutex<Option<Vec<u8>>>>);

/// The file at a path, with what was read of it last.
pub(crate) struct Telling {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) path: PathBuf,
    pub(crate) last: LastRead,
}

#[async_trait]
impl Source for Telling {
    async fn read(&self, to: &mut dyn Spool, resume: Option<SourceCursor>) -> Result<Read, SourceError> {
        let bytes = std::fs::read(&self.path).ok();
        let read = self.source.read(to, resume).await?;
        *self.last.0.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
        Ok(read)
    }

    async fn ask(&self, key: &PersonKey) -> Result<Asked, SourceError> {
        self.source.ask(key).await
    }

    async fn probe(&self) -> Result<(), SourceError> {
        self.source.probe().await
    }

    async fn has_changed(&self) -> Result<bool, SourceError> {
        let now = std::fs::read(&self.path).ok();
        Ok(now.is_none() || now != *self.last.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn accept_as_it_is(&self) {
        self.source.accept_as_it_is();
    }

    fn location(&self) -> String {
        self.source.location()
    }
}
