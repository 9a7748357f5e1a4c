//! How a person's attributes become an account's: what is wanted, and what of it differs. Sign-in names are `upn`'s,
//! managers `manager`'s, `accountEnabled` is `lifecycle`'s and immutable IDs are `join`'s.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::draft::Draft;
use crate::facts::{By, Facts};
use crate::person_context::{PersonContext, Roles};
use crate::rules::likeness::{is_shared_address, is_shared_number, named};
use crate::vocabulary::account::{Account, Authority};
use crate::vocabulary::attribute::{Attr, Attributes};
use crate::vocabulary::change::{EvidenceRule, Found, Step};
use crate::vocabulary::link::Link;
use crate::vocabulary::person::PersonRecord;
use crate::vocabulary::policy::{FlowWhen, RuleError, WhenEmpty};
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::text::same_name;
use crate::vocabulary::values;

/// A value for an attribute.
pub(crate) type Pair<'a> = (Attr, Cow<'a, str>);

/// Which attributes flow at this moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The account is new or newly joined: initial values count.
    First,
    /// It was ours before.
    Later,
}

/// What differs between what the source says and what the account has.
#[derive(Default)]
pub(crate) struct Differences<'a> {
    /// To be written together.
    pub(crate) ordinary: Vec<Pair<'a>>,
    /// To be written apart: Graph may refuse them for reasons of their own.
    pub(crate) hazardous: Vec<Pair<'a>>,
    /// To be cleared.
    pub(crate) blanks: Vec<Attr>,
    /// We wrote one of these values before, and somebody changed it.
    pub(crate) drifted: bool,
    /// A required value is invalid: nothing is to be written.
    pub(crate) refused: bool,
}

/// Whether graph would see a difference. Sign-in names and addresses ignore case, countries too.
fn is_same(attr: Attr, wanted: &str, have: &str) -> bool {
    wanted == have
        || match attr {
            Attr::UsageLocation => wanted.eq_ignore_ascii_case(have),
            Attr::Mail | Attr::UserPrincipalName => same_name(wanted, have),
            Attr::OtherMails | Attr::PasswordPolicies => {
                let parts = |value| attr.parts(value).map(str::to_lowercase).collect::<BTreeSet<_>>();
                parts(wanted) == parts(have)
            }
            _ => false,
        }
}

pub(crate) fn differences<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    draft: &mut Draft<'_>,
    account: &'a Account,
    link: Option<&Link>,
    moment: Moment,
) -> Result<Differences<'a>, Reason> {
    let mut found = Differences::default();
    for mapping in &subject.policy.flow {
        let attr = mapping.to;
        if attr == Attr::UserPrincipalName {
            continue;
        }
        let have = account.attributes.filled(attr);
        match mapping.when {
            FlowWhen::Never => continue,
            FlowWhen::Initial if moment == Moment::Later || have.is_some() => continue,
            FlowWhen::Initial | FlowWhen::Always => {}
        }
        let wanted = mapping.value(subject.person).map_err(|error| unknown(attr, &error))?;
        let Some(wanted) = wanted else { continue };
        if wanted.is_empty() {
            if have.is_some() && mapping.when_empty == WhenEmpty::Clear && !attr.keeps_a_value() {
                if let Some(reason) = roles_forbid(subject, account, attr) {
                    draft.note(reason);
                } else {
                    found.blanks.push(attr);
                }
            }
            continue;
        }
        if have.is_some_and(|have| is_same(attr, &wanted, have)) {
            continue;
        }
        if let Some(problem) = values::problem(attr, &wanted) {
            draft.note(Reason::with(Code::InvalidValue, format!("{attr} {problem}")));
            found.refused |= matches!(attr, Attr::DisplayName | Attr::MailNickname);
            continue;
        }
        if let Some(reason) = roles_forbid(subject, account, attr) {
            draft.note(reason);
            continue;
        }
        if attr == Attr::Mail && account.has_mailbox() {
            // Said below, for every source that names a primary address.
            continue;
        }
        if let Some(reason) = anothers(subject, attr, &wanted, Some(account)) {
            draft.note(reason);
            continue;
        }
        if link.is_some_and(|link| link.ledger.written.get(attr) == Some(&*wanted)) {
            found.drifted = true;
            draft.evidence.saw_at(EvidenceRule::Drift, Found::Different, &account.id, Some(&wanted), have);
        }
        if is_hazardous(attr, account) {
            found.hazardous.push((attr, wanted));
        } else {
            found.ordinary.push((attr, wanted));
        }
    }
    let together = with_companions(account, &found.ordinary);
    found.ordinary.extend(together);
    mastered_mail(subject, draft, account);
    Ok(found)
}

/// What the account has of attributes that Graph would clear beside these.
pub(crate) fn with_companions<'a>(account: &'a Account, pairs: &[Pair<'_>]) -> Vec<Pair<'a>> {
    let lacks = |attr: &Attr| !pairs.iter().any(|(have, _)| have == attr);
    let companions = pairs.iter().filter_map(|(attr, _)| attr.written_with()).filter(lacks);
    companions.filter_map(|attr| Some((attr, Cow::Borrowed(account.attributes.filled(attr)?)))).collect()
}

/// A new account's attributes, sign-in name first. Invalid ordinary values are left out and reported.
pub(crate) fn initial<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    draft: &mut Draft<'_>,
) -> Result<Vec<Pair<'a>>, Reason> {
    let mut pairs: Vec<Pair<'a>> = Vec::with_capacity(subject.policy.flow.len() + 2);
    for mapping in subject.policy.flow.iter().filter(|mapping| mapping.when != FlowWhen::Never) {
        let attr = mapping.to;
        let wanted = mapping.value(subject.person).map_err(|error| unknown(attr, &error))?;
        if let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) {
            pairs.push((attr, wanted));
        }
    }
    default_names(&mut pairs);
    let mut refused = None;
    pairs.retain(|(attr, value)| {
        let Some(problem) = values::problem(*attr, value) else { return true };
        let reason = Reason::with(Code::InvalidValue, format!("{attr} {problem}"));
        if matches!(attr, Attr::UserPrincipalName | Attr::DisplayName | Attr::MailNickname) {
            refused.get_or_insert(reason);
        } else {
            draft.note(reason);
        }
        false
    });
    pairs.retain(|(attr, value)| {
        let Some(reason) = anothers(subject, *attr, value, None) else { return true };
        draft.note(reason);
        false
    });
    if let Some(reason) = refused {
        return Err(reason);
    }
    for attr in [Attr::UserPrincipalName, Attr::DisplayName, Attr::MailNickname] {
        if !pairs.iter().any(|(have, _)| *have == attr) {
            return Err(Reason::with(Code::MissingValue, attr.name()));
        }
    }
    Ok(pairs)
}

