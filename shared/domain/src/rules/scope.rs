//! Whether a person is ours to manage now. Never decides what follows from it.

use crate::draft::Draft;
use crate::facts::Facts;
use crate::person_context::PersonContext;
use crate::vocabulary::change::{EvidenceRule, Found};
use crate::vocabulary::link::LeavingCause;
use crate::vocabulary::person::SourceStatus;
use crate::vocabulary::reason::{Code, Reason};

pub(crate) enum Place {
    /// In the source and in scope.
    Here,
    /// Not (any more): why, and since when where the source knows.
    Left { cause: LeavingCause, since: Option<i64> },
    /// Seen in the source, but not understood: nothing is decided from old facts.
    Refused,
    /// The scope's expression failed.
    Unknown(Reason),
}

pub(crate) fn place<F: Facts>(subject: &PersonContext<'_, F>, draft: &mut Draft<'_>) -> Place {
    match subject.record.standing {
        SourceStatus::Refused => Place::Refused,
        SourceStatus::Absent(since) | SourceStatus::Deleted(since) => {
            Place::Left { cause: LeavingCause::Absent, since: Some(since) }
        }
        SourceStatus::Present => match subject.includes(subject.person) {
            Ok(true) => {
                if subject.policy.scope.is_some() {
                    draft.evidence.saw(EvidenceRule::Scope, Found::Same);
                }
                Place::Here
            }
            Ok(false) => {
                let rule = subject.policy.scope.as_ref().map(|scope| scope.text()).unwrap_or_default();
                draft.evidence.saw_text(EvidenceRule::Scope, Found::Different, rule);
                Place::Left { cause: LeavingCause::LeftScope, since: None }
            }
            Err(error) => {
                draft.evidence.saw(EvidenceRule::Scope, Found::Unknown);
                Place::Unknown(Reason::with(Code::Unknown, format!("scope: {error}")))
            }
        },
    }
}
