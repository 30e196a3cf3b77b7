//! `auditlake repair`: derived files are rewritten from the ledger, and dead files are removed.

use std::collections::BTreeSet;

use super::super::{App, access};
use super::verify::{LISTED, things};
use crate::error::{Context, Error, Kind, Result};
use crate::lake::{self, Fault, Repair};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Report what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Drop the newest entries whose files are incomplete, and files that the ledger does not know
    #[arg(long)]
    drop_incomplete: bool,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    let asked =
        Repair { is_dry: args.dry_run, drop_incomplete: args.drop_incomplete, most: LISTED, patience: app.patience() };
    let (path, ocsf) = (app.lake_path(), app.ocsf()?);
    let mut repaired = app.wait(async move { lake::repair(&path, &ocsf, &asked).await })?;
    // Facts follow from the tables: the problems of an unsound lake come first.
    if repaired.left_count == 0 && (!args.dry_run || repaired.done.is_empty()) {
        let wrong = app.check_facts()?;
        let done =
            wrong.iter().map(|wrong| Fault { path: wrong.path.clone(), fault: format!("removed: {}", wrong.fault) });
        repaired.done.extend(done);
        if !args.dry_run && !wrong.is_empty() {
            app.remove_facts(wrong)?;
        }
        let lost = if args.dry_run { access::lost_reads(app)? } else { access::tell_lost(app)? };
        repaired.done.extend((!lost.is_empty()).then(|| lost_reads(&lost)));
    }
    for lost in &repaired.lost {
        app.screen.say(format!("lost: {lost}; ingest its sources again"));
    }
    if args.json {
        let text = serde_json::to_string(&repaired).context(Kind::Internal, || "cannot encode what was done")? + "\n";
        app.screen.print_json(&text)?;
    } else {
        for Fault { path, fault } in &repaired.done {
            app.screen.print(&format!("{path}: {fault}\n"))?;
        }
        for Fault { path, fault } in &repaired.left {
            app.screen.print(&format!("left: {path}: {fault}\n"))?;
        }
    }
    if args.dry_run {
        app.screen.say("nothing was changed");
        return Ok(0);
    }
    if repaired.done.is_empty() && repaired.left_count == 0 {
        app.screen.say("nothing to repair");
    }
    match repaired.left_count {
        0 => Ok(0),
        left => Err(Error::new(Kind::Integrity, format!("{} cannot be repaired", things(left)))
            .hint("restore these files from a backup, then run `auditlake verify`")),
    }
}

/// Describes reads of the access log that are gone for good.
fn lost_reads(numbers: &BTreeSet<u64>) -> Fault {
    let listed: Vec<String> = numbers.iter().map(u64::to_string).collect();
    let fault = format!("the reads {} are lost; an event of the lake says so", listed.join(", "));
    Fault { path: access::FOLDER.to_string(), fault }
}