/// Why a value that names one person is not written: a placeholder that many have, or an address that somebody else has
/// or is to have, which the tenant would refuse.
fn anothers<F: Facts>(
    subject: &PersonContext<'_, F>,
    attr: Attr,
    value: &str,
    account: Option<&Account>,
) -> Option<Reason> {
    match attr {
        Attr::EmployeeId => is_shared_number(subject, value).then(|| Reason::with(Code::SharedValue, attr.name())),
        Attr::Mail => {
            if is_shared_address(subject, value) {
                return Some(Reason::with(Code::SharedValue, attr.name()));
            }
            if let Some(holder) = subject.holder_of(value, account.map(|account| &account.id)) {
                return Some(Reason::with(Code::AddressInUse, format!("{attr}, held by {}", holder.id)));
            }
            let wants = |other: &&PersonRecord| {
                let theirs = other.person.addresses.primary();
                subject.competes(other)
                    && theirs.is_some_and(|theirs| same_name(theirs, value))
                    && !(subject.gets_nothing(other) && subject.facts.link(&other.reference()).is_none())
            };
            let others = subject.others(By::Address, value);
            let other = others.iter().copied().find(|other| wants(other))?;
            Some(Reason::with(Code::SharedValue, format!("{attr}, also of {}", named(other))))
        }
        _ => None,
    }
}

/// What every account needs and some sources lack: an alias from the sign-in name, a name from its two halves.
fn default_names(pairs: &mut Vec<Pair<'_>>) {
    let get = |pairs: &[Pair<'_>], attr: Attr| {
        pairs.iter().find(|(have, _)| *have == attr).map(|(_, value)| value.clone().into_owned())
    };
    if get(pairs, Attr::MailNickname).is_none()
        && let Some(upn) = get(pairs, Attr::UserPrincipalName)
        && let Some((local, _)) = upn.split_once('@')
    {
        pairs.push((Attr::MailNickname, Cow::Owned(local.to_owned())));
    }
    if get(pairs, Attr::DisplayName).is_none() {
        let halves = [get(pairs, Attr::GivenName), get(pairs, Attr::Surname)];
        let name = halves.into_iter().flatten().collect::<Vec<_>>().join(" ");
        if !name.is_empty() {
            pairs.push((Attr::DisplayName, Cow::Owned(name)));
        }
    }
}

/// The write of these values.
pub(crate) fn update(
    account: &Account,
    pairs: &[Pair<'_>],
    immutable_id: Option<crate::vocabulary::ids::ImmutableId>,
) -> Step {
    let before = pairs.iter().filter_map(|(attr, _)| account.attributes.get(*attr).map(|value| (*attr, value)));
    Step::Update {
        immutable_id,
        before: Attributes::from_pairs(before),
        after: Attributes::from_pairs(pairs.iter().map(|(attr, value)| (*attr, value.as_ref()))),
    }
}

/// The names of the attributes, for a reason.
pub(crate) fn names<'p>(attrs: impl Iterator<Item = &'p Attr>) -> String {
    attrs.map(|attr| attr.name()).collect::<Vec<_>>().join(", ")
}

fn unknown(attr: Attr, error: &RuleError) -> Reason {
    Reason::with(Code::Unknown, format!("{attr}: {error}"))
}

/// Graph refuses some phones of role holders, and the whole write with them.
/// <https://learn.microsoft.com/graph/api/resources/users>
fn roles_forbid<F: Facts>(subject: &PersonContext<'_, F>, account: &Account, attr: Attr) -> Option<Reason> {
    if !attr.is_sensitive() {
        return None;
    }
    match subject.roles(&account.id) {
        Roles::None => None,
        Roles::Unknown => Some(Reason::with(Code::RolesUnknown, attr.name())),
        Roles::Held(_) => Some(Reason::with(Code::Privileged, attr.name())),
    }
}

/// Exchange keeps the extension attributes of accounts that were synced once, and recalculates addresses on mail.
/// <https://learn.microsoft.com/graph/api/user-update>
pub(crate) fn is_hazardous(attr: Attr, account: &Account) -> bool {
    attr == Attr::Mail || (attr.extension_number().is_some() && account.authority == Authority::FormerlySynced)
}

/// The primary address differs, but Exchange masters it.
fn mastered_mail<F: Facts>(subject: &PersonContext<'_, F>, draft: &mut Draft<'_>, account: &Account) {
    let Some(ours) = subject.person.addresses.primary() else { return };
    if account.has_mailbox()
        && let Some(theirs) = account.primary_address()
        && !same_name(ours, theirs)
    {
        draft.code(Code::MailMasteredElsewhere);
        draft.evidence.saw_at(EvidenceRule::PrimarySmtp, Found::Different, &account.id, Some(ours), Some(theirs));
    }
}
