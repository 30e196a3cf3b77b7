//! The log of reads of one server as a series: numbered lines, sealed pieces, and a record of which pieces exist.
//!
//! ```text
//! reads-<server>-<first number>.log    seal TAB event, a line each
//! server-<server>.log                  seal TAB began 1 | began 57 | committed 56 ...
//! ```
//!
//! Each event has its number and its server's name, so that a hole between two events is visible in the lake. Until
//! they are in the lake, the seals show that a line was changed, removed or inserted, and the record shows that a piece
//! is missing; neither can be made without the lake's key. The record is locked for as long as its server lives.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::seals::{SealedFile, Seals};
use crate::disk;
use crate::error::{Context, Kind, Result};
use crate::lake::random_hex;

/// The purpose of the key that seals the log of reads of servers.
pub const READS_PURPOSE: &str = "serve reads";

const RECORD_PREFIX: &str = "server-";
const PIECE_PREFIX: &str = "reads-";
const SUFFIX: &str = ".log";

/// The record of a running server.
pub struct Series {
    pub server: String,
    key: [u8; 32],
    place: PathBuf,
    record: Mutex<SealedFile>,
}

impl Series {
    pub fn begin(folder: &Path, key: [u8; 32]) -> Result<Series> {
        let server = random_hex::<8>()?;
        let place = folder.join(format!("{RECORD_PREFIX}{server}{SUFFIX}"));
        let record = disk::create_private(&place, b"")
            .context(Kind::Unavailable, || format!("cannot create {}", place.display()))?;
        let record = SealedFile::new(&place, record, seals_of_record(key, &server));
        Ok(Series { server, key, place, record: Mutex::new(record) })
    }

    /// Returns the path of the piece that begins with this number.
    pub fn piece(&self, folder: &Path, first: u64) -> PathBuf {
        folder.join(format!("{PIECE_PREFIX}{}-{first:012}{SUFFIX}", self.server))
    }

    pub fn seals(&self, first: u64) -> Seals {
        Seals::new(self.key, &self.server, first)
    }

    /// Records that a piece exists which begins with this number, before it has a line.
    pub fn began(&self, first: u64) -> Result<()> {
        self.note("began", first)
    }

    /// Records that everything up to this number is in the lake, before its piece is removed.
    pub fn committed(&self, last: u64) -> Result<()> {
        self.note("committed", last)
    }

    /// Records that the server has ended, and all its lines are in the lake.
    pub fn end(&self) -> Result<()> {
        disk::remove(&self.place).context(Kind::Unavailable, || format!("cannot remove {}", self.place.display()))
    }

    fn note(&self, what: &str, number: u64) -> Result<()> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).append(&format!("{what} {number}"))
    }
}

fn seals_of_record(key: [u8; 32], server: &str) -> Seals {
    Seals::new(key, &format!("record {server}"), 0)
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
    /// Held, so that no other server ingests the same.
    _lock: Option<File>,
}

impl Left {
    /// Records that everything up to this number is in the lake, before its piece is removed: the recovering server may
    /// be killed too.
    pub fn note_committed(&self, key: &[u8; 32], last: u64) -> Result<()> {
        if !self.record.exists() {
            return Ok(());
        }
        let file = OpenOptions::new().read(true).write(true).open(&self.record);
        let file = file.context(Kind::Unavailable, || format!("cannot open {}", self.record.display()))?;
        match SealedFile::resume(&self.record, file, seals_of_record(*key, &self.server))? {
            Some((mut record, _)) => record.append(&format!("committed {last}")),
            // A changed record was already reported; events that are ingested again are duplicates.
            None => Ok(()),
        }
    }
}

/// Finds the remainders in `folder` of servers that no longer run.
pub fn left(folder: &Path, key: [u8; 32]) -> Result<Vec<Left>> {
    let cannot = || format!("cannot look into {}", folder.display());
    // Their servers died before they wrote anything.
    let is_ours = |name: &str| name.starts_with(RECORD_PREFIX) || name.starts_with(PIECE_PREFIX);
    disk::sweep(folder, |name| name.strip_prefix('.').is_some_and(is_ours)).context(Kind::Unavailable, cannot)?;
    look(folder, key)
}

/// Prefix of the name of a file that was put aside because its seals are wrong.
const DAMAGED: &str = "damaged-";

/// Puts a file with wrong seals aside, so that it is found and reported once.
pub fn put_aside(place: &Path) -> Result<()> {
    let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let aside = place.with_file_name(format!("{DAMAGED}{name}"));
    fs::rename(place, &aside).context(Kind::Unavailable, || format!("cannot rename {}", place.display()))
}

