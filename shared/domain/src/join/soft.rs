//! Soft match: an account that nobody claims has the person's sign-in name or primary address. Never a display name.

use crate::draft::{Consent, Draft, Part, StepOrder};
use crate::facts::{By, Facts};
use crate::join::{Joining, Opening, Target, claims, hard};
use crate::person_context::PersonContext;
use crate::rules::likeness::{is_shared_address, is_shared_number, named};
use crate::rules::proof::{self, Proof};
use crate::vocabulary::account::{Account, AccountKind, Authority};
use crate::vocabulary::attribute::Attr;
use crate::vocabulary::change::{Action, EvidenceRule, Found, Step};
use crate::vocabulary::ids::ImmutableId;
use crate::vocabulary::link::JoinRule;
use crate::vocabulary::policy::{OnConflict, SoftRule};
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::text::same_name;
use crate::vocabulary::values;

/// A live account that a soft rule found, once, by the first rule that found it.
pub(super) struct Candidate<'a> {
    pub(super) rule: SoftRule,
    pub(super) account: &'a Account,
}

pub(super) fn look<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    draft: &mut Draft<'a>,
    upn: Option<&str>,
) -> Vec<Candidate<'a>> {
    let mut candidates: Vec<Candidate<'a>> = Vec::new();
    for &rule in &subject.policy.soft {
        let (evidence, ours) = match rule {
            SoftRule::Upn => (EvidenceRule::Upn, upn),
            SoftRule::PrimarySmtp => (EvidenceRule::PrimarySmtp, subject.person.addresses.primary()),
        };
        let mut found = ours.map(|ours| by_rule(subject, rule, ours)).unwrap_or_default();
        if found.is_empty() {
            draft.saw(evidence, Found::Nothing);
        } else if rule == SoftRule::PrimarySmtp && ours.is_some_and(|ours| is_shared_address(subject, ours)) {
            draft.saw(evidence, Found::Several);
            found.clear();
        }
        for account in found {
            draft.saw_at(evidence, Found::Same, &account.id, ours, None);
            if candidates.iter().all(|candidate| candidate.account.id != account.id) {
                candidates.push(Candidate { rule, account });
            }
        }
    }
    candidates
}

/// The live accounts one soft rule finds.
pub(super) fn by_rule<'a, F: Facts>(subject: &PersonContext<'a, F>, rule: SoftRule, ours: &str) -> Vec<&'a Account> {
    let (by, theirs): (By, fn(&Account) -> Option<&str>) = match rule {
        SoftRule::Upn => (By::Upn, Account::upn),
        SoftRule::PrimarySmtp => (By::Address, Account::primary_address),
    };
    let mut found = subject.accounts(by, ours);
    found.retain(|account| !account.is_deleted() && theirs(account).is_some_and(|theirs| same_name(theirs, ours)));
    found
}

pub(super) fn judge<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    draft: &mut Draft<'a>,
    candidates: &[Candidate<'a>],
    upn: Option<&str>,
) -> Option<Joining<'a>> {
    let candidate = match candidates {
        [] => return None,
        [candidate] => candidate,
        [_, _, ..] => {
            let ids: Vec<&str> = candidates.iter().map(|candidate| candidate.account.id.as_str()).collect();
            draft.refuse_join(Reason::with(Code::Ambiguous, ids.join(", ")), None);
            return Some(Joining::Settled);
        }
    };
    let account = candidate.account;
    if account.kind == AccountKind::Guest {
        draft.refuse_join(hard::guest(account), Some(account));
        return Some(Joining::Settled);
    }
    if let Some(link) = subject.facts.link_to(&account.id).filter(|link| link.person != subject.who) {
        return linked_to_another(subject, draft, account, link);
    }
    match &account.immutable_id {
        Some(id) => Some(anchored(subject, draft, candidate, id)),
        None => Some(unclaimed(subject, draft, candidate, upn)),
    }
}

