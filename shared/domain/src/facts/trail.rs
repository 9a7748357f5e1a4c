//! Where the last answers were found: people are decided in order, so the next link and the next account mostly lie behind
//! the ones before, and a manager is asked for again and again. A guess that is wrong costs a comparison.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Two positions of a list. Any value is right: what is found there is compared.
#[derive(Default)]
pub(super) struct Trail {
    /// The one after the last that was found in order.
    next: AtomicUsize,
    /// Found out of order the last time.
    aside: AtomicUsize,
}

/// What is found up to so far ahead is still in order: those between were not asked for.
const AHEAD: usize = 64;

impl Trail {
    /// The record that it is, by guess or else among the candidates.
    pub(super) fn follow<'r, R, I: Iterator<Item = usize>>(
        &self,
        records: &'r [R],
        is: impl Fn(&&'r R) -> bool,
        candidates: impl FnOnce() -> I,
    ) -> Option<&'r R> {
        let next = self.next.load(Ordering::Relaxed);
        if let Some(record) = records.get(next).filter(&is) {
            self.next.store(next + 1, Ordering::Relaxed);
            return Some(record);
        }
        if let Some(record) = records.get(self.aside.load(Ordering::Relaxed)).filter(&is) {
            return Some(record);
        }
        let (at, record) = candidates().filter_map(|at| Some((at, records.get(at)?))).find(|(_, record)| is(record))?;
        if at.checked_sub(next).is_some_and(|ahead| ahead < AHEAD) || at == 0 {
            self.next.store(at + 1, Ordering::Relaxed);
        } else {
            self.aside.store(at, Ordering::Relaxed);
        }
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_asked_in_whatever_order_is_found_or_is_not_there() {
        let records: Vec<u32> = (0..1000).map(|n| n * 2).collect();
        let trail = Trail::default();
        let find = |wanted: u32| {
            let candidates = || usize::try_from(wanted / 2).into_iter();
            trail.follow(&records, |record| **record == wanted, candidates).copied()
        };
        let orders: [&mut dyn Iterator<Item = u32>; 3] =
            [&mut (0..2100), &mut (0..2100).rev(), &mut (0..900).flat_map(|n| [n, 7 * n % 2000, 44])];
        for order in orders {
            for wanted in order {
                assert_eq!(find(wanted), (wanted % 2 == 0 && wanted < 2000).then_some(wanted), "{wanted}");
            }
        }
    }
}
