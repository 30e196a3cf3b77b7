//! Heads of the ledger that were recorded elsewhere, each with the answer that it got there.
//!
//! ```text
//! commit -> head -> a command of the operator: a time stamp, a log, a mail -> its answer
//!                                                                            v
//!                                         _anchors/00000000000000000003.json: the head and the answer, in one chain
//! ```
//!
//! `verify` compares them with the ledger: a ledger that was put back to a state before one of them, or rewritten, does
//! not have its head. Whoever can write to the lake can write here as well, so the proof is the answer: it was given by
//! somebody who saw this head at that time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::super::files::layout::{ANCHORS, entry_path};
use super::anchor::{Anchor, Head};
use super::faults::Faults;
use crate::disk::{self, Chain};
use crate::error::{Context, Error, Kind, Result};

const WHAT: &str = "the chain of anchors";
/// Attempts that failed since the last successful one.
const FAILING: &str = "failing.json";

/// A recorded head in its stored form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    pub head: Head,
    /// Everything that the command printed, in base64: a token of RFC 3161, a URL, nothing.
    #[serde(serialize_with = "encode", deserialize_with = "decode")]
    pub answer: Vec<u8>,
}

/// One recorded head, with its number and the time at which it was stored.
pub type RecordedEntry = disk::Entry<Recorded>;

/// Attempts that failed since the last successful one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    pub attempts: u64,
    pub since_ms: i64,
    pub last_ms: i64,
    pub reason: String,
}

fn encode<S: Serializer>(answer: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&STANDARD.encode(answer))
}

fn decode<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    STANDARD.decode(String::deserialize(from)?).map_err(serde::de::Error::custom)
}

/// The lake's record of heads that were recorded elsewhere.
#[derive(Debug, Clone)]
pub struct Anchors {
    root: PathBuf,
}

impl Anchors {
    pub fn of(root: &Path) -> Anchors {
        Anchors { root: root.to_path_buf() }
    }

    fn folder(&self) -> PathBuf {
        self.root.join(ANCHORS)
    }

    /// Returns all of them, as far as their chain is sound; and where it is broken, if it is.
    pub fn all(&self) -> Result<(Vec<RecordedEntry>, Option<Error>)> {
        let (chain, broken) = Chain::<Recorded>::read_sound(&self.folder(), WHAT)?;
        Ok((chain.entries().to_vec(), broken))
    }

    pub fn newest(&self) -> Result<Option<RecordedEntry>> {
        Ok(Chain::<Recorded>::tail(&self.folder(), WHAT)?.entries().last().cloned())
    }

    /// Stores one more; returns its number. Earlier failed attempts are forgotten.
    pub fn keep(&self, time_ms: i64, recorded: &Recorded) -> Result<u64> {
        self.make_folder()?;
        let sequence = loop {
            match Chain::tail(&self.folder(), WHAT)?.append(time_ms, recorded.clone()) {
                // Another process was first; both heads are kept.
                Err(error) if error.kind() == Kind::Conflict => continue,
                kept => break kept?.sequence,
            }
        };
        let place = self.folder().join(FAILING);
        if place.exists() {
            disk::remove(&place).context(Kind::Unavailable, || format!("cannot remove {}", place.display()))?;
        }
        Ok(sequence)
    }