/// Somebody's account by link. While they are here, it is a name in use (perhaps given up in this plan); when they are
/// gone, either they came back under another key or the name was recycled.
fn linked_to_another<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    draft: &mut Draft<'a>,
    account: &'a Account,
    link: &'a crate::vocabulary::link::Link,
) -> Option<Joining<'a>> {
    let code = if link.person.connection != subject.who.connection {
        Code::ClaimedByConnection
    } else if proof::contradicts(subject, draft, account) {
        Code::RecycledIdentity
    } else {
        match subject.facts.person(&link.person) {
            Some(other) if other.is_gone() => Code::MaybeRekeyed,
            // Judged with the other names in use.
            Some(_) => return None,
            None => Code::AddressTaken,
        }
    };
    let whose = subject.facts.person(&link.person).map_or_else(|| link.person.key.as_str().to_owned(), named);
    draft.saw_at(EvidenceRule::Claims, Found::Different, &account.id, None, Some(&whose));
    draft.refuse_join(Reason::with(code, format!("the account is that of {whose}")), Some(account));
    Some(Joining::Settled)
}

/// It carries an ID, and not the person's.
fn anchored<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    draft: &mut Draft<'a>,
    candidate: &Candidate<'a>,
    id: &ImmutableId,
) -> Joining<'a> {
    let account = candidate.account;
    let wanted = subject.person.immutable_id();
    if wanted.is_some_and(|wanted| wanted.as_str().eq_ignore_ascii_case(id.as_str())) {
        let hint = "the IDs differ in upper and lower case only";
        draft.refuse_join(Reason::with(Code::AnchorConflict, hint), Some(account));
        return Joining::Settled;
    }
    draft.saw_at(
        EvidenceRule::HardMatch,
        Found::Different,
        &account.id,
        wanted.map(ImmutableId::as_str),
        Some(id.as_str()),
    );
    let proof = proof::of(subject, draft, account);
    if !subject.person.knows_anchor(id) && !subject.others_with_id(id).is_empty() {
        let code = if proof == Proof::Contradicted { Code::RecycledIdentity } else { Code::AddressTaken };
        draft.saw(EvidenceRule::Claims, Found::Different);
        draft.refuse_join(Reason::plain(code), Some(account));
        return Joining::Settled;
    }
    match proof {
        Proof::Contradicted => draft.refuse_join(Reason::plain(Code::RecycledIdentity), Some(account)),
        Proof::Open => draft.refuse_join(Reason::plain(Code::AnchorConflict), Some(account)),
        Proof::Proven => return wrong_id(subject, draft, candidate),
    }
    Joining::Settled
}

/// It is proven to be the person's, but the ID is nobody's.
fn wrong_id<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    draft: &mut Draft<'a>,
    candidate: &Candidate<'a>,
) -> Joining<'a> {
    let account = candidate.account;
    if !is_claimable(subject, draft, account) {
        return Joining::Settled;
    }
    match subject.policy.on_conflict {
        OnConflict::Stop => {
            draft.refuse_join(Reason::plain(Code::AnchorWrong), Some(account));
            Joining::Settled
        }
        OnConflict::TenantWins => {
            draft.code(Code::AnchorLearned);
            draft.joined(join_rule(candidate.rule), account);
            Joining::To(Target { account, link: None, opening: Opening::Takeover(Consent::Switch), set_id: None })
        }
        OnConflict::SourceWins => {
            draft.joined(join_rule(candidate.rule), account);
            set_id(subject, draft, account, Reason::plain(Code::AnchorWrong), &[Step::Link]);
            Joining::Settled
        }
    }
}

