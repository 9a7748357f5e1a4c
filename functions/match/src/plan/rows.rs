//! The rows of a plan, slice by slice.

use std::pin::Pin;

use futures::stream::{self, Stream, StreamExt as _};
use hardmatch_domain::change::Change;
use hardmatch_ports::run::PlanRow;

use super::names::{blob, broken, slice_names};
use crate::error::MatchError;
use crate::ports::MatchPorts;

/// Slices that are requested ahead of the one that is worked on. Half a million people are 8,192 slices; at 40 ms each
/// they are read in 20 seconds, and one after the other it would be five minutes and a half.
pub(crate) const AHEAD: usize = 16;

/// The changes of rows, in order.
pub(crate) fn changes(rows: &[PlanRow]) -> impl Iterator<Item = &Change> {
    rows.iter().filter_map(|row| row.decision.change.as_deref())
}

/// The slices of a run's plan, to be read in order.
pub async fn read_plan<'a>(ports: &'a MatchPorts, run: &'a str) -> Result<Slices<'a>, MatchError> {
    Ok(Slices::named(ports, run, slice_names(ports, run).await?))
}

pub(crate) async fn read_named(ports: &MatchPorts, run: &str, name: &str) -> Result<Vec<PlanRow>, MatchError> {
    let body = ports.blobs.get(&blob(run, name)).await?.ok_or_else(|| {
        MatchError::Broken(format!("slice {name} of the plan of run {run} is missing. Make a new plan"))
    })?;
    serde_json::from_slice(&body).map_err(|error| broken(run, name, &error))
}

/// Slices of a plan, one after the other, some of them read ahead.
pub struct Slices<'a>(Pin<Box<dyn Stream<Item = Result<Named, MatchError>> + Send + 'a>>);

/// A slice's name and its rows.
pub type Named = (String, Vec<PlanRow>);

impl<'a> Slices<'a> {
    /// The slices of these names, in this order.
    pub(crate) fn named(ports: &'a MatchPorts, run: &'a str, names: Vec<String>) -> Self {
        let read = move |name: String| async move {
            let rows = read_named(ports, run, &name).await?;
            Ok((name, rows))
        };
        Self(Box::pin(stream::iter(names).map(read).buffered(AHEAD)))
    }

    /// The next one, with its name.
    pub async fn next(&mut self) -> Result<Option<Named>, MatchError> {
        self.0.next().await.transpose()
    }
}
