//! `auditlake ledger`: its head, for a record that nobody who can write to the lake can change.

use std::io::Write;

use super::super::App;
use super::super::terminal::rows::{Column, batch, print};
use super::anchor::line;
use crate::error::{Context, Error, Kind, Result};
use crate::lake::Anchors;
use crate::render::{self, Format};
use crate::typed::{bytes, count};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Print the newest entry's sequence and SHA-256, and the lake's id: record them elsewhere, and compare with
    /// `auditlake verify --anchor FILE`
    Head(Head),
    /// Record the head elsewhere now, by the command in `[anchor]`
    Anchor,
    /// List the heads that were recorded elsewhere
    Anchors(List),
}

#[derive(Debug, clap::Args)]
pub struct Head {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub struct List {
    /// Print the answer that this anchor got, as it was given
    #[arg(long, value_name = "ANCHOR", conflicts_with = "format")]
    answer: Option<u64>,
    /// Output format of the list
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub fn run(app: &App, command: Command) -> Result<u8> {
    match command {
        Command::Head(args) => head(app, &args)?,
        Command::Anchor => anchor(app)?,
        Command::Anchors(args) => anchors(app, &args)?,
    }
    Ok(0)
}

fn head(app: &App, args: &Head) -> Result<()> {
    let head = app.open_lake()?.head();
    if args.json {
        let text = serde_json::to_string(&head).context(Kind::Internal, || "cannot encode the head")? + "\n";
        return app.screen.print_json(&text);
    }
    app.screen.print(&line(&head))
}

fn anchor(app: &App) -> Result<()> {
    if app.config.anchor().command.is_empty() {
        return Err(Error::usage("the configuration names no command that records heads elsewhere")
            .hint("name one: [anchor] command = [\"/usr/local/bin/record-head\"]; it gets the head on its stdin"));
    }
    let head = app.open_lake()?.head();
    let (kept, is_old) = app.anchor_now(&head)?;
    let answer = bytes(kept.body.answer.len() as u64);
    app.screen.say(if is_old {
        format!("ledger entry {} is recorded already: anchor {}", head.sequence, kept.sequence)
    } else {
        format!("recorded ledger entry {} as anchor {}; the answer has {answer}", head.sequence, kept.sequence)
    });
    Ok(())
}

fn anchors(app: &App, args: &List) -> Result<()> {
    let lake = app.open_lake()?;
    let (all, broken) = Anchors::of(lake.root()).all()?;
    if let Some(wanted) = args.answer {
        let found = all.iter().find(|anchor| anchor.sequence == wanted);
        let found = found.ok_or_else(|| {
            Error::input(format!("no anchor {wanted}")).hint(format!("there are {}", count(all.len() as u64)))
        })?;
        if app.screen.is_terminal() {
            return app.screen.print(&String::from_utf8_lossy(&found.body.answer));
        }
        // The answer may be any bytes: the caller passes them on to a file or a program.
        let mut out = app.screen.stdout();
        let written = out.write_all(&found.body.answer).and_then(|()| out.flush());
        return written.context(Kind::Unavailable, || "cannot write to stdout");
    }
    let number = |value: &dyn Fn(usize) -> u64| Column::Number((0..all.len()).map(|at| Some(value(at))).collect());
    let table = batch(vec![
        ("anchor", number(&|at| all[at].sequence)),
        ("time", Column::Time(all.iter().map(|anchor| Some(anchor.time_ms * 1000)).collect())),
        ("ledger_entry", number(&|at| all[at].body.head.sequence)),
        ("sha256", Column::Text(all.iter().map(|anchor| Some(anchor.body.head.sha256.clone())).collect())),
        ("answer_bytes", number(&|at| all[at].body.answer.len() as u64)),
    ])?;
    print(&app.screen, &table, args.format, render::Options::default())?;
    broken.map_or(Ok(()), Err)
}
