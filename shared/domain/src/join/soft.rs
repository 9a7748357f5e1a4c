//! Soft match: an account that nobody claims has the person's sign-in name or primary address. Never a display name.

use crate::draft::{Consent, EvidenceLog};
use crate::facts::Facts;
use crate::join::candidates::Candidate;
use crate::join::claims;
use crate::join::outcome::{Joining, Opening, Refusal, Target, refused};
use crate::join::reanchor::set_id;
use crate::person_context::PersonContext;
use crate::rules::likeness::named;
use crate::rules::proof::{self, Proof};
use crate::vocabulary::account::{Account, AccountKind, Authority};
use crate::vocabulary::change::Action;
use crate::vocabulary::evidence::{EvidenceRule, Found};
use crate::vocabulary::ids::ImmutableId;
use crate::vocabulary::link::{JoinRule, Link};
use crate::vocabulary::policy::{OnConflict, SoftRule, Switch};
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::step::Step;
use crate::vocabulary::values;

pub(super) fn judge<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    log: &mut EvidenceLog,
    candidates: &[Candidate<'a>],
    upn: Option<&str>,
) -> Option<Joining<'a>> {
    let candidate = match candidates {
        [] => return None,
        [candidate] => candidate,
        [_, _, ..] => {
            let ids: Vec<&str> = candidates.iter().map(|candidate| candidate.account.id.as_str()).collect();
            return Some(Joining::Refused(Refusal::new(Reason::with(Code::Ambiguous, ids.join(", ")))));
        }
    };
    let account = candidate.account;
    if account.kind == AccountKind::Guest {
        return Some(refused(claims::guest(account), account));
    }
    if let Some(link) = subject.facts.link_to(&account.id).filter(|link| link.person != subject.who) {
        return linked_to_another(subject, log, account, link);
    }
    match &account.immutable_id {
        Some(id) => Some(anchored(subject, log, candidate, id)),
        None => Some(unclaimed(subject, log, candidate, upn)),
    }
}

/// Somebody's account by link. While they are here, it is a name in use (perhaps given up in this plan); when they are
/// gone, either they came back under another key or the name was recycled.
fn linked_to_another<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    log: &mut EvidenceLog,
    account: &'a Account,
    link: &'a Link,
) -> Option<Joining<'a>> {
    let code = if link.person.connection != subject.who.connection {
        Code::ClaimedByConnection
    } else if proof::contradicts(subject, log, account) {
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
    log.saw_at(EvidenceRule::Claims, Found::Different, &account.id, None, Some(&whose));
    Some(refused(Reason::with(code, format!("the account is that of {whose}")), account))
}

/// The account carries an ID, and not the person's.
fn anchored<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    log: &mut EvidenceLog,
    candidate: &Candidate<'a>,
    id: &ImmutableId,
) -> Joining<'a> {
    let account = candidate.account;
    let wanted = subject.person.immutable_id();
    if wanted.is_some_and(|wanted| wanted.as_str().eq_ignore_ascii_case(id.as_str())) {
        let hint = "the IDs differ in upper and lower case only";
        return refused(Reason::with(Code::AnchorConflict, hint), account);
    }
    log.saw_at(
        EvidenceRule::HardMatch,
        Found::Different,
        &account.id,
        wanted.map(ImmutableId::as_str),
        Some(id.as_str()),
    );
    let proof = proof::of(subject, log, account);
    if !subject.person.knows_anchor(id) && !subject.others_with_id(id).is_empty() {
        let code = if proof == Proof::Contradicted { Code::RecycledIdentity } else { Code::AddressTaken };
        log.saw(EvidenceRule::Claims, Found::Different);
        return refused(Reason::plain(code), account);
    }
    match proof {
        Proof::Contradicted => refused(Reason::plain(Code::RecycledIdentity), account),
        Proof::Open => refused(Reason::plain(Code::AnchorConflict), account),
        Proof::Proven => wrong_id(subject, log, candidate),
    }
}