    pub fn failing(&self) -> Result<Option<Failing>> {
        let place = self.folder().join(FAILING);
        match fs::read(&place) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            read => {
                let bytes = read.context(Kind::Unavailable, || format!("cannot read {}", place.display()))?;
                // It is not evidence: half of it counts as an attempt of which nothing is known.
                Ok(Some(serde_json::from_slice(&bytes).unwrap_or(Failing {
                    attempts: 1,
                    since_ms: 0,
                    last_ms: 0,
                    reason: "unknown".to_string(),
                })))
            }
        }
    }

    /// Counts an attempt that failed; returns how many have failed in a row.
    pub fn note_failure(&self, time_ms: i64, reason: String) -> Result<u64> {
        self.make_folder()?;
        let before = self.failing()?;
        let attempts = before.as_ref().map_or(0, |before| before.attempts) + 1;
        let since_ms = before.map_or(time_ms, |before| before.since_ms);
        let failing = Failing { attempts, since_ms, last_ms: time_ms, reason };
        let bytes = serde_json::to_vec(&failing).context(Kind::Internal, || "cannot encode a failed anchor")?;
        disk::write(&self.folder().join(FAILING), &bytes)?;
        Ok(attempts)
    }

    /// Makes the folder with the mode of the lake's.
    fn make_folder(&self) -> Result<()> {
        let folder = self.folder();
        disk::make_dir_like_parent(&folder).context(Kind::Unavailable, || format!("cannot create {}", folder.display()))
    }
}

/// The result of comparing the anchors of a lake with its ledger.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Compared {
    pub kept: u64,
    /// The number of heads that are entries of the ledger.
    pub agree: u64,
    /// The newest entry of the ledger that one of them names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<u64>,
    /// Anchors that agree, for a closer look at their answers.
    #[serde(skip)]
    pub agreeing: Vec<RecordedEntry>,
}

/// The heads that the entries of a ledger are compared with, while they are read.
#[derive(Debug, Default)]
pub struct Heads<'a> {
    given: Option<&'a Anchor>,
    kept: Vec<RecordedEntry>,
    /// Hashes of entries that somebody expects.
    hashes: BTreeMap<u64, Option<String>>,
}

