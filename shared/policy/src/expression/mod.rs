//! Expressions: CEL over one person. Checked when the file is loaded, evaluated without copying the person.
//!
//! No other part of the product knows CEL.

mod check;
mod fields;
mod functions;
mod limits;
mod place;
mod types;
mod values;

use std::fmt;
use std::ops::Range;

use cel::common::types::{CelBool, CelString};
use cel::{Context, ExecutionError, IdedExpr, Value};
use hardmatch_domain::person::Person;
use hardmatch_domain::policy::{Expression, Rule, RuleError};

pub use fields::{FIELDS, FieldDoc};
pub use functions::{FUNCTIONS, FunctionDoc};
pub use limits::{MAX_CHARS, MAX_DEPTH};

use fields::Field;

/// What an expression must give.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wanted {
    /// Yes or no.
    Rule,
    /// A text.
    Text,
}

/// What is wrong with an expression, and where in it (bytes), as far as known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    pub(crate) at: Option<Range<usize>>,
    pub(crate) message: String,
    pub(crate) cure: String,
}

/// A checked expression. Prints as it was written.
pub struct Compiled {
    text: Box<str>,
    /// Field accesses are replaced by numbers into `fields`: nothing is looked up by name while evaluating.
    tree: IdedExpr,
    fields: Vec<Field>,
}

impl Compiled {
    pub(crate) fn compile(text: &str, wanted: Wanted) -> Result<Self, Vec<Fault>> {
        limits::check_text(text).map_err(|fault| vec![fault])?;
        let (mut tree, info) = parse(text)?;
        limits::check_tree(&tree).map_err(|fault| vec![fault])?;
        let fields = check::check(text, &mut tree, &info, wanted)?;
        Ok(Self { text: text.into(), tree, fields })
    }

    /// As the operator wrote it.
    pub fn written(&self) -> &str {
        &self.text
    }

    /// Source attributes it reads.
    pub fn source_attributes(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().filter_map(|field| match field {
            Field::Source(name) => Some(name.as_ref()),
            _ => None,
        })
    }

    /// Whether it reads `person.groups`.
    pub fn reads_groups(&self) -> bool {
        self.fields.iter().any(|field| matches!(field, Field::Groups))
    }

    /// The fields of `person` that it reads, as an operator writes them.
    pub fn reads(&self) -> impl Iterator<Item = String> {
        self.fields.iter().map(Field::written)
    }

    fn run<T>(
        &self,
        person: &Person,
        take: impl for<'v> FnOnce(&(dyn cel::common::value::Val + 'v)) -> Option<T>,
        wanted: &str,
    ) -> Result<T, RuleError> {
        let bound = fields::Bound { fields: &self.fields, person };
        let mut context = Context::with_env(functions::environment());
        context.set_variable_resolver(&bound);
        match Value::resolve_val(&self.tree, &context) {
            Ok(value) => {
                take(&*value).ok_or_else(|| RuleError(format!("gives {}, not {wanted}", value.get_type().name())))
            }
            Err(error) => Err(RuleError(words(&error))),
        }
    }
}

/// The parser descends a dozen calls for each bracket: far more stack than the evaluation of what it builds. It gets a
/// stack of its own, so that a policy loads on any thread.
const PARSER_STACK: usize = 16 << 20;

fn parse(text: &str) -> Result<(IdedExpr, cel::common::ast::SourceInfo), Vec<Fault>> {
    let parsed = std::thread::scope(|scope| {
        let work = || functions::environment().parser().parse_with_source_info(text);
        std::thread::Builder::new().stack_size(PARSER_STACK).spawn_scoped(scope, work).ok()?.join().ok()
    });
    match parsed {
        Some(parsed) => parsed.map_err(|errors| place::syntax_faults(text, &errors)),
        None => Err(vec![Fault {
            at: None,
            message: "the expression could not be read".to_owned(),
            cure: "make it simpler".to_owned(),
        }]),
    }
}

impl Rule for Compiled {
    fn test(&self, person: &Person) -> Result<bool, RuleError> {
        self.run(person, |value| value.downcast_ref::<CelBool>().map(|answer| *answer.inner()), "a yes or no")
    }

    fn text(&self) -> &str {
        &self.text
    }
}

impl Expression for Compiled {
    fn eval(&self, person: &Person) -> Result<String, RuleError> {
        self.run(person, |value| value.downcast_ref::<CelString>().map(|text| text.inner().to_owned()), "a text")
    }

    fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Compiled({:?})", self.text)
    }
}

/// What went wrong while evaluating, in words that hold functions and types but never a value: values are personal.
fn words(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchOverload(overload) => overload.to_string(),
        ExecutionError::FunctionError { function, .. } => match function.as_str() {
            "substring" | "charAt" | "indexOf" | "lastIndexOf" => {
                format!("`{function}` was asked for a position outside the text")
            }
            // What these two say names the form of a day and never the day.
            "date" | "addDays" => error.to_string(),
            _ => format!("`{function}` failed on this person's value"),
        },
        ExecutionError::InvalidArgumentCount { expected, actual } => {
            format!("a function takes {expected} arguments and got {actual}")
        }
        ExecutionError::UndeclaredReference(_) => "something the expression names does not exist".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "an index lies outside its list".to_owned(),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "a division by zero".to_owned(),
        ExecutionError::Overflow(..) => "a number became too large".to_owned(),
        ExecutionError::ValuesNotComparable(..) => "two values cannot be compared".to_owned(),
        ExecutionError::UnsupportedBinaryOperator(operator, ..) => {
            format!("the operator `{operator}` was given types it does not take")
        }
        _ => "the expression could not be evaluated".to_owned(),
    }
}

#[cfg(test)]
mod tests;
