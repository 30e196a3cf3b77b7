//! The decompressed stream, and in what way it ended.
//!
//! Compression is told by the first bytes, never by the name. Whatever was decompressed before damage is given out
//! before the damage is reported, which is why the decoders of the libraries are driven by hand: their readers drop
//! what they made in the call that fails.

use std::io::{ErrorKind, Read};
use std::mem;

use super::Options;
use super::bzip2::Bzip2;
use super::gzip::Gzip;
use super::xz::Xz;
use super::zstd::Zstd;

/// Read at once from a compressed source; also how far the decoder reads ahead.
const RAW_BYTES: usize = 128 << 10;

/// Decompressed at once: more would be cleared for nothing when the decoder stops before.
const PIECE_BYTES: usize = 256 << 10;

/// Whatever gives less than this is not a bomb: short runs of one event compress very well.
const HARMLESS_BYTES: u64 = 64 << 20;

/// Why a stream ended before its end.
#[derive(Debug, Clone)]
pub(super) struct Damage {
    /// As in [`super::Outcome::Incomplete`].
    pub reason: &'static str,
    pub detail: String,
    /// The content is all there, the damage is after it.
    pub is_behind: bool,
}

impl Damage {
    pub fn corrupt(detail: impl Into<String>) -> Damage {
        Damage { reason: "corrupt", detail: detail.into(), is_behind: false }
    }

    pub fn truncated(detail: impl Into<String>) -> Damage {
        Damage { reason: "truncated", detail: detail.into(), is_behind: false }
    }

    pub fn garbage(count: &str) -> Damage {
        Damage { reason: "corrupt", detail: format!("trailing garbage after {count}"), is_behind: true }
    }
}

/// A reader that decompresses.
pub(super) struct Inflate {
    raw: Raw,
    codec: Option<Codec>,
    produced: u64,
    max_ratio: u64,
    max_output: u64,
    /// Found in a call that also gave bytes; told by the next one.
    damage: Option<Damage>,
}

enum Codec {
    Plain,
    Gzip(Box<Gzip>),
    Zstd(Box<Zstd>),
    Bzip2(Box<Bzip2>),
    Xz(Box<Xz>),
}

impl Inflate {
    pub fn new(reader: Box<dyn Read + Send>, options: &Options) -> Inflate {
        Inflate {
            raw: Raw { reader, buffer: Vec::new(), start: 0, total: 0, is_ended: false, is_idle: false, failure: None },
            codec: None,
            produced: 0,
            max_ratio: options.max_ratio,
            max_output: options.max_output.unwrap_or(u64::MAX),
            damage: None,
        }
    }

    /// Bytes taken from the reader.
    pub fn raw_bytes(&self) -> u64 {
        self.raw.total
    }

    /// Whether the last read gave nothing because nothing came for a while, and not because it is the end.
    pub fn is_idle(&self) -> bool {
        self.raw.is_idle
    }

    /// Whether the stream is what the reader gives; known once something was read.
    pub fn is_plain(&self) -> bool {
        matches!(self.codec, Some(Codec::Plain))
    }

    /// Appends at most `room` bytes to `out`, at least one; 0 is the end, or [`Inflate::is_idle`].
    pub fn read(&mut self, out: &mut Vec<u8>, room: usize) -> Result<usize, Damage> {
        if let Some(damage) = self.damage.clone() {
            return Err(damage);
        }
        let codec = match &mut self.codec {
            Some(codec) => codec,
            none => none.insert(Codec::of(&mut self.raw)?),
        };
        let have = out.len();
        let (count, damage) = match codec {
            Codec::Plain => return self.raw.read(out, room),
            Codec::Gzip(gzip) => gzip.read(&mut self.raw, cleared(out, room)),
            Codec::Zstd(zstd) => zstd.read(&mut self.raw, cleared(out, room)),
            Codec::Bzip2(bzip2) => bzip2.read(&mut self.raw, cleared(out, room)),
            Codec::Xz(xz) => xz.read(&mut self.raw, cleared(out, room)),
        };
        out.truncate(have + count);
        self.produced += count as u64;
        self.damage = damage.or_else(|| self.bomb());
        match &self.damage {
            Some(damage) if count == 0 => Err(damage.clone()),
            _ => Ok(count),
        }
    }

