//! A refused step taken apart, so that what is in the way does not keep the rest: values, licences, sensitive properties.
//! Pure.

use hardmatch_domain::attribute::{Attr, Attributes};
use hardmatch_domain::change::Step;
use hardmatch_domain::license::{License, Sku};
use hardmatch_ports::tenant::{Refusal, RefusalKind};

/// How the same is asked for otherwise.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Apart {
    /// By these steps, one after the other. What is in the way is refused by itself.
    Steps(Vec<Step>),
    /// By the step without one part, which is refused.
    Without {
        /// What is left of it.
        step: Step,
        /// What is not asked for again.
        left_out: Box<Step>,
    },
}

/// How a refused step is asked for otherwise; `None` when it cannot be, and is refused. `skus` are the tenant's licences.
pub(crate) fn apart(step: &Step, refusal: &Refusal, skus: &[Sku]) -> Option<Apart> {
    match step {
        Step::Update { .. } if refusal.kind == RefusalKind::Forbidden => without_sensitive(step),
        Step::Update { .. } if is_about_values(refusal.kind) => values_apart(step, refusal),
        Step::Create { .. } if is_about_values(refusal.kind) => creation_apart(step, refusal),
        Step::SetLicenses { give, take } if is_about_licenses(refusal.kind) => licenses_apart(give, take, skus),
        Step::Create { .. }
        | Step::Link
        | Step::Unlink
        | Step::ClearId { .. }
        | Step::Update { .. }
        | Step::Rename { .. }
        | Step::SetEnabled { .. }
        | Step::RevokeSessions
        | Step::SetManager { .. }
        | Step::SetLicenses { .. }
        | Step::JoinGroup { .. }
        | Step::LeaveGroup { .. }
        | Step::Restore
        | Step::Delete { .. }
        | Step::Purge { .. }
        | Step::Repair(_) => None,
    }
}

/// Whether one of several values may be what was refused. The text of federated domains is everybody's: Graph says it of
/// any value that it does not take.
fn is_about_values(kind: RefusalKind) -> bool {
    match kind {
        RefusalKind::InvalidValue | RefusalKind::Federated | RefusalKind::ExternalMaster | RefusalKind::Other => true,
        RefusalKind::Conflict
        | RefusalKind::DomainNotVerified
        | RefusalKind::Mastered
        | RefusalKind::Forbidden
        | RefusalKind::Credentials
        | RefusalKind::Password
        | RefusalKind::ManagerBind
        | RefusalKind::Quota
        | RefusalKind::NoSeats
        | RefusalKind::LicenseConflict
        | RefusalKind::UsageLocation
        | RefusalKind::LicenseInherited
        | RefusalKind::GroupType => false,
    }
}

/// Whether one of several licences may be what was refused.
fn is_about_licenses(kind: RefusalKind) -> bool {
    match kind {
        RefusalKind::NoSeats
        | RefusalKind::LicenseConflict
        | RefusalKind::LicenseInherited
        | RefusalKind::InvalidValue
        | RefusalKind::Other => true,
        RefusalKind::Conflict
        | RefusalKind::DomainNotVerified
        | RefusalKind::Federated
        | RefusalKind::Mastered
        | RefusalKind::ExternalMaster
        | RefusalKind::Forbidden
        | RefusalKind::Credentials
        | RefusalKind::Password
        | RefusalKind::ManagerBind
        | RefusalKind::Quota
        | RefusalKind::UsageLocation
        | RefusalKind::GroupType => false,
    }
}

/// Members of role-assignable groups are privileged for Graph, and no listing says who they are: a refused write goes
/// again without the sensitive properties, and then with these alone.
/// <https://learn.microsoft.com/graph/api/resources/users>
fn without_sensitive(step: &Step) -> Option<Apart> {
    let Step::Update { immutable_id, before, after } = step else { return None };
    let (sensitive, ordinary) = split(after, hardmatch_domain::attribute::Attr::is_sensitive);
    let rest = !ordinary.is_empty() || immutable_id.is_some();
    (rest && !sensitive.is_empty()).then(|| {
        let first = Step::Update { immutable_id: immutable_id.clone(), before: of(before, &ordinary), after: ordinary };
        Apart::Steps(vec![first, alone(before, sensitive)])
    })
}

