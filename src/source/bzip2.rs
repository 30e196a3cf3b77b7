//! bzip2: streams one after the other, each with its own checksums.

use bzip2::{Decompress, Status};

use super::inflate::{Damage, Raw};

pub(super) struct Bzip2 {
    decoder: Decompress,
    /// Between two streams.
    is_between: bool,
    streams: u64,
}

impl Bzip2 {
    pub fn new() -> Bzip2 {
        Bzip2 { decoder: Decompress::new(false), is_between: true, streams: 0 }
    }

    pub fn begins(bytes: &[u8]) -> bool {
        matches!(bytes, [b'B', b'Z', b'h', b'1'..=b'9', ..])
    }

    /// Fills a part of `out`; nothing and no damage is the end.
    pub fn read(&mut self, raw: &mut Raw, out: &mut [u8]) -> (usize, Option<Damage>) {
        loop {
            if self.is_between {
                match self.begin(raw) {
                    Ok(true) => {}
                    Ok(false) => return (0, None),
                    Err(damage) => return (0, Some(damage)),
                }
            }
            match self.step(raw, out) {
                (0, None) => {}
                done => return done,
            }
        }
    }

    /// Goes on to the next stream; false when there is none.
    fn begin(&mut self, raw: &mut Raw) -> Result<bool, Damage> {
        raw.has(4)?;
        if raw.here().is_empty() {
            return Ok(false);
        }
        if !Bzip2::begins(raw.here()) {
            return Err(Damage::garbage(&format!("bzip2 stream {}", self.streams)));
        }
        self.decoder = Decompress::new(false);
        self.is_between = false;
        Ok(true)
    }

    /// One call of the decoder.
    fn step(&mut self, raw: &mut Raw, out: &mut [u8]) -> (usize, Option<Damage>) {
        let has_input = match raw.has(1) {
            Ok(has_input) => has_input,
            Err(damage) => return (0, Some(damage)),
        };
        let (taken, made) = (self.decoder.total_in(), self.decoder.total_out());
        let status = self.decoder.decompress(raw.here(), out);
        // Both counters also count what was done in a call that failed.
        let taken = (self.decoder.total_in() - taken) as usize;
        let count = (self.decoder.total_out() - made) as usize;
        raw.consume(taken);
        let damage = match status {
            Ok(Status::StreamEnd) => {
                self.streams += 1;
                self.is_between = true;
                None
            }
            Ok(_) if taken > 0 || count > 0 => None,
            // Without input the decoder may still hold output.
            Ok(_) if !has_input => Some(Damage::truncated("the bzip2 file ends within its data")),
            _ => Some(Damage::corrupt("the bzip2 data is damaged")),
        };
        (count, damage)
    }
}
