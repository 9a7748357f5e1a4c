//! What a queue may do to a message and still keep its promise, done on purpose and repeatably.

/// Faults, each so many times in a hundred, drawn from a seed: the same seed and calls fail in the same way.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// The seed of the random numbers.
    pub seed: u64,
    /// A message that is sent is not heard.
    pub lose: u8,
    /// A message that is sent is heard twice.
    pub duplicate: u8,
    /// A message is handed over out of turn.
    pub reorder: u8,
}

/// Draws the faults.
#[derive(Default)]
pub(super) struct Mischief {
    faults: Faults,
    rng: u64,
}

impl Mischief {
    pub(super) fn new(faults: &Faults) -> Self {
        Self { faults: faults.clone(), rng: faults.seed }
    }

    /// How many copies of a message are queued.
    pub(super) fn copies(&mut self) -> usize {
        if self.happens(self.faults.lose) {
            0
        } else if self.happens(self.faults.duplicate) {
            2
        } else {
            1
        }
    }

    /// One of those that are due: the first, or any.
    pub(super) fn choose<T>(&mut self, mut due: impl Iterator<Item = T>) -> Option<T> {
        if !self.happens(self.faults.reorder) {
            return due.next();
        }
        let mut all: Vec<T> = due.collect();
        if all.is_empty() {
            return None;
        }
        let at = self.throw() % all.len() as u64;
        Some(all.swap_remove(usize::try_from(at).unwrap_or(0)))
    }

    fn happens(&mut self, percent: u8) -> bool {
        percent > 0 && self.throw() % 100 < u64::from(percent)
    }

    /// SplitMix64: small, and the same on every machine.
    fn throw(&mut self) -> u64 {
        self.rng = self.rng.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.rng;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
