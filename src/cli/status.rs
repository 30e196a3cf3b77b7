//! `auditlake status`: what the lake holds.

use super::rows::{Column, batch, print};
use super::{App, tally};
use crate::error::Result;
use crate::lake::Lake;
use crate::render::{self, Format};
use crate::sql::TableInfo;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Output format of the table
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
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
    tally::rows(&app.screen, &state.notes);
    let left_out = lake.unknown_tables();
    let tables = tables(&lake, &left_out);
    app.warn_of_left_out(&left_out);
    print(&app.screen, &table(&tables)?, args.format, render::Options::default())?;
    Ok(0)
}

/// All stored tables. The ledger knows them without a session, and none is made: a lake may have half a million files.
fn tables(lake: &Lake, left_out: &[(String, u64)]) -> Vec<TableInfo> {
    let known = lake.loaded_tables().into_iter().map(|name| TableInfo::stored(&name, "table", lake.state()));
    let unknown = left_out.iter().map(|(name, _)| TableInfo::stored(name, "unknown", lake.state()));
    known.chain(unknown).collect()
}

/// Tables with the facts of the ledger about them.
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
