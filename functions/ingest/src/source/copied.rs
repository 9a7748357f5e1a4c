//! A source whose file lies elsewhere. The file is copied when its listing is asked for, and not before, so that a message
//! that finds nothing to read fetches nothing. Every pass of a reading sees the same copy.

use std::sync::Arc;

use async_trait::async_trait;
use futures::lock::Mutex;
use hardmatch_ports::{Listing, Source, SourceError};

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

#[async_trait]
impl<B: Bring> Source for Copied<B> {
    async fn open(&self) -> Result<Box<dyn Listing>, SourceError> {
        let mut brought = self.brought.lock().await;
        if !*brought {
            self.bring.bring().await?;
            *brought = true;
        }
        self.copy.open().await
    }

    fn location(&self) -> String {
        self.bring.location()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use hardmatch_ports::Entry;
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
        async fn open(&self) -> Result<Box<dyn Listing>, SourceError> {
            Ok(Box::new(Here))
        }

        fn location(&self) -> String {
            "here".to_owned()
        }
    }

    #[async_trait]
    impl Listing for Here {
        async fn next(&mut self) -> Result<Vec<Entry>, SourceError> {
            Ok(Vec::new())
        }

        fn finish(&mut self) -> Completeness {
            Completeness::default()
        }
    }

    #[tokio::test]
    async fn a_copy_is_made_when_it_is_asked_for_and_once() {
        let times = Arc::new(AtomicU64::new(0));
        let source = Copied::new(Far(times.clone()), Arc::new(Here));
        assert_eq!((times.load(Ordering::SeqCst), source.location().as_str()), (0, "far"));
        assert!(source.open().await.is_err_and(|error| error.retry), "that it could not be brought is told");
        for _ in 0..3 {
            source.open().await.unwrap();
        }
        assert_eq!(times.load(Ordering::SeqCst), 2);
    }
}
