//! A pipe may be slow: what came is handed on when nothing more comes for a while, instead of waiting for a full chunk.
//!
//! A thread reads; whoever takes from it is told [`ErrorKind::WouldBlock`] when the pipe is idle.

use std::io::{self, ErrorKind, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// A pipe gives 64 KiB at most.
const BLOCK_BYTES: usize = 64 << 10;

/// Blocks that wait to be taken.
const BLOCKS: usize = 16;

/// A pipe is idle after this time without a byte.
const IDLE: Duration = Duration::from_millis(200);

pub(super) struct Pump {
    blocks: Receiver<io::Result<Vec<u8>>>,
    block: Vec<u8>,
    start: usize,
}

impl Pump {
    /// Begins to read. The thread ends with the reader, or when it has a block and nobody takes it any more.
    pub fn new(mut reader: impl Read + Send + 'static) -> Pump {
        let (sender, blocks) = sync_channel(BLOCKS);
        thread::spawn(move || {
            loop {
                let mut block = vec![0; BLOCK_BYTES];
                let read = match reader.read(&mut block) {
                    Ok(0) => return,
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    read => read,
                };
                let is_failed = read.is_err();
                let read = read.map(|count| {
                    block.truncate(count);
                    block
                });
                if sender.send(read).is_err() || is_failed {
                    return;
                }
            }
        });
        Pump { blocks, block: Vec::new(), start: 0 }
    }
}

impl Read for Pump {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.start == self.block.len() {
            self.block = match self.blocks.recv_timeout(IDLE) {
                Ok(block) => block?,
                Err(RecvTimeoutError::Timeout) => return Err(ErrorKind::WouldBlock.into()),
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            };
            self.start = 0;
        }
        let count = out.len().min(self.block.len() - self.start);
        out[..count].copy_from_slice(&self.block[self.start..self.start + count]);
        self.start += count;
        Ok(count)
    }
}
