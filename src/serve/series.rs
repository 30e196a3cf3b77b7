//! The log of reads of one server as a series: numbered lines, sealed pieces, and a record of which pieces there are.
//!
//! ```text
//! reads-<server>-<first number>.log    seal TAB event, a line each; a seal is an HMAC over the one before and the event
//! server-<server>.log                  began 1 MAC | began 57 MAC | committed 56 MAC ...
//! ```
//!
//! Each event has its number and its server's name, so that a hole between two events of the lake can be seen there. Until
//! they are in the lake, the seals show that a line was changed, taken out or put in, and the record shows that a piece is
//! missing; neither can be made without the lake's key. The record is locked for as long as its server lives.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::keys::random_hex;
use crate::disk;
use crate::error::{Context, Kind, Result};
use crate::typed::hex;

const RECORD_PREFIX: &str = "server-";
const PIECE_PREFIX: &str = "reads-";
const SUFFIX: &str = ".log";

/// The numbers and seals of one piece, line by line.
#[derive(Clone)]
pub struct Seals {
    key: [u8; 32],
    /// The seal of the previous line; for the first line, the seal of the piece's name.
    last: String,
    /// The next line's.
    pub number: u64,
}

impl Seals {
    pub fn new(key: [u8; 32], server: &str, first: u64) -> Seals {
        let last = mac(&key, &[server.as_bytes(), b" ", first.to_string().as_bytes()]);
        Seals { key, last, number: first }
    }

    /// The seal of the next line.
    pub fn seal(&mut self, event: &[u8]) -> &str {
        self.last = mac(&self.key, &[self.last.as_bytes(), event]);
        self.number += 1;
        &self.last
    }

    /// The events of a piece, as far as their seals are right; and whether that is all of it. What follows the last line
    /// feed was never acknowledged.
    pub fn open(&mut self, bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut events = Vec::with_capacity(bytes.len());
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        for line in bytes[..end].split_inclusive(|byte| *byte == b'\n') {
            let line = &line[..line.len() - 1];
            let Some(tab) = line.iter().position(|byte| *byte == b'\t') else { return (events, false) };
            let (seal, event) = (&line[..tab], &line[tab + 1..]);
            let mut next = self.clone();
            if next.seal(event).as_bytes() != seal {
                return (events, false);
            }
            *self = next;
            events.extend_from_slice(event);
            events.push(b'\n');
        }
        (events, true)
    }
}

/// The record of a server that runs.
pub struct Series {
    pub server: String,
    key: [u8; 32],
    place: PathBuf,
    record: Mutex<File>,
}

impl Series {
    pub fn begin(folder: &Path, key: [u8; 32]) -> Result<Series> {
        let server = random_hex::<8>()?;
        let place = folder.join(format!("{RECORD_PREFIX}{server}{SUFFIX}"));
        let record = disk::create_private(&place, b"")
            .context(Kind::Unavailable, || format!("cannot create {}", place.display()))?;
        Ok(Series { server, key, place, record: Mutex::new(record) })
    }

    /// Where the piece is that begins with this number.
    pub fn piece(&self, folder: &Path, first: u64) -> PathBuf {
        folder.join(format!("{PIECE_PREFIX}{}-{first:012}{SUFFIX}", self.server))
    }

    pub fn seals(&self, first: u64) -> Seals {
        Seals::new(self.key, &self.server, first)
    }

    /// Records that there is a piece which begins with this number, before it has a line.
    pub fn began(&self, first: u64) -> Result<()> {
        self.note("began", first)
    }

    /// Records that everything up to this number is in the lake, before its piece is removed.
    pub fn committed(&self, last: u64) -> Result<()> {
        self.note("committed", last)
    }

    /// The server has ended, and all its lines are in the lake.
    pub fn end(&self) -> Result<()> {
        disk::remove(&self.place).context(Kind::Unavailable, || format!("cannot remove {}", self.place.display()))
    }

