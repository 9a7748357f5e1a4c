//! A change that was made before: what became of it, why it was planned, by which rule, who accepted it, and every value.

use hardmatch_domain::change::{Action, EvidenceRule};
use hardmatch_ports::run::{Accepted, Outcome, OutcomeKind, PlanRow, WrittenChange};

use crate::lines::Lines;
use crate::words;

/// A change that was made before, with all that its run knows of it.
pub struct Past {
    /// What became of it.
    pub outcome: Outcome,
    /// The row it was planned in: why, and every value. `None`: the plan is not kept any more.
    pub row: Option<PlanRow>,
    /// Who accepted the plan, and when.
    pub accepted: Option<Accepted>,
}

impl Past {
    pub(crate) fn tell(&self, text: &mut Lines) {
        let Self { outcome, row, accepted } = self;
        let written = outcome.written.as_deref();
        let planned = row.as_ref().map(|row| row.decision.action);
        let action = written.map(|written| written.action).or(planned);
        let result = match (outcome.result, action) {
            (OutcomeKind::Done, Some(action)) => words::done(action).to_owned(),
            (OutcomeKind::Done, None) => "written".to_owned(),
            (kind, Some(action)) => format!("{}: {}", words::action(action), result(kind)),
            (kind, None) => result(kind).to_owned(),
        };
        text.line(1, &format!("{}: {result}, run {}", words::moment(outcome.at_ms), outcome.run));
        for why in outcome.said() {
            text.line(2, &format!("{}: {}", why.code, why.code.sentence()));
            text.detail(3, why.detail.as_deref());
        }
        let why = row.as_ref().map(|row| &row.decision.reasons).or(written.map(|written| &written.why));
        for why in why.into_iter().flatten() {
            text.line(2, &format!("Why: {}: {}", why.code, why.code.sentence()));
            text.detail(3, why.detail.as_deref());
        }
        if let Some(row) = row {
            for evidence in row.decision.evidence.iter().filter(|evidence| decides_leaving(evidence.rule)) {
                text.evidence(2, evidence);
            }
        }
        let planned = row.as_ref().and_then(|row| row.decision.change.as_deref()).map(|change| &*change.steps);
        match (written, planned) {
            // The plan's row has every value of a new account.
            (Some(WrittenChange { action: Action::Create, .. }) | None, Some(planned)) => text.steps(2, planned),
            (Some(written), _) => text.steps(2, &written.steps),
            (None, None) => {}
        }
        text.line(2, &format!("Change: {}", outcome.change.as_str()));
        text.line(2, &acceptance(outcome.result, accepted.as_ref()));
        if let Some(refusal) = &outcome.refusal {
            text.line(2, &format!("Graph: {} {}: {}", refusal.status, refusal.code, refusal.message));
            text.line(2, &format!("Request id: {}", refusal.request_id));
        }
    }
}

/// Rules by which somebody is taken for one who leaves; how they were joined says nothing of it.
fn decides_leaving(rule: EvidenceRule) -> bool {
    matches!(rule, EvidenceRule::Scope | EvidenceRule::Dates | EvidenceRule::Licenses | EvidenceRule::Groups)
}

fn result(kind: OutcomeKind) -> &'static str {
    match kind {
        OutcomeKind::Done => "written",
        OutcomeKind::Refused => "refused",
        OutcomeKind::Held => "held",
        OutcomeKind::FactsMoved => "facts moved, decided again",
        OutcomeKind::Unavailable => "the tenant was not available",
    }
}

/// By whose word the change was let through, in a sentence.
fn acceptance(result: OutcomeKind, accepted: Option<&Accepted>) -> String {
    match (accepted, result) {
        (Some(Accepted { by_hash: true, by, at_ms }), _) => {
            format!("Accepted: the plan was applied by its hash by {by}, {}.", words::moment(*at_ms))
        }
        (Some(Accepted { by_hash: false, by, at_ms }), _) => {
            format!("Accepted: the stop at the plan was let through by {by}, {}.", words::moment(*at_ms))
        }
        (None, OutcomeKind::Held) => "Accepted: by nobody so far.".to_owned(),
        (None, _) => {
            "Accepted: by nobody; the policy asks for no approval, and the run kept the limits of [guard].".to_owned()
        }
    }
}
