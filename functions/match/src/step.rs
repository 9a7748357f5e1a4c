//! The vocabulary of a run's steps: what a phase hands back to the driver, and which phase follows. No I/O, and no
//! knowledge of any phase's work.

use hardmatch_domain::reason::Code;
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::run::{GuardNote, Intent, Phase, PlanHead, Run};

/// What a step of a run came to.
pub(crate) struct Step {
    pub(crate) progress: Progress,
    /// Messages to be sent when the run lease is released.
    pub(crate) messages: Vec<MessageKind>,
}

pub(crate) enum Progress {
    /// The phase has ended and the next one was entered.
    Advanced,
    /// Other functions work on the phase, or nothing is left to do.
    Waiting,
    /// The message's time is up after so many units of the phase's work.
    OutOfTime(u64),
}

impl Step {
    /// The next phase was entered, or another message was faster.
    pub(crate) fn entered(entered: bool) -> Self {
        Self { progress: if entered { Progress::Advanced } else { Progress::Waiting }, messages: Vec::new() }
    }

    /// Nothing more can be done now.
    pub(crate) fn waiting() -> Self {
        Self::entered(false)
    }

    /// The message's time is up; so many units of the phase's work are done.
    pub(crate) fn out_of_time(units: u64) -> Self {
        Self { progress: Progress::OutOfTime(units), messages: Vec::new() }
    }

    /// Adds a message to be sent.
    #[must_use]
    pub(crate) fn notifying(mut self, kind: MessageKind) -> Self {
        self.messages.push(kind);
        self
    }
}

/// Whether a run goes on with a plan that was accepted: its observation ends in writing, not in another decision.
pub(crate) fn is_being_applied(run: &Run) -> bool {
    run.plan.is_some() && run.accepted.is_some()
}

/// Whether the writer has something to do without a change: a repair of the connection is not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenRepairs {
    Some,
    None,
}

/// Whether somebody of a plan waits for a repair that is not finished. Of an account that is nobody's no plan speaks.
pub(crate) fn waits_for_repair(plan: &PlanHead) -> bool {
    [Code::HeldByRepair, Code::RollbackBlocked].iter().any(|code| plan.by_reason.contains_key(code.as_str()))
}

/// The phase that follows when the work of a run's phase is done. `plan` is the run's plan as it stands then; it is read
/// where people have just been decided.
///
/// Phases without work are passed over. A plan without a change needs no acceptance, has nothing to write and nothing to
/// remove, so a quiet night goes from its decisions to its report.
pub(crate) fn next_phase(run: &Run, plan: &PlanHead, repairs: OpenRepairs) -> Phase {
    match run.phase {
        Phase::Observing if is_being_applied(run) => Phase::Writing,
        Phase::Observing => Phase::Deciding,
        Phase::Deciding if run.intent == Intent::Plan => Phase::Planned,
        Phase::Deciding if plan.changed_slices == 0 && repairs == OpenRepairs::None => Phase::Reporting,
        // People who are wanted now wait at no stop: what they would be written is held, and the run ends.
        Phase::Deciding if run.is_held_at_stop() => Phase::Writing,
        Phase::Deciding if run.stop.is_some() && run.accepted.is_none() => Phase::Planned,
        Phase::Deciding => Phase::Writing,
        // Left by an acceptance alone, which observes both sides once more.
        Phase::Planned => Phase::Planned,
        Phase::Writing => Phase::Gate,
        Phase::Gate if run.guard.as_ref().is_some_and(removes) => Phase::Removing,
        // What people wanted now would be given is held with the rest of their changes.
        Phase::Gate | Phase::Removing if !plan.write_back.is_empty() && !run.is_held_at_stop() => Phase::WritingBack,
        Phase::Gate | Phase::Removing | Phase::WritingBack => Phase::Reporting,
        Phase::Reporting | Phase::Closed => Phase::Closed,
    }
}

/// Whether anything is let through: removals of the run, or such as are approved one by one.
fn removes(guard: &GuardNote) -> bool {
    (guard.released && guard.removals > 0) || guard.approved > 0
}

#[cfg(test)]
mod tests {
    use hardmatch_ports::run::{Accepted, Stop};

    use super::*;
    use crate::opening::{NewRun, fresh};