    fn bomb(&self) -> Option<Damage> {
        let (produced, raw) = (self.produced, self.raw.total);
        let is_steep = produced > HARMLESS_BYTES && produced > raw.saturating_mul(self.max_ratio);
        let detail = if is_steep {
            format!("{produced} bytes out of {raw}, more than {} times as much", self.max_ratio)
        } else if produced > self.max_output {
            format!("more than {} bytes out of {raw}", self.max_output)
        } else {
            return None;
        };
        Some(Damage { reason: "bomb", detail, is_behind: false })
    }
}

/// Room after the end of `out`, as the decoders want it.
fn cleared(out: &mut Vec<u8>, room: usize) -> &mut [u8] {
    let have = out.len();
    out.resize(have + room.min(PIECE_BYTES), 0);
    &mut out[have..]
}

impl Codec {
    fn of(raw: &mut Raw) -> Result<Codec, Damage> {
        // If the reader fails that early, what it gave before is still read, and then it is told.
        let _ = raw.has(6);
        Ok(match raw.here() {
            [0x1f, 0x8b, ..] => Codec::Gzip(Box::new(Gzip::new())),
            magic if Zstd::begins(magic) => Codec::Zstd(Box::new(Zstd::new()?)),
            magic if Bzip2::begins(magic) => Codec::Bzip2(Box::new(Bzip2::new())),
            magic if Xz::begins(magic) => Codec::Xz(Box::new(Xz::new())),
            _ => Codec::Plain,
        })
    }
}

/// The bytes as they are stored, with a look ahead.
pub(super) struct Raw {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    total: u64,
    is_ended: bool,
    is_idle: bool,
    /// The reader failed, and is not asked again.
    failure: Option<Damage>,
}

impl Raw {
    /// The bytes that were read and not consumed.
    pub fn here(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    pub fn consume(&mut self, count: usize) {
        self.start += count;
    }

    /// Reads until `count` bytes are [`Raw::here`]; false when the reader ends before.
    pub fn has(&mut self, count: usize) -> Result<bool, Damage> {
        while self.here().len() < count {
            if self.is_ended {
                return Ok(false);
            }
            self.buffer.drain(..self.start);
            self.start = 0;
            let mut buffer = mem::take(&mut self.buffer);
            buffer.reserve(RAW_BYTES);
            let count = self.fetch(&mut buffer, RAW_BYTES, false);
            self.buffer = buffer;
            count?;
        }
        Ok(true)
    }

    pub fn byte(&mut self) -> Result<Option<u8>, Damage> {
        if !self.has(1)? {
            return Ok(None);
        }
        let byte = self.here().first().copied();
        self.consume(1);
        Ok(byte)
    }

    fn read(&mut self, out: &mut Vec<u8>, room: usize) -> Result<usize, Damage> {
        let here = self.here();
        if !here.is_empty() {
            let count = here.len().min(room);
            out.extend_from_slice(&here[..count]);
            self.consume(count);
            return Ok(count);
        }
        self.fetch(out, room, true)
    }

    /// Appends at most `room` bytes of the reader's; 0 is its end, or with `yields` that it is idle.
    ///
    /// Bytes are read behind the vector's end, where a file puts them without anybody having cleared the place before.
    fn fetch(&mut self, out: &mut Vec<u8>, room: usize, yields: bool) -> Result<usize, Damage> {
        self.is_idle = false;
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let have = out.len();
        while !self.is_ended {
            let read = (&mut self.reader).take(room as u64).read_to_end(out);
            let count = out.len() - have;
            self.total += count as u64;
            match read {
                Ok(_) => self.is_ended = count < room,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.is_idle = yields && count == 0;
                    if count == 0 && !yields {
                        continue;
                    }
                }
                Err(error) => {
                    let failure = Damage { reason: "unreadable", detail: error.to_string(), is_behind: false };
                    self.failure = Some(failure.clone());
                    if count == 0 {
                        return Err(failure);
                    }
                }
            }
            return Ok(count);
        }
        Ok(0)
    }
}
