//! The data files: all of them exist and no others, with the right length, footers, bytes, and rows.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};

use super::super::files::file::{FileEntry, RowDigest};
use super::super::files::layout::{DELTA_LOG, REPLACED, replaced_path};
use super::super::files::name::FileName;
use super::super::files::row_digest::row_digest;
use super::super::identity::{Hasher, Known};
use super::super::key;
use super::super::reading::read;
use super::super::tables::reject::REJECT_TABLE;
use super::super::tables::revision::REVISION_TABLE;
use super::chain::Chain;
use super::faults::Faults;
use super::level::{Level, Progress};
use crate::error::{Context, Kind, Result};
use crate::typed::Hash32;

/// Files that are checked at the same time.
const AT_ONCE: usize = 4;

/// Finds the files; returns those that exist and are worth a closer look.
pub async fn find(
    store: &Arc<dyn ObjectStore>,
    chain: &Chain,
    tables: &BTreeSet<String>,
    level: Level,
    faults: &mut Faults,
) -> Result<Vec<FileEntry>> {
    let mut there = listed(store, tables).await?;
    let known: BTreeSet<Path> = chain.files().map(FileEntry::data_path).collect();
    for path in there.keys().filter(|path| !known.contains(*path)) {
        faults.add(path, "no ledger entry names it: readers of the folder would count its rows");
    }
    let aside: BTreeSet<Path> = chain.aside.iter().map(aside_path).collect();
    let lying = listed(store, &BTreeSet::from([REPLACED.to_string()])).await?;
    for path in lying.keys().filter(|path| !aside.contains(*path)) {
        faults.add(path, "no ledger entry replaced it, or one has dropped it");
    }
    there.extend(lying);
    let mut found = Vec::with_capacity(known.len() + aside.len());
    let files = chain.files().map(|file| (file, file.data_path()));
    for (file, path) in files.chain(chain.aside.iter().map(|file| (file, aside_path(file)))) {
        match there.get(&path) {
            None => faults.add(&path, "it is missing, and the ledger names it"),
            Some(size) if level >= Level::Files && *size != file.bytes => {
                faults.add(&path, format!("it has {size} bytes, and the ledger says {}", file.bytes));
            }
            Some(_) => found.push(file.clone()),
        }
    }
    Ok(found)
}

/// Returns where a file is that left its table.
pub fn aside_path(file: &FileEntry) -> Path {
    replaced_path(file.table(), &file.path())
}

/// Checks files, each as deeply as the level says.
pub async fn look(
    store: &Arc<dyn ObjectStore>,
    files: Vec<FileEntry>,
    aside: &BTreeSet<(String, String)>,
    level: Level,
    progress: &Progress,
    faults: &mut Faults,
) -> Result<()> {
    // Rows of one partition are compared with one another: no event is in two, since its time is part of its identity.
    // A file that was replaced has the rows of others, so it is compared with none of them.
    let mut groups: BTreeMap<(String, String, bool), Vec<FileEntry>> = BTreeMap::new();
    for file in files {
        let is_aside = aside.contains(&(file.table().to_string(), file.path()));
        groups.entry((file.table().to_string(), file.partition().to_string(), is_aside)).or_default().push(file);
    }
    let hasher = Hasher::new(key::random_key()?);
    let looks = groups.into_iter().map(|((table, _, is_aside), group)| {
        let is_of_events = table != REJECT_TABLE && table != REVISION_TABLE && !is_aside;
        let hasher = is_of_events.then_some(hasher);
        let look = look_into(store.clone(), group, level, hasher, progress.clone(), faults.empty());
        async move { tokio::spawn(look).await.context(Kind::Internal, || "a task that checks files stopped")? }
    });
    let looks: Vec<_> = looks.collect();
    let mut found = futures::stream::iter(looks).buffered(AT_ONCE);
    while let Some(more) = found.try_next().await? {
        faults.extend(more);
    }
    Ok(())
}

/// Returns the files in the folders of tables, with their sizes; Delta logs are left out.
async fn listed(store: &Arc<dyn ObjectStore>, tables: &BTreeSet<String>) -> Result<BTreeMap<Path, u64>> {
    let mut there = BTreeMap::new();
    for table in tables {
        let log = Path::from(format!("{table}/{DELTA_LOG}"));
        let mut found = store.list(Some(&Path::from(table.as_str())));
        while let Some(object) = found.next().await {
            let object = object.context(Kind::Unavailable, || format!("cannot list `{table}`"))?;
            if !object.location.prefix_matches(&log) {
                there.insert(object.location, object.size);
            }
        }
    }
    Ok(there)
}

