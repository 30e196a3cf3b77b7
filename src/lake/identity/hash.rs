//! The hash that decides which lines, and which identities, are the same.
//!
//! HighwayHash with 128 bits, keyed with a secret of the lake. XXH64 was here before: its seed does not protect it, and
//! two uids were found that collide under every seed.

use highway::{HighwayHash, HighwayHasher};

/// A keyed hash for one purpose.
#[derive(Clone, Copy)]
pub struct Hasher {
    key: [u64; 4],
}

impl Hasher {
    pub fn new(key: [u8; 32]) -> Hasher {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(key.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Hasher { key: words }
    }

    pub fn hash(&self, bytes: &[u8]) -> u128 {
        let [low, high] = HighwayHasher::new(highway::Key(self.key)).hash128(bytes);
        u128::from(high) << 64 | u128::from(low)
    }
}

/// Says nothing of the key.
impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hasher")
    }
}