/// The account is proven to be the person's, but its ID is nobody's.
fn wrong_id<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    log: &mut EvidenceLog,
    candidate: &Candidate<'a>,
) -> Joining<'a> {
    let (account, rule) = (candidate.account, join_rule(candidate.rule));
    if let Some(reason) = not_claimable(subject, log, account) {
        return refused(reason, account);
    }
    match subject.policy.on_conflict {
        OnConflict::Stop => refused(Reason::plain(Code::AnchorWrong), account),
        OnConflict::TenantWins => {
            let notes = vec![Reason::plain(Code::AnchorLearned)];
            Joining::To(Target { notes, ..Target::new(account, rule, Opening::Takeover(Consent::Switch)) })
        }
        OnConflict::SourceWins => {
            set_id(subject, (rule, account), Reason::plain(Code::AnchorWrong), vec![Step::Link], None)
        }
    }
}

/// The account carries no ID: ours to claim, if nothing speaks against it.
fn unclaimed<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    log: &mut EvidenceLog,
    candidate: &Candidate<'a>,
    upn: Option<&str>,
) -> Joining<'a> {
    let account = candidate.account;
    let Some(id) = subject.person.immutable_id() else {
        let federated = upn.is_some_and(|upn| subject.is_federated(upn));
        let code = if federated { Code::FederatedWithoutId } else { Code::AnchorMissing };
        return refused(Reason::plain(code), account);
    };
    if let Some(problem) = values::id_problem(id) {
        let detail = format!("onPremisesImmutableId {problem}");
        return refused(Reason::with(Code::InvalidValue, detail), account);
    }
    if proof::contradicts(subject, log, account) {
        return refused(Reason::plain(Code::RecycledIdentity), account);
    }
    if let Some(reason) = not_claimable(subject, log, account) {
        return refused(reason, account);
    }
    let rivals = claims::rivals(subject, account);
    if !rivals.is_empty() {
        log.saw_at(EvidenceRule::Claims, Found::Several, &account.id, None, None);
        let reason = claims::contested(log, "same account", &rivals);
        return refused(reason, account);
    }
    let (mut consent, mut notes) = (Consent::Switch, Vec::new());
    if candidate.rule == SoftRule::PrimarySmtp && account.enabled == Some(false) && account.licenses.is_empty() {
        log.show(account);
        notes.push(Reason::plain(Code::MaybeShared));
        consent = Consent::Approval;
    }
    if account.upn().is_some_and(|upn| subject.is_federated(upn)) {
        return in_federated_domain(subject, candidate, consent, notes);
    }
    let opening = Opening::Takeover(consent);
    Joining::To(Target { set_id: Some(id.clone()), notes, ..Target::new(account, join_rule(candidate.rule), opening) })
}

/// A first ID in a federated domain is set by a repair; what else differs follows when the person is decided again. What
/// holds a takeover back holds this one back, too.
fn in_federated_domain<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    candidate: &Candidate<'a>,
    consent: Consent,
    notes: Vec<Reason>,
) -> Joining<'a> {
    let taken = (join_rule(candidate.rule), candidate.account);
    if subject.policy.actions.takeover == Switch::Off {
        return refused(Reason::with(Code::ActionOff, Action::Takeover.name()), candidate.account);
    }
    match set_id(subject, taken, Reason::plain(Code::Takeover), vec![Step::Link], None) {
        Joining::Opens(mut opened) => {
            let asks = subject.policy.actions.takeover != Switch::On;
            opened.consent = if asks { Consent::Approval } else { consent };
            opened.notes.extend(notes);
            Joining::Opens(opened)
        }
        refused => refused,
    }
}

/// Why an account may not be taken by name by anybody.
fn not_claimable<F: Facts>(subject: &PersonContext<'_, F>, log: &mut EvidenceLog, account: &Account) -> Option<Reason> {
    if account.authority == Authority::Synced {
        log.show(account);
        Some(Reason::plain(Code::MasteredElsewhere))
    } else if !subject.is_complete() {
        Some(Reason::plain(Code::Incomplete))
    } else {
        subject.privileged(&account.id)
    }
}

fn join_rule(rule: SoftRule) -> JoinRule {
    match rule {
        SoftRule::Upn => JoinRule::Upn,
        SoftRule::PrimarySmtp => JoinRule::PrimarySmtp,
        SoftRule::EmployeeId => JoinRule::EmployeeId,
    }
}