impl<'a> Heads<'a> {
    /// Returns the given head, where no other is kept.
    pub fn given(given: Option<&'a Anchor>) -> Heads<'a> {
        let hashes = given.map(|given| (given.sequence, None)).into_iter().collect();
        Heads { given, hashes, kept: Vec::new() }
    }

    /// Returns the given head, and those that the lake keeps.
    pub fn of(given: Option<&'a Anchor>, root: &Path, faults: &mut Faults) -> Result<Heads<'a>> {
        let (kept, broken) = Anchors::of(root).all()?;
        if let Some(broken) = broken {
            faults.add(ANCHORS, broken.to_string());
        }
        let sequences = kept.iter().map(|kept| kept.body.head.sequence);
        let hashes = sequences.chain(given.map(|given| given.sequence)).map(|sequence| (sequence, None)).collect();
        Ok(Heads { given, kept, hashes })
    }

    /// Records an entry that was read.
    pub fn take(&mut self, sequence: u64, hash: &str) {
        if let Some(found) = self.hashes.get_mut(&sequence) {
            *found = Some(hash.to_string());
        }
    }

    /// Compares the heads, once all entries up to `last` were read.
    pub fn compare(self, lake_id: &str, last: u64, faults: &mut Faults) -> Compared {
        let mut compared = Compared { kept: self.kept.len() as u64, ..Compared::default() };
        if let Some(given) = self.given {
            let wrong = self.wrong(given.lake_id.as_deref(), given.sequence, &given.sha256, lake_id, last);
            if let Some((path, fault)) = wrong {
                faults.add(path, fault);
            }
        }
        for kept in &self.kept {
            let head = &kept.body.head;
            match self.wrong(Some(&head.lake_id), head.sequence, &head.sha256, lake_id, last) {
                None => {
                    compared.newest = compared.newest.max(Some(head.sequence));
                    compared.agreeing.push(kept.clone());
                }
                Some((path, fault)) => faults.add(path, format!("anchor {}: {fault}", kept.sequence)),
            }
        }
        compared.agree = compared.agreeing.len() as u64;
        compared
    }

    fn wrong(
        &self,
        of: Option<&str>,
        sequence: u64,
        sha256: &str,
        lake_id: &str,
        last: u64,
    ) -> Option<(String, String)> {
        if let Some(other) = of.filter(|of| *of != lake_id) {
            let fault = format!("the lake is {lake_id}, and the head of {other} was written down");
            return Some((entry_path(0).to_string(), fault));
        }
        match self.hashes.get(&sequence) {
            _ if sequence > last => {
                let fault = format!("the ledger ends here, and entry {sequence} was written down: it was put back");
                Some((entry_path(last).to_string(), fault))
            }
            Some(Some(found)) if found == sha256 => None,
            Some(Some(_)) => {
                let fault = "it is not the entry that was written down: the lake was put back, or written anew";
                Some((entry_path(sequence).to_string(), fault.to_string()))
            }
            // A missing entry is a fault of its own; that it was written down does not change this.
            _ => Some((entry_path(sequence).to_string(), "it was written down, and cannot be read".to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(sequence: u64, sha256: &str) -> Head {
        Head { lake_id: "l".to_string(), sequence, sha256: sha256.to_string(), time_ms: 1 }
    }

    fn compared(root: &Path, lake: &str, hashes: &[&str]) -> (Compared, Vec<String>) {
        let mut faults = Faults::new(10);
        let mut expected = Heads::of(None, root, &mut faults).unwrap();
        hashes.iter().enumerate().for_each(|(sequence, hash)| expected.take(sequence as u64, hash));
        let compared = expected.compare(lake, hashes.len() as u64 - 1, &mut faults);
        (compared, faults.listed.into_iter().map(|fault| fault.fault).collect())
    }

    #[test]
    fn a_ledger_behind_an_anchor_or_beside_it_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let anchors = Anchors::of(dir.path());
        assert_eq!(compared(dir.path(), "l", &["a"]).0.kept, 0);
        for (sequence, hash) in [(0, "a"), (2, "c")] {
            let answer = vec![0, 255, b'\n'];
            anchors.keep(5, &Recorded { head: head(sequence, hash), answer }).unwrap();
        }
        assert_eq!(anchors.newest().unwrap().unwrap().body.answer, [0, 255, b'\n']);
        let (all, faults) = compared(dir.path(), "l", &["a", "b", "c", "d"]);
        assert_eq!((all.kept, all.agree, all.newest, faults.len()), (2, 2, Some(2), 0));
        let (one, faults) = compared(dir.path(), "l", &["a", "b"]);
        assert_eq!((one.kept, one.agree), (2, 1));
        assert!(faults[0].contains("anchor 2: the ledger ends here"), "{faults:?}");
        let (one, faults) = compared(dir.path(), "l", &["a", "b", "x"]);
        assert_eq!(one.agree, 1);
        assert!(faults[0].contains("it is not the entry that was written down"), "{faults:?}");
        assert_eq!(compared(dir.path(), "other", &["a", "b", "c"]).0.agree, 0);
        // An anchor that was edited no longer fits the one after it.
        let place = dir.path().join(ANCHORS).join("00000000000000000001.json");
        let text = fs::read_to_string(&place).unwrap();
        fs::write(&place, text.replace("\"time_ms\":1", "\"time_ms\":2")).unwrap();
        let (_, faults) = compared(dir.path(), "l", &["a", "b", "c"]);
        assert!(faults[0].contains("the chain of anchors is broken"), "{faults:?}");
    }

    #[test]
    fn attempts_that_fail_are_counted_until_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let anchors = Anchors::of(dir.path());
        assert_eq!(anchors.failing().unwrap(), None);
        assert_eq!(anchors.note_failure(3, "x".to_string()).unwrap(), 1);
        assert_eq!(anchors.note_failure(7, "y".to_string()).unwrap(), 2);
        let failing = anchors.failing().unwrap().unwrap();
        assert_eq!(failing, Failing { attempts: 2, since_ms: 3, last_ms: 7, reason: "y".to_string() });
        anchors.keep(8, &Recorded { head: head(0, "a"), answer: Vec::new() }).unwrap();
        assert_eq!(anchors.failing().unwrap(), None);
    }
}