    /// A run in a phase, as a word each: `plan` asks for a plan only, `stop` stops at its plan, `yes` has that stop
    /// accepted beforehand, `applied` goes on with an accepted plan, `released` and `kept` have three removals judged,
    /// `approved` has one let through besides, `none` had none to judge.
    fn run(phase: Phase, words: &str) -> Run {
        let new = NewRun::new(
            "r1".to_owned(),
            "contoso".into(),
            if words.contains("plan") { Intent::Plan } else { Intent::Sync },
            String::new(),
        );
        let judged = |released, removals, approved| GuardNote {
            released,
            removals,
            before: 0,
            links: 9,
            sentence: String::new(),
            approved,
        };
        let accepted = Accepted { by_hash: words.contains("applied"), at_ms: 0, by: String::new() };
        let history = hardmatch_store::connection::RunHistory { first_accepted: Some(1), ..Default::default() };
        let meta = hardmatch_store::connection::Meta { history, ..Default::default() };
        Run {
            phase,
            stop: words.contains("stop").then_some(Stop::FirstRun),
            accepted: (words.contains("yes") || words.contains("applied")).then_some(accepted),
            plan: words.contains("applied").then(PlanHead::default),
            guard: words.split(' ').find_map(|word| match word {
                "released" => Some(judged(true, 3, 0)),
                "kept" => Some(judged(false, 3, 0)),
                "approved" => Some(judged(false, 3, 1)),
                "none" => Some(judged(true, 0, 0)),
                _ => None,
            }),
            ..fresh(&new, &meta, 0)
        }
    }

    #[test]
    fn each_phase_is_followed_by_the_one_with_work() {
        use Phase::{Closed, Deciding, Gate, Observing, Planned, Removing, Reporting, Writing, WritingBack};
        // Phase, run, slices of the plan that have changes, the phase that follows.
        let table: [(Phase, &str, u64, Phase); 25] = [
            (Observing, "", 0, Deciding),
            (Observing, "plan", 0, Deciding),
            (Observing, "stop yes", 0, Deciding),
            (Observing, "applied", 2, Writing),
            (Observing, "applied stop", 0, Writing),
            (Deciding, "", 0, Reporting),
            (Deciding, "", 1, Writing),
            (Deciding, "plan", 0, Planned),
            (Deciding, "plan", 1, Planned),
            (Deciding, "plan yes", 1, Planned),
            (Deciding, "stop", 0, Reporting),
            (Deciding, "stop", 1, Planned),
            (Deciding, "stop yes", 0, Reporting),
            (Deciding, "stop yes", 1, Writing),
            (Planned, "stop", 1, Planned),
            (Planned, "plan", 0, Planned),
            (Writing, "", 1, Gate),
            (Writing, "applied", 1, Gate),
            (Gate, "released", 1, Removing),
            (Gate, "kept", 1, Reporting),
            (Gate, "approved", 1, Removing),
            (Gate, "none", 1, Reporting),
            (Removing, "released", 1, Reporting),
            (Reporting, "", 0, Closed),
            (Closed, "", 0, Closed),
        ];
        for (phase, words, changed_slices, wanted) in table {
            let plan = PlanHead { changed_slices, ..PlanHead::default() };
            let next = next_phase(&run(phase, words), &plan, OpenRepairs::None);
            assert_eq!(next, wanted, "{phase:?}, {words}, {changed_slices} slices");
        }
        let unjudged = next_phase(&run(Gate, ""), &PlanHead::default(), OpenRepairs::None);
        assert_eq!(unjudged, Reporting, "nothing was judged");
        let taught = PlanHead { write_back: [("a".to_owned(), 1)].into(), ..PlanHead::default() };
        let after = |phase, words| next_phase(&run(phase, words), &taught, OpenRepairs::None);
        let phases = [(Gate, ""), (Gate, "released"), (Removing, "released"), (WritingBack, "")];
        let next = phases.map(|(phase, words)| after(phase, words));
        assert_eq!(next, [WritingBack, Removing, WritingBack, Reporting], "the source comes last");
        let quiet = next_phase(&run(Deciding, ""), &PlanHead::default(), OpenRepairs::Some);
        assert_eq!(quiet, Writing, "the writer goes on with a repair");
    }

    #[test]
    fn no_phase_is_followed_by_an_earlier_one() {
        let phases = [
            Phase::Observing,
            Phase::Deciding,
            Phase::Planned,
            Phase::Writing,
            Phase::Gate,
            Phase::Removing,
            Phase::WritingBack,
            Phase::Reporting,
            Phase::Closed,
        ];
        for phase in phases {
            for words in ["", "plan", "stop", "stop yes", "applied", "released", "kept", "none", "plan stop released"] {
                for changed_slices in [0, 1] {
                    let plan = PlanHead { changed_slices, ..PlanHead::default() };
                    let next = next_phase(&run(phase, words), &plan, OpenRepairs::None);
                    let rests = matches!(phase, Phase::Planned | Phase::Closed);
                    assert!(if rests { next == phase } else { next > phase }, "{phase:?} to {next:?}, {words}");
                }
            }
        }
    }
}
