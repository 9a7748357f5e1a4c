//! The first and the last day of a person as moments: an expression, a time zone, and which end of the day counts.

use std::sync::Arc;

use hardmatch_domain::person::Person;
use hardmatch_domain::policy::{DayBoundary, Expression as _, RuleError};
use jiff::tz::TimeZone;

use crate::dates;
use crate::expression::Compiled;

/// Which end of the day counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Edge {
    /// The day begins.
    Begins,
    /// The day is over.
    IsOver,
}

/// `lifecycle.starts` or `lifecycle.ends`.
#[derive(Debug)]
pub struct DayRule {
    expression: Arc<Compiled>,
    zone: TimeZone,
    edge: Edge,
}

impl DayRule {
    pub(crate) fn new(expression: Arc<Compiled>, zone: TimeZone, edge: Edge) -> Self {
        Self { expression, zone, edge }
    }

    /// The expression that gives the day.
    pub fn expression(&self) -> &Arc<Compiled> {
        &self.expression
    }

    /// The time zone's name.
    pub fn zone(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }
}

impl DayBoundary for DayRule {
    fn at(&self, person: &Person) -> Result<Option<i64>, RuleError> {
        let text = self.expression.eval(person)?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        let day = dates::parse(&text).map_err(|problem| RuleError(problem.words().to_owned()))?;
        let day = match self.edge {
            Edge::Begins => day,
            Edge::IsOver => day.tomorrow().map_err(|_| RuleError("the day lies too far away".to_owned()))?,
        };
        // A midnight that the clocks skip begins when they are put forward.
        let begins = day.to_zoned(self.zone.clone()).map_err(|_| RuleError("the day lies too far away".to_owned()))?;
        Ok(Some(begins.timestamp().as_second()))
    }

    fn text(&self) -> &str {
        self.expression.written()
    }
}
