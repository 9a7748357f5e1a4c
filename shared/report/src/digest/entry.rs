//! A row reduced to what is shown of it.

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::change::{Action, EvidenceRule, Join, Step};
use hardmatch_domain::ids::ObjectId;
use hardmatch_domain::reason::{Code, Reason, Weight};
use hardmatch_ports::run::{Outcome, OutcomeKind, PlanRow};

use crate::attention::Acknowledged;
use crate::kind::{Kind, Rank};
use crate::row::{account, reasons};
use crate::steps;
use crate::tables::person;
use crate::visible::visible;
use crate::words;

/// A row reduced to what is shown of it.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) upn: String,
    /// The account's own name and sign-in name, of a takeover.
    pub(super) takes: Option<String>,
    pub(super) why: String,
    /// `why` is what waits for an approval.
    pub(super) waits: bool,
    /// The reason, where it says more than what is done.
    pub(super) reason: Option<String>,
    pub(super) lines: Vec<String>,
    /// The name of the change, as far as tells it apart, where it waits for an approval.
    pub(super) change: Option<String>,
}

impl Entry {
    pub(super) fn of(row: &PlanRow, outcome: Option<&Outcome>, kind: Kind, known: Option<&Acknowledged>) -> Self {
        let decision = &row.decision;
        let refused = decision.change.is_none() || outcome.is_some_and(|outcome| outcome.result != OutcomeKind::Done);
        let detail = reasons(row, outcome).next().and_then(|reason| reason.detail.clone());
        let mut why =
            if refused { detail.map(|detail| words::detail(&detail)).unwrap_or_default() } else { String::new() };
        let mut lines = Vec::new();
        if let Some(refusal) = outcome.and_then(|outcome| outcome.refusal.as_ref()) {
            why = format!("Graph says {} {}: {}", refusal.status, refusal.code, refusal.message);
        }
        let waits = kind == Kind::Approval;
        if waits && let Some(rank) = Rank::of(decision.action) {
            rank.words().0.clone_into(&mut why);
        }
        if let Some(change) = decision.change.as_ref().filter(|_| waits || !refused) {
            for step in steps::of(&change.steps) {
                let create = decision.action == Action::Create;
                for line in step.lines.iter().filter(|line| !create && line.what != "accountEnabled") {
                    lines.push(format!("{}: {} → {}", line.what, line.before.text(), line.after.text()));
                }
                if step.lines.is_empty() && step.title.starts_with(['J', 'L', 'E']) {
                    lines.push(step.title);
                }
            }
        }
        if let Some(known) = known {
            lines.push(words::acknowledged(known));
        }
        let mut telling = None;
        // People of one reason stand below it.
        if matches!(kind, Kind::Do(_) | Kind::Approval)
            && let Some(reason) = telling_reason(row, outcome)
        {
            telling = Some(format!("{}: {}", reason.code, reason.code.sentence()));
        }
        Self {
            name: visible(person(row)).into_owned(),
            upn: if person(row) == &*row.upn { String::new() } else { visible(&row.upn).into_owned() },
            takes: (decision.action == Action::Takeover).then(|| theirs(row, account(row, outcome))),
            why: visible(&why).into_owned(),
            waits,
            reason: telling,
            lines: lines.iter().map(|line| visible(line).into_owned()).collect(),
            change: decision.change.as_deref().filter(|_| waits).map(|change| change.id.short().to_owned()),
        }
    }
}

/// The reason that is shown beside what is done: what somebody must look at before all others.
fn telling_reason<'a>(row: &'a PlanRow, outcome: Option<&'a Outcome>) -> Option<&'a Reason> {
    let refused = reasons(row, outcome).find(|reason| reason.code.weight() == Weight::Refused);
    refused.or_else(|| reasons(row, outcome).find(|reason| tells(reason.code)))
}

/// Reasons that say more than the action's own name.
fn tells(code: Code) -> bool {
    !matches!(
        code,
        Code::Provision
            | Code::HardMatched
            | Code::Takeover
            | Code::AttributesDiffer
            | Code::Rename
            | Code::ManagerDiffers
    )
}

/// Whose account it is by the tenant: its name and sign-in name as they are there.
fn theirs(row: &PlanRow, account: Option<&ObjectId>) -> String {
    let decision = &row.decision;
    let upn = decision
        .evidence
        .iter()
        .find(|evidence| evidence.rule == EvidenceRule::Upn && evidence.theirs.is_some())
        .or_else(|| decision.evidence.iter().find(|e| e.rule == EvidenceRule::PrimarySmtp && e.theirs.is_some()))
        .and_then(|evidence| evidence.theirs.as_deref());
    let steps = decision.change.iter().flat_map(|change| &change.steps);
    let renamed = steps.filter_map(|step| match step {
        Step::Update { before, .. } => before.filled(Attr::DisplayName),
        _ => None,
    });
    let name = renamed.into_iter().next().unwrap_or(person(row));
    let joined = match &decision.join {
        Join::Joined { account, .. } => Some(account),
        Join::None | Join::Refused { .. } | Join::NotLooked => account,
    };
    match (upn, joined) {
        (Some(upn), _) => format!("{} <{upn}>", visible(name)),
        (None, Some(account)) => format!("{} (account {account})", visible(name)),
        (None, None) => visible(name).into_owned(),
    }
}
