//! A file as a source. Decides nothing about people.

use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::clock::Clock;
use hardmatch_ports::source::{Asked, Read, Source, SourceCursor, SourceError, Spool};

use crate::reading::Reading;
use crate::shape::Shape;

/// A file of people.
pub struct FileSource {
    shape: Shape,
    clock: Arc<dyn Clock>,
}

impl FileSource {
    /// Reads nothing yet. The clock tells whose account has expired.
    pub fn new(shape: Shape, clock: Arc<dyn Clock>) -> Self {
        Self { shape, clock }
    }

    async fn open(&self) -> Result<Reading, SourceError> {
        let (shape, now) = (self.shape.clone(), self.clock.now_seconds());
        blocking(move || Reading::open(&shape, now)).await
    }
}

#[async_trait]
impl Source for FileSource {
    /// A file is read in one go: it never stops half way.
    async fn read(&self, to: &mut dyn Spool, _: Option<SourceCursor>) -> Result<Read, SourceError> {
        let mut reading = self.open().await?;
        loop {
            let (next, chunk) = blocking(move || {
                let chunk = reading.chunk()?;
                Ok((reading, chunk))
            })
            .await?;
            if chunk.is_empty() {
                return Ok(Read::Complete(next.completeness()));
            }
            to.put(chunk)?;
            reading = next;
        }
    }

    async fn ask(&self, key: &PersonKey) -> Result<Asked, SourceError> {
        let (reading, key) = (self.open().await?, key.clone());
        let (found, completeness) = blocking(move || reading.find(&key)).await?;
        let why = completeness.doubts.into_iter().chain(completeness.absence).next();
        Ok(match (found, why) {
            (Some(entry), _) => Asked::Found(entry),
            (None, Some(why)) => Asked::Unknown(why),
            (None, None) => Asked::Nobody,
        })
    }

    async fn probe(&self) -> Result<(), SourceError> {
        self.open().await.map(drop)
    }

    fn location(&self) -> String {
        self.shape.path.display().to_string()
    }
}

/// Files block; the runtime must not.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        Err(SourceError {
            problem: "Reading the file was interrupted".into(),
            cure: "Try again; if it stays so, report it with a file that shows it".into(),
            retry: true,
        })
    })
}
