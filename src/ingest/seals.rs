//! Lines that nobody without the lake's key can change, remove or insert: each has a seal over the one before.
//!
//! ```text
//! seal TAB text      seal = HMAC(key, the seal before + text); before the first line it is that of the file's name
//! ```
//!
//! The end can be cut off, since no later seal would show it: the numbers that must exist are kept in another sealed file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::error::{Context, Kind, Result};
use crate::typed::hex;

/// The numbers and seals of one file, line by line.
#[derive(Clone)]
pub struct Seals {
    key: [u8; 32],
    /// The seal of the previous line; for the first line, the seal of the file's name.
    last: String,
    /// The number of the next line.
    pub number: u64,
}

impl Seals {
    /// Starts the seals of the file that is called `name` and begins with line `first`.
    pub fn new(key: [u8; 32], name: &str, first: u64) -> Seals {
        let last = mac(&key, &[name.as_bytes(), b" ", first.to_string().as_bytes()]);
        Seals { key, last, number: first }
    }

    /// Returns the seal of the next line.
    pub fn seal(&mut self, text: &[u8]) -> &str {
        self.last = mac(&self.key, &[self.last.as_bytes(), text]);
        self.number += 1;
        &self.last
    }

    /// Returns the texts of a file as far as their seals are right; and whether that is all of it. Text after the last
    /// line feed was never acknowledged.
    pub fn open(&mut self, bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut texts = Vec::with_capacity(bytes.len());
        for line in bytes[..whole(bytes)].split_inclusive(|byte| *byte == b'\n') {
            let line = &line[..line.len() - 1];
            let Some(tab) = line.iter().position(|byte| *byte == b'\t') else { return (texts, false) };
            let (seal, text) = (&line[..tab], &line[tab + 1..]);
            let mut next = self.clone();
            if next.seal(text).as_bytes() != seal {
                return (texts, false);
            }
            *self = next;
            texts.extend_from_slice(text);
            texts.push(b'\n');
        }
        (texts, true)
    }
}

/// Returns the length of the complete lines.
fn whole(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
}

/// A file of sealed lines that is appended to.
pub struct SealedFile {
    place: PathBuf,
    file: File,
    seals: Seals,
    /// The end of its complete lines.
    end: u64,
}

impl SealedFile {
    /// Wraps a new file that has nothing in it.
    pub fn new(place: &Path, file: File, seals: Seals) -> SealedFile {
        SealedFile { place: place.to_path_buf(), file, seals, end: 0 }
    }

    /// Wraps a file that has lines; returns them, one text per line. `None` when a seal is wrong.
    pub fn resume(place: &Path, mut file: File, mut seals: Seals) -> Result<Option<(SealedFile, String)>> {
        let mut bytes = Vec::new();
        let cannot = || format!("cannot read {}", place.display());
        file.seek(SeekFrom::Start(0)).context(Kind::Unavailable, cannot)?;
        file.read_to_end(&mut bytes).context(Kind::Unavailable, cannot)?;
        let (texts, is_whole) = seals.open(&bytes);
        let end = whole(&bytes) as u64;
        let texts = String::from_utf8_lossy(&texts).into_owned();
        Ok(is_whole.then(|| (SealedFile { end, ..SealedFile::new(place, file, seals) }, texts)))
    }

    /// Returns the length of its complete lines.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Returns the file itself, which may hold a lock.
    pub fn into_file(self) -> File {
        self.file
    }

    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Appends a line, which is on the disk when this returns. A line that a crash or a full disk cut short is removed
    /// first.
    pub fn append(&mut self, text: &str) -> Result<()> {
        let mut seals = self.seals.clone();
        let line = format!("{}\t{text}\n", seals.seal(text.as_bytes()));
        let write = || {
            let mut file = &self.file;
            file.set_len(self.end)?;
            file.seek(SeekFrom::Start(self.end))?;
            file.write_all(line.as_bytes())?;
            file.sync_data()
        };
        write().context(Kind::Unavailable, || format!("cannot write {}", self.place.display()))?;
        self.end += line.len() as u64;
        self.seals = seals;
        Ok(())
    }
}

fn mac(key: &[u8; 32], parts: &[&[u8]]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    hex(&mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn piece(events: &[&str]) -> Vec<u8> {
        let mut seals = Seals::new(KEY, "a", 5);
        events.iter().flat_map(|event| format!("{}\t{event}\n", seals.seal(event.as_bytes())).into_bytes()).collect()
    }

    #[test]
    fn a_line_that_was_changed_taken_out_or_put_in_ends_the_piece() {
        let whole = piece(&["{1}", "{2}", "{3}"]);
        let open = |bytes: &[u8]| {
            let mut seals = Seals::new(KEY, "a", 5);
            let (events, is_whole) = seals.open(bytes);
            (String::from_utf8(events).unwrap(), is_whole, seals.number)
        };
        assert_eq!(open(&whole), ("{1}\n{2}\n{3}\n".to_string(), true, 8));
        assert_eq!(open(&whole[..whole.len() - 2]), ("{1}\n{2}\n".to_string(), true, 7), "a torn line");
        let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
        assert_eq!(open(&[lines[0], lines[2]].concat()), ("{1}\n".to_string(), false, 6));
        assert_eq!(open(&[lines[0], lines[0], lines[1]].concat()), ("{1}\n".to_string(), false, 6));
        let changed = String::from_utf8(whole.clone()).unwrap().replace("{2}", "{9}");
        assert_eq!(open(changed.as_bytes()), ("{1}\n".to_string(), false, 6));
        assert_eq!(Seals::new(KEY, "a", 6).open(&whole), (Vec::new(), false), "of another piece");
        assert_eq!(Seals::new([8; 32], "a", 5).open(&whole), (Vec::new(), false), "with another key");
    }

    #[test]
    fn a_file_is_continued_after_its_last_whole_line() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("f");
        std::fs::write(&place, piece(&["{1}", "{2}"]).split_last().unwrap().1).unwrap();
        let open = || File::options().read(true).write(true).open(&place).unwrap();
        let (mut file, texts) = SealedFile::resume(&place, open(), Seals::new(KEY, "a", 5)).unwrap().unwrap();
        assert_eq!(texts, "{1}\n");
        file.append("{9}").unwrap();
        assert_eq!(std::fs::read(&place).unwrap(), piece(&["{1}", "{9}"]));
        assert!(SealedFile::resume(&place, open(), Seals::new(KEY, "b", 5)).unwrap().is_none());
    }
}