/// A re-anchoring of an account: one write in a managed domain, a repair sequence in a federated one.
pub(super) fn set_id<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    draft: &mut Draft<'a>,
    account: &'a Account,
    reason: Reason,
    then: &[Step],
) {
    let Some(id) = subject.person.immutable_id() else {
        draft.refuse(Reason::plain(Code::AnchorMissing));
        return;
    };
    if let Some(problem) = values::id_problem(id) {
        draft.refuse(Reason::with(Code::InvalidValue, format!("onPremisesImmutableId {problem}")));
        return;
    }
    let federated = account.upn().is_some_and(|upn| subject.is_federated(upn));
    let consent = if federated { Consent::Repair } else { Consent::Switch };
    if federated {
        draft.code(Code::RepairNeeded);
    }
    let mut steps = Vec::with_capacity(then.len() + 2);
    if account.is_deleted() {
        steps.push(Step::Restore);
    }
    steps.push(Step::Update {
        immutable_id: Some(id.clone()),
        before: crate::vocabulary::attribute::Attributes::default(),
        after: crate::vocabulary::attribute::Attributes::default(),
    });
    steps.extend(then.iter().cloned());
    draft.parts.push(Part { action: Action::Repair, when: StepOrder::Opening, consent, reason, steps });
}

/// It carries no ID: ours to claim, if nothing speaks against it.
fn unclaimed<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    draft: &mut Draft<'a>,
    candidate: &Candidate<'a>,
    upn: Option<&str>,
) -> Joining<'a> {
    let account = candidate.account;
    let Some(id) = subject.person.immutable_id() else {
        let federated = upn.is_some_and(|upn| subject.is_federated(upn));
        let code = if federated { Code::FederatedWithoutId } else { Code::AnchorMissing };
        draft.refuse_join(Reason::plain(code), Some(account));
        return Joining::Settled;
    };
    if let Some(problem) = values::id_problem(id) {
        let detail = format!("onPremisesImmutableId {problem}");
        draft.refuse_join(Reason::with(Code::InvalidValue, detail), Some(account));
        return Joining::Settled;
    }
    if proof::contradicts(subject, draft, account) {
        draft.refuse_join(Reason::plain(Code::RecycledIdentity), Some(account));
        return Joining::Settled;
    }
    if !is_claimable(subject, draft, account) {
        return Joining::Settled;
    }
    let rivals = claims::rivals(subject, account);
    if !rivals.is_empty() {
        draft.saw_at(EvidenceRule::Claims, Found::Several, &account.id, None, None);
        let reason = claims::contested(draft, "same account", &rivals);
        draft.refuse_join(reason, Some(account));
        return Joining::Settled;
    }
    let mut consent = Consent::Switch;
    if candidate.rule == SoftRule::PrimarySmtp && account.enabled == Some(false) && account.licenses.is_empty() {
        draft.show(account);
        draft.code(Code::MaybeShared);
        consent = Consent::Approval;
    }
    if account.upn().is_some_and(|upn| subject.is_federated(upn)) {
        draft.code(Code::RepairNeeded);
        consent = Consent::Repair;
    }
    draft.joined(join_rule(candidate.rule), account);
    Joining::To(Target { account, link: None, opening: Opening::Takeover(consent), set_id: Some(id.clone()) })
}

/// The conditions that every taking of an account by name must meet.
pub(super) fn is_claimable<F: Facts>(subject: &PersonContext<'_, F>, draft: &mut Draft<'_>, account: &Account) -> bool {
    let reason = if account.authority == Authority::Synced {
        draft.show(account);
        Reason::plain(Code::MasteredElsewhere)
    } else if !subject.is_complete() {
        Reason::plain(Code::Incomplete)
    } else {
        match subject.privileged(&account.id) {
            Some(reason) => reason,
            None => return true,
        }
    };
    draft.refuse_join(reason, Some(account));
    false
}

fn join_rule(rule: SoftRule) -> JoinRule {
    match rule {
        SoftRule::Upn => JoinRule::Upn,
        SoftRule::PrimarySmtp => JoinRule::PrimarySmtp,
    }
}

/// The person's employee ID, when the policy lets it prove identity.
pub(super) fn proving_employee_id<'a, F: Facts>(subject: &PersonContext<'a, F>) -> Option<&'a str> {
    let proves = subject.policy.prove.contains(&Attr::EmployeeId);
    subject.person.attributes.filled(Attr::EmployeeId).filter(|id| proves && !is_shared_number(subject, id))
}
