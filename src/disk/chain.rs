//! An append-only chain of entries: one file per entry, and each holds the hash of the one before.
//!
//! ```text
//! 00000000000000000001.json    {"sequence":1,"time_ms":..., ...}
//! 00000000000000000002.json    {"sequence":2,"previous":"<SHA-256 of the bytes of 1>", ...}
//! ```

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::set_mode;
use super::temporary::{END, Naming, Temporary, hidden, is_temporary_of, sweep};
use crate::error::{Context, Error, Kind, Result};
use crate::typed::Hash32;

const NAME: &str = "entry";

/// The chain in one folder, as far as it was read.
#[derive(Debug)]
pub struct Chain<B> {
    folder: PathBuf,
    /// The name in messages: "the run log".
    what: &'static str,
    /// Entries before the first of `entries` that were not read.
    skipped: u64,
    entries: Vec<Entry<B>>,
    /// SHA-256 of the last entry's bytes.
    hash: Option<Hash32>,
}

/// One entry, as its file holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry<B> {
    pub sequence: u64,
    /// SHA-256 of the bytes of the entry before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Hash32>,
    pub time_ms: i64,
    #[serde(flatten)]
    pub body: B,
}

impl<B: Serialize + DeserializeOwned> Chain<B> {
    /// Reads the chain in `folder`, which need not exist. Errors with [`Kind::Integrity`] when an entry was changed or
    /// is missing before another.
    pub fn read(folder: &Path, what: &'static str) -> Result<Chain<B>> {
        match Chain::read_sound(folder, what)? {
            (chain, None) => Ok(chain),
            (_, Some(broken)) => Err(broken),
        }
    }

    /// Reads the chain as far as it is sound, and returns where it is broken, if it is.
    pub fn read_sound(folder: &Path, what: &'static str) -> Result<(Chain<B>, Option<Error>)> {
        let mut chain = Chain { folder: folder.to_path_buf(), what, skipped: 0, entries: Vec::new(), hash: None };
        let last = chain.last()?;
        for sequence in 1..=last {
            match chain.take(sequence, true) {
                Err(error) if error.kind() == Kind::Integrity => return Ok((chain, Some(error))),
                taken => taken?,
            }
        }
        Ok((chain, None))
    }

    /// Reads the last entry alone, for callers that append to a long chain.
    pub fn tail(folder: &Path, what: &'static str) -> Result<Chain<B>> {
        let mut chain = Chain { folder: folder.to_path_buf(), what, skipped: 0, entries: Vec::new(), hash: None };
        let last = chain.last()?;
        chain.skipped = last.saturating_sub(1);
        if last > 0 {
            chain.take(last, false)?;
        }
        Ok(chain)
    }

