//! What an answer means for the present call of a repair. Pure.

use std::time::Duration;

use hardmatch_domain::reason::{Code, Reason};
use hardmatch_domain::repair::journal::Journal;
use hardmatch_domain::repair::next::Failure;
use hardmatch_domain::repair::{RepairCall, RepairWrite};
use hardmatch_domain::values;
use hardmatch_ports::tenant::{Answer, LaterCause, Refusal, RefusalKind};

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The call is carried out.
    Done,
    /// It failed. Whether it may have been carried out all the same.
    Failed(Failure, MaybeDone),
    /// No call before this time from now.
    Throttled(Duration),
    /// The tenant does not take the credentials.
    LockedOut(Refusal),
}

/// Whether a call that failed may have been carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MaybeDone {
    Yes,
    No,
}

pub(super) fn hear(journal: &Journal, call: &RepairCall, answer: Answer) -> Heard {
    let unavailable = |done| Heard::Failed(Failure::Unavailable(Reason::plain(Code::Unavailable)), done);
    match answer {
        Answer::Done(_) | Answer::Made(_) => Heard::Done,
        Answer::NotFound if call.write == RepairWrite::Delete => Heard::Done,
        Answer::NotFound => {
            let detail = format!("the account {} is not where it should be", call.account);
            Heard::Failed(Failure::Lagging(Reason::with(Code::FactsMoved, detail)), MaybeDone::No)
        }
        Answer::Later(later) => match later.cause {
            LaterCause::Throttled => Heard::Throttled(later.after),
            LaterCause::Lagging => {
                let detail = "the tenant's replicas do not agree";
                Heard::Failed(Failure::Lagging(Reason::with(Code::Unavailable, detail)), MaybeDone::No)
            }
            LaterCause::Unavailable => unavailable(MaybeDone::No),
            LaterCause::MaybeDone => unavailable(MaybeDone::Yes),
        },
        Answer::Unknown(_) => unavailable(MaybeDone::Yes),
        Answer::Refused(refusal) if refusal.kind == RefusalKind::Credentials => Heard::LockedOut(refusal),
        // A token that was new a moment ago.
        Answer::Refused(refusal) if refusal.status == 401 => unavailable(MaybeDone::No),
        Answer::Refused(refusal) => Heard::Failed(refused(journal, call, &refusal), MaybeDone::No),
    }
}

fn refused(journal: &Journal, call: &RepairCall, refusal: &Refusal) -> Failure {
    let reason = |code| {
        let Refusal { status, code: graph, message, request_id, .. } = refusal;
        let holder = refusal.conflict.as_ref().map(|holder| format!("; held by {holder}")).unwrap_or_default();
        Reason::with(code, format!("{status} {graph}: {message}{holder}; request {request_id}"))
    };
    let wrote = |property: fn(&RepairWrite) -> bool| {
        journal.calls.iter().any(|other| other.account == call.account && other != call && property(&other.write))
    };
    match refusal.kind {
        RefusalKind::Conflict => {
            let ours = refusal.conflict.as_ref().is_some_and(|holder| journal.accounts().contains(&holder));
            match &call.write {
                _ if ours => Failure::Lagging(reason(Code::AddressInUse)),
                RepairWrite::Upn { after, .. } if values::is_temporary(after) => {
                    Failure::TemporaryNameTaken(reason(Code::AddressInUse))
                }
                _ => Failure::Taken(reason(Code::AddressInUse)),
            }
        }
        // Said of an ID while a replica still has the sign-in name in the federated domain, and of the name while one does
        // not have the ID.
        RefusalKind::Federated if call.writes_id() && wrote(|write| matches!(write, RepairWrite::Upn { .. })) => {
            Failure::Lagging(reason(Code::RepairNeeded))
        }
        RefusalKind::Federated if !call.writes_id() && wrote(|write| matches!(write, RepairWrite::Id { .. })) => {
            Failure::Lagging(reason(Code::RepairNeeded))
        }
        RefusalKind::Federated => Failure::Refused(reason(Code::RepairNeeded)),
        RefusalKind::DomainNotVerified => Failure::Refused(reason(Code::DomainNotVerified)),
        RefusalKind::Mastered => Failure::Refused(reason(Code::MasteredElsewhere)),
        RefusalKind::ExternalMaster => Failure::Refused(reason(Code::MailMasteredElsewhere)),
        RefusalKind::Forbidden => Failure::Refused(reason(Code::PermissionMissing)),
        RefusalKind::InvalidValue => Failure::Refused(reason(Code::InvalidValue)),
        RefusalKind::Credentials
        | RefusalKind::Password
        | RefusalKind::ManagerBind
        | RefusalKind::Quota
        | RefusalKind::NoSeats
        | RefusalKind::LicenseConflict
        | RefusalKind::UsageLocation
        | RefusalKind::LicenseInherited
        | RefusalKind::GroupType
        | RefusalKind::Other => Failure::Refused(reason(Code::TenantRefused)),
    }
}
