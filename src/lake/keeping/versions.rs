//! Level 1 of the Delta tables: each version is what the ledger makes of its entry, and readers see the ledger's files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use serde_json::Value;

use super::super::files::file::FileEntry;
use super::super::files::layout::{DELTA_LOG, delta_path, delta_version};
use super::super::files::store::Durable;
use super::super::ledger::entries::get;
use super::super::tables::commit::{EntryRef, Removes, check, commit, creation, creation_before};
use super::super::tables::table::Projection;
use super::super::{WRITER, own_tables};
use super::chain::{Chain, Commit};
use super::faults::Faults;
use crate::error::{Context, Kind, Result};
use crate::schema::Ocsf;

/// The versions that each table has according to the ledger: the entry, and the files that it adds.
pub type Expected<'a> = BTreeMap<String, Vec<(&'a EntryRef, Vec<&'a FileEntry>)>>;

/// Returns the tables of the loaded classes, and those that entries add files to.
pub fn expected<'a>(chain: &'a Chain, ocsf: &Ocsf) -> Expected<'a> {
    let classes = ocsf.classes().iter().map(|class| class.name.clone());
    let own = own_tables().into_iter().map(|(name, _)| name.to_string());
    let mut expected: Expected<'a> = classes.chain(own).map(|name| (name, Vec::new())).collect();
    for Commit { entry, files, .. } in &chain.commits {
        let rewritten = entry.replaced.keys().map(|table| (table.as_str(), Vec::new()));
        let mut tables: BTreeMap<&str, Vec<&FileEntry>> = rewritten.collect();
        files.iter().for_each(|file| tables.entry(file.table()).or_default().push(file));
        for (table, files) in tables {
            expected.entry(table.to_string()).or_default().push((entry, files));
        }
    }
    expected
}

pub async fn compare(
    store: &Arc<Durable>,
    chain: &Chain,
    ocsf: &Ocsf,
    expected: &Expected<'_>,
    faults: &mut Faults,
) -> Result<()> {
    for (table, versions) in expected {
        let log = Path::from(format!("{table}/{DELTA_LOG}"));
        let names = store.names(&log).await.context(Kind::Unavailable, || format!("cannot list {log}"))?;
        // A class that was loaded since the lake was last written to has no table yet, and no folder of one.
        if names.is_empty() && versions.is_empty() && !store.root.join(log.as_ref()).is_dir() {
            continue;
        }
        let before = faults.count;
        strangers(&log, &names, versions.len() as u64, faults);
        let objects: Arc<dyn ObjectStore> = store.clone();
        begun(&objects, chain, ocsf, table, faults).await?;
        for (at, (entry, files)) in versions.iter().enumerate() {
            let path = delta_path(table, at as u64 + 1);
            let Some(there) = get(&objects, &path).await? else {
                faults.add(&path, "it is missing: readers of Delta do not see the rows of its entry");
                continue;
            };
            if let Some(why) = other(&there, chain, table, entry, files) {
                faults.add(&path, why);
            }
        }
        // Wrong versions explain a wrong list of files.
        if faults.count == before {
            seen(store, chain, table, faults).await?;
        }
    }
    Ok(())
}

/// Describes in which way a version differs from what its entry makes it.
pub fn other(there: &[u8], chain: &Chain, table: &str, entry: &EntryRef, files: &[&FileEntry]) -> Option<String> {
    if there == commit(&chain.lake, entry, table, files) {
        return None;
    }
    let removes = Removes::These(entry.replaced_of(table));
    match check(there, &chain.lake, (entry.sequence, &entry.hash), removes, files.iter().copied()) {
        Err(why) => Some(format!("it is not the ledger's: {why}")),
        // Another version of the program may write the same in another form.
        Ok(()) if entry.writer == WRITER => Some("it was changed after it was written".to_string()),
        Ok(()) => None,
    }
}

