//! The record of the access log: the number of each read, the piece that its line is in, and which of them the lake has.
//!
//! ```text
//! record.log       seal TAB began 57 <piece> | committed 56 57 | through 57
//! <piece>.log      seal TAB event, a line each
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::disk;
use crate::error::{Context, Kind, Result};
use crate::ingest::{SealedFile, Seals, put_aside, was_put_aside};

const RECORD: &str = "record";
const SUFFIX: &str = ".log";
/// The length above which a record is written anew once the lake has all reads.
const LONG: u64 = 64 << 10;

/// The content of the record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Reads {
    last: u64,
    /// Reads that the lake does not have yet, and their pieces.
    open: BTreeMap<u64, String>,
}

impl Reads {
    fn of(texts: &str) -> Reads {
        let mut reads = Reads::default();
        for text in texts.lines() {
            let mut words = text.split(' ');
            let what = words.next().unwrap_or_default();
            let piece = text.rsplit(' ').next().unwrap_or_default();
            for number in words.filter_map(|word| word.parse::<u64>().ok()) {
                reads.last = reads.last.max(number);
                match what {
                    "began" => drop(reads.open.insert(number, piece.to_string())),
                    "committed" => drop(reads.open.remove(&number)),
                    _ => reads.open.retain(|open, _| *open > number),
                }
                // The name of a piece may be all digits.
                if what == "began" {
                    break;
                }
            }
        }
        reads
    }
}

/// The record, locked for us as long as this lives.
pub struct Record {
    file: SealedFile,
    key: [u8; 32],
    reads: Reads,
}

impl Record {
    /// Waits for the record, and reads it. A changed one is put aside, and `warn` is called.
    pub fn lock(folder: &Path, key: [u8; 32], warn: &dyn Fn(&str)) -> Result<Record> {
        let place = place(folder, RECORD);
        let cannot = || format!("cannot open {}", place.display());
        let mut last = 0;
        loop {
            let file = disk::open_private(&place).context(Kind::Unavailable, cannot)?;
            file.lock().context(Kind::Unavailable, cannot)?;
            if !is_still(&place, &file) {
                continue;
            }
            share(folder, &file).context(Kind::Unavailable, cannot)?;
            if let Some((file, texts)) = SealedFile::resume(&place, file, seals(key, RECORD))? {
                let reads = Reads::of(&texts);
                let mut record = Record { file, key, reads };
                if record.reads.last < last {
                    record.file.append(&format!("through {last}"))?;
                    record.reads.last = last;
                }
                return Ok(record);
            }
            // Numbers continue after the last one that it claims, so that none is given twice.
            let text = fs::read_to_string(&place).unwrap_or_default();
            last = Reads::of(&without_seals(&text)).last;
            put_aside(&place)?;
            warn(&format!("{} was changed; it is put aside, and `auditlake verify` says so", place.display()));
        }
    }

    /// Returns the number of the next read.
    pub fn next(&self) -> u64 {
        self.reads.last + 1
    }

    /// Records the next read, whose line is in this piece.
    pub fn began(&mut self, piece: &str) -> Result<()> {
        let number = self.next();
        self.file.append(&format!("began {number} {piece}"))?;
        self.reads.last = number;
        self.reads.open.insert(number, piece.to_string());
        Ok(())
    }

    /// Records that the lake has these reads.
    pub fn committed(&mut self, numbers: &BTreeSet<u64>) -> Result<()> {
        let words: Vec<String> = numbers.iter().map(u64::to_string).collect();
        self.reads.open.retain(|number, _| !numbers.contains(number));
        if self.reads.open.is_empty() && self.file.end() > LONG {
            return self.begin_anew();
        }
        if words.is_empty() { Ok(()) } else { self.file.append(&format!("committed {}", words.join(" "))) }
    }

    /// Replaces the record by a new file; processes that wait for the old one see that it is no longer the record.
    fn begin_anew(&self) -> Result<()> {
        let text = format!("through {}", self.reads.last);
        let line = format!("{}\t{text}\n", seals(self.key, RECORD).seal(text.as_bytes()));
        let place = self.file.place();
        disk::replace_private(place, line.as_bytes())
            .context(Kind::Unavailable, || format!("cannot write {}", place.display()))
    }

    /// Returns the reads of a piece that the lake does not have yet.
    pub fn open_of(&self, piece: &str) -> BTreeSet<u64> {
        self.reads.open.iter().filter(|(_, of)| *of == piece).map(|(number, _)| *number).collect()
    }
}

/// Returns the seals of a file of the log.
pub fn seals(key: [u8; 32], name: &str) -> Seals {
    Seals::new(key, &format!("access {name}"), 0)
}

pub fn place(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}{SUFFIX}"))
}

