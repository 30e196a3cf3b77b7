//! `auditlake backup`: a copy of the lake; each run copies only new files.

use std::path::PathBuf;

use super::super::App;
use super::super::trust::verify::things;
use crate::error::{Context, Error, Kind, Result};
use crate::lake::{Fault, Keeper};
use crate::typed::{bytes, count};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of the copy: a new one, or the one of the last backup, which is brought up to date
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    let (lake, clock, folder) = (app.open_lake()?, app.clock, args.folder.clone());
    let has_key = lake.root().join("_key").exists();
    let (done, verified) = app.wait(async move { Keeper::new(lake, clock)?.back_up(&folder).await })?;
    if args.json {
        let text = serde_json::to_string(&done).context(Kind::Internal, || "cannot encode what was done")? + "\n";
        app.screen.print_json(&text)?;
    } else {
        app.screen.print(&format!(
            "ledger entry {} {}: {} files copied, {}, {} removed; the copy is sound\n",
            done.sequence,
            done.sha256,
            count(done.copied),
            bytes(done.bytes),
            count(done.removed)
        ))?;
    }
    if has_key {
        app.screen.say("the lake's key is not in the copy: keep `_key` where the copy is not");
    }
    for Fault { path, fault } in &verified.faults {
        app.screen.say(format!("{path}: {fault}"));
    }
    match verified.fault_count {
        0 => Ok(0),
        faults => Err(Error::new(Kind::Integrity, format!("the copy is not what was written: {}", things(faults)))
            .hint("run `auditlake verify` on the lake; then remove the copy and make it anew")),
    }
}
