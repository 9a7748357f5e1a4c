//! What the writes of a command cost, item kind by item kind, as DynamoDB would bill them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use hardmatch_ports::table::item_bytes;
use hardmatch_ports::{Key, Table, Write};

/// Write units by kind of item (`P CHANGE`, `A ACCOUNT`, `KP`), filled while a command runs.
#[derive(Clone, Debug, Default)]
pub struct Bill(Arc<Mutex<BTreeMap<String, u64>>>);

impl Bill {
    /// Units by kind.
    pub fn items(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.items().values().sum()
    }

    /// Units of kinds that come with people: what a run costs besides is left out.
    pub fn of_people(&self) -> u64 {
        let people = ["P ", "A ", "KP", "KA", "DIRTY", "LANE", "BATCH", "GATE", "R#"];
        self.items()
            .iter()
            .filter(|(kind, _)| people.iter().any(|of| kind.starts_with(of)))
            .map(|(_, units)| units)
            .sum()
    }

    /// Enters writes before they are made; `times` is 2 in a transaction.
    pub(crate) async fn enter<T: Table>(&self, table: &T, writes: &[Write], times: u64) {
        for write in writes {
            let before = table.get(write.key()).await.ok().flatten().map_or(0, |item| item.bytes());
            let after = match write {
                Write::Put { key, body, .. } => item_bytes(key, body),
                Write::Delete { .. } | Write::Check { .. } => 0,
            };
            let units = before.max(after).div_ceil(1024).max(1) as u64 * times;
            let name = match times {
                1 => kind(write.key()),
                _ => format!("{} (transaction)", kind(write.key())),
            };
            *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += units;
        }
    }
}

/// `P#contoso#…` / `hist#…` is `P hist`; look-ups, lanes and the like need no second word.
pub(crate) fn kind(key: &Key) -> String {
    let first = key.pk.split('#').next().unwrap_or_default();
    match first {
        "P" | "A" | "CONN" | "T" => format!("{first} {}", key.sk.split('#').next().unwrap_or_default()),
        "R" => format!("R#{}", key.pk.rsplit('#').next().unwrap_or_default()),
        _ => first.to_owned(),
    }
}
