//! zstd (RFC 8878): frames one after the other, checked by the library.

use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use super::inflate::{Damage, Raw};

/// Frames that look further back than 128 MiB are refused: the window is memory. Above what `zstd --ultra -22` makes.
const WINDOW_LOG: u32 = 27;

/// A block's header, which the library asks for together with the block before it.
const BLOCK_HEADER: usize = 3;

pub(super) struct Zstd {
    decoder: Decoder<'static>,
    /// How much the decoder wants next; 0 between frames.
    hint: usize,
    frames: u64,
}

impl Zstd {
    pub fn new() -> Result<Zstd, Damage> {
        let decoder = Decoder::new().and_then(|mut decoder| {
            decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG))?;
            Ok(decoder)
        });
        match decoder {
            Ok(decoder) => Ok(Zstd { decoder, hint: 0, frames: 0 }),
            Err(error) => Err(Damage::corrupt(format!("cannot start the zstd decoder: {error}"))),
        }
    }

    /// Whether a frame begins here: one with data, or one to be skipped, as parallel compressors write.
    pub fn begins(bytes: &[u8]) -> bool {
        matches!(bytes, [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
    }

    /// Fills a part of `out`; nothing and no damage is the end.
    pub fn read(&mut self, raw: &mut Raw, out: &mut [u8]) -> (usize, Option<Damage>) {
        let mut count = 0;
        // A full buffer may hide output that the decoder holds.
        while count < out.len() {
            match self.step(raw, &mut out[count..]) {
                Ok(Some(made)) => count += made,
                Ok(None) => return (count, None),
                Err(damage) => return (count, Some(damage)),
            }
        }
        (count, None)
    }

    fn step(&mut self, raw: &mut Raw, out: &mut [u8]) -> Result<Option<usize>, Damage> {
        if self.hint == 0 {
            raw.has(4)?;
            match raw.here() {
                [] => return Ok(None),
                bytes if Zstd::begins(bytes) => {}
                _ if self.frames > 0 => return Err(Damage::garbage(&format!("zstd frame {}", self.frames))),
                _ => return Err(Damage::corrupt("the zstd header is damaged")),
            }
        }
        let has_input = raw.has(1)?;
        // A call that fails drops what it made, so no call gets more than one block, nor a block and the next header.
        let here = raw.here();
        let wanted = if self.hint > BLOCK_HEADER { self.hint - BLOCK_HEADER } else { self.hint.max(1) };
        let mut input = InBuffer::around(&here[..wanted.min(here.len())]);
        let mut output = OutBuffer::around(out);
        let result = self.decoder.run(&mut input, &mut output);
        let (taken, made) = (input.pos(), output.pos());
        raw.consume(taken);
        match result {
            Ok(_) if !has_input && made == 0 => Err(Damage::truncated("the zstd file ends within its data")),
            Ok(hint) => {
                self.hint = hint;
                self.frames += u64::from(hint == 0);
                Ok(Some(made))
            }
            Err(error) => Err(Damage::corrupt(format!("the zstd data is damaged: {error}"))),
        }
    }
}
