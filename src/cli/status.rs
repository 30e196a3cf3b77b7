//! `auditlake status`: the contents of the lake.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;

use super::App;
use super::intake::tally;
use super::terminal::rows::{Column, batch, print};
use crate::error::{Context, Kind, Result};
use crate::lake::{self, Lake, State};
use crate::render::{self, Format};
use crate::sql::TableInfo;
use crate::typed::{bytes, count};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Output format of the table
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Show instead what takes how much of the disk, by table and kind
    #[arg(long)]
    disk: bool,
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    let lake = app.open_lake()?;
    let state = lake.state().clone();
    app.screen.say(format!(
        "lake {} ({}), OCSF {}, ledger entry {}, {}",
        lake.root().display(),
        state.lake.partition.column(),
        state.lake.ocsf_version,
        state.sequence,
        chrono::DateTime::from_timestamp_millis(state.time_ms).map(|time| time.to_rfc3339()).unwrap_or_default()
    ));
    if args.disk {
        let used = disk_use(&lake)?;
        return print(&app.screen, &used, args.format, render::Options::default()).map(|()| 0);
    }
    tally::rows(&app.screen, &state.notes);
    pending(app, &state);
    let left_out = lake.unknown_tables();
    let tables = tables(&lake, &left_out);
    app.warn_of_left_out(&left_out);
    print(&app.screen, &table(&tables)?, args.format, render::Options::default())?;
    Ok(0)
}

/// Reports what `auditlake compact` would find to do; a lake with a handful of files gets no message.
fn pending(app: &App, state: &State) {
    let options = app.config.compact();
    let groups = lake::plan_compaction(state, &options, true);
    let files: usize = groups.iter().map(Vec::len).sum();
    if files >= options.from_files {
        let (small, large) = (count(files as u64), count(groups.len() as u64));
        app.screen.say(format!("{small} small files: `auditlake compact` merges them into {large}"));
    }
    let (files, size) = state.replaced();
    if files > 0 {
        app.screen.say(format!(
            "{} replaced files, {}, are kept for readers of older states; `auditlake compact` removes them in time",
            count(files),
            bytes(size)
        ));
    }
    if !state.holds.is_empty() {
        app.screen.say(format!("{} holds are in force: `auditlake hold list`", count(state.holds.len() as u64)));
    }
}

/// Returns files and bytes on the disk, by table and kind.
fn disk_use(lake: &Lake) -> Result<RecordBatch> {
    let mut used: BTreeMap<(String, &str), (u64, u64)> = BTreeMap::new();
    let mut left = vec![lake.root().to_path_buf()];
    while let Some(folder) = left.pop() {
        let cannot = || format!("cannot look into {}", folder.display());
        for entry in std::fs::read_dir(&folder).context(Kind::Unavailable, cannot)? {
            let entry = entry.context(Kind::Unavailable, cannot)?;
            // Files that are removed or moved meanwhile are not counted.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                left.push(entry.path());
                continue;
            }
            let path = entry.path();
            let path = path.strip_prefix(lake.root()).unwrap_or(&path).to_string_lossy().into_owned();
            let sum = used.entry(kind(&path)).or_default();
            *sum = (sum.0 + 1, sum.1 + metadata.len());
        }
    }
    let of = |value: fn(&(u64, u64)) -> u64| Column::Number(used.values().map(|sum| Some(value(sum))).collect());
    batch(vec![
        ("table", Column::Text(used.keys().map(|(table, _)| (!table.is_empty()).then(|| table.clone())).collect())),
        ("kind", Column::Text(used.keys().map(|(_, kind)| Some(kind.to_string())).collect())),
        ("files", of(|sum| sum.0)),
        ("bytes", of(|sum| sum.1)),
    ])
}

/// Returns the table that a file of the lake belongs to, if any, and the kind of the file.
fn kind(path: &str) -> (String, &'static str) {
    let mut parts = path.split('/');
    let (first, second) = (parts.next().unwrap_or_default(), parts.next());
    match (first, second) {
        ("_replaced", Some(table)) => (table.to_string(), "replaced, kept"),
        ("_ledger", _) => (String::new(), "ledger"),
        ("_anchors", _) => (String::new(), "anchors"),
        ("_facts", _) => (String::new(), "facts"),
        ("_fingerprints", _) => (String::new(), "fingerprints"),
        ("_staging", _) => (String::new(), "staged"),
        (first, _) if first.starts_with('_') => (String::new(), "other"),
        (table, Some("_delta_log")) => (table.to_string(), "Delta log"),
        (table, Some(_)) => (table.to_string(), "data"),
        (_, None) => (String::new(), "other"),
    }
}

/// Returns all stored tables. The ledger knows them without a session, and none is made: a lake may have half a million
/// files.
fn tables(lake: &Lake, left_out: &[(String, u64)]) -> Vec<TableInfo> {
    let known = lake.loaded_tables().into_iter().map(|name| TableInfo::stored(&name, "table", lake.state()));
    let unknown = left_out.iter().map(|(name, _)| TableInfo::stored(name, "unknown", lake.state()));
    known.chain(unknown).collect()
}

/// Builds a table of the tables with the ledger's facts about them.
pub fn table(tables: &[TableInfo]) -> Result<arrow::array::RecordBatch> {
    batch(vec![
        ("table", Column::Text(tables.iter().map(|table| Some(table.name.clone())).collect())),
        ("rows", Column::Number(tables.iter().map(|table| table.rows).collect())),
        ("files", Column::Number(tables.iter().map(|table| table.files).collect())),
        ("bytes", Column::Number(tables.iter().map(|table| table.bytes).collect())),
        ("min_time", Column::Time(tables.iter().map(|table| table.min_time_us).collect())),
        ("max_time", Column::Time(tables.iter().map(|table| table.max_time_us).collect())),
        ("last_batch", Column::Number(tables.iter().map(|table| table.last_batch).collect())),
    ])
}
