//! gzip (RFC 1952): members one after the other, each with a header, a deflate stream and a checksum.

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::inflate::{Damage, Raw};

/// Flags of a member's header.
const HEADER_CHECK: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;

pub(super) struct Gzip {
    deflate: Decompress,
    check: Crc,
    place: Place,
    members: u64,
}

enum Place {
    Header,
    Body,
    End,
}

impl Gzip {
    pub fn new() -> Gzip {
        Gzip { deflate: Decompress::new(false), check: Crc::new(), place: Place::Header, members: 0 }
    }

    /// Fills a part of `out`; nothing and no damage is the end.
    pub fn read(&mut self, raw: &mut Raw, out: &mut [u8]) -> (usize, Option<Damage>) {
        loop {
            let step = match self.place {
                Place::Header => self.header(raw).map(|()| Place::Body),
                Place::End => return (0, None),
                Place::Body => match self.body(raw, out) {
                    (0, Ok(true)) => self.trailer(raw),
                    (0, Ok(false)) => continue,
                    (0, Err(damage)) => Err(damage),
                    (count, Ok(false)) => return (count, None),
                    (count, Ok(true)) => match self.trailer(raw) {
                        Ok(place) => {
                            self.place = place;
                            return (count, None);
                        }
                        Err(damage) => return (count, Some(damage)),
                    },
                    (count, Err(damage)) => return (count, Some(damage)),
                },
            };
            match step {
                Ok(place) => self.place = place,
                Err(damage) => return (0, Some(damage)),
            }
        }
    }

    /// One call of the decoder: how much it made, and whether the member's data ended.
    fn body(&mut self, raw: &mut Raw, out: &mut [u8]) -> (usize, Result<bool, Damage>) {
        let has_input = match raw.has(1) {
            Ok(has_input) => has_input,
            Err(damage) => return (0, Err(damage)),
        };
        let (taken, made) = (self.deflate.total_in(), self.deflate.total_out());
        let status = self.deflate.decompress(raw.here(), out, FlushDecompress::None);
        // Both counters also count what was done in a call that failed.
        let taken = (self.deflate.total_in() - taken) as usize;
        let count = (self.deflate.total_out() - made) as usize;
        raw.consume(taken);
        self.check.update(&out[..count]);
        let is_ended = match status {
            Ok(Status::StreamEnd) => Ok(true),
            // Without input the decoder may still hold output.
            Ok(_) if !has_input && count == 0 => Err(Damage::truncated("the gzip file ends within its data")),
            Ok(_) if taken > 0 || count > 0 => Ok(false),
            _ => Err(Damage::corrupt("the gzip data is damaged")),
        };
        (count, is_ended)
    }

    fn header(&mut self, raw: &mut Raw) -> Result<(), Damage> {
        let mut fixed = [0; 10];
        for byte in &mut fixed {
            *byte = next(raw)?;
        }
        let flags = fixed[3];
        if fixed[..3] != [0x1f, 0x8b, 8] {
            return Err(Damage::corrupt("the gzip header is damaged"));
        }
        if flags & EXTRA != 0 {
            let length = u16::from_le_bytes([next(raw)?, next(raw)?]);
            for _ in 0..length {
                next(raw)?;
            }
        }
        for text in [NAME, COMMENT] {
            while flags & text != 0 && next(raw)? != 0 {}
        }
        if flags & HEADER_CHECK != 0 {
            next(raw)?;
            next(raw)?;
        }
        self.deflate.reset(false);
        self.check.reset();
        Ok(())
    }

    /// Checks the member, and finds out whether another one follows.
    fn trailer(&mut self, raw: &mut Raw) -> Result<Place, Damage> {
        let mut trailer = [0; 8];
        for byte in &mut trailer {
            *byte = next(raw)?;
        }
        let [a, b, c, d, e, f, g, h] = trailer;
        let is_right = u32::from_le_bytes([a, b, c, d]) == self.check.sum()
            && u32::from_le_bytes([e, f, g, h]) == self.check.amount();
        if !is_right {
            return Err(Damage::corrupt("the gzip checksum does not match"));
        }
        self.members += 1;
        // Tapes and block devices pad with zeros, which gzip itself passes over.
        while raw.has(1)? && raw.here()[0] == 0 {
            raw.consume(1);
        }
        raw.has(2)?;
        match raw.here() {
            [] => Ok(Place::End),
            [0x1f] | [0x1f, 0x8b, ..] => Ok(Place::Header),
            _ => Err(Damage::garbage(&format!("gzip member {}", self.members))),
        }
    }
}

fn next(raw: &mut Raw) -> Result<u8, Damage> {
    raw.byte()?.ok_or_else(|| Damage::truncated("the gzip file ends within a header or checksum"))
}
