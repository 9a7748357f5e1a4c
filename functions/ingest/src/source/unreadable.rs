//! A source that cannot be read now: asked again, or told.

use std::time::Duration;

use hardmatch_ports::SourceError;
use hardmatch_ports::run::Run;

use crate::observed::{Observed, PEOPLE, Patience, begun_ms, patience};
use crate::ports::SourcePorts;

/// The wait before a source that may recover is asked again.
const SOURCE_RETRY: Duration = Duration::from_secs(30);

/// A source that cannot be read: asked again while the run has patience, where trying again can help.
pub(super) fn failed(ports: &SourcePorts, run: &Run, error: &SourceError) -> Observed {
    if error.retry && patience(begun_ms(run), ports.clock.now().as_millisecond()) == Patience::Left {
        tracing::warn!(run.id = run.id, error = %error, "the source could not be read; it is asked again");
        return Observed { again: Some(SOURCE_RETRY), ..Observed::default() };
    }
    Observed::unreadable(PEOPLE, format!("{}: {error}", ports.source.location()))
}
