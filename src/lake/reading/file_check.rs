//! Data files that are compared with the ledger's record, byte for byte, before somebody relies on them.
//!
//! A statement reads the parts of a file that it needs, and only their footer is compared each time: a page that was
//! changed in place gives other values, and `verify` finds it. Evidence and exports leave the lake and speak for it
//! elsewhere, so all bytes of the files that they come from are compared, each file once per process.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};

use super::super::Lake;
use super::super::files::file::FileEntry;
use crate::error::{Context, Error, Kind, Result};
use crate::typed::Hash32;

/// Files that are read at the same time.
const AT_ONCE: usize = 4;
const BUFFER: usize = 1 << 20;

/// Compares files of one lake, and remembers those that it has compared.
#[derive(Debug)]
pub struct FileCheck {
    lake: Lake,
    checked: Mutex<BTreeSet<Hash32>>,
}

impl FileCheck {
    pub fn of(lake: &Lake) -> FileCheck {
        FileCheck { lake: lake.clone(), checked: Mutex::default() }
    }

    /// Errors with [`Kind::Integrity`] when the bytes of one of the files differ from the ledger's record.
    pub async fn check(&self, files: &[Arc<FileEntry>]) -> Result<()> {
        let is_new = |file: &&Arc<FileEntry>| !self.known().contains(&file.sha256);
        let new: Vec<Arc<FileEntry>> = files.iter().filter(is_new).cloned().collect();
        let checks = new.into_iter().map(|file| {
            let place = self.lake.place_of(file.table(), &file.path());
            async move {
                let check = tokio::task::spawn_blocking(move || compare(&place, &file));
                check.await.context(Kind::Internal, || "a task that compares files stopped")?
            }
        });
        let checks: Vec<_> = checks.collect();
        let mut done = futures::stream::iter(checks).buffer_unordered(AT_ONCE);
        while let Some(hash) = done.try_next().await? {
            self.known().insert(hash);
        }
        Ok(())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeSet<Hash32>> {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn compare(place: &Path, file: &FileEntry) -> Result<Hash32> {
    let path = file.data_path();
    let cannot = || format!("cannot read {path}");
    let mut from = match File::open(place) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Error::new(Kind::Integrity, format!("{path} is missing, and the ledger names it"))
                .hint("restore it from a backup; `auditlake verify` lists what else is damaged"));
        }
        opened => opened.context(Kind::Unavailable, cannot)?,
    };
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; BUFFER]);
    loop {
        match from.read(&mut buffer).context(Kind::Unavailable, cannot)? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    let hash = Hash32(hash.finalize().into());
    if hash == file.sha256 {
        Ok(hash)
    } else {
        Err(Error::new(Kind::Integrity, format!("{path} is not the file that the ledger records"))
            .hint("it was changed or replaced after it was written; restore it from a backup"))
    }
}
