//! xz: streams one after the other, padded with zeros, checked by the library.

use lzma_rust2::{Action, Status, XzStream};

use super::inflate::{Damage, Raw};

/// In KiB: `xz -9` needs 65 MiB, and dictionaries of a gigabyte are memory that somebody else asks for.
const MEMORY_KIB: u32 = 192 << 10;

pub(super) struct Xz {
    decoder: XzStream,
    is_ended: bool,
}

impl Xz {
    pub fn new() -> Xz {
        Xz { decoder: XzStream::new_mem_limit(true, MEMORY_KIB), is_ended: false }
    }

    pub fn begins(bytes: &[u8]) -> bool {
        bytes.starts_with(b"\xfd7zXZ\0")
    }

    /// Fills a part of `out`; nothing and no damage is the end.
    pub fn read(&mut self, raw: &mut Raw, out: &mut [u8]) -> (usize, Option<Damage>) {
        while !self.is_ended {
            let has_input = match raw.has(1) {
                Ok(has_input) => has_input,
                Err(damage) => return (0, Some(damage)),
            };
            let (taken, made) = (self.decoder.total_in(), self.decoder.total_out());
            let action = if has_input { Action::Run } else { Action::Finish };
            let result = self.decoder.process(raw.here(), out, action);
            // A call that fails tells these only here.
            let taken = (self.decoder.total_in() - taken) as usize;
            let count = (self.decoder.total_out() - made) as usize;
            raw.consume(taken.min(raw.here().len()));
            match result {
                Ok(result) => {
                    self.is_ended = result.status == Status::StreamEnd;
                    if count > 0 || self.is_ended {
                        return (count, None);
                    }
                    if taken == 0 && !has_input {
                        return (0, Some(Damage::truncated("the xz file ends within its data")));
                    }
                }
                Err(_) if !has_input => return (count, Some(Damage::truncated("the xz file ends within its data"))),
                Err(error) => return (count, Some(Damage::corrupt(format!("the xz data is damaged: {error}")))),
            }
        }
        (0, None)
    }
}
