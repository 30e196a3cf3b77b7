//! `auditlake hold`: rows that are kept whatever their age.

use super::super::App;
use super::super::terminal::rows::{Column, batch, print};
use super::super::terminal::value::when;
use crate::error::{Error, Result};
use crate::lake::{Hold, Keeper};
use crate::render::{self, Format};
use crate::typed::When;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Keep rows from now on: those that meet all that is given
    Add(Add),
    /// Show the holds in force
    List(List),
    /// End a hold
    Release(Release),
}

#[derive(Debug, clap::Args)]
pub struct Add {
    /// Name of the hold
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    by: By,
    /// Rows of these tables; may be repeated [default: all]
    #[arg(long = "class", value_name = "TABLE")]
    classes: Vec<String>,
    /// Rows from this time on
    #[arg(long, value_name = "TIME", value_parser = when)]
    since: Option<When>,
    /// Rows before this time
    #[arg(long, value_name = "TIME", value_parser = when)]
    until: Option<When>,
    /// Rows of this actor: a user's uid, email address or name
    #[arg(long, value_name = "TEXT")]
    actor: Option<String>,
    /// Rows in which this text occurs, wherever it is
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct List {
    /// How the table is written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub struct Release {
    /// The hold
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    by: By,
}

/// The ledger's record of a step.
#[derive(Debug, clap::Args)]
struct By {
    /// Why the hold begins or ends
    #[arg(long)]
    reason: String,
    /// Person who asked for it
    #[arg(long)]
    owner: String,
}

pub fn run(app: &App, command: Command) -> Result<u8> {
    match command {
        Command::Add(args) => add(app, args),
        Command::List(args) => list(app, &args),
        Command::Release(args) => release(app, args),
    }
}

fn add(app: &App, args: Add) -> Result<u8> {
    let (lake, now_ms) = (app.open_lake()?, app.clock.now_ms());
    let known = lake.loaded_tables();
    if let Some(wrong) = args.classes.iter().find(|table| !known.contains(table)) {
        return Err(Error::usage(format!("no table `{wrong}`")).hint(format!("the tables are {}", known.join(", "))));
    }
    let millis = |when: Option<When>| when.map(|when| when.millis(now_ms)).transpose();
    let (from_ms, to_ms) = (millis(args.since)?, millis(args.until)?);
    super::super::terminal::value::check_period(from_ms, to_ms)?;
    let us = |ms: Option<i64>| ms.map(|ms| ms.saturating_mul(1000));
    let hold = Hold {
        name: args.name.clone(),
        reason: args.by.reason,
        owner: args.by.owner,
        classes: args.classes,
        from_us: us(from_ms),
        to_us: us(to_ms),
        actor: args.actor,
        subject: args.subject,
        since_ms: now_ms,
    };
    let clock = app.clock;
    let sequence = app.wait(async move { Keeper::new(lake, clock)?.hold(hold).await })?;
    app.screen.say(format!("hold `{}` is in force: ledger entry {sequence}", args.name));
    Ok(0)
}

fn release(app: &App, args: Release) -> Result<u8> {
    let (lake, clock, name) = (app.open_lake()?, app.clock, args.name.clone());
    let sequence =
        app.wait(async move { Keeper::new(lake, clock)?.release(&name, &args.by.reason, &args.by.owner).await })?;
    app.screen.say(format!("hold `{}` has ended: ledger entry {sequence}", args.name));
    Ok(0)
}

fn list(app: &App, args: &List) -> Result<u8> {
    let lake = app.open_lake()?;
    let holds = &lake.state().holds;
    let text = |value: fn(&Hold) -> Option<String>| Column::Text(holds.iter().map(value).collect());
    let time = |value: fn(&Hold) -> Option<i64>| Column::Time(holds.iter().map(value).collect());
    let table = batch(vec![
        ("name", text(|hold| Some(hold.name.clone()))),
        ("reason", text(|hold| Some(hold.reason.clone()))),
        ("owner", text(|hold| Some(hold.owner.clone()))),
        ("tables", text(|hold| (!hold.classes.is_empty()).then(|| hold.classes.join(", ")))),
        ("since", time(|hold| hold.from_us)),
        ("until", time(|hold| hold.to_us)),
        ("actor", text(|hold| hold.actor.clone())),
        ("subject", text(|hold| hold.subject.clone())),
        ("added", time(|hold| hold.since_ms.checked_mul(1000))),
    ])?;
    print(&app.screen, &table, args.format, render::Options::default())?;
    Ok(0)
}