    fn note(&self, what: &str, number: u64) -> Result<()> {
        let line = line(&self.key, &self.server, what, number);
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        let written = record.write_all(line.as_bytes()).and_then(|()| record.sync_data());
        written.context(Kind::Unavailable, || format!("cannot write {}", self.place.display()))
    }
}

/// The remainder of a server that has ended.
pub struct Left {
    pub server: String,
    pub record: PathBuf,
    /// Pieces that are not in the lake yet, by their first number; the file may be missing.
    pub pieces: Vec<(u64, PathBuf)>,
    /// The number up to which the lake has everything.
    pub committed: u64,
    /// The fault of the record, if any.
    pub fault: Option<&'static str>,
    /// Held, so that no other server takes the same in.
    _lock: Option<File>,
}

impl Left {
    /// Records that everything up to this number is in the lake, before its piece is removed: who recovers may be killed too.
    pub fn note_committed(&self, key: &[u8; 32], last: u64) -> Result<()> {
        let cannot = || format!("cannot write {}", self.record.display());
        if !self.record.exists() {
            return Ok(());
        }
        // A last line that was cut short goes, so that this one begins a line.
        let text = fs::read(&self.record).context(Kind::Unavailable, cannot)?;
        let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let noted = OpenOptions::new().write(true).open(&self.record).and_then(|mut file| {
            file.set_len(end as u64)?;
            file.seek(SeekFrom::End(0))?;
            file.write_all(line(key, &self.server, "committed", last).as_bytes())?;
            file.sync_data()
        });
        noted.context(Kind::Unavailable, cannot)
    }
}

/// Finds the remainders in `folder` of servers that no longer run.
pub fn left(folder: &Path, key: [u8; 32]) -> Result<Vec<Left>> {
    let cannot = || format!("cannot look into {}", folder.display());
    // Their servers died before they wrote anything.
    let is_ours = |name: &str| name.starts_with(RECORD_PREFIX) || name.starts_with(PIECE_PREFIX);
    disk::sweep(folder, |name| name.strip_prefix('.').is_some_and(is_ours)).context(Kind::Unavailable, cannot)?;
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).context(Kind::Unavailable, cannot)? {
        names.push(entry.context(Kind::Unavailable, cannot)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let mut all = Vec::new();
    for name in &names {
        let Some(server) = name.strip_prefix(RECORD_PREFIX).and_then(|name| name.strip_suffix(SUFFIX)) else {
            continue;
        };
        let record = folder.join(name);
        let file = File::open(&record).context(Kind::Unavailable, || format!("cannot open {}", record.display()))?;
        match file.try_lock() {
            Err(fs::TryLockError::WouldBlock) => continue,
            locked => locked.context(Kind::Unavailable, || format!("cannot lock {}", record.display()))?,
        }
        let text = fs::read(&record).context(Kind::Unavailable, || format!("cannot read {}", record.display()))?;
        all.push(one(folder, &names, server, record, &String::from_utf8_lossy(&text), key, file));
    }
    // A server makes its record before its first piece, and removes it after its last one.
    let server_of = |name: &String| Some(name.strip_prefix(PIECE_PREFIX)?.split_once('-')?.0.to_string());
    let mut orphans: Vec<String> = names.iter().filter_map(server_of).collect();
    orphans.dedup();
    for server in orphans {
        let record = folder.join(format!("{RECORD_PREFIX}{server}{SUFFIX}"));
        // Looked at anew: a server may have begun since the names were read.
        if record.exists() {
            continue;
        }
        let pieces = pieces(folder, &names, &server, Vec::new(), 0);
        let fault = Some("its record is missing");
        all.push(Left { server, record, pieces, committed: 0, fault, _lock: None });
    }
    Ok(all)
}

/// The pieces that are there, and those that should be.
fn pieces(folder: &Path, names: &[String], server: &str, mut began: Vec<u64>, committed: u64) -> Vec<(u64, PathBuf)> {
    let prefix = format!("{PIECE_PREFIX}{server}-");
    let there = names.iter().filter_map(|name| name.strip_prefix(&prefix)?.strip_suffix(SUFFIX)?.parse::<u64>().ok());
    // The piece was made before it was recorded, or the record was cut.
    let unrecorded: Vec<u64> = there.filter(|number| !began.contains(number)).collect();
    began.extend(unrecorded);
    began.sort_unstable();
    let place = |number: u64| folder.join(format!("{prefix}{number:012}{SUFFIX}"));
    // A piece that is in the lake may be there still: the server died before it was removed.
    let pieces = began.into_iter().filter(|number| *number > committed || place(*number).exists());
    pieces.map(|number| (number, place(number))).collect()
}

fn one(folder: &Path, names: &[String], server: &str, record: PathBuf, text: &str, key: [u8; 32], lock: File) -> Left {
    let (mut began, mut committed, mut fault) = (Vec::new(), 0, None);
    const CHANGED: Option<&str> = Some("its record was changed");
    // A last line that was cut short is a crash's.
    for found in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let mut words = found.split_whitespace();
        let (what, number) = (words.next().unwrap_or_default(), words.next().and_then(|word| word.parse::<u64>().ok()));
        match (what, number) {
            (_, Some(number)) if line(&key, server, what, number) != found => fault = CHANGED,
            ("began", Some(number)) => began.push(number),
            ("committed", Some(number)) => committed = committed.max(number),
            _ => fault = CHANGED,
        }
    }
    let pieces = pieces(folder, names, server, began, committed);
    Left { server: server.to_string(), record, pieces, committed, fault, _lock: Some(lock) }
}