/// Reports files in a log that belong to no version of it.
fn strangers(log: &Path, names: &[String], last: u64, faults: &mut Faults) {
    for name in names {
        match delta_version(name) {
            Some(version) if version > last => {
                let fault = "no ledger entry made it: `_ledger/` was put back, or something else wrote to the table";
                faults.add(format!("{log}/{name}"), fault);
            }
            Some(_) => {}
            None if name == "_last_checkpoint" || is_checkpoint(name) => {}
            None => faults.add(format!("{log}/{name}"), "it is not a file of a Delta log: it was added or renamed"),
        }
    }
}

/// Recognises `00000000000000000010.checkpoint.parquet`, in one part or several, however they are named.
pub fn is_checkpoint(name: &str) -> bool {
    let Some((version, rest)) = name.split_once('.') else { return false };
    version.len() == 20
        && version.bytes().all(|byte| byte.is_ascii_digit())
        && rest.starts_with("checkpoint.")
        && (rest.ends_with(".parquet") || rest.ends_with(".json"))
}

/// Checks version 0, which has the columns.
pub async fn begun(
    store: &Arc<dyn ObjectStore>,
    chain: &Chain,
    ocsf: &Ocsf,
    table: &str,
    faults: &mut Faults,
) -> Result<()> {
    let path = delta_path(table, 0);
    let Some(there) = get(store, &path).await? else {
        faults.add(&path, "it is missing: readers of Delta cannot open the table");
        return Ok(());
    };
    let own = own_tables().into_iter().find(|(name, _)| *name == table).map(|(_, schema)| schema);
    let Some(schema) = own.or_else(|| ocsf.by_name(table).map(|class| class.arrow.clone())) else { return Ok(()) };
    let actions: Vec<Value> =
        String::from_utf8_lossy(&there).lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let find = |name: &str| actions.iter().find_map(|action| action.get(name));
    let (info, metadata) = (find("commitInfo"), find("metaData"));
    let time_ms = info.and_then(|info| info["timestamp"].as_i64()).unwrap_or_default();
    let made = creation(table, &schema, &chain.lake, time_ms)?;
    if there == made || there == creation_before(table, &schema, &chain.lake, time_ms)? {
        return Ok(());
    }
    let is_ours = info.is_some_and(|info| info["engineInfo"] == WRITER);
    let id = metadata.map(|metadata| metadata["id"].clone()).unwrap_or_default();
    let is_of_table = String::from_utf8_lossy(&made).contains(&format!("\"id\":{id}"));
    // Another program may have made it with other columns.
    if is_ours || metadata.is_none() || !is_of_table {
        faults.add(&path, "it was changed after it was written, or made with another schema of the class");
    }
    Ok(())
}

/// Compares the result of reading Delta, by checkpoints where some exist.
pub async fn seen(store: &Arc<Durable>, chain: &Chain, table: &str, faults: &mut Faults) -> Result<()> {
    let log = format!("{table}/{DELTA_LOG}");
    let (projection, name) = (Projection::new(store.clone(), chain.lake.clone()), table.to_string());
    // It runs on a task of its own, since the kernel may panic on unexpected data.
    let found = match tokio::spawn(async move { projection.files(&name).await }).await {
        Ok(Ok(found)) => found,
        Err(stopped) => {
            faults.add(&log, format!("readers of Delta cannot open the table: {stopped}"));
            return Ok(());
        }
        Ok(Err(error)) => {
            faults.add(&log, format!("readers of Delta cannot open the table: {error}"));
            return Ok(());
        }
    };
    let files = chain.files().filter(|file| file.table() == table);
    let ours: BTreeSet<(String, u64)> = files.map(|file| (file.path(), file.bytes)).collect();
    if found != ours {
        let (more, fewer) = (found.difference(&ours).count(), ours.difference(&found).count());
        faults.add(&log, format!("readers of Delta see {more} files that are not the ledger's, and miss {fewer}"));
    }
    Ok(())
}
