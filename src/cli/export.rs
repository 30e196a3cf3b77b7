//! `auditlake export`: rows back as the OCSF JSON that came in.

use std::io::Write;
use std::path::PathBuf;

use futures::StreamExt;

use super::App;
use super::access::{Access, Read};
use super::output::Output;
use crate::decode::Encoder;
use crate::error::{Context, Error, Kind, Result};
use crate::lake::{Lake, rows};
use crate::typed::count;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Tables to export; all event tables when none is named
    #[arg(value_name = "TABLE")]
    tables: Vec<String>,
    /// The file to write, one event per line [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    let lake = app.open_lake()?;
    for table in &args.tables {
        if !lake.ocsf().classes().iter().any(|class| class.name == *table) {
            return Err(Error::input(format!("no event table `{table}`")).hint("`auditlake schema` lists them"));
        }
    }
    let mut access = Access::of(app, &lake)?;
    let mut out = Output::begin(app, args.output.as_deref())?;
    // Of the tables that were named none is left out.
    let left_out = if args.tables.is_empty() { lake.unknown_tables() } else { Vec::new() };
    access.begin(app, &Read::Export { tables: &args.tables }, lake.state().sequence)?;
    let exported = app.wait(async move {
        let events = export(&lake, &args.tables, &mut out).await?;
        out.finish().map(|()| events)
    });
    access.end(app, exported.as_ref().map(|events| *events))?;
    access.close(app)?;
    let exported = exported?;
    app.screen.say(format!("{} events", count(exported)));
    app.warn_of_left_out(&left_out);
    Ok(if left_out.is_empty() { 0 } else { Kind::Incomplete.exit_code() })
}

async fn export(lake: &Lake, tables: &[String], out: &mut (dyn Write + Send)) -> Result<u64> {
    let mut exported = 0;
    let mut line = Vec::new();
    for class in lake.ocsf().classes() {
        if !tables.is_empty() && !tables.contains(&class.name) {
            continue;
        }
        let encoder = Encoder::new(class);
        let Some(table) = lake.state().tables.get(&class.name) else { continue };
        for file in &table.files {
            let mut batches = rows(&lake.store(), file).await?;
            while let Some(batch) = batches.next().await {
                let batch = batch?;
                for row in 0..batch.num_rows() {
                    line.clear();
                    encoder.write(&batch, row, &mut line)?;
                    line.push(b'\n');
                    out.write_all(&line).context(Kind::Unavailable, cannot_write)?;
                }
                exported += batch.num_rows() as u64;
            }
        }
    }
    Ok(exported)
}

fn cannot_write() -> &'static str {
    "cannot write the events"
}