/// Returns the data files in place that entry `sequence` has added, by their names: the entry itself is no longer readable.
pub(super) async fn placed_by(
    store: &Arc<dyn ObjectStore>,
    sequence: u64,
    tables: &BTreeSet<String>,
) -> Result<Vec<Path>> {
    let is_of_it = |path: &Path| {
        let name = path.filename().and_then(FileName::parse);
        name.is_some_and(|(name, _)| name.sequence == sequence)
    };
    Ok(listed(store, tables).await?.into_keys().filter(is_of_it).collect())
}

/// Checks the files of one partition.
async fn look_into(
    store: Arc<dyn ObjectStore>,
    files: Vec<FileEntry>,
    level: Level,
    hasher: Option<Hasher>,
    progress: Progress,
    mut faults: Faults,
) -> Result<Faults> {
    let mut identities = HashSet::new();
    for file in &files {
        let path = file.data_path();
        let footer = file.footer().fetch(&store, &path, file.bytes).await;
        let mut is_sound = faults.take(&path, footer)?.is_some();
        if is_sound && level >= Level::Bytes {
            let found = sha256(&store, &path).await?;
            is_sound = found.as_ref() == Some(&file.sha256);
            match found {
                Some(_) if is_sound => {}
                Some(_) => faults.add(&path, "its SHA-256 is not the one that the ledger has: it was changed"),
                None => faults.add(&path, "it is missing, and the ledger names it"),
            }
        }
        if is_sound && level >= Level::Rows {
            let decoded = decode(&store, file, hasher.as_ref(), &mut identities).await;
            if let Some(Some(fault)) = faults.take(&path, decoded)? {
                faults.add(&path, fault);
            }
        }
        progress.add(file.bytes);
    }
    Ok(faults)
}

async fn sha256(store: &Arc<dyn ObjectStore>, path: &Path) -> Result<Option<Hash32>> {
    let cannot = || format!("cannot read {path}");
    let found = match store.get(path).await {
        Err(StoreError::NotFound { .. }) => return Ok(None),
        found => found.context(Kind::Unavailable, cannot)?,
    };
    let mut bytes = found.into_stream();
    let mut hash = Sha256::new();
    while let Some(chunk) = bytes.try_next().await.context(Kind::Unavailable, cannot)? {
        hash.update(&chunk);
    }
    Ok(Some(Hash32(hash.finalize().into())))
}

/// Decodes a file's rows; returns what is wrong with them.
async fn decode(
    store: &Arc<dyn ObjectStore>,
    file: &FileEntry,
    hasher: Option<&Hasher>,
    identities: &mut HashSet<u128>,
) -> Result<Option<String>> {
    let mut batches = read::rows(store, file).await?;
    let (mut rows, mut digest) = (0, RowDigest::default());
    let (mut min_time_us, mut max_time_us) = (i64::MAX, i64::MIN);
    let mut twice = 0_u64;
    while let Some(batch) = batches.try_next().await? {
        rows += batch.num_rows() as u64;
        digest = digest.plus(row_digest([&batch])?);
        if let Some(times) = batch.column_by_name("time").and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>())
        {
            min_time_us = min_time_us.min(arrow::compute::min(times).unwrap_or(i64::MAX));
            max_time_us = max_time_us.max(arrow::compute::max(times).unwrap_or(i64::MIN));
        }
        if let Some(hasher) = hasher {
            let known = Known::of_events(&batch)?.keys(hasher)?;
            twice += known.into_iter().flatten().filter(|key| !identities.insert(key.identity)).count() as u64;
        }
    }
    Ok(match () {
        () if rows != file.rows => Some(format!("it has {rows} rows, and the ledger says {}", file.rows)),
        () if digest != file.digest => {
            Some(format!("its rows have the digest {digest}, and the ledger says {}", file.digest))
        }
        () if (min_time_us, max_time_us) != (file.min_time_us, file.max_time_us) => {
            Some("the range of its times is not the one that the ledger has".to_string())
        }
        () if twice > 0 => Some(format!("{twice} of its events are in the lake twice")),
        () => None,
    })
}