    fn take(&mut self, sequence: u64, follows: bool) -> Result<()> {
        let path = self.path(sequence);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(self.broken(&path, "it is missing, and there are later entries"));
            }
            read => read.context(Kind::Unavailable, || format!("cannot read {}", path.display()))?,
        };
        let entry: Entry<B> = serde_json::from_slice(&bytes).map_err(|error| self.broken(&path, &error.to_string()))?;
        if entry.sequence != sequence || (follows && entry.previous != self.hash) {
            return Err(self.broken(&path, "it does not follow the entry before"));
        }
        self.hash = Some(Hash32::sha256(&bytes));
        self.entries.push(entry);
        Ok(())
    }

    /// Returns the entries that were read.
    pub fn entries(&self) -> &[Entry<B>] {
        &self.entries
    }

    /// Appends an entry; it is on the disk when this returns. Errors with [`Kind::Conflict`] when another process has
    /// appended meanwhile.
    pub fn append(&mut self, time_ms: i64, body: B) -> Result<&Entry<B>> {
        let sequence = self.skipped + self.entries.len() as u64 + 1;
        let entry = Entry { sequence, previous: self.hash, time_ms, body };
        let mut bytes = serde_json::to_vec(&entry).context(Kind::Internal, || "cannot encode an entry")?;
        bytes.push(b'\n');
        let path = self.path(sequence);
        let write = || {
            sweep(&self.folder, |found| is_temporary_of(found, NAME))?;
            let mut file = Temporary::create(&self.folder, 0o666, |number| hidden(NAME, number, END))?;
            // Everybody who may read the folder may read its entries, whatever the umask of the writer.
            set_mode(file.file(), fs::metadata(&self.folder)?.permissions().mode() & 0o666)?;
            file.write_all(&bytes)?;
            file.name(&path, Naming::Create).map(drop)
        };
        match write() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Error::new(
                    Kind::Conflict,
                    format!("cannot write {}: another run was first", path.display()),
                )
                .hint("run it again"));
            }
            written => written.context(Kind::Unavailable, || format!("cannot write {}", path.display()))?,
        }
        self.hash = Some(Hash32::sha256(&bytes));
        self.entries.push(entry);
        self.entries.last().ok_or_else(|| Error::new(Kind::Internal, "an entry was lost"))
    }

    /// Returns the greatest sequence that a file is named after; 0 when no file exists. The folder's list says where
    /// the chain ends, since a missing file may also be one that was removed.
    fn last(&self) -> Result<u64> {
        let cannot = || format!("cannot read {}", self.folder.display());
        let files = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            files => files.context(Kind::Unavailable, cannot)?,
        };
        let mut last = 0;
        for file in files {
            let name = file.context(Kind::Unavailable, cannot)?.file_name();
            let digits = name.to_str().and_then(|name| name.strip_suffix(".json")).filter(|digits| digits.len() == 20);
            last = last.max(digits.and_then(|digits| digits.parse().ok()).unwrap_or(0));
        }
        Ok(last)
    }

    fn broken(&self, path: &Path, why: &str) -> Error {
        Error::new(Kind::Integrity, format!("{} is broken at {}: {why}", self.what, path.display()))
            .hint(format!("an entry was changed or removed; restore {} from a backup", self.folder.display()))
    }

    fn path(&self, sequence: u64) -> PathBuf {
        self.folder.join(format!("{sequence:020}.json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Note {
        text: String,
    }

    fn read(folder: &Path) -> Result<Chain<Note>> {
        Chain::read(folder, "the diary")
    }

    fn note(text: &str) -> Note {
        Note { text: text.to_string() }
    }

    fn written(texts: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let mut chain = read(dir.path()).unwrap();
        for (number, text) in texts.iter().enumerate() {
            chain.append(number as i64, note(text)).unwrap();
        }
        dir
    }

    fn file(dir: &Path, sequence: u64) -> PathBuf {
        dir.join(format!("{sequence:020}.json"))
    }

    #[test]
    fn entries_come_back_in_their_order() {
        let dir = written(&["a", "b", "c"]);
        // Half an entry does not count.
        fs::write(dir.path().join(hidden(NAME, 1, END)), "{\"seq").unwrap();
        let mut chain = read(dir.path()).unwrap();
        let texts: Vec<_> = chain.entries().iter().map(|entry| entry.body.text.as_str()).collect();
        assert_eq!(texts, ["a", "b", "c"]);
        let mut other = read(dir.path()).unwrap();
        assert_eq!(chain.append(4, note("d")).unwrap().sequence, 4);
        assert_eq!(other.append(4, note("e")).unwrap_err().kind(), Kind::Conflict);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4);
        assert!(read(&dir.path().join("none")).unwrap().entries().is_empty());
    }

    #[test]
    fn the_last_entry_is_all_that_appending_needs() {
        let dir = written(&["a", "b"]);
        let mut tail: Chain<Note> = Chain::tail(dir.path(), "the diary").unwrap();
        assert_eq!(tail.entries().iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [2]);
        assert_eq!(tail.append(3, note("c")).unwrap().sequence, 3);
        assert_eq!(read(dir.path()).unwrap().entries().len(), 3);
        let mut empty: Chain<Note> = Chain::tail(&dir.path().join("none"), "the diary").unwrap();
        assert!(empty.entries().is_empty());
        assert_eq!(empty.append(1, note("a")).unwrap_err().kind(), Kind::Unavailable);
        fs::remove_file(file(dir.path(), 2)).unwrap();
        let (sound, broken) = Chain::<Note>::read_sound(dir.path(), "the diary").unwrap();
        assert_eq!((sound.entries().len(), broken.unwrap().kind()), (1, Kind::Integrity));
    }

    #[test]
    fn a_changed_a_removed_and_a_swapped_entry_are_found() {
        let damage: [&dyn Fn(&Path); 3] = [
            &|dir| {
                let text = fs::read_to_string(file(dir, 2)).unwrap();
                fs::write(file(dir, 2), text.replace("\"b\"", "\"x\"")).unwrap();
            },
            &|dir| fs::remove_file(file(dir, 2)).unwrap(),
            &|dir| {
                let text = fs::read_to_string(file(dir, 2)).unwrap();
                fs::write(file(dir, 2), text.replace("\"sequence\":2", "\"sequence\":3")).unwrap();
            },
        ];
        for damage in damage {
            let dir = written(&["a", "b", "c"]);
            damage(dir.path());
            let error = read(dir.path()).unwrap_err();
            assert_eq!(error.kind(), Kind::Integrity);
            assert!(error.to_string().starts_with("the diary is broken at "), "{error}");
        }
    }
}
