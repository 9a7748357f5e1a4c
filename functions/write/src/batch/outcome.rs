//! What is said of a change that ends: to its person's history, to the run, and to later decisions. Pure.

use std::time::Duration;

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::change::{Revisions, Step};
use hardmatch_domain::reason::{Code, Reason};
use hardmatch_domain::refused::{Cure, Refusals, Refused};
use hardmatch_ports::run::{Outcome, OutcomeKind};
use hardmatch_ports::tenant::{Refusal, RefusalKind};
use jiff::Timestamp;

use crate::task::Task;

/// What became of a change, for the history and for the run.
pub(crate) fn of(
    task: &Task,
    kind: OutcomeKind,
    reason: Option<Reason>,
    refusal: Option<Refusal>,
    at: Timestamp,
) -> Outcome {
    Outcome {
        v: 1,
        run: task.open.run.clone(),
        key: task.open.change.person.key.clone(),
        change: task.open.change.id.clone(),
        result: kind,
        account: task.account().cloned(),
        reason,
        also: Vec::new(),
        refusal,
        at_ms: at.as_millisecond(),
        written: task.open.written().map(Box::new),
    }
}

/// Everything that a change's history says of it.
pub(crate) fn reasons(task: &Task) -> impl Iterator<Item = Reason> {
    let whole = whole_refusal(task).map(|refusal| reason_of(None, refusal));
    let parts = task.open.refused_parts.iter().map(|(part, refusal)| reason_of(Some(part), refusal));
    let password = task.open.password_unknown.then(|| Reason::plain(Code::PasswordUnknown));
    whole.into_iter().chain(parts).chain(password)
}

/// What is remembered of the refusals of a change, so that the same is not asked for every night. `before` is what was
/// refused of the person last.
pub(crate) fn remembered(task: &Task, before: Option<&Refused>, at: Timestamp) -> Refused {
    let (change, now) = (&task.open.change, at.as_second());
    let whole = whole_refusal(task).map(|refusal| (reason_of(None, refusal), cure_of(None, refusal.kind)));
    let parts = task.open.refused_parts.iter();
    let parts =
        parts.map(|(part, refusal)| (part.clone(), reason_of(Some(part), refusal), cure_of(Some(part), refusal.kind)));
    let on = Revisions { account: task.known_revision(), ..change.decided_on };
    let refusals = Refusals { whole, parts: parts.collect(), on };
    let mut refused = Refused::after(before, change, &refusals, now);
    let dated = |reason: &mut Reason, next: i64| {
        let wait = Duration::from_secs(u64::try_from(next - now).unwrap_or(0));
        if !wait.is_zero()
            && let Ok(next) = at.checked_add(wait)
        {
            let said = reason.detail.as_deref().unwrap_or_default();
            *reason =
                Reason::with(reason.code, format!("{said}; sent again after {next:.0}, or when something changes"));
        }
    };
    dated(&mut refused.reason, refused.next);
    for part in refused.parts.iter_mut().filter(|part| part.at == now) {
        dated(&mut part.reason, part.next);
    }
    refused
}

/// The refusal that took the rest of the change along, when the first one is not a part's.
fn whole_refusal(task: &Task) -> Option<&Refusal> {
    let first = task.open.refused_parts.first().map(|(_, refusal)| refusal);
    task.open.refusal.as_ref().filter(|refusal| first != Some(refusal))
}

