//! Progress on standard error, where a person is watching.

use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hardmatch_ports::run::{CollectionState, Phase, Run};
use hardmatch_ports::tenant::Counters;
use hardmatch_report::{number, whole_duration};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A line that says what is going on.
#[derive(Clone)]
pub(crate) struct Progress {
    bar: ProgressBar,
    /// When writing was first seen, and how many writes there were then.
    began: Arc<Mutex<Option<(Instant, u64)>>>,
}

impl Progress {
    /// Visible on a terminal, silent otherwise.
    pub(crate) fn start() -> Self {
        let bar = ProgressBar::new_spinner();
        if std::io::stderr().is_terminal() && !crate::output::is_quiet() {
            bar.set_style(
                ProgressStyle::with_template("{spinner} {msg} ({elapsed})")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            bar.enable_steady_tick(Duration::from_millis(120));
        } else {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self { bar, began: Arc::default() }
    }

    /// What the run is doing.
    pub(crate) fn show(&self, run: &Run, calls: &Counters) {
        self.bar.set_message(self.words(run, calls));
    }

    /// Says something that stays, above the line.
    pub(crate) fn say(&self, text: &str) {
        self.bar.suspend(|| crate::output::note(text));
    }

    /// Leaves nothing behind.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress {
    fn words(&self, run: &Run, calls: &Counters) -> String {
        match run.phase {
            Phase::Observing => {
                let seen = |name: &str| match run.collections.get(name) {
                    Some(known) if known.state == CollectionState::Complete => known.seen.to_string(),
                    Some(_) | None => "…".to_owned(),
                };
                format!("reading people ({}) and accounts ({})", seen("people"), seen("users"))
            }
            Phase::Deciding => "deciding".to_owned(),
            Phase::Planned => "the plan stands".to_owned(),
            Phase::Writing => {
                let mut began = self.began.lock().unwrap_or_else(PoisonError::into_inner);
                let (since, before) = *began.get_or_insert_with(|| (Instant::now(), calls.writes));
                let all = run.plan.as_ref().and_then(|plan| plan.writes);
                written(calls.writes, calls.writes.saturating_sub(before), all, since.elapsed())
            }
            Phase::Gate => "judging removals".to_owned(),
            Phase::Removing => format!("removing: {} writes", calls.writes),
            Phase::WritingBack => "writing to the source".to_owned(),
            Phase::Reporting | Phase::Closed => "writing the report".to_owned(),
        }
    }
}

/// `writing: 812/4,740 writes, 3 min left`. The plan's number is what its changes are expected to take, so it may be passed.
fn written(done: u64, lately: u64, all: Option<u64>, took: Duration) -> String {
    let Some(all) = all.filter(|all| *all > 0) else { return format!("writing: {} writes", number(done)) };
    let text = format!("writing: {}/{} writes", number(done), number(all.max(done)));
    // The first few say nothing about the others.
    if lately < 20 || done >= all {
        return text;
    }
    let left = took.as_millis().saturating_mul(u128::from(all - done)) / u128::from(lately) / 1000;
    format!("{text}, {} left", whole_duration(u64::try_from(left).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_counts_writes_and_estimates_what_is_left() {
        assert_eq!(written(812, 812, Some(4_740), Duration::from_secs(37)), "writing: 812/4,740 writes, 3 min left");
        assert_eq!(written(5, 5, Some(4_740), Duration::from_secs(1)), "writing: 5/4,740 writes");
        assert_eq!(written(10, 3, Some(9), Duration::from_secs(1)), "writing: 10/10 writes");
        assert_eq!(written(3, 3, None, Duration::from_secs(1)), "writing: 3 writes");
    }
}
