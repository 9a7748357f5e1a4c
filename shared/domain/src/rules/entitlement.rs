//! What rules give beside the account, and take again. Licences and memberships follow the same logic, which is written
//! here once: a thing that any rule wants is given, and only what we gave is taken.

use crate::draft::Draft;
use crate::facts::Facts;
use crate::person_context::PersonContext;
use crate::vocabulary::account::Account;
use crate::vocabulary::evidence::EvidenceRule;
use crate::vocabulary::link::Ledger;
use crate::vocabulary::policy::Rule;
use crate::vocabulary::reason::{Code, Reason};

/// A kind of entitlement: what rules name, what an account has of it, and what of that we gave.
pub(crate) trait Entitlement {
    /// A rule of the policy.
    type Rule;
    /// What a rule names, as the tenant has it.
    type Thing;
    /// A thing as a step gives or takes it.
    type Grant;

    /// Which rule is named in the evidence.
    const EVIDENCE: EvidenceRule;
    /// The kind in words, for a reason.
    const WORD: &'static str;

    /// To whom a rule gives its thing.
    fn when(rule: &Self::Rule) -> &dyn Rule;
    /// The thing that a rule names, or why nobody is given it.
    fn find(&self, rule: &Self::Rule) -> Result<Self::Thing, Reason>;
    /// Whether two rules name one thing.
    fn is_same(one: &Self::Thing, other: &Self::Thing) -> bool;
    /// The thing's name for operators.
    fn name(thing: &Self::Thing) -> &str;
    /// The thing on the terms of a rule, or why these terms cannot be known.
    fn grant(rule: &Self::Rule, thing: &Self::Thing) -> Result<Self::Grant, Reason>;
    /// Whether an account has the thing, from whomever.
    fn has(account: &Account, thing: &Self::Thing) -> bool;
    /// The thing as we gave it.
    fn ours(&self, ledger: &Ledger, thing: &Self::Thing) -> Option<Self::Grant>;
    /// What to give when we gave the thing before: nothing when the terms are the same.
    fn renewed(grant: Self::Grant, ours: &Self::Grant) -> Option<Self::Grant>;
}

/// What a person's entitlements of one kind lack, and have too much of.
pub(crate) struct Difference<G> {
    pub(crate) give: Vec<G>,
    pub(crate) take: Vec<G>,
    /// A rule could not be evaluated: nothing is removed.
    pub(crate) unknown: bool,
}

impl<G> Difference<G> {
    pub(crate) fn none() -> Self {
        Self { give: Vec::new(), take: Vec::new(), unknown: false }
    }

    /// The difference without what would be taken away.
    pub(crate) fn taking_nothing(self) -> Self {
        Self { take: Vec::new(), ..self }
    }
}

/// Compares what the rules want of a person with what the account has. `account` is absent when one is created.
pub(crate) fn difference<F: Facts, E: Entitlement>(
    subject: &PersonContext<'_, F>,
    draft: &mut Draft<'_>,
    kind: &E,
    rules: &[E::Rule],
    (account, ledger): (Option<&Account>, Option<&Ledger>),
) -> Difference<E::Grant> {
    let mut found = Difference::none();
    // Several rules may name one thing: the first that fits says on which terms it is given.
    let mut seen: Vec<(E::Thing, Option<E::Grant>)> = Vec::new();
    for rule in rules {
        let thing = match kind.find(rule) {
            Ok(thing) => thing,
            Err(reason) => {
                draft.note(reason);
                continue;
            }
        };
        let at = seen.iter().position(|(other, _)| E::is_same(other, &thing)).unwrap_or_else(|| {
            seen.push((thing, None));
            seen.len() - 1
        });
        let (thing, grant) = &mut seen[at];
        match E::when(rule).test(subject.person) {
            Err(error) => {
                found.unknown = true;
                draft.note(Reason::with(Code::Unknown, format!("{} {}: {error}", E::WORD, E::name(thing))));
            }
            Ok(true) if grant.is_none() => {
                draft.evidence.saw_rule(E::EVIDENCE, &format!("{} by {}", E::name(thing), E::when(rule).text()));
                match E::grant(rule, thing) {
                    Ok(terms) => *grant = Some(terms),
                    Err(reason) => {
                        // What the rule gives is not known: nothing is taken because of that.
                        found.unknown = true;
                        draft.note(reason);
                    }
                }
            }
            Ok(_) => {}
        }
    }
    for (thing, grant) in seen {
        let has = account.is_some_and(|account| E::has(account, &thing));
        let ours = ledger.filter(|_| has).and_then(|ledger| kind.ours(ledger, &thing));
        match (grant, ours) {
            (Some(grant), Some(ours)) => found.give.extend(E::renewed(grant, &ours)),
            (Some(grant), None) if !has => found.give.push(grant),
            (None, Some(ours)) => found.take.push(ours),
            // What an administrator gave satisfies a rule and stays theirs.
            (Some(_) | None, None) => {}
        }
    }
    found
}