/// Returns the names of all pieces.
pub fn pieces(folder: &Path) -> Result<Vec<String>> {
    let names = names(folder)?.into_iter().filter(|name| !name.starts_with('.') && was_put_aside(name).is_none());
    Ok(names.filter_map(|name| Some(name.strip_suffix(SUFFIX)?.to_string())).filter(|name| name != RECORD).collect())
}

/// Returns the numbers of the reads of a piece.
pub fn numbers(lines: &str) -> BTreeSet<u64> {
    let events = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.filter_map(|event| event["metadata"]["sequence"].as_u64()).collect()
}

/// Returns the faults of the log in `folder`; changes nothing. Without the key, seals are not checked.
pub fn faults(folder: &Path, key: Option<[u8; 32]>) -> Result<Vec<(PathBuf, String)>> {
    let mut faults = Vec::new();
    let record = place(folder, RECORD);
    if File::open(&record).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
        // It is another account's, which takes care of it.
        return Ok(faults);
    }
    let (reads, _lock) = match (key, read(&record)?) {
        (_, None) => {
            let orphans = pieces(folder)?.into_iter().map(|piece| place(folder, &piece));
            let orphans = orphans.filter(|place| fs::metadata(place).is_ok_and(|known| known.len() > 0));
            return Ok(orphans.map(|place| (place, "the record of the access log is missing".to_string())).collect());
        }
        (Some(key), Some((bytes, lock))) => {
            let (texts, is_whole) = seals(key, RECORD).open(&bytes);
            if !is_whole {
                faults.push((record, "it was changed".to_string()));
            }
            (Reads::of(&String::from_utf8_lossy(&texts)), lock)
        }
        (None, Some((bytes, lock))) => (Reads::of(&without_seals(&String::from_utf8_lossy(&bytes))), lock),
    };
    for (number, piece) in missing(folder, &reads, key)? {
        let fault = format!("read {number} is not in it, and not in the lake: it was changed or taken away");
        faults.push((place(folder, &piece), fault));
    }
    if let Some(key) = key {
        for piece in pieces(folder)? {
            let place = place(folder, &piece);
            if let Some((bytes, _)) = read(&place)?
                && !seals(key, &piece).open(&bytes).1
            {
                faults.push((place, "a line is not as it was written".to_string()));
            }
        }
    }
    for name in names(folder)? {
        faults.extend(was_put_aside(&name).map(|fault| (folder.join(&name), fault.to_string())));
    }
    Ok(faults)
}

/// Returns the reads that were recorded and are neither in a piece nor in the lake.
pub fn lost(folder: &Path, key: [u8; 32]) -> Result<BTreeSet<u64>> {
    let Some((bytes, _lock)) = read(&place(folder, RECORD))? else { return Ok(BTreeSet::new()) };
    let (texts, _) = seals(key, RECORD).open(&bytes);
    let reads = Reads::of(&String::from_utf8_lossy(&texts));
    Ok(missing(folder, &reads, Some(key))?.into_iter().map(|(number, _)| number).collect())
}

/// Returns open reads whose lines do not exist. Pieces of other accounts, which we may not read, are trusted.
fn missing(folder: &Path, reads: &Reads, key: Option<[u8; 32]>) -> Result<Vec<(u64, String)>> {
    let mut missing = Vec::new();
    let mut there: BTreeMap<&str, Option<BTreeSet<u64>>> = BTreeMap::new();
    for (number, piece) in &reads.open {
        if !there.contains_key(piece.as_str()) {
            let found = match fs::read(place(folder, piece)) {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => None,
                Err(error) if error.kind() == io::ErrorKind::NotFound => Some(BTreeSet::new()),
                read => {
                    let bytes = read.context(Kind::Unavailable, || format!("cannot read piece {piece}"))?;
                    let lines = match key {
                        Some(key) => String::from_utf8_lossy(&seals(key, piece).open(&bytes).0).into_owned(),
                        None => without_seals(&String::from_utf8_lossy(&bytes)),
                    };
                    Some(numbers(&lines))
                }
            };
            there.insert(piece, found);
        }
        if there[piece.as_str()].as_ref().is_some_and(|numbers| !numbers.contains(number)) {
            missing.push((*number, piece.clone()));
        }
    }
    Ok(missing)
}

