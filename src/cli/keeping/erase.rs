//! `auditlake erase`: a person's identifiers become pseudonyms.

use std::path::PathBuf;

use super::super::App;
use super::receipt;
use crate::error::{Context, Kind, Result};
use crate::lake::Keeper;
use crate::typed::count;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// An identifier of the person: a uid, an email address, a name; may be repeated
    #[arg(long = "subject", value_name = "TEXT", required = true)]
    subjects: Vec<String>,
    /// Why, for the ledger and the receipt; it must not name the person
    #[arg(long)]
    reason: String,
    /// Say what would be replaced, and replace nothing
    #[arg(long)]
    dry_run: bool,
    /// Where receipts are written, a JSON file and a page for each ledger entry
    #[arg(long, value_name = "DIR", default_value = "receipts")]
    receipts: PathBuf,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    if let Some(subject) = args.subjects.iter().find(|subject| args.reason.contains(subject.as_str())) {
        return Err(crate::error::Error::usage("the reason names the person")
            .hint(format!("it is kept for ever: write it without `{subject}`")));
    }
    let (lake, clock) = (app.open_lake()?, app.clock);
    let (subjects, reason, is_dry) = (args.subjects, args.reason, args.dry_run);
    let done = app.wait(async move { Keeper::new(lake, clock)?.erase(&subjects, &reason, is_dry).await })?;
    let written = if done.entries.is_empty() {
        Vec::new()
    } else {
        let lake = app.open_lake()?;
        app.forget_facts(&lake)?;
        receipt::write(app, &lake, &done.entries, &args.receipts)?
    };
    if args.json {
        let text = serde_json::to_string(&done).context(Kind::Internal, || "cannot encode what was done")? + "\n";
        app.screen.print_json(&text)?;
    } else {
        let would = if is_dry { "would name" } else { "name" };
        for (table, rows) in &done.rows {
            app.screen.print(&format!("{table}: {} rows {would} {}\n", count(*rows), done.pseudonyms.join(", ")))?;
        }
        if done.rows.is_empty() {
            app.screen.print("no row names the person\n")?;
        }
    }
    for path in written {
        app.screen.say(format!("receipt: {}", path.display()));
    }
    Ok(0)
}
