//! A source that is read in one piece, in a function whose time ends: a directory. A reading that would outlast the function
//! is given up before it, so that the run is told why, instead of a message that dies again and again.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::{Either, select};
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::source::{
    AbsenceEvidence, Asked, Read, SourceCursor, SourceFinding, Spool, WriteBack, WrittenBack,
};
use hardmatch_ports::{Clock, OnePerson, Source, SourceError};
use jiff::{SignedDuration, Timestamp};

/// Kept free for what is stored after a reading; of a function with little time, a quarter of that.
const RESERVE: SignedDuration = SignedDuration::from_secs(30);

/// A source whose readings end before a deadline.
pub struct Within {
    source: Arc<dyn Source>,
    clock: Arc<dyn Clock>,
    /// When a reading ends.
    until: Timestamp,
}

impl Within {
    /// The source, until then.
    pub fn new(source: Arc<dyn Source>, clock: Arc<dyn Clock>, deadline: Timestamp) -> Self {
        let reserve = RESERVE.min(deadline.duration_since(clock.now()) / 4);
        let until = deadline.checked_sub(reserve).unwrap_or(deadline);
        Self { source, clock, until }
    }

    async fn limited<T>(&self, work: impl Future<Output = Result<T, SourceError>> + Send) -> Result<T, SourceError> {
        let left = self.until.duration_since(self.clock.now());
        let left = Duration::try_from(left).unwrap_or_default();
        match select(pin!(work), pin!(self.clock.sleep(left))).await {
            Either::Left((done, _)) => done,
            Either::Right(_) => Err(SourceError {
                problem: format!("The source was not read to its end within the {} seconds that a function has for it", left.as_secs()),
                cure: "Let the stack's owner raise FunctionTimeout (900 at most), or let [source] base or filter fit fewer people. A directory that is larger still is read on one machine".to_owned(),
                retry: false,
            }),
        }
    }
}

#[async_trait]
impl Source for Within {
    async fn read(&self, to: &mut dyn Spool, resume: Option<SourceCursor>) -> Result<Read, SourceError> {
        self.limited(self.source.read(to, resume)).await
    }

    async fn ask(&self, key: &PersonKey) -> Result<Asked, SourceError> {
        self.limited(self.source.ask(key)).await
    }

    async fn probe(&self) -> Result<(), SourceError> {
        self.limited(self.source.probe()).await
    }

    async fn write_back(&self, values: &[WriteBack]) -> Result<Vec<WrittenBack>, SourceError> {
        self.limited(self.source.write_back(values)).await
    }

    async fn absence_evidence(&self, people: &[PersonKey]) -> Result<Vec<AbsenceEvidence>, SourceError> {
        self.limited(self.source.absence_evidence(people)).await
    }

    fn part(&self) -> Option<Attr> {
        self.source.part()
    }

    async fn has_changed(&self) -> Result<bool, SourceError> {
        self.limited(self.source.has_changed()).await
    }

    async fn examine(&self) -> Result<Vec<SourceFinding>, SourceError> {
        self.limited(self.source.examine()).await
    }

    fn accept_as_it_is(&self) {
        self.source.accept_as_it_is();
    }

    fn location(&self) -> String {
        self.source.location()
    }

    fn one_person(&self) -> OnePerson {
        self.source.one_person()
    }
}

#[cfg(test)]
mod tests {
    use hardmatch_ports::source::Completeness;
    use hardmatch_runtime::ManualClock;

    use super::*;

    /// A directory that takes so many seconds to be read.
    struct Slow(ManualClock, u64);

    #[async_trait]
    impl Source for Slow {
        async fn read(&self, _: &mut dyn Spool, _: Option<SourceCursor>) -> Result<Read, SourceError> {
            self.0.sleep(Duration::from_secs(self.1)).await;
            Ok(Read::Complete(Completeness::default()))
        }

        async fn ask(&self, _: &PersonKey) -> Result<Asked, SourceError> {
            Ok(Asked::Nobody)
        }

        async fn probe(&self) -> Result<(), SourceError> {
            Ok(())
        }

        fn location(&self) -> String {
            "slow".to_owned()
        }

        fn one_person(&self) -> OnePerson {
            OnePerson::Entry
        }
    }

    async fn read(seconds: u64, of: i64) -> Result<Read, SourceError> {
        let clock = ManualClock::auto(Timestamp::UNIX_EPOCH);
        let deadline = Timestamp::from_second(of).unwrap();
        let source = Within::new(Arc::new(Slow(clock.clone(), seconds)), Arc::new(clock), deadline);
        assert_eq!((source.location().as_str(), source.one_person()), ("slow", OnePerson::Entry));
        source.read(&mut Vec::new(), None).await
    }

    #[tokio::test]
    async fn a_reading_that_outlasts_its_function_has_a_clear_end() {
        assert!(matches!(read(259, 290).await, Ok(Read::Complete(_))));
        let error = read(261, 290).await.unwrap_err();
        assert!(!error.retry && error.problem.contains("within the 260 seconds"), "{error}");
        assert!(error.cure.contains("FunctionTimeout"), "{error}");
    }

    #[tokio::test]
    async fn a_function_of_seconds_has_most_of_them_for_a_reading() {
        assert!(matches!(read(5, 8).await, Ok(Read::Complete(_))));
        assert!(read(7, 8).await.unwrap_err().problem.contains("within the 6 seconds"));
    }
}
