//! Progress on standard error, where a person is watching.

use std::io::IsTerminal as _;
use std::time::Duration;

use hardmatch_ports::run::{CollectionState, Phase, Run};
use hardmatch_ports::tenant::Counters;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A line that says what is going on.
#[derive(Clone)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Visible on a terminal, silent otherwise.
    pub(crate) fn start() -> Self {
        let bar = ProgressBar::new_spinner();
        if std::io::stderr().is_terminal() {
            bar.set_style(
                ProgressStyle::with_template("{spinner} {msg} ({elapsed})")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            bar.enable_steady_tick(Duration::from_millis(120));
        } else {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self { bar }
    }

    /// What the run is doing.
    pub(crate) fn show(&self, run: &Run, calls: &Counters) {
        self.bar.set_message(words(run, calls));
    }

    /// Leaves nothing behind.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

fn words(run: &Run, calls: &Counters) -> String {
    let planned = || run.plan.as_ref().map_or(0, |plan| plan.people - plan.by_action.get("none").copied().unwrap_or(0));
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
        Phase::Writing => format!("writing: {} writes for {} people", calls.writes, planned()),
        Phase::Gate => "judging removals".to_owned(),
        Phase::Removing => format!("removing: {} writes", calls.writes),
        Phase::Reporting | Phase::Closed => "writing the report".to_owned(),
    }
}
