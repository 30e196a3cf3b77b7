//! `auditlake ledger`: its head, for a record that whoever can write to the lake cannot change.

use super::App;
use crate::error::{Context, Kind, Result};
use crate::lake::LedgerHead;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Print the newest entry's sequence and SHA-256, and the lake's id: record them elsewhere, and compare with
    /// `auditlake verify --anchor FILE`
    Head(Head),
}

#[derive(Debug, clap::Args)]
pub struct Head {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(app: &App, command: Command) -> Result<u8> {
    let Command::Head(args) = command;
    let lake = app.open_lake()?;
    let state = lake.state();
    let head = LedgerHead {
        lake_id: state.lake.lake_id.clone(),
        sequence: state.sequence,
        sha256: state.hash.clone(),
        time_ms: state.time_ms,
    };
    if args.json {
        let text = serde_json::to_string(&head).context(Kind::Internal, || "cannot encode the head")? + "\n";
        app.screen.print_json(&text)?;
    } else {
        app.screen.print(&format!("{} {} {}\n", head.sequence, head.sha256, head.lake_id))?;
    }
    Ok(0)
}
