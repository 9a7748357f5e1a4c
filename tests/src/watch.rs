//! How long bells are answered, for benchmarks. No test asks for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Times of the bells that were answered, by their kinds.
#[derive(Clone, Debug, Default)]
pub struct Watch(Arc<Mutex<BTreeMap<String, Vec<Duration>>>>);

impl Watch {
    /// What came since it was asked last: how many bells of each kind there were, and how long the longest took.
    pub fn take(&self) -> BTreeMap<String, (usize, Duration)> {
        let times = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        times.into_iter().map(|(kind, of)| (kind, (of.len(), of.into_iter().max().unwrap_or_default()))).collect()
    }

    pub(crate) async fn over<T>(&self, kind: &str, answer: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let answered = answer.await;
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.entry(kind.to_owned()).or_default().push(began.elapsed());
        answered
    }
}
