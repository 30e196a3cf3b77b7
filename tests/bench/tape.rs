//! The limit of every ingest here: how fast the lines of a file become simd-json tapes, and nothing more.
//!
//! ```text
//! tape FILE THREADS   ->   {"lines": 1000000, "bytes": 1900000000}
//! ```

use std::error::Error;
use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Mutex;
use std::{env, thread};

use simd_json::{Buffers, INPUT_PADDING, Tape, fill_tape_padded};

/// The bytes that a thread takes at a time: long against a line, short against the file.
const BLOCK_BYTES: usize = 8 << 20;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [path, threads] = arguments.as_slice() else {
        return Err("usage: tape FILE THREADS".into());
    };
    let blocks = Mutex::new(Blocks { file: File::open(path)?, rest: Vec::new() });
    let counts = thread::scope(|scope| {
        let spawned: Vec<_> = (0..threads.parse()?).map(|_| scope.spawn(|| parse_all(&blocks))).collect();
        spawned.into_iter().map(|one| one.join().map_err(|_| "a thread panicked")?).collect::<Result<Vec<_>, Failure>>()
    })?;
    let lines: u64 = counts.iter().map(|count| count.0).sum();
    let bytes: u64 = counts.iter().map(|count| count.1).sum();
    writeln!(io::stdout(), "{{\"lines\": {lines}, \"bytes\": {bytes}}}")?;
    Ok(())
}

/// The file, in blocks of whole lines.
struct Blocks {
    file: File,
    /// The beginning of a line whose end the last read did not reach.
    rest: Vec<u8>,
}

impl Blocks {
    /// Fills `block` with whole lines; leaves it empty at the end of the file.
    fn next(&mut self, block: &mut Vec<u8>) -> Result<(), Failure> {
        block.clear();
        block.append(&mut self.rest);
        loop {
            let read = (&mut self.file).take(BLOCK_BYTES as u64).read_to_end(block)?;
            if read == 0 {
                return Ok(());
            }
            if let Some(end) = memchr::memrchr(b'\n', block) {
                self.rest.extend_from_slice(&block[end + 1..]);
                block.truncate(end + 1);
                return Ok(());
            }
        }
    }
}

/// Returns the lines and bytes that this thread parsed.
fn parse_all(blocks: &Mutex<Blocks>) -> Result<(u64, u64), Failure> {
    let mut block = Vec::with_capacity(2 * BLOCK_BYTES);
    let mut buffers = Buffers::new(1 << 16);
    let mut tape = Tape::null();
    let (mut lines, mut bytes) = (0, 0);
    loop {
        blocks.lock().map_err(|_| "a thread panicked")?.next(&mut block)?;
        if block.is_empty() {
            return Ok((lines, bytes));
        }
        bytes += block.len() as u64;
        let end = block.len();
        // The parser reads past a line, into the next one or into this padding, and saves a copy of the line.
        block.resize(end + INPUT_PADDING, b'\n');
        let mut start = 0;
        while start < end {
            let length = memchr::memchr(b'\n', &block[start..end]).unwrap_or(end - start);
            if length > 0 {
                let mut parsed = tape.reset();
                fill_tape_padded(&mut block[start..], length, &mut buffers, &mut parsed)?;
                lines += 1;
                tape = parsed.reset();
            }
            start += length + 1;
        }
    }
}
