//! Random numbers that are the same on every machine: PCG with a given state, and integers only.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A document id of the vendor's shape: 20 letters and digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id(pub [u8; 20]);

/// A UUID as two words.
pub type Uuid = (u64, u64);

#[derive(Debug, Clone)]
pub struct Dice(Pcg64Mcg);

impl Dice {
    /// Streams of one seed are independent, so that a change in one part leaves the others' numbers alone.
    pub fn new(seed: u64, stream: u64) -> Dice {
        let low = mix(seed);
        let high = mix(low ^ mix(stream));
        Dice(Pcg64Mcg::new(u128::from(low) | (u128::from(high) << 64)))
    }

    #[inline]
    pub fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Returns a number in `0..n`, 0 when `n` is 0. The bias of one in 2^64/n does not matter here.
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.word()) * u128::from(n)) >> 64) as u64
    }

    #[inline]
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    #[inline]
    pub fn chance(&mut self, permille: u64) -> bool {
        self.below(1000) < permille
    }

    /// Returns one element; `from` is never empty (they are constant tables).
    #[inline]
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.index(from.len())]
    }

    #[inline]
    pub fn uuid(&mut self) -> Uuid {
        (self.word(), self.word())
    }

    pub fn id(&mut self) -> Id {
        let mut id = [0; 20];
        base62(self.word(), &mut id[..10]);
        base62(self.word(), &mut id[10..]);
        Id(id)
    }

    /// Returns an id that no other `number` gets with the same seed: its first eleven digits are `number`, shuffled by
    /// a bijection.
    pub fn unique_id(&mut self, seed: u64, number: u64) -> Id {
        let mut id = [0; 20];
        base62(mix(number.wrapping_add(mix(seed))), &mut id[..11]);
        base62(self.word(), &mut id[11..]);
        Id(id)
    }
}

/// Applies the finaliser of SplitMix64: a bijection on words.
pub fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// Writes the lowest digits of `word`; eleven of them hold a whole word.
fn base62(mut word: u64, digits: &mut [u8]) {
    for digit in digits {
        *digit = BASE62[(word % 62) as usize];
        word /= 62;
    }
}
