//! `auditlake retain`: rows that are old enough are removed.

use std::path::PathBuf;

use super::super::{App, reads};
use super::receipt;
use crate::disk;
use crate::error::{Context, Error, Kind, Result};
use crate::lake::{Keeper, Lake, RetainPolicy, Retained};
use crate::typed::count;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Go on though this machine's clock is far from the newest event
    #[arg(long)]
    yes: bool,
    /// Where receipts are written, a JSON file and a page for each ledger entry
    #[arg(long, value_name = "DIR", default_value = "receipts")]
    receipts: PathBuf,
    /// Only write the receipt of this ledger entry again
    #[arg(long, value_name = "ENTRY", conflicts_with_all = ["dry_run", "yes"])]
    again: Option<u64>,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    let lake = app.open_lake()?;
    if let Some(sequence) = args.again {
        let written = receipt::write(app, &lake, &[sequence], &args.receipts)?;
        return told(app, &written);
    }
    let policy = app.config.retain();
    check(&policy, &lake)?;
    let (clock, is_dry, is_sure) = (app.clock, args.dry_run, args.yes);
    let of = lake.clone();
    let reads_before_us = policy.before_us(reads::TABLE, app.clock.now_ms());
    let done = app.wait(async move {
        let mut keeper = Keeper::new(of, clock)?;
        if !is_sure {
            keeper.check_clock()?;
        }
        keeper.retain(&policy, is_dry).await
    })?;
    let written = if done.entries.is_empty() {
        Vec::new()
    } else {
        let lake = app.open_lake()?;
        app.forget_facts(&lake)?;
        receipt::write(app, &lake, &done.entries, &args.receipts)?
    };
    if let Some(before_us) = reads_before_us {
        old_reads(app, &lake, before_us, is_dry)?;
    }
    if args.json {
        let text = serde_json::to_string(&done).context(Kind::Internal, || "cannot encode what was done")? + "\n";
        app.screen.print_json(&text)?;
    } else {
        tell(app, &done, is_dry)?;
    }
    told(app, &written)
}

/// Removes logs of reads that are as old as rows of them that go.
fn old_reads(app: &App, lake: &Lake, before_us: i64, is_dry: bool) -> Result<()> {
    let old = reads::find(lake, before_us)?;
    for place in &old.left {
        let would = if is_dry { "would be removed" } else { "removed" };
        if !is_dry {
            disk::remove(place).context(Kind::Unavailable, || format!("cannot remove {}", place.display()))?;
        }
        app.screen.say(format!("{}: a log of reads that was never taken in {would}", place.display()));
    }
    if old.pieces > 0 {
        app.screen.warn(format!(
            "{} logs of reads that a stopped server left are older than reads are kept: the next `auditlake serve` takes them in",
            count(old.pieces)
        ));
    }
    Ok(())
}

fn told(app: &App, written: &[PathBuf]) -> Result<u8> {
    for path in written {
        app.screen.say(format!("receipt: {}", path.display()));
    }
    Ok(0)
}

fn check(policy: &RetainPolicy, lake: &Lake) -> Result<()> {
    if policy.is_empty() {
        return Err(Error::usage("the configuration says of nothing how long it is kept")
            .hint("write into auditlake.toml: [retain] keep = \"400d\""));
    }
    let known = lake.loaded_tables();
    match policy.tables.keys().find(|table| !known.contains(table)) {
        Some(wrong) => Err(Error::usage(format!("the configuration keeps `{wrong}`, which is not a table"))
            .hint(format!("the tables are {}", known.join(", ")))),
        None => Ok(()),
    }
}

fn tell(app: &App, done: &Retained, is_dry: bool) -> Result<()> {
    let would = if is_dry { "would be removed" } else { "removed" };
    for (name, table) in &done.tables {
        let before = chrono::DateTime::from_timestamp_micros(table.before_us);
        let before = before.map(|time| time.format("%Y-%m-%d %H:%M").to_string()).unwrap_or_default();
        let held = if table.held > 0 { format!("; {} kept by a hold", count(table.held)) } else { String::new() };
        app.screen.print(&format!(
            "{name}: {} rows before {before} {would}: {} files whole, {} in part{held}\n",
            count(table.rows),
            count(table.files),
            count(table.rewritten)
        ))?;
    }
    if done.replaced > 0 {
        app.screen.print(&format!("{} copies in replaced files {would} with them\n", count(done.replaced)))?;
    }
    if done.tables.is_empty() && done.replaced == 0 {
        app.screen.print("nothing is old enough\n")?;
    }
    Ok(())
}
