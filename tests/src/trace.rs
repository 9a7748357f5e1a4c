//! What a command asks the table and writes into it, message by message, with the units of each: to see what a run is made of.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use hardmatch_ports::table::Units;
use hardmatch_ports::{Key, Message};

use crate::bill::kind;

/// Calls to the table in order, under the messages they were made for.
#[derive(Clone, Debug, Default)]
pub struct Trace(Arc<Mutex<Vec<Part>>>);

/// What was done for one message, or before the first.
#[derive(Clone, Debug, Default)]
struct Part {
    message: String,
    calls: Vec<(String, Units)>,
}

impl Trace {
    /// Units of everything so far.
    pub fn units(&self) -> Units {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.iter().flat_map(|part| &part.calls).fold(Units::default(), |sum, (_, units)| sum.plus(*units))
    }

    /// Kinds of the messages so far, in order.
    pub fn messages(&self) -> Vec<String> {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.iter().filter(|part| !part.message.is_empty()).map(|part| part.message.clone()).collect()
    }

    /// Units by message and kind of call, reads of reads and writes of writes, to see what a night is made of.
    pub fn by_kind(&self) -> BTreeMap<(String, String), Units> {
        let mut found: BTreeMap<(String, String), Units> = BTreeMap::new();
        for part in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            for (call, units) in &part.calls {
                let sum = found.entry((part.message.clone(), call.clone())).or_default();
                // Calls are made beside one another, and a write reads nothing itself.
                let writes = call.starts_with("write") || call.starts_with("transact");
                *sum = sum.plus(if writes { Units { read: 0, ..*units } } else { Units { write: 0, ..*units } });
            }
        }
        found
    }

    pub(crate) fn message(&self, message: &Message) {
        let part = Part { message: message.kind.name().to_owned(), calls: Vec::new() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(part);
    }

    pub(crate) fn enter(&self, what: &str, key: &Key, units: Units) {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if parts.is_empty() {
            parts.push(Part::default());
        }
        if let Some(part) = parts.last_mut() {
            part.calls.push((format!("{what} {}", kind(key)), units));
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            writeln!(f, "{}:", part.message)?;
            for (call, units) in &part.calls {
                writeln!(f, "  {call}: {} read, {} write", units.read, units.write)?;
            }
        }
        Ok(())
    }
}
