//! `auditlake gen`: synthetic audit-log entries.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use super::super::App;
use super::super::terminal::output::Output;
use super::super::terminal::value;
use crate::error::Result;
use crate::r#gen;
use crate::typed::{bytes, count};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Number of entries to generate: 10000, or 10,000
    #[arg(value_parser = value::count)]
    count: u64,
    /// Random seed; the same seed gives the same entries
    #[arg(long, default_value_t = r#gen::Options::default().seed)]
    seed: u64,
    /// Number of days that the entries cover
    #[arg(long, default_value_t = r#gen::Options::default().days)]
    days: u32,
    /// Number of users in the workspace
    #[arg(long, default_value_t = r#gen::Options::default().users)]
    users: u32,
    /// The first day, UTC
    #[arg(long, default_value = "2026-01-01", value_name = "YYYY-MM-DD")]
    from: NaiveDate,
    /// The file to write [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    let options = r#gen::Options {
        count: args.count,
        seed: args.seed,
        days: args.days,
        users: args.users,
        start_ms: args.from.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis(),
    };
    let summary = write(app, &options, args.out.as_deref())?;
    app.screen.say(format!("{} entries, {}", count(summary.entries), bytes(summary.bytes)));
    for story in &summary.stories {
        app.screen.say(format!("  {}: {}", story.name, story.text));
    }
    Ok(0)
}

/// Writes entries to a file, or to stdout.
pub fn write(app: &App, options: &r#gen::Options, path: Option<&Path>) -> Result<r#gen::Summary> {
    let mut out = Output::begin(app, path)?;
    let summary = r#gen::run(options, &mut out)?;
    out.finish()?;
    Ok(summary)
}
