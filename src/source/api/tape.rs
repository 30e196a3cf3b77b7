//! Pages kept on the disk, and given again without a server.
//!
//! ```text
//! DIR/<source>/000001.json ...     the pages as they came, redacted; `auditlake ingest` takes them too
//! DIR/<source>/requests.ndjson     one line a page: which window it belongs to, and whether that begins with it
//! ```
//!
//! A page is written before its line, so a line without a page does not occur, and a page without one is passed over.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Page;
use crate::disk;
use crate::error::{Context, Error, Kind, Result};

const INDEX: &str = "requests.ndjson";

/// The request that a recorded page answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taped {
    /// The page's number on the tape.
    pub number: u64,
    #[serde(default)]
    pub from_ms: Option<i64>,
    pub to_ms: i64,
    pub limit: u32,
    /// Whether the walk of its window begins with it.
    pub is_first: bool,
    /// By our clock, when it came.
    pub at_ms: i64,
    /// By the server's clock, when it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_ms: Option<i64>,
    pub url: String,
}

/// Writes the pages of one source.
#[derive(Debug)]
pub struct Recorder {
    folder: PathBuf,
    index: File,
    number: u64,
}

impl Recorder {
    /// Goes on with the tape of `source` in `folder`, or begins one.
    pub fn open(folder: &Path, source: &str) -> Result<Recorder> {
        let folder = folder.join(source);
        let cannot = || format!("cannot record to {}", folder.display());
        disk::make_dir(&folder).context(Kind::Unavailable, cannot)?;
        let mut index = disk::open_private(&folder.join(INDEX)).context(Kind::Unavailable, cannot)?;
        let mut text = String::new();
        index.read_to_string(&mut text).context(Kind::Unavailable, cannot)?;
        // A line that a kill cut off is not a line; its page is written again under the same number.
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        index.set_len(whole as u64).and_then(|()| index.seek(SeekFrom::End(0))).context(Kind::Unavailable, cannot)?;
        let number = text[..whole].lines().count() as u64;
        Ok(Recorder { folder, index, number })
    }

    /// Keeps a page, which is redacted already.
    pub fn keep(&mut self, mut taped: Taped, page: &[u8]) -> Result<()> {
        let cannot = || format!("cannot record to {}", self.folder.display());
        taped.number = self.number + 1;
        let place = page_path(&self.folder, taped.number);
        let mut write = || {
            disk::replace_private(&place, page)?;
            let mut line = serde_json::to_vec(&taped)?;
            line.push(b'\n');
            self.index.write_all(&line)?;
            self.index.sync_data()
        };
        write().context(Kind::Unavailable, cannot)?;
        self.number += 1;
        Ok(())
    }
}

/// The pages of one source, in the order in which they came.
#[derive(Debug)]
pub struct Recording {
    folder: PathBuf,
    taped: std::collections::VecDeque<Taped>,
}

impl Recording {
    /// Opens the tape of `source` in `folder`.
    pub fn open(folder: &Path, source: &str) -> Result<Recording> {
        let folder = folder.join(source);
        let place = folder.join(INDEX);
        let text = std::fs::read_to_string(&place)
            .context(Kind::Unavailable, || format!("cannot replay {}", place.display()))
            .map_err(|error| error.hint("`auditlake pull --record DIR` creates such a directory"))?;
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        let parse = |(number, line): (usize, &str)| {
            serde_json::from_str(line)
                .context(Kind::Input, || format!("cannot read {}:{}", place.display(), number + 1))
        };
        let taped = text[..whole].lines().enumerate().map(parse).collect::<Result<_>>()?;
        Ok(Recording { folder, taped })
    }

    /// The next recorded answer.
    pub fn peek(&self) -> Option<&Taped> {
        self.taped.front()
    }

    /// The next page.
    pub fn take(&mut self) -> Result<Option<(Taped, Page)>> {
        let Some(taped) = self.taped.pop_front() else { return Ok(None) };
        let place = page_path(&self.folder, taped.number);
        let bytes = std::fs::read(&place).context(Kind::Unavailable, || format!("cannot read {}", place.display()))?;
        let page = Page::parse(bytes).map_err(|why| Error::input(format!("cannot read {}: {why}", place.display())))?;
        let page = Page { date_ms: taped.server_ms, ..page };
        Ok(Some((taped, page)))
    }
}

fn page_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:06}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &[u8] = b"{\"entries\":[],\"has_more\":false}";

    fn taped(is_first: bool) -> Taped {
        Taped {
            number: 0,
            from_ms: None,
            to_ms: 5,
            limit: 9,
            is_first,
            at_ms: 1,
            server_ms: None,
            url: "u".to_string(),
        }
    }

    #[test]
    fn a_tape_that_was_cut_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let mut recorder = Recorder::open(dir.path(), "prod").unwrap();
        recorder.keep(taped(true), PAGE).unwrap();
        recorder.keep(taped(false), PAGE).unwrap();
        let index = dir.path().join("prod").join(INDEX);
        let text = std::fs::read_to_string(&index).unwrap();
        std::fs::write(&index, &text[..text.len() - 5]).unwrap();
        Recorder::open(dir.path(), "prod").unwrap().keep(taped(true), PAGE).unwrap();

        let mut recording = Recording::open(dir.path(), "prod").unwrap();
        assert_eq!(recording.peek().unwrap().to_ms, 5);
        let mut told = Vec::new();
        while let Some((taped, page)) = recording.take().unwrap() {
            told.push((taped.number, taped.is_first));
            assert!(page.entries.is_empty());
        }
        assert_eq!(told, [(1, true), (2, true)]);
        assert!(Recording::open(dir.path(), "other").is_err());
    }

    #[test]
    fn only_the_owner_can_read_a_tape() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        Recorder::open(dir.path(), "prod").unwrap().keep(taped(true), PAGE).unwrap();
        for file in std::fs::read_dir(dir.path().join("prod")).unwrap() {
            assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
