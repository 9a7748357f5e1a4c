//! Every expression of a file tried on one person, and what the rules give them: what `config test` shows.

use std::fmt;

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::person::Person;
use hardmatch_domain::policy::{Expression, FlowFrom, FlowWhen, Rule};
use hardmatch_domain::values::problem;
use serde::Serialize;

use crate::config::{Config, GroupTable, LicenseTable};
use crate::expression::Compiled;

/// One expression and what it says about one person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RuleTrace {
    /// The key it stands at: `scope.include`, `attributes.jobTitle`; for rules, what they give and, of several, which in
    /// the file's order: `license.SPE_E3`, `license.SPE_E3#2`, `group.Staff`.
    pub key: String,
    /// As the operator wrote it.
    pub expression: String,
    /// The fields it reads, as an operator writes them.
    pub reads: Vec<String>,
    /// What it gives.
    pub outcome: TraceOutcome,
}

/// What an expression gave. Holds personal data: shown to operators, never logged; `Debug` leaves it out.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "value")]
pub enum TraceOutcome {
    /// A rule's answer.
    Answer(bool),
    /// A flow's text.
    Text(String),
    /// It could not be worked out: unknown, never no.
    Unknown(String),
}

impl fmt::Debug for TraceOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TraceOutcome::Answer(answer) => write!(f, "Answer({answer})"),
            TraceOutcome::Text(_) => f.write_str("Text(…)"),
            TraceOutcome::Unknown(why) => write!(f, "Unknown({why:?})"),
        }
    }
}

/// Tries every expression on the person, in the order of the file's tables. Expressions of attributes that never flow
/// are left out.
pub fn test_rules(config: &Config, person: &Person) -> Vec<RuleTrace> {
    let scope = config.scope.iter().map(|rule| rule_trace("scope.include".to_owned(), rule, person));
    let flows = config.attributes.iter().filter(|(_, mapping)| mapping.flow != FlowWhen::Never).filter_map(
        |(attr, mapping)| {
            let expression = mapping.from.as_ref()?;
            Some(RuleTrace {
                key: format!("attributes.{attr}"),
                expression: expression.written().to_owned(),
                reads: expression.reads().collect(),
                outcome: match expression.eval(person) {
                    Ok(text) => TraceOutcome::Text(text),
                    Err(error) => TraceOutcome::Unknown(error.0),
                },
            })
        },
    );
    let licenses = numbered("license", &config.licenses, |rule| &rule.sku, LicenseTable::is_of)
        .map(|(key, rule)| rule_trace(key, &rule.when, person));
    let groups = numbered("group", &config.groups, |rule| &rule.name, GroupTable::is_of)
        .map(|(key, rule)| rule_trace(key, &rule.when, person));
    scope.chain(flows).chain(licenses).chain(groups).collect()
}

fn rule_trace(key: String, rule: &Compiled, person: &Person) -> RuleTrace {
    RuleTrace {
        key,
        expression: rule.written().to_owned(),
        reads: rule.reads().collect(),
        outcome: match rule.test(person) {
            Ok(answer) => TraceOutcome::Answer(answer),
            Err(error) => TraceOutcome::Unknown(error.0),
        },
    }
}

/// Rules with their keys.
fn numbered<'c, T>(
    table: &'static str,
    rules: &'c [T],
    name: impl Fn(&T) -> &str + 'c,
    same: impl Fn(&T, &T) -> bool + 'c,
) -> impl Iterator<Item = (String, &'c T)> {
    rules.iter().enumerate().map(move |(at, rule)| {
        let number = rules[..at].iter().filter(|above| same(above, rule)).count() + 1;
        let number = if number == 1 { String::new() } else { format!("#{number}") };
        (format!("{table}.{}{number}", name(rule)), rule)
    })
}

/// What the rules give one person beside the account, and which rule decided. What the tenant has of it is not asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Entitlements {
    /// A licence each, in the file's order.
    pub licenses: Vec<Entitlement>,
    /// A group each, in the file's order.
    pub groups: Vec<Entitlement>,
    /// A rule could not be worked out: nothing at all is taken from the person.
    pub takes_nothing: bool,
    /// The usage location that the source gives. Without one, and without one in the tenant, no licence is given.
    pub usage_location: Option<String>,
}

/// One licence or group.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Entitlement {
    /// As the rules name it.
    pub name: String,
    /// Whether the person is to have it.
    pub given: Given,
    /// The rule that decided, as [`RuleTrace::key`]: the first that fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Plans of the licence that stay off.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
    /// Rules that fit as well and change nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
}

/// Whether rules give something.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Given {
    /// One fits.
    Yes,
    /// None does.
    No,
    /// None fits, and one could not be worked out: neither given nor taken away.
    Unknown,
}

/// Asks the licence and group rules as a decision does: a licence or membership that any rule gives is given, and the
/// first that fits names the plans that stay off.
pub fn entitlements(config: &Config, person: &Person) -> Entitlements {
    let usage_location = usage_location(config, person);
    let mut given = Entitlements { licenses: Vec::new(), groups: Vec::new(), takes_nothing: false, usage_location };
    for (key, rule) in numbered("license", &config.licenses, |rule| &rule.sku, LicenseTable::is_of) {
        let answer = rule.when.test(person).ok();
        given.takes_nothing |= answer.is_none();
        let license = entry(&mut given.licenses, &rule.sku);
        if license.hears(key, answer) {
            license.without.clone_from(&rule.without);
        }
    }
    for (key, rule) in numbered("group", &config.groups, |rule| &rule.name, GroupTable::is_of) {
        let answer = rule.when.test(person).ok();
        given.takes_nothing |= answer.is_none();
        entry(&mut given.groups, &rule.name).hears(key, answer);
    }
    given
}

fn usage_location(config: &Config, person: &Person) -> Option<String> {
    let flow = config.flow();
    let mapping = flow.iter().find(|mapping| mapping.to == Attr::UsageLocation && mapping.when != FlowWhen::Never)?;
    let value = match &mapping.from {
        FlowFrom::Same => person.attributes.filled(Attr::UsageLocation).map(str::to_owned),
        FlowFrom::Expression(expression) => expression.eval(person).ok(),
    };
    value.filter(|value| !value.is_empty() && problem(Attr::UsageLocation, value).is_none())
}

fn entry<'e>(list: &'e mut Vec<Entitlement>, name: &str) -> &'e mut Entitlement {
    let at = list.iter().position(|have| have.name.eq_ignore_ascii_case(name)).unwrap_or(list.len());
    if at == list.len() {
        let nothing =
            Entitlement { name: name.to_owned(), given: Given::No, by: None, without: Vec::new(), also: Vec::new() };
        list.push(nothing);
    }
    &mut list[at]
}

impl Entitlement {
    /// Takes a rule's answer; `None`: it could not be worked out. Whether it is the rule that decides.
    fn hears(&mut self, key: String, answer: Option<bool>) -> bool {
        match (answer, self.given) {
            (Some(true), Given::Yes) => self.also.push(key),
            (Some(true), Given::No | Given::Unknown) => {
                self.given = Given::Yes;
                self.by = Some(key);
                return true;
            }
            (None, Given::No) => self.given = Given::Unknown,
            (None, Given::Yes | Given::Unknown) | (Some(false), _) => {}
        }
        false
    }
}
