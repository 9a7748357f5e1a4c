//! Seeded randomness. Written out here so that a seed means the same tenant after every dependency update.

use std::hash::{DefaultHasher, Hash, Hasher};

use uuid::Uuid;

/// A splitmix64 generator.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 when `n` is 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        if n == 0 {
            return 0;
        }
        usize::try_from(self.next() % n as u64).unwrap_or(0)
    }

    /// True with probability `p`.
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        if p <= 0.0 {
            return false;
        }
        #[expect(clippy::cast_precision_loss, reason = "53 bits are enough for a probability")]
        let roll = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        roll < p
    }

    pub(crate) fn uuid(&mut self) -> Uuid {
        let (a, b) = (self.next(), self.next());
        uuid::Builder::from_u128((u128::from(a) << 64) | u128::from(b))
            .with_version(uuid::Version::Random)
            .with_variant(uuid::Variant::RFC4122)
            .into_uuid()
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i + 1);
            items.swap(i, j);
        }
    }
}

/// The same text gives the same id in every process.
pub(crate) fn stable_uuid(parts: &[&str]) -> Uuid {
    Rng::new(hash(parts)).uuid()
}

pub(crate) fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
