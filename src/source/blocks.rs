//! The memory that chunks are read into, used again for the chunks that come.

use std::sync::{Arc, Mutex, PoisonError};

/// More than a pipeline of ours has under way.
const KEPT: usize = 8;

/// Blocks that nobody reads any more. An allocator gives blocks of this size back to the system, and has the pages of
/// the next one cleared: for every byte of input, that is.
#[derive(Debug, Clone, Default)]
pub struct Blocks(Arc<Mutex<Vec<Vec<u8>>>>);

impl Blocks {
    /// An empty block with room for at least `bytes`.
    pub(super) fn take(&self, bytes: usize) -> Vec<u8> {
        let mut blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match blocks.iter().rposition(|block| block.capacity() >= bytes) {
            Some(place) => blocks.swap_remove(place),
            None => Vec::with_capacity(bytes),
        }
    }

    /// Gives back a block that was [taken](Blocks::take), or any other.
    pub fn give(&self, mut block: Vec<u8>) {
        block.clear();
        let mut blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if blocks.len() < KEPT {
            blocks.push(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_used_again_where_it_is_large_enough() {
        let blocks = Blocks::default();
        let mut block = blocks.take(100);
        block.extend_from_slice(b"old");
        let place = block.as_ptr();
        blocks.give(block);
        let larger = blocks.take(1000);
        assert_ne!(larger.as_ptr(), place);
        let again = blocks.take(50);
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
    }
}