/// Returns the bytes of a file of the log, and the file, locked against processes that begin or commit; `None` when it
/// does not exist, or is another account's.
fn read(place: &Path) -> Result<Option<(Vec<u8>, File)>> {
    let cannot = || format!("cannot read {}", place.display());
    let file = match File::open(place) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
            return Ok(None);
        }
        file => file.context(Kind::Unavailable, cannot)?,
    };
    if place.file_name().is_some_and(|name| name.to_string_lossy() == format!("{RECORD}{SUFFIX}")) {
        file.lock_shared().context(Kind::Unavailable, cannot)?;
    }
    let bytes = fs::read(place).context(Kind::Unavailable, cannot)?;
    Ok(Some((bytes, file)))
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let cannot = || format!("cannot look into {}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).context(Kind::Unavailable, cannot)? {
        names.push(entry.context(Kind::Unavailable, cannot)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn without_seals(text: &str) -> String {
    text.lines().filter_map(|line| Some(format!("{}\n", line.split_once('\t')?.1))).collect()
}

/// Returns whether the file still has its name.
fn is_still(place: &Path, file: &File) -> bool {
    let known = file.metadata().map(|known| (known.dev(), known.ino()));
    let named = fs::symlink_metadata(place).map(|known| (known.dev(), known.ino()));
    known.is_ok_and(|known| named.is_ok_and(|named| named == known))
}

/// Lets everybody who may write to the folder write to the record.
fn share(folder: &Path, file: &File) -> io::Result<()> {
    let mode = fs::metadata(folder)?.mode() & 0o660;
    let known = file.metadata()?;
    if known.mode() & 0o777 != mode && known.uid() == disk::our_user()? {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [3; 32];

    fn lock(folder: &Path) -> Record {
        Record::lock(folder, KEY, &|_| {}).unwrap()
    }

    fn set(numbers: impl IntoIterator<Item = u64>) -> BTreeSet<u64> {
        numbers.into_iter().collect()
    }

    /// Writes a piece with these reads, each recorded.
    fn write(folder: &Path, piece: &str, reads: u64) {
        let place = place(folder, piece);
        let mut file = SealedFile::new(&place, disk::create_private(&place, b"").unwrap(), seals(KEY, piece));
        for _ in 0..reads {
            let mut record = lock(folder);
            file.append(&serde_json::json!({"metadata": {"sequence": record.next()}}).to_string()).unwrap();
            record.began(piece).unwrap();
        }
    }

    #[test]
    fn reads_of_all_processes_are_numbered_in_one_chain() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "7", 2);
        write(dir.path(), "b", 1);
        let mut record = lock(dir.path());
        assert_eq!((record.next(), record.open_of("7"), record.open_of("b")), (4, set([1, 2]), set([3])));
        record.committed(&set([1, 2])).unwrap();
        drop(record);
        let record = lock(dir.path());
        assert_eq!((record.open_of("7"), record.next()), (set([]), 4));
        drop(record);
        assert_eq!(faults(dir.path(), Some(KEY)).unwrap(), []);
        assert_eq!(faults(dir.path(), None).unwrap(), []);
    }

    #[test]
    fn a_record_that_is_long_begins_anew_and_numbers_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let mut record = lock(dir.path());
        let long = "p".repeat(LONG as usize);
        record.began(&long).unwrap();
        record.committed(&set([1])).unwrap();
        drop(record);
        let known = fs::metadata(place(dir.path(), RECORD)).unwrap().len();
        assert!(known < 100, "{known}");
        assert_eq!(lock(dir.path()).next(), 2);
    }

    #[test]
    fn a_piece_that_is_taken_away_cut_or_changed_is_missed() {
        let damage: [&dyn Fn(&Path); 4] = [
            &|folder| fs::remove_file(place(folder, "a")).unwrap(),
            &|folder| {
                let text = fs::read_to_string(place(folder, "a")).unwrap();
                fs::write(place(folder, "a"), format!("{}\n", text.lines().next().unwrap())).unwrap();
            },
            &|folder| {
                let text = fs::read_to_string(place(folder, "a")).unwrap();
                fs::write(place(folder, "a"), text.replace("\"sequence\":2", "\"sequence\":3")).unwrap();
            },
            &|folder| {
                let text = fs::read_to_string(place(folder, RECORD)).unwrap();
                fs::write(
                    place(folder, RECORD),
                    text.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>(),
                )
                .unwrap();
            },
        ];
        for damage in damage {
            let dir = tempfile::tempdir().unwrap();
            write(dir.path(), "a", 2);
            damage(dir.path());
            let found = faults(dir.path(), Some(KEY)).unwrap();
            assert!(!found.is_empty());
            // The loss stays known when the log continues.
            write(dir.path(), "b", 1);
            assert!(!faults(dir.path(), Some(KEY)).unwrap().is_empty(), "{found:?}");
        }
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "a", 1);
        fs::remove_file(place(dir.path(), RECORD)).unwrap();
        assert_eq!(faults(dir.path(), Some(KEY)).unwrap().len(), 1);
    }

    #[test]
    fn reads_that_are_lost_are_told_once() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "a", 2);
        write(dir.path(), "b", 1);
        fs::remove_file(place(dir.path(), "a")).unwrap();
        assert_eq!(lost(dir.path(), KEY).unwrap(), set([1, 2]));
        lock(dir.path()).committed(&set([1, 2])).unwrap();
        assert_eq!((lost(dir.path(), KEY).unwrap(), faults(dir.path(), Some(KEY)).unwrap()), (set([]), vec![]));
    }
}
