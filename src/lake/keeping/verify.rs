//! Compares a whole lake with its ledger.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use object_store::ObjectStore;
use serde::Serialize;

use super::super::files::file::FileEntry;
use super::super::fingerprints;
use super::super::{durable, existing, lock};
use super::anchor::{Anchor, Head};
use super::chain::{self, Chain};
use super::faults::{Fault, Faults};
use super::level::{Level, Progress};
use super::manifest::Manifest;
use super::recorded::{Compared, Heads};
use super::{data, versions};
use crate::disk::Patience;
use crate::error::{Kind, Result};
use crate::schema::Ocsf;
use crate::signing::PublicKey;

/// Options of a check.
#[derive(Debug, Clone)]
pub struct Verify {
    pub level: Level,
    /// A head that was written down elsewhere.
    pub anchor: Option<Anchor>,
    /// The key that must have signed the newest entry, and any other that is signed.
    pub public_key: Option<PublicKey>,
    /// The number of faults that are listed; all are counted.
    pub most: usize,
    pub patience: Patience,
    pub progress: Progress,
}

/// The result of a check.
#[derive(Debug, Clone, Serialize)]
pub struct Verified {
    pub head: Head,
    pub level: Level,
    pub entries: u64,
    /// Files of the tables.
    pub files: u64,
    pub bytes: u64,
    pub rows: u64,
    /// Files that left their tables and are still on the disk; they are checked too.
    pub replaced: u64,
    pub faults: Vec<Fault>,
    /// The number of all faults, including those that are not listed.
    pub fault_count: u64,
    /// The last entry that the public key has signed, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_to: Option<u64>,
    /// Heads that were recorded elsewhere, and how many of them the ledger has.
    pub anchors: Compared,
    /// Changes that cost nothing but time.
    pub notes: Vec<Fault>,
    /// The range of an archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive: Option<Manifest>,
}

/// Checks the lake at `root`, whatever state it is in. Nothing is written, and no key is needed.
pub async fn verify(root: &Path, ocsf: &Ocsf, asked: &Verify) -> Result<Verified> {
    existing(root)?;
    let store = Arc::new(durable(root)?);
    let objects: Arc<dyn ObjectStore> = store.clone();
    let (mut faults, mut notes) = (Faults::new(asked.most), Faults::new(asked.most));
    let (chain, found) = {
        // Nobody is half-way through a commit while ledger and tables are compared. A reader that may not lock checks
        // as well.
        let _lock = match lock(root, &asked.patience).await {
            Ok(lock) => Some(lock),
            Err(error) if error.kind() == Kind::Locked => return Err(error),
            Err(_) => None,
        };
        let key = asked.public_key.as_ref();
        let heads = Heads::of(asked.anchor.as_ref(), root, &mut faults)?;
        let names = chain::names(&store).await?;
        let chain = chain::walk(&objects, &names, heads, key, &mut faults, &mut notes).await?;
        chain::end(&chain, key, &mut faults);
        let expected = versions::expected(&chain, ocsf);
        if asked.level >= Level::Files {
            versions::compare(&store, &chain, ocsf, &expected, &mut faults).await?;
            let live = chain.files().map(|file| file.sha256).collect();
            for (path, why) in fingerprints::left_over(&objects, &live).await? {
                notes.add(&path, why);
            }
        }
        let tables: BTreeSet<String> = expected.into_keys().collect();
        let found = data::find(&objects, &chain, &tables, asked.level, &mut faults).await?;
        (chain, found)
    };
    let sum = |count: fn(&FileEntry) -> u64| chain.files().map(count).sum();
    let (files, bytes, rows) = (chain.files().count() as u64, sum(|file| file.bytes), sum(|file| file.rows));
    let replaced = chain.aside.len() as u64;
    let all = bytes + chain.aside.iter().map(|file| file.bytes).sum::<u64>();
    asked.progress.all.store(all, Ordering::Relaxed);
    if asked.level >= Level::Files {
        let aside = chain.aside.iter().map(|file| (file.table().to_string(), file.path())).collect();
        data::look(&objects, found, &aside, asked.level, &asked.progress, &mut faults).await?;
    }
    let Chain { head, entries, signed_to, anchors, .. } = chain;
    let (level, fault_count) = (asked.level, faults.count);
    let (faults, notes) = (faults.listed, notes.listed);
    Ok(Verified {
        head,
        level,
        entries,
        files,
        bytes,
        rows,
        replaced,
        faults,
        fault_count,
        signed_to,
        anchors,
        notes,
        archive: None,
    })
}