/// Without the value that Graph names; where it names none, by halves.
fn values_apart(step: &Step, refusal: &Refusal) -> Option<Apart> {
    let Step::Update { immutable_id, before, after } = step else { return None };
    let named = named(after, refusal);
    let (theirs, rest) = split(after, |attr| named.contains(&attr));
    if !theirs.is_empty() && (!rest.is_empty() || immutable_id.is_some()) {
        let kept = Step::Update { immutable_id: immutable_id.clone(), before: of(before, &rest), after: rest };
        return Some(match theirs.len() {
            1 => Apart::Without { step: kept, left_out: Box::new(alone(before, theirs)) },
            _ => Apart::Steps(vec![kept, alone(before, theirs)]),
        });
    }
    if immutable_id.is_some() {
        // Is it the ID, on which everything rests, or a value?
        let first = Step::Update {
            immutable_id: immutable_id.clone(),
            before: Attributes::default(),
            after: Attributes::default(),
        };
        return (!after.is_empty()).then(|| Apart::Steps(vec![first, alone(before, after.clone())]));
    }
    if after.len() < 2 {
        return None;
    }
    let half = after.len() / 2;
    let first: Attributes = after.iter().take(half).collect();
    let second: Attributes = after.iter().skip(half).collect();
    Some(Apart::Steps(vec![alone(before, first), alone(before, second)]))
}

/// A creation without the value that Graph names; where it names none, with what an account needs, and the rest
/// afterwards.
fn creation_apart(step: &Step, refusal: &Refusal) -> Option<Apart> {
    let Step::Create { attributes, immutable_id, enabled, manager } = step else { return None };
    let creation = |attributes: Attributes| Step::Create {
        attributes,
        immutable_id: immutable_id.clone(),
        enabled: *enabled,
        manager: manager.clone(),
    };
    let nothing = Attributes::default();
    let named = named(attributes, refusal);
    if named.iter().any(|attr| is_required(*attr)) || refusal.property.as_deref() == Some("onPremisesImmutableId") {
        return None;
    }
    let (theirs, rest) = split(attributes, |attr| named.contains(&attr));
    if theirs.len() == 1 {
        return Some(Apart::Without { step: creation(rest), left_out: Box::new(alone(&nothing, theirs)) });
    }
    let (needed, others) = split(attributes, is_required);
    (!others.is_empty()).then(|| Apart::Steps(vec![creation(needed), alone(&nothing, others)]))
}

/// What no account is without. <https://learn.microsoft.com/graph/api/user-post-users>
fn is_required(attr: Attr) -> bool {
    matches!(attr, Attr::UserPrincipalName | Attr::DisplayName | Attr::MailNickname)
}

/// Every licence by itself, and what is taken together with the licence that takes its place, in one call. What no given
/// licence replaces is taken last.
fn licenses_apart(give: &[License], take: &[License], skus: &[Sku]) -> Option<Apart> {
    let plans = |sku: &str| skus.iter().find(|known| known.id == *sku).map_or(&[][..], |known| &known.plans);
    let shared = |one: &License, other: &License| {
        let theirs = plans(&other.sku);
        plans(&one.sku).iter().filter(|plan| theirs.iter().any(|their| their.id == plan.id)).count()
    };
    let mut steps: Vec<(Vec<License>, Vec<License>)> =
        give.iter().map(|license| (vec![license.clone()], Vec::new())).collect();
    let mut rest = Vec::new();
    for taken in take {
        let by_likeness = (0..give.len()).map(|at| (shared(taken, &give[at]), std::cmp::Reverse(at)));
        // Of what nothing is known it may be the mailbox: it goes with something that is given, or not at all.
        let unknown = plans(&taken.sku).is_empty() || (give.len() == 1 && take.len() == 1);
        match by_likeness.max().filter(|(count, _)| *count > 0 || unknown) {
            Some((_, at)) => steps[at.0].1.push(taken.clone()),
            None => rest.push(taken.clone()),
        }
    }
    // Exchanges last: what is given beside them needs nothing of what they take.
    steps.sort_by_key(|(_, take)| !take.is_empty());
    steps.extend(rest.into_iter().map(|taken| (Vec::new(), vec![taken])));
    (steps.len() > 1)
        .then(|| Apart::Steps(steps.into_iter().map(|(give, take)| Step::SetLicenses { give, take }).collect()))
}

/// The attributes that a refusal names.
fn named(attributes: &Attributes, refusal: &Refusal) -> Vec<Attr> {
    let Some(property) = refusal.property.as_deref() else { return Vec::new() };
    let is_meant = |attr: &Attr| {
        attr.member().0.eq_ignore_ascii_case(property)
            || (attr.extension_number().is_some() && property.eq_ignore_ascii_case("onPremisesExtensionAttributes"))
    };
    attributes.iter().map(|(attr, _)| attr).filter(is_meant).collect()
}

fn split(attributes: &Attributes, first: impl Fn(Attr) -> bool) -> (Attributes, Attributes) {
    let (ours, others): (Vec<_>, Vec<_>) = attributes.iter().partition(|(attr, _)| first(*attr));
    (Attributes::from_pairs(ours), Attributes::from_pairs(others))
}

/// The values before of the attributes that are written.
fn of(before: &Attributes, after: &Attributes) -> Attributes {
    before.iter().filter(|(attr, _)| after.get(*attr).is_some()).collect()
}

fn alone(before: &Attributes, after: Attributes) -> Step {
    Step::Update { immutable_id: None, before: of(before, &after), after }
}

#[cfg(test)]
#[path = "apart_tests.rs"]
mod tests;
