//! A source of which a file lies elsewhere: the people themselves, or the certificates of a directory. The file is copied when its listing is asked for, and not before, so that a message
//! that finds nothing to read fetches nothing. Every look of one message sees the same copy.

use std::sync::Arc;

use async_trait::async_trait;
use futures::lock::Mutex;
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::source::{
    AbsenceEvidence, Asked, Read, SourceCursor, SourceFinding, Spool, WriteBack, WrittenBack,
};
use hardmatch_ports::{Clock, OnePerson, Source, SourceError};
use jiff::Timestamp;

/// Brings a file to where a source reads it.
#[async_trait]
pub trait Bring: Send + Sync {
    /// Makes the copy; an error names what to do, and whether trying again can help. Gives when the people's file was written
    /// (Unix seconds), where the copy is one and that is known.
    async fn bring(&self) -> Result<Option<i64>, SourceError>;

    /// Where the file is, for operators.
    fn location(&self) -> String;
}

/// A source that reads a copy.
pub struct Copied<B> {
    bring: B,
    copy: Arc<dyn Source>,
    clock: Arc<dyn Clock>,
    brought: Mutex<Brought>,
}

/// Whether the copy is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Brought {
    NotYet,
    /// It is; its file was written at this time (Unix seconds), where that is known.
    WrittenAt(Option<i64>),
}

/// A file that is older than this (seconds) was not written last night.
const OLD: i64 = 26 * 60 * 60;

impl<B: Bring> Copied<B> {
    /// A source of the file that `bring` brings to where `copy` reads it.
    pub fn new(bring: B, copy: Arc<dyn Source>, clock: Arc<dyn Clock>) -> Self {
        Self { bring, copy, clock, brought: Mutex::new(Brought::NotYet) }
    }

    async fn copy(&self) -> Result<&dyn Source, SourceError> {
        let mut brought = self.brought.lock().await;
        if *brought == Brought::NotYet {
            *brought = Brought::WrittenAt(self.bring.bring().await?);
        }
        Ok(&*self.copy)
    }

    /// How old the people's file is, in words.
    async fn age(&self) -> Option<String> {
        let Brought::WrittenAt(Some(written)) = *self.brought.lock().await else { return None };
        let at = Timestamp::from_second(written).ok()?.strftime("%Y-%m-%d %H:%M UTC");
        let days = (self.clock.now_seconds() - written) / (24 * 60 * 60);
        Some(if self.clock.now_seconds() - written > OLD {
            let days = if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
            format!("The file was written on {at}, {days} ago: look whether what writes it still does")
        } else {
            format!("The file was written on {at}")
        })
    }
}

#[async_trait]
impl<B: Bring> Source for Copied<B> {
    async fn read(&self, to: &mut dyn Spool, resume: Option<SourceCursor>) -> Result<Read, SourceError> {
        Ok(match self.copy().await?.read(to, resume).await? {
            Read::Complete(mut completeness) => {
                completeness.notes.extend(self.age().await);
                Read::Complete(completeness)
            }
            more @ Read::More(_) => more,
        })
    }

    async fn ask(&self, key: &PersonKey) -> Result<Asked, SourceError> {
        self.copy().await?.ask(key).await
    }

    async fn probe(&self) -> Result<(), SourceError> {
        self.copy().await?.probe().await
    }

    async fn write_back(&self, values: &[WriteBack]) -> Result<Vec<WrittenBack>, SourceError> {
        self.copy().await?.write_back(values).await
    }

    async fn absence_evidence(&self, people: &[PersonKey]) -> Result<Vec<AbsenceEvidence>, SourceError> {
        self.copy().await?.absence_evidence(people).await
    }

    fn part(&self) -> Option<Attr> {
        self.copy.part()
    }

    async fn has_changed(&self) -> Result<bool, SourceError> {
        self.copy().await?.has_changed().await
    }

    async fn examine(&self) -> Result<Vec<SourceFinding>, SourceError> {
        self.copy().await?.examine().await
    }

    fn accept_as_it_is(&self) {
        self.copy.accept_as_it_is();
    }

    fn location(&self) -> String {
        self.bring.location()
    }

    fn one_person(&self) -> OnePerson {
        self.copy.one_person()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use hardmatch_ports::source::Completeness;
    use hardmatch_runtime::ManualClock;

    use super::*;

    /// A file that is there from the second time on, and how often it was asked for.
    struct Far(Arc<AtomicU64>);

    #[async_trait]
    impl Bring for Far {
        async fn bring(&self) -> Result<Option<i64>, SourceError> {
            if self.0.fetch_add(1, Ordering::SeqCst) > 0 {
                return Ok(Some(0));
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
        let clock = ManualClock::new(Timestamp::from_second(3600).unwrap());
        let source = Copied::new(Far(times.clone()), Arc::new(Here), Arc::new(clock.clone()));
        assert_eq!((times.load(Ordering::SeqCst), source.location().as_str()), (0, "far"));
        assert!(source.probe().await.is_err_and(|error| error.retry), "that it could not be brought is told");
        let mut entries = Vec::new();
        for _ in 0..3 {
            source.read(&mut entries, None).await.unwrap();
        }
        assert_eq!(times.load(Ordering::SeqCst), 2);
        let notes = async || match source.read(&mut Vec::new(), None).await {
            Ok(Read::Complete(completeness)) => completeness.notes,
            other => panic!("{other:?}"),
        };
        assert_eq!(notes().await, ["The file was written on 1970-01-01 00:00 UTC"]);
        clock.advance(std::time::Duration::from_hours(48));
        assert!(notes().await[0].contains("2 days ago: look whether what writes it still does"), "an old file is told");
    }
}
