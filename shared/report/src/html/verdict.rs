//! The first sentence of the page: how it stands, and what to type next.

use hardmatch_ports::run::{Run, Status};

use crate::words;

/// How a run stands, and what comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) sentence: String,
    /// What leads up to the command, or stands for it where nothing is to be typed.
    pub(super) next: &'static str,
    /// The command; may be empty. It needs the `--config` or `--stack` of the connection.
    pub(super) command: String,
}

impl Verdict {
    pub(super) fn of(run: &Run, needs: u64, waiting: u64) -> Self {
        let apply = || run.plan.as_ref().map(|plan| format!("hardmatch apply {}", plan.short())).unwrap_or_default();
        let stopped = run.stop.is_some() && run.accepted.is_none() && run.status != Some(Status::Abandoned);
        // The counts that follow say who needs what.
        let counted = run.status == Some(Status::Attention) && needs + waiting > 0;
        let mut sentence = if counted { "Finished." } else { words::status(run) }.to_owned();
        if needs > 0 {
            let (who, verb) = (words::people(needs), if needs == 1 { "needs" } else { "need" });
            sentence.extend([" ", &who, " ", verb, " somebody to look."]);
        }
        if waiting > 0 && run.closed_ms.is_some() {
            let (who, verb) = (words::people(waiting), if waiting == 1 { "waits" } else { "wait" });
            sentence.extend([" ", &who, " ", verb, " for an approval."]);
        }
        let changes = run.plan.as_ref().is_some_and(|plan| plan.changed_slices > 0);
        if stopped && !changes && run.plan.is_some() {
            "The plan changes nothing.".clone_into(&mut sentence);
            if needs > 0 {
                let (who, verb) = (words::people(needs), if needs == 1 { "needs" } else { "need" });
                sentence.extend([" ", &who, " ", verb, " somebody to look."]);
            }
        }
        let (next, command) = if stopped && changes {
            ("To accept exactly what this page shows:", apply())
        } else if run.closed_ms.is_some() && waiting > 0 {
            ("To allow exactly what this run holds, for seven days and as long as it is planned unchanged:", apply())
        } else if run.status == Some(Status::Incomplete) || run.status == Some(Status::Failed) {
            ("Look at the problems below, mend them, and run again:", "hardmatch sync".to_owned())
        } else if needs > 0 {
            ("Each reason below says what to do. Then run again:", "hardmatch sync".to_owned())
        } else if run.closed_ms.is_some() || stopped {
            ("Nothing has to be done.", String::new())
        } else {
            ("", String::new())
        };
        Self { sentence, next, command }
    }
}