/// Returns the message about a file that was put aside; `None` for others.
pub fn was_put_aside(name: &str) -> Option<&'static str> {
    let is_damaged = name.starts_with(DAMAGED);
    is_damaged
        .then_some("a line of it is not as it was written: the lines before are in the lake; look at it, and remove it")
}

/// Returns the faults of what servers that no longer run left in `folder`; changes nothing.
pub fn faults(folder: &Path, key: [u8; 32]) -> Result<Vec<(PathBuf, String)>> {
    let mut faults = Vec::new();
    for left in look(folder, key)? {
        faults.extend(left.fault.map(|fault| (left.record.clone(), fault.to_string())));
        let mut next = left.committed + 1;
        for (first, place) in &left.pieces {
            if *first > next && left.fault.is_none() {
                faults.push((place.clone(), format!("the lines from number {next} to {} are missing", first - 1)));
            }
            match fs::read(place) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    faults.push((place.clone(), "it is missing, and its lines are not in the lake".to_string()));
                    // The number of its lines is unknown.
                    next = u64::MAX;
                }
                read => {
                    let bytes = read.context(Kind::Unavailable, || format!("cannot read {}", place.display()))?;
                    let mut seals = Seals::new(key, &left.server, *first);
                    if !seals.open(&bytes).1 {
                        faults.push((place.clone(), "a line is not as it was written".to_string()));
                    }
                    next = seals.number.max(left.committed + 1);
                }
            }
        }
    }
    for name in names_in(folder)? {
        faults.extend(was_put_aside(&name).map(|fault| (folder.join(&name), fault.to_string())));
    }
    Ok(faults)
}

fn names_in(folder: &Path) -> Result<Vec<String>> {
    let cannot = || format!("cannot look into {}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).context(Kind::Unavailable, cannot)? {
        names.push(entry.context(Kind::Unavailable, cannot)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn look(folder: &Path, key: [u8; 32]) -> Result<Vec<Left>> {
    let names = names_in(folder)?;
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
        all.push(one(folder, &names, server, record, &text, key, file));
    }
    // A server makes its record before its first piece, and removes it after its last one.
    let server_of = |name: &String| Some(name.strip_prefix(PIECE_PREFIX)?.split_once('-')?.0.to_string());
    let mut orphans: Vec<String> = names.iter().filter_map(server_of).collect();
    orphans.dedup();
    for server in orphans {
        let record = folder.join(format!("{RECORD_PREFIX}{server}{SUFFIX}"));
        // The record is checked again: a server may have begun since the names were read.
        if record.exists() {
            continue;
        }
        let pieces = pieces(folder, &names, &server, Vec::new(), 0);
        let fault = Some("its record is missing");
        all.push(Left { server, record, pieces, committed: 0, fault, _lock: None });
    }
    Ok(all)
}

/// Returns the pieces that exist, and those that should.
fn pieces(folder: &Path, names: &[String], server: &str, mut began: Vec<u64>, committed: u64) -> Vec<(u64, PathBuf)> {
    let prefix = format!("{PIECE_PREFIX}{server}-");
    let there = names.iter().filter_map(|name| name.strip_prefix(&prefix)?.strip_suffix(SUFFIX)?.parse::<u64>().ok());
    // The piece was made before it was recorded, or the record was cut.
    let unrecorded: Vec<u64> = there.filter(|number| !began.contains(number)).collect();
    began.extend(unrecorded);
    began.sort_unstable();
    began.dedup();
    let place = |number: u64| folder.join(format!("{prefix}{number:012}{SUFFIX}"));
    // A piece that is in the lake may still exist: the server died before removing it.
    let pieces = began.into_iter().filter(|number| *number > committed || place(*number).exists());
    pieces.map(|number| (number, place(number))).collect()
}

fn one(
    folder: &Path,
    names: &[String],
    server: &str,
    record: PathBuf,
    bytes: &[u8],
    key: [u8; 32],
    lock: File,
) -> Left {
    let (mut began, mut committed) = (Vec::new(), 0);
    // A last line that was cut short comes from a crash.
    let (texts, is_whole) = seals_of_record(key, server).open(bytes);
    for text in String::from_utf8_lossy(&texts).lines() {
        match text.split_once(' ').and_then(|(what, number)| Some((what, number.parse::<u64>().ok()?))) {
            Some(("began", number)) => began.push(number),
            Some(("committed", number)) => committed = committed.max(number),
            _ => {}
        }
    }
    let fault = (!is_whole).then_some("its record was changed");
    let pieces = pieces(folder, names, server, began, committed);
    Left { server: server.to_string(), record, pieces, committed, fault, _lock: Some(lock) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

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
