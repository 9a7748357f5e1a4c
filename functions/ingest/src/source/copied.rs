//! A source whose file lies elsewhere. The file is copied when its listing is asked for, and not before, so that a message
//! that finds nothing to read fetches nothing. Every look of one message sees the same copy.

use std::sync::Arc;

use async_trait::async_trait;
use futures::lock::Mutex;
use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::source::{Asked, Read, SourceCursor, Spool};
use hardmatch_ports::{Source, SourceError};

/// Brings a file to where a source reads it.
#[async_trait]
pub trait Bring: Send + Sync {
    /// Makes the copy; an error names what to do, and whether trying again can help.
    async fn bring(&self) -> Result<(), SourceError>;

    /// Where the file is, for operators.
    fn location(&self) -> String;
}

/// A source that reads a copy.
pub struct Copied<B> {
    bring: B,
    copy: Arc<dyn Source>,
    brought: Mutex<bool>,
}

impl<B: Bring> Copied<B> {
    /// A source of the file that `bring` brings to where `copy` reads it.
    pub fn new(bring: B, copy: Arc<dyn Source>) -> Self {
        Self { bring, copy, brought: Mutex::new(false) }
    }
}

impl<B: Bring> Copied<B> {
    async fn copy(&self) -> Result<&dyn Source, SourceError> {
        let mut brought = self.brought.lock().await;
        if !*brought {
            self.bring.bring().await?;
            *brought = true;
        }
        Ok(&*self.copy)
    }
}

#[async_trait]
impl<B: Bring> Source for Copied<B> {
    async fn read(&self, to: &mut dyn Spool, resume: Option<SourceCursor>) -> Result<Read, SourceError> {
        self.copy().await?.read(to, resume).await
    }

    async fn ask(&self, key: &PersonKey) -> Result<Asked, SourceError> {
        self.copy().await?.ask(key).await
    }

    async fn probe(&self) -> Result<(), SourceError> {
        self.copy().await?.probe().await
    }

    fn location(&self) -> String {
        self.bring.location()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use hardmatch_ports::source::Completeness;

    use super::*;

    /// A file that is there from the second time on, and how often it was asked for.
    struct Far(Arc<AtomicU64>);

    #[async_trait]
    impl Bring for Far {
        async fn bring(&self) -> Result<(), SourceError> {
            if self.0.fetch_add(1, Ordering::SeqCst) > 0 {
                return Ok(());
            }
            Err(SourceError { problem: "no answer".to_owned(), cure: "Wait".to_owned(), retry: true })
        }

        fn location(&self) -> String {
            "far".to_owned()
        }
    }

    struct Here;

    #[async_trait]
    impl Source for Here {
        async fn read(&self, _: &mut dyn Spool, _: Option<SourceCursor>) -> Result<Read, SourceError> {
            Ok(Read::Complete(Completeness::default()))
        }

        async fn ask(&self, _: &PersonKey) -> Result<Asked, SourceError> {
            Ok(Asked::Nobody)
        }

        async fn probe(&self) -> Result<(), SourceError> {
            Ok(())
        }

        fn location(&self) -> String {
            "here".to_owned()
        }
    }

    #[tokio::test]
    async fn a_copy_is_made_when_it_is_asked_for_and_once() {
        let times = Arc::new(AtomicU64::new(0));
        let source = Copied::new(Far(times.clone()), Arc::new(Here));
        assert_eq!((times.load(Ordering::SeqCst), source.location().as_str()), (0, "far"));
        assert!(source.probe().await.is_err_and(|error| error.retry), "that it could not be brought is told");
        let mut entries = Vec::new();
        for _ in 0..3 {
            source.read(&mut entries, None).await.unwrap();
        }
        assert_eq!(times.load(Ordering::SeqCst), 2);
    }
}