fn line(key: &[u8; 32], server: &str, what: &str, number: u64) -> String {
    let text = format!("{what} {number}");
    let seal = mac(key, &[server.as_bytes(), b" ", text.as_bytes()]);
    format!("{text} {seal}\n")
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
    fn what_a_server_left_is_known_when_it_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let series = Series::begin(dir.path(), KEY).unwrap();
        for first in [1, 4, 9] {
            series.began(first).unwrap();
            fs::write(series.piece(dir.path(), first), "").unwrap();
        }
        series.committed(3).unwrap();
        fs::remove_file(series.piece(dir.path(), 1)).unwrap();
        assert!(left(dir.path(), KEY).unwrap().is_empty(), "it runs");
        let (server, record) = (series.server.clone(), series.place.clone());
        drop(series);
        let one = || left(dir.path(), KEY).unwrap().remove(0);
        let found = one();
        assert!(left(dir.path(), KEY).unwrap().is_empty(), "somebody takes it in");
        let numbers: Vec<u64> = found.pieces.iter().map(|(number, _)| *number).collect();
        assert_eq!((&found.server, found.committed, numbers, found.fault), (&server, 3, vec![4, 9], None));
        // A piece that is gone is still expected, until it is recorded that the lake has it.
        fs::remove_file(&found.pieces[0].1).unwrap();
        drop(found);
        assert_eq!(one().pieces.len(), 2);
        let mut torn = fs::read(&record).unwrap();
        torn.extend_from_slice(b"began 1");
        fs::write(&record, torn).unwrap();
        one().note_committed(&KEY, 8).unwrap();
        let found = one();
        assert_eq!((found.committed, found.pieces.len(), found.fault), (8, 1, None));
        drop(found);
        let text = fs::read_to_string(&record).unwrap();
        fs::write(&record, text.replace("began 4", "began 5")).unwrap();
        assert_eq!(one().fault, Some("its record was changed"));
        fs::write(&record, &text[..text.len() - 9]).unwrap();
        assert_eq!(one().fault, None, "a crash may cut the last line short");
        fs::remove_file(&record).unwrap();
        let orphan = one();
        assert_eq!((orphan.fault, orphan.pieces.len()), (Some("its record is missing"), 1));
    }
}
