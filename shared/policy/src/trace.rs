//! Every expression of a file tried on one person: what `config test` shows.

use std::fmt;

use hardmatch_domain::person::Person;
use hardmatch_domain::policy::{Expression, FlowWhen, Rule};
use serde::Serialize;

use crate::config::Config;

/// One expression and what it says about one person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RuleTrace {
    /// The key it stands at: `scope.include`, `attributes.jobTitle`.
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
    let scope = config.scope.iter().map(|rule| RuleTrace {
        key: "scope.include".to_owned(),
        expression: rule.written().to_owned(),
        reads: rule.reads().collect(),
        outcome: match rule.test(person) {
            Ok(answer) => TraceOutcome::Answer(answer),
            Err(error) => TraceOutcome::Unknown(error.0),
        },
    });
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
    scope.chain(flows).collect()
}