/// What could make the tenant answer otherwise.
fn cure_of(part: Option<&Step>, kind: RefusalKind) -> Cure {
    match kind {
        RefusalKind::Conflict => Cure::Elsewhere,
        RefusalKind::NoSeats => Cure::Seat,
        RefusalKind::InvalidValue | RefusalKind::LicenseConflict => Cure::Value,
        // Everything else of the same account was written: it is this property, and not a permission that is missing.
        RefusalKind::Forbidden if part.is_some_and(is_sensitive) => Cure::Value,
        RefusalKind::GroupType
        | RefusalKind::LicenseInherited
        | RefusalKind::Forbidden
        | RefusalKind::Quota
        | RefusalKind::Credentials => Cure::ByHand,
        // The text of federated domains is said of any value.
        RefusalKind::Federated if part.is_some_and(is_values) => Cure::Value,
        RefusalKind::DomainNotVerified
        | RefusalKind::Federated
        | RefusalKind::Mastered
        | RefusalKind::ExternalMaster
        | RefusalKind::Password
        | RefusalKind::ManagerBind
        | RefusalKind::UsageLocation
        | RefusalKind::Other => Cure::Here,
    }
}

/// Whether a part writes sensitive properties and nothing else.
fn is_sensitive(part: &Step) -> bool {
    match part {
        Step::Update { immutable_id: None, after, .. } => after.iter().all(|(attr, _)| attr.is_sensitive()),
        _ => false,
    }
}

fn is_values(part: &Step) -> bool {
    matches!(part, Step::Update { immutable_id: None, .. })
}

/// The reason that Graph's refusal is told as, of a part of the change or of the change itself.
fn reason_of(part: Option<&Step>, refusal: &Refusal) -> Reason {
    let code = match refusal.kind {
        RefusalKind::Conflict => Code::AddressInUse,
        RefusalKind::InvalidValue => Code::InvalidValue,
        RefusalKind::NoSeats => Code::NoSeats,
        RefusalKind::LicenseConflict => Code::LicenseConflict,
        RefusalKind::UsageLocation => Code::UsageLocationMissing,
        RefusalKind::LicenseInherited => Code::LicenseInherited,
        RefusalKind::GroupType => Code::UnsupportedGroupType,
        RefusalKind::DomainNotVerified => Code::DomainNotVerified,
        RefusalKind::Federated if part.is_some_and(is_values) => Code::InvalidValue,
        RefusalKind::Federated => Code::RepairNeeded,
        RefusalKind::Mastered => Code::MasteredElsewhere,
        RefusalKind::ExternalMaster => Code::MailMasteredElsewhere,
        RefusalKind::Forbidden if part.is_some_and(is_sensitive) => Code::Privileged,
        RefusalKind::Forbidden | RefusalKind::Credentials => Code::PermissionMissing,
        RefusalKind::Password | RefusalKind::ManagerBind | RefusalKind::Quota | RefusalKind::Other => {
            Code::TenantRefused
        }
    };
    let what = part.map(named).filter(|what| !what.is_empty()).map(|what| format!("{what}: ")).unwrap_or_default();
    let holder = refusal.conflict.as_ref().map(|holder| format!("; held by {holder}")).unwrap_or_default();
    let Refusal { status, code: graph, message, request_id, .. } = refusal;
    Reason::with(code, format!("{what}{status} {graph}: {message}{holder}; request {request_id}"))
}

/// What a part is about, by name: attributes, licences, a group.
fn named(part: &Step) -> String {
    match part {
        Step::Update { after, .. } => after.iter().map(|(attr, _)| attr.name()).collect::<Vec<_>>().join(", "),
        Step::Rename { .. } => Attr::UserPrincipalName.name().to_owned(),
        Step::SetEnabled { .. } => "accountEnabled".to_owned(),
        Step::SetManager { .. } => "manager".to_owned(),
        Step::SetLicenses { give, take } => {
            let all = give.iter().chain(take).map(|license| &*license.part_number);
            all.collect::<Vec<_>>().join(", ")
        }
        Step::JoinGroup { group } => group.name.to_string(),
        Step::LeaveGroup { name, .. } => name.to_string(),
        Step::ClearId { .. } => "onPremisesImmutableId".to_owned(),
        Step::Create { .. }
        | Step::Link
        | Step::Unlink
        | Step::RevokeSessions
        | Step::Restore
        | Step::Delete { .. }
        | Step::Purge { .. }
        | Step::Repair(_) => String::new(),
    }
}
