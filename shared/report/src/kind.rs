//! What a person's row is about: every person is of one kind, and kinds are shown in one order.

use hardmatch_domain::change::{Action, Hold};
use hardmatch_domain::reason::{Code, Weight};
use hardmatch_ports::run::{Outcome, OutcomeKind, PlanRow};

use crate::attention::Acknowledged;
use crate::row::reasons;
use crate::row_status::RowStatus;

/// What a person's row is about: every person is of one kind. The order is that of the page, the riskiest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    Do(Rank),
    Approval,
    Attention,
    /// Needs attention or waits for an approval, and an operator knows it.
    Acknowledged,
    Later,
    Skipped,
    AsTheyShouldBe,
}

/// Actions by what they can break.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Rank {
    Purge,
    Delete,
    Suspend,
    Merge,
    Repair,
    Takeover,
    Rename,
    Restore,
    Enable,
    License,
    Membership,
    Update,
    Create,
    Link,
}

impl Rank {
    pub(crate) fn of(action: Action) -> Option<Self> {
        Some(match action {
            Action::None => return None,
            Action::Purge => Rank::Purge,
            Action::Delete => Rank::Delete,
            Action::Suspend => Rank::Suspend,
            Action::Merge => Rank::Merge,
            Action::Repair => Rank::Repair,
            Action::Takeover => Rank::Takeover,
            Action::Rename => Rank::Rename,
            Action::Restore => Rank::Restore,
            Action::Enable => Rank::Enable,
            Action::License => Rank::License,
            Action::Membership => Rank::Membership,
            Action::Update => Rank::Update,
            Action::Create => Rank::Create,
            Action::Link => Rank::Link,
        })
    }

    /// Said of what is planned, and of what was done.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        match self {
            Rank::Purge => ("delete for good", "deleted for good"),
            Rank::Delete => ("delete (recycle bin)", "deleted (recycle bin)"),
            Rank::Suspend => ("block sign-in", "sign-in blocked"),
            Rank::Merge => ("merge two accounts", "merged"),
            Rank::Repair => ("repair the immutable ID", "immutable ID repaired"),
            Rank::Takeover => ("take over an existing account", "account taken over"),
            Rank::Rename => ("rename (new sign-in name)", "renamed (new sign-in name)"),
            Rank::Restore => ("restore from the recycle bin", "restored from the recycle bin"),
            Rank::Enable => ("allow sign-in", "sign-in allowed"),
            Rank::License => ("change licences", "licences changed"),
            Rank::Membership => ("change memberships", "memberships changed"),
            Rank::Update => ("update", "updated"),
            Rank::Create => ("create", "created"),
            Rank::Link => ("link (writes nothing)", "linked (wrote nothing)"),
        }
    }
}

impl Kind {
    pub(crate) fn of(row: &PlanRow, outcome: Option<&Outcome>) -> Self {
        let decision = &row.decision;
        let action = Rank::of(decision.action).map_or(Kind::Skipped, Kind::Do);
        if let Some(outcome) = outcome {
            return match outcome.result {
                OutcomeKind::Done => action,
                OutcomeKind::Refused => Kind::Attention,
                OutcomeKind::Held => Kind::Approval,
                OutcomeKind::FactsMoved | OutcomeKind::Unavailable => Kind::Later,
            };
        }
        if let Some(change) = &decision.change {
            return match change.hold {
                Some(Hold::Approval) => Kind::Approval,
                Some(Hold::Removal) | None => action,
            };
        }
        match RowStatus::of(row, None) {
            RowStatus::Refused => Kind::Attention,
            // Neither time nor another change brings these back.
            RowStatus::Held if decision.needs_somebody() => Kind::Attention,
            RowStatus::Held => Kind::Later,
            _ => match decision.reasons.first() {
                None => Kind::AsTheyShouldBe,
                Some(reason) if matches!(reason.code, Code::Converged | Code::WriteBack) => Kind::AsTheyShouldBe,
                Some(_) => Kind::Skipped,
            },
        }
    }

    /// The same where an operator said that nobody need be told.
    pub(crate) fn known(self, acknowledged: Option<&Acknowledged>) -> Self {
        match self {
            Kind::Attention | Kind::Approval if acknowledged.is_some() => Kind::Acknowledged,
            _ => self,
        }
    }

    pub(crate) fn words(self, done: bool) -> &'static str {
        match self {
            Kind::Do(rank) if done => rank.words().1,
            Kind::Do(rank) => rank.words().0,
            Kind::Approval => "waiting for approval",
            Kind::Attention => "need attention",
            Kind::Acknowledged => "acknowledged",
            Kind::Later => "wait for a date or for another change",
            Kind::Skipped => "skipped",
            Kind::AsTheyShouldBe => "as they should be",
        }
    }
}

/// Why a row stands among what needs attention or waits for an approval; `None` where it does not.
pub fn attention_reason(row: &PlanRow, outcome: Option<&Outcome>) -> Option<Code> {
    match Kind::of(row, outcome) {
        Kind::Attention | Kind::Approval => Some(main_code(row, outcome)),
        Kind::Do(_) | Kind::Acknowledged | Kind::Later | Kind::Skipped | Kind::AsTheyShouldBe => None,
    }
}

/// The reason that a row is grouped by: the heaviest, and of equals the first.
pub(crate) fn main_code(row: &PlanRow, outcome: Option<&Outcome>) -> Code {
    let mut best: Option<(Weight, Code)> = None;
    for reason in reasons(row, outcome) {
        let weight = reason.code.weight();
        if best.is_none_or(|(have, _)| weight > have) {
            best = Some((weight, reason.code));
        }
    }
    best.map_or(Code::Unknown, |(_, code)| code)
}
